"""An agent's own calls in the engine: held and charged once whatever happens, stored with their attempt, resumed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, CallError, Function, Params, Prompt, Result, Run, Sample, Usage, search, solve
from searchkit.calls import Request
from searchkit.engine.position import Position
from searchkit.errors import AttemptEnded, BudgetExhausted
from searchkit.protocols import Generator
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting, Scripted, Shuffled
from searchkit.verifiers import Predicate

ONE = Usage(model_calls=1, prompt_tokens=3, generated_tokens=2)


@dataclass
class World:
    """What a server would see: who asked what with which seed, and how many calls are in flight."""

    seen: list[tuple[str, int]] = field(default_factory=list)
    told: list[int | None] = field(default_factory=list)
    in_flight: int = 0
    fails: int = 0
    closing: float = 0.0

    async def ask(
        self, run: Run, content: str, limit: int | None = 5, seconds: float = 0.0, again: bool = False
    ) -> str:
        async def perform(seed: int, most: int | None) -> Sample[str]:
            self.seen.append((content, seed))
            self.told.append(most)
            self.in_flight += 1
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                await asyncio.sleep(self.closing)
                raise
            finally:
                self.in_flight -= 1
            if self.fails:
                self.fails -= 1
                raise CallError("overloaded", kind="rate_limit")
            return Sample(f"{content}:{seed % 97}", usage=ONE)

        return (await run.relay("m", content, perform, limit=limit, again=again)).value


WORLD = World()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.__init__()  # type: ignore[misc]


@dataclass(frozen=True)
class Watched:
    """A strategy that keeps the run it was given: `solve` does not show ledgers."""

    strategy: Generator
    runs: list[Position] = field(default_factory=list)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        assert isinstance(run, Position)
        self.runs.append(run)
        return await self.strategy.generate(prompt, run, params=params)


def go(agent: Callable[..., Any], n: int = 2, **options: Any) -> Result[Any]:
    """`n` attempts of `agent`; afterwards nothing is held, and the trace has all that was charged."""
    watched = Watched(SelfConsistency(n, key=str))
    result = asyncio.run(solve("q", watched, generator=agent, **options))
    check(watched, result)
    return result


def check(watched: Watched, result: Result[Any]) -> None:
    [run] = watched.runs
    assert not any(run.ledger.held), run.ledger.held
    assert result.trace.total() == result.usage
    assert not result.overshoot


def rows(path: Path) -> list[tuple[bytes, str]]:
    db = sqlite3.connect(path)
    found = db.execute("SELECT key, outcome FROM call ORDER BY id").fetchall()
    db.close()
    return found


def without_attempts(path: Path, drop: int = 0) -> None:
    """The journal as a kill before any attempt ended would have left it; `drop`: without the last calls, too."""
    db = sqlite3.connect(path)
    db.execute("DELETE FROM call WHERE length(key) = 16")
    db.execute("DELETE FROM call WHERE id IN (SELECT id FROM call ORDER BY id DESC LIMIT ?)", (drop,))
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


# ---------------------------------------------------------------- a finished attempt


BACKEND = Counting(Shuffled(Scripted(lambda request: f"answer {request.seed % 89}")))


async def completing(text: str, run: Run) -> str:
    """Three at once through the run's own door, of which the last asked ends first."""
    asked = [
        run.complete(BACKEND, Request(Prompt.of(f"{text} {i}"), Params(max_tokens=4), run.seed + i, i))
        for i in range(3)
    ]
    return " ".join(sample.text for sample in await asyncio.gather(*asked))


async def relaying(text: str, run: Run) -> str:
    told = await asyncio.gather(*(WORLD.ask(run, f"{text} {i}", seconds=0.004 - 0.001 * i) for i in range(3)))
    return " ".join([*told, await WORLD.ask(run, " ".join(told))])


