"""Game of 24: an arithmetic expression of four given numbers that comes to 24."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from searchkit.answers import keys
from searchkit.datasets.dataset import Dataset, fill
from searchkit.datasets.files import Row, Source, rows
from searchkit.errors import ConfigError, VerifierError
from searchkit.parsing import parse
from searchkit.protocols import Run
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Independent

SHA256 = "b9f12b3e36d987a3c714c4cef17d89a137d7c59da26532fcfb93b4821d8111b5"
"""Of ``24.csv``, 1,362 puzzles, as in the repository princeton-nlp/tree-of-thought-llm."""

TEMPLATE = """Combine the numbers {question} to 24 with + - * / and parentheses. Use each number exactly once.

Think step by step, and end with a line like "Answer: (1 + 2 + 3) * 4 = 24"."""

LONGEST = 100
"""The longest expression in characters that is read; four numbers of two digits need about 30."""

_ALLOWED = re.compile(r"[0-9+\-*/() ]+")
_SIGNS = str.maketrans("×·÷−[]{}", "**/-()()")
_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_PLACES = (keys.boxed, keys.answer_is, keys.bare)


@dataclass(frozen=True)
class Game24(Independent):
    """Passes an expression that uses each of the puzzle's numbers exactly once and comes to 24, in exact arithmetic.

    The expression is what stands after the last "answer" (or in a box, or is the whole short text), up to the first
    "=". + - * / and parentheses, no signs in front of numbers; it is parsed, never evaluated as a program. numbers:
    those of the bound problem's reference, such as "4 5 6 10". `Verdict.feedback` says what is wrong. Cost:
    microseconds of CPU, no model call.
    """

    numbers: tuple[int, ...] = ()

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def key(self) -> str:
        return f"game24:{self.numbers}"

    @property
    def oracle(self) -> bool:
        """The prompt has the numbers, too."""
        return False

    def bind(self, problem: Problem) -> Game24:
        known = problem.reference or problem.withheld  # the numbers, which the prompt has too: no answer
        found = re.findall(r"[0-9]+", str(known or ""))
        if not found:
            raise ConfigError('Game24 needs the numbers as reference: Problem(id, prompt, reference="4 5 6 10")')
        return replace(self, numbers=tuple(sorted(map(int, found))))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if not self.numbers:
            raise VerifierError('Game24 needs a problem with a reference such as "4 5 6 10", or Game24((4, 5, 6, 10))')
        return [self.judge(sample.value) for sample in samples]

    def judge(self, value: Any) -> Verdict:
        """The verdict on one sample's value."""
        text = expression(value)
        if text is None:
            return Verdict(passed=False, feedback="no arithmetic expression was found", unread=True)
        try:
            used = list[int]()
            result = _value(parse(text, "eval").body, used)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Verdict(passed=False, feedback="the expression is not of numbers, + - * / and parentheses")
        except ZeroDivisionError:
            return Verdict(passed=False, feedback="the expression divides by zero")
        if sorted(used) != sorted(self.numbers):
            return Verdict(passed=False, feedback="the expression does not use each number exactly once")
        right = result == 24
        return Verdict(passed=right, feedback="" if right else f"the expression comes to {result}, not 24")


def game24(source: Source, *, checksum: str | None = SHA256, template: str = TEMPLATE) -> Dataset:
    """The puzzles of ``src/tot/data/24/24.csv``, easiest first, or of another file with a column `Puzzles`.

    The published experiments use ``problems[900:1000]``. Ids are the column `Rank`, or the row's number. Raises
    `ConfigError` as `searchkit.datasets.files.rows` does, and for a puzzle that is not four whole numbers.
    """
    problems = (
        Problem(f"game24/{row.get('Rank') or i}", Prompt.of(fill(template, _numbers(row))), _numbers(row))
        for i, row in enumerate(rows(source, checksum), start=1)
    )
    return Dataset("game24", tuple(problems), Game24(), expression)


def expression(value: Any) -> str | None:
    """The answer key: the expression in a sample's value without blanks; None if there is none or it is too long."""
    found = next((text for key in _PLACES if (text := key.written(value)) is not None), None)
    text = str(found or "").partition("=")[0].translate(_SIGNS).strip()
    if len(text) > LONGEST or not _ALLOWED.fullmatch(text):
        return None
    return re.sub(r"(?<![0-9]) +| +(?![0-9])", "", text)  # "1 2" stays two numbers, and no expression


def _value(node: ast.expr, used: list[int]) -> Fraction:
    """What the expression comes to; its numbers are added to `used`. `ValueError` for anything else than arithmetic."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used.append(node.value)
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _value(node.left, used), _value(node.right, used)
        return _OPERATIONS[type(node.op)](left, right)
    raise ValueError("not arithmetic")


def _numbers(row: Row) -> str:
    found = row.text("Puzzles").split()
    if len(found) != 4 or not all(number.isascii() and number.isdigit() for number in found):
        raise ConfigError(f"{row.where}: a puzzle is four whole numbers, got {row.text('Puzzles')!r:.40}")
    return " ".join(found)
