"""Tree searches that are killed (SIGKILL) in the middle and started again: the same tree, nothing paid twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import asyncio, json, sys
from searchkit.strategies import Rollout
from searchkit import Model, Params, solve
from searchkit.strategies import *
from searchkit.testing import Counting, Shuffled
from tests.helpers.steps import Letters, Worth, STEPS

searches = {
    "mcts": MCTS(Worth(), policy=UCT(0.5, widening=Widening()), environment=STEPS, evaluation=Rollout(), iterations=60,
                 width=2, expansions=40, in_flight=4),
    "best_first": BestFirst(Worth(), environment=STEPS, iterations=100, width=3, in_flight=3),
    "beam": BeamSearch(16, 4, Worth(), environment=STEPS, rounds=9),
    "root_parallel": MCTS(Worth(), environment=STEPS, iterations=60, width=3, trees=4),
}
backend = Counting(Shuffled(Letters("abcdefgh", depth=9), most=0.02))
strategy = searches[sys.argv[2]]
result = asyncio.run(solve("q", strategy, generator=Model(backend, Params(max_tokens=9)), journal=sys.argv[1]))
final = [result.answer, result.tree.to_json(), [(c.sample.text, c.score) for c in result.candidates],
         repr(result.trace.canonical())]
print(json.dumps({"final": final, "called": backend.calls, "paid": result.paid.model_calls, "nodes": len(result.tree)}))
"""


def samples(path: Path) -> int:
    """Stored samples; verdicts are stored as JSON lists. 0 while there is no file yet."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        count = int(db.execute("SELECT count(*) FROM call WHERE outcome LIKE '{%'").fetchone()[0])
        db.close()
    except sqlite3.Error:
        return 0
    return count


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mcts", "best_first", "beam", "root_parallel"])
def test_killed_in_mid_search_and_started_again(name: str, tmp_path: Path) -> None:
    """Killed after a third of its calls, and again after two thirds: tree, answers and trace as if never killed."""
    script = tmp_path / "search.py"
    script.write_text(SCRIPT)

    def start(journal: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, str(script), str(tmp_path / journal), name]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
        return dict(json.loads(process.communicate(timeout=120)[0]))

    whole = ended(start("whole.db"))
    assert whole["nodes"] > 50
    killed = tmp_path / "killed.db"
    for third in (1, 2):
        process = start("killed.db")
        while samples(killed) < third * whole["called"] // 3:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = samples(killed)
    resumed = ended(start("killed.db"))
    assert resumed["final"] == whole["final"]
    assert 0 < finished < whole["called"]
    assert resumed["called"] == resumed["paid"] == whole["called"] - finished
