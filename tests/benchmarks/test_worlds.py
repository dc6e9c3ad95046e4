"""The benchmark of worlds: its counts against the trace, its intervals, and that it goes on where it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit import solve_sync
from searchkit.environments import Anytime
from searchkit.strategies import BeamSearch
from searchkit.testing.worlds import WORLDS, Drift, Growing

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import worlds_work

    return worlds_work


@pytest.fixture
def worlds(work: Any) -> Any:
    import worlds

    return worlds


def test_what_is_watched_is_the_same_search(work: Any) -> None:
    """The same answer from the same draws, counted as the engine does; it opened with the first right node made."""
    world = Growing(3, 0.6)
    watched = work.Watched(world)
    plain, counted = (solve_sync("go", BeamSearch(8, 4, world.verifier, e), seed=4) for e in (world, watched))
    tree = counted.tree
    assert plain.answer == counted.answer
    assert watched.spent == counted.usage.generations == plain.usage.generations == len(tree) - 1
    assert watched.opened == next(node for node in range(1, len(tree)) if tree.state[node].right)
    assert isinstance(work.Watched(Drift()), Anytime)
    assert not isinstance(watched, Anytime)


@pytest.mark.slow
def test_every_method_runs_in_every_world(work: Any) -> None:
    """One seed of each; what was spent is within the budget."""
    for name, world in WORLDS.items():
        for method in work.NAMES:
            row = work.search("rate", name, method, 0)
            assert 0 <= row["success"] <= 1
            assert row["spent"] <= max(world.budget.generations or 0, world.budget.generated_tokens or 0), (
                name,
                method,
            )


def test_wilson_intervals_are_those_of_tables(worlds: Any) -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
                                (1, 29, 0.0061, 0.1718)):  # fmt: skip
        assert worlds.wilson(right, n) == pytest.approx((low, high), abs=1e-4)


def test_a_run_without_an_answer_counts_as_twenty_times_the_optimum(worlds: Any) -> None:
    """Costs are over the reference; rates are per cent; qualities are means."""
    rows = [{"cost": None, "success": 0.0}, {"cost": 60, "success": 1.0}]
    assert worlds.figure("cost", "lock", rows)[0] == 10.5
    assert worlds.figure("rate", "lock", rows)[0] == 50.0
    assert worlds.figure("rate", "basins", [{"success": 0.25}, {"success": 0.75}])[0] == 0.5


@pytest.mark.slow
def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """A file with a row cut off: what is whole is not computed again, and the figures are those of one go."""
    command = [
        sys.executable, str(FOLDER / "worlds.py"), "--json", "--seeds", "4", "--world", "growing", "--strategy",
        "BestFirst", "--processes", "1", "--out",
    ]  # fmt: skip

    def run(path: Path) -> dict[str, Any]:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    whole = run(tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_text().splitlines()
    assert len(lines) == 8
    altered = json.loads(lines[0]) | {"spent": -1}
    (tmp_path / "part.jsonl").write_text(f"{json.dumps(altered)}\n{lines[1]}\n{lines[2][:9]}")
    part = run(tmp_path / "part.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "part.jsonl").read_text().splitlines()]
    assert altered in kept
    assert len(kept) == 8
    assert part["growing"]["methods"]["BestFirst"]["cost"] == whole["growing"]["methods"]["BestFirst"]["cost"]


def test_rows_of_others_are_reported_beside_ours(worlds: Any, tmp_path: Path) -> None:
    """A file of rows, as benchmarks/worlds_peers.py prints them; nothing is searched."""
    row = {"run": "cost", "world": "lock", "method": "other", "success": 1.0, "spent": 90}
    lines = [json.dumps(row | {"seed": seed, "cost": cost}) for seed, cost in enumerate((60, 180, None))]
    (tmp_path / "peers.jsonl").write_text("\n".join([*lines, ""]))
    rows: dict[Any, Any] = {}
    worlds.keep(rows, worlds.read(tmp_path / "peers.jsonl"))
    assert worlds.report(rows, 2)["lock"]["methods"]["other"]["cost"][0] == 2.0
    assert worlds.report(rows, 3)["lock"]["methods"]["other"]["cost"][0] == 8.0
