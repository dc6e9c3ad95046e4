"""Plain JSON lines, by the names in `FieldNames`; large-language-monkeys' form is one of them, a problem a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.kinds import is_number, is_whole, told
from searchkit.logs.bounded import lines
from searchkit.logs.fields import FieldNames, at
from searchkit.logs.logged import Graded, How, Logged, Notes, count, ended, entry, failed, money

NAME = "jsonl"
ABOUT = "plain JSON lines, a sample or a problem each, with --field for what they call things"
USES = ("threshold", "key", "prices", "fields")
OF_SAMPLES = ("value", "correct", "score", "key", "generated_tokens", "prompt_tokens", "usd", "finish")


def fits(path: Path, head: bytes) -> bool:
    """Whatever begins as an object on a line; other forms are tried first."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read(path: Path, how: How, told: Notes) -> Iterator[Logged]:
    """The samples of the lines; see `FieldNames`."""
    for where, row in lines(path, told.advance):
        yield from of_row(row, how, how.fields, where)


def of_row(row: Mapping[str, Any], how: How, names: FieldNames, where: str) -> Iterator[Logged]:
    """The samples of one object."""
    problem = named(at(row, names.problem), where, names.problem)
    prompt, reference = at(row, names.prompt), at(row, names.reference)
    found = {name: at(row, getattr(names, name)) for name in OF_SAMPLES if getattr(names, name)}
    if "value" not in found or (found["value"] is None and not _has(row, names.value)):
        have = ", ".join(map(repr, list(row)[:20]))
        raise ConfigError(
            f"{where}: no field {names.value!r}; it has {have}: name what the model said, --field value=NAME"
        )
    samples = _columns(found, where) if isinstance(found["value"], list) else [found]
    for one in samples:
        yield Logged(problem, _entry(one, how, where), prompt, reference)


def named(value: Any, where: str, field: str = "id") -> str:
    """A problem's id as a text."""
    if isinstance(value, str) and value:
        return value.encode("utf-8", "backslashreplace").decode()  # two that no file can hold stay two
    if is_whole(value):
        return str(value)
    raise ConfigError(
        f"{where}: the field {field!r} must be a problem's id, a text or a whole number, got {told(value)}: mend the "
        "row, or name another field, --field problem=NAME"
    )


def _has(row: Mapping[str, Any], path: str) -> bool:
    parent, _, last = path.rpartition(".")
    inside = at(row, parent) if parent else row
    return path in row or (isinstance(inside, Mapping) and last in inside)


def _columns(found: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """A dictionary a sample, of lists that run side by side; what is no list is true of all."""
    length = len(found["value"])
    for name, column in found.items():
        if isinstance(column, list) and len(column) != length:
            raise ConfigError(
                f"{where}: {length} samples and {len(column)} entries of {name}: one must be wrong, mend the row"
            )
    for i in range(length):
        yield {name: column[i] if isinstance(column, list) else column for name, column in found.items()}


def _entry(one: Mapping[str, Any], how: How, where: str) -> Entry:
    tokens = count(one.get("prompt_tokens"), where), count(one.get("generated_tokens"), where)
    paid, finish = money(one.get("usd"), where), one.get("finish")
    if finish == "error":
        return failed("", tokens, paid or 0.0)
    scores = {} if (score := _number(one.get("score"), "score", where)) is None else {"score": score}
    graded = Graded(_number(one.get("correct"), "correct", where), scores)
    found = entry(one["value"], one.get("key"), graded, how, tokens=tokens, usd=paid, finish=ended(finish))
    return found if score is None or how.score is not None else _scored(found, score)


def _scored(found: Entry, score: float) -> Entry:
    """The field that is called score is what methods go by, unless another one is named."""
    return Entry(**{one.name: getattr(found, one.name) for one in fields(found)} | {"score": score})


def _number(value: Any, name: str, where: str) -> float | None:
    """True is 1, false 0, null and NaN unknown."""
    if value is None or value is True or value is False:
        return None if value is None else float(value)
    if not is_number(value) or abs(value) == math.inf:
        raise ConfigError(
            f"{where}: {name} must be true, false, a finite number or null, got {told(value)}: mend the row"
        )
    return None if math.isnan(value) else float(value)
