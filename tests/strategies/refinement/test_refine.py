"""`Refine`: what ends a chain, which draft is the answer, whose the stop is, and what it costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Model, Params, Problem, Result, solve
from searchkit.calls import CallError, Request
from searchkit.environments import Rewrite
from searchkit.generators import Simulated
from searchkit.protocols import Run, Verifier
from searchkit.strategies import Argmax, BestOfN, Refine, Vote
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers import Critic, Exact, Predicate

DRAFTS = ["one", "two", "three", "four", "five", "six"]
LOST = "I do not know what to say about it. " * 20  # too long to be an answer itself
SCORES = {"one": 0.2, "two": 0.8, "three": 0.5, "four": 0.4, "five": 0.9, "six": 0.1}


def writes(request: Request) -> str:
    """The draft after the latest one that the prompt shows."""
    return DRAFTS[max((i + 1 for i, draft in enumerate(DRAFTS) if f"\n{draft}\n" in request.prompt.text), default=0)]


def refined(strategy: Strategy, reply: Any = writes, **options: Any) -> Result[str]:
    return asyncio.run(solve("the task", strategy, generator=Model(Scripted(reply)), **options))


def passes(*good: str) -> Predicate:
    return Predicate(lambda draft: draft in good, name="passes")


def says(satisfied: Any, critique: str = "it is too short") -> str:
    return json.dumps({"critique": critique, "satisfied": satisfied})


# ---------------------------------------------------------------- the chain


@pytest.mark.parametrize("answer", ["last", "accepted", Argmax()])
def test_no_rounds_is_the_first_draft(answer: Any) -> None:
    """Byte for byte what the generator says, at the price of one call."""
    result = refined(Refine(0, passes(), answer))
    assert result.answer == "one"
    assert result.usage.model_calls == 1


@pytest.mark.parametrize("answer", ["last", "accepted", Argmax()])
def test_a_critic_that_is_satisfied_at_once_returns_the_draft(answer: Any) -> None:
    result = refined(Refine(4, passes("one"), answer))
    assert (result.answer, result.usage.generations, result.stopped) == ("one", 1, "threshold")


@pytest.mark.parametrize("rounds", range(5))
def test_a_critic_that_never_is_makes_exactly_as_many_rounds(rounds: int) -> None:
    """And costs what is declared: a draft more than rounds, and no verdict on a last draft that is returned anyway."""
    for answer in ("last", "accepted", Argmax()):
        strategy = Refine(rounds, passes(), answer)  # type: ignore[arg-type]
        used = refined(strategy).usage
        assert (used.generations, used.verifications) == strategy.counts() == (rounds + 1, rounds + (answer != "last"))


def test_each_rule_finds_its_draft() -> None:
    """Nothing is accepted: the last of five, the first, the best scored."""
    scored = Predicate(SCORES.__getitem__, name="scores")
    found = [refined(Refine(3, scored, rule)).answer for rule in ("last", "accepted", Argmax())]  # type: ignore[arg-type]
    assert found == ["four", "one", "two"]


def test_what_was_accepted_is_last_and_accepted() -> None:
    for rule in ("last", "accepted"):
        assert refined(Refine(5, passes("three"), rule)).answer == "three"  # type: ignore[arg-type]


def test_a_score_that_reaches_the_bar_ends_the_chain() -> None:
    """A score alone never passes: without a bar the chain goes on to its end."""
    scored = Predicate(SCORES.__getitem__, name="scores")
    stopped = refined(Refine(5, scored, "accepted", threshold=0.8))
    assert (stopped.answer, stopped.usage.generations, stopped.stopped) == ("two", 2, "threshold")
    whole = refined(Refine(5, scored, "accepted"))
    assert (whole.answer, whole.usage.generations, whole.stopped) == ("one", 6, "done")


def test_equal_answers_in_a_row_end_the_chain() -> None:
    """The third 7 in a row; a text without an answer, and one that was cut off, begin the row anew."""
    never = Predicate(lambda draft: Verdict(feedback="look again"), name="never")
    for replies, end in (
        ("7 8 7 7 7 9", 5),
        ("7 7 none 7 7 9", 6),
        ("none none none none none none", 6),
        ("7 7 7 7 7 7", 3),
    ):
        drafts = iter(f"The answer is {word}." if word != "none" else LOST for word in replies.split())
        chain = refined(Refine(5, never, "last", stable=3), lambda _: next(drafts))  # noqa: B023
        assert chain.usage.generations == end, replies
    with pytest.raises(ConfigError, match="2 or more"):
        Refine(3, never, "last", stable=1)


def test_a_draft_that_was_cut_off_is_equal_to_none() -> None:
    never = Predicate(lambda draft: Verdict(), name="never")
    cut = Model(Scripted(lambda _: "The answer is 7. And so on"), Params(max_tokens=4))
    result = asyncio.run(solve("q", Refine(4, never, "last", stable=2), generator=cut))
    assert result.usage.generations == 5


def test_a_draft_to_start_from_is_judged_and_not_written() -> None:
    """No rounds and no calls: it is returned as it is. With rounds it is what the first rewrite sees."""
    start = Rewrite(draft="one")
    nothing = refined(Refine(0, passes(), "last", environment=start))
    assert (nothing.answer, nothing.usage.model_calls) == ("one", 0)
    result = refined(Refine(2, passes("three"), "accepted", environment=start))
    assert (result.answer, result.usage.generations, result.usage.verifications) == ("three", 2, 3)
    assert result.tree is not None
    assert len(result.tree) == 3


def test_who_writes_what() -> None:
    """The first draft is the generator's, all others the refiner's, each with its own parameters."""
    seen = list[tuple[str, float]]()

    def named(name: str, temperature: float) -> Model:
        def reply(request: Request) -> str:
            seen.append((name, request.params.temperature))
            return writes(request)

        return Model(Scripted(reply, name=name), Params(temperature=temperature))

    chain = Refine(2, passes(), "last", refiner=named("refiner", 0.7))
    asyncio.run(solve("q", chain, generator=named("writer", 0.0)))
    assert seen == [("writer", 0.0), ("refiner", 0.7), ("refiner", 0.7)]


@pytest.mark.parametrize(
    ("keep", "shown"), [(1, ["four"]), (2, ["three", "four"]), (9, ["one", "two", "three", "four"])]
)
def test_the_prompt_remembers_as_many_drafts_as_it_is_told(keep: int, shown: list[str]) -> None:
    """The last prompt of a chain, with the critic's words for each draft that it shows."""
    prompts = list[str]()

    def reply(request: Request) -> str:
        prompts.append(request.prompt.text)
        return writes(request)

    critic = Predicate(lambda draft: Verdict(passed=False, feedback=f"more than {draft}"), name="more")
    refined(Refine(4, critic, "last", environment=Rewrite(keep)), reply)
    assert [draft for draft in DRAFTS if f"\n{draft}\n" in prompts[-1]] == shown
    assert [draft for draft in DRAFTS if f"more than {draft}\n" in prompts[-1]] == shown


