"""Run: partial failure, order, cancellation, deadlines, anytime answers, accounting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise
from typing import Any

import pytest

from searchkit import (
    Budget,
    BudgetExhausted,
    CallError,
    ConfigError,
    Model,
    Params,
    Prompt,
    Run,
    Sample,
    Strategy,
    UncertainEffect,
    Verdict,
    solve,
    start,
)
from searchkit.calls import Request
from searchkit.generators import Recorded, Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting, Scripted, Shuffled
from searchkit.types import Usage
from searchkit.verifiers import Predicate
from searchkit.verifiers.base import Independent


def always(value: str) -> float:
    return 0.5


@dataclass(frozen=True)
class Body(Strategy):
    """A strategy from a coroutine function, for tests."""

    body: Any

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return Sample(await self.body(prompt, run))


def go(body: Any, generator: Any = None, **options: Any) -> Any:
    return asyncio.run(solve("q", Body(body), generator=generator, **options))


def test_map_keeps_the_order_of_items_whatever_finishes_first() -> None:
    """Items that finish in reverse order come back in the order they were given; a failure stays in its place."""

    async def body(prompt: Prompt, run: Run) -> Any:
        async def one(item: int, child: Run) -> int:
            await asyncio.sleep(0.002 * (5 - item))
            if item == 2:
                raise ValueError("item 2")
            return item * 10

        return await run.map(one, range(5))

    result = go(body)
    assert [o.value for o in result.answer] == [0, 10, None, 30, 40]
    assert [type(e) for e in result.errors] == [ValueError]


def test_a_stream_keeps_at_most_its_window_in_flight_and_cancels_the_rest() -> None:
    """Ten items with a window of three: never more than three at once; leaving early ends them all."""
    running, most, ended = 0, 0, 0

    async def body(prompt: Prompt, run: Run) -> list[int]:
        async def one(item: int, child: Run) -> int:
            nonlocal running, most, ended
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(0.001 if item < 4 else 60)
                return item
            finally:
                running -= 1
                ended += 1

        taken = []
        async with run.stream(one, range(10), window=3) as stream:
            async for outcome in stream:
                taken.append(outcome.unwrap())
                if len(taken) == 4:
                    break
        assert running == 0
        return taken

    assert go(body).answer == [0, 1, 2, 3]
    assert most == 3
    assert ended == 6  # four taken, two in flight when the loop was left: item 6 waits until outcome 3 is done with


def test_a_stream_must_be_entered() -> None:
    """Iterating without `async with` would leave tasks behind on break: it is refused."""

    async def body(prompt: Prompt, run: Run) -> None:
        async def one(item: int, child: Run) -> int:
            return item

        async for _ in run.stream(one, range(3), window=1):
            pass

    with pytest.raises(ConfigError, match="async with"):
        go(body)


def test_sample_leaves_failures_out_and_raises_only_if_all_fail() -> None:
    """Two of four recorded samples exist: two come back, two errors are reported; none at all raises."""

    async def body(prompt: Prompt, run: Run) -> list[str]:
        return [s.value for s in await run.sample(None, prompt, 4)]

    result = go(body, Recorded({"q": ["a", "b"]}))
    assert result.answer == ["a", "b"]
    assert len(result.errors) == 2
    assert "only 2 samples" in str(result.errors[0])
    with pytest.raises(CallError, match="no samples are recorded"):
        go(body, Recorded({"other": ["a"]}))


def test_recorded_samples_are_served_by_index_across_calls() -> None:
    """Drawing in several calls with `start` gives each stored sample once, and an error past the end."""

    async def body(prompt: Prompt, run: Run) -> list[str]:
        drawn = [(await run.sample(None, prompt, start=i))[0].value for i in range(3)]
        return drawn + [s.value for s in await run.sample(None, prompt, 2, start=3)]

    assert go(body, Recorded({"q": list("abcde")})).answer == list("abcde")


def test_out_of_budget_the_best_so_far_comes_back_with_the_reason() -> None:
    """Best-of-10 with 4 generations allowed: 4 candidates, stopped by the budget, no error raised."""
    result = asyncio.run(
        solve("q", BestOfN(10, Predicate(always)), generator=Model(Simulated.coin(0.5)), budget=Budget(generations=4))
    )
    assert len(result.candidates) == 4
    assert result.stopped == "budget"
    assert result.usage.generations == 4
    assert result.overshoot == {}


def test_a_budget_of_nothing_raises_because_there_is_no_candidate() -> None:
    """Zero generations: nothing can be returned, and the error names the ceiling."""
    with pytest.raises(BudgetExhausted, match="generations"):
        asyncio.run(
            solve("q", BestOfN(2, Predicate(always)), generator=Model(Simulated.coin(1)), budget=Budget(generations=0))
        )


@pytest.mark.slow
def test_a_deadline_returns_what_was_finished() -> None:
    """Calls of 1 ms and of 60 s, a deadline of 2 s: the fast ones are candidates, the slow ones are cancelled.

    Even on a busy machine the fast ones have time enough.
    """

    @dataclass(frozen=True)
    class Mixed:
        name: str = "mixed"

        async def complete(self, requests: list[Request]) -> list[Any]:
            await asyncio.sleep(60 if requests[0].index % 2 else 0.001)
            return [Sample(str(requests[0].index), usage=Usage(model_calls=1, generated_tokens=3))]

    backend = Counting(Mixed())
    model = Model(backend, Params(max_tokens=7))
    result = asyncio.run(solve("q", BestOfN(6, Predicate(always)), generator=model, budget=Budget(seconds=2.0)))
    assert sorted(c.sample.value for c in result.candidates) == ["0", "2", "4"]
    assert result.stopped == "deadline"
    assert backend.in_flight == 0
    assert result.usage.estimated_tokens == 3 * 7  # the cut calls are charged at their worst case, and say so
    assert result.usage.generated_tokens == 3 * 3 + 3 * 7
    assert result.usage.model_calls == backend.calls == 6


def test_a_nested_budget_binds_its_part_only() -> None:
    """A child run with its own ceiling stops there; the rest of the search goes on."""

    async def body(prompt: Prompt, run: Run) -> tuple[int, int]:
        inside = len(await run.child("small", Budget(generations=2)).sample(None, prompt, 5))
        return inside, len(await run.sample(None, prompt, 5))

    assert go(body, Model(Simulated.coin(0.5))).answer == (2, 5)


def test_a_retry_is_charged_and_needs_budget_of_its_own() -> None:
    """A backend that asks for retries: each granted one is a paid call; with two calls allowed there is one retry."""

    @dataclass(frozen=True)
    class Flaky:
        name: str = "flaky"

        async def complete(self, requests: list[Request]) -> list[Any]:
            for attempt in range(1, 10):
                error = CallError("no", kind="server", usage=Usage(model_calls=1), attempts=attempt)
                if attempt == 4:
                    return [Sample("done", usage=Usage(model_calls=1, generated_tokens=2))]
                if not requests[0].retry(error):
                    return [error]
            raise AssertionError

    model = Model(Flaky())
    assert asyncio.run(solve("q", model)).paid.model_calls == 4
    with pytest.raises(CallError) as caught:
        asyncio.run(solve("q", model, budget=Budget(model_calls=2)))
    assert caught.value.attempts == 2


def test_verification_by_a_model_charges_calls_but_no_generations() -> None:
    """A judge that asks a model once a sample: verifications and model calls are charged, generations are not."""

    @dataclass(frozen=True)
    class Judge:
        key: str = "judge"
        range: tuple[float, float] = (0.0, 1.0)
        joint: bool = False

        def bind(self, problem: Any) -> Judge:
            return self

        async def verify(self, prompt: Prompt, samples: Any, run: Run) -> Any:
            from searchkit.types import Verdict

            [opinion] = await run.sample(None, prompt)
            return [Verdict(float(opinion.value == "right"))]

    result = asyncio.run(solve("q", BestOfN(3, Judge()), generator=Model(Simulated.coin(0.5))))
    assert result.usage.generations == 3
    assert result.usage.verifications == 3
    assert result.usage.model_calls == 6
    assert len(result.candidates) == 3


def test_the_reference_reaches_the_verifier_alone() -> None:
    """No strategy and no generator can see the reference: nothing but `bind` is given the problem."""
    from searchkit import Problem
    from searchkit.verifiers import Exact

    seen: list[Prompt] = []

    async def spy(prompt: Prompt, run: Run) -> str:
        seen.append(prompt)
        assert not hasattr(run, "problem")
        [scored] = await run.score(Exact(), prompt, [Sample("42")])
        return str(scored.verdict.passed)

    secret = Problem("p", Prompt.of("q"), reference="42")
    assert asyncio.run(solve(secret, Body(spy))).answer == "True"
    assert "42" not in repr(seen)


def test_no_samples_are_no_question_to_a_verifier() -> None:
    """One that scores each sample by itself may look at the first of them."""

    class First(Independent):
        key, range = "first", (0.0, 1.0)

        async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
            return [Verdict(float(samples[0].text == "q"))] * len(samples)

    async def body(prompt: Prompt, run: Run) -> int:
        return len(await run.score(First(), prompt, []))

    result = go(body)
    assert (result.answer, result.errors, result.usage.verifications) == (0, (), 0)


def test_sequential_tokens_are_the_critical_path() -> None:
    """Two rounds of three concurrent samples of 10 tokens: 60 tokens in all, 20 of them one after another."""

    async def body(prompt: Prompt, run: Run) -> None:
        for _ in range(2):
            await run.sample(None, prompt, 3)

    result = go(body, Model(Simulated.coin(0.5)))
    assert result.usage.generated_tokens == 60
    assert result.sequential_tokens == 20
    assert result.usage.longest_context == 10


@pytest.mark.parametrize("window", [1, 2, 3, 9])
def test_an_item_that_began_after_others_is_in_sequence_with_them(window: int) -> None:
    """Nine items of known lengths, `window` at a time: the critical path is the heaviest of all chains of items that
    began when the one before them had been taken. Every chain is tried."""
    lengths = [5, 1, 7, 2, 2, 9, 1, 4, 3]

    async def body(prompt: Prompt, run: Run) -> None:
        async def draw(length: int, child: Run) -> None:
            await child.sample(None, Prompt.of("say " * length))

        async with run.stream(draw, iter(lengths), window=window, most=len(lengths)) as stream:
            async for _ in stream:
                pass

    chains = chain.from_iterable(combinations(range(9), r) for r in range(1, 10))
    allowed = (c for c in chains if all(b - a >= window for a, b in pairwise(c)))
    longest = max(sum(lengths[i] for i in c) for c in allowed)
    assert go(body, Model(Scripted(lambda request: request.prompt.text))).sequential_tokens == longest


def test_an_unexpected_error_after_the_first_candidate_returns_it() -> None:
    """A strategy that breaks after it has candidates: the best so far comes back, and the error is reported."""

    async def body(prompt: Prompt, run: Run) -> None:
        await run.sample(None, prompt, 2)
        raise RuntimeError("a bug in the strategy")

    result = go(body, Model(Scripted(lambda request: f"s{request.index}")))
    assert result.answer == "s0"
    assert result.stopped == "error"
    assert "a bug in the strategy" in str(result.errors[-1])


def test_wide_and_deep_nesting_is_deterministic_under_a_binding_budget() -> None:
    """A vote over best-of-N that cannot pay for all its calls: within its ceilings, and alike under any latencies."""
    strategy = SelfConsistency(3, generator=BestOfN(3, Predicate(always), generator=SelfConsistency(2)))
    traces = []
    for order in range(4):
        backend = Shuffled(Simulated({"a": 0.5, "b": 0.5}), order)
        result = asyncio.run(
            solve(
                "q", strategy, generator=Model(backend, Params(max_tokens=15)),
                budget=Budget(generations=11, generated_tokens=140),
            )
        )  # fmt: skip
        assert result.usage.generations <= 11
        assert result.usage.generated_tokens <= 140
        traces.append(result.trace.canonical())
    assert all(trace == traces[0] for trace in traces)


def test_a_ceiling_on_money_stops_calls_of_unknown_price() -> None:
    """Calls of 0.3 dollars each under a ceiling of 1: the fourth still finds 0.1 left, the fifth nothing."""

    @dataclass(frozen=True)
    class Priced:
        name: str = "priced"

        async def complete(self, requests: list[Request]) -> list[Any]:
            return [Sample("x", usage=Usage(model_calls=1, usd=0.3))]

    strategy = BestOfN(10, Predicate(always), window=1)
    result = asyncio.run(solve("q", strategy, generator=Model(Priced()), budget=Budget(usd=1.0)))
    assert result.usage.generations == 4
    assert result.stopped == "budget"
    assert result.overshoot == pytest.approx({"usd": 0.2})


@pytest.mark.parametrize("window", [1, 3, 10])
def test_an_opaque_agent_exceeds_a_token_ceiling_only_by_the_calls_in_flight(window: int) -> None:
    """Ten calls that turn out to cost 40 tokens each, a ceiling of 100: nothing starts once nothing is left."""

    def agent(text: str) -> Sample[str]:
        return Sample("x", usage=Usage(model_calls=1, generated_tokens=40))

    strategy = BestOfN(10, Predicate(always), window=window)
    result = asyncio.run(solve("q", strategy, generator=agent, budget=Budget(generated_tokens=100)))
    assert 100 <= result.usage.generated_tokens <= 100 + 40 * window
    assert result.overshoot.get("generated_tokens", 0) == result.usage.generated_tokens - 100
    assert result.stopped == "budget" or result.usage.generations == 10


class Opened:
    """Something that a search opens: counts how often it was opened and closed."""

    made, closed = 0, 0

    def __init__(self, *, later: bool = False) -> None:
        Opened.made += 1
        self.later = later

    def close(self):
        Opened.closed += 1
        return asyncio.sleep(0) if self.later else None


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("ends", ["well", "error", "cancelled"])
def test_a_resource_is_opened_once_a_search_and_closed_with_it(ends, later):
    """All calls in a search get the same object; it is closed however the search ends; the next one has its own."""
    Opened.made = Opened.closed = 0
    owner = object()

    @dataclass(frozen=True)
    class Uses(Strategy):
        async def search(self, prompt, run):
            outcomes = await run.map(lambda _, child: self._get(child), range(3))
            assert len({id(o.value) for o in outcomes}) == 1
            if ends == "error":
                raise RuntimeError("no")
            if ends == "cancelled":
                asyncio.current_task().cancel()
                await asyncio.sleep(0)
            return Sample("x")

        async def _get(self, run):
            return run.resource(owner, lambda: Opened(later=later))

    for searches in (1, 2):
        try:
            asyncio.run(solve("q", Uses()))
        except (RuntimeError, asyncio.CancelledError):
            assert ends != "well"
        assert (Opened.made, Opened.closed) == (searches, searches)


def test_a_resource_that_cannot_be_closed_keeps_no_other_open():
    """The first one's close raises: the other is closed all the same, and the error is heard of."""
    Opened.made = Opened.closed = 0

    class Stuck:
        def close(self):
            raise OSError("stuck")

    @dataclass(frozen=True)
    class Uses(Strategy):
        async def search(self, prompt, run):
            run.resource(self, Opened)
            run.resource(prompt, Stuck)
            return Sample("x")

    with pytest.raises(OSError, match="stuck"):
        asyncio.run(solve("q", Uses()))
    assert (Opened.made, Opened.closed) == (1, 1)


