"""Mistakes of callers and of authors: the sentence that each gets, through every door, and what was paid before it."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Function,
    Message,
    Model,
    Params,
    Problem,
    Prompt,
    Run,
    Sample,
    SearchWarning,
    Strategy,
    Verdict,
    VerifierError,
    search,
    solve,
    solve_many,
    solve_sync,
)
from searchkit.environments import TextSteps
from searchkit.protocols import Backend, Generator, Selector, Verifier
from searchkit.strategies import ABMCTS, MCTS, Argmax, BeamSearch, BestOfN, SelfConsistency
from searchkit.testing import Counting, Scripted
from searchkit.types import Choice, Scored
from searchkit.verifiers import AllOf, Exact, Predicate
from searchkit.verifiers.base import Independent

UNAWAITED = "ignore:coroutine .* was never awaited:RuntimeWarning"
PROMPT = Prompt.of("6 * 7")
USER = {"role": "user", "content": "6 * 7"}


def good(value: Any) -> bool:
    return value == "42"


GOOD = Predicate(good)


# ---------------------------------------------------------------- plug-ins with one mistake each


@dataclass(frozen=True)
class Returning(Strategy):
    """Draws a sample, has it judged if there is a verifier, and returns what `choose` makes of it."""

    choose: Callable[[Any], Any]
    verifier: Verifier | None = None

    async def search(self, prompt: Prompt, run: Run) -> Any:
        [sample] = await run.sample(None, prompt)
        if self.verifier is not None:
            return self.choose((await run.score(self.verifier, prompt, [sample]))[0])
        return self.choose(sample)


@dataclass(frozen=True)
class Doing(Strategy):
    """Does what `body` does."""

    body: Callable[[Prompt, Run], Any]

    async def search(self, prompt: Prompt, run: Run) -> Any:
        return await self.body(prompt, run)


class AtOnce(Strategy):
    """A strategy without `async`."""

    def search(self, prompt: Prompt, run: Run) -> Any:
        return Sample("42")


@dataclass(frozen=True)
class Own(Strategy):
    """A strategy of somebody else's, with a field of every kind and no check of its own."""

    verifier: Verifier = GOOD
    select: Selector = field(default_factory=Argmax)
    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Any:
        raise AssertionError("nothing is searched for")


@dataclass(frozen=True)
class Judging(Independent):
    """A verifier whose verdicts are what `answer` makes of the samples."""

    answer: Callable[[Any], Any]
    range: tuple[float, float] = (0.0, 1.0)

    @property
    def key(self) -> str:
        return "judging"

    async def verify(self, prompt: Prompt, samples: Any, run: Run) -> Any:
        return self.answer(samples)


class JudgingAtOnce(Judging):
    def verify(self, prompt: Prompt, samples: Any, run: Run) -> Any:  # type: ignore[override]
        return [Verdict(1.0) for _ in samples]


class Ranking(Judging):
    joint = True


class Unbound(Judging):
    def bind(self, problem: Problem) -> Any:
        """Without a return."""


@dataclass(frozen=True)
class Choosing:
    """A selector that returns what `answer` makes of the candidates."""

    answer: Callable[[Any], Any]

    async def select(self, prompt: Prompt, scored: Any, run: Run) -> Any:
        return self.answer(scored)


class Stepping(TextSteps):
    """An environment whose step is what `TextSteps` makes of it, not awaited."""

    async def step(self, state: Any, action: Any, run: Run) -> Any:
        return super().step(state, action, run)


class Valued(TextSteps):
    """An environment whose step is the state alone."""

    async def step(self, state: Any, action: Any, run: Run) -> Any:
        return (await super().step(state, action, run)).state


class Asking(TextSteps):
    """An environment whose prompt is a text."""

    def prompt(self, state: Any) -> Any:
        return "6 * 7"


async def later(value: Any) -> Any:
    return value


async def unawaited_draw(prompt: Prompt, run: Run) -> Any:
    samples: Any = run.sample(None, prompt, 2)
    return samples[0]


async def unawaited_judging(prompt: Prompt, run: Run) -> Any:
    drawn: Any = run.sample(None, prompt, 2)
    return (await run.score(GOOD, prompt, drawn))[0].sample


