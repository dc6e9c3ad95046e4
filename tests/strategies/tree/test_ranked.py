"""Sums above a level, against adding up a sorted list."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.strategies.tree.policies import ranked
from searchkit.strategies.tree.policies.ranked import Ranked

NUMBERS = st.lists(st.integers(-20, 20).map(lambda n: n / 8) | st.floats(-1e6, 1e6), max_size=60)


@given(numbers=NUMBERS, levels=st.lists(st.integers(-21, 21).map(lambda n: n / 8), min_size=1, max_size=8))
@pytest.mark.parametrize("most", [2, 5, 512])
def test_what_is_above_a_level(most: int, numbers: list[float], levels: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranked, "MOST", most)
        found = Ranked()
        for number in numbers:
            found.add(number)
    assert list(found) == sorted(numbers)
    assert len(found) == len(numbers)
    assert found.total == pytest.approx(math.fsum(numbers), abs=1e-9)
    for level in [*levels, *numbers[:5]]:
        above = [number for number in numbers if number > level]
        count, total = found.above(level)
        assert count == len(above)
        assert total == pytest.approx(math.fsum(above), abs=1e-8)


def test_many_numbers_stay_in_order() -> None:
    draws = random.Random(1)
    numbers = [draws.choice([0.0, 0.5, draws.random()]) for _ in range(5_000)]
    found = Ranked()
    for number in numbers:
        found.add(number)
    assert list(found) == sorted(numbers)
    assert found.above(0.5) == (sum(n > 0.5 for n in numbers), pytest.approx(math.fsum(n for n in numbers if n > 0.5)))


@pytest.mark.parametrize("most", [2, 7, 512])
def test_sums_that_are_asked_for_between_additions(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked, "MOST", most)
    draws, found, numbers = random.Random(2), Ranked(), list[float]()
    for place in range(300):
        numbers.append(draws.randrange(64) / 8)
        found.add(numbers[-1])
        if place % 3 == 0:
            assert found.total == math.fsum(numbers)
        if place % 5 == 0:
            above = [number for number in numbers if number > 4]
            assert found.above(4) == (len(above), math.fsum(above))
