"""Arithmetic: reduce an expression of 3 to 6 numbers with + - * and parentheses to its value.

The second task of the lab, with one numeric answer, so that votes can be counted, and with steps that are right or
wrong by themselves. A prompt is an expression; each line of a solution is the expression after one more operation::

    3*(12+7)-5            the prompt
    3*19-5                one operation is done, the rest is copied
    57-5
    52                    until a number is left

Operations of equal rank are done from left to right; of those that are ready (both operands are numbers) any may come
next. Parentheses stand only where the order of operations needs them. Every value on the way lies in 0..999.
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
Tree = int | tuple["Tree", str, "Tree"]

LARGEST = 999
"""The largest value of a number or of any part of an expression."""

LONGEST = 64
"""The longest expression in characters that is read; six numbers of three digits need 31."""

_RANK = {"+": 1, "-": 1, "*": 2}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")
_MARK = LARGEST + 1  # stands for an unknown result: four digits in a row occur nowhere else


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as a tree: a number, or (left, operation, right). `ValueError` if a value leaves 0..999."""

    tree: Tree

    def __post_init__(self) -> None:
        if evaluate(self.tree) is None:
            raise ValueError(f"every value on the way must lie in 0..{LARGEST}, not so in {show(self.tree)}")

    @classmethod
    def parse(cls, prompt: str) -> Expression:
        """The expression that `prompt` (``"3*(12+7)-5"``) states; `ValueError` names the form otherwise.

        Outer blanks do not count. Superfluous parentheses are refused, so that an expression has one text.
        """
        text = prompt[: 2 * LONGEST].strip()
        tree = _Reader(text).whole() if len(text) <= LONGEST else None
        if tree is None or show(tree) != text:
            raise ValueError(
                "an expression looks like '3*(12+7)-5' (numbers up to 999, + - *, no parentheses that change "
                f"nothing, at most {LONGEST} characters), got {prompt[:80]!r}"
            )
        return cls(tree)

    @property
    def text(self) -> str:
        return show(self.tree)

    @property
    def prompt(self) -> str:
        return self.text + "\n"

    @property
    def value(self) -> int:
        """What it comes to, in 0..999."""
        found = evaluate(self.tree)
        assert found is not None  # checked when it was made
        return found

    @property
    def split(self) -> Split:
        """2 % of all expressions are held out for development, 2 % for test, by a hash of the text.

        ``3*(12+7)`` and ``(7+12)*3`` are always in the same split: the sides of + and * are put in order first.
        """
        bucket = hashlib.blake2b(_ordered(self.tree).encode(), digest_size=4).digest()[0] % 50
        return "test" if bucket == 0 else "dev" if bucket == 1 else "train"


class _Reader:
    """Recursive descent over a short text; each method returns None where the text is not of the form."""

    def __init__(self, text: str) -> None:
        self.text: str = text
        self.at: int = 0

    def whole(self) -> Tree | None:
        tree = self.chain("+-")
        return tree if self.at == len(self.text) else None

    def chain(self, operations: str) -> Tree | None:
        """Operands joined by `operations` of one rank, from left to right."""
        tree = self.operand(operations)
        while tree is not None and self.at < len(self.text) and self.text[self.at] in operations:
            operation = self.text[self.at]
            self.at += 1
            right = self.operand(operations)
            tree = None if right is None else (tree, operation, right)
        return tree

    def operand(self, operations: str) -> Tree | None:
        if operations == "+-":
            return self.chain("*")
        if self.text.startswith("(", self.at):
            self.at += 1
            tree = self.chain("+-")
            self.at += 1  # whatever stands here: `parse` compares the text of the tree with what it read
            return tree
        match = _NUMBER.match(self.text, self.at)
        if not match:
            return None
        self.at = match.end()
        return int(match[0])


def apply(a: int, operation: str, b: int) -> int | None:
    """`a operation b`; None where the result lies outside 0..999."""
    result = a + b if operation == "+" else a * b if operation == "*" else a - b
    return result if 0 <= result <= LARGEST else None


def evaluate(tree: Tree) -> int | None:
    """The value of `tree`; None if a value on the way lies outside 0..999."""
    if isinstance(tree, int):
        return tree if 0 <= tree <= LARGEST else None
    left, right = evaluate(tree[0]), evaluate(tree[2])
    return None if left is None or right is None else apply(left, tree[1], right)


def show(tree: Tree, rank: int = 0) -> str:
    """The text of `tree`, in parentheses if its operation binds less tightly than `rank`."""
    if isinstance(tree, int):
        return str(tree)
    left, operation, right = tree
    own = _RANK[operation]
    text = show(left, own) + operation + show(right, own + 1)  # a right side of equal rank would be read as a left one
    return f"({text})" if own < rank else text


def _ordered(tree: Tree) -> str:
    """A text that is the same for trees that differ only in the order of the sides of + and *."""
    if isinstance(tree, int):
        return str(tree)
    sides = [_ordered(tree[0]), _ordered(tree[2])]
    return f"({tree[1].join(sides if tree[1] == '-' else sorted(sides))})"