@pytest.mark.parametrize(("agent", "calls"), [(completing, 6), (relaying, 8)])
def test_a_finished_attempt_replays_with_all_that_it_contained(agent: Any, calls: int, tmp_path: Path) -> None:
    """Calls, tokens, spans and their order come back from the journal; nothing is paid or called again."""
    path = tmp_path / "run.db"
    before = BACKEND.calls
    first = go(agent, journal=path)
    made = BACKEND.calls - before + len(WORLD.seen)
    assert (made, first.usage.model_calls, first.usage.generations) == (calls, calls, 2)
    assert first.usage.generated_tokens == 2 * calls
    second = go(agent, journal=path)
    assert BACKEND.calls - before + len(WORLD.seen) == calls
    assert second.usage == first.usage
    assert second.paid == Usage(longest_context=second.paid.longest_context)
    assert second.answer == first.answer
    assert second.trace.canonical() == first.trace.canonical()
    inner = [span for span in second.trace.walk() if span.usage.model_calls]
    assert len(inner) == calls
    assert all(span.replayed for span in inner)
    assert go(agent, journal=path, budget=Budget(model_calls=calls, generations=2)).usage == first.usage


async def retrying(text: str, run: Run) -> str:
    """Asks again what failed, as the SDKs do."""
    for _ in range(4):
        try:
            return await WORLD.ask(run, text)
        except CallError:
            continue
    raise AssertionError("it failed too often")


def test_failed_and_repeated_calls_are_charged_once_and_stored_with_their_attempt(tmp_path: Path) -> None:
    """Two failures and an answer: three calls, one place and one seed; the journal gives back the same."""
    WORLD.fails = 2
    first = go(retrying, 1, journal=tmp_path / "run.db")
    assert (len(WORLD.seen), first.usage.model_calls, first.usage.generated_tokens) == (3, 3, 2)
    assert len(set(WORLD.seen)) == 1
    second = go(retrying, 1, journal=tmp_path / "run.db")
    assert (len(WORLD.seen), second.usage, second.paid.model_calls) == (3, first.usage, 0)
    assert second.trace.canonical() == first.trace.canonical()
    WORLD.seen.clear()
    whole = go(retrying, 1)
    assert len(WORLD.seen) == 1
    assert whole.trace.canonical() == first.trace.canonical()  # what failed before the answer is no part of it


async def mixing(text: str, run: Run) -> str:
    """Its own call is in flight while it draws through the run."""
    task = asyncio.create_task(WORLD.ask(run, text, seconds=0.003))
    [drawn] = await run.sample(Function(helper), Prompt.of("h"))
    return f"{await task} {drawn.text}"


def helper(text: str) -> str:
    return "helped"


def test_a_call_is_stored_whatever_else_its_agent_does_meanwhile(tmp_path: Path) -> None:
    """The attempt is not stored, because it drew samples; its own call is, and is answered when it runs again."""
    first = go(mixing, 1, journal=tmp_path / "run.db")
    second = go(mixing, 1, journal=tmp_path / "run.db")
    assert (len(WORLD.seen), second.usage, second.paid.model_calls) == (1, first.usage, 0)
    assert second.trace.canonical() == first.trace.canonical()
    assert second.diverged == 0


# ---------------------------------------------------------------- what an attempt costs for itself


async def reporting(text: str, run: Run) -> Sample[str]:
    """Says what it spent although the run has seen it."""
    return Sample(await WORLD.ask(run, text), usage=Usage(model_calls=1, prompt_tokens=3, generated_tokens=2))


async def failing_inside(text: str, run: Run) -> str:
    """The failure of a counted call ends the attempt."""
    failing = Scripted(_refuse)
    return (await run.complete(failing, Request(Prompt.of(text), Params(max_tokens=4), run.seed))).text


def _refuse(request: Request) -> str:
    raise CallError("no", kind="server", usage=ONE)


@search(SelfConsistency(2))
async def nested(text: str) -> str:
    return f"{text}!"


