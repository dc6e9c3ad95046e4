"""Strategies with independent draws share one pool: paid once, the same samples in all, and tables say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import SweepResults, rejudge
from searchkit.experiments.report.page import report
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.function import Function
from searchkit.generators import OpenAI
from searchkit.model import Model
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping
from searchkit.strategy import Strategy
from searchkit.testing.server import Server
from searchkit.types import Budget
from searchkit.verifiers import Judge
from tests.experiments.sweep.test_growing import EVEN, LONG, problems
from tests.experiments.sweep.test_rejudge import ODD, verdict

BY_LENGTH = {"best": BestOfN(6, LONG), "vote": SelfConsistency(4), "early": SelfConsistency(6, stop=BetaStopping(0.9))}


@dataclass(frozen=True)
class Two(Strategy):
    """The second of two draws."""

    INDEPENDENT: ClassVar[bool] = True

    async def search(self, prompt, run):
        return (await run.sample(None, prompt, 2))[1]


@dataclass(frozen=True)
class Own(Two):
    """The same, which declares nothing."""

    INDEPENDENT: ClassVar[bool] = False


def common(url, strategies=BY_LENGTH, **changed):
    settings = {"truth": EVEN, "endpoints": [Model(OpenAI(url, "test-model"))], "common": True}
    return Sweep(problems(5), strategies, **settings | changed)


def asked(server):
    return [(one.body["seed"], one.body["messages"][-1]["content"]) for one in server.requests]


def test_one_pool_is_paid_once(tmp_path):
    """6 samples of 5 problems for three strategies under three budgets; further ones cost what they draw beyond."""
    budgets = [Budget(), Budget(generations=3), Budget(generations=5)]
    with Server() as server:
        results = common(server.url, budgets=budgets).run(tmp_path / "out")
        assert len(server.requests) == len(set(asked(server))) == 5 * 6
        more = {**BY_LENGTH, "eight": SelfConsistency(8), "two": Two()}
        grown = common(server.url, more, budgets=budgets).run(tmp_path / "out")
        assert len(server.requests) == len(set(asked(server))) == 5 * 8
    assert [row for row in grown.rows if row.strategy in BY_LENGTH] == list(results.rows)
    rows = {row.key: row for row in grown.rows}
    assert {rows["best", "unlimited", 0, f"p{i}"].model_calls for i in range(5)} == {6}
    assert grown.paired == ("best", "vote", "early", "eight", "two")


def test_samples_are_the_same_in_all(tmp_path):
    """The second of two draws is one of the first two of a vote, whatever the strategy that draws it is called."""
    with Server() as server:
        pair = {"two": Two(), "again": Two(), "best of two": BestOfN(2, LONG)}
        rows = {row.key: row.answer for row in common(server.url, pair).run(tmp_path / "out").rows}
    for i in range(5):
        second = rows["two", "unlimited", 0, f"p{i}"]
        assert rows["again", "unlimited", 0, f"p{i}"] == second
        assert len(rows["best of two", "unlimited", 0, f"p{i}"]) >= len(second)


def test_what_declares_nothing_draws_its_own(tmp_path):
    """So do strategies with a generator of their own, other seeds, and all under a ceiling on seconds."""
    with Server() as server:
        model = Model(OpenAI(server.url, "test-model"))
        mixed = {"two": Two(), "own": Own(), "vote": SelfConsistency(2, generator=model), "other": SelfConsistency(2)}
        sweep = common(server.url, mixed, seeds=[0, 1])
        assert sweep.paired == ("two", "other")
        sweep.run(tmp_path / "out")
        assert len(server.requests) == len(set(asked(server))) == 2 * 5 * (2 + 2 + 2)
        timed = replace(sweep, strategies={"two": Two(), "other": SelfConsistency(2)}, budgets=[Budget(seconds=60)])
        before = len(server.requests)
        timed.run(tmp_path / "timed")
        assert len(server.requests) - before == 2 * 5 * (2 + 2)


def test_the_table_and_the_report_say_it(tmp_path):
    """Also once it is loaded; a sweep without common samples, or with one such strategy, says nothing."""
    says = "paired arms: sample j of a problem is the same in best, vote, early"
    with Server() as server:
        sweep = common(server.url)
        results = sweep.run(tmp_path / "out")
        assert says in results.table()
        assert says in results._repr_html_()
        assert says in SweepResults.load(tmp_path / "out").diagnosis
        assert says in report(tmp_path / "out", sweep=sweep, traces=5).read_text()
        assert '"exact": false' not in (tmp_path / "out/report.html").read_text()  # replays are the searches
        alone = common(server.url, {"vote": SelfConsistency(2)}).run(tmp_path / "alone")
        apart = common(server.url, common=False).run(tmp_path / "apart")
        assert alone.pairing == apart.pairing == alone.diagnosis == ""
        before = len(server.requests)
        with pytest.raises(ConfigError, match="common was true, now it is false"):
            common(server.url, common=False).run(tmp_path / "out")
        assert len(server.requests) == before


def test_judges_keep_their_own_seeds(tmp_path):
    """Two samples with the same text are judged apart, as without common samples; judging again pays only judges."""
    with Server(
        reply=lambda prompt, seed, params: "4" if "question" in prompt[-12:] else verdict(prompt, seed, {})
    ) as one:
        sweep = common(one.url, {"best": BestOfN(3, Judge(retries=0)), "vote": SelfConsistency(3)})
        sweep.run(tmp_path / "out")
        seeds = [seed for seed, text in asked(one) if "fences" in text]
        assert len(seeds) == len(set(seeds)) == 5 * 3
        assert len(one.requests) == 5 * 3 + 5 * 3
        before = len(one.requests)
        again = rejudge(tmp_path / "out", replace(sweep, truth=ODD), tmp_path / "odd")
        assert len(one.requests) == before
        assert again.missing == 0
        assert again.results.pairing


def test_the_table_says_where_nothing_is_shared(tmp_path):
    """Under a ceiling on seconds each arm draws its own: no table says that those are paired."""
    two = {"two": Two(), "other": SelfConsistency(2)}
    with Server() as server:
        mixed = [Budget(generations=2), Budget(seconds=60), Budget(generations=2, seconds=9.5)]
        results = common(server.url, two, budgets=mixed).run(tmp_path / "mixed")
        says = "the same in two, other, but under seconds=60, generations=2 seconds=9.5"
        assert says in results.table()
        assert says in SweepResults.load(tmp_path / "mixed").diagnosis
        timed = common(server.url, two, budgets=mixed[1:]).run(tmp_path / "timed")
        assert (timed.pairing, timed.diagnosis) == ("", "")


def test_agents_have_no_samples_in_common():
    """What one returns is asked for anew in each search, so that no arm would be paired."""

    async def agent(prompt):
        return "4"

    for endpoint in (agent, Function(agent, name="mine")):
        with pytest.raises(ConfigError, match="an agent is asked anew each time"):
            common("http://127.0.0.1:9/v1", endpoints=[endpoint])
