"""From a pool or a sweep to files that other tools open."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from searchkit.errors import ConfigError
from searchkit.experiments.pool.pool import Pool
from searchkit.logs import inspect_out, tables, trackers
from searchkit.logs.parts import Part, by_id, parts
from searchkit.types import Problem
from searchkit.whole_file import whole_file

WRITERS: Mapping[str, str] = {
    "inspect": "Inspect's .eval: a file of a pool, a folder of a sweep's strategies and budgets",
    "csv": "a row a sample, with its manifest beside it",
    "parquet": "the same, with the manifest in the file's metadata; needs pyarrow",
    "mlflow": "runs at a tracking URI such as sqlite:///mlflow.db, or in a folder; needs mlflow",
    "wandb": "runs in a folder, wandb's offline form; needs wandb",
}
_ODD = re.compile(r"[^A-Za-z0-9.=_-]+")


def write_log(
    source: str | os.PathLike[str] | Pool,
    out: str | os.PathLike[str],
    form: str = "inspect",
    *,
    problems: Iterable[Problem] = (),
    model: str = "",
    name: str = "pool",
) -> tuple[Path, ...]:
    """Write a pool, or a finished sweep, for another tool; returns what was written.

    - source: a pool, its file, or a sweep's folder.
    - out: a file; a folder where there are several runs, and for trackers. It must not be there already, but for
      trackers, which add to it.
    - form: one of `WRITERS`.
    - problems: for the prompts and references that pools and sweeps do not hold.
    - model, name: of a pool, which knows neither.

    Every run carries its manifest: where it comes from, what was set, counts, versions. Files appear whole or not at
    all. Raises `ConfigError` where something is missing, is there already, or cannot be written.

    >>> import tempfile
    >>> from searchkit.experiments import Entry
    >>> pool = Pool({"p": (Entry("42", "42", correct=True), Entry("41", "41"))})
    >>> [path] = write_log(pool, Path(tempfile.mkdtemp()) / "run.eval")
    >>> from searchkit.logs import read_log
    >>> read_log(path).figures["correct accuracy (mean)"]
    0.5
    """
    if form not in WRITERS:
        raise ConfigError(f"there is no form {form!r}: choose from {', '.join(WRITERS)}")
    runs, known, target = list(parts(source, name=name, model=model)), by_id(problems), Path(out)
    if form in ("mlflow", "wandb"):
        to = trackers.to_mlflow if form == "mlflow" else trackers.to_wandb
        to(runs, str(out), _title(source, name))
        return (target,)
    if target.exists():
        raise ConfigError(f"{target} is there already: choose another path, or delete it")
    if form == "inspect":
        created = 0.0 if isinstance(source, Pool) else Path(source).stat().st_mtime
        return _logs(runs, target, known, created, single=isinstance(source, Pool) or Path(source).is_file())
    to_table = tables.write_csv if form == "csv" else tables.write_parquet
    if form == "csv":
        beside = target.with_name(f"{target.name}.manifest.json")
        told = json.dumps([{"run": run.name, **run.manifest} for run in runs], indent=1)
        with whole_file(target) as partial:
            to_table(runs, partial)
        with whole_file(beside) as partial:
            partial.write_text(told, encoding="utf-8")
        return target, beside
    with whole_file(target) as partial:
        to_table(runs, partial)
    return (target,)


def _logs(
    runs: list[Part], target: Path, problems: Mapping[str, Problem], created: float, single: bool
) -> tuple[Path, ...]:
    if single:
        if target.suffix != ".eval":
            raise ConfigError(f"{target}: Inspect knows its logs by the ending .eval, name such a file")
        with whole_file(target) as partial:
            inspect_out.write(runs[0], partial, problems, created)
        return (target,)
    _made(target)
    written = list[Path]()
    for run in runs:
        path = target / f"{_file(run.name)}.eval"
        with whole_file(path) as partial:
            inspect_out.write(run, partial, problems, created)
        written.append(path)
    return tuple(written)


def _file(name: str) -> str:
    """A name that any file system takes, and no other run has."""
    return f"{_ODD.sub('-', name)[:80]}-{blake2b(name.encode(), digest_size=4).hexdigest()}"


def _title(source: str | os.PathLike[str] | Pool, name: str) -> str:
    return name if isinstance(source, Pool) else Path(source).resolve().name.removesuffix(".jsonl")


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}") from error