async def returning_its_search(text: str) -> Sample[str]:
    """What an inner search cost is charged to that, whatever the sample says that it came to."""
    return (await nested.detailed(text)).sample  # type: ignore[attr-defined, no-any-return]


async def agent_in_agent(text: str, run: Run) -> str:
    [sample] = await run.sample(Function(helper), Prompt.of(text))
    return sample.text


async def same_run(text: str, run: Run) -> str:
    """Another agent on the same run, between two calls of its own; all three ask the same."""
    first = await WORLD.ask(run, text)
    inner = await Function(retrying).generate(Prompt.of(text), run)
    return f"{first} {inner.text} {await WORLD.ask(run, text)}"


@pytest.mark.parametrize(
    ("agent", "calls", "tokens", "generations"),
    [
        (reporting, 2, 4, 2),
        (returning_its_search, 4, 0, 4),
        (agent_in_agent, 2, 0, 4),
        (same_run, 6, 12, 4),
    ],
)
def test_nothing_is_counted_twice(agent: Any, calls: int, tokens: int, generations: int) -> None:
    for budget in (Budget(), Budget(model_calls=calls, generated_tokens=1000)):
        WORLD.seen.clear()
        usage = go(agent, budget=budget).usage
        assert (usage.model_calls, usage.generated_tokens, usage.generations) == (calls, tokens, generations)
        assert len(set(WORLD.seen)) == len(WORLD.seen)


def test_a_failure_that_was_charged_inside_is_not_charged_again() -> None:
    watched = Watched(SelfConsistency(2, key=str))
    with pytest.raises(CallError):
        asyncio.run(solve("q", watched, generator=failing_inside))
    assert watched.runs[0].span.total().model_calls == 2
    assert watched.runs[0].span.total().prompt_tokens == 6


@pytest.mark.parametrize("kind", ["timeout", "connection", "malformed"])
def test_what_nobody_knows_is_charged_at_the_worst(kind: str) -> None:
    """A call that was sent and not answered may have cost all that it asked for; one that was never sent, nothing."""

    async def agent(text: str, run: Run) -> str:
        async def perform(seed: int, most: int | None) -> Sample[str]:
            raise CallError("lost", kind=kind)

        async def unsent(seed: int, most: int | None) -> Sample[str]:
            raise CallError("nobody there", kind="connection", usage=Usage())

        for one in (perform, unsent):
            with pytest.raises(CallError):
                await run.relay("m", text, one, limit=7)
        return "went on"

    usage = go(agent, 1).usage
    assert (usage.model_calls, usage.generated_tokens, usage.estimated_tokens) == (1, 7, 7)


# ---------------------------------------------------------------- budgets


async def unlimited(text: str, run: Run) -> str:
    return " ".join(await asyncio.gather(*(WORLD.ask(run, f"{text} {i}", None, 0.002) for i in range(3))))


def test_calls_without_a_limit_take_turns_on_what_is_left() -> None:
    """Three at once under a ceiling of 12 tokens: each is told what is left once the one before has ended."""
    result = go(unlimited, 1, budget=Budget(generated_tokens=12))
    assert WORLD.told == [12, 10, 8]
    assert result.usage.generated_tokens == 6
    assert result.stopped == "done"


def test_the_parameters_of_the_attempt_limit_its_calls() -> None:
    go(unlimited, 1, budget=Budget(generated_tokens=100), params=Params(max_tokens=9))
    assert WORLD.told == [9, 9, 9]
    WORLD.told.clear()
    go(unlimited, 1, params=Params(max_tokens=9))
    assert WORLD.told == [None] * 3  # no ceiling on tokens: sent as the agent wrote it


async def gathering(text: str, run: Run) -> str:
    """Four at once, each held at 5 tokens and costing 2."""
    asked = (WORLD.ask(run, f"{text} {i}", 5, 0.001 * ((i * 7 + run.index * 3) % 4)) for i in range(4))
    return " ".join(await asyncio.gather(*asked))


