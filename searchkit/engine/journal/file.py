"""The file of a journal: made, opened for writing or for reading only, and read through."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from searchkit.engine.journal.header import APPLICATION_ID, MEND, VERSION, is_begun, is_interrupted, uri
from searchkit.engine.journal.lock import Lock, held, is_held_here
from searchkit.engine.journal.rows import COLUMNS, SCHEMA, Row, damage, request_damage, said
from searchkit.errors import JournalError
from searchkit.markup.words import one_line

_SHARED = 3007000  # the version at the start of SQLite's file of shared memory, in the machine's own order
_BESIDE = {  # how the files begin that SQLite writes beside a database; zeros while it does
    "-wal": (bytes.fromhex("377f0682"), bytes.fromhex("377f0683")),
    "-journal": (bytes.fromhex("d9d505f920a163d7"),),
    "-shm": (_SHARED.to_bytes(4, "little"), _SHARED.to_bytes(4, "big")),
}
PATIENCE = 5  # seconds that another program which reads or backs the file up is waited for


def name_of(path: str | Path) -> Path:
    """The path of a journal as it was given. Raises `JournalError` for what names no file."""
    if not isinstance(path, (str, Path)):
        raise JournalError(f"a journal's path is a text or a Path, got {type(path).__name__}")
    name = str(path)
    fix = ""
    if "\0" in name:
        fix = "a name has no NUL character"
    elif name == ":memory:" or name.startswith("file:"):
        fix = "a journal is a file, which a killed search leaves behind; to keep nothing, pass no journal"
    elif name.startswith("~") and not Path(Path(name).parts[0]).exists():
        fix = f"~ is expanded by shells only; pass pathlib.Path({name!r}).expanduser()"
    else:
        try:
            os.fsencode(name)
        except UnicodeEncodeError:
            fix = "it has a character that no name of a file can have"
    if fix:
        raise JournalError(f"{one_line(name, 200)!r} cannot be the path of a journal: {fix}")
    return Path(path)


@contextmanager
def named(path: str | Path, doing: str) -> Iterator[None]:
    """Every error in here is a `JournalError` that has the name by which the file is known to whoever uses it."""
    try:
        yield
    except JournalError as error:
        if str(path) in str(error):
            raise
        raise JournalError(f"{path}: {error}") from error
    except (sqlite3.Error, OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        raise JournalError(f"{path} cannot be {doing} as a journal ({error}); it was left as it is") from error


def is_for_reading(path: Path) -> bool:
    """Whether there is a file that nothing can be written to: SQLite writes files beside it, too."""
    return path.exists() and not (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK))


def check_linked_once(path: Path) -> None:
    """Raise `JournalError` for a file with two names: SQLite and the lock go by names, so both could be written."""
    if path.exists() and path.stat().st_nlink > 1:
        raise JournalError(f"{path} has a second name (a hard link): copy it, and use the copy")


def check_beside(path: Path) -> None:
    """Raise `JournalError` for a file that has a name which SQLite writes beside the one at `path`, and is not its."""
    for suffix, begins in _BESIDE.items():
        beside = path.with_name(path.name + suffix)
        try:
            plain = stat.S_ISREG(beside.lstat().st_mode)
        except FileNotFoundError:
            continue
        head = _head(beside, len(begins[0])) if plain else b""
        if not plain or (head.strip(b"\0") and not any(begin.startswith(head) for begin in begins)):
            raise JournalError(
                f"{beside} has a name that SQLite writes beside {path.name}, and is none of its files; it was left as "
                "it is. Move it away, or choose another path for the journal"
            )


def _is_log(path: Path) -> bool:
    """Whether there is something that SQLite wrote and has to be read."""
    return path.is_file() and any(map(_head(path, 4).startswith, _BESIDE["-wal"]))


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def locked(path: Path) -> Lock:
    """This process's lock on the journal at `path`, to be released; the journal is made if there is none."""
    begun = is_held_here(path) or is_begun(path)
    check_linked_once(path)
    if not is_held_here(path):
        check_beside(path)
    lock = held(path)
    try:
        if not begun or is_interrupted(path):
            _make(path)
    except BaseException:
        lock.release()
        raise
    return lock


