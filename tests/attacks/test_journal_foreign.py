"""Files that are no journals of ours: refused, and neither they nor their folder are touched."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from searchkit import Journal, JournalError
from searchkit.cli import main
from tests.attacks.hostile import case
from tests.attacks.journals import check, counting, search, show, snapshot

CALL = "CREATE TABLE call (id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, outcome TEXT NOT NULL)"
OURS = 6202052  # the application id of journals


def database(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        db = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            db.execute(statement)
        db.close()

    return make


def content(data: bytes) -> Callable[[Path], None]:
    return lambda path: [None, path.write_bytes(data)][0]


def unfinished(path: Path) -> None:
    """A foreign database in WAL mode whose writer was killed: the rows are in the -wal file."""
    db = sqlite3.connect(path.with_name("source"), isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "CREATE TABLE precious (x)", "INSERT INTO precious VALUES (1)"):
        db.execute(statement)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(path.with_name("source" + suffix).read_bytes())
    db.close()
    path.with_name("source").unlink()


FOREIGN = [
    case("text", content(b"my thesis, chapter one\n")),
    case("one-byte", content(b"S")),
    case("begins-like-sqlite", content(b"SQLite format 3\x00")),
    case("begins-like-sqlite-and-goes-on", content(b"SQLite format 3\x00" + bytes(4080))),
    case("old-sqlite", content(b"** This file contains an SQLite 2.1 database **" + bytes(2000))),
    case("zip", content(b"PK\x03\x04" + bytes(300))),
    case("gzip", content(b"\x1f\x8b\x08" + bytes(300))),
    case("parquet", content(b"PAR1" + bytes(300) + b"PAR1")),
    case("json-lines", content(b'{"prompt": "q", "answer": "4"}\n' * 50)),
    case("zeros", content(bytes(8192))),
    case("a-table", database("CREATE TABLE precious (x)")),
    case("a-table-with-rows", database("CREATE TABLE precious (x)", "INSERT INTO precious VALUES (1), (2)")),
    case("our-table-without-our-mark", database(CALL)),
    case("our-table-of-other-columns", database("CREATE TABLE call (id INTEGER, phone TEXT)", "INSERT INTO call VALUES (1, '555')")),
    case("our-table-and-another", database(CALL, "CREATE TABLE precious (x)")),
    case("our-mark-and-another-table", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", "CREATE TABLE precious (x)")),
    case("our-mark-and-a-table-too-many", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", CALL, "CREATE TABLE precious (x)")),
    case("our-mark-and-other-columns", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", "CREATE TABLE call (id, phone)")),
    case("our-name-as-a-view", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", "CREATE TABLE t (id, key, outcome)", "CREATE VIEW call AS SELECT * FROM t")),
    case("a-trigger", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", CALL, "CREATE TABLE l (x)", "CREATE TRIGGER spy AFTER INSERT ON call BEGIN INSERT INTO l VALUES (new.key); END")),
    case("another-mark", database("PRAGMA application_id = 252006673", "CREATE TABLE precious (x)")),
    case("another-mark-and-our-table", database("PRAGMA application_id = 252006673", CALL)),
    case("another-mark-and-no-table", database("PRAGMA application_id = 252006673")),
    case("a-version-of-another", database("PRAGMA user_version = 7", "CREATE TABLE precious (x)")),
    case("a-version-and-no-table", database("PRAGMA user_version = 7")),
    case("only-a-view", database("CREATE VIEW v AS SELECT 1")),
    case("utf-16", database("PRAGMA encoding = 'UTF-16le'", "CREATE TABLE precious (x)")),
    case("wal-with-rows", unfinished),
    case("a-later-version", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 99", CALL)),
    case("version-0-with-rows", database(f"PRAGMA application_id = {OURS}", CALL, "INSERT INTO call VALUES (1, x'00', '{}')")),
    case("a-negative-version", database(f"PRAGMA application_id = {OURS}", "PRAGMA user_version = -1", CALL)),
]  # fmt: skip


@pytest.mark.parametrize("make", FOREIGN)
def test_a_foreign_file_is_refused_and_left(make: Callable[[Path], None], tmp_path: Path) -> None:
    """`JournalError` that names the file; not a byte of it is changed, and no file is added beside it."""
    path = tmp_path / "precious"
    make(path)
    before = snapshot(tmp_path)
    with pytest.raises(JournalError, match="precious"):
        Journal(path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("make", FOREIGN)
def test_a_search_on_a_foreign_file_pays_nothing(make: Callable[[Path], None], tmp_path: Path) -> None:
    """The same through a search."""
    path = tmp_path / "precious"
    make(path)
    before = snapshot(tmp_path)
    with counting() as server, pytest.raises(JournalError):
        search(path, server)
    assert server.asked == []
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("command", [check, show])
@pytest.mark.parametrize("make", FOREIGN)
def test_check_and_show_leave_a_foreign_file(
    make: Callable[[Path], None],
    command: Callable[[Path], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command line: exit code 1, one line that names the file."""
    path = tmp_path / "precious"
    make(path)
    before = snapshot(tmp_path)
    assert main(command(path)) == 1
    err = capsys.readouterr().err
    assert "precious" in err
    assert "Traceback" not in err
    assert snapshot(tmp_path) == before


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "run.db")


def circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    "make", [case("a-folder", folder), case("a-dangling-link", dangling), case("a-circle", circle), case("null", lambda p: p.symlink_to("/dev/null"))]
)  # fmt: skip
def test_what_is_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Folders, broken links and devices: an error of ours that names the path."""
    path = tmp_path / "run.db"
    make(path)
    with pytest.raises(JournalError, match=r"run\.db"):
        Journal(path)


def test_an_old_journal_is_refused_with_the_version_that_wrote_it(tmp_path: Path) -> None:
    """The format of 0.1.0, before rows had checksums: says so, by its number, and leaves it."""
    path = tmp_path / "old.db"
    row = """INSERT INTO call VALUES (1, x'00112233445566778899aabbccddeeff', '{"value": "4", "finish": "stop"}')"""
    database("PRAGMA journal_mode = WAL", f"PRAGMA application_id = {OURS}", "PRAGMA user_version = 1", CALL, row)(path)
    before = snapshot(tmp_path)
    with pytest.raises(JournalError, match=r"version 1|0\.1"):
        Journal(path)
    assert snapshot(tmp_path) == before


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    """Made by `touch`, or by a kill before the first statement."""
    (tmp_path / "run.db").write_bytes(b"")
    with counting() as server:
        first = search(tmp_path / "run.db", server)
        paid = len(server.asked)
        assert search(tmp_path / "run.db", server) == first
    assert len(server.asked) == paid