@pytest.mark.parametrize("others", range(3))
@pytest.mark.parametrize("closing", [0.0, 0.02])
def test_a_client_that_asks_again_takes_the_place_of_the_call_that_it_gave_up(others: int, closing: float) -> None:
    """Even before that call has ended: it has the same seed, whatever else asks the same meanwhile."""
    WORLD.closing = closing

    async def agent(text: str, run: Run) -> str:
        equal = [asyncio.create_task(WORLD.ask(run, "q", seconds=0.05)) for _ in range(others)]
        given_up = asyncio.create_task(WORLD.ask(run, "q", seconds=60))
        await asyncio.sleep(0.005)
        given_up.cancel()
        return "".join(await asyncio.gather(*equal, WORLD.ask(run, "q", again=True)))

    asyncio.run(solve("x", BestOfN(1, Predicate(bool)), generator=Function(agent)))
    seeds = [seed for _, seed in WORLD.seen]
    assert len(seeds) == others + 2
    assert seeds[-1] == seeds[-2]
    assert len(set(seeds)) == others + 1


def test_who_asks_again_what_never_arrived_waits_for_nobody() -> None:
    async def agent(text: str, run: Run) -> str:
        return await WORLD.ask(run, "q", again=True) + await WORLD.ask(run, "q", again=True)

    result = asyncio.run(solve("x", BestOfN(1, Predicate(bool)), generator=Function(agent)))
    assert result.usage.model_calls == len({seed for _, seed in WORLD.seen}) == 2


@pytest.mark.parametrize("ceiling", range(5, 61, 5))
def test_calls_at_once_wait_for_one_another_before_they_wait_for_leftovers(ceiling: int) -> None:
    """Whatever the ceiling: nothing is exceeded or left held, and what fits is done, although 20 tokens are asked."""
    budget, watched = Budget(generated_tokens=ceiling), Watched(SelfConsistency(3, key=str))
    try:
        result = asyncio.run(solve("q", watched, generator=gathering, budget=budget))
    except BudgetExhausted:
        assert ceiling < 3 * 11  # an attempt needs 3 times 2, and 5 for the last call
    else:
        check(watched, result)
    [run] = watched.runs
    assert not any(run.ledger.held)
    assert run.span.total().generated_tokens <= ceiling
    assert WORLD.in_flight == 0
    if ceiling >= 3 * 11:
        assert len(WORLD.seen) == 12


async def giving_up(text: str, run: Run) -> str:
    """Fails, as agents do whose SDK says that the server refused them."""
    try:
        return " ".join([await WORLD.ask(run, f"{text} {i}", seconds=0.001) for i in range(3)])
    except BudgetExhausted as error:
        raise RuntimeError("402") from error


def test_an_agent_that_fails_because_it_was_refused_is_out_of_budget() -> None:
    """Not a failed call: the search is stopped by its budget, with the answer of the attempt that had enough."""
    result = go(giving_up, 2, budget=Budget(generated_tokens=12))  # each needs 9 and uses 6
    assert (result.stopped, result.errors, len(result.candidates)) == ("budget", (), 1)
    assert result.usage.generated_tokens == 2 * len(WORLD.seen)
    with pytest.raises(BudgetExhausted, match="generated_tokens"):
        go(giving_up, 2, budget=Budget(generated_tokens=8))


def test_completions_at_once_wait_for_one_another_too() -> None:
    """Each attempt has 8 tokens for three calls that hold 4 and cost 2: the third waits until one of them ends."""
    for _ in range(5):
        result = go(completing, 2, budget=Budget(generated_tokens=16))
        assert (result.stopped, result.usage.model_calls, result.usage.generated_tokens) == ("done", 6, 12)


