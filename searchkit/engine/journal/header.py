"""Which files are journals of ours, found without touching them, or adding one beside them."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from searchkit.engine.journal.rows import SCHEMA, text
from searchkit.errors import JournalError
from searchkit.markup.words import one_line

APPLICATION_ID = 0x5EA2C4  # in the SQLite header: says that the file is ours
VERSION = 2
WRITERS = {1: "searchkit 0.1.0, whose rows had no checksums"}
_MAGIC = b"SQLite format 3\0"
MEND = "Restore it, or have `searchkit journal check FILE --drop COPY` write a copy of what can be read"
_STATISTICS = ("sqlite_stat1", "sqlite_stat2", "sqlite_stat3", "sqlite_stat4")  # of ANALYZE and PRAGMA optimize
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
    if not is_marked(path):
        return False
    if not is_interrupted(path):
        _check_tables(path)
    return True


def is_marked(path: Path) -> bool:
    """The same by the file's first bytes, whatever is in it."""
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
    if head[:16] != _MAGIC or (len(head) < 100 and not is_interrupted(path)):
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
    return True


def _check_tables(path: Path) -> None:
    """Raise `JournalError` unless the tables are ours and what else there is changes nothing. Locks nothing."""
    try:
        with closing(sqlite3.connect(uri(path, "mode=ro&immutable=1"), uri=True)) as db:
            found = foreign(db)
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{path} is damaged ({error}); it was left as it is. {MEND}") from error
    if found:
        raise JournalError(
            f"{path} has other tables than a searchkit journal ({one_line(found[0], 80)}); it was left as it is. "
            "Choose another path, or have `searchkit journal check FILE --drop COPY` copy what is the journal's"
        )


def foreign(db: sqlite3.Connection) -> list[str]:
    """What a journal has no such thing of, or lacks: "table precious", "no table call".

    Views, statistics and indexes of plain columns, which browsers of databases leave behind, do not count.
    """
    found = {tuple(map(text, row)) for row in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")}
    lacking = [f"no table {name}" for kind, name, of, sql in sorted(_TABLES) if (kind, name, of, sql) not in found]
    more = [f"{kind} {name}" for kind, name, of, sql in sorted(found - _TABLES) if not _is_idle(db, kind, name)]
    return lacking + more


def _is_idle(db: sqlite3.Connection, kind: str, name: str) -> bool:
    """Whether it changes nothing of what is written or read."""
    if kind == "view" or (kind == "table" and name in _STATISTICS):
        return True
    if kind != "index":
        return False
    [(table,)] = db.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'index' AND name = ?", (name,))
    listed = 'SELECT "unique", partial FROM pragma_index_list(?) WHERE name = ?'
    of = db.execute(listed, (text(table), name)).fetchone()
    columns = [row[0] for row in db.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,))]
    return of == (0, 0) and -2 not in columns  # an expression


def is_interrupted(path: Path) -> bool:
    """Whether its making was ended in the middle of a statement, which SQLite undoes when it is opened."""
    undo = path.with_name(path.name + "-journal")
    return undo.exists() and undo.stat().st_size > 0