def _make(path: Path) -> None:
    """All in one transaction, so that a kill leaves a whole journal, or an empty file."""
    with closing(connected(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION}", *SCHEMA):
                db.execute(statement)
        db.execute("COMMIT")
    is_begun(path)


def connected(path: Path) -> sqlite3.Connection:
    """A connection that writes. Its texts are read as bytearrays: see `rows.COLUMNS`."""
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=PATIENCE)
    db.execute("PRAGMA synchronous = NORMAL")
    db.text_factory = bytearray
    return db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads: works while another process writes, and where nothing may be written.

    Raises `JournalError` where there is no journal, and for what is none of ours.
    """
    if not (is_held_here(path) or is_begun(path)):
        raise JournalError(f"{path} is no journal: there is nothing to read")
    with looking(path) as db:
        yield db


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """The same, whatever is in it."""
    log = path.with_name(path.name + "-wal")
    with ExitStack() as stack:
        if not _is_log(log):  # nobody writes: nothing needs to be locked, or made beside it
            db = stack.enter_context(closing(_read_only(path, "mode=ro&immutable=1")))
        else:
            try:
                db = stack.enter_context(closing(_read_only(path, "mode=ro")))
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:  # its log cannot be read where nothing may be written
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                db = stack.enter_context(closing(copied(path, folder)))
        yield db


def copied(path: Path, folder: Path, head: bytes = b"") -> sqlite3.Connection:
    """A connection to a copy in `folder`, with its log; that begins with `head`."""
    for suffix in ("", "-wal"):
        one = path.with_name(path.name + suffix)
        if one.exists():
            shutil.copyfile(one, folder / one.name)
    with (folder / path.name).open("r+b") as file:
        file.write(head)
    return _read_only(folder / path.name, "mode=rw")


def _read_only(path: Path, options: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri(path, options), uri=True, check_same_thread=False, isolation_level=None, timeout=PATIENCE)
    db.text_factory = bytearray
    return db


def rows(db: sqlite3.Connection) -> Iterator[Row]:
    """All calls, in the order in which they ended."""
    return map(Row._make, db.execute(f"SELECT {COLUMNS} FROM call ORDER BY id"))


def requests(db: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Number, digest and text of all requests."""
    return db.execute("SELECT id, digest, content FROM request ORDER BY id")


def broken(db: sqlite3.Connection) -> str:
    """What is wrong with the file as a database; "" for nothing."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    found = found.decode("utf-8", "replace") if isinstance(found, bytearray) else str(found)
    return "" if found == "ok" else found


def verified(db: sqlite3.Connection, path: Path) -> tuple[dict[bytes, int], set[bytes]]:
    """The number of each key's row, and the digests of all requests. Raises `JournalError` for the first damage.

    Cost: everything is read once.
    """
    if why := broken(db):
        raise JournalError(f"{path} is damaged ({why:.200}); it was left as it is. {MEND}")
    keys: dict[bytes, int] = {}
    for row in rows(db):
        if why := damage(row):
            raise JournalError(said(path, row.place, why))
        keys.setdefault(row.key, row.id)  # two journals of one process may both have made a call
    digests = set[bytes]()
    for one in requests(db):
        if why := request_damage(one):
            raise JournalError(said(path, f"request {one[0]}{_asked_by(db, one[1])}", why))
        digests.add(one[1])
    return keys, digests


def _asked_by(db: sqlite3.Connection, digest: object) -> str:
    """The first row that asked it."""
    found = db.execute(f"SELECT {COLUMNS} FROM call WHERE request = ? ORDER BY id LIMIT 1", (digest,)).fetchone()
    return "" if found is None else f" of {Row._make(found).place}"
