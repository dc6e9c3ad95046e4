"""Searches over agents that are killed (SIGKILL) at any moment and started again: the same bytes, nothing paid twice."""

from __future__ import annotations

import json
import multiprocessing
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit.testing.server import Server
from tests.helpers.agents import ATTEMPTS, CALLS, work

ALL = ATTEMPTS * CALLS
HALF = 5  # calls after which a fickle agent has said something else
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.helpers.agents", "searchkit.serving.gateway", "uvicorn", "starlette.requests"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(latency=0.01) as running:
        yield running


class Trial:
    """A journal, and the processes that search with it one after the other."""

    def __init__(self, agent: str, server: Server, folder: Path) -> None:
        folder.mkdir()
        self.agent, self.server, self.folder = agent, server, folder
        self.journal = folder / "run.db"

    def _start(self) -> Any:
        out = str(self.folder / "out.json")
        arguments = self.agent, str(self.journal), self.server.url, str(self.folder), out
        process = PROCESSES.Process(target=work, args=arguments)
        process.start()
        return process

    def killed(self, after: int, later: float) -> int:
        """Killed once the server has seen `after` requests, `later` seconds on: how many calls were finished."""
        before, process = len(self.server.requests), self._start()
        while len(self.server.requests) - before < after:
            assert process.is_alive(), "it ended before it could be killed"
            time.sleep(0.001)
        time.sleep(later)
        process.kill()
        process.join()
        assert process.exitcode == -9, "it ended before it was killed"
        while self.server.in_flight:
            time.sleep(0.001)
        return sum(self.calls().values())

    def finished(self) -> tuple[dict[str, Any], int]:
        """What it comes to in a process that is left alone, and how many requests the server saw for that."""
        before, process = len(self.server.requests), self._start()
        process.join()
        assert process.exitcode == 0
        return json.loads((self.folder / "out.json").read_text()), len(self.server.requests) - before

    def rows(self) -> list[tuple[bytes, str]]:
        if not self.journal.exists():
            return []
        db = sqlite3.connect(self.journal)
        found = db.execute("SELECT key, outcome FROM call").fetchall()
        db.close()
        return found

    def calls(self) -> Counter[bytes]:
        """The finished calls of each attempt."""
        return Counter(key[:16] for key, _ in self.rows() if len(key) == 32)

    def attempts(self) -> int:
        """How many attempts are finished: verdicts are stored as lists."""
        return sum(len(key) == 16 and outcome.startswith("{") for key, outcome in self.rows())


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ambient", "by_endpoint"])
def test_killed_at_random_moments_and_started_again(agent: str, server: Server, tmp_path: Path) -> None:
    """20 times from nothing to a kill and to the end: the bytes of a search that nobody killed; no call is made twice."""
    whole, made = Trial(agent, server, tmp_path / "whole").finished()
    assert (made, whole["paid"], whole["diverged"]) == (ALL, ALL, 0)
    moments, kept = random.Random(19), set[int]()
    for number in range(20):
        trial = Trial(agent, server, tmp_path / str(number))
        done = trial.killed(moments.randrange(1, ALL - 2), moments.uniform(0, 0.008))
        resumed, paid = trial.finished()
        assert resumed["final"] == whole["final"]
        assert paid == resumed["paid"] == ALL - done
        assert resumed["diverged"] == 0
        kept.add(done)
    assert len(kept) > 10


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ambient", "by_endpoint"])
def test_killed_again_and_again(agent: str, server: Server, tmp_path: Path) -> None:
    """One search, killed seven times on its way: it gets on by what each of its processes finished."""
    whole, _ = Trial(agent, server, tmp_path / "whole").finished()
    trial, done = Trial(agent, server, tmp_path / "killed"), 0
    for _ in range(7):
        before, done = done, trial.killed(10, 0.012)
        assert before < done < ALL
    resumed, paid = trial.finished()
    assert (resumed["final"], paid, resumed["paid"]) == (whole["final"], ALL - done, ALL - done)


@pytest.mark.slow
def test_an_agent_that_asks_otherwise_after_a_kill(server: Server, tmp_path: Path) -> None:
    """Attempts that had said something which depends on how often they began: they are counted, their calls are kept."""
    moments, found = random.Random(5), 0
    for number in range(5):
        trial = Trial("fickle", server, tmp_path / str(number))
        trial.killed(moments.randrange(ALL // 2, ALL - 2), moments.uniform(0, 0.008))
        before, calls, attempts = trial.rows(), trial.calls(), trial.attempts()
        otherwise = sum(count > HALF for count in calls.values()) - attempts
        resumed, paid = trial.finished()
        assert resumed["diverged"] == otherwise
        answered = sum(min(count, HALF) for count in calls.values()) + attempts * (CALLS - HALF)
        assert paid == resumed["paid"] == ALL - answered
        assert trial.rows()[: len(before)] == before
        found += otherwise
    assert found > 0
