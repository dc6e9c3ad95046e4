"""A journal that may be damaged, opened to get out of it what can be read, header included."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from searchkit.engine.journal import file
from searchkit.engine.journal.header import foreign, is_interrupted, is_marked
from searchkit.engine.journal.rows import COLUMNS
from searchkit.errors import JournalError

_PAGE = 4096  # bytes, unless somebody changed it


@contextmanager
def salvaging(path: Path) -> Iterator[tuple[sqlite3.Connection, list[str]]]:
    """A connection to the journal at `path`, or to a copy with a mended header; and what is wrong with the file.

    Raises `JournalError` for what is none of ours, or cannot be read at all.
    """
    if not is_marked(path):
        raise JournalError(f"{path} is no journal: there is nothing to read")
    with ExitStack() as stack:
        db, wrong = _looked_at(lambda: stack.enter_context(file.looking(path)))
        if wrong and not is_interrupted(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            mended, still = _looked_at(lambda: stack.enter_context(closing(file.copied(path, folder, header(path)))))
            if db is None or (mended is not None and still != wrong):
                db, wrong = mended, [f"its header is damaged ({wrong[0]})", *still]
        if db is None:
            raise JournalError(f"{path} is damaged, and nothing of it can be read ({wrong[0]}); it was left as it is")
        try:
            file.check_beside(path)
        except JournalError as error:  # what keeps it from being opened, and no copy from being written
            wrong = [*wrong, str(error)]
        if not _has_calls(db):
            raise JournalError(
                f"{path} has other tables than a searchkit journal; it was left as it is. Choose another path"
            )
        yield db, wrong


def _looked_at(opened: Callable[[], sqlite3.Connection]) -> tuple[sqlite3.Connection | None, list[str]]:
    """A connection, None if there can be none, and what is wrong with the file as a journal, rows apart."""
    db = None
    try:
        db = opened()
        return db, [why for why in (file.broken(db),) if why] + foreign(db)
    except sqlite3.Error as error:
        return db, [str(error)]


def _has_calls(db: sqlite3.Connection) -> bool:
    """Whether there is a table with all columns of ours, however it was changed: its rows have checksums."""
    try:
        db.execute(f"SELECT {COLUMNS} FROM call LIMIT 0")
        return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'call'").fetchone() is not None
    except sqlite3.Error:
        return False


def header(path: Path) -> bytes:
    """How the file should begin, as far as that is known of every journal (SQLite's file format, section 1.3)."""
    with path.open("rb") as opened:
        found = bytearray(opened.read(100))
    size, page = path.stat().st_size, int.from_bytes(found[16:18], "big")
    page = 65536 if page == 1 else page
    if page not in [1 << power for power in range(9, 17)] or size % page:
        page = _PAGE
    found[16:18] = (1 if page == 65536 else page).to_bytes(2, "big")
    logged = path.with_name(path.name + "-wal").exists()
    found[18:24] = bytes([1 + logged, 1 + logged, 0, 64, 32, 32])  # versions, nothing reserved, fractions of a page
    found[28:32] = (size // page).to_bytes(4, "big")
    found[44:48] = (4).to_bytes(4, "big")  # format of the schema
    found[52:60] = bytes([0, 0, 0, 0, 0, 0, 0, 1])  # no vacuum by itself; UTF-8
    found[64:68], found[72:92] = bytes(4), bytes(20)
    return bytes(found)
