"""Countdown: combine every number exactly once with + - * / to reach a target.

The task of the embedded model. A puzzle is a few positive integers and a target; a solution is one operation a line,
each line naming the numbers that are left afterwards, in ascending order::

    4 13 16 19>51         the prompt: numbers in ascending order, then the target
    19-16=3:3 4 13        three numbers are left
    13+4=17:3 17
    17*3=51:51            until the target is the only number left

Moves follow Adaptive Parallel Reasoning (Pan et al. 2025, released ``countdown.py``): sum, product, larger minus
smaller, exact quotient of larger by smaller; intermediates stay whole and non-negative.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test"]
Path = tuple[str, ...]  # the lines of one solution, without newlines

_LINE = re.compile(r"(\d{1,9})([-+*/])(\d{1,9})=(\d{1,9}):(\d{1,9}(?: \d{1,9})*)")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Numbers in ascending order, and the target to reach with all of them."""

    numbers: tuple[int, ...]
    target: int

    def __post_init__(self) -> None:
        if len(self.numbers) < 2 or min(self.numbers) < 0:
            raise ValueError(f"a puzzle needs at least two non-negative numbers, got {self.numbers}")
        object.__setattr__(self, "numbers", tuple(sorted(self.numbers)))

    @classmethod
    def parse(cls, prompt: str) -> Puzzle:
        """The puzzle that `prompt` (``"4 13 16 19>51"``) states; `ValueError` names the form otherwise."""
        match = re.fullmatch(r"\s*(\d{1,9}(?:\s+\d{1,9})+)\s*>\s*(\d{1,9})\s*", prompt)
        if not match:
            raise ValueError(
                f"a Countdown prompt looks like '4 13 16 19>51' (numbers, '>', target), got {prompt[:80]!r}"
            )
        return cls(tuple(map(int, match[1].split())), int(match[2]))

    @property
    def prompt(self) -> str:
        return " ".join(map(str, self.numbers)) + f">{self.target}\n"

    @property
    def split(self) -> Split:
        """2 % of all puzzles are held out for development, 2 % for test, by a hash of numbers and target."""
        bucket = hashlib.blake2b(self.prompt.encode(), digest_size=4).digest()[0] % 50
        return "test" if bucket == 0 else "dev" if bucket == 1 else "train"


@dataclass(frozen=True, slots=True)
class Replay:
    """What executing a text step by step found: the numbers left, and the first error ("" if none)."""

    remaining: tuple[int, ...]
    steps: int
    error: str = ""


def replay(puzzle: Puzzle, text: str) -> Replay:
    """Execute the finished lines of `text`. Each operand must be available, each result and each list exact."""
    left, done = list(puzzle.numbers), 0
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        match = _LINE.fullmatch(line)
        if not match:
            return Replay(tuple(left), done, f"line {number} is not 'a+b=c:rest'")
        a, b, c = int(match[1]), int(match[3]), int(match[4])
        try:
            left.remove(a)
            left.remove(b)
        except ValueError:
            return Replay(tuple(left), done, f"line {number} uses a number that is not available")
        if apply(a, match[2], b) != c:
            return Replay(tuple(left), done, f"line {number} is wrong arithmetic")
        left.append(c)
        if sorted(left) != sorted(map(int, match[5].split())):
            return Replay(tuple(left), done, f"line {number} lists the wrong numbers")
        done += 1
    return Replay(tuple(sorted(left)), done)


def line_operation(line: str) -> str | None:
    """The operation of a solution's line, ``"20-13=7"``; None if the line is not of the form."""
    return line.partition(":")[0] if _LINE.fullmatch(line) else None


def check(puzzle: Puzzle, text: str) -> str:
    """Return "" if `text` is a complete, exact solution of `puzzle`, else the reason why not."""
    result = replay(puzzle, text)
    if result.error:
        return result.error
    if len(result.remaining) > 1:
        return f"unfinished: {len(result.remaining)} numbers are left"
    return "" if result.remaining[0] == puzzle.target else f"reached {result.remaining[0]}, not {puzzle.target}"


def apply(a: int, op: str, b: int) -> int | None:
    """`a op b` in whole numbers; None where that is not defined (inexact quotient, division by zero)."""
    if op == "/":
        return a // b if b and a % b == 0 else None
    return a + b if op == "+" else a * b if op == "*" else a - b


def paths(numbers: tuple[int, ...], max_value: int | None = None) -> Iterator[tuple[int, Path]]:
    """Every way to use all `numbers`, as (final value, lines); intermediates above `max_value` are left out.

    Exhaustive: at most 24 * 12 * 4 = 1,152 paths for four numbers. Equal numbers give equal lines more than once.
    """
    if len(numbers) == 1:
        yield numbers[0], ()
        return
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            small, large = sorted((numbers[i], numbers[j]))
            rest = numbers[:i] + numbers[i + 1 : j] + numbers[j + 1 :]
            for op in "+-*/":
                value = apply(large, op, small)
                if value is None or (max_value is not None and value > max_value):
                    continue
                left = tuple(sorted((*rest, value)))
                line = f"{large}{op}{small}={value}:{' '.join(map(str, left))}"
                for final, lines in paths(left, max_value):
                    yield final, (line, *lines)


def solutions(puzzle: Puzzle, max_value: int | None = None) -> list[Path]:
    """All distinct solutions of `puzzle`, in a fixed order; empty if it cannot be solved."""
    return sorted({lines for final, lines in paths(puzzle.numbers, max_value) if final == puzzle.target})


@dataclass(frozen=True, slots=True)
class Countdown:
    """A distribution of solvable puzzles. The defaults are the range that the shipped model has learnt.

    `Countdown(high=99, max_value=None)` is the published task: 4 numbers uniform in 1..99, target uniform in 10..100.
    """

    count: int = 4
    low: int = 1
    high: int = 20
    target_low: int = 10
    target_high: int = 100
    max_value: int | None = 200

    def __post_init__(self) -> None:
        if self.count < 2 or not 1 <= self.low <= self.high or not 1 <= self.target_low <= self.target_high:
            raise ValueError(f"impossible range of puzzles: {self}")

    def draw(self, rng: random.Random) -> Puzzle:
        """A uniform puzzle, which may have no solution."""
        numbers = tuple(rng.randint(self.low, self.high) for _ in range(self.count))
        return Puzzle(numbers, rng.randint(self.target_low, self.target_high))

    def puzzles(self, n: int, split: Split = "test", seed: int = 0) -> list[Puzzle]:
        """`n` different solvable puzzles of one split, the same for the same seed.

        Raises `ValueError` if the range is too small to hold `n` of them.
        """
        rng, found = random.Random(f"countdown/{split}/{seed}"), dict[Puzzle, None]()
        for _ in range(10_000 * (n + 1)):
            if len(found) == n:
                return list(found)
            puzzle = self.draw(rng)
            if puzzle.split == split and puzzle not in found and solutions(puzzle, self.max_value):
                found[puzzle] = None
        raise ValueError(f"{self} has too few solvable {split} puzzles: found {len(found)} of {n}; widen the range")