async def unawaited_item(prompt: Prompt, run: Run) -> Any:
    async def one(item: int, child: Run) -> Any:
        drawn: Any = child.sample(None, prompt)
        return drawn[0]

    return run.survivors(await run.map(one, range(3)))[0]


async def awaited_list(prompt: Prompt, run: Run) -> Any:
    survivors: Any = run.survivors([])
    return await survivors


def stepwise(environment: Any) -> Strategy:
    return BeamSearch(2, 1, GOOD, environment=environment, rounds=1)


def yielding(question: str) -> Any:
    yield "42"


async def yielding_async(question: str) -> Any:
    yield "42"


class Agent:
    def __call__(self, question: str) -> str:
        return "42"


# ---------------------------------------------------------------- the doors


@dataclass
class Paid:
    """Calls of the model and of the agent."""

    calls: int = 0

    def say(self, request: Any = None) -> str:
        self.calls += 1
        return "42"


def by_solve(paid: Paid, problem: Any = "6 * 7", strategy: Any = None, **options: Any) -> Any:
    options = {"generator": Model(Scripted(paid.say))} | options
    return solve_sync(problem, strategy or BestOfN(2, GOOD), **options)


def by_solve_many(paid: Paid, problem: Any = "6 * 7", strategy: Any = None, **options: Any) -> Any:
    options = {"generator": Model(Scripted(paid.say))} | options
    return asyncio.run(solve_many([problem], strategy or BestOfN(2, GOOD), **options))[0].unwrap()


def by_search(paid: Paid, strategy: Any = None, **options: Any) -> Any:
    @search(strategy or BestOfN(2, GOOD), **options)
    def agent(question: str) -> str:
        return paid.say()

    return agent("6 * 7")


DOORS = {"solve": by_solve, "solve_many": by_solve_many, "search": by_search}
NOT_THERE = {  # what cannot be said there: a decorated function is the generator, and its arguments are its own
    "solve": set[str](),
    "solve_many": set[str](),
    "search": {"problem", "generator", "params", "listen"},
}


@dataclass(frozen=True)
class Mistake:
    """kind: for counting. words: of the sentence, a pattern. option: what is wrong. make: its value, given a backend.

    paid: the calls of the model or of the decorated function before the mistake shows.
    """

    kind: str
    words: str
    option: str
    make: Callable[[Backend], Any]
    paid: int = 0


def strategy(kind: str, words: str, make: Callable[[Backend], Any], paid: int = 0) -> Mistake:
    return Mistake(kind, words, "strategy", make, paid)


def option(kind: str, words: str, **given: Any) -> Mistake:
    [(name, value)] = given.items()
    return Mistake(kind, words, name, lambda backend: value)


