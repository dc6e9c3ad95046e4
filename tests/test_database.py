"""SQLite files of ours that several processes use."""

from __future__ import annotations

import functools
import sqlite3
import sys
import threading

import pytest

from searchkit.database import Kind, opened
from searchkit.errors import ConfigError

KIND = Kind("a test", 0x5EA2FF, 3, ("CREATE TABLE IF NOT EXISTS t (x)",))


def test_a_file_is_made_once_and_opened_again(tmp_path):
    """With what is in it."""
    for count in range(3):
        db = opened(tmp_path / "t.db", KIND)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (count,)
        db.execute("INSERT INTO t VALUES (1)")
        db.commit()
        db.close()


@pytest.mark.parametrize("pragma", ["application_id = 5", "user_version = 4"])
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path, pragma):
    """By its number or its version."""
    path = tmp_path / "t.db"
    opened(path, KIND).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA {pragma}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is not a test of version 3"):
        opened(path, KIND)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """With what to do."""
    with pytest.raises(ConfigError, match="choose another path"):
        opened(tmp_path / "no" / "t.db", KIND)


def test_many_may_make_it_at_once(tmp_path):
    """Threads, each with a connection of its own, which take turns as often as they can."""
    failures, barrier, interval = list[Exception](), threading.Barrier(4), sys.getswitchinterval()

    def make():
        try:
            for number in range(5):
                barrier.wait()
                opened(tmp_path / f"{number}.db", KIND).close()
        except Exception as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=make) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def test_nobody_sees_a_file_that_is_half_made(tmp_path, monkeypatch):
    """After each statement another program finds an empty file, or one of this kind and version."""
    path, plain = tmp_path / "t.db", sqlite3.connect
    found = list[tuple[int, int]]()

    class Watched(sqlite3.Connection):
        def execute(self, *arguments):
            done = super().execute(*arguments)
            if "=" in arguments[0] and "journal_mode" not in arguments[0]:
                other = plain(path)
                numbers = (other.execute(f"PRAGMA {x}").fetchone()[0] for x in ("application_id", "user_version"))
                found.append(tuple(numbers))
                other.close()
            return done

    monkeypatch.setattr(sqlite3, "connect", functools.partial(plain, factory=Watched))
    opened(path, KIND).close()
    assert set(found) == {(0, 0), (KIND.number, KIND.version)}


def test_whoever_reads_it_meanwhile_is_waited_for(tmp_path):
    """Another program that looks at a file without a log, which keeps it from getting one."""
    path = tmp_path / "t.db"
    opened(path, KIND).close()
    with sqlite3.connect(path, check_same_thread=False) as reader:
        assert reader.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        end = threading.Timer(0.1, reader.rollback)
        end.start()
        opened(path, KIND).close()
        end.join()
    reader.close()