async def survivor(text: str, run: Run) -> str:
    """Makes do with what it has when it is refused."""
    said: list[str] = []
    try:
        while True:
            said.append(await WORLD.ask(run, f"{text} {len(said)}"))
    except BudgetExhausted:
        return " ".join(said)


def test_an_attempt_that_was_refused_is_not_stored_as_finished(tmp_path: Path) -> None:
    """Resumed it says again that the budget stopped it; with a larger one it goes on where it was."""
    path, budget = tmp_path / "run.db", Budget(model_calls=3)
    first = go(survivor, 1, journal=path, budget=budget)
    again = go(survivor, 1, journal=path, budget=budget)
    for result in (first, again):
        assert (result.stopped, result.usage.model_calls, result.diverged) == ("budget", 3, 0)
    assert again.trace.canonical() == first.trace.canonical()
    assert len(WORLD.seen) == 3
    more = go(survivor, 1, journal=path, budget=Budget(model_calls=5))
    assert (more.usage.model_calls, more.paid.model_calls, len(WORLD.seen)) == (5, 2, 5)
    less = go(survivor, 1, journal=path, budget=Budget(model_calls=2))
    assert (less.usage.model_calls, less.paid.model_calls, less.diverged) == (2, 0, 0)  # it was not let


async def content_with_less(text: str, run: Run) -> str:
    said: list[str] = []
    try:
        for number in range(4):
            request = Request(Prompt.of(f"{text} {number}"), Params(max_tokens=4), run.seed + number)
            said.append((await run.complete(BACKEND, request)).text)
    except BudgetExhausted:
        pass
    return " ".join(said)


def test_nor_is_one_whose_completion_was_refused(tmp_path: Path) -> None:
    path, before = tmp_path / "run.db", BACKEND.calls
    first, again, more = (
        go(content_with_less, 1, journal=path, budget=Budget(model_calls=calls)) for calls in (2, 2, 4)
    )
    assert again.trace.canonical() == first.trace.canonical()
    assert [result.paid.model_calls for result in (first, again, more)] == [2, 0, 2]
    assert (more.usage.model_calls, BACKEND.calls - before) == (4, 4)


# ---------------------------------------------------------------- the end of an attempt


@pytest.mark.parametrize("budget", [Budget(), Budget(generated_tokens=17, model_calls=9)])
def test_cancelled_in_every_state_nothing_is_left(budget: Budget) -> None:
    """Cancelled after any number of turns of the loop: nothing is in flight or held, and what was sent is charged."""

    async def cancelled(turns: int) -> bool:
        WORLD.__init__()  # type: ignore[misc]
        watched = Watched(SelfConsistency(2, key=str))
        task = asyncio.create_task(solve("q", watched, generator=gathering, budget=budget))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert WORLD.in_flight == 0
        for run in watched.runs:
            assert not any(run.ledger.held), run.ledger.held
            assert run.span.total().model_calls == len(WORLD.seen)
            assert all(span.status != "open" for span in run.span.walk() if span.kind == "call")
        return ended

    for turns in range(60):
        if asyncio.run(cancelled(turns)):
            return
    pytest.fail("it never ended by itself")


def test_cancelled_in_every_state_and_resumed(tmp_path: Path) -> None:
    """Whatever was stored by then is not asked again, and the end is that of a search that nobody cancelled."""
    whole = go(gathering)

    async def cancelled(path: Path, turns: int) -> bool:
        task = asyncio.create_task(solve("q", SelfConsistency(2, key=str), generator=gathering, journal=path))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        return ended

    for turns in range(60):
        path = tmp_path / f"{turns}.db"
        ended = asyncio.run(cancelled(path, turns))
        stored = sum(len(key) == 32 for key, _ in rows(path)) if path.exists() else 0
        WORLD.seen.clear()
        resumed = go(gathering, journal=path)
        assert resumed.trace.canonical() == whole.trace.canonical()
        assert (resumed.answer, resumed.usage) == (whole.answer, whole.usage)
        assert resumed.paid.model_calls == len(WORLD.seen) == 8 - stored
        if ended:
            return
    pytest.fail("it never ended by itself")


