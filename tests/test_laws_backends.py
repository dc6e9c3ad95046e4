"""The laws of both strategies, alone and nested both ways, over a loopback HTTP server and the embedded model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from searchkit import Model, Params, solve_many
from searchkit.generators import Balanced, Embedded, OpenAI, Retrying
from searchkit.lab.checker import CHECKER, operations, problem
from searchkit.lab.countdown import Countdown
from searchkit.protocols import Backend, Verifier
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategy import Strategy
from searchkit.testing import StrategyTests
from searchkit.testing.server import Faults, Server
from searchkit.testing.strategies import LengthScore


class OverHTTP:
    """A server that answers from the seed alone, so that equal seeds must give equal traces."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        with Server() as server:
            self.url = server.url
            yield

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with self.serving():
            yield

    def backend(self) -> Backend:
        return OpenAI(self.url, "test-model")


class OverTwoServers:
    """A problem's calls go to one of them, or to the other."""

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with Server() as one, Server() as two:
            self.urls = (one.url, two.url)
            yield

    def backend(self) -> Backend:
        return Balanced([OpenAI(url, "test-model") for url in self.urls])


class OnEmbedded:
    prompt = "3 7 13 20>24\n"
    params = Params(max_tokens=12)

    def backend(self) -> Backend:
        return Embedded()


class BestOf(StrategyTests):
    def strategy(self) -> Strategy:
        return BestOfN(4, LengthScore())

    def narrow(self) -> Strategy:
        return BestOfN(1, LengthScore())

    def judged(self, verifier: Verifier) -> Strategy:
        return BestOfN(4, verifier)


class Vote(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(4, key=str)

    def narrow(self) -> Strategy:
        return SelfConsistency(1, key=str)


class BestOfVotes(StrategyTests):
    def strategy(self) -> Strategy:
        return BestOfN(2, LengthScore(), generator=SelfConsistency(2, key=str))


class TestBestOfNOverHTTP(OverHTTP, BestOf):
    pass


class TestSelfConsistencyOverHTTP(OverHTTP, Vote):
    pass


class TestNestedOverHTTP(OverHTTP, BestOfVotes):
    pass


class TestSelfConsistencyOverTwoServers(OverTwoServers, Vote):
    pass


class TestBestOfNOnEmbedded(OnEmbedded, BestOf):
    pass


class TestSelfConsistencyOnEmbedded(OnEmbedded, Vote):
    pass


class TestNestedOnEmbedded(OnEmbedded, BestOfVotes):
    pass


@pytest.mark.slow
def test_texts_are_the_same_at_1_and_at_64_concurrent_problems() -> None:
    """64 held-out puzzles of 4 samples each: one after another, and all in one batch, letter by letter the same."""
    problems = [problem(puzzle) for puzzle in Countdown().puzzles(64, "test")]
    strategy, model = SelfConsistency(4, key=operations), Model(Embedded(), Params(max_tokens=64))

    def texts(concurrency: int) -> list[list[str]]:
        outcomes = asyncio.run(solve_many(problems, strategy, generator=model, concurrency=concurrency))
        return [[c.sample.text for c in o.unwrap().candidates] for o in outcomes]

    assert texts(1) == texts(64)


@pytest.mark.slow
def test_faults_lose_nothing_and_every_request_is_counted() -> None:
    """30 % faults (429, 500, resets, truncated JSON, time-outs): all samples arrive, counts are the server's."""
    faults = Faults(rate=0.3, seed=5)
    with Server(faults=faults) as server:
        # Long enough that only injected faults time out: a call given up before the server read it is charged too.
        backend = Retrying(OpenAI(server.url, "test-model", timeout=5.0), attempts=12, base=0.001, cap=0.01)
        model = Model(backend, Params(max_tokens=16))
        problems = [problem(puzzle) for puzzle in Countdown().puzzles(10, "test")]
        strategy = BestOfN(8, LengthScore())
        results = [o.unwrap() for o in asyncio.run(solve_many(problems, strategy, generator=model))]
        assert [len(r.candidates) for r in results] == [8] * 10
        assert not any(r.errors for r in results)
        assert sum(r.paid.model_calls for r in results) == len(server.requests) > 80
        estimated = sum(r.usage.estimated_tokens for r in results)
        assert estimated > 0
        assert estimated % 16 == 0  # each timed-out call is charged at its worst case


def test_the_checker_agrees_with_the_task_on_what_the_model_says() -> None:
    """The verifier passes exactly the samples that replay to the target, and a vote's key is blind to order."""
    [puzzle] = Countdown().puzzles(1, "test")
    strategy, model = BestOfN(32, CHECKER), Model(Embedded(), Params(max_tokens=64))
    outcome = asyncio.run(solve_many([problem(puzzle)], strategy, generator=model))[0].unwrap()
    from searchkit.lab.countdown import check

    for candidate in outcome.candidates:
        assert candidate.verdict.passed is (check(puzzle, candidate.sample.text) == "")
    assert operations("1+2=3:3 4\n4*3=12:12\n") == operations("4*3=12:3 12\n1+2=3:12\n") == "1+2=3 4*3=12"
    assert operations("so it is 12") is None
