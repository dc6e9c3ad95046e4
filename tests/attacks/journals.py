"""What the attacks on journals share: a search whose payments a server counts, and ways into the file that know no schema."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from searchkit import Model, Problem, Prompt, run_sync, solve_many
from searchkit.generators import OpenAI
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate
from tests.attacks.hostile import PARAMS, Asked, Hostile, completion, http

PROBLEMS = [Problem(f"problem-{i}", Prompt.of(f"question {i}")) for i in range(5)]
SAMPLES = 2


def good(value: str) -> bool:
    return value.endswith("0")


def answer(asked: Asked) -> bytes:
    """A text that names its question and its seed's parity, so that each row's is known."""
    question = asked.body["messages"][0]["content"].split()[1]
    return http(completion(f"answer-{question}-{asked.body['seed'] % 2}"))


@contextmanager
def counting() -> Iterator[Hostile]:
    """The server that all searches of this folder pay; `asked` is what was paid."""
    with Hostile(answer) as server:
        yield server


def search(journal: Path, server: Hostile, concurrency: int = 32) -> list[Any]:
    """Best of two, of five problems: the answers with their scores, and the trace of each."""
    backend = OpenAI(server.url, "m", revision="1")
    model = Model(backend, PARAMS)
    strategy = BestOfN(SAMPLES, Predicate(good, name="good"))
    outcomes = run_sync(solve_many(PROBLEMS, strategy, generator=model, journal=journal, concurrency=concurrency))
    results = [outcome.unwrap() for outcome in outcomes]
    return [(r.answer, [(c.sample.value, c.score) for c in r.candidates], r.trace.canonical()) for r in results]


Cell = tuple[str, int, str, Any]


def cells(path: Path) -> list[Cell]:
    """Every value in the file: its table, row, column and the value."""
    db = sqlite3.connect(path)
    found: list[Cell] = []
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        for row in db.execute(f"SELECT rowid, * FROM {table}").fetchall():
            found += [(table, row[0], column, value) for column, value in zip(columns, row[1:], strict=True)]
    db.close()
    return found


def holding(path: Path, text: str) -> Cell:
    """The first cell with this text."""
    return next(c for c in cells(path) if text in (c[3].decode("latin-1") if isinstance(c[3], bytes) else str(c[3])))


def write(path: Path, cell: Cell, value: Any) -> None:
    """Put a value there, behind the product's back."""
    table, row, column, _ = cell
    db = sqlite3.connect(path)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))
    db.commit()
    db.close()


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files of a folder, as bytes."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own, with pipes."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, text=True, env=dict(os.environ), **pipes)  # type: ignore[call-overload]


# The command line, as issue 23 has it; the copy's name is what `--drop` takes.
def check(journal: Path, drop: Path | None = None) -> list[str]:
    return ["journal", "check", str(journal), *(["--drop", str(drop)] if drop else [])]


def show(journal: Path) -> list[str]:
    return ["journal", "show", str(journal)]
