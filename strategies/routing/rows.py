"""Recorded tries, on which what chooses between arms is fitted: who was asked what, was it right, what did it cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told

Tried = tuple[Any, ...]
"""(prompt, arm, right, cost), and the verifier's score as a fifth where there is one: a text, a name, a number in
[0, 1], one >= 0, a number or None."""
Try = tuple[float, float, float | None]  # right, cost, score


def by_prompt(rows: Iterable[Tried], arms: Sequence[str]) -> dict[str, dict[str, list[Try]]]:
    """Of each prompt the tries of each arm, in the order of the rows; those of other arms are left out.

    Raises `ConfigError` for rows that are none, and where there are none.
    """
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
        raise ConfigError(f"rows are (prompt, arm, right, cost) one by one, got {told(rows)}")
    if len(set(arms)) != len(arms) or not all(isinstance(arm, str) and arm for arm in arms):
        raise ConfigError(f"arms are told apart by their names, got {told(list(arms))}")
    found: dict[str, dict[str, list[Try]]] = {}
    for row in rows:
        prompt, arm, right, cost, score = checked(row)
        if arm in arms:
            found.setdefault(prompt, {}).setdefault(arm, []).append((right, cost, score))
    if not found:
        raise ConfigError(f"there is no row of the arms {', '.join(arms)}: give (prompt, arm, right, cost)")
    return found


def checked(row: Tried) -> tuple[str, str, float, float, float | None]:
    """The row with numbers; `ConfigError` for what is none."""
    if not isinstance(row, tuple | list) or len(row) not in (4, 5):
        raise ConfigError(f"a row is (prompt, arm, right, cost), or these and a score, got {told(row)}")
    prompt, arm, right, cost, score = (*row, None)[:5]
    if not isinstance(prompt, str) or not isinstance(arm, str):
        raise ConfigError(f"a row begins with the text of a prompt and the name of an arm, got {told(row)}")
    if not (is_number(right) or _is_truth(right)) or not 0 <= right <= 1:
        raise ConfigError(f"right is True, False, or a share in [0, 1], got {told(right)}")
    if not is_number(cost) or not 0 <= cost < math.inf:
        raise ConfigError(f"a cost is a finite number >= 0, got {told(cost)}")
    if score is not None and (not is_number(score) or math.isnan(score)):
        raise ConfigError(f"a score is a number, or None where the verifier abstained, got {told(score)}")
    return prompt, arm, float(right), float(cost), None if score is None else float(score)


def _is_truth(value: object) -> bool:
    """True and False, and NumPy's, which is no kind of them."""
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def complete(found: Mapping[str, Mapping[str, Sequence[Try]]], arms: Sequence[str]) -> list[list[Try]]:
    """[problems][arms]: the first try of each arm. Raises `ConfigError` where one is missing."""
    for prompt, tries in found.items():
        missing = [arm for arm in arms if arm not in tries]
        if missing:
            raise ConfigError(f"no try of {', '.join(missing)} is recorded for the prompt {told(prompt)}")
    return [[tries[arm][0] for arm in arms] for tries in found.values()]
