"""The benchmark of abandoning: its figures by hand, and a small run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchkit.testing.worlds import WORLDS

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import halving

    return halving


def test_tokens_over_those_of_best_of_n_at_the_same_accuracy(halving: Any) -> None:
    """Accuracy 0.4, which 4 whole attempts of 10 tokens reach: 20 tokens are half, 80 twice as many; 0.9 none reach."""
    line = np.tile([0.1, 0.2, 0.4, 0.5, 0.6], (10, 1))
    for accuracy, tokens, share in ((4, 20, 0.5), (4, 80, 2.0), (6, 80, 0.5), (9, 80, None)):
        here = np.array([[float(i < accuracy), tokens] for i in range(10)])
        assert halving.equal(here, line, 10.0)[0] == share


def test_a_ratio_of_means(halving: Any) -> None:
    """Equal shares of each have no width."""
    assert halving.ratio(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.slow
def test_a_small_run(halving: Any) -> None:
    """Two seeds of a world: its rows, and tokens that follow from the checkpoints alone."""
    world: Any = WORLDS["steps, strong"]
    rows = list(halving.agents(2))
    first = [row for row in rows if row["where"] == "steps, strong"]
    assert [(row["at"], row["keep"]) for row in first] == [
        ((1,), 1.0), ((1,), 0.5), ((2,), 1.0), ((2,), 0.5), ((1, 2), 1.0), ((1, 2), 0.5), ((1, 2), 0.75),
    ]  # fmt: skip
    whole = 16 * world.depth
    assert [row["tokens"] for row in first] == [
        whole,
        16 + 8 * 4,
        whole,
        32 + 8 * 3,
        whole,
        16 + 8 + 4 * 3,
        16 + 12 + 9 * 3,
    ]
    assert len({row["where"] for row in rows}) == 4
