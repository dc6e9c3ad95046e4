"""Tables of problems as Arrow and Parquet: single files, and the folders that Hugging Face `datasets` saves."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError

SPLITS, STATE = "dataset_dict.json", "state.json"


def records(name: str, content: bytes) -> list[Mapping[str, Any]]:
    """The rows of one table. name: of the file, which ends in .parquet for that. Raises `ConfigError` if it is none."""
    pa, pq = _pyarrow(name)
    try:
        file = io.BytesIO(content)
        table = pq.read_table(file) if name.lower().endswith(".parquet") else _arrow(pa, file)
        rows: list[Mapping[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ConfigError(f"{name} is no such table: {str(error).partition(chr(10))[0]:.200}") from None
    return rows


def _pyarrow(name: str) -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(f"{name} is a table of Arrow or Parquet: pip install pyarrow") from None


def _arrow(pa: Any, content: io.BytesIO) -> Any:
    """As `datasets` writes it: a stream; or as other tools do: a file."""
    try:
        return pa.ipc.open_stream(content).read_all()
    except pa.ArrowInvalid:
        content.seek(0)
        return pa.ipc.open_file(content).read_all()


def files(folder: Path, split: str | None) -> list[Path]:
    """The tables of a folder, or of one split of it, in order.

    Raises `ConfigError` for a folder that has none, and for one of several splits of which none is named.
    """
    if (folder / SPLITS).is_file():
        there = _json(folder / SPLITS).get("splits", [])
        return files(folder / _split(folder, split, there), None)
    if (folder / STATE).is_file():
        if split is not None:
            raise ConfigError(f"{folder.name} holds one split: leave split out")
        listed = _json(folder / STATE).get("_data_files", [])
        return [folder / Path(str(one.get("filename", ""))).name for one in listed]
    tables = sorted(path for path in folder.rglob("*.parquet") if path.is_file())
    if not tables:
        raise ConfigError(f"{folder.name} is no folder saved by Hugging Face datasets, and has no .parquet file")
    named = {path: path.stem.partition("-")[0] for path in tables}
    wanted = _split(folder, split, list(dict.fromkeys(named.values())))
    return [path for path in tables if named[path] == wanted]


def _split(folder: Path, split: str | None, there: Sequence[str]) -> str:
    if split is None and len(there) == 1:
        return there[0]
    if split is None or split not in there:
        asked = f"no split {split!r}" if split is not None else "several splits"
        raise ConfigError(f"{folder.name} has {asked}: name one with split, of {', '.join(map(str, there)) or 'none'}")
    return split


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
