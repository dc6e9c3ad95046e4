"""An open journal: looks up what is finished, and writes what finishes, in groups.

A row is a call's key (what was asked, and where in the program), where it comes from, and its outcome as JSON, with a
checksum over all of it. A call is finished once its row is committed, and `Run` returns it only then; rows are
committed in groups by one writer thread. WAL mode with synchronous=NORMAL: nothing acknowledged is lost when the
process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import defaultdict
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from searchkit.engine.journal import file
from searchkit.engine.journal.lock import Lock
from searchkit.engine.journal.rows import COLUMNS, NOWHERE, Origin, Row, checksum, damage, said, storable, text
from searchkit.engine.keys import KEY_BYTES
from searchkit.errors import JournalError

_ROW = f"INSERT INTO call ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REQUEST = "INSERT INTO request (digest, content) VALUES (?, ?)"
_Put = tuple[bytes, str, Origin, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Journal:
    """An open journal file. Safe to use from several event loops; close it, or use it as a context manager.

    path: made if there is nothing. prompts: whether requests are stored, once each, so that the journal can be shown
    and judged again; their digests always are. read_only: for pure replay, which works while another process has the
    journal, too; a call that is not in it raises `JournalError` before it is paid. A file that cannot be written, or
    whose folder cannot be, is opened so.

    Raises `JournalError`, leaving the file as it is, if it is not a journal of this version, if a row is damaged, or if
    another process has it open. Cost: the file is read through once, a second for about 150,000 rows.
    """

    def __init__(self, path: str | Path, *, prompts: bool = True, read_only: bool = False) -> None:
        self.path: Path = file.name_of(path)
        self._queue: queue.SimpleQueue[_Put | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._prompts: bool = prompts
        self._failed: JournalError | None = None
        self._opened: bool = False
        self._below: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._lock: Lock | None = None
        self._writer: threading.Thread | None = None
        with file.named(self.path, "used"), ExitStack() as stack:
            self._open(self.path.resolve(), read_only, stack)
            self._closing = stack.pop_all()

    def _open(self, path: Path, read_only: bool, stack: ExitStack) -> None:
        if read_only or file.is_for_reading(path):
            self._reader = stack.enter_context(file.reading(path))
            self._numbers, self._requests = file.verified(self._reader, self.path)
        else:
            self._lock = file.locked(path)
            stack.callback(self._lock.release)
            with file.reading(path) as db:  # before anything is written, were it SQLite's own tidying up
                self._numbers, self._requests = file.verified(db, self.path)
            self._reader = stack.enter_context(closing(file.connected(path)))
            self._reader.execute("PRAGMA journal_mode = WAL")
        for key in self._numbers:
            self._note(key)
        self._opened = True
        if self._lock is not None:
            self._writer = threading.Thread(target=self._write, args=(path,), name="searchkit-journal", daemon=True)
            self._writer.start()

    @property
    def read_only(self) -> bool:
        """Whether it is for pure replay."""
        return self._lock is None

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, key: bytes) -> bool:
        return key in self._numbers

    # ---------------------------------------------------------------- looking up

    def get(self, key: bytes) -> str | None:
        """The outcome stored under `key`, or None."""
        self._check_open()
        number = self._numbers.get(key)
        if number is None:
            return None
        row = self._row(number)
        if why := "its key is another" if row.key != key else damage(row):
            raise JournalError(said(self.path, row.place, why))
        return str(row.outcome, "utf-8")

    def _row(self, number: int) -> Row:
        try:
            with self._guard:
                found = self._reader.execute(f"SELECT {COLUMNS} FROM call WHERE id = ?", (number,)).fetchone()
        except sqlite3.Error as error:
            raise JournalError(said(self.path, f"row {number}", error)) from error
        if found is None:
            raise JournalError(said(self.path, f"row {number}", "it is gone"))
        return Row._make(found)

    def damaged(self, key: bytes, error: Exception) -> JournalError:
        """What is raised where the outcome stored under `key` cannot be read."""
        return JournalError(said(self.path, self._row(self._numbers[key]).place, error))

    def made_at(self, key: bytes) -> tuple[int, str]:
        """The row in which the outcome under `key` stands, which is there, and the path of the call that stored it."""
        number = self._numbers[key]
        return number, text(self._row(number).path)

    def missing(self, place: str) -> JournalError:
        """What is raised, before it is paid, where a journal for pure replay lacks a call."""
        return JournalError(
            f"{self.path} is open for reading only (read_only=True, or nothing may be written there), and the call at "
            f"{place!r:.200} is not in it: it could not be kept, and was not made"
        )

    def below(self, prefix: bytes) -> set[bytes]:
        """The rests of the keys that begin with `prefix`, a whole key, and go on."""
        self._check_open()
        return set(self._below.get(prefix, ()))

    def has_inside(self, problem: str, path: str) -> bool:
        """Whether calls inside of the one at `path` are stored, so that it runs again and they are replayed."""
        return (storable(problem), storable(path)) in self._around

    @cached_property
    def _around(self) -> set[tuple[str, str]]:
        found = set[tuple[str, str]]()
        with self._guard:
            for problem, path in self._reader.execute("SELECT DISTINCT problem, path FROM call"):
                parts = text(path).split("/")
                found |= {(text(problem), "/".join(parts[:n])) for n in range(len(parts))}
        return found

    # ---------------------------------------------------------------- writing

    async def put(self, key: bytes, outcome: str, origin: Origin = NOWHERE) -> None:
        """Store `outcome`, the first under its key; returns once it is committed."""
        self._check_open()
        if self._lock is None:
            raise self.missing(origin.path)
        if not outcome.isascii():
            _check_text(outcome)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put((key, outcome, origin, loop, done))
        await done

    def _write(self, path: Path) -> None:
        db: sqlite3.Connection | None = None
        ending = False
        while not ending:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get_nowait())
            ending = None in group
            puts = [put for put in group if put is not None]
            try:
                if puts and self._failed is None:
                    db = db or file.connected(path)
                    self._commit(db, puts)
            except Exception as error:  # whatever it is, those who wait must hear of it
                self._failed = (
                    error if isinstance(error, JournalError)
                    else JournalError(f"{self.path} could not be written: {error}")
                )  # fmt: skip
                if db is not None and db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
            for loop in {put[3] for put in puts}:
                _answer(loop, [put[4] for put in puts if put[3] is loop], self._failed)
        if db is not None:
            db.close()

    def _commit(self, db: sqlite3.Connection, puts: list[_Put]) -> None:
        assert self._lock is not None
        self._lock.check()
        rows, numbers, fresh = list[tuple[Any, ...]](), dict[bytes, int](), dict[bytes, str]()
        db.execute("BEGIN IMMEDIATE")
        number = db.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()[0]
        for key, outcome, (problem, path, role, digest, asked, _), _, _ in puts:
            if key in self._numbers or key in numbers:
                continue
            numbers[key] = number = number + 1
            problem, path = storable(problem), storable(path)
            seal = checksum(key, problem, path, role, digest, outcome)
            rows.append((number, key, problem, path, role, digest, outcome, seal))
            if asked and self._prompts and digest not in self._requests:
                fresh[digest] = asked
        db.executemany(_ROW, rows)
        db.executemany(_REQUEST, fresh.items())
        db.execute("COMMIT")
        self._numbers |= numbers
        self._requests.update(fresh)
        for key in numbers:
            self._note(key)

    def _note(self, key: bytes) -> None:
        if len(key) > KEY_BYTES:
            self._below[key[:KEY_BYTES]].add(key[KEY_BYTES:])

    # ---------------------------------------------------------------- its end

    def check_kept(self) -> None:
        """Raise what kept an outcome from being written, if anything did."""
        if self._failed is not None:
            raise self._failed

    def _check_open(self) -> None:
        if not self._opened or self._is_inherited:
            raise JournalError(f"{self.path} is closed: open another Journal, or pass its path")
        if self._failed is not None:  # nothing more is paid that could not be kept
            raise self._failed

    @property
    def _is_inherited(self) -> bool:
        """Whether this is the copy that a forked process has of it, where nobody writes; it must not be touched."""
        return self._writer is not None and not self._writer.is_alive()

    def close(self) -> None:
        """Commit what is queued and close the file."""
        if self._opened and not self._is_inherited:
            self._opened = False
            if self._writer is not None:
                self._queue.put(None)
                self._writer.join()
            self._closing.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _answer(loop: asyncio.AbstractEventLoop, waiting: list[asyncio.Future[None]], failure: Exception | None) -> None:
    """Wake everybody who waits for a group, with one call into their loop."""

    def wake() -> None:
        for future in waiting:
            if not future.done():
                future.set_exception(failure) if failure else future.set_result(None)

    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)


def _check_text(outcome: str) -> None:
    try:
        outcome.encode()
    except UnicodeEncodeError as error:
        raise JournalError(f"what came out is no text that a file can hold ({error})") from error
