"""A run as a table: CSV and Parquet, a row a sample, for data frames and for spreadsheets."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.logs.parts import Part

BLOCK = 5000  # rows
SEARCH = ("strategy", "budget", "seed", "sequential_tokens", "model_calls", "stopped", "error", "oracle")
TIME = ("wall_s", "resumed")
_TEXTS = {"problem", "value", "key", "finish", "feedback", "strategy", "budget", "stopped", "error", "oracle", "run"}
_FLAGS, _NUMBERS = {"correct", "unknown", "resumed"}, {"score", "usd", "wall_s"}
_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:/[0-9]{1,30})?")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # by which a spreadsheet knows what it is to work out


def columns(parts: list[Part]) -> list[str]:
    """The names of the columns: run, problem, sample, what an entry has, named scores, and what a search has."""
    names = sorted({name for part in parts for _, entry in part.pool.samples() for name in entry.scores})
    own = [one.name for one in fields(Entry) if one.name != "scores"]
    searched = [*SEARCH, *TIME] if any(part.finished for part in parts) else []
    return ["run", "problem", "sample", *own, *(f"score.{name}" for name in names), *searched]


def rows(parts: list[Part]) -> Iterator[dict[str, Any]]:
    """A row a sample. Values that are no texts are JSON."""
    for part in parts:
        searches = iter(part.finished)
        for problem, column in part.pool.entries.items():
            for i, entry in enumerate(column):
                row: dict[str, Any] = {"run": part.name, "problem": problem, "sample": i}
                row |= {one.name: getattr(entry, one.name) for one in fields(Entry) if one.name != "scores"}
                row |= {f"score.{name}": score for name, score in entry.scores.items()}
                for name in ("value", "key"):
                    row[name] = row[name] if row[name] is None or isinstance(row[name], str) else json.dumps(row[name])
                if (search := next(searches, None)) is not None:
                    row |= {name: getattr(search.row, name) for name in SEARCH}
                    row |= {name: getattr(search, name) for name in TIME}
                yield row


def write_csv(parts: list[Part], path: Path) -> None:
    """UTF-8. A text that a spreadsheet would take for a formula has an apostrophe before it: a model wrote it."""
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        names = columns(parts)
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({name: _shown(value) for name, value in row.items()} for row in rows(parts))


def _shown(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_FORMULAS) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def write_parquet(parts: list[Part], path: Path) -> None:
    """Needs pyarrow. The manifest of the first run stands in the file's metadata, under ``searchkit``."""
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'searchkit[parquet]', or write a .csv file") from error
    told = {"searchkit": json.dumps([{"run": part.name, **part.manifest} for part in parts])}
    schema = arrow.schema([(name, _type(arrow, name)) for name in columns(parts)], told)
    with parquet.ParquetWriter(os.fspath(path), schema) as writer:
        block = list[Mapping[str, Any]]()
        for row in rows(parts):
            block.append({name: _clean(value) for name, value in row.items()})
            if len(block) >= BLOCK:
                writer.write_table(arrow.Table.from_pylist(block, schema=schema))
                block.clear()
        writer.write_table(arrow.Table.from_pylist(block, schema=schema))


def _type(arrow: Any, name: str) -> Any:
    if name in _TEXTS:
        return arrow.string()
    if name in _FLAGS:
        return arrow.bool_()
    return arrow.float64() if name in _NUMBERS or name.startswith("score.") else arrow.int64()


def _clean(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