def test_what_an_agent_leaves_behind_ends_with_its_attempt() -> None:
    """A call in the middle is cancelled and charged; one that is made later is refused, and charges nobody."""
    late: list[type[BaseException]] = []

    async def agent(text: str, run: Run) -> str:
        async def lingering() -> None:
            try:
                await asyncio.sleep(0.01)
                await WORLD.ask(run, "late")
            except BaseException as error:
                late.append(type(error))

        keep.append(asyncio.create_task(WORLD.ask(run, "long", seconds=60)))
        keep.append(asyncio.create_task(lingering()))
        while not WORLD.seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return text

    keep: list[asyncio.Task[Any]] = []

    async def main() -> Result[Any]:
        result = await solve("q", Function(agent))
        await asyncio.wait(keep)
        return result

    result = asyncio.run(main())
    assert [content for content, _ in WORLD.seen] == ["long"]
    assert (result.usage.model_calls, result.usage.generated_tokens, result.usage.estimated_tokens) == (1, 5, 6)
    assert late == [AttemptEnded]
    assert isinstance(keep[0].exception(), AttemptEnded)


def test_a_completion_that_an_agent_leaves_behind_ends_with_its_attempt() -> None:
    """Cancelled and charged at its worst; nothing of it is in flight afterwards."""
    slow = Counting(Shuffled(Scripted(lambda request: "late"), most=600))

    async def agent(text: str, run: Run) -> str:
        request = Request(Prompt.of(text), Params(max_tokens=4), run.seed)
        keep.append(asyncio.create_task(run.complete(slow, request)))
        while not slow.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return text

    keep: list[asyncio.Task[Any]] = []

    async def main() -> Result[Any]:
        result = await solve("q", Function(agent))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert isinstance(keep[0].exception(), AttemptEnded)  # the call was cancelled, not the task
        return result

    result = asyncio.run(main())
    assert (slow.calls, slow.in_flight) == (1, 0)
    assert (result.usage.model_calls, result.usage.generated_tokens, result.usage.estimated_tokens) == (1, 4, 4)


def test_a_second_attempt_on_the_same_run_owes_the_first_nothing() -> None:
    """A wrapper that asks an agent twice, as after a failure: each is held and charged for itself."""

    @dataclass(frozen=True)
    class Twice:
        inner: Function

        async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
            await self.inner.generate(prompt, run, params=params)
            return await self.inner.generate(prompt, run, params=params)

    watched = Watched(SelfConsistency(2, key=str, generator=Twice(Function(relaying))))
    result = asyncio.run(solve("q", watched, budget=Budget(generations=4, model_calls=16)))
    check(watched, result)
    assert (result.usage.generations, result.usage.model_calls) == (4, len(WORLD.seen)) == (4, 16)


def test_a_deadline_ends_all_calls_of_an_attempt() -> None:
    """Six calls that would take a minute: the deadline ends them; nothing is held, each is charged once."""

    async def agent(text: str, run: Run) -> str:
        await asyncio.gather(*(WORLD.ask(run, f"{i}", seconds=60) for i in range(3)))
        return text

    watched = Watched(SelfConsistency(2, key=str))
    with pytest.raises(BudgetExhausted, match="seconds"):
        asyncio.run(solve("q", watched, generator=agent, budget=Budget(seconds=0.5, model_calls=20)))
    [run] = watched.runs
    assert not any(run.ledger.held)
    assert run.span.total().model_calls == len(WORLD.seen) == 6
    assert WORLD.in_flight == 0


# ---------------------------------------------------------------- resumed and asking otherwise

SAYS = ["same"]


async def fickle(text: str, run: Run) -> str:
    """Its second question depends on the world."""
    first = await WORLD.ask(run, text)
    return f"{first} {await WORLD.ask(run, SAYS[0])}"


