"""Countdown: the solver against brute force, the checker against the solver, the splits against one another."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.lab.countdown import Countdown, Puzzle, check, paths, replay, solutions


def brute_force(numbers: tuple[int, ...]) -> set[int]:
    """All values of expression trees over all orders of the numbers, in fractions, whole and non-negative at each step.

    A second algorithm: splits ordered lists into two parts, instead of picking pairs.
    """

    def values(ordered: tuple[int, ...]) -> set[Fraction]:
        if len(ordered) == 1:
            return {Fraction(ordered[0])}
        found = set()
        for cut in range(1, len(ordered)):
            for a, b in itertools.product(values(ordered[:cut]), values(ordered[cut:])):
                found |= {a + b, a * b, a - b} | ({a / b} if b else set())
        return {v for v in found if v.denominator == 1 and v >= 0}

    return {int(v) for order in itertools.permutations(numbers) for v in values(order)}


@pytest.mark.parametrize("seed", range(12))
def test_the_solver_reaches_exactly_what_brute_force_reaches(seed: int) -> None:
    """Same set of reachable values as the second algorithm, for three or four random numbers."""
    rng = random.Random(seed)
    numbers = tuple(sorted(rng.randint(1, 20) for _ in range(3 + seed % 2)))
    assert {final for final, _ in paths(numbers)} == brute_force(numbers)


def test_there_are_at_most_1152_paths() -> None:
    """Four numbers: 24 * 12 * 4 pairs of operands and operations, fewer where a quotient is not whole."""
    assert 0 < sum(1 for _ in paths((3, 7, 11, 13))) <= 1152
    assert sum(1 for _ in paths((2, 4))) == 4  # 6, 2, 8, 2
    assert sum(1 for _ in paths((2, 4), max_value=7)) == 3


def test_every_solution_passes_and_every_change_of_a_digit_fails() -> None:
    """The checker accepts what the solver found, and nothing that differs from it in one digit."""
    rng = random.Random(0)
    for puzzle in Countdown().puzzles(20, "dev"):
        lines = rng.choice(solutions(puzzle, 200))
        text = "".join(line + "\n" for line in lines)
        assert check(puzzle, text) == ""
        assert check(puzzle, text.rstrip("\n")) == ""
        for i, c in enumerate(text):
            if c.isdigit():
                changed = text[:i] + str((int(c) + 1) % 10) + text[i + 1 :]
                assert check(puzzle, changed) != "" or changed == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unfinished"),
        ("20+7=27:3 27\n", "unfinished"),
        ("20+7=28:3 28\n28-3=25:25\n", "arithmetic"),
        ("20+8=28:3 28\n", "not available"),
        ("20+20=40:3 7\n", "not available"),
        ("20+7=27:3 26\n", "lists the wrong"),
        ("20-7=13:3 13\n13+3=16:16\n", "reached 16"),
        ("3-7=-4:-4 20\n", "not 'a+b=c:rest'"),
        ("20/7=2:2 3\n", "arithmetic"),
        ("the answer is 24", "not 'a+b=c:rest'"),
        ("20+7=27:3 27\n27-3=24:24\n\n", "not 'a+b=c:rest'"),
        ("20+7=27:3 27\n27-3=24:24\n24+0=24:24\n", "not available"),
        ("__import__('os')", "not 'a+b=c:rest'"),
    ],
)
def test_wrong_texts_fail_with_the_reason(text: str, reason: str) -> None:
    """The table above, on 3 7 20>24."""
    assert reason in check(Puzzle((3, 7, 20), 24), text)


@given(st.text(max_size=300))
def test_no_text_makes_the_checker_raise(text: str) -> None:
    assert check(Puzzle((3, 7, 20), 24), text) != ""


def test_hostile_texts_take_linear_time() -> None:
    """Megabytes of digits, spaces and lines are refused at the first line."""
    for text in ("9" * 3_000_000, "1+1=2:" + "1 " * 1_000_000, "\n" * 1_000_000, "1+" * 1_000_000):
        assert replay(Puzzle((1, 1), 2), text).steps == 0


def test_partial_texts_can_be_replayed() -> None:
    """What an environment needs: the numbers left after the finished lines."""
    assert replay(Puzzle((3, 7, 20), 24), "20+7=27:3 27\n").remaining == (3, 27)
    assert replay(Puzzle((3, 7, 20), 24), "").remaining == (3, 7, 20)


def test_the_splits_are_disjoint_by_sorted_numbers_and_target() -> None:
    """Order of the numbers does not matter; every puzzle is in exactly one split; seeds give different puzzles."""
    task = Countdown()
    drawn = {split: set(task.puzzles(60, split)) for split in ("train", "dev", "test")}
    assert not drawn["train"] & drawn["test"]
    assert not drawn["dev"] & drawn["test"]
    assert Puzzle((4, 3, 2), 9) == Puzzle((2, 3, 4), 9)
    assert task.puzzles(10) == task.puzzles(10) != task.puzzles(10, seed=1)


def test_the_published_task_is_covered() -> None:
    """Numbers up to 99, targets 10 to 100, no bound on intermediates; all solvable."""
    for puzzle in Countdown(high=99, max_value=None).puzzles(5):
        assert max(puzzle.numbers) <= 99
        assert 10 <= puzzle.target <= 100
        assert solutions(puzzle)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="looks like"):
        Puzzle.parse("make 24 from 3 7 20")
    with pytest.raises(ValueError, match="impossible range"):
        Countdown(low=5, high=4)
    with pytest.raises(ValueError, match="widen the range"):
        Countdown(count=2, high=2).puzzles(2)
    with pytest.raises(ValueError, match="two"):
        Puzzle((3,), 3)
