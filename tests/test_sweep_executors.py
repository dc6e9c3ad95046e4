"""The same sweep through every executor: asyncio, joblib's processes, a local Dask cluster."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from searchkit import Budget, Model, Problem, Prompt
from searchkit.experiments.sweep import Sweep
from searchkit.generators.simulated import Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategies.stopping import Beta
from searchkit.verifiers import Exact, Predicate

if __name__ == "__main__":
    model = Model(Simulated({"4": 0.5, "5": 0.3, "none": 0.2}, failures=0.1, latency=0.002, jitter=1.0))
    strategies = {"best": BestOfN(3, Predicate(str.isdigit, name="digit")), "vote": SelfConsistency(5)}
    strategies["early"] = SelfConsistency(8, stop=Beta(0.8))  # cancels what is in flight when it stops
    problems = [Problem(f"p{i}", Prompt.of(f"q{i}"), "4") for i in range(20)]
    sweep = Sweep(problems, strategies, [Budget(), Budget(model_calls=1)], [0, 1], truth=Exact(), endpoints=[model] * 2)
    executor, out = sys.argv[1:]
    if executor == "dask":
        from distributed import Client, LocalCluster

        with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster, Client(cluster):
            results = sweep.run(out, executor="dask", jobs=3)
    else:
        results = sweep.run(out, executor=executor, jobs=2)
    assert results.complete
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs the sweep with an executor; returns its folder."""
    folder = tmp_path_factory.mktemp("executors")
    (folder / "script.py").write_text(SCRIPT)

    def run(executor):
        command = [sys.executable, str(folder / "script.py"), executor, str(folder / executor)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return folder / executor

    return run


@pytest.fixture(scope="module")
def alone(ran):
    """By asyncio, in one process."""
    return ran("asyncio")


def shards(folder):
    """The problems of each shard."""
    logs = sorted(folder.glob("shard-*/rows.jsonl"))
    return [{json.loads(line)["row"]["problem"] for line in log.read_text().splitlines()} for log in logs]


@pytest.mark.parametrize(("executor", "count"), [("processes", 2), ("dask", 3)])
def test_identical_results(ran, alone, executor, count):
    """Byte for byte, failed searches included, although each shard had a journal and a log of its own."""
    if executor == "dask" and importlib.util.find_spec("distributed") is None:
        pytest.skip("dask is not installed: pip install 'dask[distributed]'")
    folder = ran(executor)
    assert (folder / "results.jsonl").read_bytes() == (alone / "results.jsonl").read_bytes()
    assert '"error": "CallError' in (folder / "results.jsonl").read_text()
    parts = shards(folder)
    assert len(parts) == count
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20
    assert len(list(folder.glob("shard-*/journal.db"))) == count


def test_another_executor_goes_on(ran, alone, tmp_path):
    """What asyncio began, processes finish: the manifest keeps the single shard."""
    (alone / "results.jsonl").rename(tmp_path / "kept")
    log = alone / "shard-0" / "rows.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:50]))
    command = [sys.executable, str(alone.parent / "script.py"), "processes", str(alone)]
    subprocess.run(command, check=True, timeout=120)
    assert (alone / "results.jsonl").read_bytes() == (tmp_path / "kept").read_bytes()
    assert len(shards(alone)) == 1
