"""What is written to other tools: a pool, or a sweep as a pool for each strategy and budget; and where it is from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.sweep import SweepResults
from searchkit.experiments.sweep import manifest as manifests
from searchkit.experiments.sweep.rows import Finished
from searchkit.mistakes import listed
from searchkit.types import Problem

VERSION = 1
BLOCK = 2**20
FROM_ROW = ("score", "generated_tokens", "prompt_tokens", "usd", "unknown")


@dataclass(frozen=True)
class Part:
    """One run, as the other tool has runs: one method over all problems.

    - name: of the run.
    - pool: its samples; of a sweep the answers of its searches, a seed after the other.
    - manifest: where it comes from, with which versions it was written, and of a sweep its whole manifest.
    - settings: what was set, by name, for people; {} of a pool.
    - finished: of a sweep, the searches that the samples are, in the same order.
    - model: which model wrote it; "" where nobody knows.
    """

    name: str
    pool: Pool
    manifest: Mapping[str, Any]
    settings: Mapping[str, str] = field(default_factory=dict)
    finished: tuple[Finished, ...] = ()
    model: str = ""

    @property
    def accuracy(self) -> float:
        """The mean over problems of the share of right samples; what is unknown counts as wrong."""
        return sum(sum(e.correct for e in c) / len(c) for c in self.pool.entries.values()) / len(self.pool)


def parts(source: str | os.PathLike[str] | Pool, *, name: str = "pool", model: str = "") -> Iterator[Part]:
    """The runs of a pool, of its file, or of a finished sweep's folder.

    name: of a pool that is no file. model: which model wrote a pool, which does not say. Raises `ConfigError` for what
    is neither.
    """
    if isinstance(source, Pool):
        yield Part(name, source, _manifest({"pool": name}, source), model=model)
        return
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(f"a source is a pool, its file, or a sweep's folder, got {source!r:.80}")
    path = Path(source)
    if path.is_dir():
        yield from _sweep(path)
        return
    pool = Pool.load(path)
    told = {"pool": path.name, "bytes": path.stat().st_size, "blake2b": _digest(path)}
    yield Part(path.name.removesuffix(".jsonl"), pool, _manifest(told, pool), model=model)


def _sweep(folder: Path) -> Iterator[Part]:
    stored, results = manifests.load(folder), SweepResults.load(folder)
    described = stored["configuration"]["strategies"]
    groups: dict[tuple[str, str], list[Finished]] = {}
    for one in results.finished:  # sorted by strategy, budget, seed, problem
        groups.setdefault((one.row.strategy, one.row.budget), []).append(one)
    for (strategy, budget), finished in groups.items():
        pool = Pool.of((one.row.problem, _entry(one)) for one in finished)
        told = _manifest({"sweep": folder.resolve().name, "strategy": strategy, "budget": budget}, pool)
        settings = {"strategy": strategy, "budget": budget, **_flat(described[strategy], "strategy")}
        place = {problem: i for i, problem in enumerate(pool.entries)}
        ordered = tuple(sorted(finished, key=lambda one, place=place: place[one.row.problem]))  # type: ignore[misc]
        model = _model(stored["configuration"].get("model"))
        yield Part(f"{strategy}, {budget}", pool, {**told, "sweep": stored}, settings, ordered, model)


def _entry(one: Finished) -> Entry:
    row = one.row
    kept: dict[str, Any] = {name: getattr(row, name) for name in FROM_ROW}
    failed = row.finish == "error"
    return Entry(
        row.answer, None, correct=row.right, finish=row.finish, feedback=row.feedback or row.error,
        **{**kept, "unknown": row.unknown and not failed},
    )  # fmt: skip


def _model(described: Any) -> str:
    """The name of the backend in a description of a model; "" of an agent."""
    found = described.get("backend") if isinstance(described, Mapping) else None
    return found if isinstance(found, str) else ""


def _flat(value: Any, path: str) -> dict[str, str]:
    """A description as names with dots and texts."""
    if not isinstance(value, Mapping):
        return {path: str(value)}
    return {name: text for key, inner in value.items() for name, text in _flat(inner, f"{path}.{key}").items()}


def _manifest(source: Mapping[str, Any], pool: Pool) -> dict[str, Any]:
    entries = [entry for _, entry in pool.samples()]
    return {
        "searchkit_log": VERSION, "source": dict(source), "problems": len(pool), "samples": len(entries),
        "correct": sum(e.correct for e in entries), "unknown": sum(e.unknown for e in entries),
        "failed": sum(e.finish == "error" for e in entries), "written_with": manifests.environment(),
    }  # fmt: skip


def _digest(path: Path) -> str:
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def by_id(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Problems by their ids."""
    given = listed("problems", problems, "[Problem(...), ...]")
    if odd := [one for one in given if not isinstance(one, Problem)]:
        raise ConfigError(f"problems are Problem objects, got {odd[0]!r:.80}")
    return {problem.id: problem for problem in given}
