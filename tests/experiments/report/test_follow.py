"""A report that is written while its sweep runs, from before its first search to its end."""

from __future__ import annotations

import threading

import pytest

from searchkit.cli import main
from searchkit.errors import ConfigError
from searchkit.experiments.report import follow, report
from searchkit.experiments.report.falls import falls
from searchkit.strategies import SelfConsistency
from searchkit.testing import Scripted
from searchkit.types import Budget
from tests.experiments.report.reports import Page, sweep


def test_the_page_grows_with_the_sweep_and_ends_as_the_report(tmp_path):
    """It waits for the folder, shows what there is as unfinished, and its last page is that of `report`."""
    halfway, seen = threading.Event(), []

    def slow(request):
        if request.prompt.text == "question 6":
            assert halfway.wait(30)  # until a page of an unfinished sweep was seen
        return "4"

    mine = sweep(Scripted(slow), strategies={"vote": SelfConsistency(2)}, budgets=(Budget(),), seeds=(0,))
    running = threading.Thread(target=lambda: mine.run(tmp_path / "out", concurrency=1))

    def told(words):
        seen.append(words)
        if words.startswith("waiting"):
            running.start()
        elif (tmp_path / "out" / "report.html").exists():
            data = Page.of(tmp_path / "out" / "report.html").data
            seen.append((data["searches"], data["complete"], data.get("following")))
            halfway.set()

    path = follow(tmp_path / "out", sweep=mine, traces=2, every=0.02, told=told)
    running.join()
    assert seen[0] == f"waiting for the first search in {tmp_path / 'out'}"
    assert seen[-2:] == ["12 of 12 searches", (12, True, None)]
    unfinished = [one for one in seen[:-1] if isinstance(one, tuple)]
    assert unfinished
    assert all(not complete and following == 0.02 and 0 < n < 12 for n, complete, following in unfinished)
    last = path.read_bytes()
    assert Page(last.decode()).data["complete"]
    assert "following" not in Page(last.decode()).data
    assert last == report(tmp_path / "out", sweep=mine, traces=2).read_bytes()


def test_a_finished_sweep_is_followed_once(tmp_path, capsys):
    """By the command, too: it writes the page and ends."""
    sweep().run(tmp_path / "out")
    assert main(["report", str(tmp_path / "out"), "--follow"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "out" / "report.html")
    assert said.err.strip() == "144 of 144 searches"


def test_what_is_no_sweep_is_refused(tmp_path):
    """Not waited for: a manifest of another version, a page that cannot be written."""
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="not a manifest of version"):
        follow(tmp_path, every=0.01)
    sweep().run(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"a report is an \.html file"):
        follow(tmp_path / "out", tmp_path / "page.txt", every=0.01)


def test_a_strategy_that_gets_worse_with_its_budget_is_named(tmp_path):
    """Right with one sample, wrong with five: a sentence with both budgets; the other strategy has none."""

    def reply(request):
        return "4" if request.index == 0 else "5"

    mine = sweep(
        Scripted(reply), strategies={"vote": SelfConsistency(5), "one": SelfConsistency(1)},
        budgets=(Budget(generations=1), Budget(generations=5)),
    )  # fmt: skip
    results = mine.run(tmp_path / "out")
    [said] = falls(results.summaries(), results.strategies, results.totals)
    assert said.startswith("vote falls from generations=1 on: under generations=5 its accuracy is lower by 100.0 [")
    assert Page.of(report(tmp_path / "out")).data["falls"] == [said]
