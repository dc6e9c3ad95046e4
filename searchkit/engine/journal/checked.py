"""A journal that is only looked at: what its rows say, which are damaged, and a copy without those."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit import codec
from searchkit.engine.journal import file
from searchkit.engine.journal.rows import COLUMNS, Row, damage, request_damage, text
from searchkit.engine.journal.salvage import salvaging
from searchkit.errors import JournalError
from searchkit.kinds import described
from searchkit.types import Params, Prompt, Sample, Usage, Verdict

Loaded = Sample[Any] | list[Verdict] | str
_ASKED = "id, digest, content"


@dataclass(frozen=True)
class Damage:
    """A damaged row. what: "call" or "request". row: its number, None for what cannot be read at all."""

    what: str
    row: Any
    problem: str
    path: str
    why: str


@dataclass(frozen=True)
class Call:
    """A healthy row. outcome: a sample, verdicts, or the text of an effect. usage: what it cost, failed tries included.

    request: what was asked, None if it was not stored.
    """

    row: int
    problem: str
    path: str
    role: str
    digest: str
    request: tuple[Prompt, Params] | str | None
    outcome: Loaded
    usage: Usage


@dataclass(frozen=True)
class Checked:
    """What a look at a journal found. calls, requests: the healthy ones."""

    calls: int
    requests: int
    damaged: tuple[Damage, ...]


def check(path: str | Path) -> Checked:
    """Look at every row of the journal at `path`, which is not changed, held or not.

    Raises `JournalError` if it is none of ours, or of another version. Cost: everything is read once.
    """
    with _opened(path) as (db, wrong):
        found = list(_damages(db, wrong))
        healthy = sum(not _why(row) for row in _salvaged(db, "call", COLUMNS) if isinstance(row, tuple))
        asked = sum(not request_damage(one) for one in _salvaged(db, "request", _ASKED) if isinstance(one, tuple))
    return Checked(healthy, asked, tuple(found))


def drop(path: str | Path, copy: str | Path) -> Checked:
    """Write a journal without the damaged rows of the one at `path` to `copy`. Returns what was found at `path`.

    Raises `JournalError` if there is something at `copy` already.
    """
    target = file.name_of(copy)
    if target.exists() or target.is_symlink():
        raise JournalError(f"{target} exists already: name a file that does not, for the copy")
    found = check(path)
    with _opened(path) as (db, _), file.named(target, "written"):
        _write(db, target.resolve())
    return found


def _write(db: sqlite3.Connection, target: Path) -> None:
    lock = file.locked(target)
    try:
        with closing(file.connected(target)) as new:
            new.execute("BEGIN IMMEDIATE")
            there = {key for (key,) in new.execute("SELECT key FROM call")}
            asked = {digest for (digest,) in new.execute("SELECT digest FROM request")}
            for row in _salvaged(db, "call", COLUMNS):
                if isinstance(row, tuple) and not _why(row) and row[1] not in there:
                    values = [str(value, "utf-8") if isinstance(value, bytearray) else value for value in row]
                    values[0] = None if there else row[0]
                    new.execute(f"INSERT OR IGNORE INTO call ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            for one in _salvaged(db, "request", _ASKED):
                if isinstance(one, tuple) and not request_damage(one) and one[1] not in asked:
                    told = [None if asked else one[0], one[1], str(one[2], "utf-8")]
                    new.execute(f"INSERT OR IGNORE INTO request ({_ASKED}) VALUES (?, ?, ?)", told)
            new.execute("COMMIT")
    finally:
        lock.release()


def add(path: str | Path, copy: str | Path) -> None:
    """Add to the journal at `copy` the healthy rows of the one at `path` that it lacks, behind its own."""
    target = file.name_of(copy)
    with _opened(path) as (db, _), file.named(target, "written"):
        _write(db, target.resolve())


def calls(path: str | Path) -> Iterator[Call | Damage]:
    """Every row, in the order in which calls ended; damaged ones as such. Raises like `check`."""
    with _opened(path) as (db, _):
        asked = {one[1]: one[2] for one in _salvaged(db, "request", _ASKED)
                 if isinstance(one, tuple) and not request_damage(one)}  # fmt: skip
        for row in _salvaged(db, "call", COLUMNS):
            yield _damaged(row) or _call(Row._make(row), asked.get(row[5]))


def _call(row: Row, asked: bytearray | None) -> Call:
    outcome, usage = _outcome(row)
    return Call(
        row.id, text(row.problem), text(row.path), text(row.role), row.request.hex(), _request(asked), outcome, usage
    )


def _request(asked: bytearray | None) -> tuple[Prompt, Params] | str | None:
    """A prompt with its parameters; what an agent asked by itself stays the text of its content."""
    if asked is None:
        return None
    try:
        return codec.load_request(text(asked))
    except Exception:  # of another kind
        return text(asked)


def _outcome(row: Row) -> tuple[Loaded, Usage]:
    """What came out, and what it cost. Raises whatever reading it raises."""
    stored, role = text(row.outcome), text(row.role)
    if role in ("intent", "effect", ""):  # of calls that can not be undone; or put by hand
        return stored, Usage()
    if stored.startswith("[") and role == "verify":
        return codec.load_verdicts(stored), Usage()
    sample, retried, *_ = codec.load_row(stored)
    return sample, sample.usage + retried


def _why(row: tuple[Any, ...]) -> str:
    """What is wrong with a row; "" for nothing."""
    if why := damage(row):
        return why
    try:
        _outcome(Row._make(row))
    except Exception as error:
        return f"what came out cannot be read: {described(error)[:160]}"
    return ""


def _damaged(row: tuple[Any, ...] | str) -> Damage | None:
    """What is wrong with the row of a call, or why it cannot be read at all."""
    if not isinstance(row, tuple):
        return Damage("call", None, "", "", row)
    one, why = Row._make(row), _why(row)
    return Damage("call", one.id, text(one.problem), text(one.path), why) if why else None


def _damages(db: sqlite3.Connection, wrong: list[str]) -> Iterator[Damage]:
    for why in wrong:
        yield Damage("file", None, "", "", why)
    for row in _salvaged(db, "call", COLUMNS):
        if found := _damaged(row):
            yield found
    for asked in _salvaged(db, "request", _ASKED):
        if not isinstance(asked, tuple):
            yield Damage("request", None, "", "", asked)
        elif why := request_damage(asked):
            yield Damage("request", asked[0], "", "", why)


def _salvaged(db: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...] | str]:
    """The rows that can be read, from both ends where one in between cannot; then, as text, why."""
    seen, why = set[int](), ""
    for order in ("ASC", "DESC"):
        try:
            for row in db.execute(f"SELECT {columns} FROM {table} ORDER BY id {order}"):
                if row[0] in seen:
                    break
                seen.add(row[0])
                yield row
        except sqlite3.Error as error:
            why = f"a part of the file cannot be read ({error})"
        if not why:
            return
    yield why


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[sqlite3.Connection, list[str]]]:
    """A connection that reads, and what is wrong with the file.

    Raises `JournalError` for what is none of ours, and for what cannot be read.
    """
    name = file.name_of(path)
    with file.named(name, "read"), salvaging(name.resolve()) as found:
        yield found
