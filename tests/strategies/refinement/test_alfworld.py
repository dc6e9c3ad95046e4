"""Retry against reflection on the recorded trials of Reflexion in ALFWorld: who solved what when, and who said stop.

Both logs stop on the true reward. So their curves are pass@k with a memory, and no accuracy of a deployed agent: the
last test replays what an evaluator would have reported that takes some failures for successes.
"""

from __future__ import annotations

import gzip
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from searchkit.experiments import paired_bootstrap

DATA = Path(__file__).parents[4] / "shared" / "data" / "reflexion_alfworld"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the ALFWorld logs are not in ../shared/data")
GAMES = 134


def trials(name: str, most: int) -> np.ndarray:
    """[trials, games]: whether a game was solved by then."""
    rows = []
    for trial in range(most):
        games = json.loads(gzip.decompress((DATA / f"{name}_env_results_trial_{trial}.json.gz").read_bytes()))
        assert [game["name"] for game in games] == [f"env_{i}" for i in range(GAMES)]
        rows.append([game["is_success"] for game in games])
    return np.array(rows, bool)


def evaluated(solved: np.ndarray, fooled: float) -> list[float]:
    """Games that an agent has right when it stops, by trial, if its evaluator passes a failed trial with the chance
    `fooled`, and every right one: right by trial t if no failure before it was passed.

    An evaluator that fails right trials cannot be replayed: solved games were not played on.
    """
    first = np.where(solved.any(0), solved.argmax(0), len(solved))  # failures before the game was solved
    return [float(((1 - fooled) ** first * (first <= trial)).sum()) for trial in range(len(solved))]


def test_the_curves_of_both() -> None:
    """Solved by trial, as counted from the logs; what is solved stays so."""
    base, reflexion = trials("base", 7), trials("reflexion", 15)
    assert base.sum(1).tolist() == [84, 94, 97, 98, 100, 101, 101]
    assert reflexion.sum(1).tolist()[:7] == [84, 103, 111, 113, 117, 118, 123]
    assert (reflexion[10].sum(), reflexion[14].sum()) == (130, 134)
    for solved in (base, reflexion):
        assert (solved[1:] >= solved[:-1]).all()


def test_reflection_gains_more_than_retrying_does() -> None:
    """Retrying alone gains 17 games by the seventh trial, reflection 39: the gap is 22 games, game by game."""
    base, reflexion = trials("base", 7), trials("reflexion", 7)
    assert base[6].sum() - base[0].sum() == 17
    assert reflexion[6].sum() - reflexion[0].sum() == 39
    gap = paired_bootstrap(reflexion[6].astype(float), base[6].astype(float))
    assert math.isclose(gap.mean, 22 / GAMES)
    assert 0.08 < gap.low < gap.mean < gap.high < 0.25
    apart = [int((reflexion[6] & ~base[6]).sum()), int((base[6] & ~reflexion[6]).sum())]
    assert apart == [23, 1]


def test_memories_are_three_at_most_and_only_of_failed_games() -> None:
    """A game that was solved got no further reflection."""
    before: dict[str, list[str]] = {}
    for trial in range(15):
        games = json.loads(gzip.decompress((DATA / f"reflexion_env_results_trial_{trial}.json.gz").read_bytes()))
        for game in games:
            memory = game["memory"]
            assert len(memory) <= trial + 1
            assert memory[: len(before.get(game["name"], []))] == before.get(game["name"], [])
            before[game["name"]] = memory


@pytest.mark.parametrize(("fooled", "retry", "reflect"), [(0.0, 101.0, 123.0), (0.1, 98.1, 114.9), (0.3, 93.5, 103.6)])
def test_who_stops_decides_what_is_reported(fooled: float, retry: float, reflect: float) -> None:
    """What the reference reports at the trial where an evaluator stopped: the gap shrinks with its errors."""
    base, reflexion = trials("base", 7), trials("reflexion", 7)
    assert [round(evaluated(solved, fooled)[6], 1) for solved in (base, reflexion)] == [retry, reflect]
    rng, played = random.Random(0), 0
    for _ in range(400):  # the same, played
        for game in range(GAMES):
            for trial in range(7):
                if reflexion[trial, game]:
                    played += 1
                    break
                if rng.random() < fooled:
                    break
    assert abs(played / 400 - reflect) < 4 * math.sqrt(GAMES / 4 / 400) + 0.05
