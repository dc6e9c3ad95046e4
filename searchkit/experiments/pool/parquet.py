"""A pool as a Parquet file: for data frames and for other tools. Needs pyarrow."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry, is_json
from searchkit.experiments.pool.pool import Pool

TEXTS = ("value", "key")  # of any JSON type, and stored as JSON text
PREFIX = "score."


def to_parquet(pool: Pool, path: str | os.PathLike[str]) -> None:
    """Write the pool to `path`, replacing what is there: a row an entry, in order.

    Columns: problem, the fields of `Entry` (value and key as JSON texts), and "score.NAME" for each named score, null
    where a sample has none. Raises `ConfigError` without pyarrow and for values that JSON would change.
    """
    pyarrow = _pyarrow()
    names = sorted({name for _, entry in pool.samples() for name in entry.scores})
    rows = [_row(problem, entry, names) for problem, entry in pool.samples()]
    try:
        table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(_schema(pyarrow, names)))
        importlib.import_module("pyarrow.parquet").write_table(table, os.fspath(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the pool cannot be written to {path}: {error}") from error


def from_parquet(path: str | os.PathLike[str]) -> Pool:
    """The pool that `to_parquet` wrote, or another file with its columns; those with a default may be missing.

    Raises `ConfigError` without pyarrow, and where the file cannot be read or a row is no entry.
    """
    _pyarrow()
    source = os.fspath(path)
    try:
        rows = importlib.import_module("pyarrow.parquet").read_table(source).to_pylist()
        return Pool.of(_entries(rows))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{source} is no pool in Parquet ({error!r}): name a file that to_parquet wrote") from error


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'pyarrow'") from error


def _row(problem: str, entry: Entry, names: list[str]) -> dict[str, Any]:
    row = {f.name: getattr(entry, f.name) for f in fields(entry) if f.name != "scores"}
    for name in TEXTS:
        if not is_json(row[name]):
            raise ConfigError(f"a {name} of type {type(row[name]).__name__} does not survive JSON; store its text")
        row[name] = json.dumps(row[name])
    return {"problem": problem, **row, **{PREFIX + name: entry.scores.get(name) for name in names}}


def _schema(pyarrow: Any, names: list[str]) -> list[tuple[str, Any]]:
    types: dict[str, Any] = {"score": pyarrow.float64(), "usd": pyarrow.float64()}
    types |= {"correct": pyarrow.bool_(), "unknown": pyarrow.bool_()}
    types |= {"generated_tokens": pyarrow.int64(), "prompt_tokens": pyarrow.int64()}
    columns = ["problem", *(f.name for f in fields(Entry) if f.name != "scores")]
    return [
        *((name, types.get(name, pyarrow.string())) for name in columns),
        *((PREFIX + name, pyarrow.float64()) for name in names),
    ]


def _entries(rows: list[dict[str, Any]]) -> Iterator[tuple[str, Entry]]:
    for row in rows:
        scores = {name.removeprefix(PREFIX): row.pop(name) for name in list(row) if name.startswith(PREFIX)}
        for name in TEXTS:
            row[name] = json.loads(row.get(name) or "null")
        problem = row.pop("problem")
        yield problem, Entry(**row, scores={name: score for name, score in scores.items() if score is not None})
