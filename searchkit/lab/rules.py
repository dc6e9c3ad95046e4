"""Texts that keep the rules of a task, drawn without any search: from them a model learns what follows from a move."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from searchkit.lab.arithmetic import Arithmetic
from searchkit.lab.countdown import Countdown, Puzzle, apply


def play(rng: random.Random) -> tuple[str, str]:
    """A training puzzle of Countdown, and moves that are legal but chosen without a thought of its target."""
    task = Countdown()
    while True:
        asked = task.draw(rng)
        left, text = asked.numbers, ""
        while len(left) > 1:
            line, left = rng.choice(list(_moves(left, task.max_value)))
            text += line + "\n"
        if asked.split == "train" and Puzzle(asked.numbers, left[0]).split == "train":
            return asked.prompt, text


def _moves(left: tuple[int, ...], largest: int | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every legal line with the numbers that it leaves; larger minus smaller always is one."""
    for i, j in itertools.combinations(range(len(left)), 2):
        for op in "+-*/":
            value = apply(left[j], op, left[i])
            if value is not None and (largest is None or value <= largest):
                rest = tuple(sorted((*left[:i], *left[i + 1 : j], *left[j + 1 :], value)))
                yield f"{left[j]}{op}{left[i]}={value}:{' '.join(map(str, rest))}", rest


def reduction(rng: random.Random) -> tuple[str, str]:
    """A training expression of arithmetic with one of its solutions."""
    asked, lines = Arithmetic().solved(rng)
    return asked.prompt, "".join(line + "\n" for line in lines)