MISTAKES = [
    strategy("search returns no Sample", r"return scored\.sample", lambda b: Returning(Scored), 1),
    strategy("search returns no Sample", r"return scored\.sample", lambda b: Returning(lambda s: s, GOOD), 1),
    strategy("search returns no Sample", r"not str: .*Sample\(value\)", lambda b: Returning(lambda s: s.text), 1),
    strategy("search returns no Sample", r"not list: .*samples\[0\]", lambda b: Returning(lambda s: [s]), 1),
    strategy("search returns no Sample", "it ends without `return`", lambda b: Returning(lambda s: None), 1),
    strategy("search returns no Sample", "put `await` before", lambda b: Returning(later), 1),
    strategy("search is not async", "`async` is missing before `def`", lambda b: AtOnce()),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: BestOfN(2, good)),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: BestOfN(2, lambda value: 1.0)),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: SelfConsistency(2, verifier=good)),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: MCTS(good, environment=TextSteps())),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: ABMCTS(good)),
    strategy("no verifier", r"Predicate\(fn\)", lambda b: BestOfN(2, AllOf((good,)))),
    strategy("no verifier", r"verifier= of Own .*Predicate\(fn\)", lambda b: Own(good)),
    strategy("no verifier", r"verifier= of Own .*got None", lambda b: Own(None)),
    strategy("no verifier", r"verifier= of Own", lambda b: BestOfN(2, GOOD, generator=Own(good))),
    strategy("no verifier", r"run\.score needs a verifier.*Predicate\(fn\)",
             lambda b: Doing(lambda p, r: r.score(good, p, [Sample("42")]))),
    strategy("no verifier", "bind of Unbound must return", lambda b: BestOfN(2, Unbound(len))),
    strategy("wrong verdicts", "no sample was judged.*2 verdicts for 1 samples",
             lambda b: BestOfN(2, Judging(lambda s: [Verdict(1.0)] * 2)), 2),
    strategy("wrong verdicts", r"no sample was judged.*return a list of Verdict\(score\)",
             lambda b: BestOfN(2, Judging(lambda s: Verdict(1.0))), 2),
    strategy("wrong verdicts", r"no sample was judged.*returned None: return a list",
             lambda b: BestOfN(2, Judging(lambda s: None)), 2),
    strategy("wrong verdicts", r"no sample was judged.*returned 1\.0",
             lambda b: BestOfN(2, Judging(lambda s: [1.0])), 2),
    strategy("wrong verdicts", "no sample was judged.*`await`", lambda b: BestOfN(2, Judging(later)), 2),
    strategy("wrong verdicts", "no sample was judged.*async def verify", lambda b: BestOfN(2, JudgingAtOnce(len)), 2),
    strategy("wrong verdicts", "no sample was judged.*1 verdicts for 2 samples",
             lambda b: BestOfN(2, Ranking(lambda s: [Verdict(1.0)])), 2),
    strategy("forgotten await", "`await` is missing", lambda b: Doing(unawaited_draw)),
    strategy("forgotten await", "run.score .*not coroutine: put `await`", lambda b: Doing(unawaited_judging)),
    strategy("forgotten await", "`await` is missing", lambda b: Doing(unawaited_item)),
    strategy("forgotten await", "an `await` too many", lambda b: Doing(awaited_list)),
    strategy("forgotten await", "not coroutine: an `await` is missing", lambda b: stepwise(Stepping()), 2),
    strategy("forgotten await", "not coroutine: an `await` is missing",
             lambda b: BestOfN(2, GOOD, select=Choosing(lambda s: later(Choice(0)))), 2),
    strategy("no Choice", r"must return a Choice, not int: Choice\(index\)",
             lambda b: BestOfN(2, GOOD, select=Choosing(lambda s: 0)), 2),
    strategy("no Transition", r"must return a Transition", lambda b: stepwise(Valued()), 2),
    strategy("a text for a Prompt", r"run\.sample needs a Prompt, not str: .*Prompt\.of",
             lambda b: Doing(lambda p, r: r.sample(None, "6 * 7"))),
    strategy("a text for a Prompt", r"run\.score needs a Prompt, not str",
             lambda b: Doing(lambda p, r: r.score(GOOD, "6 * 7", [Sample("42")]))),
    strategy("a text for a Prompt", r"run\.sample needs a Prompt, not str", lambda b: stepwise(Asking())),
    strategy("no samples to judge", r"not Sample: pass \[sample\]",
             lambda b: Doing(lambda p, r: r.score(GOOD, p, Sample("42")))),
    strategy("no samples to judge", r"Scored: pass scored\.sample",
             lambda b: Doing(lambda p, r: r.score(GOOD, p, [Scored(Sample("42"))]))),
    Mistake("a backend for a Model", r"wrap it: Model\(backend\)", "generator", lambda b: b),
    strategy("a backend for a Model", r"wrap it: Model\(backend\)", lambda b: b),
    strategy("a backend for a Model", r"generator= of BestOfN .*wrap it: Model\(backend\)",
             lambda b: BestOfN(2, GOOD, generator=b)),
    strategy("a backend for a Model", r"run\.sample .*wrap it: Model\(backend\)",
             lambda b: Doing(lambda p, r: r.sample(b, p))),
    strategy("a callable for a generator", r"Function\(fn\)", lambda b: BestOfN(2, GOOD, generator=good)),
    strategy("a callable for a generator", r"Function\(fn\)", lambda b: ABMCTS(GOOD, generators=(good,))),
    strategy("a generator for a backend", "use it as it is", lambda b: Model(Model(b))),
    strategy("a class", r"an object and not its class: BestOfN\(\.\.\.\)", lambda b: BestOfN),
    strategy("a class", r"an object and not its class: Exact\(\.\.\.\)", lambda b: BestOfN(2, Exact)),
    strategy("a class", r"an object and not its class: Argmax\(\.\.\.\)", lambda b: BestOfN(2, GOOD, select=Argmax)),
    strategy("a class", r"an object and not its class: TextSteps\(\.\.\.\)", lambda b: stepwise(TextSteps)),
    strategy("a class", r"an object and not its class: Model\(\.\.\.\)", lambda b: BestOfN(2, GOOD, generator=Model)),
    strategy("a class", r"an object and not its class: Scripted\(\.\.\.\)", lambda b: Model(Scripted)),
    option("a class", r"is a class: pass an object", generator=Model),
    option("a class", r"is a class: pass an object of it, or Function\(Agent, factory=True\)", generator=Agent),
    option("no strategy", "a strategy is needed, such as BestOfN", strategy=8),
    option("no strategy", "a strategy is needed, such as BestOfN", strategy="best of n"),
    option("no budget", r"such as Budget\(generations=8\), got 10", budget=10),
    option("no budget", r"leave it out, or pass Budget\(\), got None", budget=None),
    Mistake("no budget", "a whole number", "budget", lambda b: Budget(generations="5")),  # type: ignore[arg-type]
    Mistake("no budget", "a whole number", "budget", lambda b: Budget(generations=True)),
    Mistake("no budget", "must be >= 0", "budget", lambda b: Budget(usd=math.nan)),
    Mistake("no budget", "a number", "budget", lambda b: Budget(seconds="3")),  # type: ignore[arg-type]
    option("no parameters", r"Params\(\*\*params\)", params={"temperature": 0.5}),
    option("no parameters", r"such as Params", params=0.5),
    Mistake("no parameters", "temperature must be a number, got 'hot'", "params", lambda b: Params(temperature="hot")),  # type: ignore[arg-type]
    Mistake("no parameters", "top_k must be a whole number, got '5'", "params", lambda b: Params(top_k="5")),  # type: ignore[arg-type]
    Mistake("no parameters", "max_tokens must be a whole number, got 2.5", "params", lambda b: Params(max_tokens=2.5)),  # type: ignore[arg-type]
    Mistake("no parameters", "temperature must be a finite number", "params", lambda b: Params(temperature=math.nan)),
    Mistake("no parameters", "stop is a text or a tuple", "params", lambda b: Params(stop=None)),  # type: ignore[arg-type]
    strategy("no parameters", r"Params\(\*\*params\)", lambda b: Model(b, {"temperature": 0.5})),  # type: ignore[arg-type]
    option("no seed", "seed= is a whole number, got 'abc'", seed="abc"),
    option("no seed", "seed= is a whole number, got None", seed=None),
    option("no journal", "journal= is the name of a file", journal=3),
    option("no prompt", "a prompt is a text, .*got None", problem=None),
    option("no prompt", "the prompt is empty", problem=""),
    option("no prompt", r"not bytes: pass it as \.decode\(\)", problem=b"6 * 7"),
    option("no prompt", "a prompt is a text, .*got 42", problem=42),
    Mistake("no prompt", r"Problem\(id, Prompt\.of\(text\)\)", "problem", lambda b: Problem("x", "6 * 7")),  # type: ignore[arg-type]
    option("no messages", r"pass \[messages?\]", problem=USER),
    option("no messages", 'message 1 has no role: give "role"', problem=[USER, {"content": "x"}]),
    option("no messages", "has the role 'robot': .*assistant", problem=[{"role": "robot", "content": "x"}]),
    option("no messages", "message 1: \"content\" is a text or a list", problem=[USER, {"role": "user", "content": 5}]),
    option("no messages", "message 0, part 1 is .*image_url", problem=[
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "audio"}]}]),
    option("no messages", "message 1 is a tool's answer", problem=[USER, {"role": "tool", "content": "5"}]),
    option("no messages", "message 0, tool call 0: \"arguments\" is JSON", problem=[{
        "role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}]),
    option("no messages", "message 0 has 'audio', which is not passed on", problem=[USER | {"audio": {"id": "a"}}]),
    option("no messages", "message 1 is 'x'", problem=[USER, "x"]),
    option("it yields", "refused: it yields", generator=yielding),
    option("it yields", "refused: it yields", generator=yielding_async),
    strategy("it yields", "refused: it yields", lambda b: BestOfN(2, GOOD, generator=Function(yielding))),
    option("it yields", "returned a generator", generator=lambda question: iter(yielding(question))),
    option("no callback", "listen= is a function", listen="print"),
]  # fmt: skip


def cases() -> Any:
    """Every mistake through every door through which it can be made."""
    for number, mistake in enumerate(MISTAKES):
        for door in DOORS:
            if mistake.option not in NOT_THERE[door]:
                yield pytest.param(mistake, door, id=f"{number}-{mistake.kind}-{door}".replace(" ", "_"))


@pytest.mark.filterwarnings(UNAWAITED)
@pytest.mark.parametrize(("mistake", "door"), list(cases()))
def test_a_mistake_gets_one_sentence_before_anything_is_paid(mistake: Mistake, door: str) -> None:
    """One `ConfigError` of one line that names the fix; nothing was paid where the arguments show it."""
    paid = Paid()
    with pytest.raises(ConfigError, match=mistake.words) as raised:
        DOORS[door](paid, **{mistake.option: mistake.make(Scripted(paid.say))})
    assert "\n" not in str(raised.value)
    assert paid.calls == mistake.paid
    if mistake.kind == "forgotten await":  # Python complains when it drops the coroutine: let that be now, not later
        del raised
        gc.collect()


def test_there_are_enough_of_them() -> None:
    """At least thirty mistakes of at least twelve kinds, and most of them cost nothing."""
    assert len(MISTAKES) >= 30
    assert len({mistake.kind for mistake in MISTAKES}) >= 12
    assert sum(mistake.paid == 0 for mistake in MISTAKES) > len(MISTAKES) / 2


# ---------------------------------------------------------------- mistakes of one door alone


@pytest.mark.parametrize("fn", [yielding, yielding_async])
def test_a_decorated_function_that_yields_is_refused_at_once(fn: Any) -> None:
    """Where it is decorated, not where it is called."""
    with pytest.raises(ConfigError, match=r"yielding.* is refused: it yields"):
        search(BestOfN(2, GOOD))(fn)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"budget": 10}, "budget= is a Budget"), ({"seed": "abc"}, "seed="), ({"strategy": BestOfN}, "not its class")],
)
def test_the_arguments_of_the_decorator_are_refused_at_once(options: Any, words: str) -> None:
    """Before there is a function to decorate."""
    with pytest.raises(ConfigError, match=words):
        search(**{"strategy": BestOfN(2, GOOD)} | options)


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        ([USER, USER], r"one conversation: pass \[messages\]"),
        ([Message("user", ()), Message("user", ())], "one conversation"),
        ("6 * 7", r"pass \[problem\]"),
        (PROMPT, r"pass \[problem\]"),
        (Problem("x", PROMPT), r"pass \[problem\]"),
        (None, "a list of problems"),
        ([None], "a prompt is a text"),
        ([Problem("1", PROMPT), "6 * 7"], "the same id"),
    ],
)
def test_solve_many_needs_a_list_of_problems(problems: Any, words: str) -> None:
    """A flat conversation and a single problem are refused; so is a given id that is another one's place."""
    paid = Paid()
    with pytest.raises(ConfigError, match=words):
        asyncio.run(solve_many(problems, BestOfN(2, GOOD), generator=Model(Scripted(paid.say))))
    assert paid.calls == 0


