"""Rows that are not as they were written, whatever was done to them: named, and never believed."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from searchkit import Journal, JournalError
from searchkit.cli import main
from searchkit.engine.journal.rows import checksum, storable, text
from tests.attacks.journals import PROBLEMS, counting, search

# What is done to row 5 behind our back.
CHANGES = [
    "problem = 'problem-9'", "problem = ''", "problem = x'70'", "problem = problem || char(0)",
    "path = 'elsewhere'", "path = path || '/x'", "path = x''", "path = 7",
    "role = 'verify'", "role = 'effect'", "role = 'Generate'", "role = ''",
    "request = x''", "request = zeroblob(16)", "request = 'text'", "request = substr(request, 1, 15)",
    "key = zeroblob(16)", "key = x''", "key = 'text'", "key = key || x'00'", "key = (SELECT key FROM call WHERE id = 6)",
    "checksum = zeroblob(8)", "checksum = x''", "checksum = 'x'", "checksum = (SELECT checksum FROM call WHERE id = 6)",
    "outcome = outcome || ' '", "outcome = upper(outcome)", "outcome = replace(outcome, '0', 'O')",
    "outcome = replace(outcome, '\"finish\"', '\"Finish\"')", "outcome = cast(x'ff' as text)", "outcome = 1.5",
    "outcome = (SELECT outcome FROM call WHERE id = 1)", "outcome = zeroblob(100000)", "outcome = ' ' || outcome",
    "outcome = replace(outcome, 'answer', 'ànswer')", "outcome = outcome || char(0)", "outcome = trim(outcome, '}')",
    "path = (SELECT path FROM call WHERE id = 6), outcome = (SELECT outcome FROM call WHERE id = 1)",
    "problem = path, path = problem", "role = path, path = role",
]  # fmt: skip
REQUESTS = [
    "content = 'other'", "content = content || ' '", "content = x'00'", "content = ''", "content = replace(content, 'question', 'question ')",
    "content = cast(x'ff' as text)", "digest = zeroblob(16)", "digest = x''", "digest = 'x'", "digest = substr(digest, 1, 8)",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A journal of five problems, one after the other, so that row 5 is a sample; and what the search comes to."""
    path = tmp_path_factory.mktemp("whole") / "run.db"
    with counting() as server:
        return path, search(path, server, concurrency=1)


@pytest.fixture
def path(whole: tuple[Path, list[Any]], tmp_path: Path) -> Path:
    return Path(shutil.copy(whole[0], tmp_path / "run.db"))


def changed(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement)
    db.close()


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_row_is_named_and_dropped(change: str, path: Path, whole: tuple[Path, list[Any]]) -> None:
    """Whatever column: refused with the number, by `Journal` and by a reading one; checked; paid again from the copy."""
    changed(path, f"UPDATE call SET {change} WHERE id = 5")
    before, copy = path.read_bytes(), path.with_name("copy.db")
    for read_only in (False, True):
        with pytest.raises(JournalError, match=r"row 5 \(problem .*run\.db is damaged"):
            Journal(path, read_only=read_only)
    assert main(["journal", "check", str(path)]) == 1
    assert main(["journal", "check", str(path), "--drop", str(copy)]) == 0
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["copy.db", "run.db"]
    with counting() as server:
        assert search(copy, server) == whole[1]
    assert len(server.asked) <= 1  # none where the row is a verdict's
    with Journal(copy, read_only=True) as journal:
        assert len(journal) == len(PROBLEMS) * 4


@pytest.mark.parametrize("change", REQUESTS)
def test_a_changed_request_is_named_and_dropped(change: str, path: Path, whole: tuple[Path, list[Any]]) -> None:
    """Calls do not depend on it: nothing is paid again, and the copy lacks the text of the request alone."""
    changed(path, f"UPDATE request SET {change} WHERE id = 3")
    copy = path.with_name("copy.db")
    with pytest.raises(JournalError, match=r"request 3\b.*run\.db is damaged"):
        Journal(path)
    assert main(["journal", "check", str(path)]) == 1
    assert main(["journal", "check", str(path), "--drop", str(copy)]) == 0
    with counting() as server:
        assert search(copy, server) == whole[1]
    assert server.asked == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM call WHERE id = 5",
        "DELETE FROM call WHERE id > 10",
        "DELETE FROM call",
        "DELETE FROM request",
        "UPDATE call SET id = id + 1000",
        "UPDATE call SET id = -id",
        "INSERT INTO call SELECT id + 100, key, problem, path, role, request, outcome, checksum FROM call",
        "INSERT INTO request SELECT id + 100, digest, content FROM request",
    ],
)
def test_rows_that_are_gone_or_elsewhere_do_no_harm(statement: str, path: Path, whole: tuple[Path, list[Any]]) -> None:
    """Each row is whole: what is left is believed, the rest is paid again."""
    changed(path, statement)
    with counting() as server:
        assert search(path, server) == whole[1]
        paid = len(server.asked)
        assert search(path, server) == whole[1]
    assert len(server.asked) == paid <= 10


def test_a_row_that_changes_while_it_is_open_is_not_believed(path: Path) -> None:
    """Rows are looked at again when they are read."""
    with counting() as server, Journal(path) as journal:
        changed(path, "UPDATE call SET outcome = replace(outcome, 'answer', 'ansver') WHERE id = 5")
        with pytest.raises(JournalError, match=r"row \d+ \(problem 'problem-\d'"):
            search(journal, server)  # type: ignore[arg-type]
    assert server.asked == []


def test_checksums_tell_fields_apart() -> None:
    """What moves from one field to the next changes it."""
    fields = (b"k", "ab", "c", "r", b"d", "o")
    shifted = [
        (b"kd", "ab", "c", "r", b"", "o"), (b"k", "a", "bc", "r", b"d", "o"), (b"k", "ab", "", "cr", b"d", "o"),
        (b"k", "ab", "c", "", b"d", "ro"), (b"", "ab", "c", "r", b"kd", "o"), (b"k", "abcr", "", "", b"d", "o"),
    ]  # fmt: skip
    assert len({checksum(*one) for one in [fields, *shifted]}) == 7


@pytest.mark.parametrize("said", ["", "plain", "ünï", "\ud800", "a\x00b", "\x1b[2J", "\U0001f600\udfff"])
def test_any_name_can_be_stored(said: str, tmp_path: Path) -> None:
    """Ids of problems are anybody's: what no file can hold is written with backslashes."""
    stored = storable(said)
    assert stored.encode().decode() == stored == text(stored.encode())
    assert re.sub(r"\\u[0-9a-f]{4}", "?", stored) == re.sub("[\ud800-\udfff]", "?", said)
