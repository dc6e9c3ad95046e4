"""Rows as files, JSON lines or Parquet, that appear whole or not at all; never more of them in memory than a block."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from searchkit.errors import ConfigError
from searchkit.export.formats.shape import Row, Spec

BLOCK = 2000  # rows


class Sink(Protocol):
    def write(self, row: Row) -> None: ...
    def close(self) -> None: ...


class Lines:
    """JSON lines, UTF-8; lone surrogates, which no UTF-8 file holds, as escapes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, row: Row) -> None:
        said = json.dumps(row, ensure_ascii=False, allow_nan=False)
        if not said.isascii() and any("\ud800" <= c <= "\udfff" for c in said):
            said = json.dumps(row, allow_nan=False)
        self._file.write(said + "\n")

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class Columns:
    """Parquet, with the types that the format declares; a row group a block."""

    def __init__(self, path: Path, columns: Mapping[str, Spec]) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise ConfigError(
                "Parquet needs pyarrow: pip install 'searchkit[parquet]', or name a .jsonl file"
            ) from error
        self._schema = self._arrow.schema([(name, self._type(spec)) for name, spec in columns.items()])
        self._writer = parquet.ParquetWriter(os.fspath(path), self._schema)
        self._rows: list[Row] = []

    def _type(self, spec: Spec) -> Any:
        if isinstance(spec, list):
            return self._arrow.list_(self._type(spec[0]))
        if isinstance(spec, dict):
            return self._arrow.struct([(name, self._type(inner)) for name, inner in spec.items()])
        return {"string": self._arrow.string, "double": self._arrow.float64, "bool": self._arrow.bool_,
                "int64": self._arrow.int64}[spec]()  # fmt: skip

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        except UnicodeEncodeError as error:
            raise ConfigError("a text has lone surrogates, which Parquet cannot hold: name a .jsonl file") from error
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class Whole:
    """A file that is written beside its place and moved there at the end, if nothing went wrong and it has rows."""

    def __init__(self, path: Path, opened: Callable[[Path], Sink]) -> None:
        self.path, self.rows = path, 0
        self._partial = path.with_name(f".{path.name}.{os.getpid()}")
        self._opened = opened
        self._sink: Sink | None = None

    def write(self, row: Row) -> None:
        if self._sink is None:
            self._sink = self._opened(self._partial)
        self._sink.write(row)
        self.rows += 1

    def __enter__(self) -> Whole:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._sink is not None:
                self._sink.close()
                if error is None:
                    os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)


def sink(path: Path, columns: Mapping[str, Spec]) -> Whole:
    """Where rows go: by the name's ending, ``.jsonl`` or ``.parquet``. `ConfigError` for others."""
    if path.suffix == ".parquet":
        return Whole(path, lambda partial: Columns(partial, columns))
    if path.suffix not in (".jsonl", ".json"):
        raise ConfigError(f"{path}: name a file that ends in .jsonl or .parquet")
    return Whole(path, Lines)
