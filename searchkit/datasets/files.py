"""Files of problems: opened from a path or from the Hugging Face hub, unpacked, checked, and read row by row.

Tables of Arrow and Parquet, and the folders that the `datasets` package saves, are read by `arrow.py`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.datasets import arrow
from searchkit.errors import ConfigError

Source = str | os.PathLike[str]

_HUB = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


@dataclass(frozen=True)
class Row:
    """One record of a file. where: the file's name and the line, for messages."""

    where: str
    values: Mapping[str, Any]

    def get(self, *names: str) -> Any:
        """The value of the first of these fields that the row has and that is not empty, else None."""
        return next((value for name in names if (value := self.values.get(name)) not in (None, "")), None)

    def text(self, *names: str) -> str:
        """The same as a text, numbers as their digits; `ConfigError` if there is none."""
        value = self.get(*names)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            raise ConfigError(
                f"{self.where}: it needs a text in the field {' or '.join(map(repr, names))}; it has {self.fields}"
            )
        return str(value)

    @property
    def fields(self) -> str:
        """The names of its fields, for messages; of very many the first."""
        return ", ".join(map(repr, list(self.values)[:20])) or "none"


def rows(source: Source, checksum: str | None = None, split: str | None = None) -> list[Row]:
    """The records of a .jsonl or .csv file (with a header), also with .gz; see `read` for sources and checksums.

    A .parquet file, and a folder of such or saved by ``Dataset.save_to_disk``, needs ``pip install pyarrow``. split:
    which part of a folder that has several. Raises `ConfigError`, naming the line, for what is no JSON object, and for
    a file without records.
    """
    name = Path(source).name or str(source)
    kind = Path(name.removesuffix(".gz")).suffix.lower()
    folder = not str(source).startswith("hf:") and Path(source).is_dir()
    if split is not None and not folder:
        raise ConfigError(f"{name} is one file: split is for folders that have several parts")
    if folder or kind in (".parquet", ".arrow"):
        if folder and checksum is not None:
            raise ConfigError(f"{name} is a folder, and a checksum is one of a file: pass checksum=None")
        files: list[Source] = [*arrow.files(Path(source), split)] if folder else [source]
        records = (record for file in files for record in arrow.records(Path(file).name, read(file, checksum)))
        return _some(name, [Row(f"{name}, row {i}", values) for i, values in enumerate(records, start=1)])
    if kind not in (".jsonl", ".csv"):
        raise ConfigError(
            f"{name}: problems are read from .jsonl and .csv files (also .gz), .parquet files, and folders saved by "
            "Hugging Face datasets; convert it to one of them"
        )
    try:
        text = read(source, checksum).decode("utf-8-sig")
        found = list(_json_lines(name, text) if kind == ".jsonl" else _csv_lines(name, text))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text ({error}): convert it") from None
    return _some(name, found)


def _some(name: str, found: list[Row]) -> list[Row]:
    if not found:
        raise ConfigError(f"{name} holds no problems")
    return found


def read(source: Source, checksum: str | None = None) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    source: a path, or ``hf://datasets/OWNER/NAME/PATH`` (``NAME@REVISION`` for another than the newest) for a file of
    the Hugging Face hub, which needs ``pip install huggingface_hub`` and is kept in that package's cache. checksum: the
    SHA-256 of the unpacked content in hexadecimal; None takes any. Raises `ConfigError` if the file cannot be read, is
    damaged or is another one.
    """
    path = _local(source)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigError(f"{path} cannot be read: {reason}") from error
    found = hashlib.sha256(content).hexdigest()
    if checksum is not None and found != checksum:
        raise ConfigError(
            f"{path} is not the published file: its SHA-256 is {found}, not {checksum}; fetch it again, or pass "
            "checksum=None if you mean this one"
        )
    return content


def _local(source: Source) -> Path:
    """Where the file is on this machine, fetched first if it is the hub's."""
    if not str(source).startswith("hf:"):
        return Path(source)
    parts = _HUB.fullmatch(str(source))
    if parts is None:
        raise ConfigError(f"a file of the hub is named hf://datasets/OWNER/NAME/PATH, got {str(source)!r}")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise ConfigError("hf:// names a file of the Hugging Face hub: pip install huggingface_hub") from None
    name, revision, inside = parts.groups()
    try:
        return Path(hf_hub_download(name, inside, repo_type="dataset", revision=revision))
    except Exception as error:  # the client has a dozen kinds, of several packages
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"{source} cannot be fetched: {type(error).__name__}: {reason}") from error


def _json_lines(name: str, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}: not a JSON object ({error})") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{where}: not a JSON object but {type(values).__name__}")
        yield Row(where, values)


def _csv_lines(name: str, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = reader.fieldnames or ()
        if twice := next((field for field in header if list(header).count(field) > 1), None):
            raise ConfigError(f"{name}, line 1: two columns are called {twice!r}: give each a name of its own")
        for values in reader:
            if None in values or None in values.values():
                raise ConfigError(f"{name}, line {reader.line_num}: it has not as many fields as the header")
            yield Row(f"{name}, line {reader.line_num}", values)
    except csv.Error as error:
        advice = ": write a line of JSON each, in a .jsonl file" if "field limit" in str(error) else ""
        where = f"{name}, line {reader.line_num + 1}"  # lines before it are counted
        raise ConfigError(f"{where}: {error}{advice}") from None
