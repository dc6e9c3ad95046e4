"use strict";
// What a model wrote is set as text, never as markup. All of it comes by events; see told.py.
const get = id => document.getElementById(id);
const SIGNS = {open: "●", ok: "✓", error: "✕", cancelled: "–"};
const COSTS = {generations: "samples", verifications: "verifications", model_calls: "model calls", generated_tokens: "tokens written",
  prompt_tokens: "tokens read", total_tokens: "tokens in all", usd: "money, $", seconds: "seconds"};
const INDENT = 14, DEEPEST = 12;
let spans = [], byPlace = new Map(), opened = new Set(), over = false;

const make = (tag, name, text) => {
  const element = document.createElement(tag);
  element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};
const number = (value, digits = 4) => value === null ? "–" : Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(digits));
const counted = (amount, word) => `${number(amount)} ${word}${amount === 1 ? "" : "s"}`;

function line(key, depth, parts) {
  const row = make("button", "row");
  row.type = "button";
  row.setAttribute("role", "treeitem");
  row.setAttribute("aria-level", depth + 1);
  row.setAttribute("aria-expanded", opened.has(key));
  row.style.paddingLeft = `${4 + INDENT * Math.min(depth, DEEPEST)}px`;
  row.append(...parts);
  row.addEventListener("click", () => {
    if (!opened.delete(key)) opened.add(key);
    row.setAttribute("aria-expanded", opened.has(key));
  });
  return row;
}

function compare(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function place(at) { // where a span stands, or is to stand, in program order
  let low = 0, high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(spans[middle].at, at) < 0) low = middle + 1; else high = middle;
  }
  return low;
}

function showSpan([at, name, kind, status, text, error, tokens, usd, replayed]) {
  const key = at.join("."), known = byPlace.get(key);
  const span = known && !name ? {...known, status} : {at, name, kind, status, text, error, tokens, usd, replayed};
  const facts = [span.tokens ? counted(span.tokens, "token") : "", span.usd ? `$${number(span.usd)}` : "", span.replayed ? "replayed" : ""];
  const words = span.error || span.text;
  const row = line(`t${key}`, at.length - 1, [make("span", "sign", SIGNS[span.status]), make("span", "name", span.name),
    make("span", "words", words), make("span", "facts", facts.filter(Boolean).join(", "))]);
  row.classList.add(span.status);
  row.title = `${span.kind}, ${span.status}`;
  span.row = row;
  byPlace.set(key, span);
  if (known) {
    spans[place(at)] = span;
    known.row.replaceWith(row);
  } else {
    const index = place(at);
    get("trace").insertBefore(row, index < spans.length ? spans[index].row : null);
    spans.splice(index, 0, span);
  }
}

function showTree(tree) {
  const below = tree.id.map(() => []), values = tree.mean.filter(value => value !== null);
  tree.parent.forEach((parent, i) => { if (parent >= 0) below[parent].push(i); });
  const least = Math.min(...values), span = Math.max(...values) - least || 1;
  const rows = [], stack = [0];
  while (stack.length) {
    const i = stack.pop(), value = tree.mean[i];
    stack.push(...below[i].reverse());
    const bar = make("span", "bar"), fill = make("i", "");
    fill.style.width = value === null ? "0" : `${Math.round(100 * (0.05 + 0.95 * (value - least) / span))}%`;
    bar.append(fill);
    const facts = `${value === null ? "–" : number(value, 3)}, ${counted(tree.visits[i], "visit")}`;
    rows.push(line(`n${tree.id[i]}`, tree.depth[i], [make("span", "sign", tree.terminal[i] ? "◆" : "○"), bar,
      make("span", "words", tree.text[i] || (i ? "(empty)" : "(root)")), make("span", "facts", facts)]));
  }
  get("trees").hidden = false;
  get("tree").replaceChildren(...rows);
  get("nodes").textContent = tree.total > tree.id.length ? `the ${number(tree.id.length)} most visited of ${number(tree.total)} nodes` : counted(tree.total, "node");
}

function showCost(costs) {
  get("cost").replaceChildren(...costs.map(([name, spent, ceiling]) => {
    const row = document.createElement("tr"), label = document.createElement("td");
    label.textContent = COSTS[name] || name;
    const amount = make("td", "", ceiling === null ? number(spent) : `${number(spent)} of ${number(ceiling)}`);
    if (ceiling) {
      const bar = document.createElement("progress");
      bar.max = ceiling;
      bar.value = Math.min(spent, ceiling);
      bar.setAttribute("aria-label", `${label.textContent}: ${amount.textContent}`);
      label.append(bar);
    }
    row.append(label, amount);
    return row;
  }));
}

function show(news) {
  if (news.fresh) {
    [spans, byPlace] = [[], new Map()];
    get("trace").replaceChildren();
  }
  if ("title" in news) {
    document.title = get("title").textContent = get("title").title = news.title;
    get("prompt").textContent = news.prompt;
    get("strategy").textContent = news.strategy;
  }
  (news.spans || []).forEach(showSpan);
  if (news.tree) showTree(news.tree);
  showCost(news.cost);
  get("spans").textContent = counted(spans.length, "span") + (news.more ? `, and ${number(news.more)} more` : "");
  get("seconds").textContent = `${news.seconds.toFixed(1)} s`;
  get("best").textContent = news.best ? news.best.text : "nothing yet";
  get("score").textContent = news.best && news.best.score !== null ? `score ${number(news.best.score)}` : "";
  over = "stopped" in news;
  get("state").textContent = over ? news.stopped : "running";
  get("state").className = over ? (news.stopped === "error" || news.stopped === "cancelled" ? "bad" : "done") : "";
  get("error").hidden = !news.error;
  get("error").textContent = news.error || "";
}

const source = new EventSource(`${location.pathname.replace(/\/$/, "")}/events`);
source.onmessage = message => {
  show(JSON.parse(message.data));
  if (over) source.close();
};
source.onerror = () => {
  if (over) return;
  get("state").textContent = source.readyState === EventSource.CLOSED ? "not to be had" : "connection lost, trying again";
  get("state").className = "bad";
};
