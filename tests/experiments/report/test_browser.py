"""The report of a sweep in a real browser: hostile texts do nothing, and clicks show what they promise."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from urllib.parse import quote

import pytest

from searchkit.experiments.report.page import report
from searchkit.generators import Simulated
from searchkit.strategies import SelfConsistency
from tests.experiments.report.reports import HOSTILE, Page, hostile, sweep
from tests.views.test_views import CHROMIUM, browse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

DRIVER = """
const get = id => document.getElementById(id), all = (path, from = document) => [...from.querySelectorAll(path)];
const choose = (id, value) => { get(id).value = value; get(id).dispatchEvent(new Event("change")); };
const ids = () => all(".item b").map(b => b.textContent);
const column = n => all(`#table td:nth-child(${n})`).map(td => td.textContent);
const seen = {ids: ids(), table: column(4)};
all("#table th button")[3].click(); seen.sorted = column(4);
choose("filter", "differ"); seen.differ = ids();
choose("filter", "wrong"); seen.wrong = ids();
choose("filter", "traced"); seen.traced = ids();
get("search").value = "question 1"; choose("filter", "any"); seen.search = ids();
all(".item .head")[0].click(); seen.open = all(".open .text pre").map(pre => pre.textContent);
const traces = all(".open .answer button");
traces.at(-1).click(); seen.samples = all(".sample pre").map(pre => pre.textContent);
seen.frames = all("iframe").map(frame => [frame.getAttribute("sandbox"), frame.srcdoc.includes("question 1")]);
traces.at(-1).click(); seen.closed = all(".trace").length;
choose("against", "calls"); seen.points = all("#plot title").map(title => title.textContent);
document.title = JSON.stringify(seen);
"""


@pytest.mark.slow
def test_hostile_texts_do_nothing(tmp_path):
    """With the address of a problem whose id is markup: it is open, its texts are texts, the title is ours."""
    hostile(tmp_path / "out", HOSTILE)
    name = quote(f"1 {HOSTILE[1][:60]}")
    left = browse(f"{(tmp_path / 'out/report.html').as_uri()}#{name}", tmp_path / "user")
    page = Page(left)
    assert "<title>out: sweep</title>" in left
    assert not [tag for tag, _ in page.elements if tag in ("img", "iframe")]
    assert len(page.parts("script")) == 2
    items = [attrs["class"] for tag, attrs in page.elements if tag == "div" and "data-problem" in attrs]
    assert items == ["item", "item open", *["item"] * 5]
    assert "&lt;img src=x onerror=" in left
    assert "\\u001b[31mred" in left
    assert "\ufffd surrogate" in left


@pytest.mark.slow
def test_clicks_show_what_they_promise(tmp_path):
    """Sorting, filters, search, a problem, a trace with its tree, another axis: the policy allows the test's script."""
    mine = sweep()
    results = mine.run(tmp_path / "out")
    path = report(tmp_path / "out", sweep=mine, traces=12)
    allowed = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    page = path.read_text().replace("script-src '", f"script-src 'sha256-{allowed}' '", 1)
    path.write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"))
    left = browse(path.as_uri(), tmp_path / "user")
    seen = json.loads(re.search("<title>(.*?)</title>", left)[1])
    right: dict[str, dict[str, list[bool]]] = {}
    for row in results.rows:
        right.setdefault(row.problem, {}).setdefault(f"{row.budget} {row.strategy}", []).append(row.right)
    names = [f"p{i}" for i in range(12)]
    alike = {
        name for name in names
        if all(len({sum(v) for k, v in right[name].items() if k.startswith(b)}) == 1 for b in ("generations", "unlim"))
    }  # fmt: skip
    assert seen["ids"] == names
    assert seen["sorted"] == sorted(seen["table"], key=lambda cell: -float(cell.split()[0]))
    assert seen["differ"] == [name for name in names if name not in alike]
    assert seen["wrong"] == [name for name in names if not any(sum(v) for v in right[name].values())]
    assert seen["traced"] == names
    assert seen["search"] == ["p1", "p10", "p11"]
    grown = [n for n, row in enumerate(results.rows) if row.problem == "p1" and row.strategy == "grow"]
    told = Page(page).data["traces"][str(grown[-1])]
    assert seen["open"][:2] == ["question 1", "4"]
    assert len(seen["open"]) == 2 + 12
    assert seen["frames"] == [["allow-scripts", True]]
    assert seen["samples"] == [text for text, *_ in told["samples"]]
    assert seen["closed"] == 0
    assert len(seen["points"]) == 6


UNKNOWN = """
const get = id => document.getElementById(id), all = path => [...document.querySelectorAll(path)];
const choose = value => { get("filter").value = value; get("filter").dispatchEvent(new Event("change")); };
const ids = () => all(".item b").map(b => b.textContent);
const seen = {said: get("diagnosis").textContent, head: all("#table th").map(th => th.textContent), ids: ids()};
choose("unknown"); seen.unknown = ids();
choose("wrong"); seen.wrong = ids();
choose("any"); seen.marks = all(".item").map(item => item.querySelector(".marks").textContent);
all(".item .head")[0].click(); seen.answers = all(".open .answer").map(box => box.textContent);
document.title = JSON.stringify(seen);
"""


@pytest.mark.slow
def test_unknown_verdicts_are_seen(tmp_path):
    """A mark of their own, a filter, two columns, the reason with each answer, and the diagnosis at the top."""
    mine = sweep(Simulated({"4": 0.2, "5": 0.4, "no\n<b>answer": 0.4}), strategies={"one": SelfConsistency(1)})
    results = mine.run(tmp_path / "out")
    path = report(tmp_path / "out")
    allowed = base64.b64encode(hashlib.sha256(UNKNOWN.encode()).digest()).decode()
    page = path.read_text().replace("script-src '", f"script-src 'sha256-{allowed}' '", 1)
    path.write_text(page.replace("</body>", f"<script>{UNKNOWN}</script></body>"))
    seen = json.loads(unescape(re.search("<title>(.*?)</title>", browse(path.as_uri(), tmp_path / "user"))[1]))
    assert seen["said"] == results.diagnosis
    assert {"unknown", "at most (%)", "of known (%)"} <= set(seen["head"])
    rows = {name: [row for row in results.rows if row.problem == name] for name in seen["ids"]}
    assert set(seen["unknown"]) == {name for name in rows if any(row.unknown for row in rows[name])}
    assert set(seen["wrong"]) == {name for name in rows if not any(row.unknown or row.right for row in rows[name])}
    assert seen["unknown"]
    assert seen["wrong"]
    for name, marks in zip(seen["ids"], seen["marks"], strict=True):
        for mark, budget in zip(marks, results.budgets, strict=True):
            cell = [row for row in rows[name] if row.budget == budget]
            right = sum(row.right for row in cell)
            wanted = "✓" if right == len(cell) else "◐" if right else "?" if any(r.unknown for r in cell) else "✗"
            assert mark == wanted
    [first, *_] = seen["ids"]
    told = sorted(row.feedback for row in rows[first] if row.feedback)
    assert all(any(feedback in text for text in seen["answers"]) for feedback in told)
