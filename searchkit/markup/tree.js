"use strict";
(() => {
const FIRST = 24;      // children that a node shows when it is unfolded
const MORE = 100;      // children that "more" adds
const OPENED = 60;     // nodes drawn at the start, and added by "Unfold"
const DRAWN = 1500;    // nodes drawn at most
const PATH = 200;      // steps of a path listed at most
const LISTED = 2000;   // characters of a step listed at most
const BOX = {width: 210, height: 42, across: 280, down: 50};

const data = JSON.parse(document.getElementById("data").textContent);
const count = data.parent.length;
const byId = id => document.getElementById(id);
const view = byId("view"), world = byId("world");

// ------------------------------------------------------------------ the tree

const children = Array.from({length: count}, () => []);
const below = new Int32Array(count);
for (let n = 1; n < count; n++) children[data.parent[n]].push(n);
for (let n = count - 1; n > 0; n--) below[data.parent[n]] += below[n] + 1;
const value = n => data.mean[n] ?? data.score[n];
const byVisits = (a, b) => data.visits[b] - data.visits[a] || (value(b) ?? -Infinity) - (value(a) ?? -Infinity) || a - b;
const ranked = new Map();

function pathTo(node) {
  const path = [];
  for (let n = node; n >= 0; n = data.parent[n]) path.push(n);
  return path.reverse();
}

// ------------------------------------------------------------------ what is drawn

const unfolded = new Int32Array(count);  // how many children each node shows; 0 is folded
let selected = -1, matches = [], matched = new Set(), at = -1;
let spot = new Map(), scale = 1, left = 0, top = 0;

const onPath = new Set(data.answer >= 0 ? pathTo(data.answer) : []);

function showsOf(node, pinned) {
  const all = children[node];
  if (unfolded[node] >= all.length) return all;
  if (!unfolded[node]) return [];
  if (!ranked.has(node)) ranked.set(node, [...all].sort(byVisits));
  const shown = ranked.get(node).slice(0, unfolded[node]);
  for (const child of pinned) if (data.parent[child] === node && !shown.includes(child)) shown.push(child);
  return shown.sort((a, b) => a - b);
}

function unfold(node) {
  unfolded[node] = Math.max(unfolded[node], Math.min(FIRST, children[node].length));
}

function unfoldBelow(root, budget) {
  let open = [root];
  while (open.length && budget > 0) {
    open.sort(byVisits);
    const node = open.shift();
    unfold(node);
    const shown = showsOf(node, []);
    budget -= shown.length;
    open = open.concat(shown.filter(child => children[child].length));
  }
}

function layout() {
  const pinned = selected >= 0 ? pathTo(selected).slice(1) : [];
  const drawn = new Map([[0, []]]);
  const queue = [0];
  let room = DRAWN - 1, refused = 0;
  const path = new Set(pinned);
  for (let i = 0; i < queue.length; i++) {
    for (const child of showsOf(queue[i], children[queue[i]].length > FIRST ? pinned : [])) {
      if (room <= 0 && !path.has(child)) { refused++; continue; }
      room--;
      drawn.get(queue[i]).push(child);
      drawn.set(child, []);
      queue.push(child);
    }
  }
  const order = [], stack = [0], rests = new Map();
  spot = new Map();
  let row = 0, family = -1;
  while (stack.length) {
    const node = stack.pop();
    if (node < 0) { rests.get(-node - 1).y = row++ * BOX.down; continue; }
    if (row && data.parent[node] !== family && !drawn.get(node).length) row += 0.2;  // a gap between families
    order.push(node);
    const shown = drawn.get(node), rest = children[node].length - shown.length;
    spot.set(node, {x: data.depth[node] * BOX.across, y: 0});
    if (unfolded[node] && rest) { rests.set(node, {rest, y: 0}); stack.push(-node - 1); }
    if (!shown.length && !rests.has(node)) { spot.get(node).y = row++ * BOX.down; family = data.parent[node]; }
    for (let i = shown.length - 1; i >= 0; i--) stack.push(shown[i]);
  }
  for (const node of order.reverse()) {
    const ys = drawn.get(node).map(child => spot.get(child).y);
    if (rests.has(node)) ys.push(rests.get(node).y);
    if (ys.length) spot.get(node).y = (ys[0] + ys[ys.length - 1]) / 2;
  }
  return {order: order.reverse(), drawn, rests, refused};
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

// Control characters as their pictures, so that nothing in a text is invisible.
const visible = text => text.replace(/[\u0000-\u0008\u000b-\u001f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt(0)))
  .replace(/[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "\ufffd").replace(/\p{Surrogate}/gu, "\ufffd");
const short = x => x === null ? "–" : String(Number(x.toPrecision(3)));
const grouped = n => n.toLocaleString("en");

function facts(n) {
  const words = [`${n ? "" : "prompt · "}${short(data.mean[n])} (${grouped(data.visits[n])})`];
  if (data.score[n] !== null && data.score[n] !== data.mean[n]) words.push(`score ${short(data.score[n])}`);
  if (data.terminal[n]) words.push("end"); else if (data.closed[n]) words.push("closed");
  if (data.in_flight[n]) words.push(`${data.in_flight[n]} in flight`);
  if (data.failures[n]) words.push(`${data.failures[n]} failed`);
  return words.join(" · ");
}

function words(n, most) {
  const text = data.text[n].slice(0, most);
  return text.trim() ? visible(text) : n ? "(empty)" : "(root)";
}

function box(n) {
  const element = make("div", "node", "");
  const {x, y} = spot.get(n);
  element.style.left = `${x}px`;
  element.style.top = `${y}px`;
  element.id = `node-${n}`;
  element.dataset.node = n;
  const flags = {end: data.terminal[n], waiting: data.in_flight[n], failed: data.failures[n],
                 match: matched.has(n), selected: n === selected, answer: onPath.has(n)};
  for (const [name, on] of Object.entries(flags)) element.classList.toggle(name, Boolean(on));
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-level", data.depth[n] + 1);
  element.setAttribute("aria-selected", n === selected);
  if (children[n].length) element.setAttribute("aria-expanded", unfolded[n] > 0);
  const stripe = make("span", "stripe", "");
  stripe.style.background = colour(n);
  const below = make("div", "facts", facts(n));
  if (n === data.answer) below.prepend(make("span", "star", "★ answer "));
  element.append(stripe, make("div", data.text[n].trim() ? "words" : "words empty", words(n, 120).replace(/\s+/g, " ")), below);
  return element;
}

function knob(node, label, hint, x, y, act) {
  const button = make("button", "knob", label);
  button.type = "button";
  button.tabIndex = -1;
  button.title = hint;
  button.dataset[act] = node;
  button.style.left = `${x}px`;
  button.style.top = `${y}px`;
  return button;
}

function draw() {
  const {order, drawn, rests, refused} = layout();
  const parts = [], lines = [], marked = [];
  for (const n of order) {
    const {x, y} = spot.get(n);
    parts.push(box(n));
    const from = {x: x + BOX.width, y: y + BOX.height / 2}, ends = drawn.get(n).map(child => ({...spot.get(child), marked: onPath.has(child)}));
    if (children[n].length) {
      const label = unfolded[n] ? "▾" : `▸ ${grouped(below[n])}`;
      parts.push(knob(n, label, unfolded[n] ? "Fold" : `Unfold: ${grouped(below[n])} nodes below`,
                      from.x + 3, from.y - 10, "toggle"));
    }
    if (rests.has(n)) {
      const rest = rests.get(n);
      parts.push(knob(n, `+ ${grouped(rest.rest)} more`, "Show more children", x + BOX.across, rest.y + 11, "more"));
      ends.push({x: x + BOX.across, y: rest.y});
    }
    for (const end of ends) {
      const y2 = end.y + BOX.height / 2, middle = (from.x + end.x) / 2 + 12;
      (end.marked ? marked : lines).push(`M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${y2} ${end.x} ${y2}`);
    }
  }
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", lines.join(""));
  const answers = path.cloneNode();
  answers.setAttribute("d", marked.join(""));
  answers.setAttribute("class", "answer");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path, answers);
  world.replaceChildren(svg, ...parts);
  if (selected >= 0) view.setAttribute("aria-activedescendant", `node-${selected}`);
  else view.removeAttribute("aria-activedescendant");
  const said = [`${grouped(order.length)} of ${grouped(count)} nodes drawn`];
  if (refused) said.push(`${grouped(refused)} more are unfolded: the limit is ${grouped(DRAWN)}, fold some`);
  if (data.total > count) said.push(`the file has the ${grouped(count)} most visited of ${grouped(data.total)}`);
  byId("status").textContent = said.join(" · ");
}

// ------------------------------------------------------------------ colour

let by = "value";
const extent = {value: [Infinity, -Infinity], visits: [0, 0]};
for (let n = 0; n < count; n++) {
  const v = value(n);
  if (v !== null) extent.value = [Math.min(extent.value[0], v), Math.max(extent.value[1], v)];
  extent.visits[1] = Math.max(extent.visits[1], data.visits[n]);
}

function colour(n) {
  if (by === "visits") {
    const share = Math.log1p(data.visits[n]) / Math.log1p(Math.max(1, extent.visits[1]));
    return `color-mix(in srgb, var(--high) ${100 * share}%, var(--card))`;
  }
  const v = value(n), [low, high] = extent.value;
  if (v === null) return "var(--card)";
  const t = high > low ? (v - low) / (high - low) : 0.5;
  return t < 0.5 ? `color-mix(in srgb, var(--middle) ${200 * t}%, var(--low))`
                 : `color-mix(in srgb, var(--high) ${200 * t - 100}%, var(--middle))`;
}

function legend() {
  const [low, high] = extent[by];
  byId("scale").className = by;
  const words = by === "visits" ? grouped : short;
  byId("low").textContent = low <= high ? words(low) : "";
  byId("high").textContent = low <= high ? words(high) : "";
  const signs = [["scale " + by, by === "visits" ? "few to many visits" : "low to high value: mean (visits)"]];
  if (data.answer >= 0) signs.push(["answer", "on the way to the answer"]);
  const any = column => column.some(Boolean);
  if (any(data.terminal)) signs.push(["end", "an episode ends here"]);
  if (any(data.in_flight)) signs.push(["waiting", "in flight"]);
  if (any(data.failures)) signs.push(["failed", "an expansion failed"]);
  byId("legend").replaceChildren(...signs.map(([kind, words]) => {
    const item = document.createElement("li");
    item.append(make("span", `sign ${kind}`, kind === "failed" ? "1 f." : ""), make("span", "", words));
    return item;
  }));
}

function judged(n) {
  const parts = [];
  if (data.score[n] !== null) parts.push(`score ${short(data.score[n])}`);
  if (data.visits[n]) parts.push(`mean ${short(data.mean[n])} of ${grouped(data.visits[n])} ${data.visits[n] === 1 ? "visit" : "visits"}`);
  if (n === data.answer) parts.push(data.terminal[n] ? "the answer that was chosen" : "the answer that was chosen, or where its rollout began"); else if (onPath.has(n)) parts.push("on the way to the answer");
  if (data.terminal[n]) parts.push("an end");
  return parts.join(", ") || "none";
}

// ------------------------------------------------------------------ pan and zoom

let fitted = 0;  // what `fit` was called with; 0 as soon as the view was moved

function place(least = 0) {
  fitted = least;
  world.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
}

function zoom(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const next = Math.min(3, Math.max(0.04, scale * factor));
  left = x - (x - left) * next / scale;
  top = y - (y - top) * next / scale;
  scale = next;
  place();
}

function fit(least) {
  const all = [...spot.values()];
  const width = Math.max(...all.map(s => s.x)) + BOX.across, height = Math.max(...all.map(s => s.y)) + BOX.down;
  const room = {x: view.clientWidth - 40, y: view.clientHeight - 70};
  scale = Math.min(1.15, Math.max(least, Math.min(room.x / width, room.y / height)));
  const root = spot.get(0);
  left = Math.max(20, (view.clientWidth - width * scale) / 2);
  top = height * scale <= room.y ? 20 + (room.y - height * scale) / 2
                                 : view.clientHeight / 2 - (root.y + BOX.height / 2) * scale;
  if (least < 0.1 && height * scale > room.y) top = 20;
  place(least);
}

function bringIn(node) {
  const {x, y} = spot.get(node), screen = {x: left + x * scale, y: top + y * scale};
  if (scale < 0.45) zoom(0.8 / scale, screen.x, screen.y);
  const inside = screen.x > 10 && screen.x + BOX.width * scale < view.clientWidth - 10
    && screen.y > 10 && screen.y + BOX.height * scale < view.clientHeight - 40;
  if (!inside) {
    left = view.clientWidth / 2 - (x + BOX.width / 2) * scale;
    top = view.clientHeight / 2 - (y + BOX.height / 2) * scale;
  }
  place();
}

function redrawAround(node) {
  const before = spot.get(node);
  draw();
  const after = spot.get(node);
  if (before && after) {
    left += (before.x - after.x) * scale;
    top += (before.y - after.y) * scale;
    place();
  }
}

// ------------------------------------------------------------------ select, fold, search

function select(node, remember = true) {
  const path = pathTo(node);
  const wasDrawn = spot.has(node);
  selected = node;
  for (const n of path.slice(0, -1)) unfold(n);
  byId("panel").hidden = false;
  if (wasDrawn) redrawAround(node); else draw();
  describe(node, path);
  bringIn(node);
  if (remember) try { history.replaceState(null, "", `#${data.id[node]}`); } catch { /* a frame without an address */ }
}

function unselect() {
  selected = -1;
  byId("panel").hidden = true;
  draw();
  view.focus();
}

function toggle(node) {
  if (!children[node].length) return;
  if (unfolded[node]) {
    unfolded[node] = 0;
    if (selected >= 0 && selected !== node && pathTo(selected).includes(node)) return select(node);
  } else unfold(node);
  redrawAround(node);
}

function describe(n, path) {
  byId("name").textContent = `Node ${data.id[n]}`;
  byId("prompt").textContent = data.text[0].trim() ? visible(data.text[0]) : "(not known)";
  byId("own").hidden = !n;
  byId("text").textContent = visible(data.text[n]);
  byId("verdict").textContent = judged(n);
  byId("said").hidden = !data.feedback[n];
  byId("said").textContent = visible(data.feedback[n] ?? "");
  const rows = {
    mean: short(data.mean[n]), visits: grouped(data.visits[n]), best: short(data.best[n]), score: short(data.score[n]),
    prior: short(data.prior[n]), tokens: grouped(data.tokens[n]), depth: data.depth[n],
    children: grouped(children[n].length), "nodes below": grouped(below[n]), "in flight": data.in_flight[n],
    failures: data.failures[n], state: data.terminal[n] ? "end" : data.closed[n] ? "closed"
      : data.expanded[n] ? "expanded" : "open",
  };
  byId("numbers").replaceChildren(...Object.entries(rows).flatMap(([k, v]) => [make("dt", "", k), make("dd", "", String(v))]));
  const listed = path.length > PATH ? [path[0], ...path.slice(1 - PATH)] : path;
  const items = listed.map(step => {
    const item = document.createElement("li"), button = make("button", step === n ? "selected" : "", words(step, LISTED));
    if (data.text[step].length > LISTED) button.textContent += "…";
    button.type = "button";
    button.dataset.node = step;
    item.append(button);
    return item;
  });
  if (listed.length < path.length) items.splice(1, 0, make("li", "", `… ${grouped(path.length - listed.length)} steps …`));
  byId("path").replaceChildren(...items);
}

const FILTERS = {
  any: () => true, ends: n => data.terminal[n], failed: n => data.failures[n], flight: n => data.in_flight[n],
  open: n => !data.expanded[n] && !data.terminal[n],
};

function search() {
  const query = byId("search").value.trim().toLowerCase(), kind = byId("filter").value;
  matches = [];
  if (/^#\d+$/.test(query)) {
    const place = data.id.indexOf(Number(query.slice(1)));
    if (place >= 0) matches = [place];
  } else if (query || kind !== "any") {
    for (let n = 0; n < count; n++) if (FILTERS[kind](n) && data.text[n].toLowerCase().includes(query)) matches.push(n);
    matches.sort((a, b) => (value(b) ?? -Infinity) - (value(a) ?? -Infinity) || a - b);
  }
  matched = new Set(matches);
  at = -1;
  found();
  draw();
}

function found() {
  const asked = byId("search").value.trim() || byId("filter").value !== "any";
  byId("found").textContent = !asked ? "" : !matches.length ? "no match"
    : `${at >= 0 ? `${grouped(at + 1)} of ` : ""}${grouped(matches.length)}${at < 0 ? " found" : ""}`;
  byId("previous").disabled = byId("next").disabled = !matches.length;
}

function go(step) {
  if (!matches.length) return;
  at = at < 0 && step < 0 ? matches.length - 1 : (at + step + matches.length) % matches.length;
  select(matches[at]);
  found();
}

function neighbour(step) {
  const column = [...spot.keys()].filter(n => data.depth[n] === data.depth[selected]);
  column.sort((a, b) => spot.get(a).y - spot.get(b).y);
  return column[column.indexOf(selected) + step] ?? selected;
}

// ------------------------------------------------------------------ events

let press = null, dragged = false, waiting = 0;
view.addEventListener("pointerdown", event => {
  dragged = false;
  if (event.button === 0) press = {x: event.clientX, y: event.clientY, left, top};
});
view.addEventListener("pointermove", event => {
  if (!press) return;
  const dx = event.clientX - press.x, dy = event.clientY - press.y;
  if (!dragged && Math.hypot(dx, dy) < 5) return;
  if (!dragged) view.setPointerCapture(event.pointerId);
  dragged = true;
  view.classList.add("moving");
  left = press.left + dx;
  top = press.top + dy;
  place();
});
for (const kind of ["pointerup", "pointercancel"]) view.addEventListener(kind, () => {
  press = null;
  view.classList.remove("moving");
});
view.addEventListener("click", event => {
  if (dragged) return;
  const target = event.target.closest("[data-toggle], [data-more], [data-node]");
  if (!target) return;
  const {toggle: fold, more, node} = target.dataset;
  if (fold !== undefined) return toggle(Number(fold));
  if (more !== undefined) {
    unfolded[more] = Math.min(children[more].length, unfolded[more] + MORE);
    return redrawAround(Number(more));
  }
  select(Number(node));
});
view.addEventListener("dblclick", event => {
  const target = event.target.closest("[data-node]");
  if (target) toggle(Number(target.dataset.node));
});
view.addEventListener("wheel", event => {
  if (window !== window.parent && !document.hasFocus()) return;  // in a notebook: scroll it, until clicked
  event.preventDefault();
  const bounds = view.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - bounds.left, event.clientY - bounds.top);
}, {passive: false});

const KEYS = {
  ArrowLeft: () => select(Math.max(0, data.parent[selected])),
  ArrowRight: () => {
    if (!unfolded[selected]) toggle(selected);
    const child = children[selected].find(c => spot.has(c));
    if (child !== undefined) select(child);
  },
  ArrowUp: () => select(neighbour(-1)),
  ArrowDown: () => select(neighbour(1)),
  Enter: () => toggle(selected),
  " ": () => toggle(selected),
  Home: () => select(0),
};
view.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const zooms = {"+": 1.25, "=": 1.25, "-": 0.8};
  if (event.key in zooms) zoom(zooms[event.key]);
  else if (event.key === "0") fit(0.04);
  else if (event.key in KEYS) selected < 0 ? select(0) : KEYS[event.key]();
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && selected >= 0) unselect();
  if (event.key === "/" && !/INPUT|SELECT/.test(event.target.tagName)) {
    event.preventDefault();
    byId("search").focus();
  }
});

