"""Defects that a review found, each as the program that showed it."""

from __future__ import annotations

import asyncio
import enum
import gc
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Function,
    Journal,
    JournalError,
    Message,
    Model,
    Params,
    Problem,
    Prompt,
    Sample,
    SearchWarning,
    VerifierError,
    search,
    solve,
    solve_many,
    solve_sync,
)
from searchkit.calls import Request
from searchkit.generators import Retrying, Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.strategies import LengthScore
from searchkit.types import Image, Text, Usage, Verdict
from searchkit.verifiers import Predicate

ALWAYS = Model(Simulated({"a": 1.0}))


def echo(question: str) -> str:
    return f"answer to {question}"


def fine(value: Any) -> bool:
    return True


def test_a_journaled_agent_is_asked_again_for_another_question(tmp_path: Path) -> None:
    """Two questions on one journal: two answers, by `solve` and through the decorator."""
    for path, ask in (
        (tmp_path / "a.db", lambda q, j: solve_sync(q, BestOfN(2, Predicate(fine)), generator=echo, journal=j).answer),
        (tmp_path / "b.db", lambda q, j: search(BestOfN(2, Predicate(fine)), journal=j)(echo)(q)),
    ):
        assert [ask(q, path) for q in "xyx"] == ["answer to x", "answer to y", "answer to x"]


def has_cat(prompt: Prompt, value: str) -> bool:
    return any(isinstance(p, Image) and "cat" in p.url for m in prompt.messages for p in m.parts)


def test_a_journaled_verdict_is_not_reused_for_another_picture(tmp_path: Path) -> None:
    """Same text, another image: judged anew."""
    scores = []
    for animal in ("dog", "cat"):
        prompt = Prompt((Message("user", (Text("what is this?"), Image(f"https://pictures/{animal}.png"))),))
        result = solve_sync(prompt, BestOfN(1, Predicate(has_cat)), generator=ALWAYS, journal=tmp_path / "run.db")
        scores.append(result.candidates[0].score)
    assert scores == [0.0, 1.0]


@dataclass
class Checker:
    wanted: str

    def check(self, value: str) -> bool:
        return value == self.wanted

    def answer(self, question: str) -> str:
        return self.wanted


def test_methods_of_different_objects_are_not_taken_for_one_another(tmp_path: Path) -> None:
    """Predicates are told apart by what their objects look like; agents need names, and with names both are asked."""
    path = tmp_path / "run.db"
    verdicts = [
        solve_sync("q", BestOfN(1, Predicate(Checker(x).check)), generator=ALWAYS, journal=path).candidates[0].score
        for x in "ab"
    ]
    assert verdicts == [1.0, 0.0]
    with pytest.raises(ConfigError, match="name="):
        solve_sync("q", SelfConsistency(1), generator=Checker("a").answer, journal=path)
    answers = [
        solve_sync("q", SelfConsistency(1), generator=Function(Checker(x).answer, name=x), journal=path).answer
        for x in "ab"
    ]
    assert answers == ["a", "b"]


def quits(value: str) -> bool:
    sys.exit(3)


def interrupts(question: str) -> str:
    raise KeyboardInterrupt


def test_user_code_that_exits_does_not_take_the_loop_with_it() -> None:
    """A predicate that exits is a failed verification; an agent that interrupts reaches the caller; the loop lives."""
    with pytest.warns(SearchWarning, match="all verdicts failed .*SystemExit"):
        solve_sync("q", BestOfN(2, Predicate(quits)), generator=ALWAYS)
    with pytest.raises(KeyboardInterrupt):
        solve_sync("q", SelfConsistency(1), generator=interrupts)
    assert solve_sync("q", SelfConsistency(2), generator=ALWAYS).answer == "a"


def test_a_closed_journal_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.db") as journal:
        pass
    with pytest.raises(JournalError, match="closed"):
        solve_sync("q", SelfConsistency(1), generator=ALWAYS, journal=journal)


