"""`export`: from what searches left behind to a file that a trainer reads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from searchkit.errors import ConfigError
from searchkit.experiments.pool import Pool
from searchkit.experiments.pool.pool_file import HEADER as POOL
from searchkit.experiments.sweep import SweepResults
from searchkit.experiments.sweep.manifest import MANIFEST
from searchkit.export.files import sink, together
from searchkit.export.formats import FORMATS, Format, Shape, Unfit
from searchkit.export.held_out import HeldOut
from searchkit.export.held_out import held_out as named
from searchkit.export.journals import of_journal
from searchkit.export.keep import Keep, is_validation
from searchkit.export.reading import by_id, of_pool
from searchkit.export.recipes import Recipe
from searchkit.export.sweeps import of_sweep
from searchkit.export.trajectory import Material
from searchkit.kinds import is_number
from searchkit.types import Problem

One = str | os.PathLike[str] | Pool | Material
Source = One | Iterable[One]
ALL = Keep()
SQLITE = b"SQLite format 3"


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    - rows: by file.
    - problems: that gave a row.
    - dropped: what was left out, by its reason; "pairs" counts all that were looked at.
    - refused: ids of held-out problems that were left out, with what holds them out.
    - flags: what the trainer is to be told besides.
    """

    rows: Mapping[str, int]
    problems: int
    dropped: Mapping[str, int]
    refused: Mapping[str, str]
    flags: str

    @property
    def share_below_margin(self) -> float:
        """The share of pairs whose margin was below the bar; 0 without pairs."""
        pairs = self.dropped.get("pairs", 0)
        return self.dropped.get("margin below the bar", 0) / pairs if pairs else 0.0

    def __str__(self) -> str:
        lines = [f"{path}: {rows:,} rows" for path, rows in self.rows.items()] or ["no rows, so no file"]
        lines.append(f"of {self.problems:,} problems")
        lines += [f"left out, {why}: {n:,}" for why, n in sorted(self.dropped.items()) if n and why != "pairs"]
        if pairs := self.dropped.get("pairs"):
            lines.append(f"of {pairs:,} pairs {self.share_below_margin:.1%} have a margin below the bar")
        if self.refused:
            lines.append(f"held out: {len(self.refused):,} problems, such as {next(iter(self.refused))!r}")
        return "\n".join([*lines, *([f"for the trainer: {self.flags}"] if self.flags else [])])


def export(
    source: Source,
    out: str | os.PathLike[str],
    format: str = "trl-sft",
    *,
    problems: Iterable[Problem] | Mapping[str, Problem] = (),
    recipe: Recipe | None = None,
    keep: Keep = ALL,
    held_out: HeldOut | str | Path | Iterable[str] | None = None,
    drop_held_out: bool = False,
    validation: float = 0.0,
    shape: Shape = "messages",
    licence: str = "",
) -> Exported:
    """Write training data to a ``.jsonl`` or ``.parquet`` file.

    - source: a journal's file, a sweep's folder, a pool or its file, or `Material` (`of_result`, `of_tree`, ...); or
      several of them, one after the other: a problem of two sources is two problems.
    - format: what reads it, one of `FORMATS`.
    - problems: for prompts and references that the source does not hold.
    - recipe: which records are made; the format's own by default.
    - keep: difficulty, and rows a problem.
    - held_out: more problems to refuse, ids or a file of them; or a `HeldOut`, then alone. See `held_out.held_out`.
    - drop_held_out: leaves them out, and names them, instead of raising.
    - validation: the share of problems that goes to a second file, ``name-validation.jsonl``.
    - shape: "messages" for models with a chat template, "text" for those without.
    - licence: of the texts, for each row's origin.

    Raises `ConfigError` for a problem that is held out, naming it, for unknown formats and sources, and for what the
    source's reader refuses; `JournalError` for what is no journal. No file appears before all are whole; without rows
    there is none, and one that an earlier export left there is taken away. Memory: what one problem left, and a block
    of rows.

    >>> import tempfile, os
    >>> from searchkit import Problem, Prompt
    >>> from searchkit.experiments import Entry, Pool
    >>> pool = Pool({"p": (Entry("The sum is 42.", correct=True), Entry("The sum is 41."))})
    >>> target = os.path.join(tempfile.mkdtemp(), "pairs.jsonl")
    >>> done = export(pool, target, "trl-dpo", problems=[Problem("p", Prompt.of("Add 19 and 23."))])
    >>> list(done.rows.values()), done.problems
    ([1], 1)
    """
    how, part = _format(format, shape), _validation(validation)
    taken = how.shapes[0] if shape not in how.shapes else shape
    maker, refusing = recipe or how.recipe, named(held_out)
    target, dropped, refused, kept = Path(out), Counter[str](), dict[str, str](), 0
    second = target.with_name(f"{target.stem}-validation{target.suffix}")
    columns = how.columns(taken)
    _check_apart(source, target)
    train, rest = sink(target, columns), sink(second, columns)
    with together(train, *((rest,) if part else ())):
        for material in materials(source, by_id(problems), licence):
            if why := refusing.why(material.problem, material.prompt):
                _refuse(material.problem, why, refused, drop_held_out)
                continue
            if not keep.takes(material, dropped):
                continue
            file, written = rest if part and is_validation(material.prompt, part) else train, 0
            for record in maker.records(material, dropped):
                if keep.most is not None and written >= keep.most:
                    dropped["beyond the most of a problem"] += 1
                    continue
                try:
                    file.write(how.made(record, taken))
                    written += 1
                except Unfit as error:
                    dropped[str(error)] += 1
            kept += written > 0
    rows = {str(file.path): file.rows for file in (train, rest) if file.rows}
    return Exported(rows, kept, {why: n for why, n in dropped.items() if n}, refused, how.flags)


