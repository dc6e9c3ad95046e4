"""Wrapping agents: `@search` and `Function` on async and sync callables, factories, any return type, and the facade."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, CallError, ConfigError, Function, Prompt, Run, Sample, run_sync, search, solve, solve_sync
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.strategies import StrategyTests
from searchkit.types import Params
from searchkit.verifiers import Predicate


@dataclass(frozen=True)
class Flight:
    price: int
    to: str


def cheap(flight: Flight) -> float:
    return 1 - flight.price / 1000


PRICES = [700, 300, 500]


def test_an_async_function_keeps_its_contract() -> None:
    """Same arguments, still awaitable, same return type; `.detailed` gives the whole result."""

    @search(BestOfN(3, Predicate(cheap)))
    async def book(to: str, *, days: int = 3, index: int) -> Flight:
        """Book a flight."""
        await asyncio.sleep(0)
        return Flight(PRICES[index] + days, to)

    assert book.__name__ == "book"
    assert book.__doc__ == "Book a flight."
    assert asyncio.run(book("Oslo", days=7)) == Flight(307, "Oslo")  # type: ignore[call-arg]
    result = asyncio.run(book.detailed("Oslo"))  # type: ignore[call-arg]
    assert result.answer == Flight(303, "Oslo")
    assert [c.sample.value.price for c in result.candidates] == [703, 303, 503]
    assert result.usage.generations == 3


def test_a_sync_function_keeps_its_contract() -> None:
    """Called without await, from ordinary code; calls run in threads, side by side."""
    threads, all_here = set(), threading.Barrier(3)

    @search(BestOfN(3, Predicate(cheap)))
    def book(to: str, index: int) -> Flight:
        threads.add(threading.current_thread())
        all_here.wait(60)
        return Flight(PRICES[index], to)

    assert book("Rome") == Flight(300, "Rome")  # type: ignore[call-arg]
    assert len(threads) == 3
    assert threading.current_thread() not in threads
    assert book.detailed("Rome").usage.model_calls == 3  # type: ignore[call-arg]


def test_a_factory_makes_a_fresh_agent_for_every_sample() -> None:
    """An agent with state: each sample gets its own, so none sees another's memory."""

    class Agent:
        def __init__(self) -> None:
            self.memory: list[str] = []

        def __call__(self, question: str) -> int:
            self.memory.append(question)
            return len(self.memory)

    @search(SelfConsistency(5, key=str), factory=True)
    def ask() -> Any:
        return Agent()

    assert ask.detailed("what?").candidates[4].sample.value == 1  # type: ignore[call-arg]
    assert ask("what?") == 1  # type: ignore[call-arg]


def test_without_a_decorator_any_callable_is_a_generator() -> None:
    """A function, a lambda, a partial, a bound method, an object with an async `__call__`."""

    class Agent:
        async def __call__(self, text: str) -> str:
            return text.upper()

        def method(self, text: str) -> str:
            return text + "!"

    for agent, answer in (
        (lambda text: text * 2, "qq"),
        (functools.partial(lambda suffix, text: text + suffix, "-x"), "q-x"),
        (Agent(), "Q"),
        (Agent().method, "q!"),
    ):
        assert asyncio.run(solve("q", SelfConsistency(2, key=str), generator=agent)).answer == answer


def test_declared_names_are_supplied_and_given_ones_are_kept() -> None:
    """`seed`, `index`, `run` and `params` are passed to a callable that declares them; a caller's own value wins."""

    def agent(text: str, *, seed: int, index: int, run: Run, params: Params | None) -> tuple[Any, ...]:
        return seed, index, isinstance(run, Run), params

    result = asyncio.run(solve("q", SelfConsistency(3, key=str), generator=agent, params=Params(temperature=0.5)))
    values = [c.sample.value for c in result.candidates]
    assert len({v[0] for v in values}) == 3
    assert [v[1:] for v in values] == [(i, True, Params(temperature=0.5)) for i in range(3)]

    @search(SelfConsistency(2, key=str))
    async def given(seed: int) -> int:
        return seed

    assert asyncio.run(given(seed=7)) == 7


def test_a_prompt_annotation_gets_the_whole_prompt() -> None:
    def agent(prompt: Prompt) -> str:
        return prompt.messages[0].role

    assert asyncio.run(solve("q", Function(agent))).answer == "user"


def test_an_agent_that_returns_a_sample_reports_its_own_usage() -> None:
    """A `Sample` is passed through: tokens that the agent knows are counted."""
    from searchkit import Usage

    def agent(text: str) -> Sample[str]:
        return Sample("x", usage=Usage(model_calls=3, generated_tokens=42))

    usage = asyncio.run(solve("q", SelfConsistency(2), generator=agent)).usage
    assert (usage.model_calls, usage.generated_tokens, usage.generations) == (6, 84, 2)


@pytest.mark.parametrize("error", [ValueError("no seats"), SystemExit(3), StopIteration()])
def test_an_agent_that_raises_is_a_failed_call(error: BaseException) -> None:
    """One of three calls raises, even SystemExit: the others compete, the failure is named and charged."""

    def agent(text: str, index: int) -> str:
        if index == 1:
            raise error
        return "fine"

    result = asyncio.run(solve("q", SelfConsistency(3), generator=agent))
    assert result.answer == "fine"
    assert isinstance(result.errors[0], CallError)
    assert "agent raised" in str(result.errors[0])
    assert result.usage.model_calls == 3