def test_planning_calls_are_neither_generations_nor_candidates():
    """One planning call and one sample: two model calls, one generation, one candidate."""

    @dataclass(frozen=True)
    class Plans(Strategy):
        async def search(self, prompt, run):
            planner = run.child("plan", role="plan")
            await planner.sample(None, Prompt.of("what next?"))
            return (await run.sample(None, prompt))[0]

    result = asyncio.run(solve("q", Plans(), generator=Model(Scripted(lambda request: request.prompt.text))))
    assert (result.usage.model_calls, result.usage.generations) == (2, 1)
    assert [c.sample.text for c in result.candidates] == ["q"]


def test_what_is_harmless_is_begun_again_where_its_end_is_not_recorded(tmp_path):
    """Recorded, it is not done again; broken off, it is."""
    done = []

    @dataclass(frozen=True)
    class Looks(Strategy):
        breaks: bool = False

        async def search(self, prompt, run):
            async def perform():
                done.append(prompt.text)
                if self.breaks:
                    raise RuntimeError("power cut")
                return f"seen {len(done)}"

            return Sample(await run.once("look", perform, harmless=True))

    with pytest.raises(RuntimeError):
        asyncio.run(solve("q", Looks(breaks=True), journal=tmp_path / "a.db"))
    for _ in range(3):
        assert asyncio.run(solve("q", Looks(), journal=tmp_path / "a.db")).answer == "seen 2"
    assert len(done) == 2


