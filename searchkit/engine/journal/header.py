"""Which files are journals of ours, found without touching them, or adding one beside them."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from searchkit.engine.journal.rows import SCHEMA
from searchkit.errors import JournalError

APPLICATION_ID = 0x5EA2C4  # in the SQLite header: says that the file is ours
VERSION = 2
WRITERS = {1: "searchkit 0.1.0, whose rows had no checksums"}
_MAGIC = b"SQLite format 3\0"
_TABLES = {("table", sql.split()[2], sql.split()[2], sql) for sql in SCHEMA}


def is_ours(head: bytes) -> bool:
    """Whether a file that begins so is a journal, of whatever version."""
    return head[:16] == _MAGIC and len(head) == 100 and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def uri(path: Path, options: str) -> str:
    """The name by which SQLite opens it with `options`."""
    return f"{path.absolute().as_uri()}?{options}"


def is_begun(path: Path) -> bool:
    """Whether there is a journal of ours at `path`; False if nothing is there, or an empty file.

    Raises `JournalError` for all else, and `OSError` for what cannot be read.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise JournalError(f"{path} is no file, so that it cannot be a journal. Choose another path")
    if found.st_size == 0:
        return False
    with path.open("rb") as file:
        head = file.read(100)
    if head[:16] != _MAGIC:
        raise JournalError(f"{path} is not a searchkit journal; it was left as it is. Choose another path")
    if len(head) == 100 and not is_ours(head):
        raise JournalError(f"{path} is another program's database; it was left as it is. Choose another path")
    version = int.from_bytes(head[60:64], "big", signed=True)
    if len(head) == 100 and version != VERSION:
        known = f" ({WRITERS[version]})" if version in WRITERS else ""
        raise JournalError(
            f"{path} was written by journal version {version}{known}; this searchkit reads version {VERSION} and left "
            "it as it is. Finish it with the searchkit that began it, or use another path"
        )
    if not is_interrupted(path):
        _check_tables(path)
    return True


def _check_tables(path: Path) -> None:
    """Raise `JournalError` unless the tables are ours and there is nothing else. Reads, and locks nothing."""
    with closing(sqlite3.connect(uri(path, "mode=ro&immutable=1"), uri=True)) as db:
        found = set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    if found != _TABLES:
        raise JournalError(
            f"{path} has other tables than a searchkit journal; it was left as it is. Choose another path"
        )


def is_interrupted(path: Path) -> bool:
    """Whether its making was ended in the middle of a statement, which SQLite undoes when it is opened."""
    undo = path.with_name(path.name + "-journal")
    return undo.exists() and undo.stat().st_size > 0