def test_all_calls_failing_raises_the_first_failure() -> None:
    @search(SelfConsistency(2))
    async def broken(text: str) -> str:
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        asyncio.run(broken("q"))


def test_at_most_so_many_threads_run_at_once() -> None:
    """Sixteen sync calls with `threads=4`: four come in and are held there, a fifth does not; let go, none hangs."""
    running, most, calls, lock, gate = 0, 0, 0, threading.Lock(), threading.Event()

    def agent(text: str) -> str:
        nonlocal running, most, calls
        with lock:
            running, calls = running + 1, calls + 1
            most = max(most, running)
        gate.wait(60)
        with lock:
            running -= 1
        return "x"

    async def main() -> int:
        task = asyncio.create_task(solve("q", SelfConsistency(16), generator=Function(agent, threads=4)))
        while running < 4 and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # a fifth would come in now; however long this is, with four threads there is none
        held = running
        gate.set()
        await task
        return held

    assert asyncio.run(main()) == 4
    assert (most, calls) == (4, 16)


@pytest.mark.slow
def test_a_cancelled_thread_does_not_hold_up_the_search() -> None:
    """A sync agent that would block for a minute: the deadline passes, the fast answers come back at once.

    They take a millisecond; the deadline leaves a busy machine two seconds for them.
    """
    release = threading.Event()

    def agent(text: str, index: int) -> str:
        if index == 0:
            release.wait(60)
        return f"s{index}"

    result = asyncio.run(solve("q", SelfConsistency(3, key=str), generator=agent, budget=Budget(seconds=2.0)))
    release.set()
    assert result.answer in ("s1", "s2")
    assert result.stopped == "deadline"


def test_the_facade_works_inside_a_running_loop() -> None:
    """`solve_sync` and a wrapped sync function called from a coroutine of somebody else's loop, as in a notebook."""

    @search(SelfConsistency(2))
    def agent(text: str) -> str:
        return "inside"

    async def cell() -> tuple[str, Any]:
        return agent("q"), solve_sync("q", SelfConsistency(2), generator=lambda text: "also").answer

    assert asyncio.run(cell()) == ("inside", "also")


def test_the_facade_refuses_to_wait_for_itself() -> None:
    """Called inside searchkit's own loop it could only deadlock: a clear error instead."""

    async def agent(text: str) -> str:
        return str(solve_sync("q", SelfConsistency(1), generator=lambda t: "x").answer)

    with pytest.raises(ConfigError, match="await solve"):
        solve_sync("q", SelfConsistency(1), generator=agent)


def test_a_sync_agent_may_itself_run_a_search() -> None:
    """A search inside a sync agent inside a search: the inner one runs on the same facade from its thread."""

    def agent(text: str) -> str:
        return str(solve_sync("inner", SelfConsistency(2), generator=lambda t: t + "!").answer)

    assert solve_sync("q", SelfConsistency(2), generator=agent).answer == "inner!"


def test_run_sync_returns_and_raises_like_the_coroutine() -> None:
    async def double(x: int) -> int:
        return 2 * x

    async def fail() -> None:
        raise KeyError("x")

    assert run_sync(double(4)) == 8
    with pytest.raises(KeyError):
        run_sync(fail())


def test_mistakes_are_named() -> None:
    """Not a callable, no threads, a generator that returns something else than a Sample."""

    class Wrong:
        async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Any:
            return "a bare text"

    with pytest.raises(ConfigError, match="callable"):
        Function("name")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threads"):
        Function(print, threads=0)
    with pytest.raises(ConfigError, match="must return a Sample, not str"):
        asyncio.run(solve("q", SelfConsistency(2), generator=Wrong()))
    with pytest.raises(ConfigError, match="a strategy is needed"):
        asyncio.run(solve("q", "best-of-n"))  # type: ignore[arg-type]


def test_signatures_survive() -> None:
    """Editors and frameworks that read signatures see the original one."""

    @search(SelfConsistency(2))
    def agent(text: str, retries: int = 3) -> str:
        return text

    assert str(inspect.signature(agent)) == "(text: 'str', retries: 'int' = 3) -> 'str'"


NOTEBOOK = """
from searchkit import search, solve, solve_sync
from searchkit.strategies import SelfConsistency

@search(SelfConsistency(3))
def agent(question):
    return question.upper()

first = agent("sync in a cell")
second = (await solve("await in a cell", SelfConsistency(2), generator=str.upper)).answer
print(first, "|", second)
"""


def test_a_notebook_cell_runs() -> None:
    """The facade and top-level await in a real kernel, whose own loop is running."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0]["text"] == "SYNC IN A CELL | AWAIT IN A CELL\n"


class TestAgentsObeyTheLaws(StrategyTests):
    """Self-consistency keeps the laws when its generator is a nested strategy over a model."""

    def strategy(self) -> Any:
        return SelfConsistency(4, generator=SelfConsistency(2))
