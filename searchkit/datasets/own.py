"""Your own problems, from a file."""

from __future__ import annotations

from searchkit.datasets.files import Source, rows
from searchkit.errors import ConfigError
from searchkit.types import Problem, Prompt


def problems(
    source: Source,
    *,
    id: str = "id",
    prompt: str = "prompt",
    reference: str = "reference",
    checksum: str | None = None,
) -> tuple[Problem, ...]:
    """The problems of a .jsonl or .csv file (also .gz).

    id, prompt, reference: what its fields are called. A problem without an id has its number in the file, from 1. In
    JSON a reference may be anything that your verifier understands; in CSV it is a text, and empty is none. Raises
    `ConfigError`, naming the line, for a prompt that is missing or empty and for an id that was used before.
    """
    found: dict[str, Problem] = {}
    for number, row in enumerate(rows(source, checksum), start=1):
        key = str(number) if row.get(id) is None else row.text(id)
        if key in found:
            raise ConfigError(f"{row.where}: the id {key!r} was used before, and every problem needs its own")
        found[key] = Problem(key, Prompt.of(row.text(prompt)), row.get(reference))
    return tuple(found.values())
