"""A sweep grows in its folder: what is new is searched, and a real server counts that nothing is paid twice."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.results import SweepResults
from searchkit.experiments.sweep.rows import LOCK
from searchkit.experiments.sweep.search import longest, saved
from searchkit.experiments.sweep.shard import _locked
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.function import Function
from searchkit.generators import OpenAI
from searchkit.model import Model
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping
from searchkit.testing.server import Server
from searchkit.trace import Span
from searchkit.types import Budget, Problem, Prompt, Sample, Usage
from searchkit.verifiers import Predicate

EVEN = Predicate(lambda text: text.rstrip(".")[-1] in "02468", name="even")
LONG = Predicate(lambda text: len(text) / 100, name="long")


def problems(n):
    return [Problem(f"p{i}", Prompt.of(f"question {i}")) for i in range(n)]


def base(url):
    """5 problems, 2 of the 6 samples of a best of 6: 10 calls."""
    model = Model(OpenAI(url, "test-model"))
    return Sweep(problems(5), {"best": BestOfN(6, LONG)}, [Budget(generations=2)], truth=EVEN, endpoints=[model])


VOTE = {"vote": SelfConsistency(4)}
GROWTHS = {
    "strategy": ({"strategies": {"best": BestOfN(6, LONG), **VOTE}}, 5 * 2),
    "budget": ({"budgets": [Budget(generations=2), Budget(generations=4)]}, 5 * 2),  # samples 3 and 4
    "budgets": ({"budgets": [Budget(generations=3), Budget(), Budget(generations=2)]}, 5 * 4),  # 3 to 6
    "problems": ({"problems": problems(8)}, 3 * 2),
    "seeds": ({"seeds": [7, 0, 1]}, 5 * 2 * 2),
    "all": (
        {
            "strategies": {**VOTE, "best": BestOfN(6, LONG)}, "budgets": [Budget(), Budget(generations=2)],
            "problems": problems(8), "seeds": [0, 1],
        },
        8 * 2 * (6 + 4) - 10,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=[pytest.mark.slow] if name == "all" else []) for name in GROWTHS]
)
def test_what_is_new_is_paid_and_nothing_else(tmp_path, what):
    """The server is asked for the calls that were missing; the rows are those of a sweep that was whole from the start.

    Run again, nobody is asked; nothing says that it was resumed.
    """
    changed, missing = GROWTHS[what]
    with Server() as server:
        base(server.url).run(tmp_path / "out")
        before = len(server.requests)
        assert before == 10
        grown = replace(base(server.url), **changed)
        results = grown.run(tmp_path / "out")
        assert len(server.requests) - before == missing
        assert results.complete
        assert not any(one.resumed for one in results.finished)
        assert grown.run(tmp_path / "out").rows == SweepResults.load(tmp_path / "out").rows == results.rows
        assert len(server.requests) - before == missing
        assert grown.run(tmp_path / "whole").rows == results.rows
        asked = [(one.body["seed"], one.body["messages"][0]["content"]) for one in server.requests[before + missing :]]
    assert len(asked) == len(set(asked)) == before + missing  # a whole one, too, asks for nothing twice


def test_what_is_there_stays(tmp_path):
    """Fewer problems, strategies, budgets or seeds, or others in their stead, are another sweep."""
    with Server() as server:
        whole = replace(base(server.url), budgets=[Budget(), Budget(generations=2)], seeds=[0, 1])
        whole.run(tmp_path / "out")
        before, bytes_before = len(server.requests), (tmp_path / "out/results.jsonl").read_bytes()
        for changed, says in (
            ({"problems": [*problems(4), *problems(9)[5:]]}, "the problem 'p4' is missing"),
            ({"problems": [*problems(4), Problem("p4", Prompt.of("other"))]}, "'p4' has another prompt or reference"),
            ({"budgets": [Budget(), Budget(generations=3)]}, "budgets was"),
            ({"seeds": [1, 2]}, "seeds was"),
            ({"strategies": VOTE}, "strategies.best was"),
            ({"strategies": {"best": BestOfN(7, LONG), **VOTE}}, "strategies.best.n was 6, now it is 7"),
        ):
            with pytest.raises(ConfigError, match=f"{says}.*a sweep may grow by problems, strategies, budgets"):
                replace(whole, **changed).run(tmp_path / "out")
        assert len(server.requests) == before
        assert (tmp_path / "out/results.jsonl").read_bytes() == bytes_before


def test_a_budget_of_seconds_shares_nothing(tmp_path):
    """What is not asked for again would take none of its seconds."""
    with Server() as server:
        base(server.url).run(tmp_path / "out")
        timed = replace(base(server.url), budgets=[Budget(generations=2), Budget(generations=2, seconds=60.0)])
        timed.run(tmp_path / "out")
        assert len(server.requests) == 20


def test_an_agent_is_asked_under_every_budget(tmp_path):
    """What it does may depend on what it may spend: only single calls of models are shared."""
    asked = []

    async def agent(prompt, run):
        asked.append(run.remaining().generations)
        return "2"

    mine = Sweep(
        problems(2), {"vote": SelfConsistency(3)}, [Budget(generations=1), Budget(generations=3)], truth=EVEN,
        endpoints=[Function(agent, name="agent")],
    )  # fmt: skip
    mine.run(tmp_path / "out")
    assert len(asked) == 2 * (1 + 3)


@pytest.mark.slow
def test_early_stops_are_as_without_sharing(tmp_path):
    """A vote that stops early, under four budgets: the rows are those of four sweeps of one budget each."""
    early = {"early": SelfConsistency(16, stop=BetaStopping(0.8))}
    budgets = [Budget(generations=n) for n in (3, 5, 9, 16)]
    with Server() as server:
        together = replace(base(server.url), strategies=early, budgets=budgets).run(tmp_path / "out")
        paid = len(server.requests)
        alone = [
            replace(base(server.url), strategies=early, budgets=[budget]).run(tmp_path / str(i))
            for i, budget in enumerate(budgets)
        ]
        assert paid < len(server.requests) - paid
    rows = {row.key: row for one in alone for row in one.rows}
    assert {row.key: row for row in together.rows} == rows


# ---------------------------------------------------------------- seconds


@dataclass(frozen=True)
class Sleeper:
    """Answers call number i of a search after 10 ms (i + 1)."""

    name: str = "sleeper"

    async def complete(self, requests):
        await asyncio.sleep(0.01 * (requests[0].index + 1))
        return [Sample("4", usage=Usage(model_calls=1, generated_tokens=1))]


def test_seconds_are_those_of_a_search_alone(tmp_path):
    """Of six calls one after another four are reused: the search takes as long as all six; of six at once, as the last.

    Sleeping takes at least as long as it should, so that the bounds hold on any machine.
    """
    chain = {"chain": SelfConsistency(6, window=1, stop=BetaStopping(1.0)), "wide": SelfConsistency(6)}
    sweep = Sweep(problems(1), chain, [Budget(generations=4)], truth=EVEN, endpoints=[Model(Sleeper())])
    sweep.run(tmp_path / "out", concurrency=1)
    grown = replace(sweep, budgets=[Budget(generations=4), Budget(generations=6)])
    seconds = {one.row.key[:2]: one.wall_s for one in grown.run(tmp_path / "out", concurrency=1).finished}
    assert seconds["chain", "generations=6"] >= 0.01 * 21
    assert seconds["chain", "generations=4"] >= 0.01 * 10
    assert seconds["wide", "generations=6"] >= 0.01 * 6


def test_the_longest_chain_by_hand():
    """Two replayed calls of 2 and 3 seconds after one another beside a fresh one of 4: one second was saved."""

    def call(parent, began, ended, took=None):
        span = parent.add("model", "call")
        span.end("ok")
        span._times = complex(began, ended)
        if took is not None:
            span.replayed, span.took = True, took
        return span

    root = Span("search", "search")
    group = root.add("draw", "group")
    first, second = group.add("draw", "item", 0), group.add("draw", "item", 1)
    call(first, 10, 10, 2)
    call(first, 10, 10, 3)
    call(second, 10, 14)
    assert (longest(root, replayed=True), longest(root, replayed=False), saved(root)) == (5, 4, 1)
    call(root, 14, 14, 7)  # after the group
    assert saved(root) == 8
    agent = call(root, 14, 20)
    call(agent, 14, 14, 9)  # inside of an agent's call, which would have taken longer
    assert saved(root) == 8 + 3


# ---------------------------------------------------------------- killed

SCRIPT = """
import sys
from dataclasses import replace
from searchkit.types import Budget
from tests.experiments.sweep.test_growing import GROWTHS, base
changed, _ = GROWTHS[sys.argv[3]]
replace(base(sys.argv[1]), **changed).run(sys.argv[2], concurrency=2)
"""


def start(url, folder, what):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(folder), what])


def stored(folder):
    with closing(sqlite3.connect(folder / "shard-0/journal.db")) as db:
        return db.execute("SELECT count(*) FROM call WHERE role = 'generate'").fetchone()[0]


@pytest.mark.slow
def test_killed_while_it_grows(tmp_path):
    """SIGKILL in the middle of all growths together: what was stored is not asked for again, and the rows are whole."""
    changed, missing = GROWTHS["all"]
    with Server(latency=0.01) as server:
        base(server.url).run(tmp_path / "out")
        before, process = len(server.requests), start(server.url, tmp_path / "out", "all")
        while len(server.requests) - before < 60:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = stored(tmp_path / "out")
        assert 10 < kept < 10 + missing
        before = len(server.requests)
        grown = replace(base(server.url), **changed)
        results = grown.run(tmp_path / "out")
        assert len(server.requests) - before == 10 + missing - kept
        resumed = [one for one in results.finished if one.resumed]
        assert len(resumed) <= 2  # those in flight at the kill; none, if nothing of them was stored
        assert results.rows == grown.run(tmp_path / "whole").rows


# ---------------------------------------------------------------- two at once


@dataclass
class Gated:
    """Answers when it is allowed to; says when it is asked."""

    open: threading.Event
    asked: threading.Event
    name: str = "gated"

    async def complete(self, requests):
        self.asked.set()
        while not self.open.is_set():  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.005)
        return [Sample("4", usage=Usage(model_calls=1, generated_tokens=1)) for _ in requests]


@pytest.mark.parametrize("grown_ends_first", [False, True])
def test_one_that_grows_beside_one_that_runs(tmp_path, monkeypatch, grown_ends_first):
    """Whoever of the two ends last, each returns its own rows, and the folder holds those of the grown one."""
    backend = Gated(threading.Event(), threading.Event())
    small = Sweep(problems(3), {"vote": SelfConsistency(2)}, truth=EVEN, endpoints=[Model(backend)])
    grown = replace(small, problems=problems(5))
    if grown_ends_first:  # the small one has said what it is, and comes to the lock when the other is done
        begin = manifest.begin
        small_first = threading.Event()

        def late(*told):
            found = begin(*told)
            if len(told[3]) == 3:
                small_first.set()
                backend.asked.wait()
                backend.open.set()
                while not (tmp_path / "out/results.jsonl").exists():
                    time.sleep(0.005)
            return found

        monkeypatch.setattr(manifest, "begin", late)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(small.run, tmp_path / "out")
        (small_first if grown_ends_first else backend.asked).wait()
        second = pool.submit(grown.run, tmp_path / "out")
        if not grown_ends_first:
            while manifest.load(tmp_path / "out")["configuration"]["problems"]["count"] < 5:
                time.sleep(0.005)
            backend.open.set()
        few, many = first.result(), second.result()
    assert (few.complete, len(few.rows)) == (True, 3)
    assert (many.complete, len(many.rows)) == (True, 5)
    loaded = SweepResults.load(tmp_path / "out")
    assert (loaded.complete, loaded.rows) == (True, many.rows)


SCORED = Predicate(lambda text: 0.5, name="scored")  # no truth: it does not say what is right


@pytest.mark.parametrize(
    "changed",
    [
        {"truth": EVEN},
        {"truth": EVEN, "strategies": {"other": BestOfN(6, LONG)}},
        {"truth": EVEN, "seeds": [3], "budgets": [Budget(generations=2)]},
        {"truth": EVEN, "problems": problems(2)},
    ],
    ids=["truth", "strategies", "seeds", "problems"],
)
def test_a_mistake_that_the_first_search_found_is_mended_in_the_same_folder(tmp_path, changed):
    """No search has ended, so nothing is held to the mistake; the samples of the first try are not paid again."""
    with Server() as server:
        wrong = replace(base(server.url), truth=SCORED)
        with pytest.raises(ConfigError, match="gives a score but does not say what is right"):
            wrong.run(tmp_path / "out")
        tried = len(server.requests)
        mended = replace(wrong, **changed)
        assert mended.run(tmp_path / "out").rows == mended.run(tmp_path / "fresh").rows
        asked = {(one.body["seed"], one.body["messages"][0]["content"]) for one in server.requests}
        again = len(server.requests) - tried
        assert tried >= 1
        assert SweepResults.load(tmp_path / "out").complete
        if changed.keys() == {"truth"}:
            assert again == 10 - tried + 10  # what the second try lacked, and all of the fresh one
            assert len(asked) == 10
        with pytest.raises(ConfigError, match="holds another sweep"):
            wrong.run(tmp_path / "out")


def test_a_sweep_that_is_at_work_is_not_taken_for_one_that_failed(tmp_path):
    """Its rows are still to come: another sweep in its folder would be mixed with them."""
    with Server() as server:
        wrong = replace(base(server.url), truth=SCORED)
        with pytest.raises(ConfigError):
            wrong.run(tmp_path / "out")
        with _locked(tmp_path / "out/shard-0" / LOCK), pytest.raises(ConfigError, match="holds another sweep"):
            base(server.url).run(tmp_path / "out")
        assert base(server.url).run(tmp_path / "out").complete
