"""The journal: an append-only SQLite file of finished calls. Resuming a search is replaying its journal.

A row is a call's key (what was asked, and where in the program) and its outcome as JSON. A call is finished once its
row is committed, and `Run` returns it only then; rows are committed in groups by one writer thread. WAL mode with
synchronous=NORMAL: nothing acknowledged is lost when the process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from pathlib import Path
from types import TracebackType

from searchkit.errors import JournalError

APPLICATION_ID = 0x5EA2C4  # in the SQLite header: says that the file is ours
VERSION = 1

_LAST = b"\xff" * 64  # behind all rests of keys
_Put = tuple[bytes, str, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Journal:
    """An open journal file. Safe to use from several event loops; close it, or use it as a context manager.

    Raises `JournalError`, leaving the file as it is, if it exists and is not a journal of this version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self._queue: queue.SimpleQueue[_Put | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._reader = self._open()
        self._keys = {row[0] for row in self._reader.execute("SELECT key FROM call")}
        self._writer = threading.Thread(target=self._write, name="searchkit-journal", daemon=True)
        self._writer.start()

    def _open(self) -> sqlite3.Connection:
        try:
            new = not self.path.exists() or self.path.stat().st_size == 0
            if not new and not _is_sqlite(self.path):
                raise JournalError(f"{self.path} is not a searchkit journal; it was left as it is. Choose another path")
            db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=30)
            if new:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {VERSION}")
            self._verify(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS call"
                " (id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, outcome TEXT NOT NULL)"
            )
            return db
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self.path} cannot be used as a journal ({error}); it was left as it is") from error

    def _verify(self, db: sqlite3.Connection) -> None:
        application, version = (db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version"))
        if application != APPLICATION_ID:
            raise JournalError(f"{self.path} is another program's database; it was left as it is. Choose another path")
        if version != VERSION:
            raise JournalError(f"{self.path} was written by journal version {version}; this searchkit reads {VERSION}")
        if (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise JournalError(
                f"{self.path} is damaged ({damage}); it was left as it is. Restore it or start a new one"
            )

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: bytes) -> str | None:
        """The outcome stored under `key`, or None."""
        self._check_open()
        if key not in self._keys:
            return None
        try:
            with self._lock:
                row = self._reader.execute("SELECT outcome FROM call WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:  # a text that is none, or a page that is damaged
            raise self.damaged(key, error) from error
        return None if row is None else str(row[0])

    def damaged(self, key: bytes, error: Exception) -> JournalError:
        """What is raised where the outcome stored under `key` cannot be read."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            row = self._reader.execute("SELECT id FROM call WHERE key = ?", (key,)).fetchone()
            return JournalError(
                f"row {row[0]} of the journal {self.path} is damaged ({type(error).__name__}: {error!s:.100}); it was "
                f"left as it is. Restore the file, or delete the row to have its call made again"
            )
        return JournalError(f"the journal {self.path} is damaged ({error!s:.100}); it was left as it is")

    def below(self, prefix: bytes) -> set[bytes]:
        """The rests of the keys that begin with `prefix` and go on."""
        self._check_open()
        with self._lock:
            rows = self._reader.execute("SELECT key FROM call WHERE key > ? AND key < ?", (prefix, prefix + _LAST))
            return {row[0][len(prefix) :] for row in rows}

    async def put(self, key: bytes, outcome: str) -> None:
        """Store `outcome`; returns once it is committed."""
        self._check_open()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put((key, outcome, loop, done))
        await done

    def _write(self) -> None:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        db.execute("PRAGMA synchronous = NORMAL")
        closing = False
        while not closing:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get_nowait())
            closing = None in group
            puts = [put for put in group if put is not None]
            failure: Exception | None = None
            try:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR IGNORE INTO call (key, outcome) VALUES (?, ?)", [put[:2] for put in puts])
                db.execute("COMMIT")
                self._keys.update(put[0] for put in puts)
            except Exception as error:  # whatever it is, those who wait must hear of it
                failure = JournalError(f"{self.path} could not be written: {error}")
                if db.in_transaction:
                    db.execute("ROLLBACK")
            for loop in {put[2] for put in puts}:
                _answer(loop, [put[3] for put in puts if put[2] is loop], failure)
        db.close()

    def _check_open(self) -> None:
        if not self._writer.is_alive():
            raise JournalError(f"{self.path} is closed: open another Journal, or pass its path")

    def close(self) -> None:
        """Commit what is queued and close the file."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join()
            self._reader.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _answer(loop: asyncio.AbstractEventLoop, waiting: list[asyncio.Future[None]], failure: Exception | None) -> None:
    """Wake everybody who waits for a group, with one call into their loop."""

    def wake() -> None:
        for future in waiting:
            if not future.done():
                future.set_exception(failure) if failure else future.set_result(None)

    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
