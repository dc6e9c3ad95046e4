"""Your own problems, from a file."""

from __future__ import annotations

import re
from typing import Any

from searchkit.datasets.dataset import QUESTION
from searchkit.datasets.files import Row, Source, rows
from searchkit.errors import ConfigError
from searchkit.types import Message, Problem, Prompt

_PLACE = re.compile(r"\{(\w{1,80})\}")


def problems(
    source: Source,
    *,
    id: str = "id",
    prompt: str = "prompt",
    reference: str = "reference",
    template: str = QUESTION,
    system: str = "",
    split: str | None = None,
    checksum: str | None = None,
) -> tuple[Problem, ...]:
    """The problems of a .jsonl, .csv (also .gz) or .parquet file, or of a folder that Hugging Face datasets saved.

    - id, prompt, reference: what its fields are called. A problem without an id has its number in the file, from 1. In
      JSON a reference may be anything that your verifier understands; in CSV it is a text, and empty is none.
    - template: the prompt, with {question} where the field `prompt` goes, and the name of any other field in braces
      where that one goes.
    - system: a system message before it; "" is none.
    - split: which part of a folder that has several.

    The field `prompt` may also be a list of messages, as OpenAI's API takes them; then there is no template. Raises
    `ConfigError`, naming the line, for a prompt that is missing or empty, for an id that was used before, and where an
    id or a reference has a name of its own that no line has.
    """
    found: dict[str, Problem] = {}
    records = rows(source, checksum, split)
    for field in {id, reference} - {"id", "reference"}:
        if not any(field in row.values for row in records):
            raise ConfigError(f"{records[0].where}: no line has a field {field!r}; it has {records[0].fields}")
    for number, row in enumerate(records, start=1):
        key = str(number) if row.get(id) is None else row.text(id)
        if key in found:
            raise ConfigError(f"{row.where}: the id {key!r} was used before, and every problem needs its own")
        asked = _asked(row, prompt, template)
        found[key] = Problem(key, instructed(asked, system), row.get(reference))
    return tuple(found.values())


def instructed(prompt: Prompt, system: str) -> Prompt:
    """The prompt with a system message before it; "" adds none. Raises `ConfigError` if it has one already."""
    if not system:
        return prompt
    if prompt.messages[0].role == "system":
        raise ConfigError("the prompts have a system message of their own: leave system out")
    return Prompt((Message.of({"role": "system", "content": system}), *prompt.messages), prompt.tools)


def _asked(row: Row, prompt: str, template: str) -> Prompt:
    value = row.get(prompt)
    if isinstance(value, list) and value:
        if template != QUESTION:
            raise ConfigError(f"{row.where}: {prompt!r} is a list of messages, which no template changes")
        try:
            return Prompt.of(value)
        except ConfigError as error:
            raise ConfigError(f"{row.where}: {error}") from None
    return Prompt.of(_filled(template, {**row.values, "question": row.text(prompt)}, row.where))


def _filled(template: str, values: dict[str, Any], where: str) -> str:
    """The template with fields in the place of their names in braces; other braces stay."""
    if not any(name in values for name in _PLACE.findall(template)):
        fields = ", ".join(f"{{{name}}}" for name in list(values)[:20])
        raise ConfigError(f"{where}: a template says where the question goes, by one of {fields}; got {template!r:.80}")
    return _PLACE.sub(lambda place: str(values[place[1]]) if place[1] in values else place[0], template)