def test_a_misspelled_keyword_stays_a_type_error() -> None:
    """Python says which one, better than we could."""
    with pytest.raises(TypeError, match="bugdet"):
        asyncio.run(solve("x", BestOfN(2, GOOD), bugdet=Budget()))  # type: ignore[call-arg]


# ---------------------------------------------------------------- conversations as dictionaries

CALL = {"id": "c1", "type": "function", "function": {"name": "times", "arguments": "{}"}}
TEXT = {"type": "text", "text": "What?"}
TALK = [
    {"role": "system", "content": "Be brief.", "refusal": None},
    {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": "data:x"}}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "name": "times", "content": "42"},
]  # fmt: skip


def test_dictionaries_of_openai_are_a_conversation() -> None:
    """Texts, images, calls and their answers; read back from what we send to a server, it is the same."""
    from searchkit.wire.chat import turns

    prompt = Prompt.of(TALK)
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "tool"]
    assert prompt.text == "Be brief.\nWhat?\n\n42"
    sent = [turns.message(message) for message in prompt.messages]
    assert Prompt.of(sent) != prompt  # "" is sent where nothing was
    assert [turns.message(message) for message in Prompt.of(sent).messages] == sent


def test_a_list_of_dictionaries_is_a_prompt_for_solve() -> None:
    """The model is shown the conversation."""
    seen: list[Prompt] = []

    def reply(request: Any) -> str:
        seen.append(request.prompt)
        return "42"

    assert solve_sync(TALK, BestOfN(1, GOOD), generator=Model(Scripted(reply))).answer == "42"
    assert seen == [Prompt.of(TALK)]


