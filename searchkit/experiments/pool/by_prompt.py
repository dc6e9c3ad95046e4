"""How a strategy finds what is stored for its problem: it is told the prompt, never the problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from searchkit.codec import digest
from searchkit.errors import ConfigError
from searchkit.types import Params, Problem, Prompt

T = TypeVar("T")


def by_prompt(problems: Iterable[Problem], values: Mapping[str, T]) -> dict[bytes, T]:
    """The values, given by problem id, under `name_of` each problem's prompt.

    Raises `ConfigError` if two problems share their prompt and not their value.
    """
    found: dict[bytes, T] = {}
    for problem in problems:
        value = values[problem.id]
        if found.setdefault(name_of(problem.prompt), value) != value:
            raise ConfigError(f"problem {problem.id!r} has the prompt of another problem: keep them in two pools")
    return found


def name_of(prompt: Prompt) -> bytes:
    """16 bytes, the same for equal prompts only."""
    return digest(prompt, Params())
