"""Which files are journals, how one is made, and reading where nothing may be written."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit import Journal, JournalError
from searchkit.cli import main
from searchkit.engine.journal.checked import check, drop
from searchkit.engine.journal.header import APPLICATION_ID, VERSION
from searchkit.engine.journal.rows import SCHEMA
from tests.attacks.journals import counting, python, search, snapshot

CALL, REQUEST = SCHEMA
MARK, NOW = f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION}"
# Databases with our mark and version, whose tables are not ours.
TABLES = [
    [REQUEST], [], [CALL.replace("path TEXT NOT NULL, ", ""), REQUEST], [CALL.replace("call", "calls"), REQUEST],
    [CALL.replace("outcome", "answer"), REQUEST], ["CREATE TABLE call (id, key)", REQUEST], ["CREATE TABLE precious (x)"],
    ["CREATE TABLE t (x)", "CREATE VIEW call AS SELECT 1", REQUEST],
]  # fmt: skip
# What a whole journal is refused for, and `--drop` leaves behind.
MORE = [
    "CREATE TABLE precious (x)", "CREATE UNIQUE INDEX i ON request (digest)", "CREATE INDEX i ON call (hex(key))",
    "CREATE INDEX i ON call (problem) WHERE id > 3", "DROP TABLE request", "CREATE VIRTUAL TABLE f USING fts5(x)",
    "CREATE TRIGGER t AFTER INSERT ON call BEGIN DELETE FROM request; END", "ALTER TABLE request ADD COLUMN x",
    "ALTER TABLE call ADD COLUMN phone TEXT", "ALTER TABLE call RENAME COLUMN id TO ID",
    "CREATE TRIGGER t BEFORE DELETE ON request BEGIN SELECT 1; END", "CREATE TABLE z (id INTEGER PRIMARY KEY AUTOINCREMENT)",
]  # fmt: skip
# What browsers of databases leave behind, and what changes nothing.
IDLE = [
    "ANALYZE", "PRAGMA optimize", "ANALYZE call", "CREATE INDEX i ON call (problem)", "CREATE INDEX i ON call (key, path DESC)",
    "CREATE INDEX i ON request (digest COLLATE NOCASE)", "CREATE VIEW v AS SELECT * FROM call", "CREATE VIEW v AS SELECT * FROM nothing",
    "CREATE INDEX \"an index\" ON call (outcome)", "VACUUM", "REINDEX", "PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = FULL",
    "PRAGMA cache_size = 5", "PRAGMA default_cache_size = 5",
]  # fmt: skip
VERSIONS = [(MARK, f"PRAGMA user_version = {v}", CALL, REQUEST) for v in (0, 1, 3, 1 << 30, -1, -(1 << 31))]


@pytest.mark.parametrize("wal", [False, True])
@pytest.mark.parametrize("statements", [[MARK, NOW, *tables] for tables in TABLES] + VERSIONS)
def test_our_mark_on_other_tables_is_refused_and_left(statements: list[str], wal: bool, tmp_path: Path) -> None:
    """By all doors; not a byte changes, and no file appears."""
    path = tmp_path / "precious.db"
    db = sqlite3.connect(path, isolation_level=None)
    for statement in [*statements, *(["PRAGMA journal_mode = WAL"] if wal else [])]:
        try:
            db.execute(statement)
        except sqlite3.OperationalError as error:  # an SQLite without full-text search
            pytest.skip(str(error))
    db.close()
    before = snapshot(tmp_path)
    for read_only in (False, True):
        with pytest.raises(JournalError, match=r"precious\.db"):
            Journal(path, read_only=read_only)
    for command in (
        ["check", str(path)],
        ["show", str(path)],
        ["check", str(path), "--drop", str(tmp_path / "new.db")],
    ):
        assert main(["journal", *command]) == 1
    assert snapshot(tmp_path) == before


def execute(path: Path, statement: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(statement)
    except sqlite3.OperationalError as error:
        pytest.skip(str(error))
    finally:
        db.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of a search that ended."""
    path = tmp_path_factory.mktemp("whole") / "run.db"
    with counting() as server:
        search(path, server)
    return path


@pytest.mark.parametrize("statement", IDLE)
def test_what_changes_nothing_is_no_matter(statement: str, whole: Path, tmp_path: Path) -> None:
    """A journal stays one, whole, and is replayed and written."""
    path = Path(shutil.copy(whole, tmp_path))
    execute(path, statement)
    assert main(["journal", "check", str(path)]) == main(["journal", "show", str(path)]) == 0
    with counting() as server:
        again = search(path, server)
        assert server.asked == []
        assert again == search(whole, server)
    with Journal(path) as journal:
        asyncio.run(journal.put(b"n" * 16, "[]"))
    with Journal(path, read_only=True) as journal:
        assert journal.get(b"n" * 16) == "[]"


