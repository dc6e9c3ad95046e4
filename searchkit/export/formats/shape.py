"""What all formats share: a prompt as messages or as text, where a row comes from, and the types of columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.export.recipes import Recipe
from searchkit.export.records import Record
from searchkit.export.trajectory import Origin
from searchkit.types import Prompt, Text

Shape = Literal["messages", "text"]
Spec = Any  # "string", "double", "bool", "int64", [Spec] for a list, {name: Spec} for a structure
Row = dict[str, Any]

MESSAGE: Spec = {"role": "string", "content": "string"}
MESSAGES: Spec = [MESSAGE]
ORIGIN: Spec = {
    "problem": "string", "source": "string", "name": "string", "seed": "int64", "path": "string", "model": "string",
    "revision": "string", "tokens": "int64", "licence": "string",
}  # fmt: skip


class Unfit(ConfigError):
    """A record that a format cannot hold; the sentence says why, and is counted."""


@dataclass(frozen=True)
class Format:
    """How rows of one trainer look.

    - about: for people, one line.
    - recipe: what makes the records, unless the caller says.
    - row: a record as the trainer reads it; raises `Unfit` for what it cannot hold.
    - columns: the types of the columns, by shape, for Parquet.
    - shapes: "messages" for models with a chat template, "text" for those without; what the format can have.
    - flags: what the trainer is to be told besides the file.
    """

    about: str
    recipe: Recipe
    row: Callable[[Any, Shape], Row]
    columns: Callable[[Shape], Mapping[str, Spec]]
    shapes: tuple[Shape, ...] = ("messages", "text")
    flags: str = ""

    def made(self, record: Record, shape: Shape) -> Row:
        """The row of a record, where it comes from included."""
        row = {**self.row(record, shape), "origin": told(record.origin)}
        other = getattr(record, "other", None)
        return row if other is None else {**row, "other": told(other)}


def told(origin: Origin) -> Row:
    return {name: getattr(origin, name) for name in ORIGIN}  # `asdict` takes a fifth of an export


def columns(own: Mapping[str, Spec], *, other: bool = False) -> dict[str, Spec]:
    """A format's own columns, and those that say where a row comes from."""
    return {**own, "origin": ORIGIN, **({"other": ORIGIN} if other else {})}


def prompted(*names: str, other: bool = False, **more: Spec) -> Callable[[Shape], Mapping[str, Spec]]:
    """Columns that are texts or messages, by the shape, and others."""

    def of(shape: Shape) -> Mapping[str, Spec]:
        return columns({**dict.fromkeys(names, "string" if shape == "text" else MESSAGES), **more}, other=other)

    return of


def turns(prompt: Prompt) -> list[Row]:
    """A prompt as messages; `Unfit` for images and tools, which no format here holds."""
    return [{"role": message.role, "content": _text(prompt, i)} for i, message in enumerate(prompt.messages)]


def _text(prompt: Prompt, i: int) -> str:
    message = prompt.messages[i]
    if prompt.prefix:
        raise Unfit("prompt with a beginning of the answer")
    if prompt.tools or message.tool_calls or message.role == "tool":
        raise Unfit("prompt with tools")
    if not all(isinstance(part, Text) for part in message.parts):
        raise Unfit("prompt with images")
    return message.text


def plain(prompt: Prompt) -> str:
    """The prompt as one text, as a model without a chat template is given it; `Unfit` for more than one message."""
    if len(prompt.messages) != 1:
        raise Unfit("prompt of several messages, which has no text: use messages")
    return _text(prompt, 0)


def said(text: str) -> Row:
    """The assistant's turn."""
    return {"role": "assistant", "content": text}


def asked(prompt: Prompt, shape: Shape) -> Any:
    """A prompt in one of the shapes."""
    return plain(prompt) if shape == "text" else turns(prompt)


def answered(text: str, shape: Shape) -> Any:
    """An answer as its prompt is: trainers add the two."""
    return text if shape == "text" else [said(text)]


def string(reference: Any) -> str:
    """A reference as text: as it is, as JSON, or "" where there is none. Trainers' own verifiers read texts."""
    if reference is None or isinstance(reference, str):
        return reference or ""
    try:
        return json.dumps(reference, sort_keys=True)
    except (TypeError, ValueError):
        raise Unfit("reference that is no JSON") from None