def test_a_conversation_as_only_argument_is_what_a_verifier_sees() -> None:
    """Under `@search`; rows that only look like one are shown as the call."""
    seen: list[str] = []

    def judge(prompt: Prompt, value: Any) -> bool:
        seen.append(prompt.text)
        return True

    @search(BestOfN(1, Predicate(judge)))
    def agent(messages: list[dict[str, Any]]) -> str:
        return str(len(messages))

    assert agent([USER, USER]) == "2"
    assert agent([{"role": "admin", "content": "x"}]) == "1"
    assert seen == ["6 * 7\n6 * 7", "agent([{'role': 'admin', 'content': 'x'}])"]


def test_solve_many_numbers_what_has_no_id() -> None:
    """Texts, conversations and prompts get their place as id, so that their seeds differ."""
    counted = Counting(Scripted(lambda request: request.prompt.text))
    problems = ["a", [USER], PROMPT, Problem("x", Prompt.of("b"))]
    outcomes = asyncio.run(solve_many(problems, BestOfN(1, Predicate(bool)), generator=Model(counted)))  # type: ignore[arg-type]
    assert [outcome.unwrap().trace.name for outcome in outcomes] == ["0", "1", "2", "x"]
    assert len(set(counted.seeds)) == 4


# ---------------------------------------------------------------- what was survived is said


