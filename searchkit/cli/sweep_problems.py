"""The problems of a sweep: a data set by name, a file of your own, or a task of the lab; all of them, or some."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.cli import tables
from searchkit.cli.models import Task
from searchkit.cli.tables import Table
from searchkit.cli.wording import in_toml
from searchkit.datasets import named, own
from searchkit.datasets.files import Row, rows
from searchkit.errors import ConfigError
from searchkit.types import Problem

COLUMNS = tables.hints(own.problems, ["source", "checksum", "split"])
PROBLEMS: dict[str, Any] = {
    "task": Task, "dataset": named.Name, "file": str, "split": str, "checksum": str, **COLUMNS,
    "subset": str | list[str] | dict[str, Any], "shuffle": int, "count": int,
}  # fmt: skip
SPLITS = ("train", "dev", "test")
OF_A_TASK = {"task", "split", "subset", "shuffle", "count"}


@dataclass(frozen=True)
class Asked:
    """What a sweep asks: the problems, and where it is known, what is right and what votes count."""

    problems: Sequence[Problem]
    truth: Any = None
    key: Any | Hashable = None


def problems(table: Table, folder: Path) -> Asked:
    """What the table ``[problems]`` names; a file is looked for in `folder`. Raises `ConfigError`."""
    given = tables.read(table, PROBLEMS, "problems.")
    count = given.get("count")
    if count is not None and count < 1:
        raise ConfigError(f"problems.count must be >= 1, got {count}")
    if "task" in given and "file" in given:
        raise ConfigError("problems has both file and task (a task of the lab): leave one of them out")
    if "task" not in given and "file" not in given:
        wanted = f"the file of {given['dataset']}: " if "dataset" in given else "one of the keys "
        raise ConfigError(
            f"problems needs {wanted}file (a path, or hf://datasets/OWNER/NAME/PATH)"
            + ("" if "dataset" in given else " and task (a task of the lab)")
        )
    if "task" in given:
        return _of_the_lab(given)
    return _of_a_file(given, folder)


def _of_the_lab(given: dict[str, Any]) -> Asked:
    from searchkit.lab.arithmetic import Arithmetic
    from searchkit.lab.checker import problem
    from searchkit.lab.countdown import Countdown

    if alien := sorted(set(given) - OF_A_TASK):
        raise ConfigError(f"problems.{alien[0]} is for problems of a file: leave it out where task is given")
    task, split, count = given["task"], given.get("split", "test"), given.get("count", 100)
    if split not in SPLITS:
        raise ConfigError(f"problems.split is train, dev or test, got {split!r}")
    drawn = Countdown().puzzles(count, split) if task == "countdown" else Arithmetic().expressions(count, split)
    return Asked(_some([problem(one) for one in drawn], given.get("subset"), given.get("shuffle"), None), task)


def _of_a_file(given: dict[str, Any], folder: Path) -> Asked:
    if given["file"].startswith(("http://", "https://")):
        raise ConfigError(f"problems.file: {given['file']!r:.200} is a URL: download it, and name the file")
    source = given["file"] if given["file"].startswith("hf:") else folder / given["file"]
    split, options = given.get("split"), {name: given[name] for name in (*COLUMNS, "checksum") if name in given}
    if options.get("checksum") == "any":
        options["checksum"] = None
    try:
        asked = _of_a_set(given, source, options) if "dataset" in given else _of_ones_own(source, split, options)
    except ConfigError as error:
        raise ConfigError(f"problems.file: {in_toml(str(error))}") from error
    subset, order, limit = (given.get(name) for name in ("subset", "shuffle", "count"))
    records = rows(source, split=split) if isinstance(subset, dict) else ()
    return Asked(_some(asked.problems, subset, order, limit, records), asked.truth, asked.key)


def _of_a_set(given: dict[str, Any], source: Any, options: dict[str, Any]) -> Asked:
    if alien := sorted(set(given) & {*COLUMNS, "split"} - {"template", "system"}):
        raise ConfigError(f"a data set knows its fields: leave {alien[0]} out, or leave dataset out")
    data = named.load(given["dataset"], source, **options)
    return Asked(data.problems, data.verifier, data.key)


def _of_ones_own(source: Any, split: str | None, options: dict[str, Any]) -> Asked:
    try:
        return Asked(own.problems(source, split=split, **options))
    except ConfigError as error:
        raise ConfigError(f"{error}{_advice(error, source, split)}") from error


def _some(problems: Sequence[Problem], subset: Any, order: int | None, limit: int | None, records: Any = ()) -> Any:
    try:
        return named.choose(problems, subset=subset, shuffle=order, limit=limit, rows=records)
    except ConfigError as error:
        raise ConfigError(f"problems.subset: {error}") from error


def _advice(error: ConfigError, source: Any, split: str | None) -> str:
    """What to write where a file has other fields than those that are looked for."""
    if "needs a text in the field" not in str(error):
        return ""
    first: Row = rows(source, split=split)[0]
    known = {("question", "answer"): "gsm8k", ("problem", "answer"): "math500", ("task_id", "test"): "humaneval"}
    found = next((name for fields, name in known.items() if all(first.get(field) for field in fields)), None)
    advice = '; say what they are called, as in prompt = "question" and reference = "answer"'
    if found == "gsm8k" and "####" not in str(first.get("answer")):
        found = None
    return advice + (f', or dataset = "{found}", whose form it has' if found else "")