def test_an_attempt_that_asks_otherwise_is_counted_and_its_calls_are_kept(tmp_path: Path) -> None:
    """Killed after its calls: asked the same it pays nothing; asked otherwise it pays for that, and says so."""
    path = tmp_path / "run.db"
    SAYS[0] = "same"
    whole = go(fickle, 3, journal=path)
    assert whole.diverged == 0
    without_attempts(path)
    kept = rows(path)
    assert len(kept) == 6
    same = go(fickle, 3, journal=path)
    assert (same.diverged, same.paid.model_calls, same.answer) == (0, 0, whole.answer)
    without_attempts(path)
    SAYS[0] = "otherwise"
    other = go(fickle, 3, journal=path)
    assert (other.diverged, other.paid.model_calls) == (3, 3)
    assert "3 resumed attempts asked otherwise than before" in other._repr_html_()
    assert kept == rows(path)[:6]
    without_attempts(path)
    SAYS[0] = "same"
    again = go(fickle, 3, journal=path)  # both ways are known now, and this one leaves the other out
    assert (again.diverged, again.paid.model_calls, again.answer) == (3, 0, whole.answer)


def test_two_calls_that_end_at_once_are_both_remembered(tmp_path: Path) -> None:
    """Eight calls whose rows are committed together: an agent that asks for seven of them has diverged."""

    async def many(text: str, run: Run) -> str:
        return " ".join(await asyncio.gather(*(WORLD.ask(run, f"{text} {i}") for i in range(8) if str(i) != SAYS[0])))

    agent, path = Function(many, name="many"), tmp_path / "run.db"
    for left_out, diverged in [("none", 0), *((str(i), 1) for i in range(8)), ("none", 0)]:
        SAYS[0] = left_out
        assert go(agent, 1, journal=path).diverged == diverged
        without_attempts(path)
    assert len(WORLD.seen) == 8


def test_a_part_of_what_was_asked_is_no_divergence(tmp_path: Path) -> None:
    """Killed in the middle: what is asked in addition was not yet asked."""
    path = tmp_path / "run.db"
    SAYS[0] = "same"
    whole = go(fickle, 3, journal=path)
    without_attempts(path, drop=4)
    resumed = go(fickle, 3, journal=path)
    assert (resumed.diverged, resumed.paid.model_calls, resumed.usage) == (0, 4, whole.usage)
    assert resumed.trace.canonical() == whole.trace.canonical()


def test_divergence_in_a_nested_search_counts_for_both(tmp_path: Path) -> None:
    """One outer attempt whose inner search has two diverged ones."""
    found: list[Result[Any]] = []
    inner = search(SelfConsistency(2, key=str), name="inner")(fickle)

    async def outer(text: str) -> str:
        found.append(await inner.detailed(text))  # type: ignore[call-arg]
        return str(found[-1].answer)

    agent, path = Function(outer, name="outer"), tmp_path / "run.db"
    SAYS[0] = "same"
    go(agent, 1, journal=path)
    without_attempts(path)
    SAYS[0] = "otherwise"
    result = go(agent, 1, journal=path)
    assert (result.diverged, found[-1].diverged) == (2, 2)


def test_attempts_that_nobody_took_do_not_count(tmp_path: Path) -> None:
    """The first passes; of what the others came to meanwhile nothing may depend."""
    path, strategy = tmp_path / "run.db", BestOfN(4, Predicate(bool), threshold=1.0, window=4)
    SAYS[0] = "same"
    asyncio.run(solve("q", SelfConsistency(4, key=str), generator=fickle, journal=path))
    asyncio.run(solve("q", strategy, generator=fickle, journal=path))
    without_attempts(path)
    SAYS[0] = "otherwise"
    result = asyncio.run(solve("q", strategy, generator=fickle, journal=path))
    assert len(result.candidates) == 1
    assert result.diverged == 1