INTERRUPTED = """
from searchkit import Model, Problem, Prompt, run_sync, solve_many
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.testing.strategies import LengthScore

class Announced:
    # says so when it is asked for the last time before the signal
    name, calls = "announced", 0

    async def complete(self, requests):
        self.calls += 1
        if self.calls == CALL:
            print("now", flush=True)
        return await Simulated({"a": 1.0}, latency=LATENCY).complete(requests)

problems = [Problem(str(i), Prompt.of(str(i))) for i in range(60)]
model = Model(Announced())
outcomes = run_sync(solve_many(problems, BestOfN(3, LengthScore(), window=1), generator=model, concurrency=4))
print([o.unwrap().stopped for o in outcomes])
"""


@pytest.mark.parametrize(("latency", "call", "said"), [(0.1, 20, "done"), (60, 4, "[]")], ids=["0.1-done", "60-[]"])
@pytest.mark.slow
def test_ctrl_c_in_a_list_of_problems_returns_what_there_is(latency: float, call: int, said: str) -> None:
    """Interrupted half-way: the finished problems and the best of the others; of those without a candidate nothing.

    Four problems of three calls each at once: at the twentieth call four have finished.
    """
    script = INTERRUPTED.replace("LATENCY", str(latency)).replace("CALL:", f"{call}:")
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert said in out + err
    if said == "done":
        assert "cancelled" in out


@dataclass
class FailsFirst:
    """Every request's first attempt fails."""

    tried: set[int] = field(default_factory=set)
    name: str = "fails-first"

    async def complete(self, requests: list[Request]) -> list[Any]:
        if requests[0].seed not in self.tried:
            self.tried.add(requests[0].seed)
            return [CallError("no", kind="server", usage=Usage(model_calls=1))]
        return [Sample(f"a{requests[0].index}", usage=Usage(model_calls=1, generated_tokens=2))]


@pytest.mark.parametrize("budget", [Budget(), Budget(model_calls=5)])
def test_a_resumed_search_is_charged_for_the_retries_too(tmp_path: Path, budget: Budget) -> None:
    """Replayed calls cost what they cost, failed attempts included, so a budget ends the search at the same place."""
    strategy = BestOfN(3, LengthScore(), window=1)
    runs = [
        solve_sync("q", strategy, generator=Model(Retrying(FailsFirst(), base=0, cap=0)), budget=budget,
                   journal=tmp_path / "run.db")
        for _ in range(2)
    ]  # fmt: skip
    assert runs[0].usage.model_calls == runs[1].usage.model_calls == (5 if budget.model_calls else 6)
    assert [len(r.candidates) for r in runs] == ([2, 2] if budget.model_calls else [3, 3])
    assert {r.stopped for r in runs} == ({"budget"} if budget.model_calls else {"done"})


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("value", [Unprintable(), 10**6000], ids=["no repr", "too long"])
def test_values_that_cannot_be_shown_are_still_charged(value: Any) -> None:
    """An agent may return anything: it is a candidate, paid once, and nothing is left held."""
    result = solve_sync("q", BestOfN(3, Predicate(fine)), generator=lambda q: value, budget=Budget(model_calls=9))
    assert result.answer is value
    assert result.usage.model_calls == result.usage.verifications == 3


@dataclass(frozen=True)
class Returns(LengthScore):
    verdicts: Any = None

    async def verify(self, prompt: Any, samples: Any, run: Any) -> Any:
        return self.verdicts


@pytest.mark.parametrize(
    "verdicts",
    [[Verdict("high")], [Verdict(Fraction(1, 2))], [Verdict(step_scores=(float("nan"),))]],  # type: ignore[arg-type]
)
def test_whatever_a_verifier_says_is_a_verifier_error(verdicts: Any) -> None:
    """One sentence about the verifier, not a TypeError from inside; the sample is returned unscored, with a warning."""
    with pytest.warns(SearchWarning, match="all verdicts failed"):
        result = solve_sync("q", BestOfN(1, Returns(verdicts=verdicts)), generator=ALWAYS)
    assert result.answer == "a"
    assert isinstance(result.errors[0], VerifierError)


@pytest.mark.parametrize("verdicts", [None, 3, [0.5], [None], []])
def test_a_verifier_that_never_returns_verdicts_is_a_mistake(verdicts: Any) -> None:
    """Nothing was judged, and nothing ever will be: no answer pretends otherwise."""
    with pytest.raises(ConfigError, match="no sample was judged") as raised:
        solve_sync("q", BestOfN(1, Returns(verdicts=verdicts)), generator=ALWAYS)
    assert isinstance(raised.value.__cause__, VerifierError)


