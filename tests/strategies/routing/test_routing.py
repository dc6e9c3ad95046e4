"""Strategies made of others: who is asked, what is cancelled and charged, and the laws, nested."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import (
    Budget,
    BudgetExhausted,
    CallError,
    ConfigError,
    Model,
    Params,
    Result,
    Sample,
    solve,
    solve_sync,
    start,
)
from searchkit.calls import Request
from searchkit.protocols import Generator
from searchkit.strategies import BestOfN, Budgeted, Fallback, Race, SelfConsistency, Then
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Usage, Verdict
from searchkit.verifiers import Predicate


def right(text: str) -> bool:
    return text == "42"


def much(text: str) -> float:
    return float(text)


RIGHT = Predicate(right)


def says(*texts: str) -> Model:
    """A model that says these, by index, and the last one from then on."""
    return Model(Scripted(lambda request: texts[min(request.index, len(texts) - 1)]))


def fails(request: Request) -> str:
    raise CallError("no server")


BROKEN = Model(Scripted(fails))


@dataclass
class Waiting:
    """A backend that answers after so many turns of the loop, or never."""

    text: str
    turns: int | None
    asked: int = 0
    in_flight: int = 0
    name: str = "waiting"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.asked += 1
        self.in_flight += 1
        try:
            if self.turns is None:
                await asyncio.Event().wait()
            for _ in range(self.turns or 0):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        return [Sample(self.text, usage=Usage(model_calls=1, prompt_tokens=4, generated_tokens=3))]


def test_a_race_cancels_the_losers_and_charges_them() -> None:
    """The second passes; the third, which never answers, is cancelled, and charged at its worst case."""
    racers = [Waiting("41", 9), Waiting("42", 3), Waiting("42", None)]
    params = Params(max_tokens=8)
    race = Race(tuple(Model(racer, params) for racer in racers), RIGHT)
    result = asyncio.run(solve("q", race, budget=Budget(generated_tokens=100)))
    assert (result.answer, result.stopped) == ("42", "threshold")
    assert [racer.in_flight for racer in racers] == [0, 0, 0]
    assert [c.sample.text for c in result.candidates] == ["41", "42"]
    assert result.usage.generations == 3
    assert result.usage.generated_tokens == 3 + 3 + 8
    assert result.usage.estimated_tokens >= 8


@pytest.mark.parametrize("turns", [(1, 9), (9, 1), (5, 5)])
def test_the_order_of_the_racers_decides_not_the_clock(turns: tuple[int, int]) -> None:
    """Both pass: the first of them, however slow it is."""
    race = Race(
        tuple(Model(Waiting(text, n)) for text, n in zip(("42", "42.0"), turns, strict=True)), Predicate(passing)
    )
    assert asyncio.run(solve("q", race)).answer == "42"


def passing(text: str) -> bool:
    return True


def test_where_nothing_passes_the_highest_score_is_the_answer() -> None:
    """Of a race and of a fallback alike; what failed is told."""
    for make in (Race, Fallback):
        several: tuple[Generator, ...] = (says("0.1"), BROKEN, says("0.3"), says("0.2"))
        result = solve_sync("q", make(several, Predicate(much)))
        assert (result.answer, result.stopped) == ("0.3", "done")
        assert [str(error) for error in result.errors] == ["no server"]


def test_a_fallback_asks_the_next_one_only_if_it_must() -> None:
    """By calls that the backends counted: passed at once; failed; did not pass; all failed."""
    for first, wanted in (("42", (1, 0)), ("41", (1, 1)), (None, (1, 1))):
        backends = [Counting(Scripted(fails if first is None else answer(first))), Counting(Scripted(answer("42")))]
        result = solve_sync("q", Fallback(tuple(Model(one) for one in backends), RIGHT))
        assert result.answer == "42"
        assert tuple(one.calls for one in backends) == wanted
    backends = [Counting(Scripted(answer("41"))), Counting(Scripted(answer("42")))]
    assert solve_sync("q", Fallback(tuple(Model(one) for one in backends))).answer == "41"  # any answer passes
    assert backends[1].calls == 0
    with pytest.raises(CallError, match="no server"):
        solve_sync("q", Fallback((BROKEN, BROKEN), RIGHT))


def answer(text: str) -> Callable[[Request], str]:
    return lambda request: text


def test_then_goes_on_from_the_first_answer() -> None:
    """The second is shown the conversation, the answer, and what is asked; if it fails, the first answer stands."""
    seen = list[list[tuple[str, str]]]()

    def second(request: Request) -> str:
        seen.append([(message.role, message.text) for message in request.prompt.messages])
        return "42"

    assert solve_sync("19 + 23?", Then(says("41"), Model(Scripted(second)), "Sure?")).answer == "42"
    assert seen == [[("user", "19 + 23?"), ("assistant", "41"), ("user", "Sure?")]]
    result = solve_sync("19 + 23?", Then(says("41"), BROKEN))
    assert (result.answer, [str(error) for error in result.errors]) == ("41", ["no server"])
    result = solve_sync("19 + 23?", Then(says("41"), says("42")), budget=Budget(generations=1))
    assert (result.answer, result.stopped) == ("41", "budget")


def test_budgeted_keeps_its_own_ceilings_and_those_around_it() -> None:
    """The smaller of the two; the other part of the search has what is left."""
    ten = SelfConsistency(10)
    for own, around, wanted in ((3, 100, 3), (100, 4, 4), (0, 100, None)):
        budgeted = Budgeted(ten, Budget(generations=own))
        if wanted is None:
            with pytest.raises(BudgetExhausted):
                solve_sync("q", budgeted, generator=says("42"), budget=Budget(generations=around))
            continue
        result = solve_sync("q", budgeted, generator=says("42"), budget=Budget(generations=around))
        assert (result.answer, result.usage.generations, result.stopped) == ("42", wanted, "budget")


def test_out_of_its_own_budget_the_next_one_is_asked() -> None:
    """A part that could not answer within its ceilings has failed."""
    cheap = Budgeted(says("41"), Budget(generations=0))
    assert solve_sync("q", Fallback((cheap, says("42")), RIGHT)).answer == "42"


def test_an_equal_part_for_each() -> None:
    """Under nine generations, each of three racers has three."""
    race = Race((SelfConsistency(9), SelfConsistency(9), SelfConsistency(9)), RIGHT)
    result = solve_sync("q", race, generator=says("41"), budget=Budget(generations=9))
    assert result.usage.generations == 9
    spent = [span.total().generations for span in result.trace.children[0].children[0].children]
    assert spent == [3, 3, 3]


def test_worst_cases_add_up() -> None:
    """By hand: (1 + 5) samples and their checks; a part of unknown cost makes the whole unknown."""
    one = Usage(generations=1, model_calls=1, generated_tokens=10)
    best = BestOfN(5, RIGHT)
    assert Race((None, best), RIGHT).worst_case(one) == one.times(6) + Usage(verifications=5 + 2)
    assert Fallback((None, best)).worst_case(one) == one.times(6) + Usage(verifications=5)
    assert Then(best, best).worst_case(one) == one.times(10) + Usage(verifications=10)
    assert Budgeted(best, Budget(generations=2)).worst_case(one) == best.worst_case(one)

    class Unknown(Strategy):
        async def search(self, prompt: Any, run: Any) -> Sample[Any]:
            raise NotImplementedError

    assert Race((None, Unknown()), RIGHT).worst_case(one) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Race((says("1"),), RIGHT), "two or more"), (lambda: Race([None, None], RIGHT), "a tuple"),  # type: ignore[arg-type]
        (lambda: Fallback((None, "model")), "models, strategies"), (lambda: Race((None, None), right), "verifier"),  # type: ignore[arg-type]
        (lambda: Budgeted(None, 3), "Budget\\(generations"),  # type: ignore[arg-type]
    ],
    ids=["one", "list", "text", "no verifier", "no budget"],
)  # fmt: skip
def test_mistakes_are_said_where_they_are_made(make: Callable[[], Strategy], words: str) -> None:
    """At construction."""
    with pytest.raises(ConfigError, match=words):
        make()


@dataclass
class Once:
    """A model that says "42" once, and then nothing more."""

    name: str = "once"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        if requests[0].index % 8:
            await asyncio.Event().wait()
        return [Sample("42")]


def stopped_in_the_middle(strategy: Strategy) -> Result[Any]:
    """Once nothing moves any more."""

    async def main() -> Result[Any]:
        search = start("?", strategy)
        for _ in range(100):
            await asyncio.sleep(0)
        best = search.best()
        search.stop()
        result: Result[Any] = await search
        assert best is not None
        assert search.best() == best
        assert best in result.candidates
        assert (result.answer, result.stopped) == (best.sample.value, "cancelled")
        return result

    return asyncio.run(main())


def large(text: str) -> float:
    return 1.0


NEVER, ENDS = Model(Waiting("never", None)), says("41")
BY_SIZE = Predicate(large)
GOES_ON = BestOfN(4, RIGHT, generator=Model(Once()))
ELSEWHERE = BestOfN(4, BY_SIZE, generator=Model(Once()))


@pytest.mark.parametrize(
    ("strategy", "answer"),
    [
        (Fallback((ENDS, GOES_ON), RIGHT), "42"),
        (Fallback((ENDS, GOES_ON), Predicate(right)), "42"),  # equal, if not the same object
        (Race((GOES_ON, ENDS), RIGHT), "42"),
        (Race((ENDS, Race((NEVER, GOES_ON), RIGHT)), RIGHT), "42"),
        (Fallback((ENDS, Budgeted(Then(ENDS, GOES_ON), Budget(generations=9))), RIGHT), "42"),
        (Fallback((ENDS, ELSEWHERE), RIGHT), "41"),  # no score of another verifier says that it is right
        (Race((ELSEWHERE, ENDS), RIGHT), "41"),
        (Fallback((ENDS, Race((ELSEWHERE, NEVER), BY_SIZE)), RIGHT), "41"),
        (Fallback((ENDS, NEVER), RIGHT), "41"),
    ],
    ids=range(9),
)
def test_stopped_while_a_part_goes_on_the_best_is_what_the_verifier_has_seen_anywhere(
    strategy: Strategy, answer: str
) -> None:
    """Whoever asked it: what a part has found counts by the same verifier's verdict, and by no other's."""
    assert stopped_in_the_middle(strategy).answer == answer


def test_the_verdict_on_the_answer_of_a_part_takes_the_place_of_those_inside_of_it() -> None:
    """Of a judge that changes its mind the last word counts."""
    says_so = iter([0.9, 0.2, 0.5])  # of "50" inside, of "50" as an answer, of "41"

    def wavers(text: str) -> float:
        return next(says_so)

    judge = Predicate(wavers)
    result = stopped_in_the_middle(Fallback((BestOfN(1, judge, generator=says("50")), ENDS, NEVER), judge))
    assert result.answer == "41"
    assert [one.score for one in result.candidates] == [0.2, 0.5]


def test_what_cannot_be_compared_is_not_the_same_verifier() -> None:
    """A verifier may be made of anything, such as arrays, whose comparison is no truth value, or fails."""

    class Odd:
        def __eq__(self, other: object) -> Any:
            raise ValueError("the truth value of an array")

        __hash__ = object.__hash__

    @dataclass(frozen=True)
    class Holding:
        weights: Odd
        key: str = "holding"
        range: tuple[float, float] = (0.0, 1.0)
        joint: bool = False

        def bind(self, problem: Any) -> Holding:
            return self

        async def verify(self, prompt: Any, samples: Sequence[Sample[Any]], run: Any) -> list[Verdict]:
            return [Verdict(float(sample.text == "42")) for sample in samples]

    one, other = Holding(Odd()), Holding(Odd())
    inside = BestOfN(4, one, generator=Model(Once()))
    assert stopped_in_the_middle(Fallback((ENDS, inside), other)).answer == "41"
    assert stopped_in_the_middle(Fallback((ENDS, inside), one)).answer == "42"


class Own(StrategyTests):
    """Where the answer is one of its candidates by a rule of its own."""

    def elections(self, result: Result[Any]) -> list[Any]:
        return []


class TestRace(Own):
    def strategy(self) -> Strategy:
        return Race((None, BestOfN(3, LengthScore()), SelfConsistency(3)), LengthScore())


class TestRaceThatStops(Own):
    def strategy(self) -> Strategy:
        return Race((None, BestOfN(2, LengthScore()), None), Predicate(has_a_number))


class TestFallback(Own):
    def strategy(self) -> Strategy:
        return Fallback((None, BestOfN(3, LengthScore()), SelfConsistency(2)), Predicate(has_a_number))


class TestThen(Own):
    def strategy(self) -> Strategy:
        return Then(SelfConsistency(3), BestOfN(3, LengthScore()))


class TestBudgeted(Own):
    def strategy(self) -> Strategy:
        return Budgeted(BestOfN(6, LengthScore()), Budget(generations=4))


class TestNested(Own):
    """All four, inside of one another."""

    def strategy(self) -> Strategy:
        cheap = Budgeted(Then(None, SelfConsistency(2)), Budget(generations=3))
        race = Race((cheap, BestOfN(2, LengthScore(), threshold=0.5), None), Predicate(is_seven))
        return Fallback((race, Then(race, cheap)), Predicate(has_a_number))


def has_a_number(text: str) -> bool:
    return text.strip().isdigit()


def is_seven(text: str) -> bool:
    return text.strip() == "7"


@pytest.mark.parametrize("ask", [None, 3, "", " \n", b"again", ["again"]], ids=repr)
def test_then_asks_with_a_text(ask: Any) -> None:
    """Else the second part would fail each time, and the first answer stand as if it had been looked at."""
    with pytest.raises(ConfigError, match="Then asks for the second answer with a text"):
        Then(None, None, ask=ask)


class Named:
    """Answers with its name, the first `quick` times at once, and then not for a minute."""

    def __init__(self, name: str, quick: int) -> None:
        self.name, self.quick = name, quick

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.quick -= 1
        if self.quick < 0:
            await asyncio.sleep(60)
        return [Sample(self.name, usage=Usage(model_calls=1, generated_tokens=1))]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("deep", [False, True])
def test_while_no_part_has_answered_the_best_so_far_is_the_best_of_all_parts(place: int, deep: bool) -> None:
    """In whichever part it was found."""

    def verdict(text: str) -> bool:
        return text == "right"

    async def main() -> Result[Any]:
        names = ["right" if i == place else "wrong" for i in range(3)]
        parts = tuple(BestOfN(4, Predicate(verdict), generator=Model(Named(name, 2))) for name in names)
        race: Strategy = Race(parts, Predicate(verdict))
        search = start("q", Race((race, Model(Named("late", 0))), Predicate(verdict)) if deep else race)
        await asyncio.sleep(0.02)
        best = search.best()
        assert best is not None
        assert (best.sample.value, best.score) == ("right", 1.0)
        search.stop()
        return await search

    assert asyncio.run(main()).answer == "right"
