"""The same sweep through every executor: asyncio, joblib's processes, a local Dask cluster, a local Ray."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.experiments.sweep.test_kill import IN_FLIGHT, calls, journaled
from tests.experiments.sweep.test_kill import SCRIPT as NOTED

SCRIPT = """
import os
import sys
from searchkit import Budget, Model, Problem, Prompt
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping
from searchkit.verifiers import Exact, Predicate

if __name__ == "__main__":
    model = Model(Simulated({"4": 0.5, "5": 0.3, "none": 0.2}, failures=0.1, latency=0.002, jitter=1.0))
    strategies = {"best": BestOfN(3, Predicate(str.isdigit, name="digit")), "vote": SelfConsistency(5)}
    strategies["early"] = SelfConsistency(8, stop=BetaStopping(0.8))  # cancels what is in flight when it stops
    problems = [Problem(f"p{i}", Prompt.of(f"q{i}"), "4") for i in range(20)]
    sweep = Sweep(problems, strategies, [Budget(), Budget(model_calls=1)], [0, 1], truth=Exact(), endpoints=[model] * 2)
    executor, out = sys.argv[1:]
    if executor == "dask":
        from distributed import Client, LocalCluster

        with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster, Client(cluster):
            results = sweep.run(out, executor="dask", jobs=3)
    elif executor == "connected":
        import ray

        ray.init(address="local", num_cpus=1, include_dashboard=False)
        os.chdir(os.path.dirname(out))  # its workers stay where they are
        results = sweep.run(os.path.basename(out), executor="ray", jobs=3)
        assert ray.get(ray.remote(lambda: "still there").remote()) == "still there"
    else:
        results = sweep.run(out, executor=executor, jobs=2)
    assert results.complete
    assert executor != "ray" or not sys.modules["ray"].is_initialized()
"""

PACKAGES = {"dask": "distributed", "ray": "ray", "connected": "ray"}


def installed(executor):
    """Skips where the executor's package is missing."""
    if executor in PACKAGES:
        pytest.importorskip(PACKAGES[executor], reason=f"{PACKAGES[executor]} is not installed")


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


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "count"), [("processes", 2), ("dask", 3), ("ray", 2), ("connected", 3)])
def test_identical_results(ran, alone, executor, count):
    """Byte for byte, failed searches included, although each shard had a journal and a log of its own.

    ray ends what it started; a connection that was there stays, and is used although it has fewer CPUs than shards.
    """
    installed(executor)
    folder = ran(executor)
    assert (folder / "results.jsonl").read_bytes() == (alone / "results.jsonl").read_bytes()
    assert '"error": "CallError' in (folder / "results.jsonl").read_text()
    parts = shards(folder)
    assert len(parts) == count
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20
    assert len(list(folder.glob("shard-*/journal.db"))) == count


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_another_executor_goes_on(ran, alone, tmp_path, executor):
    """What asyncio began, others finish: the manifest keeps the single shard."""
    installed(executor)
    (alone / "results.jsonl").rename(tmp_path / "kept")
    log = alone / "shard-0" / "rows.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:50]))
    command = [sys.executable, str(alone.parent / "script.py"), executor, str(alone)]
    subprocess.run(command, check=True, timeout=120)
    assert (alone / "results.jsonl").read_bytes() == (tmp_path / "kept").read_bytes()
    assert len(shards(alone)) == 1


@pytest.mark.slow
def test_ctrl_c_under_ray_keeps_what_was_paid_for(tmp_path):
    """The rows so far are returned, every worker stops, and asyncio goes on without asking anything twice."""
    installed("ray")
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert finish(start(whole, tmp_path / "all"))[0] == 0
    process = start(out, tmp_path / "first", "ray", latency=0.05)
    while calls(tmp_path / "first").total() < 60:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    status, errors = finish(process)
    assert status == 1
    assert errors.splitlines()[-1] == "AssertionError"  # the script's own: the sweep is not complete
    made, kept = calls(tmp_path / "first"), journaled(out)
    assert 0 <= made.total() - kept.total() <= IN_FLIGHT
    assert finish(start(out, tmp_path / "second"))[0] == 0
    assert calls(tmp_path / "first") == made, "a worker went on"
    assert calls(tmp_path / "second") == calls(tmp_path / "all") - kept
    assert (out / "results.jsonl").read_bytes() == (whole / "results.jsonl").read_bytes()


def start(folder, log, executor="asyncio", latency=0.002):
    """Starts the sweep that notes its calls in `log`; Ray's workers cannot read the script's arguments."""
    (script := log.with_suffix(".py")).write_text(NOTED.replace("sys.argv[4]", str(latency)))
    command = [sys.executable, str(script), str(folder), str(log), executor]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process):
    """Its exit status, and what it wrote to stderr."""
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


LOUD = """
from searchkit.verifiers import Predicate

def is_digit(text):
    print("loud", flush=True)
    return text.isdigit()

digit = Predicate(is_digit, name="digit")
"""
CONFIG = """
out = "out"
[problems]
file = "problems.csv"
[model]
backend = "simulated"
answers = {"4" = 0.5, "5" = 0.5}
[strategies.best]
strategy = "best-of-n"
n = 2
verifier = "loud:digit"
"""


@pytest.mark.slow
def test_json_of_the_command_under_ray(tmp_path):
    """Nothing but the table is on stdout, whatever Ray says and workers print; workers have the caller's path."""
    installed("ray")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "loud.py").write_text(LOUD)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "problems.csv").write_text("id,prompt,reference\na,2+2,4\nb,1+3,4\nc,3+1,4\n")
    code = "import sys; sys.path.append('lib'); from searchkit.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-W", "error", "-c", code, "sweep", "config.toml", "--executor", "ray", "--jobs", "2"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["complete"]
