"""The lab's benchmark: its estimates against hand-made rows, its store against a kill, and a small run of it all."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from searchkit.experiments import pass_at_k

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import lab

    return lab


def samples(number: int, accuracy: float, **methods: float) -> dict[str, Any]:
    """A problem's row of 4 samples: each method is as accurate at every k, "random" if nothing else is said."""
    flat = {m: [methods.get(m, accuracy)] * 3 for m in ("coverage", "random", "majority", "weighted", "process")}
    ramp = {"outcome": [accuracy, methods.get("outcome", accuracy), methods.get("outcome", accuracy)]}
    head = {"method": "samples", "number": number, "k": 4, "tokens": 10.0, "longest": [10, 11, 12]}
    return head | {"pass@1": accuracy, "score": 1 - accuracy, **flat, **ramp}


def test_saved_tokens_are_interpolated_in_log_n(lab: Any) -> None:
    """Accuracies 0.2, 0.4, 0.6, 0.8 at 1, 2, 4, 8 samples."""
    curve = [0.2, 0.4, 0.6, 0.8]
    assert [lab.saved(curve, a, 4) for a in (0.2, 0.4, 0.6, 0.8)] == [0.25, 0.5, 1.0, 2.0]
    assert lab.saved(curve, 0.7, 4) == pytest.approx(2**2.5 / 4, abs=0.005)
    assert lab.saved(curve, 0.1, 4) == 0.25
    assert lab.saved(curve, 0.9, 4) is None


@pytest.mark.parametrize("difficulty", ["pass@1", "score"])
def test_the_choice_is_made_on_the_other_half(lab: Any, difficulty: str) -> None:
    """Majority wins where problems are hard, process reward where they are easy; both bins find theirs."""
    hard, easy = {"majority": 0.5}, {"process": 1.0}
    rows = {n: samples(n, 0.1, **hard) if n % 5 < 2 else samples(n, 0.2, **easy) for n in range(100)}
    [row] = lab.optimal({("samples", 4): rows}, 4, 100, 100, difficulty)
    best = [["majority"] * 2] * 2 + [["process"] * 2] * 3
    assert row["chosen"] == (best if difficulty == "pass@1" else best[::-1])  # scores here are the other way round
    assert row["accuracy"][0] == pytest.approx(0.4 * 0.5 + 0.6 * 1.0)
    assert row["over_outcome"][0] == pytest.approx(0.8 - (0.4 * 0.1 + 0.6 * 0.2))
    assert row["saved"] is None


def test_luck_on_one_half_is_not_reported(lab: Any) -> None:
    """Of methods that are right by a coin, the one that had the best luck is no better on the other half."""
    rng, rows = random.Random(0), {}
    for number in range(1000):
        luck = {m: float(rng.random() < 0.5) for m in ("majority", "weighted", "process", "outcome")}
        rows[number] = samples(number, 0.5, **luck)
    [row] = lab.optimal({("samples", 4): rows}, 4, 1000, 1000, "pass@1")
    assert row["accuracy"][1] < 0.5 < row["accuracy"][2]


def test_the_longest_of_k_samples(lab: Any) -> None:
    """Its expectation, against all subsets."""
    import lab_work

    lengths = [3, 7, 7, 2, 9]
    for k in range(1, 6):
        found = [max(some) for some in combinations(lengths, k)]
        assert lab_work.longest(lengths, k) == pytest.approx(sum(found) / len(found))
    assert pass_at_k(5, 1, 5) == 1.0


def test_a_cut_off_line_is_done_again(lab: Any, tmp_path: Path) -> None:
    """What was written before a kill counts, the line that it cut does not, and other models are refused."""
    path, head = tmp_path / "countdown.jsonl", {"split": "dev", "policy": "a"}
    store = lab.Store(path, head)
    store.add({"method": "beam", "k": 4, "number": n} for n in (0, 2))
    with path.open("a") as file:
        file.write('{"method": "beam", "k": 4, "num')
    again = lab.Store(path, head)
    assert again.missing("beam", 4, range(4)) == [1, 3]
    again.add([{"method": "beam", "k": 4, "number": 1}])
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()[1:]] == [0, 2, 1]
    with pytest.raises(SystemExit, match="another folder"):
        lab.Store(path, head | {"policy": "b"})


@pytest.mark.slow
def test_a_small_run(tmp_path: Path) -> None:
    """Two development puzzles, four samples each: every method has a row, its tokens are at most what it may spend."""
    command = [sys.executable, str(FOLDER / "lab.py"), "--json", "--task", "countdown", "--split", "dev"]
    sizes = ["--problems", "2", "--samples", "4", "--deep", "0", "--processes", "1", "--out", str(tmp_path)]
    run = subprocess.run([*command, *sizes, "--plot", "lab.png"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "lab.png").read_bytes().startswith(b"\x89PNG")
    table = json.loads(run.stdout)["tasks"]["countdown"]["table"]
    methods = {row["method"]: row for row in table}
    assert {"coverage", "random", "majority", "weighted", "process", "outcome"} < set(methods)
    assert {"beam", "dvts", "particles", "mcts", "mcts by default", "best-first"} < set(methods)
    assert methods["coverage"]["accuracy"][0] >= max(methods[m]["accuracy"][0] for m in ("majority", "outcome"))
    assert all(row["sequential_tokens"] <= row["total_tokens"] for row in table)
