"""Dataset: problems ready to be solved, with the verifier that knows what is right."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Verifier
from searchkit.types import Problem

QUESTION = "{question}"


@dataclass(frozen=True)
class Dataset:
    """Problems whose prompts are complete and whose references `verifier` understands.

    key: the answer of a sample's value, for votes; None where answers are not voted on (programs).
    """

    name: str
    problems: tuple[Problem, ...] = field(repr=False)
    verifier: Verifier
    key: Callable[[Any], Hashable | None] | None = None


def fill(template: str, question: str) -> str:
    """`template` with the question in the place of {question}, whatever other braces there are.

    Raises `ConfigError` if it has no such place.
    """
    if QUESTION not in template:
        raise ConfigError(f"a template says where the question goes: it lacks {QUESTION}, got {template!r:.80}")
    return template.replace(QUESTION, question)