def _check_apart(source: Source, target: Path) -> None:
    if isinstance(source, (str, os.PathLike)) and target.exists() and target.samefile(source):
        raise ConfigError(f"{target} is the source itself: name another file to write")


def _format(name: str, shape: Shape) -> Format:
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}: choose from {', '.join(FORMATS)}")
    if shape not in ("messages", "text"):
        raise ConfigError(f'shape is "messages" or "text", got {shape!r}')
    return FORMATS[name]


def _validation(share: float) -> float:
    if not is_number(share) or not 0 <= share < 1:
        raise ConfigError(f"validation is a share of the problems in [0, 1), got {share!r}")
    return float(share)


def _refuse(problem: str, why: str, refused: dict[str, str], drop: bool) -> None:
    if not drop:
        raise ConfigError(
            f"problem {problem!r} is held out ({why}): nothing was written. Leave such problems out with "
            "drop_held_out=True (--drop-held-out)"
        )
    refused[problem] = why


def materials(source: Source, problems: Mapping[str, Problem], licence: str = "") -> Iterator[Material]:
    """The material of whatever a source is."""
    if isinstance(source, Material):
        yield source
    elif isinstance(source, Pool):
        yield from of_pool(source, problems, licence=licence)
    elif isinstance(source, (str, os.PathLike)):
        yield from _of_path(Path(source), problems, licence)
    elif isinstance(source, SweepResults) or not isinstance(source, Iterable):
        raise ConfigError(
            f"a source is a journal, a sweep's folder, a pool, or Material, got {type(source).__name__}: "
            "of a result it is of_result(problem, result), of a tree of_tree(problem, tree)"
        )
    else:
        for one in source:
            if not isinstance(one, (str, os.PathLike, Pool, Material)):
                raise ConfigError(f"a list of sources holds files, pools and Material, got {type(one).__name__}")
            yield from materials(one, problems, licence)


def _of_path(path: Path, problems: Mapping[str, Problem], licence: str) -> Iterator[Material]:
    if (path / MANIFEST).is_file():
        yield from of_sweep(path, problems, licence=licence)
    elif not path.is_file():
        raise ConfigError(f"{path} is neither a file nor the folder of a sweep")
    elif (head := _head(path)).startswith(SQLITE):
        yield from of_journal(path, problems, licence=licence)
    elif POOL.encode() in head:
        yield from of_pool(Pool.load(path), problems, name=path.name, licence=licence)
    else:
        raise ConfigError(f"{path} is no journal, no sweep and no pool: name what a search, a sweep or Pool.save wrote")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)
