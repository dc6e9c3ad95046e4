"""A search over tool calls that is killed (SIGKILL) and started again: the same outcome, nothing paid twice."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from searchkit.testing.server import Server
from tests.helpers.killed_tools import reply

ROOT = Path(__file__).parents[3]


class Trial:
    def __init__(self, server: Server, folder: Path) -> None:
        folder.mkdir()
        self.server, self.folder, self.journal = server, folder, folder / "run.db"

    def start(self) -> subprocess.Popen[bytes]:
        arguments = [self.server.url, str(self.journal), str(self.folder)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.killed_tools", *arguments], cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def killed(self, after: int, later: float) -> None:
        before, process = len(self.server.requests), self.start()
        while len(self.server.requests) - before < after:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.001)
        time.sleep(later)
        process.kill()
        assert process.wait() == -9, "it ended before it was killed"
        while self.server.in_flight:
            time.sleep(0.001)

    def finished(self) -> tuple[dict[str, Any], int]:
        """What it comes to, and how many requests the server saw for that."""
        before = len(self.server.requests)
        assert self.start().wait() == 0
        return json.loads((self.folder / "out.json").read_text()), len(self.server.requests) - before

    def answered(self) -> int:
        """The finished calls of the model that are in the journal."""
        if not self.journal.exists():
            return 0
        db = sqlite3.connect(self.journal)
        rows = db.execute("SELECT outcome FROM call").fetchall()
        db.close()
        return sum('"model_calls"' in outcome for (outcome,) in rows)

    def done(self) -> Counter[str]:
        """What the tools did in all processes, by name."""
        path = self.folder / "done"
        return Counter(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else Counter()


@pytest.mark.slow
def test_killed_in_mid_search_and_started_again(tmp_path: Path) -> None:
    with Server(latency=0.01, reply=reply) as server:
        whole = Trial(server, tmp_path / "whole")
        expected, calls = whole.finished()
        weighed = whole.done()["weigh"]
        assert (whole.answered(), whole.done()["pay"], expected["paid"]) == (calls, 1, calls)
        moments, kept = random.Random(7), set()
        for number in range(4):
            trial = Trial(server, tmp_path / str(number))
            for _ in range(1 + number % 2):  # some are killed twice
                trial.killed(3 + (calls // 3 - 3) * number // 3, moments.uniform(0, 0.01))
            answered = trial.answered()
            result, paid = trial.finished()
            assert (result["answer"], result["tree"]) == (expected["answer"], expected["tree"])
            assert paid == result["paid"] == calls - answered
            assert trial.done()["pay"] == 1
            assert weighed <= trial.done()["weigh"] <= weighed + 4 * (1 + number % 2)  # those under way at a kill
            kept.add(answered)
        assert len(kept) > 1


@pytest.mark.slow
def test_run_once_more_it_pays_nothing_and_does_nothing(tmp_path: Path) -> None:
    with Server(reply=reply) as server:
        trial = Trial(server, tmp_path / "run")
        first, _ = trial.finished()
        done = trial.done()
        second, paid = trial.finished()
        assert (second["answer"], second["tree"], second["paid"], paid) == (first["answer"], first["tree"], 0, 0)
        assert trial.done() == done
