"""Law 4 over journals that something happened to: the same result and trace, or an error before anything is called."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from searchkit import Journal, JournalError, Model, Params, Prompt, Run, Sample, solve
from searchkit.cli import main
from searchkit.generators import Simulated
from searchkit.protocols import Generator
from searchkit.strategies import MCTS, BeamSearch, BestOfN, SelfConsistency
from searchkit.testing import Counting
from searchkit.verifiers import Judge, Predicate
from tests.helpers.steps import STEPS, Letters, Worth

Made = tuple[Generator, Any]


def good(value: str) -> bool:
    return value == "right"


@dataclass(frozen=True)
class Agent:
    """Its call is not stored, because others are made inside of it: it runs again, and they are replayed."""

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        async def perform() -> Sample[Any]:
            return max(await run.sample(None, prompt, 2), key=lambda sample: str(sample.value))

        return await run.call("agent", prompt, perform)


def coin() -> Any:
    return Simulated({"right": 0.5, "wrong": 0.5})


SEARCHES: dict[str, Callable[[], Made]] = {
    "best-of-n": lambda: (BestOfN(4, Predicate(good, name="good")), coin()),
    "vote": lambda: (SelfConsistency(6, key=str), coin()),
    "stopped-early": lambda: (SelfConsistency(12, key=str, window=3), coin()),
    "nested": lambda: (BestOfN(3, Predicate(good, name="good"), generator=SelfConsistency(2, key=str)), coin()),
    "beam": lambda: (BeamSearch(4, 2, Worth(), environment=STEPS, rounds=4), Letters("abcd", depth=4)),
    "mcts": lambda: (MCTS(Worth(), environment=STEPS, iterations=12, width=2, in_flight=3), Letters("abcd", depth=4)),
    "judge": lambda: (BestOfN(3, Judge(reference="4")), Simulated({'{"score": 7}': 0.5, '{"score": 3}': 0.5})),
    "agent": lambda: (SelfConsistency(3, key=str, generator=Agent()), coin()),
}


class Searched:
    """A search, how often its backend was called, and what it came to."""

    def __init__(self, name: str) -> None:
        self.make = SEARCHES[name]
        self.calls = 0

    def __call__(self, journal: Path | Journal) -> tuple[Any, ...]:
        strategy, backend = self.make()
        counting = Counting(backend)
        model = Model(counting, Params(max_tokens=9))
        try:
            result = asyncio.run(solve("q", strategy, generator=model, journal=journal))
        finally:
            self.calls += counting.calls
        return result.trace.canonical(), repr(result.answer), [(c.sample.text, c.score) for c in result.candidates]


@pytest.fixture(params=SEARCHES)
def searched(request: pytest.FixtureRequest) -> Searched:
    return Searched(request.param)


@pytest.fixture
def whole(searched: Searched, tmp_path: Path) -> tuple[Path, tuple[Any, ...]]:
    """A journal that is whole, and what the search came to."""
    path = tmp_path / "whole.db"
    return path, searched(path)


def copied(path: Path, name: str) -> Path:
    return Path(shutil.copy(path, path.with_name(name)))


def test_damaged(searched: Searched, whole: tuple[Path, tuple[Any, ...]]) -> None:
    """Any one row: refused, and nothing is called; from the copy without it at most that call is made again."""
    path, expected = whole
    rows = len_of(path)
    for row in sorted({1, 2, rows // 2, rows}):
        part, copy, before = copied(path, f"{row}.db"), path.with_name(f"copy-{row}.db"), searched.calls
        with sqlite3.connect(part) as db:
            db.execute("UPDATE call SET outcome = outcome || ' ' WHERE id = ?", (row,))
        db.close()
        assert main(["journal", "check", str(part)]) == 1
        with pytest.raises(JournalError, match=rf"row {row} \(problem '0'"):
            searched(part)
        assert searched.calls == before
        assert main(["journal", "check", str(part), "--drop", str(copy)]) == 0
        assert searched(copy) == expected
        assert searched.calls <= before + 1
        assert main(["journal", "check", str(copy)]) == 0


def test_truncated(searched: Searched, whole: tuple[Path, tuple[Any, ...]]) -> None:
    """The beginning of the file: refused, and nothing is called, or the same search. After its rows: the same."""
    path, expected = whole
    size, rows = path.stat().st_size, len_of(path)
    for part in (size // 4, size // 2, size - 4096, size - 1):
        cut, before = copied(path, f"{part}.db"), searched.calls
        with cut.open("r+b") as file:
            file.truncate(part)
        assert main(["journal", "check", str(cut)]) == 1
        with pytest.raises(JournalError):
            searched(cut)
        assert searched.calls == before
        assert cut.stat().st_size == part
    for kept in (0, 1, rows // 2, rows - 1):
        cut = copied(path, f"rows-{kept}.db")
        with sqlite3.connect(cut) as db:
            db.execute("DELETE FROM call WHERE id > ?", (kept,))
        db.close()
        assert main(["journal", "check", str(cut)]) == 0
        assert searched(cut) == expected


def test_locked(searched: Searched, whole: tuple[Path, tuple[Any, ...]]) -> None:
    """In use: refused, and nothing is called; opened for reading it replays, and can be looked at."""
    import fcntl

    path, expected = whole
    with path.with_name("whole.db-lock").open("wb") as file:  # as another process has it: locks go by opened files
        fcntl.flock(file, fcntl.LOCK_EX)
        before = searched.calls
        with pytest.raises(JournalError, match="in use"):
            searched(path)
        with Journal(path, read_only=True) as journal:
            assert searched(journal) == expected
        assert main(["journal", "check", str(path)]) == 0
    assert searched.calls == before
    assert searched(path) == expected


def test_read_only(searched: Searched, whole: tuple[Path, tuple[Any, ...]]) -> None:
    """Whole: it replays. A model's call too few: an error, and nothing is called."""
    path, expected = whole
    before, content = searched.calls, path.read_bytes()
    with Journal(path, read_only=True) as journal:
        assert searched(journal) == expected
    assert main(["journal", "check", str(path)]) == 0
    assert (searched.calls, path.read_bytes()) == (before, content)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM call WHERE id = (SELECT min(id) FROM call WHERE role = 'generate')")
    db.close()
    with Journal(path, read_only=True) as journal, pytest.raises(JournalError, match="was not made"):
        searched(journal)
    assert searched.calls == before


def len_of(path: Path) -> int:
    with Journal(path, read_only=True) as journal:
        return len(journal)
