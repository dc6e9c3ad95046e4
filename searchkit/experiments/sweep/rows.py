"""Rows of a sweep: what one search came to, and the files that they are kept in.

While a sweep runs, each finished search is one line at the end of its shard's log, written at once. When all have
finished, the rows are sorted into ``results.jsonl``, whose bytes depend on nothing but the results; times, and what
was spent on cancelled calls, go into ``times.jsonl``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.types import Finish, Stopped
from searchkit.whole_file import whole_file

HEADER, VERSION = "searchkit_sweep", 3
RESULTS, TIMES = "results.jsonl", "times.jsonl"
LOG, LOCK = "rows.jsonl", "lock.db"  # of a shard
Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One search: a strategy under a budget with a seed, for a problem.

    - strategy, budget: their names in the sweep.
    - seed: the root seed.
    - problem: its id.
    - answer: a text, or what an agent returned if that is JSON; None if the search failed.
    - right: what the verifier that knows the truth says of it; neither a failed search nor what is unknown is right.
    - score: the search's own verifier's, None if it has none.
    - generated_tokens, prompt_tokens: the whole search's, but for what is `Lost`.
    - sequential_tokens: generated tokens on the longest chain of calls that waited for one another; of a search that
      failed, all of them.
    - model_calls, usd: the whole search's, but for what is `Lost`.
    - stopped: why the search ended.
    - error: what made it fail or end, or why the answer could not be judged; "" if all went well.
    - unknown: nobody knows whether the answer is right: the truth abstained, failed, or found none in it.
    - feedback: why the truth said what it did.
    - finish: how the answer ended; "length" is cut off.
    - oracle: the verifiers that saw what is right while the search ran (`Result.oracle`), with commas; "" if none did.
    - arm: what `Router` asked, or how far `Escalate` went (see `choices`); "" of other strategies.
    - deciding_tokens: those of `generated_tokens` that it took to choose.
    - drawn: how many samples it had, of a strategy that declares independent draws (`Strategy.INDEPENDENT`); else 0.
    - distinct: how many different texts these are.
    """

    strategy: str
    budget: str
    seed: int
    problem: str
    answer: Any
    right: bool
    score: float | None
    generated_tokens: int
    prompt_tokens: int
    sequential_tokens: int
    model_calls: int
    usd: float
    stopped: Stopped
    error: str
    unknown: bool
    feedback: str
    finish: Finish | Literal["error"]
    oracle: str = ""
    arm: str = ""
    deciding_tokens: int = 0
    drawn: int = 0
    distinct: int = 0

    @property
    def key(self) -> Key:
        return self.strategy, self.budget, self.seed, self.problem


@dataclass(frozen=True, slots=True)
class Lost:
    """What was spent on calls that were cancelled, because the search had ended, and on attempts that failed."""

    generated_tokens: int = 0
    prompt_tokens: int = 0
    model_calls: int = 0
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A row with what differs between two runs that come to the same, since it depends on latencies.

    wall_s: seconds that the search took, with those that calls had taken which were not made again. resumed: whether it
    was interrupted, and an earlier process had made a part of its calls. lost: what was spent beside what the row says.
    served: what came of the calls that this process made: "" if one was answered, None if there were none, else how
    the last of them failed; it is not kept.
    """

    row: Row
    wall_s: float
    resumed: bool
    lost: Lost = Lost()
    served: str | None = field(default="", compare=False)


_KEY = ("strategy", "budget", "seed", "problem")
_ROW, _LOST = (tuple(one.name for one in fields(kind)) for kind in (Row, Lost))


def _dumped(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _ROW}


def _rest(finished: Finished) -> dict[str, Any]:
    lost = {name: getattr(finished.lost, name) for name in _LOST}
    return {"wall_s": finished.wall_s, "resumed": finished.resumed, "lost": lost}


def _finished(row: dict[str, Any], rest: dict[str, Any]) -> Finished:
    return Finished(Row(**row), rest["wall_s"], rest["resumed"], Lost(**rest["lost"]))


class Log:
    """The log of one shard, open for appending. What a killed process left of a line is cut off."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        whole = path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(whole)

    def drop(self, keys: Collection[Key]) -> None:
        """Take the rows of these searches off. Killed in the middle, other rows are lost, whose calls are not."""
        path = Path(self._file.name)
        with path.open("rb") as file:
            kept = [line for line in file if tuple(json.loads(line)["row"][name] for name in _KEY) not in keys]
        self._file.truncate(0)
        self._file.write(b"".join(kept))

    def append(self, *finished: Finished) -> None:
        """Add a line each, all at once; they are the system's when this returns, so a kill cannot undo it."""
        lines = "".join(f"{json.dumps({'row': _dumped(one.row), **_rest(one)})}\n" for one in finished).encode()
        if self._file.write(lines) != len(lines):
            raise ConfigError(f"{self._file.name} cannot be written: the disk is full; the same command goes on")

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def logged(path: Path) -> Iterator[Finished]:
    """What a log holds, in the order in which it was finished."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield _load(line, path, number)


def _load(line: bytes, path: Path, number: int) -> Finished:
    try:
        stored = json.loads(line)
        return _finished(stored["row"], stored)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path}, line {number}, is damaged ({error}): delete the line to search anew") from error


def write(folder: Path, finished: Sequence[Finished]) -> None:
    """Sort the rows into the two files of a finished sweep, each of which appears whole or not at all."""
    ordered = sorted(finished, key=lambda one: one.row.key)
    times = ({"key": one.row.key, **_rest(one)} for one in ordered)
    whole(folder / TIMES, (json.dumps(time) for time in times))
    header = json.dumps({HEADER: VERSION, "rows": len(ordered)})
    whole(folder / RESULTS, (header, *(json.dumps(_dumped(one.row)) for one in ordered)))


def read(folder: Path) -> list[Finished]:
    """What `write` wrote; `ConfigError` if the sweep is not finished, or its files are damaged."""
    if not (folder / RESULTS).exists():
        raise ConfigError(f"{folder} holds no finished sweep: name the out folder of one, or run the sweep to its end")
    try:
        header, *rows = map(json.loads, (folder / RESULTS).read_bytes().splitlines())
        times = [json.loads(line) for line in (folder / TIMES).read_bytes().splitlines()]
        found = [_finished(row, rest) for row, rest in zip(rows, times, strict=True)]
        intact = header == {HEADER: VERSION, "rows": len(found)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{folder} is damaged ({error}): delete {RESULTS} and run the sweep again") from error
    if not intact:
        raise ConfigError(f"{folder / RESULTS} is incomplete or of another version: delete it and run the sweep again")
    return found


def untouched(folder: Path) -> bool:
    """Whether no search of a sweep that has begun in `folder` has a row yet, and no process is at work on one."""
    if (folder / RESULTS).exists() or any(path.stat().st_size for path in folder.glob(f"shard-*/{LOG}")):
        return False
    return not any(map(_is_locked, folder.glob(f"shard-*/{LOCK}")))


def _is_locked(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
        return False


def whole(path: Path, lines: Iterable[str]) -> None:
    """Write a file that appears with all its lines or not at all."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
