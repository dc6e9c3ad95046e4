"""Replayed searches in the report of a sweep: they are the searches, ask nobody, and are bounded."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from searchkit import Budget, Model, solve_sync
from searchkit.calls import CallError
from searchkit.experiments.report import data as report_data
from searchkit.experiments.report import traces as report_traces
from searchkit.experiments.report.page import report
from searchkit.function import Function
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting, Scripted, Shuffled
from searchkit.verifiers import Judge
from tests.experiments.report.reports import ANSWERS, PROBLEMS, Page, sweep


def called(span):
    """Name and text of each model call of a canonical trace."""
    if span["usage"].get("generated_tokens"):
        yield span["name"], span["text"]
    for child in span["children"]:
        yield from called(child)


def test_replays_are_the_searches_and_ask_nobody(tmp_path):
    """Candidates, steps and trees are what `solve` gives; no backend is asked, no journal written."""
    backend = Counting(Shuffled(Simulated(ANSWERS), 1))
    mine = sweep(backend)
    results = mine.run(tmp_path / "out")
    calls, journal = backend.calls, (tmp_path / "out/shard-0/journal.db").read_bytes()
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=3)).data
    assert backend.calls == calls
    assert (tmp_path / "out/shard-0/journal.db").read_bytes() == journal
    traced = {results.rows[int(number)].problem for number in data["traces"]}
    assert (len(traced), len(data["traces"]), data["untraced"]) == (3, 36, 0)
    budgets = {"generations=2": Budget(generations=2), "unlimited": Budget()}
    for number, told in data["traces"].items():
        row = results.rows[int(number)]
        alone = solve_sync(
            replace(PROBLEMS[int(row.problem[1:])], reference=None), mine.strategies[row.strategy], seed=row.seed,
            budget=budgets[row.budget], generator=Model(Simulated(ANSWERS)),
        )  # fmt: skip
        assert told["exact"]
        assert [text for text, *_ in told["samples"]] == [c.sample.value for c in alone.candidates]
        made = [(name, words) for _, name, _, tokens, words in told["steps"] if tokens]
        assert made == list(called(alone.trace.canonical()))
        if alone.tree is not None:
            assert told["tree"]["text"] == list(alone.tree.text)
    assert data["problems"]["prompt"] == [f"question {i}" for i in range(12)]
    assert data["problems"]["reference"] == ["4"] * 12


def test_the_problems_on_which_strategies_differ_most_are_replayed(tmp_path):
    """One strategy is always right, the other is not where the prompt ends in 3 or 7: these two are chosen."""

    def reply(request):
        return "5" if request.prompt.text[-1] in "37" else "4"

    sure = SelfConsistency(1, generator=Model(Scripted(lambda _: "4")))
    strategies = {"sure": sure, "other": SelfConsistency(1)}
    mine = sweep(Scripted(reply), strategies=strategies, budgets=(Budget(),), seeds=(0,))
    results = mine.run(tmp_path / "out")
    wrong = {row.problem for row in results.rows if not row.right}
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=len(wrong))).data
    assert 0 < len(wrong) < 12
    assert {results.rows[int(number)].problem for number in data["traces"]} == wrong


def test_judges_and_agents_are_silenced_too(tmp_path):
    """A judge's model and an agent function, deep inside strategies: replayed exactly, with not a call to either."""
    judge, agents = Counting(Scripted(lambda _: "Grade: 4")), []

    async def agent(prompt):
        agents.append(prompt)
        if prompt.endswith("5"):
            raise CallError("down")
        return "4"

    strategies = {
        "judged": BestOfN(2, Judge(Model(judge))),
        "agent": SelfConsistency(2, generator=Function(agent, name="agent")),
    }
    mine = sweep(strategies=strategies, budgets=(Budget(),), seeds=(0,))
    results = mine.run(tmp_path / "out")
    before = judge.calls, len(agents)
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=12)).data
    assert (judge.calls, len(agents)) == before
    assert min(before) > 0
    for number, told in data["traces"].items():
        row = results.rows[int(number)]
        assert told.get("exact", False) != bool(row.error), row
        assert ("not in the journal" in told.get("error", "")) == bool(row.error)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 1", "journal version 1"),
        ("UPDATE call SET outcome = 'x' WHERE id = 3", "row 3 (problem"),
        ("CREATE TABLE mine (x)", "other tables"),
    ],
)
def test_a_journal_that_cannot_be_used_costs_the_traces_alone(tmp_path, statement, said):
    """Old, damaged or foreign: the page has the rows, and says of each trace why there is none."""
    mine = sweep(Simulated(ANSWERS), strategies={"vote": SelfConsistency(2, key=str)}, seeds=(0,))
    results = mine.run(tmp_path / "out")
    db = sqlite3.connect(tmp_path / "out/shard-0/journal.db", isolation_level=None)
    db.execute(statement)
    db.close()
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=2)).data
    assert all(said in told["error"] for told in data["traces"].values())
    assert len(data["traces"]) == 2 * len({(row.budget, row.seed) for row in results.rows})


def test_large_sweeps_are_bounded(tmp_path, monkeypatch):
    """More text than fits is cut shorter everywhere; problems and traces beyond the bound are left out and counted."""
    mine = sweep(Scripted(lambda _: "y" * 900), strategies={"vote": SelfConsistency(2, key=str)}, seeds=(0,))
    mine.run(tmp_path / "out")
    monkeypatch.setattr(report_data, "MOST_TEXT", 24 * 300)
    monkeypatch.setattr(report_traces, "MOST_TRACED", 10_000)
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=12)).data
    assert data["longest"] == 250
    assert set(map(tuple, data["rows"]["answer"])) == {("y" * 250, 900)}
    assert 0 < data["untraced"] < 12
    assert len(data["traces"]) == 2 * (12 - data["untraced"])
    monkeypatch.setattr(report_data, "MOST_ROWS", 10)
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=0)).data
    assert (data["problems"]["id"], data["cut"], len(data["rows"]["cell"])) == (["p0", "p1", "p2", "p3", "p4"], 7, 10)
    assert data["cells"][0]["searches"] == 12
