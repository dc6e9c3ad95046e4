"""What the data sets of mathematics share: the prompt, and the verifier that reads what the prompt asks for."""

from __future__ import annotations

from collections.abc import Iterable

from searchkit.datasets.dataset import Dataset, fill
from searchkit.types import Problem, Prompt
from searchkit.verifiers.reference.math_equal import MathEqual
from searchkit.verifiers.reference.maths.key import math_key

TEMPLATE = r"""{question}

Reason step by step, and put the final answer within \boxed{}."""


Item = tuple[str, str | Prompt, str]


def maths(name: str, template: str, items: Iterable[Item]) -> Dataset:
    """A data set of (id, question, reference answer), judged by `MathEqual` and voted on by `math_key`."""
    return Dataset(name, problems(template, items), MathEqual(), math_key)


def problems(template: str, items: Iterable[Item]) -> tuple[Problem, ...]:
    """Problems from (id, question, reference answer); a question that is a prompt already stays as it is."""
    return tuple(Problem(key, _asked(template, question), answer) for key, question, answer in items)


def _asked(template: str, question: str | Prompt) -> Prompt:
    return question if isinstance(question, Prompt) else Prompt.of(fill(template, question))
