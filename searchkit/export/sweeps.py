"""Material from the folder of a sweep: the answers of all its searches, judged by the truth."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO

from searchkit.errors import ConfigError
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.rows import HEADER, RESULTS, VERSION
from searchkit.experiments.sweep.shard import JOURNAL
from searchkit.export.journals import prompts
from searchkit.export.reading import by_id
from searchkit.export.trajectory import Material, Origin, Trajectory, model_of
from searchkit.types import TRUNCATED, Problem, Prompt

AGAIN = "delete it and run the sweep again"
_KINDS: Mapping[str, type | UnionType] = {
    "strategy": str, "budget": str, "seed": int, "problem": str, "unknown": bool, "right": bool, "finish": str,
    "score": int | float | None, "generated_tokens": int, "answer": object,
}  # fmt: skip


def of_sweep(
    folder: str | Path, problems: Mapping[str, Problem] | None = None, *, licence: str = ""
) -> Iterator[Material]:
    """The answers of a finished sweep, a problem after the other; each search is one trajectory.

    problems: needed only where the sweep's journals hold no prompts; for references, too. Searches that failed, and
    answers that are no text, are left out. Raises `ConfigError` for what is no finished sweep.

    Memory: eight bytes a row and the rows of one problem: the file is read twice, first for where each problem's are.
    """
    source, known = Path(folder), by_id(problems or {})
    configuration = manifest.load(source)["configuration"]
    model = model_of(_backend(configuration.get("model")))
    asked = _prompts(source)
    for name, problem in known.items():
        if asked.setdefault(name, problem.prompt).messages != problem.prompt.messages:
            raise ConfigError(f"{source} asked another prompt of {name!r} than problems= has: pass those of the sweep")
    if not (source / RESULTS).exists():
        raise ConfigError(f"{source} holds no finished sweep: run the sweep to its end")
    with (source / RESULTS).open("rb") as file:
        for name, places in _places(file, source).items():
            if name not in asked:
                raise ConfigError(f"{source} holds no prompt of {name!r}: pass problems=[...], those of the sweep")
            rows = (_checked(_row(file, place, source), source) for place in places)
            found = [one for row in rows if (one := _trajectory(row, model, source.name, licence)) is not None]
            reference = known[name].reference if name in known else None
            yield Material(name, asked[name], found, (), reference)


def _backend(model: Any) -> str:
    """The backend's name in a manifest's description of a model; "" if it is none."""
    while isinstance(model, Mapping):
        model = model.get("backend", model.get("generator"))
    return model if isinstance(model, str) else ""


def _prompts(source: Path) -> dict[str, Prompt]:
    found = dict[str, Prompt]()
    for path in sorted(source.glob(f"shard-*/{JOURNAL}")):
        found.update(prompts(path))
    return found


def _places(file: BinaryIO, source: Path) -> dict[str, array[int]]:
    """Where the rows of each problem begin."""
    found: dict[str, array[int]] = {}
    header = _row(file, 0, source)
    if header.get(HEADER) != VERSION:
        raise ConfigError(f"{source / RESULTS} is of another version: {AGAIN}")
    at = file.tell()
    for line in file:
        problem = _loaded(line, source).get("problem")
        if not isinstance(problem, str):
            raise ConfigError(f"{source / RESULTS} is damaged (a row without a problem): {AGAIN}")
        found.setdefault(problem, array("Q")).append(at)
        at += len(line)
    if sum(map(len, found.values())) != header.get("rows"):
        raise ConfigError(f"{source / RESULTS} is incomplete: {AGAIN}")
    return found


def _row(file: BinaryIO, at: int, source: Path) -> dict[str, Any]:
    file.seek(at)
    return _loaded(file.readline(), source)


def _loaded(line: bytes, source: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise ConfigError(f"{source / RESULTS} is damaged: {AGAIN}")
    return row


def _checked(row: dict[str, Any], source: Path) -> dict[str, Any]:
    """A row whose fields are of the kinds that a sweep writes."""
    if not all(name in row and isinstance(row[name], kind) for name, kind in _KINDS.items()):
        raise ConfigError(f"{source / RESULTS} is damaged (a row is not as it was written): {AGAIN}")
    return row


def _trajectory(row: dict[str, Any], model: tuple[str, str], name: str, licence: str) -> Trajectory | None:
    if not isinstance(row["answer"], str) or row["finish"] == "error":
        return None
    path = f"{row['strategy']} {row['budget']}"
    origin = Origin(row["problem"], "sweep", name, row["seed"], path, *model, row["generated_tokens"], licence)
    right = None if row["unknown"] else bool(row["right"])
    whole = row["finish"] not in TRUNCATED
    return Trajectory(row["answer"], (), right, row["score"], whole, origin)
