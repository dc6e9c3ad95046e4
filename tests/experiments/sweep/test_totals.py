"""A sweep spends totals over all problems: the rows of `solve_many(total=...)`, and what that saves, by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from searchkit import solve_many
from searchkit.errors import ConfigError
from searchkit.experiments import SweepResults, rejudge
from searchkit.experiments.report.page import report
from searchkit.experiments.sweep.rows import Finished, Row
from searchkit.experiments.sweep.saving import savings
from searchkit.experiments.sweep.search import blind
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.model import Model
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting
from searchkit.types import Budget
from searchkit.verifiers import Predicate
from tests.test_allocating import POLICY, SEEN, World, drawn, problems

RIGHT = Predicate(lambda text: text.startswith("right"), name="right")
WRONG = Predicate(lambda text: text.startswith("wrong"), name="wrong")
TOTALS = [Budget(generations=32), Budget(generations=64)]
EQUAL = [Budget(generations=n) for n in (1, 2, 4, 8)]


def sweep(backend=None, **changed):
    settings = {
        "problems": problems(16), "strategies": {"best": BestOfN(8, SEEN), "vote": SelfConsistency(8)},
        "budgets": EQUAL, "truth": RIGHT, "endpoints": [Model(backend or World())], "totals": TOTALS,
        "allocation": POLICY,
    }  # fmt: skip
    return Sweep(**settings | changed)


@pytest.mark.slow
def test_rows_are_those_of_solve_many(tmp_path):
    """With two seeds; what equal budgets have sampled is not paid again, and the whole is resumed without a call."""
    backend = Counting(World())
    results = sweep(backend, seeds=[0, 3]).run(tmp_path / "out")
    assert results.complete
    assert backend.calls == 2 * 2 * 16 * 8  # all 8 samples of both strategies: the totals take theirs from these
    for seed in (0, 3):
        for total in TOTALS:
            alone = asyncio.run(solve_many(
                list(map(blind, problems(16))), BestOfN(8, SEEN), generator=Model(World()), seed=seed, total=total,
                allocation=POLICY,
            ))  # fmt: skip
            rows = {row.problem: row for row in results.rows
                    if row.budget == f"total generations={total.generations}" and row.seed == seed}  # fmt: skip
            assert [(rows[f"p{i}"].answer, rows[f"p{i}"].model_calls) for i in range(16)] == [
                (one.value.answer, drawn(one)) for one in alone
            ]
    assert {(row.strategy, row.budget) for row in results.rows if row.budget.startswith("total")} == {
        ("best", "total generations=32"), ("best", "total generations=64")
    }  # fmt: skip
    before = backend.calls
    assert sweep(backend, seeds=[0, 3]).run(tmp_path / "out").rows == results.rows
    assert backend.calls == before
    assert not any(one.resumed for one in results.finished)
    assert [curve.name for curve in results.curves()] == ["best", "best, totals", "vote"]


@pytest.mark.slow
def test_totals_come_later_and_are_judged_again(tmp_path):
    """A sweep grows by totals; the report says what they save; another truth asks nobody."""
    backend = Counting(World())
    first = sweep(backend, strategies={"best": BestOfN(8, SEEN)}, budgets=EQUAL[:2], totals=(), allocation=None)
    first.run(tmp_path / "out")
    assert backend.calls == 32
    grown = replace(first, totals=TOTALS[:1], allocation=POLICY)
    results = grown.run(tmp_path / "out")
    beyond = sum(max(0, r.model_calls - 2) for r in results.rows if r.budget.startswith("total"))
    assert backend.calls - 32 == beyond > 0
    [saving] = results.savings()
    assert str(saving) in results.table()
    assert str(saving) in SweepResults.load(tmp_path / "out").diagnosis
    assert str(saving) in report(tmp_path / "out", sweep=grown, traces=0).read_text()
    before = backend.calls
    again = rejudge(tmp_path / "out", replace(grown, truth=WRONG), tmp_path / "wrong")
    assert (backend.calls, again.missing) == (before, 0)
    assert [row.right for row in again.results.rows] == [not row.right for row in results.rows]


def rows(budget, right, calls):
    """A row a problem: whether it is right, and how many calls it took."""
    return [
        Finished(
            Row("best", budget, 0, f"p{i}", "", bool(r), None, 0, 0, 0, c, 0.0, "done", "", False, "", "stop"), 0.0,
            False,
        )
        for i, (r, c) in enumerate(zip(right, calls, strict=True))
    ]  # fmt: skip


def test_the_saving_by_hand():
    """Equal budgets of 1, 2 and 4 calls are right in 2, 4 and 8 of 10; 3 calls in the mean, right in 6: share 1.

    Right in 5 of 10 with 1.5 calls: equal ones need 2.5, a share of 0.6. Right in 9: nobody reaches it, at most
    2 / 4. Right in 2 with 1 call: 1.
    """
    equal = [rows(str(k), [i < n for i in range(10)], [k] * 10) for k, n in ((1, 2), (2, 4), (4, 8))]
    for right, mean, share, reached in ((6, 3, 1.0, True), (5, 1.5, 0.6, True), (9, 2, 0.5, False), (2, 1, 1.0, True)):
        calls = [int(2 * mean) - 1, 1] * 5 if mean != 1 else [1] * 10
        own = rows("total", [i < right for i in range(10)], calls)
        [found] = savings([one for group in (*equal, own) for one in group], ["best"], ["1", "2", "4"], ["total"])
        assert (found.share, found.reached, found.accuracy) == (pytest.approx(share), reached, right / 10)
        assert found.low <= found.share <= found.high
        assert found.measure == "model calls"
    assert "at most 0.50" in str(replace(found, share=0.5, reached=False))
    assert savings(own, ["best"], [], ["total"]) == []  # nothing to compare with


@pytest.mark.slow
def test_the_interval_covers_the_saving():
    """Of 30 studies of 150 problems in which the share is known, nearly all intervals hold it.

    Equal budgets of 1 and 3 calls are right with 0.4 and 0.8, the total with 0.6 at 1 call: it takes half of 2.
    """
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(30):
        groups = [rows(name, rng.random(150) < p, [calls] * 150) for name, p, calls in
                  (("1", 0.4, 1), ("3", 0.8, 3), ("total", 0.6, 1))]  # fmt: skip
        [found] = savings([one for group in groups for one in group], ["best"], ["1", "3"], ["total"])
        held += found.low <= 0.5 <= found.high
    assert held >= 25  # fewer has a chance of 0.3 % at 95 %


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"allocation": None}, "give both"),
        ({"strategies": {"vote": SelfConsistency(4)}}, "give both"),
        ({"totals": Budget(generations=50)}, "totals= takes a list"),
        ({"totals": [Budget(generations=5)]}, "less than one sample for each of 16"),
        ({"totals": [Budget(seconds=5)]}, "depend on latencies"),
        ({"totals": TOTALS[:1] * 2}, "totals must differ"),
        ({"allocation": "greedy"}, "allocation says"),
        ({"endpoints": [Model(World()), Model(World())]}, "one endpoint|at one"),
    ],
)
def test_mistakes(changed, says):
    with pytest.raises(ConfigError, match=says):
        sweep(**changed)


def test_a_total_is_spent_in_one_place(tmp_path):
    """Other executors divide the problems."""
    with pytest.raises(ConfigError, match='executor="asyncio"'):
        sweep().run(tmp_path / "out", executor="processes")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- grown


@pytest.mark.parametrize("more", [{"problems": problems(24)}, {"problems": problems(24)[::-1]}], ids=["more", "turned"])
def test_a_total_over_more_problems_is_spent_anew(tmp_path, more):
    """What each problem gets depends on the others: no row of before stays, and what was sampled is not paid again."""
    backend = Counting(World())
    first = sweep(backend, strategies={"best": BestOfN(8, SEEN)}, budgets=EQUAL[:1], totals=TOTALS[1:])
    first.run(tmp_path / "out")
    before = backend.calls
    grown = replace(first, **more)
    results = grown.run(tmp_path / "out")
    paid = backend.calls - before
    assert sum(row.model_calls for row in results.rows if row.budget.startswith("total")) == 64
    whole = replace(grown, endpoints=[Model(World())]).run(tmp_path / "whole")
    assert results.rows == whole.rows == SweepResults.load(tmp_path / "out").rows
    assert 8 <= paid < 64
    assert grown.run(tmp_path / "out").rows == results.rows
    assert backend.calls == before + paid


@pytest.mark.parametrize("torn", [1, 300, 900])
def test_the_rows_of_a_total_are_of_one_piece(tmp_path, torn):
    """A log whose last bytes were lost with a machine: the total is spent anew, not mended row by row."""
    first = sweep(strategies={"best": BestOfN(8, SEEN)}, budgets=EQUAL[:1], totals=TOTALS[1:])
    first.run(tmp_path / "out")
    log, grown = tmp_path / "out/shard-0/rows.jsonl", replace(first, problems=problems(20))
    whole = grown.run(tmp_path / "out")
    log.write_bytes(log.read_bytes()[:-torn])
    assert grown.run(tmp_path / "out").rows == whole.rows


def test_no_saving_is_infinite():
    """A budget that generated nothing is compared by calls; a single problem has no interval."""
    free = [replace(one, row=replace(one.row, generated_tokens=0)) for one in rows("1", [1, 0], [1, 1])]
    spent = [replace(one, row=replace(one.row, generated_tokens=5)) for one in rows("total", [1, 1], [2, 2])]
    [found] = savings([*free, *spent], ["best"], ["1"], ["total"])
    assert (found.share, found.measure, found.reached) == (2.0, "model calls", False)
    [single] = savings([free[0], spent[0]], ["best"], ["1"], ["total"])
    assert "takes 2.00 [no interval] of the model calls" in str(single)
