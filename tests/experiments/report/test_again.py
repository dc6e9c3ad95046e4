"""A sweep that was judged again, in its report: every difference and nothing else, against the rows of both."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html import unescape

import pytest

from searchkit.cli import main
from searchkit.errors import ConfigError
from searchkit.experiments import difference, rejudge
from searchkit.experiments.report import report
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.types import Verdict
from searchkit.verifiers import Predicate
from tests.experiments.report.reports import HOSTILE, Page, sweep
from tests.views.test_views import CHROMIUM, browse

EVEN = Predicate(lambda text: Verdict() if text == "5" else int(text) % 2 == 0, name=HOSTILE[1])
SIZE = Predicate(lambda text: int(text) / 10, name="size", range=(0, 1))
SMALL = Predicate(lambda text: 1 - int(text) / 10, name="small", range=(0, 1))


def kind(row):
    return "right" if row.right else "unknown" if row.unknown else "failed" if row.error else "wrong"


def judged(folder):
    """A sweep, and itself judged by another truth, with another verifier in one of its strategies."""
    mine = sweep(strategies={"best": BestOfN(4, SIZE), "vote": SelfConsistency(4)})
    results = mine.run(folder / "out")
    other = replace(mine, truth=EVEN, strategies={"best": BestOfN(4, SMALL), "vote": SelfConsistency(4)})
    return results, rejudge(folder / "out", other, folder / "again").results


def test_each_difference_is_listed(tmp_path):
    """Verdicts and answers that differ, with why; how many moved where; accuracy before and now, paired."""
    results, now = judged(tmp_path)
    told = Page.of(report(tmp_path / "out", rejudged=tmp_path / "again")).data["again"]
    new = {row.key: row for row in now.rows}
    pairs = [(i, row, new[row.key]) for i, row in enumerate(results.rows)]
    want = [(i, b) for i, a, b in pairs if kind(a) != kind(b) or a.answer != b.answer]
    assert 20 < len(want) < len(pairs)
    assert told["row"] == [i for i, _ in want]
    assert told["verdict"] == [kind(b) for _, b in want]
    assert told["answer"] == [b.answer for _, b in want]
    assert told["feedback"] == [b.feedback for _, b in want]
    for before in ("wrong", "right"):
        for after in ("right", "unknown"):
            n = sum((kind(a), kind(b)) == (before, after) for _, a, b in pairs)
            assert (f"{n:,} from {before} to {after}" in told["said"]) == bool(n and before != after)
    for cell, a, b in zip(told["cells"], results.summaries(), now.summaries(), strict=True):
        assert (cell["strategy"], cell["budget"]) == (a.strategy, a.budget)
        change = difference(b, a).interval
        assert cell["change"].startswith(f"{100 * change.mean:.1f} [")


def test_the_same_verdicts_are_no_differences(tmp_path):
    """Judged again by the same truth, nothing is listed; another sweep's folder is refused."""
    mine = sweep()
    mine.run(tmp_path / "out")
    rejudge(tmp_path / "out", mine, tmp_path / "again")
    told = Page.of(report(tmp_path / "out", rejudged=tmp_path / "again")).data["again"]
    assert (told["row"], told["said"]) == ([], "144 searches were judged again: no verdict differs.")
    sweep(seeds=(3,)).run(tmp_path / "other")
    with pytest.raises(ConfigError, match="has none of these searches"):
        report(tmp_path / "out", rejudged=tmp_path / "other")
    with pytest.raises(ConfigError, match="no sweep's folder"):
        report(tmp_path / "out", rejudged=tmp_path / "nowhere")


def test_the_command_takes_the_folder(tmp_path, capsys):
    """`searchkit report FOLDER --rejudged FOLDER`."""
    judged(tmp_path)
    assert main(["report", str(tmp_path / "out"), "--rejudged", str(tmp_path / "again")]) == 0
    assert Page.of(tmp_path / "out" / "report.html").data["again"]["row"]
    capsys.readouterr()


DRIVER = """
const get = id => document.getElementById(id), all = path => [...document.querySelectorAll(path)];
const choose = (i, value) => {
  const select = all("#again-samples select")[i];
  select.value = value;
  select.dispatchEvent(new Event("change"));
};
const lines = () => parseInt(get("again-samples").querySelector("[role=status]").textContent);
const seen = {hidden: get("judged").hidden, lines: lines(), said: get("again-note").textContent};
seen.samples = all("#samples .sample-line").length;
choose(2, "the verdict"); seen.verdicts = lines();
choose(2, "now unknown"); seen.unknown = lines();
choose(2, "the answer"); seen.answers = lines();
all("#again-samples .sample-line")[0].click(); seen.open = all("#again-samples .below .answer").length;
document.title = JSON.stringify(seen);
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_differences_are_filtered_in_a_browser(tmp_path):
    """By what moved and where to; the name of the truth is a text, whatever is in it."""
    results, now = judged(tmp_path)
    path = report(tmp_path / "out", rejudged=tmp_path / "again")
    allowed = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    page = path.read_text().replace("script-src '", f"script-src 'sha256-{allowed}' '", 1)
    path.write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"))
    seen = json.loads(unescape(re.search("<title>(.*?)</title>", browse(path.as_uri(), tmp_path / "user"))[1]))
    new = {row.key: row for row in now.rows}
    pairs = [(row, new[row.key]) for row in results.rows]
    moved = [(a, b) for a, b in pairs if kind(a) != kind(b)]
    assert not seen["hidden"]
    assert seen["samples"] == 25
    assert seen["lines"] == sum(kind(a) != kind(b) or a.answer != b.answer for a, b in pairs)
    assert seen["verdicts"] == len(moved)
    assert seen["unknown"] == sum(kind(b) == "unknown" for _, b in moved)
    assert seen["answers"] == sum(a.answer != b.answer for a, b in pairs)
    assert seen["open"] == 1
    assert "The truth is now Predicate(" in seen["said"]
