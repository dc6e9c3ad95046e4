"""The problems of a sweep: from a file, or a task of the lab; and how the tables of the file are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from searchkit.cli import names, setup
from searchkit.errors import ConfigError
from searchkit.types import Problem

PROBLEMS = {"task": str, "split": str, "file": str, "count": int, "id": str, "prompt": str, "reference": str}
SPLITS = ("train", "dev", "test")
_TOML = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def check(table: Any, allowed: Mapping[str, Any], where: str, needed: Iterable[str] = ()) -> None:
    """Raises unless `table` has all `needed` keys, and no other than `allowed` ones, each of its type."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where.rstrip('.')} must be a table, got {table!r:.80}")
    for key, value in table.items():
        if key not in allowed:
            raise ConfigError(f"unknown key {where + key!r}{names.meant(key, allowed)}")
        kinds = allowed[key] if isinstance(allowed[key], tuple) else (allowed[key],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join(_TOML[kind] for kind in kinds)
            raise ConfigError(f"{where}{key} must be {wanted}, got {value!r:.80}")
    for key in needed:
        if key not in table:
            raise ConfigError(f"the key {where + key!r} is missing")


def problems(table: Mapping[str, Any], folder: Path) -> Sequence[Problem]:
    """What the table ``[problems]`` names; a file is looked for in `folder`."""
    check(table, PROBLEMS, "problems.")
    count = table.get("count")
    if ("task" in table) == ("file" in table):
        raise ConfigError("problems needs one of the keys task (a task of the lab) and file (JSONL or CSV)")
    if count is not None and count < 1:
        raise ConfigError(f"problems.count must be >= 1, got {count}")
    if "task" in table:
        return _of_the_lab(table["task"], count or 100, table.get("split", "test"))
    return _of_a_file(folder / table["file"], table)[:count]


def _of_the_lab(task: str, count: int, split: Any) -> list[Problem]:
    from searchkit.lab.arithmetic import Arithmetic
    from searchkit.lab.checker import problem
    from searchkit.lab.countdown import Countdown

    if task not in setup.TASKS:
        raise ConfigError(f"problems.task: unknown task {task!r}{names.meant(task, setup.TASKS)}")
    if split not in SPLITS:
        raise ConfigError(f"problems.split is train, dev or test, got {split!r}")
    drawn = Countdown().puzzles(count, split) if task == "countdown" else Arithmetic().expressions(count, split)
    return [problem(one) for one in drawn]


def _of_a_file(path: Path, table: Mapping[str, Any]) -> tuple[Problem, ...]:
    from searchkit.datasets.own import problems as read

    try:
        return read(path, **{name: table[name] for name in ("id", "prompt", "reference") if name in table})
    except ConfigError as error:
        raise ConfigError(f"problems.file: {error}") from error
