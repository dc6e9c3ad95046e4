"""DeepConf online against a recomputation in NumPy from whole answers, on a double and on the embedded model."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from searchkit import Model, Params, Problem, solve_sync
from searchkit.calls import CallError, Request
from searchkit.confidence import Fall
from searchkit.engine.run import Run, Search
from searchkit.errors import CapabilityError, ConfigError
from searchkit.generators import Embedded, Simulated
from searchkit.lab.checker import operations, problem
from searchkit.lab.countdown import Countdown
from searchkit.protocols import Backend, Generator
from searchkit.result import Result
from searchkit.strategies import BetaStopping, EarlyStopping, SelfConsistency, Vote
from searchkit.strategies.sampling.deepconf_online import DeepConfOnline
from searchkit.strategies.sampling.stopping import StoppingRule
from searchkit.strategy import Strategy
from searchkit.testing import Counting, StrategyTests
from searchkit.types import Budget, ConfidenceFloor, Prompt, Sample, Scored, Token, Usage, Verdict
from searchkit.verifiers import DeepConf

WINDOW = 3


@dataclass(frozen=True)
class Doubting:
    """A backend with a known law: 2 to 9 tokens of random confidence, the last of which is the answer a, b or c."""

    name: str = "doubting"
    ends_at_floor: bool = True

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str]:
        rng, params = random.Random(request.seed if request.params.temperature else 0), request.params
        words = [*("x" * rng.randrange(1, 9)), rng.choice("aabc")]
        rows = [Token(word, -0.5, tuple((word, -rng.expovariate(0.2)) for _ in range(params.logprobs or 0)))
                for word in words]  # fmt: skip
        fall = None if params.floor is None else Fall(params.floor)
        ends = [i for i, row in enumerate(rows, start=1) if fall is not None and fall.at([p for _, p in row.top])]
        end = min([*ends, params.max_tokens or 99, len(rows)])
        fell = end in ends
        return Sample(
            "".join(words[:end]),
            finish="length" if fell or end < len(rows) else "stop",
            stop_reason=ConfidenceFloor.FELL if fell else None,
            usage=Usage(model_calls=1, prompt_tokens=3, generated_tokens=end),
            logprobs=tuple(rows[:end]) if params.logprobs else None,
        )


def last(text: str) -> str | None:
    """The answer; c abstains."""
    return None if text[-1] == "c" else text[-1]


def solved(strategy: Generator, seed: int = 0, backend: Backend | None = None, **options: Any) -> Result[Any]:
    model = Model(backend or Doubting(), Params(max_tokens=12, logprobs=4))
    return solve_sync("q", strategy, generator=model, seed=seed, **options)


def online(n: int = 24, eta: float = 50, warmup: int = 8, stop: StoppingRule | None = None) -> DeepConfOnline:
    return DeepConfOnline(n, eta, WINDOW, warmup, last, stop)


def samples(result: Result[Any]) -> list[Sample[Any]]:
    return [candidate.sample for candidate in result.candidates]


def sure(sample: Sample[Any]) -> np.ndarray[Any, Any]:
    """Confidence of each token."""
    assert sample.logprobs is not None
    return np.array([-np.mean([p for _, p in token.top]) for token in sample.logprobs])


def means(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each full window; one of all tokens where they are fewer."""
    width = min(WINDOW, len(values))
    return np.array([values[end - width : end].mean() for end in range(width, len(values) + 1)])


@pytest.mark.parametrize("eta", [10, 50, 90])
def test_against_numpy(eta: float) -> None:
    """Texts, ends, tokens and answer of 25 searches, recomputed from the whole answers of the same seeds."""
    cut = 0
    for seed in range(25):
        wholes, result = samples(solved(online(eta=100), seed)), solved(online(eta=eta), seed)
        bar = np.percentile([means(sure(whole)).min() for whole in wholes[:8]], 100 - eta)
        weights, tokens = Counter[str](), 0
        for i, (whole, sample) in enumerate(zip(wholes, samples(result), strict=True)):
            groups = means(sure(whole))
            below = np.flatnonzero(groups < bar - 1e-9)
            falls = i >= 8 and len(sure(whole)) >= WINDOW and below.size > 0
            end = WINDOW + int(below[0]) if falls else len(whole.text)
            assert sample.text == whole.text[:end]
            assert (sample.finish, sample.stop_reason) == (
                ("length", ConfidenceFloor.FELL) if falls else ("stop", None)
            )
            tokens += end
            cut += falls
            votes = groups.min() >= bar - 1e-9 if i < 8 else not falls
            if votes and (answer := last(whole.text)) is not None:
                weights[answer] += groups.min()
        assert result.usage.generated_tokens == tokens
        assert last(result.answer) == max(weights, key=lambda answer: weights[answer])
    assert cut > 25


def test_without_a_bar_it_is_the_weighted_vote() -> None:
    """eta 100: n whole answers, and of them the choice of `Vote(weighted=True)` over `DeepConf`'s scores."""
    for seed in range(20):
        result = solved(online(eta=100), seed)
        scored = [Scored(s, Verdict(DeepConf(WINDOW).score(s.logprobs or ()))) for s in samples(result)]
        assert list(result.candidates) == scored
        choice = asyncio.run(vote(scored))
        assert choice is not None
        assert replace(result.sample, candidates=()) == scored[choice].sample
        assert not any(s.truncated for s in samples(result))
        assert len(scored) == result.usage.generations == 24


async def vote(scored: list[Scored]) -> int | None:
    run = Run.root(Search(Problem("p", Prompt.of("q"))), 0, Budget())
    return (await Vote(last, weighted=True).select(Prompt.of("q"), scored, run)).index