def test_what_cannot_be_undone_is_done_once(tmp_path):
    """Resumed, its observation comes from the journal; begun and not ended, it raises; without a journal it is done."""
    done = []

    @dataclass(frozen=True)
    class Acts(Strategy):
        breaks: bool = False

        async def search(self, prompt, run):
            async def perform():
                done.append(prompt.text)
                if self.breaks:
                    raise RuntimeError("power cut")
                return "ordered"

            first, second = await run.once("order", perform), await run.once("order", perform)
            return Sample(first + second)

    for _ in range(3):
        assert asyncio.run(solve("q", Acts(), journal=tmp_path / "a.db")).answer == "orderedordered"
    assert len(done) == 2
    with pytest.raises(RuntimeError):
        asyncio.run(solve("q", Acts(breaks=True), journal=tmp_path / "b.db"))
    with pytest.raises(UncertainEffect, match="order"):
        asyncio.run(solve("q", Acts(), journal=tmp_path / "b.db"))
    assert len(done) == 3
    asyncio.run(solve("q", Acts()))
    assert len(done) == 5


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["generated_tokens", "prompt_tokens", "model_calls", "usd"])
@pytest.mark.parametrize("how", ["answer", "failure"])
def test_amounts_that_cannot_be_are_charged_as_one_call(amount, name, how, tmp_path):
    """Who says it used less than nothing has failed: that frees no budget, and leaves no row that cannot be read."""

    class Lies:
        name = "lies"

        async def complete(self, requests):
            used = Usage(**{"model_calls": 1, name_of: amount})
            return [Sample("4", usage=used) if how == "answer" else CallError("no", usage=used) for _ in requests]

    async def main(journal):
        search = start("q", BestOfN(2, Predicate(bool, name="b")), generator=Model(Lies()), journal=journal)
        with pytest.raises(CallError, match="amounts are numbers" if how == "answer" else "no"):
            await search
        assert search.usage == Usage(generations=2, model_calls=2)

    name_of = name
    for journal in (None, tmp_path / "run.db", tmp_path / "run.db"):
        asyncio.run(main(journal))
