"""A sweep whose searches fail alike ends with the reason; one with other failures goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Model, Problem, Prompt
from searchkit.calls import CallError, Request
from searchkit.errors import SearchWarning
from searchkit.experiments.sweep import Sweep, SweepFailed
from searchkit.experiments.sweep.breaker import ALIKE
from searchkit.experiments.sweep.progress import Progress
from searchkit.strategies import SelfConsistency
from searchkit.types import Budget, Sample, Usage
from searchkit.verifiers import Exact

N = 3 * ALIKE


def sweep(fails: Any, n: int = N, pause: float = 0.0) -> tuple[Sweep, list[int]]:
    """n problems, one call each; fails: number of the problem -> the message of its error, or None. Calls are noted."""
    calls: list[int] = []

    class Failing:
        name = "failing"

        async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
            made = [self._one(request) for request in requests]
            if not any(isinstance(one, CallError) for one in made):
                await asyncio.sleep(pause)
            return made

        def _one(self, request: Request) -> Sample[str] | CallError:
            number = int(request.prompt.text)
            calls.append(number)
            message = fails(number)
            used = Usage(model_calls=1, generated_tokens=1)
            if message is None:
                return Sample("4", usage=used)
            return CallError(message, kind="bad_request", request=request, usage=used)

    asked = [Problem(str(i), Prompt.of(str(i)), "4") for i in range(n)]
    return Sweep(asked, {"one": SelfConsistency(1)}, truth=Exact(), endpoints=[Model(Failing())]), calls


def test_equal_failures_end_it_and_are_made_anew(tmp_path: Path) -> None:
    """Numbers and names in the errors differ; what went well before is kept, and the next run makes only the rest."""
    broken = True
    made, calls = sweep(lambda i: f"the server 'h{i}' is down since {i} s" if broken and i >= 5 else None)
    with pytest.raises(SweepFailed, match=rf"^{ALIKE} searches in a row failed alike.* is down since"):
        made.run(tmp_path / "out", concurrency=1)
    assert len(calls) == 5 + ALIKE
    broken = False
    calls.clear()
    results = made.run(tmp_path / "out", concurrency=1)
    assert results.complete
    assert sorted(calls) == list(range(5, N))
    assert all(row.right and not row.error for row in results.rows)


@pytest.mark.parametrize(
    "fails",
    [
        lambda i: None if i % ALIKE == 0 else "down",
        lambda i: ("down", "wrong", "broken")[i * 3 // N] if i % (ALIKE + 1) else "other",
        lambda i: f"{'x' * (i % 7 + 1)}",
    ],
    ids=["one goes well now and then", "other errors between", "each in its own way"],
)
def test_other_failures_are_rows(fails: Any, tmp_path: Path) -> None:
    """They count as wrong, as ever."""
    made, _ = sweep(fails)
    results = made.run(tmp_path / "out", concurrency=1)
    assert results.complete
    assert [bool(row.error) for row in sorted(results.rows, key=lambda r: int(r.problem))] == [
        fails(i) is not None for i in range(N)
    ]


def test_many_at_once(tmp_path: Path) -> None:
    """With all searches in flight it ends as well, and keeps no failure."""
    made, _ = sweep(lambda i: "down")
    with pytest.raises(SweepFailed, match="down"):
        made.run(tmp_path / "out")
    assert (tmp_path / "out/shard-0/rows.jsonl").read_text() == ""


def test_quick_failures_do_not_overtake_what_goes_well(tmp_path: Path) -> None:
    """Every other search fails at once, and the others take a moment: no row of failures, whatever is ready first."""
    made, _ = sweep(lambda i: "down" if i % 2 else None, pause=0.05)
    results = made.run(tmp_path / "out", concurrency=N)
    assert results.complete
    assert sum(bool(row.error) for row in results.rows) == N // 2


def test_the_bar_says_how_many_failed_and_how(tmp_path: Path) -> None:
    """The first error on one line, escaped and short."""
    made, _ = sweep(lambda i: None if i % 2 else f"down\n{'x' * 200}", 10)
    made.run(tmp_path / "out", concurrency=1)
    progress = Progress([tmp_path / "out/shard-0/rows.jsonl"], 10)
    progress._look()
    said = progress._spent()
    assert ", 5 failed: CallError: down" in said
    assert "\n" not in said
    assert len(said) < 120


@pytest.mark.parametrize("at_once", [1, 16])
def test_a_server_that_is_down_while_a_sweep_grows(tmp_path: Path, at_once: int) -> None:
    """Every search has an answer, among the samples of before: rows of a greater budget without one sample more would
    say that it does not help. They are not kept; searches that need nothing new are, and break no row."""
    down = False
    calls: list[str] = []

    class Dying:
        name = "dying"

        async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
            calls.extend(request.prompt.text for request in requests)
            if down:
                return [CallError(f"refused at {len(calls)}", kind="connection", request=r) for r in requests]
            return [Sample("4", usage=Usage(model_calls=1, generated_tokens=1)) for _ in requests]

    asked = [Problem(str(i), Prompt.of(str(i)), "4") for i in range(N)]
    small = Sweep(
        asked, {"vote": SelfConsistency(3)}, [Budget(generations=1)], truth=Exact(), endpoints=[Model(Dying())]
    )
    small.run(tmp_path / "out")
    down = True
    grown = replace(
        small, budgets=[Budget(generations=1), Budget(generations=1, verifications=9), Budget(generations=3)]
    )
    with pytest.warns(SearchWarning), pytest.raises(SweepFailed, match="refused at"):
        grown.run(tmp_path / "out", concurrency=at_once)
    down = False
    before = len(calls)
    results = grown.run(tmp_path / "out")
    assert results.complete
    assert {(row.budget, row.model_calls) for row in results.rows} == {
        ("generations=1", 1),
        ("generations=1 verifications=9", 1),
        ("generations=3", 3),
    }
    assert len(calls) - before == 2 * N
