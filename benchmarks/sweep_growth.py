"""A sweep grows after a SIGKILL: what two servers, a model's and a judge's, are asked for, against what was missing.

    python benchmarks/sweep_growth.py

A sweep of 20 problems, one strategy and one budget is complete. Each growth (a strategy, a budget, 50 problems, another
verifier, and all four together) is begun in a process of its own, and killed when half of the calls that are missing
have reached a server; then it is finished. `stored`: of the missing calls, those that were in a journal when it was
killed. `paid`: those that the servers were asked for afterwards, which must be missing - stored. `same`: whether the
rows are those of a sweep that was whole from the start. A minute.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from searchkit import Budget, Model, Problem, Prompt
from searchkit.experiments import Row, Sweep, rejudge
from searchkit.generators import OpenAI
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.server import Server
from searchkit.verifiers import Judge, Predicate

LONG = Predicate(lambda text: len(text) / 100, name="long")
EVEN = Predicate(lambda text: text.rstrip(".")[-1] in "02468", name="even")
BEST = BestOfN(6, LONG)
TWO, ALL = Budget(generations=2), Budget()
GROWTHS = ("strategy", "budget", "problems", "verifier", "all")


def problems(n: int) -> list[Problem]:
    return [Problem(f"p{i}", Prompt.of(f"question {i}")) for i in range(n)]


def base(url: str) -> Sweep:
    endpoint = Model(OpenAI(url, "test-model"))
    return Sweep(problems(20), {"best": BEST}, [TWO], truth=EVEN, endpoints=[endpoint])


def grown(url: str, what: str) -> Sweep:
    """The sweep that is missing; of another verifier, what is searched before it is judged."""
    changes: dict[str, Any] = {
        "strategy": {"strategies": {"best": BEST, "vote": SelfConsistency(4)}},
        "budget": {"budgets": [TWO, ALL]},
        "problems": {"problems": problems(70)},
        "verifier": {},
    }
    merged = {name: value for change in changes.values() for name, value in change.items()}
    return replace(base(url), **(merged if what == "all" else changes[what]))


def work(url: str, judges: str, folder: Path, what: str) -> tuple[Row, ...]:
    """Grow, and judge again where the verifier is another one; the rows that come of it."""
    sweep = grown(url, what)
    rows = sweep.run(folder / "out", concurrency=4).rows
    if what not in ("verifier", "all"):
        return rows
    judged = BestOfN(6, Judge(Model(OpenAI(judges, "test-model"))))
    return rejudge(folder / "out", replace(sweep, strategies={**sweep.strategies, "best": judged}), folder / "judged",
                   concurrency=4).results.rows  # fmt: skip


def stored(folder: Path) -> int:
    """Calls of models in the journals; those that were copied to be judged again are counted once."""
    keys = set[bytes]()
    for path in folder.glob("*/shard-0/journal.db"):
        with contextlib.closing(sqlite3.connect(path)) as db:
            keys |= {row[0] for row in db.execute("SELECT key FROM call WHERE outcome LIKE '{%'")}
    return len(keys)


def verdict(prompt: str, seed: int, params: dict[str, Any]) -> str:
    return json.dumps({"critique": "", "score": sum(prompt.encode()) % 11})


def measure(what: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, Server() as server, Server(reply=verdict) as judges:
        folder, whole = Path(name) / "killed", Path(name) / "whole"
        folder.mkdir(), whole.mkdir()

        def asked() -> int:
            return len(server.requests) + len(judges.requests)

        rows = work(server.url, judges.url, whole, what)
        base(server.url).run(folder / "out")
        missing, before, began = stored(whole) - stored(folder), stored(folder), asked()
        command = [sys.executable, __file__, server.url, judges.url, str(folder), what]
        process = subprocess.Popen(command)
        server.latency = judges.latency = 0.01
        while asked() - began < missing // 2:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.latency = judges.latency = 0.0
        kept, began = stored(folder) - before, asked()
        same = work(server.url, judges.url, folder, what) == rows
        return {"growth": what, "missing": missing, "stored": kept, "paid": asked() - began, "same": same}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        for growth in GROWTHS:
            print(json.dumps(measure(growth)), flush=True)