def failing(first: int, words: str = "no answer") -> Callable[[Any], str]:
    """An agent whose first calls fail."""
    calls = 0

    def agent(question: Any) -> str:
        nonlocal calls
        calls += 1
        if calls <= first:
            raise ValueError(f"{words} {calls}")
        return "42"

    return agent


@pytest.mark.parametrize(("failed", "warned"), [(0, False), (2, False), (3, True)])
def test_more_than_half_of_the_attempts(failed: int, warned: bool) -> None:
    """Of four: two failures are survived in silence, three are said, once, with the first error."""
    one = BestOfN(4, GOOD, window=1)
    if not warned:
        assert solve_sync("x", one, generator=failing(failed)).answer == "42"
        return
    with pytest.warns(SearchWarning, match="3 of 4 attempts failed, the first with CallError: .*no answer 1") as said:
        assert solve_sync("x", one, generator=failing(failed)).answer == "42"
    assert len(said) == 1


def test_a_budget_that_ends_is_no_failure() -> None:
    """What was never tried did not fail."""
    result = solve_sync("x", BestOfN(9, GOOD), generator=failing(0), budget=Budget(generations=2))
    assert result.stopped == "budget"


def test_what_an_agent_asks_inside_its_call_is_one_attempt_with_it() -> None:
    """Three of four calls fail, each after a good call of a model: three of four attempts, not three of eight."""
    model, calls = Model(Scripted(lambda request: "42")), 0

    async def agent(question: str, run: Run) -> str:
        nonlocal calls
        calls += 1
        failed = calls <= 3
        [sample] = await run.sample(model, Prompt.of(question))
        if failed:
            raise ValueError("after all")
        return sample.text

    with pytest.warns(SearchWarning, match="3 of 4 attempts failed"):
        assert solve_sync("x", BestOfN(4, GOOD, window=1), generator=agent).usage.generations == 8


@pytest.mark.parametrize("joint", [False, True])
def test_all_verdicts_that_failed(joint: bool) -> None:
    """An answer that nobody judged is returned with a warning; if one was judged, nothing is said."""

    def broken(samples: Any) -> Any:
        raise KeyError("no model")

    class Joint(Judging):
        @property
        def joint(self) -> bool:  # type: ignore[override]
            return joint

    model = Model(Scripted(lambda request: "42"))
    with pytest.warns(SearchWarning, match=r"all verdicts failed \(2\), .*VerifierError: .*no model") as said:
        result = solve_sync("x", BestOfN(2, Joint(broken)), generator=model)
    assert (result.answer, len(said)) == ("42", 1)
    assert isinstance(result.errors[0], VerifierError)


