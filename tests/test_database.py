"""SQLite files of ours that several processes use."""

from __future__ import annotations

import sqlite3
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
    """Threads, each with a connection of its own."""
    failures, barrier = list[Exception](), threading.Barrier(8)

    def make(number):
        try:
            barrier.wait()
            opened(tmp_path / f"{number}.db", KIND).close()
        except Exception as error:
            failures.append(error)

    for number in range(5):
        threads = [threading.Thread(target=make, args=(number,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
