"use strict";
(() => {
const PAGE = 100;      // problems that the list shows at first, and adds
const FOUND = 600;     // characters of an answer that the search looks at
const SERIES = 7;      // colours; then they come again with other markers and dashes

const data = JSON.parse(document.getElementById("data").textContent);
const {cells, rows, problems, traces = {}} = data;

// ------------------------------------------------------------------ what was run

// A description from the manifest, as it would be written in Python.
function described(value) {
  if (typeof value === "string") return /^[\w.@:/-]+$/.test(value) ? value : JSON.stringify(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(described).join(", ")}]`;
  const told = Object.entries(value).filter(([name, v]) => name !== "type" && v !== null && v !== "" && !(Array.isArray(v) && !v.length));
  const inside = told.map(([name, v]) => `${name}=${described(v)}`).join(", ");
  return "type" in value ? `${String(value.type).split(".").pop()}(${inside})` : `{${inside}}`;
}

function head() {
  const {problems: asked, strategies, budgets, seeds, model, truth} = data.configuration, parts = [];
  const add = (name, ...values) => parts.push(make("dt", "", name), make("dd", "", "", ...values.map(v => make("div", "", v.slice(0, 2000)))));
  add("Problems", `${grouped(asked.count)} (digest ${asked.digest})`);
  add("Model", model === null ? "each strategy has its own" : described(model));
  add("Strategies", ...Object.entries(strategies).map(([name, s]) => `${name}: ${described(s)}`));
  add("Budgets", budgets.join("; "));
  add("Seeds", seeds.join(", "));
  add("Truth", described(truth));
  for (const {python, packages, hardware} of data.environments) {
    add("Versions", [`Python ${python}`, ...Object.entries(packages).map(([name, v]) => `${name} ${v}`)].join(", "));
    add("Hardware", `${hardware.cpus} CPUs, ${hardware.memory_gb ?? "?"} GB memory, ${hardware.platform}`);
  }
  byId("head").replaceChildren(...parts);
  const combinations = `${counted(Object.keys(strategies).length, "strategy").replace("strategys", "strategies")} × `
    + `${counted(budgets.length, "budget")} × ${counted(seeds.length, "seed")} × ${counted(asked.count, "problem")}`;
  byId("diagnosis").hidden = !data.diagnosis;
  byId("diagnosis").textContent = visible(data.diagnosis);
  byId("state").append(data.complete ? `Complete: ${combinations}` : make("span", "warn",
    `Not finished: ${grouped(data.searches)} of ${counted(data.expected, "search")}, `
    + `of ${combinations}. Lines may be about different problems.`));
}

// ------------------------------------------------------------------ the table

const bounded = cells.some(c => c.unknown);
const percent = share => (100 * share).toFixed(1);

const COLUMNS = [
  ["#", c => c.number, c => String(c.number)],
  ["strategy", c => c.strategy, c => c.strategy, "left"],
  ["budget", c => c.number, c => c.budget, "left"],
  ["accuracy (%)", c => c.accuracy, c => c.shown],
  ...(bounded ? [["at most (%)", c => c.at_most, c => percent(c.at_most)],
                 ["of known (%)", c => c.of_known ?? -1, c => c.of_known === null ? "–" : percent(c.of_known)]] : []),
  ["searches", c => c.searches, c => grouped(c.searches)],
  ["failed", c => c.failed, c => grouped(c.failed)],
  ["unknown", c => c.unknown, c => grouped(c.unknown)],
  ["tokens", c => c.tokens, c => grouped(c.tokens)],
  ["sequential", c => c.sequential, c => grouped(c.sequential)],
  ["calls", c => c.calls, c => grouped(c.calls, 1)],
  ...(cells.some(c => c.usd) ? [["usd", c => c.usd, c => short(c.usd)]] : []),
  ["seconds", c => c.seconds ?? -1, c => c.seconds === null ? "–" : short(c.seconds)],
];
cells.forEach((cell, i) => { cell.number = i + 1; });
let sortedBy = 0, descending = false;

function table() {
  const titles = COLUMNS.map(([title, , , side], i) => {
    const cell = make("th", side, "", button(title, () => {
      descending = i === sortedBy ? !descending : i > 2;
      sortedBy = i;
      table();
      byId("table").querySelectorAll("th button")[i].focus();
    }));
    if (i === sortedBy) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    return cell;
  });
  const key = COLUMNS[sortedBy][1], sign = descending ? -1 : 1;
  const order = [...cells].sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) || a.number - b.number);
  const lines = order.map(cell => make("tr", "", "", ...COLUMNS.map(([, , words, side]) => {
    const td = make("td", side, words(cell));
    if (side) td.title = visible(words(cell));
    return td;
  })));
  byId("table").replaceChildren(make("thead", "", "", make("tr", "", "", ...titles)), make("tbody", "", "", ...lines));
}

// ------------------------------------------------------------------ the curves

const names = [...new Set(cells.map(c => c.strategy))];
const colour = i => `var(--c${i % SERIES})`;
const dash = i => ["", "7 4", "2 3", "9 3 2 3"][(i + Math.floor(i / SERIES)) % 4];

function marker(i, x, y, r = 4.5) {
  const at = {stroke: colour(i), fill: "var(--card)", "stroke-width": 2};
  const shapes = [
    () => draw("circle", {cx: x, cy: y, r, ...at}),
    () => draw("rect", {x: x - r, y: y - r, width: 2 * r, height: 2 * r, ...at}),
    () => draw("path", {d: `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`, ...at}),
    () => draw("path", {d: `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.1 * r}h${-2.4 * r}z`, ...at}),
    () => draw("path", {d: `M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.1 * r}h${-2.4 * r}z`, ...at}),
  ];
  return shapes[i % shapes.length]();
}

function tick(value) {
  for (const [size, unit] of [[2 ** 20, "M"], [2 ** 10, "k"]]) if (value >= size) return `${short(value / size)}${unit}`;
  return short(value);
}

function plot() {
  const against = byId("against").value, W = 760, H = 380, box = {left: 58, right: 742, top: 14, bottom: 330};
  const points = cells.filter(c => c[against] > 0);
  if (!points.length) return byId("plot").replaceChildren(make("p", "note", "Nothing was counted that this could be drawn against."));
  const logs = points.map(c => Math.log2(c[against]));
  let low = Math.min(...logs), high = Math.max(...logs);
  const pad = Math.max(0.25, 0.04 * (high - low));
  low -= pad; high += pad;
  const x = c => box.left + (Math.log2(c[against]) - low) / (high - low) * (box.right - box.left);
  const y = share => box.bottom - share * (box.bottom - box.top);
  const parts = [], step = Math.max(1, Math.ceil((high - low) / 8));
  for (let percents = 0; percents <= 100; percents += 20) {
    parts.push(draw("line", {x1: box.left, x2: box.right, y1: y(percents / 100), y2: y(percents / 100), class: "grid"}),
               draw("text", {x: box.left - 8, y: y(percents / 100) + 4, "text-anchor": "end"}, String(percents)));
  }
  for (let power = Math.ceil(low); power <= high; power += step) {
    const at = box.left + (power - low) / (high - low) * (box.right - box.left);
    parts.push(draw("line", {x1: at, x2: at, y1: box.top, y2: box.bottom, class: "grid"}),
               draw("text", {x: at, y: box.bottom + 20, "text-anchor": "middle"}, tick(2 ** power)));
  }
  const unit = byId("against").selectedOptions[0].textContent;
  parts.push(draw("text", {x: (box.left + box.right) / 2, y: box.bottom + 44, "text-anchor": "middle"}, `${unit}, mean, log scale${bounded ? "; dotted: unknown counts as right" : ""}`),
             draw("text", {x: 0, y: 0, transform: `translate(14 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"},
                  `accuracy (%), ${100 * data.level} % intervals`));
  const bands = [], curves = [];
  names.forEach((name, i) => {
    const own = points.filter(c => c.strategy === name).sort((a, b) => a[against] - b[against]);
    const bounded = own.filter(c => c.low !== null);
    const edge = (all, side) => all.map(c => `${x(c)} ${y(c[side])}`).join("L");
    if (bounded.length > 1 && x(bounded[bounded.length - 1]) - x(bounded[0]) > 1) {
      bands.push(draw("path", {d: `M${edge(bounded, "low")}L${edge([...bounded].reverse(), "high")}z`, fill: colour(i), opacity: 0.13}));
    }
    for (const c of bounded) curves.push(draw("line", {x1: x(c), x2: x(c), y1: y(c.low), y2: y(c.high), stroke: colour(i), opacity: 0.45, "stroke-width": 1.5}));
    if (own.length) curves.push(draw("path", {d: `M${edge(own, "accuracy")}`, fill: "none", stroke: colour(i), "stroke-width": 2, "stroke-dasharray": dash(i)}));
    const open = own.filter(c => c.unknown);
    for (const c of open) curves.push(draw("line", {x1: x(c), x2: x(c), y1: y(c.accuracy), y2: y(c.at_most), stroke: colour(i), "stroke-dasharray": "1 4", "stroke-width": 1.5}));
    if (open.length) curves.push(draw("path", {d: `M${edge(own, "at_most")}`, fill: "none", stroke: colour(i), "stroke-width": 1, "stroke-dasharray": "1 4"}));
    for (const c of own) {
      const dot = marker(i, x(c), y(c.accuracy));
      dot.append(draw("title", {}, visible(`${c.strategy}, ${c.budget}: ${c.shown} %${c.unknown ? `, at most ${percent(c.at_most)} %` : ""} at ${grouped(c[against], 1)}`)));
      curves.push(dot);
    }
  });
  byId("plot").replaceChildren(draw("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Accuracy against ${unit}; the table has the numbers`}, ...parts, ...bands, ...curves));
  byId("legend").replaceChildren(...names.map((name, i) => make("li", "", "",
    draw("svg", {viewBox: "0 0 34 14", "aria-hidden": true},
         draw("path", {d: "M0 7h34", stroke: colour(i), "stroke-width": 2, "stroke-dasharray": dash(i)}), marker(i, 17, 7)),
    make("span", "", name))));
}

function differences() {
  const all = data.differences;
  byId("paired").hidden = !all.length;
  if (!all.length) return;
  byId("differences-note").textContent = visible(`To ${all[0].base}, in points, paired problem by problem. `
    + `An interval that excludes 0 is a difference at the ${Math.round(100 - 100 * data.level)} % level.`
    + (bounded ? " Unknown verdicts count as wrong; the last column says between what they leave the difference." : ""));
  const reach = Math.max(0.01, ...all.flatMap(d => [Math.abs(d.low ?? d.mean), Math.abs(d.high ?? d.mean)]));
  const at = value => 75 + 70 * value / reach;
  const lines = all.map(d => {
    const sure = d.low !== null && (d.low > 0 || d.high < 0), ink = sure ? "var(--c0)" : "var(--soft)";
    const drawing = draw("svg", {viewBox: "0 0 150 16", class: "whisker", "aria-hidden": true},
      draw("line", {x1: 75, x2: 75, y1: 0, y2: 16, stroke: "var(--soft)"}),
      draw("line", {x1: at(d.low ?? d.mean), x2: at(d.high ?? d.mean), y1: 8, y2: 8, stroke: ink, "stroke-width": 2.5}),
      draw("circle", {cx: at(d.mean), cy: 8, r: 4, fill: ink}));
    return make("tr", "", "", make("td", "left", d.strategy), make("td", "left", d.budget), make("td", "", d.shown),
                make("td", "", "", drawing), make("td", "", grouped(d.problems)),
                ...(bounded ? [make("td", "", `${percent(d.at_least)} to ${percent(d.at_most)}`)] : []));
  });
  const titles = [["strategy", "left"], ["budget", "left"], ["difference", ""], ["", ""], ["problems", ""],
                  ...(bounded ? [["left open", ""]] : [])];
  byId("deltas").replaceChildren(make("thead", "", "", make("tr", "", "", ...titles.map(([t, side]) => make("th", side, t)))), make("tbody", "", "", ...lines));
}

// ------------------------------------------------------------------ problems

const count = problems.id.length;
const searches = Array.from({length: count}, () => []);
rows.problem.forEach((problem, row) => searches[problem].push(row));

function shares(problem) {
  const found = cells.map(() => ({right: 0, of: 0, failed: 0, unknown: 0}));
  for (const row of searches[problem]) {
    const cell = found[rows.cell[row]];
    cell.of++;
    cell.right += rows.right[row];
    cell.failed += Boolean(whole(rows.error[row]));
    cell.unknown += rows.unknown[row];
  }
  return found;
}

function disagree(problem) {
  const found = shares(problem), byBudget = new Map();
  return cells.some((cell, i) => {
    if (!found[i].of) return false;
    const share = found[i].right / found[i].of, first = byBudget.get(cell.budget) ?? share;
    byBudget.set(cell.budget, first);
    return first !== share;
  });
}

const FILTERS = {
  any: () => true,
  differ: disagree,
  wrong: p => searches[p].every(row => !rows.right[row] && !rows.unknown[row]),
  right: p => searches[p].every(row => rows.right[row]),
  unknown: p => searches[p].some(row => rows.unknown[row]),
  failed: p => searches[p].some(row => whole(rows.error[row])),
  traced: p => searches[p].some(row => row in traces),
};

function marks(problem) {
  return shares(problem).map((share, i) => {
    const kind = !share.of ? "" : share.right === share.of ? "all" : share.right ? "some"
      : share.unknown ? "unknown" : share.failed === share.of ? "failed" : "none";
    const mark = make("span", `mark ${kind}`, {all: "✓", some: "◐", none: "✗", unknown: "?", failed: "!", "": "·"}[kind]);
    if (i && cells[i].strategy !== cells[i - 1].strategy) mark.classList.add("next");
    mark.title = visible(`${cells[i].strategy}, ${cells[i].budget}: ${share.right} of ${share.of} right${share.unknown ? `, ${share.unknown} unknown` : ""}${share.failed ? `, ${share.failed} failed` : ""}`);
    return mark;
  });
}

let matches = [], listed = 0, waiting = 0;

function match() {
  const query = byId("search").value.trim().toLowerCase(), fits = FILTERS[byId("filter").value];
  const says = text => whole(text).slice(0, FOUND).toLowerCase().includes(query);
  matches = [];
  for (let p = 0; p < count; p++) {
    if (!fits(p)) continue;
    if (!query || says(problems.id[p]) || whole(problems.prompt[p]).toLowerCase().includes(query)
        || says(problems.reference[p]) || searches[p].some(row => says(rows.answer[row]))) matches.push(p);
  }
  listed = 0;
  byId("list").replaceChildren();
  more();
  byId("found").textContent = counted(matches.length, "problem");
}

function more(until = listed + PAGE) {
  byId("list").append(...matches.slice(listed, until).map(item));
  listed = Math.min(matches.length, Math.max(listed, until));
  const rest = matches.length - listed;
  byId("more").hidden = !rest;
  byId("more").textContent = `Show ${grouped(Math.min(PAGE, rest))} more of ${grouped(rest)}`;
}

function item(problem) {
  const id = whole(problems.id[problem]), box = make("div", "item"), head = button("", () => toggle(problem));
  head.className = "head";
  head.setAttribute("aria-expanded", "false");
  const asked = whole(problems.prompt[problem]).trim().slice(0, 160).replace(/\s+/g, " ");
  const words = make("span", "who", "", make("b", "", id.slice(0, 80)), make("span", "soft", asked === id ? "" : asked));
  head.append(words, make("span", "marks", "", ...marks(problem)));
  box.append(head);
  box.dataset.problem = problem;
  return box;
}

const boxOf = problem => byId("list").querySelector(`[data-problem="${problem}"]`);

function toggle(problem, remember = true) {
  const box = boxOf(problem), open = box.classList.toggle("open");
  box.firstChild.setAttribute("aria-expanded", open);
  if (open) box.append(inside(problem)); else box.lastChild.remove();
  if (remember) try { history.replaceState(null, "", open ? `#${encodeURIComponent(whole(problems.id[problem]))}` : "#"); } catch { /* a frame without an address */ }
}

function inside(problem) {
  const box = make("div", "inside");
  if (problems.prompt.length) {
    box.append(make("h3", "", "Prompt"), shown(problems.prompt[problem], 2000));
    if (problems.reference[problem] !== null) box.append(make("h3", "", "Reference"), shown(problems.reference[problem]));
  }
  const order = [...searches[problem]].sort((a, b) => rows.cell[a] - rows.cell[b] || a - b);
  box.append(make("h3", "", "Answers"), ...order.map(answer));
  return box;
}

function answer(row) {
  const cell = cells[rows.cell[row]], error = whole(rows.error[row]), right = rows.right[row];
  const facts = [`${grouped(rows.generated_tokens[row])} tokens`, `${grouped(rows.sequential_tokens[row])} sequential`,
                 counted(rows.model_calls[row], "call"), `stopped: ${rows.stopped[row]}`];
  if (rows.score[row] !== null) facts.unshift(`score ${short(rows.score[row])}`);
  if (rows.usd[row]) facts.push(`$${short(rows.usd[row])}`);
  if (rows.seconds[row] !== null) facts.push(`${short(rows.seconds[row])} s`);
  const unknown = rows.unknown[row], said = whole(rows.feedback[row]);
  const [kind, sign, words] = right ? ["all", "✓", "right"] : unknown ? ["unknown", "?", "unknown, counts as wrong"]
    : error ? ["failed", "!", "failed, counts as wrong"] : ["none", "✗", "wrong"];
  const mark = make("span", `mark ${kind}`, sign);
  mark.title = words;
  const line = make("div", "line", "", mark, make("b", "", cell.strategy), make("span", "", cell.budget),
                    make("span", "soft", `seed ${rows.seed[row]}`));
  const box = make("div", "answer", "", line);
  if (rows.answer[row] !== null) box.append(shown(rows.answer[row]));
  if (error) box.append(make("div", "note warn", error));
  if (said && !error) box.append(make("div", "note", `${words}: ${said}`));
  if (row in traces) line.append(button("Trace", element => {
    if (box.lastChild.classList.contains("trace")) box.lastChild.remove(); else box.append(trace(traces[row]));
    element.setAttribute("aria-expanded", box.lastChild.classList.contains("trace"));
  }));
  line.append(make("span", "facts", facts.join(" · ")));
  return box;
}

// ------------------------------------------------------------------ traces

function trace(told) {
  const box = make("div", "trace");
  if (told.error) {
    box.append(make("p", "note", `Replaying this search ended with: ${told.error}`));
    return box;
  }
  if (!told.exact) box.append(make("p", "note warn", "The replay came to something else than the search: calls that had failed or were "
    + "cancelled are not in the journal, and what depends on time is not repeated."));
  const all = told.samples_in_all > told.samples.length ? `, the first ${told.samples.length}` : "";
  const samples = make("div", "samples", "", ...told.samples.map(([text, score, finish, chosen]) => {
    const facts = [score === null ? "no score" : `score ${short(score)}`, ...(finish === "stop" ? [] : [finish]), ...(chosen ? ["chosen"] : [])];
    return make("div", chosen ? "sample chosen" : "sample", "", make("span", "soft", facts.join(", ")), shown(text));
  }));
  samples.tabIndex = 0;
  box.append(make("h3", "", `Candidates: ${grouped(told.samples_in_all)}${all}`), samples);
  const cut = told.steps_in_all > told.steps.length ? `, the first ${told.steps.length}` : "";
  const steps = make("div", "steps", "", ...told.steps.map(([depth, name, status, tokens, words]) => {
    const line = `${"  ".repeat(Math.min(depth, 30))}${name}${tokens ? ` ${grouped(tokens)} tok` : ""}${status === "error" ? " error" : ""}  `;
    const step = make("div", status === "error" ? "step error" : "step", line.replace(/ /g, "\u00a0") + whole(words).trim().replace(/\s*\n\s*/g, " | "));
    step.title = visible(whole(words));
    return step;
  }));
  steps.tabIndex = 0;
  box.append(make("h3", "", `Steps: ${grouped(told.steps_in_all)}${cut}`), steps);
  if (told.tree) box.append(make("h3", "", `Search tree: ${counted(told.tree.total, "node")}`), tree(told.tree));
  return box;
}

// The page of `views.html`, with an origin of its own.
function tree(columns) {
  const frame = document.createElement("iframe");
  const safe = JSON.stringify(columns).replace(/[<>&\u2028\u2029]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  frame.setAttribute("sandbox", "allow-scripts");
  frame.title = "Search tree";
  frame.srcdoc = data.frame.before + safe + data.frame.after;
  return frame;
}

// ------------------------------------------------------------------ every sample, and verdicts that were given again

const kindOf = row => rows.right[row] ? "right" : rows.unknown[row] ? "unknown" : whole(rows.error[row]) ? "failed" : "wrong";
const idOf = row => whole(problems.id[rows.problem[row]]);

// rowOf: the search that line i is about. more: columns behind the verdict.
function sampleTable(box, count, rowOf, more, filters, open) {
  const cell = i => cells[rows.cell[rowOf(i)]], distinct = field => [...new Set(cells.map(c => c[field]))];
  const choose = field => ({label: `Which ${field} to show`, options: Object.fromEntries([[field === "strategy" ? "all strategies" : "all budgets", () => true],
    ...distinct(field).map(name => [visible(name), i => cell(i)[field] === name])])});
  samples(box, {
    count,
    columns: [
      {title: "problem", of: i => rows.problem[rowOf(i)], words: i => idOf(rowOf(i)), left: true},
      {title: "strategy", of: i => cell(i).strategy, words: i => cell(i).strategy, left: true},
      {title: "budget", of: i => cell(i).number, words: i => cell(i).budget, left: true},
      ...(data.configuration.seeds.length > 1 ? [{title: "seed", of: i => Number(rows.seed[rowOf(i)]), words: i => rows.seed[rowOf(i)]}] : []),
      {title: "verdict", of: i => kindOf(rowOf(i)), words: i => verdict(kindOf(rowOf(i))), left: true},
      ...more,
    ],
    filters: [...["strategy", "budget"].filter(field => distinct(field).length > 1).map(choose), ...filters],
    says: i => `${idOf(rowOf(i))}\n${whole(rows.answer[rowOf(i)])}\n${whole(rows.error[rowOf(i)])}`,
    open,
  });
}

const KINDS = ["right", "wrong", "unknown", "failed"];
const score = value => value === null ? "–" : short(value);
const text = (title, of) => ({title, of, words: i => of(i).slice(0, 120).replace(/\s+/g, " "), left: true});

function every() {
  const scored = rows.score.some(value => value !== null);
  sampleTable(byId("samples"), rows.right.length, i => i, [
    ...(scored ? [{title: "score", of: i => rows.score[i], words: i => score(rows.score[i])}] : []),
    {title: "tokens", of: i => rows.generated_tokens[i], words: i => grouped(rows.generated_tokens[i])},
    {title: "stopped", of: i => rows.stopped[i], words: i => rows.stopped[i], left: true},
    text("answer", i => whole(rows.answer[i]) || whole(rows.error[i])),
  ], [{label: "Which verdicts to show", options: Object.fromEntries([["all verdicts", () => true], ...KINDS.map(kind => [kind, i => kindOf(i) === kind])])}], answer);
}

function again() {
  const told = data.again;
  byId("judged").hidden = !told;
  if (!told) return;
  byId("again-note").textContent = visible(`${told.said} The truth is now ${described(told.truth)}. `
    + `Changes are paired, in points, with ${100 * data.level} % intervals.`);
  const head = ["strategy", "budget", "before (%)", "now (%)", "change (points)"];
  byId("again-table").replaceChildren(
    make("thead", "", "", make("tr", "", "", ...head.map((title, i) => make("th", i < 2 ? "left" : "", title)))),
    make("tbody", "", "", ...told.cells.map(c => make("tr", "", "", make("td", "left", c.strategy), make("td", "left", c.budget),
      make("td", "", c.before), make("td", "", c.now), make("td", "", c.change)))));
  if (!told.row.length) return;
  const rowOf = i => told.row[i], moved = i => kindOf(rowOf(i)) !== told.verdict[i];
  sampleTable(byId("again-samples"), told.row.length, rowOf, [
    {title: "now", of: i => told.verdict[i], words: i => verdict(told.verdict[i]), left: true},
    text("answer", i => whole(rows.answer[rowOf(i)])),
    text("why now", i => whole(told.feedback[i])),
  ], [{label: "Which differences to show", options: Object.fromEntries([["all differences", () => true], ["the verdict", moved],
    ...KINDS.map(kind => [`now ${kind}`, i => moved(i) && told.verdict[i] === kind]),
    ["the answer", i => whole(told.answer[i]) !== whole(rows.answer[rowOf(i)])]])}],
  i => {
    const box = answer(rowOf(i)), line = make("div", "line", "", make("b", "", "now"), verdict(told.verdict[i]));
    if (told.score[i] !== null) line.append(make("span", "soft", `score ${short(told.score[i])}`));
    box.append(line);
    if (whole(told.answer[i]) !== whole(rows.answer[rowOf(i)])) box.append(shown(told.answer[i]));
    if (whole(told.feedback[i])) box.append(make("div", "note", told.feedback[i]));
    return box;
  });
}

// While the sweep runs the page is written anew: load it, unless something is open, typed or chosen.
function follow() {
  if (!data.following) return;
  const busy = () => document.querySelector(".open, .below") || [...document.querySelectorAll("input")].some(input => input.value)
    || [...document.querySelectorAll("select")].some(select => select.selectedIndex > 0);
  const said = make("span", "note", "");
  byId("state").append(" ", said);
  setInterval(() => {
    if (!busy()) return location.reload();
    said.textContent = "New results wait until what is open is closed, and filters are taken back.";
  }, 1000 * data.following);
}

// ------------------------------------------------------------------ start

function fromAddress() {
  let id = "";
  try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  const problem = id ? problems.id.findIndex(one => whole(one) === id) : -1;
  if (problem < 0) return;
  if (!matches.includes(problem)) { byId("search").value = ""; byId("filter").value = "any"; match(); }
  if (!boxOf(problem)) more(matches.indexOf(problem) + PAGE);
  if (!boxOf(problem).classList.contains("open")) toggle(problem, false);
  boxOf(problem).scrollIntoView();
}

function notes() {
  const said = [];
  if (!problems.prompt.length) said.push("Prompts, references and traces need the sweep itself: give the command its config.toml, or pass sweep=.");
  if (data.cut) said.push(`${counted(data.cut, "problem")} more are counted above, but not listed: the file would be too large.`);
  if (data.untraced) said.push(`The traces of ${counted(data.untraced, "problem")} are left out: the file would be too large.`);
  byId("problems-note").textContent = said.join(" ");
  byId("table-note").textContent = `Accuracy over problems, with ${100 * data.level} % intervals; a failed search counts as wrong`
    + (bounded ? ", and so does an unknown verdict, which 'at most' counts as right and 'of known' leaves out" : "")
    + ". Tokens, calls and seconds are means for one search.";
  byId("columns").append(make("span", "who", "problem; a column for each line of the table"), make("span", "marks", "", ...cells.map((cell, i) => {
    const mark = make("span", i && cell.strategy !== cells[i - 1].strategy ? "mark next" : "mark", String(cell.number));
    mark.title = visible(`${cell.strategy}, ${cell.budget}`);
    return mark;
  })));
}

byId("against").addEventListener("change", plot);
byId("more").addEventListener("click", () => more());
byId("filter").addEventListener("change", match);
byId("search").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(match, 200);
});
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|SELECT/.test(event.target.tagName)) return;
  event.preventDefault();
  byId("search").focus();
});
window.addEventListener("hashchange", fromAddress);

if (!Object.keys(traces).length) byId("filter").querySelector("[value=traced]").remove();
head();
table();
plot();
byId("falls").replaceChildren(...data.falls.map(said => make("p", "note warn", said)));
differences();
notes();
match();
every();
again();
follow();
fromAddress();
})();
