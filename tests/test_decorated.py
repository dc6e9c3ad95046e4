"""The contract of `@search`: bound methods, what is supplied and what never is, ceilings that cannot bind."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import subprocess
import sys
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import openai as official
import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Function,
    Model,
    Params,
    Prompt,
    Run,
    Sample,
    SearchWarning,
    Usage,
    search,
    solve_sync,
)  # fmt: skip
from searchkit.agents import Endpoint, Upstream
from searchkit.events import Began, Event, Over
from searchkit.generators import Cached, Limited, OpenAI, Price
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.server import Server
from searchkit.verifiers import Predicate

if TYPE_CHECKING:
    from searchkit import Run as Position

TWICE = SelfConsistency(2, key=str)


class Desk:
    """Methods of every kind, decorated."""

    def __init__(self, name: str) -> None:
        self.name = name

    @search(TWICE)
    def sign(self, text: str, *, mark: str = ".") -> str:
        """Sign a letter."""
        return f"{text}, {self.name}{mark}"

    @search(TWICE)
    async def sign_later(self, text: str) -> str:
        return f"{text}, {self.name}"

    @search(TWICE)
    @classmethod
    def of_class(cls, text: str) -> str:
        return f"{text}, {cls.__name__}"

    @search(TWICE)
    @staticmethod
    def static(text: str) -> str:
        return f"{text}!"

    @staticmethod
    @search(TWICE)
    def static_below(text: str) -> str:
        return f"{text}!"

    @classmethod
    @search(TWICE)
    def of_class_below(cls, text: str) -> str:
        return f"{text}, {cls.__name__}"

    @search(TWICE, factory=True)
    def clerk(self) -> Any:
        return lambda text: f"{text}, for {self.name}"


@search(TWICE)
def plain(text: str) -> str:
    """Say it."""
    return text


@search(TWICE)
async def plain_later(text: str) -> str:
    return text


def test_a_sync_method_is_bound() -> None:
    """Called and asked for details on an object; on the class it wants the object, as a function does."""
    desk = Desk("Ada")
    assert desk.sign("Yours", mark="!") == "Yours, Ada!"
    result = desk.sign.detailed("Yours")
    assert (result.answer, result.usage.generations) == ("Yours, Ada.", 2)
    assert Desk.sign(desk, "Yours") == Desk.sign.detailed(desk, "Yours").answer == "Yours, Ada."
    assert result.trace.name == "0"
    assert [s.text for s in result.trace.walk() if s.kind == "call"] == ["Yours, Ada."] * 2


def test_an_async_method_is_bound() -> None:
    desk = Desk("Ada")
    assert asyncio.run(desk.sign_later("Yours")) == "Yours, Ada"
    assert asyncio.run(desk.sign_later.detailed("Yours")).usage.generations == 2


def test_class_and_static_methods_are_bound() -> None:
    """From above in any Python; from below as far as Python binds what stands there."""
    for owner in (Desk, Desk("Ada")):
        for method, answer in ((owner.of_class, "a, Desk"), (owner.static, "a!"), (owner.static_below, "a!")):
            told: Any = method
            assert told("a") == told.detailed("a").answer == answer
        assert owner.of_class_below("a") == "a, Desk"
        if sys.version_info < (3, 13):  # later ones call what is below @classmethod without binding it
            below: Any = owner.of_class_below
            assert below.detailed("a").answer == "a, Desk"


def test_a_method_may_be_a_factory() -> None:
    clerk: Any = Desk("Ada").clerk
    assert clerk("a") == clerk.detailed("a").answer == "a, for Ada"


def test_it_looks_like_the_function() -> None:
    """Name, documentation, signature and module; a coroutine function is one, bound or not."""
    desk = Desk("Ada")
    assert (plain.__name__, plain.__doc__, plain.__module__) == ("plain", "Say it.", __name__)
    assert plain.__wrapped__("x") == "x"  # type: ignore[attr-defined]
    assert str(inspect.signature(desk.sign)) == "(text: 'str', *, mark: 'str' = '.') -> 'str'"
    assert str(inspect.signature(Desk.sign)).startswith("(self, text")
    assert str(inspect.signature(desk.of_class)) == "(text: 'str') -> 'str'"
    assert (desk.sign.__name__, desk.sign.__doc__) == ("sign", "Sign a letter.")
    for fn in (plain_later, plain_later.detailed, Desk.sign_later, desk.sign_later, desk.sign_later.detailed):
        assert inspect.iscoroutinefunction(fn)
        assert asyncio.iscoroutinefunction(fn)
    for fn in (plain, plain.detailed, Desk.sign, desk.sign, desk.static):
        assert not inspect.iscoroutinefunction(fn)
    assert "plain" in repr(plain)


def test_methods_compare_and_pickle_like_methods() -> None:
    """A function by its name, a bound method with its object; copies of functions are the function."""
    assert pickle.loads(pickle.dumps(plain)) is plain
    assert pickle.loads(pickle.dumps(Desk.sign)) is Desk.sign
    desk = Desk("Ada")
    again = pickle.loads(pickle.dumps(desk.sign))
    assert again("Yours") == "Yours, Ada."
    assert pickle.loads(pickle.dumps(Desk.of_class))("a") == "a, Desk"
    assert desk.sign == desk.sign
    assert desk.sign != Desk("Ada").sign
    assert desk.sign != desk.sign_later
    assert len({desk.sign, desk.sign, Desk("Eve").sign, plain}) == 3


@dataclass(frozen=True)
class Named:
    name: str

    @search(TWICE)
    def answer(self, text: str) -> str:
        MADE.append(text)
        return f"{text} {self.name}"


MADE: list[str] = []


def test_a_journal_tells_methods_by_their_objects(tmp_path: Path) -> None:
    """An object with a repr of its own names its answers; one with the default repr is refused before any call."""
    MADE.clear()
    search_named = search(TWICE, journal=tmp_path / "run.db")

    class Other(Desk):
        sign_it = search_named(Desk.sign.__wrapped__)  # type: ignore[attr-defined]

    Named.stored = search_named(Named.answer.__wrapped__)  # type: ignore[attr-defined]
    one, two = Named("a"), Named("b")
    for _ in range(2):
        assert [one.stored("x"), two.stored("x")] == ["x a", "x b"]  # type: ignore[attr-defined]
    assert MADE == ["x"] * 4
    with pytest.raises(ConfigError, match="repr"):
        Other("Ada").sign_it("Yours")


# ---------------------------------------------------------------- what is supplied


def supplied(fn: Any, **options: Any) -> Any:
    """What the first call of `fn` got, under a plain search for "q"."""
    return solve_sync("q", Function(fn), **options).answer


def test_annotations_ask_whatever_the_name() -> None:
    """`Run` and `Params`, alone, or None, in quotes, only for type checkers; before the prompt or after it."""

    def anywhere(first: Run, text: str, p: Params, *, r: Optional[Run], last: Run | None = None) -> Any:  # noqa: UP045
        return isinstance(first, Run), text, p.temperature, isinstance(r, Run), isinstance(last, Run)

    assert supplied(anywhere, params=Params(temperature=0.5)) == (True, "q", 0.5, True, True)

    def only_for_checkers(text: str, at: Position | None = None, *, by: Run = None) -> Any:  # type: ignore[assignment]
        return isinstance(by, Run)

    assert supplied(only_for_checkers)

    def whole(run: Run, prompt: Prompt, index: int) -> Any:
        return prompt.messages[0].role, index

    assert supplied(whole) == ("user", 0)


def test_names_ask_where_there_is_no_default() -> None:
    def bare(text, seed, *, index, run, params):  # type: ignore[no-untyped-def]
        return seed >= 0, index, isinstance(run, Run), params

    assert supplied(bare) == (True, 0, True, None)


def test_an_authors_value_is_never_replaced() -> None:
    """Defaults, partials, and parameters that only look like ours: **params, *run."""

    def defaults(text: str, seed: int = 7, index: int = 8, run: str = "r", params: Any = None) -> Any:
        return seed, index, run, params

    assert supplied(defaults, params=Params()) == (7, 8, "r", None)
    mine = object()

    def chosen(text: str, run: Any, seed: int, at: Run | None = None) -> Any:
        return run is mine, seed, at

    assert supplied(functools.partial(chosen, run=mine, seed=3, at=mine)) == (True, 3, mine)

    def others(text: str, *run: Any, **params: Any) -> Any:
        return run, params

    assert supplied(others) == ((), {})


def test_a_callers_value_is_never_replaced() -> None:
    """By name or by position; a run in the middle is passed over by what is no run."""

    @search(TWICE)
    def agent(total: int, run: Run | None = None, step: int = 1, *, seed: int) -> Any:
        return total, isinstance(run, Run), run, step, seed

    told: Any = agent
    assert told(3, seed=5)[:2] == (3, True)
    assert told(3, None, 4, seed=5) == (3, False, None, 4, 5)
    assert told(3, 4, seed=5)[3] == 4
    assert told(3, run=None, seed=5)[2] is None

    @search(TWICE)
    def named(seed: int, index: int) -> Any:
        return seed, index

    either: Any = named
    assert either(7) == (7, 0)
    assert either(7, 9) == (7, 9)
    assert either(index=9, seed=7) == (7, 9)


# ---------------------------------------------------------------- ceilings that cannot bind


@pytest.mark.parametrize("ceiling", ["generated_tokens", "total_tokens", "usd"])
def test_a_ceiling_that_cannot_bind_is_warned_about(ceiling: str) -> None:
    """One warning, that names ceiling, function and fix."""
    agent = search(TWICE, budget=Budget(**{ceiling: 5}))(lambda text: text)  # type: ignore[arg-type]
    with pytest.warns(SearchWarning, match=rf"Budget\({ceiling}=\.\.\.\) cannot bind.*run: Run") as caught:
        assert agent("q") == "q"
    assert len(caught) == 1
    with pytest.warns(SearchWarning):
        solve_sync("q", TWICE, generator=lambda text: text, budget=Budget(**{ceiling: 5}))  # type: ignore[arg-type]
    with pytest.warns(SearchWarning):
        solve_sync("q", SelfConsistency(2, generator=Function(str)), budget=Budget(**{ceiling: 5}))  # type: ignore[arg-type]


def test_a_warning_comes_once_it_is_known_that_nothing_was_seen() -> None:
    """After the calls: which HTTP client an agent uses shows in its first call."""
    calls: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SearchWarning):
            solve_sync("q", TWICE, generator=calls.append, budget=Budget(usd=1.0))
    assert len(calls) == TWICE.n


def test_ceilings_that_can_bind_are_not_warned_about() -> None:
    """A function that takes the run or returns a `Sample` can be metered, and other ceilings always bind."""

    def metered(text: str, at: Run) -> str:
        return text

    def reporting(text: str) -> Sample[str]:
        return Sample(text, usage=Usage(model_calls=1, generated_tokens=1))

    class Agent:
        def __call__(self, text: str, run: Run) -> str:
            return text

    class Opaque:
        def __call__(self, text: str) -> str:
            return text

    for agent in (metered, reporting, Agent(), Function(Agent, factory=True), Function(lambda: Opaque(), factory=True)):
        assert solve_sync("q", TWICE, generator=agent, budget=Budget(generated_tokens=50)).answer == "q"
    for agent in (Opaque(), Function(Opaque, factory=True)):
        with pytest.warns(SearchWarning):
            assert solve_sync("q", TWICE, generator=agent, budget=Budget(generated_tokens=50)).answer == "q"
    assert solve_sync("q", TWICE, generator=lambda text: text, budget=Budget(generations=5, seconds=60)).answer == "q"


def test_an_endpoint_that_nothing_came_through_is_warned_about() -> None:
    """Its agent may have been handed another one, and its calls went past the search."""

    def agent(text: str, endpoint: Endpoint | None = None) -> str:
        return text

    with pytest.warns(SearchWarning, match=r"Budget\(generated_tokens=\.\.\.\) cannot bind"):
        search(TWICE, budget=Budget(generated_tokens=50))(agent)("q", endpoint=Endpoint("http://h/v1", "http://h", "k"))


def test_an_endpoint_is_supplied_by_name_and_never_opened_where_one_was_given() -> None:
    def agent(text, endpoint):  # type: ignore[no-untyped-def]
        return endpoint if isinstance(endpoint, str) else endpoint.base_url[:7]

    either: Any = search(TWICE)(agent)
    assert either("q") == "http://"
    assert either("q", "mine") == either("q", endpoint="mine") == "mine"


@pytest.mark.parametrize("upstream", ["http://127.0.0.1:8000/v1", {"openai_url": "http://h/v1"}, None])
def test_an_upstream_of_another_kind_is_refused(upstream: Any) -> None:
    with pytest.raises(ConfigError, match=r"upstream= is an Upstream, such as Upstream\(openai_url=\.\.\.\), got"):
        search(TWICE, upstream=upstream)(lambda text: text)


# ---------------------------------------------------------------- money


def priced(**prices: Price) -> OpenAI:
    return OpenAI("http://127.0.0.1:9/v1", "m", prices=prices)


def test_a_ceiling_on_money_without_a_price_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    """Nothing listens there: with a price the search fails only at the call."""
    money = Budget(usd=1e-6)
    for source in (Model(priced()), Model(Limited(Cached(priced(other=Price(1, 1)), str(tmp_path / "unused.db"))))):
        with pytest.raises(ConfigError, match=r"'m' has no price; give its backend prices=\{'m': Price"):
            solve_sync("q", TWICE, generator=source, budget=money)
    with pytest.raises(CallError):
        solve_sync("q", TWICE, generator=Model(priced(m=Price(1, 1)), Params(max_tokens=1)), budget=money)


def test_a_ceiling_on_money_is_warned_about_where_the_calls_of_an_agent_have_no_price() -> None:
    with Server() as server:

        def agent(text: str, endpoint: Endpoint | None = None) -> str:
            assert endpoint
            with official.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as llm:
                said = llm.completions.create(model="test-model", prompt=text, max_tokens=3)
            return said.choices[0].text

        upstream = Upstream(openai_url=server.url, openai_key="k")
        with pytest.warns(SearchWarning, match=r"Budget\(usd=\.\.\.\) could not bind: nothing .* has a price"):
            search(TWICE, budget=Budget(usd=1e-6), upstream=upstream)(agent)("q")


# ---------------------------------------------------------------- Ctrl-C


def test_an_interrupted_call_raises_and_detailed_returns_what_there_is() -> None:
    """An answer alone cannot say that it was cut short."""
    interrupted = textwrap.dedent("""
        import os, signal, time
        from searchkit import search
        from searchkit.strategies import BestOfN
        from searchkit.verifiers import Predicate

        @search(BestOfN(8, Predicate(len, range=(0, 9)), window=1))
        def agent(text: str, index: int) -> str:
            if index == 2:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(30)
            return text

        result = agent.detailed("q")
        print(result.stopped, result.answer, len(result.candidates))
        try:
            print(agent("q"))
        except KeyboardInterrupt:
            print("interrupted")
    """)
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("cancelled q 2\ninterrupted\n", 0), done.stderr


def test_with_partial_a_call_under_a_time_limit_returns_the_best_so_far() -> None:
    """Without it the limit is all that comes of it; the listener is told of the end in both."""
    told, limits = list[Event](), list[asyncio.Timeout]()

    async def agent(text: str, index: int) -> str:
        if index >= 3:
            limits[-1].reschedule(asyncio.get_running_loop().time())
            await asyncio.sleep(60)
        return text * (index + 1)

    async def limited(call: Any) -> Any:
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            return await call

    strategy = BestOfN(8, Predicate(len, range=(0, 9)))
    plain, partial = (search(strategy, listen=told.append, partial=partial)(agent) for partial in (False, True))

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await limited(plain("q"))  # type: ignore[call-arg]
        assert await limited(partial("q")) == "qqq"  # type: ignore[call-arg]
        result = await limited(partial.detailed("q"))  # type: ignore[call-arg]
        assert (result.stopped, len(result.candidates)) == ("cancelled", 3)

    asyncio.run(main())
    assert [event.stopped for event in told if isinstance(event, Over)] == ["cancelled"] * 3


def test_the_listener_is_told_of_searches_of_its_own() -> None:
    """Of one that is a part of another search, who listens to that one is."""
    own, around = list[Event](), list[Event]()

    @search(TWICE, listen=own.append)
    def inner(text: str) -> str:
        return text

    @search(TWICE, listen=around.append)
    def outer(text: str) -> str:
        return inner(text)

    assert inner("q") == "q"
    alone = len(own)
    assert outer("q") == "q"
    assert len(own) == alone > 0
    assert {event.name for event in around if isinstance(event, Began) and event.kind == "search"} > {"inner"}
    with pytest.raises(ConfigError, match="listen"):
        search(TWICE, listen=3)  # type: ignore[arg-type]


def test_with_partial_an_interrupted_call_returns_the_best_so_far() -> None:
    """Ctrl-C, too: it was asked for."""
    interrupted = textwrap.dedent("""
        import os, signal, time
        from searchkit import search
        from searchkit.strategies import BestOfN
        from searchkit.verifiers import Predicate

        @search(BestOfN(8, Predicate(len, range=(0, 9)), window=1), partial=True)
        def agent(text: str, index: int) -> str:
            if index == 2:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(30)
            return text * (index + 1)

        print(agent("q"))
    """)
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("qq\n", 0), done.stderr
