"""The benchmark of interval coverage, at a size for tests: the truth is held, within what chance allows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
STUDIES = 300
SPREAD = 4 * (0.95 * 0.05 / STUDIES) ** 0.5  # four standard errors of a share of 95 %: 5 points


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import intervals

    return intervals


@pytest.mark.parametrize("samples", [16, 1])
@pytest.mark.parametrize("world", ["mixed", "hard", "gain"])
def test_intervals_over_100_problems_hold_the_truth(benchmark: Any, world: str, samples: int) -> None:
    """Accuracies and paired differences; a 90 % interval would be told apart only with more studies."""
    row = benchmark.coverage(world, 100, samples, STUDIES, seed=1)
    assert 0.95 - SPREAD <= row["covered"] <= min(1.0, 0.95 + SPREAD)


@pytest.mark.parametrize("world", ["mixed", "hard", "rare", "gain"])
def test_the_stated_truth_is_that_of_the_studies(benchmark: Any, world: str) -> None:
    """The mean over 400 studies is the truth within 4 standard errors: otherwise coverage would mean nothing."""
    found, truth = benchmark.study(world, 100, 16, 400, seed=2)
    assert np.mean(found.mean) == pytest.approx(truth, abs=4 * np.std(found.mean) / 20)


def test_the_script_prints_every_cell() -> None:
    """Three sizes, four studies, two numbers of samples."""
    script = [sys.executable, str(FOLDER / "intervals.py"), "--json", "--studies", "2"]
    printed = json.loads(subprocess.run(script, check=True, capture_output=True, text=True).stdout)
    cells = {(row["problems"], row["study"], row["samples"]) for row in printed["rows"]}
    assert len(cells) == len(printed["rows"]) == 24
    assert all(0 <= row["covered"] <= 1 for row in printed["rows"])