def test_a_round_that_fails_is_no_round_that_was_dropped() -> None:
    """Survivors only would be the released code's accuracy: here the chain is answered by what it has, and says so."""

    def reply(request: Request) -> str:
        if "\ntwo\n" in request.prompt.text:
            raise CallError("the server is gone")
        return writes(request)

    result = refined(Refine(5, passes(), "last"), reply)
    assert result.answer == "two"
    assert [str(error) for error in result.errors] == ["the server is gone"]
    with pytest.raises(CallError, match="at once"):
        refined(Refine(5, passes(), "last"), _gone)


def _gone(request: Request) -> str:
    raise CallError("at once")


def test_a_draft_that_could_not_be_judged_stays_one() -> None:
    """It has no score, and the chain goes on."""

    def judge(draft: str) -> float:
        if draft == "two":
            raise ValueError("no")
        return SCORES[draft]

    result = refined(Refine(2, Predicate(judge, name="judge"), Argmax()))
    assert [c.sample.text for c in result.candidates] == ["one", "two", "three"]
    assert [c.score for c in result.candidates] == [0.2, None, 0.5]
    assert result.answer == "three"
    assert len(result.errors) == 1


def test_a_spent_budget_ends_the_chain() -> None:
    """What there is by then is chosen among as ever."""
    scored = Predicate(SCORES.__getitem__, name="scores")
    for budget in (Budget(generations=3), Budget(verifications=3)):
        result = refined(Refine(5, scored, Argmax()), budget=budget)
        assert (result.answer, result.stopped) == ("two", "budget")
    assert refined(Refine(5, scored, "last"), budget=Budget(generations=3)).answer == "three"