def test_a_wrong_verdict_among_others_is_survived() -> None:
    """One of two is no verdict at all: it is recorded, and the other one chosen."""
    texts = iter(["41", "42"])
    model = Model(Scripted(lambda request: next(texts)))
    half = Judging(lambda samples: [Verdict(1.0)] if samples[0].value == "42" else None)
    result = solve_sync("x", BestOfN(2, half), generator=model)
    assert result.answer == "42"
    assert [error.mistake for error in result.errors if isinstance(error, VerifierError)] == [True]


# ---------------------------------------------------------------- nothing was survived


def test_under_search_the_first_error_itself_is_raised() -> None:
    """The very object, so that `except ValueError` around the call works as it did without the search."""
    raised = [ValueError("first"), KeyError("second")]
    waiting = list(raised)

    @search(BestOfN(2, GOOD, window=1))
    def agent(question: str) -> str:
        raise waiting.pop(0)

    with pytest.raises(ValueError, match="first") as caught:
        agent("x")
    assert caught.value is raised[0]
    assert caught.value.__context__ is None


def test_under_search_an_error_of_ours_is_not_unwrapped() -> None:
    """A model that fails inside a function: the `CallError` is what the function raised."""
    failure = CallError("busy", kind="server")
    failure.__cause__ = OSError("socket")

    def reply(request: Any) -> str:
        raise failure

    @search(BestOfN(1, GOOD))
    async def agent(question: str, run: Run) -> str:
        return (await run.sample(Model(Scripted(reply)), Prompt.of(question)))[0].text

    with pytest.raises(CallError) as caught:
        asyncio.run(agent("x"))  # type: ignore[call-arg]
    assert caught.value is failure


def test_under_search_a_constant_of_the_strategy_is_no_answer() -> None:
    """A strategy that goes on without a sample: the function never succeeded, so its error is raised."""

    async def body(prompt: Prompt, run: Run) -> Any:
        await run.map(lambda item, child: child.sample(None, prompt), range(2))
        return Sample("made up")

    @search(Doing(body))
    def agent(question: str) -> str:
        raise ValueError("never")

    with pytest.warns(SearchWarning, match="2 of 2 attempts failed"), pytest.raises(ValueError, match="never"):
        agent("x")


def test_solve_raises_as_before() -> None:
    """A `CallError` from what the callable raised."""
    with pytest.raises(CallError, match="no answer 1") as caught:
        solve_sync("x", BestOfN(2, GOOD, window=1), generator=failing(2))
    assert isinstance(caught.value.__cause__, ValueError)


# ---------------------------------------------------------------- callables that want what nobody supplies


class Agent:
    def __call__(self, text: str, context: str) -> str:
        return text


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (lambda t, i: t, "i"),
        (lambda text, idx, run: text, "idx"),
        (lambda text, index, extra: text, "extra"),
        (lambda text, *, style: text, "style"),
        (Function(lambda text, style, tone: text, kwargs={"tone": "dry"}), "style"),
        (Function(Agent, factory=True), "context"),
        (Agent(), "context"),
    ],
)
def test_a_parameter_that_nobody_supplies_is_named(agent: Any, name: str) -> None:
    """With the names of what is supplied."""
    with pytest.raises(
        ConfigError, match=rf"has the parameter '{name}', .* names seed, index, run, params and endpoint"
    ):
        solve_sync("q", BestOfN(1, GOOD), generator=agent)


@pytest.mark.parametrize(
    "agent",
    [
        lambda t, i=0: "42",
        lambda t, *rest: "42",
        lambda t, **rest: "42",
        lambda text, index, seed, run, params: "42",
        lambda t=None: "42",
    ],
)
def test_what_is_supplied_is_not_refused(agent: Any) -> None:
    """Defaults, rests, and what the search has."""
    assert solve_sync("q", BestOfN(1, GOOD), generator=agent).answer == "42"
    assert solve_sync("q", BestOfN(1, GOOD), generator=Function(lambda t, i: "42", kwargs={"i": 1})).answer == "42"
