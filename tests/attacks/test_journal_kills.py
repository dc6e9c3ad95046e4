"""Kills, full disks and vanished files: what is left opens, and what was acknowledged is there."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchkit import JournalError
from tests.attacks.hostile import case
from tests.attacks.journals import counting, python, search

pytestmark = pytest.mark.slow

# For each number n: a child opens a journal and puts a row, and dies before its n-th statement; then it is opened again.
KILLS = """
import asyncio, json, os, sqlite3, sys
from searchkit import Journal

connect, left, mode = sqlite3.connect, [0], sys.argv[2]

def dying(statement):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)

def watched(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_trace_callback(dying)
    return db

def use(path):
    with Journal(path) as journal:
        asyncio.run(journal.put(b"a" * 16, "[]"))
        asyncio.run(journal.put(b"b" * 16, "[]"))

def forked(action):
    if (pid := os.fork()) == 0:
        try:
            action()
            os._exit(0)
        except BaseException as error:
            print(json.dumps({"n": n, "error": repr(error)}), flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1] >> 8

def killed():
    left[0] = n
    sqlite3.connect = watched
    use(path)

for n in range(60):
    path = os.path.join(sys.argv[1], f"{n}.db")
    code = forked(killed)
    if mode == "without-wal":
        for suffix in ("-wal", "-shm", "-journal"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
    again = forked(lambda: use(path))
    print(json.dumps({"n": n, "killed": code, "opened": again}), flush=True)
"""


@pytest.mark.parametrize("mode", ["as-it-is", "without-wal"])
def test_killed_before_any_statement(mode: str, tmp_path: Path) -> None:
    """Before each statement of creation and of the first rows, also where the files beside it got lost: it opens."""
    out, err = python(KILLS, tmp_path, mode).communicate()
    rows = [json.loads(line) for line in out.splitlines()]
    assert not [row for row in rows if "error" in row], (rows, err)
    died = [row["n"] for row in rows if row.get("killed") == 9]
    assert len(died) >= 5  # otherwise the statements were not seen
    assert all(row["opened"] == 0 for row in rows)


# The file as it is before each statement, without the process: what a power cut, or a backup at that moment, leaves.
STAGES = """
import asyncio, json, os, shutil, sqlite3, sys
from searchkit import Journal, JournalError

connect, count, folder = sqlite3.connect, [0], sys.argv[1]
path = os.path.join(folder, "run.db")

def copied(statement):
    count[0] += 1
    for suffix in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + suffix):
            shutil.copy(path + suffix, os.path.join(folder, f"{count[0]}.db{suffix}"))

def watched(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_trace_callback(copied)
    return db

sqlite3.connect = watched
with Journal(path) as journal:
    asyncio.run(journal.put(b"a" * 16, "[]"))
sqlite3.connect = connect
for n in range(1, count[0] + 1):
    for wal in (True, False):
        name = os.path.join(folder, f"{n}.db")
        if not wal:
            for suffix in ("-wal", "-shm", "-journal"):
                if os.path.exists(name + suffix):
                    os.unlink(name + suffix)
        if os.path.exists(name):
            try:
                Journal(name).close()
                print(json.dumps({"n": n, "wal": wal, "error": None}))
            except BaseException as error:
                print(json.dumps({"n": n, "wal": wal, "error": repr(error)}))
"""


def test_copies_of_every_stage_open(tmp_path: Path) -> None:
    """With the files beside it, and without."""
    out, err = python(STAGES, tmp_path).communicate()
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) >= 4, err
    assert [row for row in rows if row["error"]] == []


# A disk that is full after so many bytes: RLIMIT_FSIZE, and the signal ignored, as on a quota.
FULL = """
import json, resource, signal, sys
from pathlib import Path
from searchkit import JournalError
from tests.attacks.hostile import Hostile
from tests.attacks.journals import answer, search

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with Hostile(answer) as server:
    try:
        search(Path(sys.argv[1]), server)
        error = None
    except JournalError as problem:
        error = str(problem)
    except BaseException as problem:
        error = "NOT OURS: " + repr(problem)
sys.stdout.write(json.dumps({"error": error, "paid": len(server.asked)}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("size", [0, 1, 512, 4096, 8192, 12288, 16384, 20480, 24576, 28672, 32768, 40960, 49152])
def test_a_full_disk(size: int, tmp_path: Path) -> None:
    """An error of ours that names the file; with room again it goes on, and pays only what was not written."""
    path = tmp_path / "run.db"
    out, err = python(FULL, path, size).communicate()
    assert out, err
    found = json.loads(out)
    if found["error"] is not None:
        assert "NOT OURS" not in found["error"]
        assert str(path) in found["error"]
    with counting() as server:
        first = search(path, server)
        assert len(server.asked) <= 10
        paid = len(server.asked)
        assert search(path, server) == first
    assert len(server.asked) == paid
    assert paid + found["paid"] >= 10


def removed(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(b"somebody else's")
    path.with_name("new").rename(path)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def overwritten(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize(
    "change",
    [case("removed", removed), case("moved", moved), case("replaced", replaced), case("emptied", emptied), case("overwritten", overwritten)],
)  # fmt: skip
def test_changed_while_it_is_open(change: Callable[[Path], None], tmp_path: Path) -> None:
    """The file goes away in the middle of a search: an error of ours, or everything that was paid is in the file."""
    path, seen = tmp_path / "run.db", [0]
    with counting() as server:
        plain: Any = server.answer

        def answer(asked: Any) -> bytes:
            seen[0] += 1
            if seen[0] == 6:
                change(path)
            return bytes(plain(asked))

        server.answer = answer
        try:
            first = search(path, server)
        except JournalError as error:
            assert str(path) in str(error)  # noqa: PT017
            return
        paid = len(server.asked)
        assert search(path, server) == first
        assert len(server.asked) == paid
