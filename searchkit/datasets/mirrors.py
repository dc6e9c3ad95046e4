r"""What published copies of a data set call and write in another way than its first file does.

Questions as lists of messages, and the tables of verl and its kin (`prompt`, `reward_model.ground_truth`,
`extra_info`); answers that are a bare number, in dollar signs, with a degree sign, or only in the box of a solution.
What can be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from searchkit.answers import keys
from searchkit.datasets.files import Row
from searchkit.errors import ConfigError
from searchkit.types import Prompt

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,40})(?:\.[0-9]{1,40})?")
_DEGREES = re.compile(r"\^?\s*(?:\\circ|\{\s*\\circ\s*\})|°")


def question(row: Row, *names: str) -> str | Prompt:
    """The question of a row: a text, or the conversation that stands there, which no template changes."""
    inner = _inside(row, "extra_info", "question")
    if inner is not None and row.get(*names) is None:
        return row.text(*names) if not isinstance(inner, str) or not inner.strip() else inner
    value = row.get(*names, "prompt")
    if isinstance(value, list) and value:
        try:
            return Prompt.of(value)
        except ConfigError as error:
            raise ConfigError(f"{row.where}: {error}") from None
    return row.text(*names)


def answer(row: Row, *names: str) -> str:
    """The answer of a row as its file has it: one of these fields, or the `ground_truth` of a `reward_model`."""
    inner = _inside(row, "reward_model", "ground_truth")
    if row.get(*names) is None and inner is not None:
        return Row(row.where, {names[0]: inner}).text(*names)
    return row.text(*names)


def boxed(row: Row, *names: str) -> str | None:
    """What stands in the last box of one of these fields; None if there is none."""
    value = row.get(*names)
    found = keys.boxed.written(value) if isinstance(value, str) else None
    last = found[-1] if isinstance(found, tuple) and found else found  # as MATH's own code takes it
    return last.strip() or None if isinstance(last, str) else None


def number(text: str) -> str | None:
    r"""The number that a text is, with nothing around it but dollar signs, a box, or a sign of degrees; else None.

    >>> number(r"$336^\circ$"), number("1,234.0"), number("x = 3")
    ('336', '1234.0', None)
    """
    plain = text.strip().removeprefix("$").removesuffix("$").strip()
    if plain.startswith(r"\boxed{") and plain.endswith("}"):
        plain = plain[len(r"\boxed{") : -1].strip()
    plain = _DEGREES.sub("", plain).strip()
    return plain.replace(",", "") if _NUMBER.fullmatch(plain) else None


def _inside(row: Row, table: str, name: str) -> Any:
    found = row.values.get(table)
    return found.get(name) if isinstance(found, Mapping) else None