def ready(tree: Tree, mark: bool = False) -> Iterator[Tree]:
    """`tree` after each operation whose operands are numbers, from left to right; `mark`: with 1000 for the result."""
    if isinstance(tree, int):
        return
    left, operation, right = tree
    if isinstance(left, int) and isinstance(right, int):
        result = apply(left, operation, right)
        if result is not None:
            yield _MARK if mark else result
        return
    for after in ready(left, mark):
        yield (after, operation, right)
    for after in ready(right, mark):
        yield (left, operation, after)


def reduce(expression: Expression) -> list[Expression]:
    """What can come next: `expression` after each of its ready operations (1 to 3 for six numbers), left to right."""
    return [Expression(tree) for tree in ready(expression.tree)]


def solutions(expression: Expression) -> list[Path]:
    """All ways to reduce `expression` to its value, in a fixed order: at most 8 for six numbers."""
    if isinstance(expression.tree, int):
        return [()]
    return sorted({(after.text, *rest) for after in reduce(expression) for rest in solutions(after)})


@dataclass(frozen=True, slots=True)
class Replay:
    """What following a text line by line found: the expression left, the right lines, the first error ("" if none)."""

    remaining: Expression
    steps: int
    error: str = ""


def replay(expression: Expression, text: str) -> Replay:
    """Follow the lines of `text`: each must be the one before with exactly one ready operation done, rightly.

    The error names the line and says whether the result of the operation is wrong, or anything else. Linear in `text`.
    """
    left, done = expression, 0
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        following = next((after for after in reduce(left) if after.text == line), None)
        if following is None:
            return Replay(left, done, f"line {number} {_mistake(left, line)}")
        left, done = following, done + 1
    return Replay(left, done)


def _mistake(before: Expression, line: str) -> str:
    for tree in ready(before.tree, mark=True):
        head, tail = map(re.escape, show(tree).split(str(_MARK)))
        if re.fullmatch(f"{head}[0-9]+{tail}", line):
            return "is wrong arithmetic"
    return f"is not {before.text} with one operation done"


def check(expression: Expression, text: str) -> str:
    """Return "" if `text` reduces `expression` to its value by right lines alone, else the reason why not.

    Stricter than comparing `answer(text)` with the value, which two wrong lines may reach by luck.
    """
    result = replay(expression, text)
    if result.error:
        return result.error
    return "" if isinstance(result.remaining.tree, int) else f"unfinished: {result.remaining.text} is left"


def labels(expression: Expression, text: str) -> tuple[bool, ...]:
    """One label a line of `text`, for process rewards: True up to the first wrong line, False from there on."""
    lines = len(text.removesuffix("\n").split("\n")) if text else 0
    right = replay(expression, text).steps
    return tuple(line < right for line in range(lines))


def answer(value: str) -> str | None:
    """The number on the last line of a solution, the answer that a vote counts; None if there is none."""
    last = value.rstrip("\n").rpartition("\n")[2]
    return last if _NUMBER.fullmatch(last) else None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A distribution of expressions. The defaults are the range that the shipped model has learnt.

    As many numbers as `fewest` to `most`, each in `low` to `high`; a random tree over them, and at each node an
    operation drawn uniformly from those that keep its value in 0..999.
    """

    fewest: int = 3
    most: int = 6
    low: int = 1
    high: int = 50

    def __post_init__(self) -> None:
        if not 3 <= self.fewest <= self.most <= 6 or not 0 <= self.low <= self.high <= LARGEST:
            raise ValueError(f"impossible range of expressions: {self}")

    def draw(self, rng: random.Random) -> Expression:
        """A random expression of any split."""
        return Expression(self._tree(rng, rng.randint(self.fewest, self.most))[0])

    def _tree(self, rng: random.Random, count: int) -> tuple[Tree, int]:
        """A tree over `count` numbers and its value."""
        if count == 1:
            number = rng.randint(self.low, self.high)
            return number, number
        cut = rng.randint(1, count - 1)
        (left, a), (right, b) = self._tree(rng, cut), self._tree(rng, count - cut)
        possible = [(operation, v) for operation in "+-*" if (v := apply(a, operation, b)) is not None]
        if not possible:  # then b is larger than a
            return (right, "-", left), b - a
        operation, value = rng.choice(possible)
        return (left, operation, right), value

    def solved(self, rng: random.Random) -> tuple[Expression, Path]:
        """A training expression and one of its solutions: at each line a ready operation drawn uniformly.

        No line of three numbers or more belongs to a held-out expression, whose solution would otherwise be seen as
        the end of a longer one.
        """
        while True:
            lines = [self.draw(rng)]
            while not isinstance(lines[-1].tree, int):
                lines.append(Expression(rng.choice(list(ready(lines[-1].tree)))))
            if all(line.split == "train" for line in lines[:-2]):
                return lines[0], tuple(line.text for line in lines[1:])

    def expressions(self, n: int, split: Split = "test", seed: int = 0) -> list[Expression]:
        """`n` different expressions of one split, the same for the same seed.

        Raises `ValueError` if the range is too small to hold `n` of them.
        """
        rng, found = random.Random(f"arithmetic/{split}/{seed}"), dict[Expression, None]()
        for _ in range(10_000 * (n + 1)):
            if len(found) == n:
                return list(found)
            expression = self.draw(rng)
            if expression.split == split:
                found[expression] = None
        raise ValueError(f"{self} has too few {split} expressions: found {len(found)} of {n}; widen the range")
