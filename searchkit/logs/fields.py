"""Plain JSON lines: what your own file calls things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from searchkit.errors import ConfigError
from searchkit.kinds import told


@dataclass(frozen=True)
class FieldNames:
    """What a file of JSON lines calls what an `Entry` has; "" stands for what it does not have.

    A name with dots is a path, ``response.text``. Where `value` is a list, the line is a problem with all its samples,
    and whatever else is a list of the same length has one entry a sample.

    - problem: the problem's id, a text or a whole number.
    - value: what the model said.
    - correct: true, false, or a number that is held against `How.threshold`; null is unknown.
    - score: a number, which methods go by.
    - key: the answer; without it `How.key` finds one.
    - generated_tokens, prompt_tokens, usd, finish: as an entry has them.
    - prompt, reference: of the problem, for `Imported.problems`.

    >>> FieldNames.of(["value=completion", "correct=passed"]).correct
    'passed'
    """

    problem: str = "problem"
    value: str = "value"
    correct: str = "correct"
    score: str = "score"
    key: str = "key"
    generated_tokens: str = "generated_tokens"
    prompt_tokens: str = "prompt_tokens"
    usd: str = "usd"
    finish: str = "finish"
    prompt: str = "prompt"
    reference: str = "reference"

    def __post_init__(self) -> None:
        for one in fields(self):
            if not isinstance(getattr(self, one.name), str):
                raise ConfigError(
                    f"FieldNames({one.name}=...) is the name of a field, got {told(getattr(self, one.name))}"
                )
        if not self.problem or not self.value:
            raise ConfigError("FieldNames needs the names of problem and value: without them there is no sample")

    @classmethod
    def of(cls, given: Iterable[str]) -> Self:
        """From ``name=field`` texts."""
        known, found = [one.name for one in fields(cls)], dict[str, str]()
        for one in given:
            name, equals, field = one.partition("=")
            if not equals or name not in known:
                raise ConfigError(f"a field is written NAME=FIELD with one of {', '.join(known)}, got {told(one)}")
            found[name] = field
        return cls(**found)


ROWS = FieldNames()


def at(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a name or at a path with dots; None if nothing does. A name that has dots itself comes first."""
    if not path:
        return None
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
