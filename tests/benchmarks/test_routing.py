"""The benchmark of routers: the end points of RouteLLM's recorded answers, and one chooser on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
ROUTELLM = FOLDER.parents[1] / "shared" / "data" / "routellm"
pytestmark = pytest.mark.skipif(not ROUTELLM.exists(), reason="RouteLLM's recorded answers are not in ../shared/data")


@pytest.fixture
def routing(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import routing

    return routing


def test_the_end_points_and_the_hull(routing: Any) -> None:
    """Weak 63.8, strong 85.7, either 92.9 % on all rows; 63.7 and 85.8 on those that are not contaminated."""
    found = list(routing.ends(ROUTELLM))
    assert [(row["questions"], row["weak"], row["strong"], row["either"]) for row in found] == [
        (1319, 63.8, 85.7, 92.9), (1307, 63.7, 85.8, 93.0)
    ]  # fmt: skip
    clean = routing.read(ROUTELLM, clean=True)
    right = np.array([q.right for q in clean], dtype=float)
    curve = routing.curve(clean, [strong - weak for weak, strong in right])
    (share, best), only_strong = curve.hull[-1], float(((right[:, 1] - right[:, 0]) > 0).mean())
    assert curve.hull == [(0.0, right[:, 0].mean()), (pytest.approx(only_strong), pytest.approx(right.max(1).mean()))]
    assert best > right[:, 1].mean()  # a perfect router is better than the strong model
    assert curve.apgr > 1
    assert share < 0.3


def test_random_routing_saves_nothing(routing: Any) -> None:
    """Margins by lot, at thresholds picked on the other half: nothing is gained or saved but for chance."""
    first, second = routing.halves(routing.read(ROUTELLM, clean=True), 0)
    assert (len(first), len(second)) == (653, 654)
    assert {q.text for q in first}.isdisjoint(q.text for q in second)
    wanted = np.random.default_rng(0).random(len(second))
    found = routing.curve(second, wanted.tolist())
    for threshold in (0.2, 0.5, 0.8):
        for interval in (found.gained(threshold), found.saved(threshold)):
            assert interval.low <= 0 <= interval.high
    assert abs(found.apgr - 0.5) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "scorer"])
def test_one_chooser_on_the_other_half(routing: Any, name: str) -> None:
    """Fitted on one half, at half of the strong calls it is more accurate on the other than a lot."""
    first, second = routing.halves(routing.read(ROUTELLM, clean=True), 0)
    wanted = routing.FITS[name](first)
    found = routing.curve(second, [wanted(question) for question in second])
    assert found.apgr > 0.5
    gained = found.gained(found.threshold(budget=0.5))
    assert 0 < gained.low < gained.mean < 0.1
