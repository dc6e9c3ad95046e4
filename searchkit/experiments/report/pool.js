"use strict";
(() => {
const {told, rows, problems} = JSON.parse(byId("data").textContent);
const KINDS = ["wrong", "right", "unknown", "failed"];
const kind = i => KINDS[rows.verdict[i]];
const id = i => whole(problems[rows.problem[i]]);
const first = i => rows.rank[i] === 1;
const scored = rows.score.some(score => score !== null);
const fits = Object.fromEntries(KINDS.map(name => [name, i => kind(i) === name]));

byId("state").textContent = visible(told.state);
byId("diagnosis").hidden = !told.diagnosis;
byId("diagnosis").textContent = visible(told.diagnosis);
byId("samples-note").textContent = (told.cut ? `${counted(told.cut, "sample")} more are counted above, but not listed: the file would be too large. ` : "")
  + "Rank 1 has the best score of all samples of its problem.";
samples(byId("samples"), {
  count: rows.problem.length,
  columns: [
    {title: "problem", of: id, words: id, left: true},
    {title: "sample", of: i => rows.number[i], words: i => String(rows.number[i])},
    {title: "verdict", of: kind, words: i => verdict(kind(i)), left: true},
    ...(scored ? [{title: "score", of: i => rows.score[i], words: i => rows.score[i] === null ? "–" : short(rows.score[i])},
                  {title: "rank", of: i => rows.rank[i], words: i => rows.rank[i] === null ? "–" : grouped(rows.rank[i])}] : []),
    {title: "answer", of: i => whole(rows.key[i]), words: i => rows.key[i] === null ? "–" : whole(rows.key[i]).slice(0, 200), left: true},
    ...(rows.tokens.some(Boolean) ? [{title: "tokens", of: i => rows.tokens[i], words: i => grouped(rows.tokens[i])}] : []),
    {title: "finish", of: i => rows.finish[i], words: i => rows.finish[i], left: true},
    {title: "text", of: i => whole(rows.text[i]), words: i => whole(rows.text[i]).slice(0, 120).replace(/\s+/g, " "), left: true},
  ],
  filters: [
    {label: "Which verdicts to show", options: {"all verdicts": () => true, ...fits}},
    ...(scored ? [{label: "Which choices to show", options: {
      "all samples": () => true, "best score": first, "best score, not right": i => first(i) && kind(i) !== "right",
      "right, not best score": i => kind(i) === "right" && !first(i), "no score": i => rows.score[i] === null,
    }}] : []),
  ],
  says: i => `${id(i)}\n${whole(rows.key[i])}\n${whole(rows.text[i])}`,
  open: i => {
    const said = whole(rows.feedback[i]), box = make("div", "inside", "", shown(rows.text[i]));
    if (said) box.append(make("div", "note", `${kind(i)}: ${said}`));
    return box;
  },
});
})();
