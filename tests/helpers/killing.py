"""Searches over agents in processes of their own, which are killed (SIGKILL) and started again."""

from __future__ import annotations

import json
import multiprocessing
import random
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from searchkit.testing.server import Server
from tests.helpers.agents import ATTEMPTS, CALLS, work

ALL = ATTEMPTS * CALLS
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pytest", "tests.helpers.agents", "searchkit.serving.gateway", "uvicorn", "starlette.requests",
        "tests.helpers.account_workers",
    ]
)  # fmt: skip


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
        return sum(self.calls().values()) if self.agent != "stepped" else self.attempts()

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


def killed_at_random(agent: str, server: Server, folder: Path, times: int, seed: int) -> list[int]:
    """So many times from nothing to a kill at a random moment and to the end: the finished calls at each kill.

    Raises `AssertionError` where the final bytes are not those of a search that nobody killed, or where the server
    sees another number of requests than calls were missing.
    """
    whole, made = Trial(agent, server, folder / "whole").finished()
    assert (made, whole["diverged"]) == (whole["paid"], 0)
    assert made == ALL or agent == "stepped"
    moments, kept = random.Random(seed), list[int]()
    for number in range(times):
        trial = Trial(agent, server, folder / str(number))
        kept.append(trial.killed(moments.randrange(1, made - 2), moments.uniform(0, 0.008)))
        resumed, paid = trial.finished()
        assert resumed["final"] == whole["final"]
        assert paid == resumed["paid"] == made - kept[-1]
        assert resumed["diverged"] == 0
    return kept
