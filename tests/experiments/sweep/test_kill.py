"""A sweep is killed (SIGKILL) and resumed: the same bytes, and nothing that was finished is asked again."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest

from searchkit.experiments.sweep.results import SweepResults
from searchkit.experiments.sweep.rows import LOCK
from searchkit.experiments.sweep.shard import _locked

SCRIPT = '''
import asyncio, os, sys
from dataclasses import dataclass
from searchkit import Budget, Model, Problem, Prompt, Sample, Usage
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate

@dataclass(frozen=True)
class Noted:
    """Notes the seed of each request in a file before it answers with it."""
    path: str
    name: str = "noted"

    async def complete(self, requests):
        with open(self.path, "ab", buffering=0) as file:
            file.write(b"%d\\n" % requests[0].seed)
        await asyncio.sleep(float(sys.argv[4]))
        return [Sample(str(r.seed), usage=Usage(model_calls=1, generated_tokens=r.seed % 9)) for r in requests]

last = Predicate(lambda text: int(text) % 10 / 10, name="last digit")
even = Predicate(lambda text: int(text) % 2 == 0, name="even")
strategies = {"best": BestOfN(4, last), "vote": SelfConsistency(4, key=lambda text: int(text) % 3)}
sweep = Sweep([Problem(f"p{i}", Prompt.of(f"q{i}")) for i in range(40)], strategies,
              [Budget(), Budget(generations=2)], [0, 1], truth=even, endpoints=[Model(Noted(sys.argv[2]))])
if __name__ == "__main__":
    assert sweep.run(sys.argv[1], executor=sys.argv[3], jobs=2, concurrency=4).complete
'''
IN_FLIGHT = 4 * 4  # searches at once, calls of each


def start(folder, log, executor="asyncio", latency=0.002):
    (script := folder.parent / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(script), str(folder), str(log), executor, str(latency)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def calls(log):
    """How often each seed was asked for."""
    return Counter(log.read_bytes().split()) if log.exists() else Counter()


def journaled(folder):
    """How often each seed's answer is in the journals."""
    found = Counter()
    for path in folder.glob("shard-*/journal.db"):
        with contextlib.closing(sqlite3.connect(path)) as db:
            outcomes = [json.loads(text) for (text,) in db.execute("SELECT outcome FROM call")]
        found.update(outcome["value"].encode() for outcome in outcomes if isinstance(outcome, dict))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a sweep that nobody disturbed, and its calls."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder / "out", folder / "calls")
    assert process.wait(timeout=120) == 0, process.stderr.read()
    process.stderr.close()
    return folder / "out", calls(folder / "calls")


def until_nobody_works(folder):
    """Wait for workers that have lost their parent: a shard is locked as long as somebody works on it."""
    for path in folder.glob(f"shard-*/{LOCK}"):
        with _locked(path):
            pass


def kill_and_resume(tmp_path, whole, moments, executor, latency=0.002):
    """Kill at each of `moments` (calls made by this process), resume to the end; check the calls of every process.

    latency: of each call, in seconds, until the kill.
    """
    out, before = tmp_path / "out", Counter()
    for number, moment in enumerate([*moments, None]):
        log = tmp_path / f"calls-{number}"
        process = start(out, log, executor, 0.002 if moment is None else latency)
        while moment is not None and calls(log).total() < moment:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        if moment is None:
            assert process.wait(timeout=120) == 0, process.stderr.read()
        else:
            process.send_signal(signal.SIGKILL)
            process.wait()
            until_nobody_works(out)
        process.stderr.close()
        made, after = calls(log), journaled(out)
        assert made <= whole[1] - before, "something finished was asked again"
        lost = made - (after - before)
        assert lost.total() <= (0 if moment is None else IN_FLIGHT)
        before = after
    assert before == whole[1]
    assert (out / "results.jsonl").read_bytes() == (whole[0] / "results.jsonl").read_bytes()


@pytest.mark.slow
def test_killed_five_times(tmp_path, whole):
    """At random moments: the results are byte-identical, and no process asks for what an earlier one has stored."""
    moments = random.Random(7).sample(range(1, 150), 5)
    kill_and_resume(tmp_path, whole, moments, "asyncio")
    results = SweepResults.load(tmp_path / "out")
    assert sum(row.model_calls for row in results.rows if row.budget == "unlimited") == whole[1].total()


@pytest.mark.slow
def test_workers_stop_when_their_parent_is_killed(tmp_path, whole):
    """Two joblib processes: killed once and resumed, the same bytes; the orphans stop long before they are done."""
    kill_and_resume(tmp_path, whole, [60], "processes", latency=0.2)  # 12 seconds in all; orphans look twice a second
    assert calls(tmp_path / "calls-1").total() > 0
