"""The SQLite file that all workers of a server share, and the thread in which one of them writes it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from searchkit.database import Kind, opened
from searchkit.errors import SearchkitError
from searchkit.serving.owners import Owner, is_dead
from searchkit.types import Budget

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

AGAIN = 1.0
"""Seconds after which it is worth asking again for what others do or hold."""
CEILINGS = tuple(Budget.__dataclass_fields__)
"""What accounts count: the ceilings of a budget, in their order."""
_AMOUNTS = ", ".join(f"{name} NUMERIC NOT NULL" for name in CEILINGS)
_KIND = Kind(
    "the accounts of a searchkit server",
    0x5EA2AC,
    1,
    (
        f"CREATE TABLE IF NOT EXISTS account (key TEXT PRIMARY KEY, {_AMOUNTS}) WITHOUT ROWID",
        f"CREATE TABLE IF NOT EXISTS hold (id TEXT PRIMARY KEY, key TEXT NOT NULL, owner TEXT NOT NULL, {_AMOUNTS})",
        "CREATE INDEX IF NOT EXISTS hold_of_key ON hold (key)",
        "CREATE TABLE IF NOT EXISTS answer (id TEXT PRIMARY KEY, key TEXT NOT NULL, name BLOB NOT NULL, "
        "body BLOB NOT NULL, owner TEXT NOT NULL, answer BLOB, until REAL NOT NULL, UNIQUE (key, name))",
        "CREATE INDEX IF NOT EXISTS answer_until ON answer (until)",
    ),
)


class Refused(SearchkitError):
    """A request that is not begun.

    status: of HTTP, 429 or 409. retry_after: seconds after which asking again may help; None where it cannot.
    """

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status: int = status
        self.retry_after: float | None = retry_after


class Shared:
    """The file at `path`, opened by one worker. Everything that is done to it is one transaction, in a thread.

    Raises `ConfigError` for a file that is none of ours. Close it, or use it as a context manager; what its process
    still holds then counts as held by a dead one. Power that fails may undo the last transactions, a kill none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path).resolve()
        self._db = opened(self.path, _KIND)
        self._db.isolation_level = None
        self._owner = Owner(self.path)
        self._thread = ThreadPoolExecutor(1, "searchkit-accounts")

    @property
    def owner(self) -> str:
        """By what name this process holds."""
        return self._owner.name

    def is_dead(self, owner: str) -> bool:
        """Whether a process that holds something has ended."""
        return is_dead(self.path, owner)

    async def do(self, work: Work[T], undo: Work[object] | None = None) -> T:
        """What `work` returns, committed. Whoever waits may be cancelled: what was begun is done, and then undone."""
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if undo is not None:
                self._thread.submit(self._transact, undo)
            await asyncio.wait([done])
            raise

    def _transact(self, work: Work[T]) -> T:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            found = work(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return found

    def close(self) -> None:
        """Do what is still to be done, and leave."""
        self._thread.shutdown()
        self._db.close()
        self._owner.leave()

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