@pytest.mark.parametrize("statement", MORE)
def test_what_is_more_than_a_journal_is_dropped(statement: str, whole: Path, tmp_path: Path) -> None:
    """Refused by name, before anything is paid and untouched; `check` says what it is, and `--drop` gets all rows."""
    path, copy = Path(shutil.copy(whole, tmp_path)), tmp_path / "copy.db"
    execute(path, statement)
    before = snapshot(tmp_path)
    with counting() as server:
        with pytest.raises(JournalError, match="--drop"):
            search(path, server)
        assert (server.asked, snapshot(tmp_path)) == ([], before)
        assert main(["journal", "check", str(path)]) == 1
        assert main(["journal", "check", "--drop", str(copy), str(path)]) == 0
        search(copy, server)
        assert server.asked == []
    assert path.read_bytes() == before[path.name]


# Bytes of the header: where, and what comes there. All rows are there.
HEADERS = [
    (at, value)
    for at in (16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 31, 44, 45, 46, 47, 52, 55, 56, 57, 58, 59, 64, 67)
    for value in (0, 3, 255)
]


@pytest.mark.parametrize("wal", [False, True], ids=["closed", "killed"])
@pytest.mark.parametrize(("at", "value"), HEADERS)
def test_a_damaged_header(at: int, value: int, wal: bool, whole: Path, tmp_path: Path) -> None:
    """Either it does not matter, or it is refused with what to do, and the copy has every row. Never half of them."""
    path, copy = tmp_path / "run.db", tmp_path / "copy.db"
    if wal:
        with Journal(path) as journal:
            asyncio.run(journal.put(b"a" * 16, "[]"))
            state = snapshot(tmp_path)
        path = tmp_path / "killed.db"
        for suffix in ("", "-wal"):
            path.with_name(path.name + suffix).write_bytes(state["run.db" + suffix])
    else:
        shutil.copy(whole, path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([value]))
    looked = check(path)
    if not looked.damaged:
        with Journal(path, read_only=True) as journal:
            rows = len(journal)
    else:
        with pytest.raises(JournalError, match="--drop"):
            Journal(path, read_only=True)
        drop(path, copy)
        assert not check(copy).damaged
        with Journal(copy) as journal:
            rows = len(journal)
    assert rows == looked.calls == (1 if wal else 20)


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_named(version: int, tmp_path: Path) -> None:
    """What wrote it, and what reads it."""
    path = tmp_path / "run.db"
    Journal(path).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    said = rf"run\.db was written by journal version {version}{'.*0.1.0' if version == 1 else ''}.* reads version 2"
    with pytest.raises(JournalError, match=said):
        Journal(path)


HEADS = [
    (0, b"sQLite format 3"), (15, b"\x01"), (16, b"\x00\x00"), (16, b"\xff\xff"), (18, b"\x03\x03"), (18, b"\x00\x00"), (20, b"\xff"),
    (21, b"\x00"), (56, b"\x00\x00\x00\x02"), (56, b"\x00\x00\x00\x09"), (60, b"\x00\x00\x00\x00"), (68, bytes(4)), (68, b"\xff" * 4),
    (28, b"\xff\xff\xff\xff"), (36, b"\x00\x00\x00\x07"), (100, b"\x00"), (100, b"\xff" * 8), (105, b"\xff\xff"), (4096, b"\xff" * 64),
    (4096, bytes(64)), (8192, b"\x0a" * 200),
]  # fmt: skip


@pytest.mark.parametrize(("at", "content"), HEADS)
def test_a_changed_header_is_refused_or_makes_no_difference(at: int, content: bytes, tmp_path: Path) -> None:
    """Bytes of the file's and the pages' headers: an error of ours with the file as it is, or the very same search."""
    path = tmp_path / "run.db"
    with counting() as server:
        whole = search(path, server)
        data, paid = bytearray(path.read_bytes()), len(server.asked)
        data[at : at + len(content)] = content
        path.write_bytes(data)
        try:
            assert search(path, server) == whole
        except JournalError as error:
            assert "run.db" in str(error)  # noqa: PT017
            assert path.read_bytes() == data
            assert main(["journal", "check", str(path)]) == 1
        assert len(server.asked) == paid


# A child opens a journal and dies when SQLite has written so many bytes, in the middle of a statement.
TORN = """
import asyncio, os, resource, signal, sys
from searchkit import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with Journal(sys.argv[1]) as journal:
    for letter in b"abc":
        asyncio.run(journal.put(bytes([letter]) * 16, "[]"))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE ends the process")
@pytest.mark.parametrize(
    "size", [1, 100, 511, 512, 1024, 4096, 4097, 5000, 8192, 8300, 12000, 12288, 12400, 16384, 20000]
)
def test_killed_in_the_middle_of_a_statement(size: int, tmp_path: Path) -> None:
    """SIGXFSZ at that byte of any of its files: what is left opens, and takes rows."""
    path = tmp_path / "run.db"
    died = subprocess.run([sys.executable, "-c", TORN, path, str(size)], capture_output=True, check=False)
    assert died.returncode == -signal.SIGXFSZ or size > 12400
    left = Path(shutil.copytree(tmp_path, tmp_path.with_name(tmp_path.name + "-left"))) / "run.db"
    for one in (path, left):
        with Journal(one) as journal:
            known = len(journal)
            asyncio.run(journal.put(b"z" * 16, "[]"))
        with Journal(one) as journal:
            assert len(journal) == known + 1


# Reads as somebody who may not write anything.
READ = """
import os, sys
from searchkit import Journal, JournalError
os.setuid(65534)
try:
    with Journal(sys.argv[1]) as journal:
        print(journal.read_only, sorted(key.decode() for key in (b"a" * 16, b"b" * 16) if journal.get(key) == "[]"))
