"""Rows as files, JSON lines or Parquet, that appear whole or not at all; never more of them in memory than a block."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from searchkit.errors import ConfigError
from searchkit.export.formats.shape import Row, Spec, Unfit

BLOCK = 2000  # rows


def check_text(said: str) -> None:
    """`Unfit` for lone surrogates: no file of UTF-8 holds them, and no tokenizer reads them."""
    if not said.isascii() and any("\ud800" <= c <= "\udfff" for c in said):
        raise Unfit("a text with lone surrogates")


class Sink(Protocol):
    def write(self, row: Row) -> None: ...
    def close(self) -> None: ...


class Lines:
    """JSON lines, UTF-8."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, row: Row) -> None:
        said = json.dumps(row, ensure_ascii=False, allow_nan=False)
        check_text(said)
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
        check_text(json.dumps(row, ensure_ascii=False))
        self._rows.append(row)
        if len(self._rows) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class Whole:
    """A file that is written beside its place, and moved there by `together`."""

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

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def place(self) -> None:
        """To its place; without rows none stays there: what an earlier export wrote is not what this one says."""
        if self.rows:
            os.replace(self._partial, self.path)
        else:
            self.path.unlink(missing_ok=True)

    def drop(self) -> None:
        """What is not in its place, and the file that is open."""
        with contextlib.suppress(Exception):  # a full disk, most likely, which was told
            self.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)


@contextmanager
def together(*files: Whole) -> Iterator[None]:
    """Writes files, none of which appears before all are whole. `ConfigError` where one cannot be written."""
    try:
        yield
        for file in files:
            file.close()
        for file in files:
            file.place()
    except OSError as error:
        raise ConfigError(f"{error.filename or files[0].path} cannot be written: {error.strerror or error}") from error
    finally:
        for file in files:
            file.drop()


def sink(path: Path, columns: Mapping[str, Spec]) -> Whole:
    """Where rows go: by the name's ending, ``.jsonl`` or ``.parquet``. `ConfigError` for others."""
    if path.suffix == ".parquet":
        return Whole(path, lambda partial: Columns(partial, columns))
    if path.suffix not in (".jsonl", ".json"):
        raise ConfigError(f"{path}: name a file that ends in .jsonl or .parquet")
    return Whole(path, Lines)