def test_the_search_stops_once_the_votes_are_decided() -> None:
    """At the first answer at which the rule says so, asked after the warm-up and after each later answer."""
    early = Counter[int]()
    for seed in range(25):
        whole, result = solved(online(warmup=3), seed), solved(online(warmup=3, stop=BetaStopping(0.9)), seed)
        scores = [means(sure(s)).min() for s in samples(whole)]
        bar = np.percentile(scores[:3], 50) - 1e-9
        votes = [None if s.truncated or (i < 3 and scores[i] < bar) else last(s.text)
                 for i, s in enumerate(samples(whole))]  # fmt: skip
        took = next((k for k in range(3, 25) if BetaStopping(0.9).decided(votes[:k]) is not None), 24)
        assert samples(result) == samples(whole)[:took]
        assert result.stopped == ("threshold" if took < 24 else "done")
        early[took] += 1
    assert len(early) > 3
    assert early[24] < 25


def test_a_rule_may_let_its_last_window_decide() -> None:
    """ESC answers with the window that agreed, whatever came before."""
    seen = 0
    for seed in range(25):
        result = solved(online(eta=100, warmup=3, stop=EarlyStopping(3)), seed)
        if result.stopped == "threshold":
            seen += 1
            latest = samples(result)[-3:]
            assert {last(s.text) for s in latest} == {last(result.answer)}
    assert seen > 3


def test_where_nobody_votes_the_first_complete_answer_is_returned() -> None:
    """A key that always abstains."""
    result = solved(DeepConfOnline(6, 50, WINDOW, 2, lambda text: None))
    assert replace(result.sample, candidates=()) == samples(result)[0]


def test_parameters_are_completed() -> None:
    """20 rivals where none are asked for, else as many as are; the rest of the caller's parameters stays."""
    seen = list[Params]()

    class Spy(Doubting):
        def _one(self, request: Request) -> Sample[str]:
            seen.append(request.params)
            return super()._one(request)

    for given, asked in ((None, 20), (0, 20), (7, 7)):
        seen.clear()
        model = Model(Spy(), Params(0.5, max_tokens=9, logprobs=given))
        solve_sync("q", online(), generator=model)
        assert {(p.temperature, p.max_tokens, p.logprobs) for p in seen} == {(0.5, 9, asked)}
        bars = [p.floor.bar for p in seen if p.floor is not None]
        assert bars[:8] == [-math.inf] * 8
        assert len(set(bars[8:])) == 1
        assert len(bars) == 24


def test_a_backend_that_cannot_stop_is_refused_before_the_first_call() -> None:
    """The warm-up asks for a floor too, though one that nothing reaches."""
    counting = Counting(Simulated({"a": 1.0}))
    with pytest.raises(CapabilityError, match="Simulated cannot"):
        solved(online(), backend=counting)
    assert counting.calls == 0


def test_a_generator_without_log_probabilities_is_refused() -> None:
    """One that takes the floor and returns samples that say nothing."""

    class Mute:
        async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[str]:
            return Sample("a")

    with pytest.raises(CapabilityError, match="needs log-probabilities"):
        solve_sync("q", online(), generator=Mute())


@pytest.mark.parametrize(
    "wrong",
    [{"n": 0}, {"n": 8}, {"n": 2.5, "warmup": 1}, {"warmup": 0}, {"warmup": 2.5}, {"eta": 0}, {"eta": 101},
     {"window": 0}, {"key": 3}, {"stop": 3}],
)  # fmt: skip
def test_impossible_configurations_are_refused(wrong: dict[str, Any]) -> None:
    """At construction; n=8 has no room for the 16 answers of the default warm-up."""
    with pytest.raises(ConfigError):
        DeepConfOnline(**{"n": 32, **wrong})


def test_on_the_embedded_model() -> None:
    """Answers that were given up are beginnings of the whole ones and cheaper; the vote is among the same texts."""
    [puzzle] = Countdown().puzzles(1, "dev")
    model = Model(Embedded(), Params(max_tokens=64, logprobs=5))

    def search(eta: float) -> Result[Any]:
        return solve_sync(problem(puzzle), DeepConfOnline(24, eta, 8, 8, operations), generator=model)

    whole, cut = search(100), search(10)
    plain = solve_sync(problem(puzzle), SelfConsistency(24, operations), generator=model)
    assert whole.usage.generations == cut.usage.generations == plain.usage.generations == 24
    assert cut.usage.generated_tokens < whole.usage.generated_tokens
    for full, short in zip(samples(whole), samples(cut), strict=True):
        assert full.text.startswith(short.text)
        assert short.truncated == (short.usage.generated_tokens < full.usage.generated_tokens)


class TestDeepConfOnline(StrategyTests):
    def backend(self) -> Backend:
        return Doubting()

    def strategy(self) -> Strategy:
        return DeepConfOnline(8, 50, WINDOW, 3)

    def narrow(self) -> Strategy:
        return DeepConfOnline(1, 50, WINDOW, 1)

    def elections(self, result: Result[Any]) -> Any:
        """The first three at or above their median, and all later ones."""
        key, warm = getattr(self.strategy(), "key"), result.candidates[:3]  # noqa: B009
        bar = np.median([c.score for c in warm])
        return [(key, [c for i, c in enumerate(result.candidates) if i >= 3 or c.score >= bar])]


class TestDeepConfOnlineEarlyStop(TestDeepConfOnline):
    def strategy(self) -> Strategy:
        return DeepConfOnline(12, 50, WINDOW, 3, last, BetaStopping(0.8))