except JournalError as error:
    print(error)
"""
KILLED = """
import asyncio, os, sys
from searchkit import Journal
journal = Journal(sys.argv[1])
asyncio.run(journal.put(b"a" * 16, "[]"))
asyncio.run(journal.put(b"b" * 16, "[]"))
os._exit(9)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("lost", [[], ["-shm"], ["-lock"], ["-shm", "-lock"]])
@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o755), (0o644, 0o555), (0o444, 0o555)])
def test_the_journal_of_a_killed_process_is_read_where_nothing_may_be_written(
    lost: list[str], file: int, folder: int
) -> None:
    """Its rows are still in SQLite's log: they are found, and nothing is changed."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "run.db"
        python(KILLED, path).communicate()
        for suffix in lost:
            path.with_name("run.db" + suffix).unlink()
        for one in path.parent.iterdir():
            one.chmod(file)
        path.parent.chmod(folder)
        before = snapshot(path.parent)
        out, err = python(READ, path).communicate()
        assert out == f"True {['a' * 16, 'b' * 16]}\n", (out, err)
        assert snapshot(path.parent) == before
        path.parent.chmod(0o755)


def test_reading_only_pays_and_writes_nothing(tmp_path: Path) -> None:
    """A whole one replays; what is missing raises with its place before it is paid; not a byte changes."""
    path = tmp_path / "run.db"
    with counting() as server:
        whole = search(path, server)
        before, paid = snapshot(tmp_path), len(server.asked)
        with Journal(path, read_only=True) as journal:
            assert journal.read_only
            assert search(journal, server) == whole  # type: ignore[arg-type]
            with pytest.raises(JournalError, match="was not made"):
                asyncio.run(journal.put(b"a" * 16, "[]"))
        db = sqlite3.connect(path)
        db.execute("DELETE FROM call WHERE problem = 'problem-2'")
        db.commit()
        db.close()
        with (
            Journal(path, read_only=True) as journal,
            pytest.raises(JournalError, match=r"run\.db is open for reading only .*BestOfN/draw\[0\]/.* is not in it"),
        ):
            search(journal, server)  # type: ignore[arg-type]
    assert len(server.asked) == paid
    assert sorted(before) == sorted(snapshot(tmp_path))


@pytest.mark.parametrize("content", [None, b""])
def test_there_is_nothing_to_read(content: bytes | None, tmp_path: Path) -> None:
    """No file, or an empty one: said, and none is made."""
    path = tmp_path / "run.db"
    if content is not None:
        path.write_bytes(content)
    before = snapshot(tmp_path)
    with pytest.raises(JournalError, match=r"run\.db is no journal"):
        Journal(path, read_only=True)
    assert main(["journal", "check", str(path)]) == main(["journal", "show", str(path)]) == 1
    assert snapshot(tmp_path) == before


def test_requests_are_stored_once(tmp_path: Path) -> None:
    """Ten samples of five questions: one for each question, one for each judged prompt; without prompts none."""
    for prompts in (True, False):
        path = tmp_path / f"{prompts}.db"
        with counting() as server, Journal(path, prompts=prompts) as journal:
            search(journal, server)  # type: ignore[arg-type]
            search(journal, server)  # type: ignore[arg-type]
        with sqlite3.connect(path) as db:
            [stored] = db.execute("SELECT count(*) FROM request").fetchone()
            [asked] = db.execute("SELECT count(DISTINCT request) FROM call WHERE length(request) = 16").fetchone()
        db.close()
        assert (stored, asked) == (10 if prompts else 0, 10)
        with Journal(path) as journal:
            assert len(journal) == 20


@pytest.mark.parametrize(
    "name",
    ["a\0b.db", "a\ud800b.db", ":memory:", "file:run.db?mode=ro", "file::memory:", "~/run.db", "~nobody/run.db", "\0", 7, None, b"run.db"],
)  # fmt: skip
def test_a_name_that_is_none(name: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `JournalError` that can be printed, by all doors; no file appears."""
    monkeypatch.chdir(tmp_path)
    for opened in (Journal, check, lambda n: drop(n, "copy.db"), lambda n: drop("none.db", n)):
        with pytest.raises(JournalError) as caught:
            opened(name)  # type: ignore[operator]
        assert str(caught.value).isprintable()
    if isinstance(name, str):
        assert main(["journal", "check", name]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_called_like_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    Journal("~/run.db").close()
    assert (tmp_path / "~" / "run.db").exists()