byId("search").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, 150);
});
byId("search").addEventListener("keydown", event => {
  if (event.key !== "Enter") return;
  clearTimeout(waiting);
  if (at < 0) search();
  go(event.shiftKey ? -1 : 1);
});
byId("filter").addEventListener("change", search);
byId("previous").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("colour").addEventListener("change", event => {
  by = event.target.value;
  legend();
  draw();
});
byId("fold").addEventListener("click", () => {
  const root = Math.max(0, selected), stack = [root];
  while (stack.length) {
    const node = stack.pop();
    unfolded[node] = 0;
    stack.push(...children[node].filter(child => unfolded[child]));
  }
  redrawAround(root);
});
byId("unfold").addEventListener("click", () => {
  unfoldBelow(Math.max(0, selected), spot.size + OPENED);
  redrawAround(Math.max(0, selected));
});
byId("in").addEventListener("click", () => zoom(1.25));
byId("out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", () => fit(0.04));
byId("close").addEventListener("click", unselect);
byId("path").addEventListener("click", event => {
  const target = event.target.closest("[data-node]");
  if (target) select(Number(target.dataset.node));
});

function fromAddress() {
  const place = /^#\d+$/.test(location.hash) ? data.id.indexOf(Number(location.hash.slice(1))) : -1;
  if (place >= 0) select(place, false);
}
window.addEventListener("hashchange", fromAddress);

unfoldBelow(0, OPENED);
legend();
found();
draw();
fit(0.75);
fromAddress();
new ResizeObserver(() => fitted && fit(fitted)).observe(view);  // a notebook's frame may get its size later
})();