def test_mistakes_are_named() -> None:
    for wrong in ({"rounds": -1}, {"answer": "best"}, {"answer": None}, {"threshold": 2.0}, {"refiner": len}):
        with pytest.raises(ConfigError):
            Refine(**{"rounds": 2, "verifier": passes(), "answer": "last"} | wrong)


# ---------------------------------------------------------------- whom the stop belongs to


@dataclass(frozen=True)
class Blind:
    """Judges by the text alone: it takes no reference."""

    key: str = "blind"
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = False

    def bind(self, problem: Problem) -> Blind:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [Verdict(passed=sample.text == "four") for sample in samples]


@pytest.mark.parametrize("reference", [None, "two", "four", "nothing"])
def test_the_reference_moves_no_stop(reference: str | None) -> None:
    """Whatever the right answer is, the chain of a critic that does not know it is the same, call by call."""
    result = asyncio.run(
        solve(
            Problem("p", Prompt.of("q"), reference), Refine(5, Blind(), "accepted"), generator=Model(Scripted(writes))
        )
    )
    assert (result.answer, result.usage.generations) == ("four", 4)


def test_a_stop_on_the_truth_is_what_the_verifier_says_it_is() -> None:
    """With `Exact` the chain ends at the right answer: a bound on what its drafts hold, and no accuracy."""
    problem = Problem("p", Prompt.of("q"), "three")
    result = asyncio.run(solve(problem, Refine(5, Exact(), "accepted"), generator=Model(Scripted(writes))))
    assert (result.answer, result.usage.generations) == ("three", 3)


def test_a_perfect_critic_never_lowers_the_accuracy_where_only_accepted_drafts_count() -> None:
    """Every problem whose first draft is right keeps it, whatever rewriting would break."""
    problem, model, broken = Problem("p", Prompt.of("q"), "right"), Model(Simulated.coin(0.4)), 0
    for seed in range(40):
        found = [
            asyncio.run(solve(problem, Refine(rounds, verifier, rule), generator=model, seed=seed)).answer
            for rounds, verifier, rule in ((0, Exact(), "last"), (3, Exact(), "accepted"), (3, passes(), "last"))
        ]
        first, chain, blind = (answer == "right" for answer in found)
        assert chain >= first
        broken += first > blind
    assert broken > 5  # so many a chain without a critic would have lost


def test_a_critic_that_always_says_wrong_measures_the_drift() -> None:
    """By the rule of the accepted draft nothing moves; by that of the last one all do."""
    wrong = Predicate(lambda draft: Verdict(passed=False, feedback="wrong, try again"), name="wrong")
    assert refined(Refine(4, wrong, "accepted")).answer == "one"
    assert refined(Refine(4, wrong, "last")).answer == "five"


# ---------------------------------------------------------------- laws


class TestRefineLast(StrategyTests):
    def strategy(self) -> Strategy:
        return Refine(4, LengthScore(), "last")

    def narrow(self) -> Strategy:
        return Refine(0, LengthScore(), "last")


class TestRefineBest(StrategyTests):
    def strategy(self) -> Strategy:
        return Refine(5, LengthScore(), Argmax())

    def judged(self, verifier: Verifier) -> Strategy:
        return Refine(5, verifier, Argmax())


class TestRefineAccepted(StrategyTests):
    def strategy(self) -> Strategy:
        return Refine(4, LengthScore(), "accepted", threshold=0.9, stable=3)


class TestRefineVote(StrategyTests):
    def strategy(self) -> Strategy:
        return Refine(4, LengthScore(), Vote(weighted=True), environment=Rewrite(keep=4))


class TestRefineWithACritic(StrategyTests):
    def strategy(self) -> Strategy:
        return Refine(3, Critic(grounds=LengthScore()), Argmax())


class TestParallelChains(StrategyTests):
    """Revisions and parallel samples at a ratio of 2 to 3."""

    def strategy(self) -> Strategy:
        return BestOfN(3, LengthScore(), generator=Refine(2, LengthScore(), Argmax()))


def test_the_calls_of_a_chain_with_a_critic_are_counted() -> None:
    """1 + 2 * rounds, as published, where the last draft is the answer; a grounded critic saves what has passed."""
    backend = Counting(Scripted(lambda request: says(False) if "critique" in request.prompt.text else "a draft"))
    result = asyncio.run(solve("q", Refine(4, Critic(), "last"), generator=Model(backend)))
    assert result.paid.model_calls == backend.calls == 1 + 2 * 4
    assert (result.usage.generations, result.usage.verifications) == (5, 4)
