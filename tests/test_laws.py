"""The laws of searchkit.testing, for both strategies and nested ones, over every backend."""

from __future__ import annotations

from searchkit.calls import Request
from searchkit.generators import Simulated
from searchkit.protocols import Backend, Verifier
from searchkit.strategies import BestOfN, BetaStopping, EarlyStopping, SelfConsistency, Vote
from searchkit.strategy import Strategy
from searchkit.testing import BackendTests, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore


def reply(request: Request) -> str:
    """A scripted answer that follows from the seed."""
    return f"the answer is {request.seed % 5}" if request.seed % 7 else "no idea at all"


class OnScripted:
    def backend(self) -> Backend:
        return Scripted(reply)


class TestBestOfN(StrategyTests):
    def strategy(self) -> Strategy:
        return BestOfN(6, LengthScore())

    def narrow(self) -> Strategy:
        return BestOfN(1, LengthScore())

    def judged(self, verifier: Verifier) -> Strategy:
        return BestOfN(6, verifier)


class TestBestOfNScripted(OnScripted, TestBestOfN):
    pass


class TestBestOfNEarlyStop(TestBestOfN):
    def strategy(self) -> Strategy:
        return BestOfN(12, LengthScore(), threshold=0.5, window=3)


class TestBestOfNVote(StrategyTests):
    def strategy(self) -> Strategy:
        return BestOfN(6, LengthScore(), select=Vote(weighted=True))


class TestSelfConsistency(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(6)

    def narrow(self) -> Strategy:
        return SelfConsistency(1)


class TestSelfConsistencyScripted(OnScripted, TestSelfConsistency):
    pass


class TestSelfConsistencyWeighted(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(6, verifier=LengthScore())


class TestAdaptiveConsistency(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(10, stop=BetaStopping(0.8), window=3)


class TestEarlyStopping(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(9, stop=EarlyStopping(3))


class TestVoteOverBestOfN(StrategyTests):
    def strategy(self) -> Strategy:
        return SelfConsistency(3, generator=BestOfN(2, LengthScore()))


class TestSimulatedBackend(BackendTests):
    tokens = 12

    def backend(self) -> Backend:
        return Simulated({"a": 0.5, "b": 0.5})


class TestScriptedBackend(BackendTests):
    def backend(self) -> Backend:
        return Scripted(reply)


class TestNestedEarlyStops(StrategyTests):
    """Early stops inside early stops: what is in flight when one ends must leave no mark, with or without a budget."""

    def strategy(self) -> Strategy:
        inner = BestOfN(3, LengthScore(), threshold=0.5)
        return BestOfN(3, LengthScore(), threshold=0.8, window=2, generator=inner)


class TestVoteThatStopsOverBestOfN(StrategyTests):
    def strategy(self) -> Strategy:
        inner = BestOfN(2, LengthScore(), threshold=0.4, window=2)
        return SelfConsistency(5, stop=BetaStopping(0.6), window=3, generator=inner)