def test_a_budget_that_ends_the_scoring_is_said() -> None:
    """Five samples, three verifications: stopped by the budget, not done."""
    strategy = SelfConsistency(5, verifier=LengthScore())
    result = solve_sync("q", strategy, generator=ALWAYS, budget=Budget(verifications=3))
    assert result.stopped == "budget"
    assert sum(c.score is not None for c in result.candidates) == 3


def test_a_stray_cancellation_is_a_failure_of_its_item_alone() -> None:
    """An agent that raises CancelledError by itself: the other two answer, here and in a list of problems."""

    async def agent(question: str, index: int) -> str:
        if index == 1:
            raise asyncio.CancelledError
        return "ok"

    result = asyncio.run(solve("q", SelfConsistency(3), generator=agent))
    assert result.answer == "ok"
    assert len(result.errors) == 1
    problems = [Problem(str(i), Prompt.of("q")) for i in range(3)]
    outcomes = asyncio.run(solve_many(problems, SelfConsistency(3), generator=agent))
    assert [o.unwrap().answer for o in outcomes] == ["ok"] * 3


def test_an_object_with_an_async_call_stays_asynchronous() -> None:
    class Agent:
        async def __call__(self, text: str) -> str:
            return text.upper()

    wrapped: Any = search(SelfConsistency(2))(Agent())
    assert asyncio.run(wrapped("q")) == "Q"


def test_one_object_returned_twice_is_two_candidates() -> None:
    same = Sample("same")
    result = solve_sync("q", BestOfN(4, Predicate(fine)), generator=lambda q: same)
    assert len(result.candidates) == 4


def test_an_enumeration_is_not_stored_as_a_number(tmp_path: Path) -> None:
    """It would come back as another type: a codec is asked for."""

    class Colour(enum.IntEnum):
        RED = 1

    with pytest.raises(ConfigError, match="codec="):
        solve_sync("q", Function(lambda q: Colour.RED, name="colour"), journal=tmp_path / "run.db")


@pytest.mark.parametrize(
    "make",
    [
        lambda: BestOfN(3, LengthScore(), select=5),  # type: ignore[arg-type]
        lambda: BestOfN(2.5, LengthScore()),  # type: ignore[arg-type]
        lambda: BestOfN("4", LengthScore()),  # type: ignore[arg-type]
        lambda: SelfConsistency(3, stop=5),  # type: ignore[arg-type]
        lambda: asyncio.run(solve_many("a", SelfConsistency(2), generator=ALWAYS)),  # type: ignore[list-item]
    ],
)
def test_mistakes_are_refused_at_once(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_a_problem_may_have_any_id() -> None:
    """Even one that no file can hold."""
    assert solve_sync(Problem("\ud800", Prompt.of("q")), SelfConsistency(2), generator=ALWAYS).answer == "a"


def test_money_that_cancelled_children_had_is_not_spent_by_others() -> None:
    """Early stops inside early stops, all sharing seven verifications: the same result under all latencies."""
    from searchkit.testing import Shuffled

    inner = BestOfN(3, LengthScore(), threshold=0.5)
    answers = {"5": 0.3, "6": 0.25, "7": 0.25, "no answer": 0.2}
    for seed in range(12):
        found = set()
        for order in range(6):
            model = Model(Shuffled(Simulated(answers), order), Params(max_tokens=12))
            strategy = BestOfN(2, LengthScore(), generator=inner)
            result = solve_sync("q", strategy, generator=model, budget=Budget(verifications=7), seed=seed)
            found.add((result.answer, result.stopped, len(result.candidates)))
        assert len(found) == 1, (seed, found)


def test_a_mistake_that_every_problem_meets_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """One is raised; the loop does not print those of the other problems behind it."""

    def wrong(value: Any) -> Any:
        raise ConfigError("this verifier is not set up")

    with pytest.raises(ConfigError, match="not set up"):
        asyncio.run(solve_many([str(i) for i in range(8)], BestOfN(2, Predicate(wrong)), generator=Function(echo)))
    gc.collect()
    assert not caplog.records
