"""What is begun at once ends as a task of asyncio's own would: asyncio itself is the oracle."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from searchkit.engine.begin import begin, ended

VARIABLE = contextvars.ContextVar("variable", default=0)
Body = Callable[[list[Any]], Awaitable[Any]]


async def at_once(seen: list[Any]) -> Any:
    VARIABLE.set(VARIABLE.get() + 1)
    return VARIABLE.get()


async def waits(seen: list[Any]) -> Any:
    VARIABLE.set(VARIABLE.get() + 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    return VARIABLE.get()


async def fails_later(seen: list[Any]) -> Any:
    await asyncio.sleep(0.001)
    raise ValueError("late")


async def awaits_a_failure(seen: list[Any]) -> Any:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, future.set_exception, KeyError("k"))
    try:
        await future
    except KeyError:
        await asyncio.sleep(0)
        return "survived"


async def times_out(seen: list[Any]) -> Any:
    try:
        async with asyncio.timeout(0.002):
            await asyncio.sleep(5)
    except TimeoutError:
        return "late", getattr(asyncio.current_task(), "cancelling", int)()


async def times_out_in_anyio(seen: list[Any]) -> Any:
    with anyio.move_on_after(0.002) as scope:
        await anyio.sleep(5)
    return scope.cancelled_caught


async def is_late_at_once(seen: list[Any]) -> Any:
    with anyio.move_on_after(-1) as scope:
        await anyio.sleep(5)
    return scope.cancelled_caught


async def is_looked_at(seen: list[Any]) -> Any:
    task = asyncio.current_task()
    assert task is not None
    seen.append((task.done(), task.cancelled(), task.cancelling(), "pending" in repr(task)))
    await asyncio.sleep(0.001)


async def is_asked_for_its_coroutine(seen: list[Any]) -> Any:
    task: Any = asyncio.current_task()
    seen.append((task.get_coro().__name__, task.get_coro().cr_running))
    await asyncio.sleep(0)
    seen.append((task.get_coro().__name__, task in asyncio.all_tasks()))


async def is_named(seen: list[Any]) -> Any:
    task: Any = asyncio.current_task()
    task.set_name("mine")
    seen.append(task.get_name())
    await asyncio.sleep(0)
    seen.append(task.get_name())


async def fails_at_once(seen: list[Any]) -> Any:
    raise ValueError("at once")


async def groups(seen: list[Any]) -> Any:
    async def breaks() -> None:
        await asyncio.sleep(0.001)
        raise ValueError("inner")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(breaks())
            await asyncio.sleep(5)
    except* ValueError as error:
        seen += [str(one) for one in error.exceptions]


async def is_one_task(seen: list[Any]) -> Any:
    before = asyncio.current_task()
    await asyncio.sleep(0.001)
    return before is asyncio.current_task()


async def cancels_itself(seen: list[Any]) -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.cancel("mine")
    try:
        await asyncio.sleep(5)
    finally:
        seen.append("cleaned up")


async def cancels_itself_and_yields(seen: list[Any]) -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.cancel("mine")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        seen += [error.args, task.cancelling(), task.uncancel()]
        await asyncio.sleep(0.001)
        raise


async def cleans_up(seen: list[Any]) -> Any:
    async def inner() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.sleep(0.002)
            seen.append("inner")

    try:
        await asyncio.create_task(inner())
    except asyncio.CancelledError as error:
        seen.append(error.args)
        raise


async def swallows(seen: list[Any]) -> Any:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        await asyncio.sleep(0.001)
        return "kept going"


ENDING = [
    at_once,
    waits,
    fails_later,
    awaits_a_failure,
    times_out,
    times_out_in_anyio,
    groups,
    is_one_task,
    is_late_at_once,
]
ENDING += [is_looked_at, is_asked_for_its_coroutine, is_named]
CANCELLED = [cancels_itself, cancels_itself_and_yields, cleans_up, swallows, waits]


async def outcome(body: Body, eager: bool, cancel_after: float | None) -> tuple[Any, list[Any], int]:
    """What comes of `body`, what it has seen, and what it left in our context."""
    seen: list[Any] = []
    task: Any = begin(body(seen)) if eager else asyncio.create_task(body(seen))  # type: ignore[arg-type]
    if not isinstance(task, asyncio.Task):
        return task, seen, VARIABLE.get()
    if cancel_after is not None:
        if cancel_after:
            await asyncio.sleep(cancel_after)
        elif not eager:  # its first step runs in the next turn
            await asyncio.sleep(0)
        task.cancel("told")
    await ended(task)
    if task.cancelled():
        return "cancelled", seen, VARIABLE.get()
    return task.exception().__repr__() if task.exception() else task.result(), seen, VARIABLE.get()


@pytest.mark.parametrize("body", ENDING)
def test_it_ends_as_a_task_does(body: Body) -> None:
    """With the same value or error, and nothing left in the context of whoever began it."""
    assert asyncio.run(outcome(body, True, None)) == asyncio.run(outcome(body, False, None))


@pytest.mark.parametrize("body", CANCELLED)
@pytest.mark.parametrize("after", [0, 0.0005])
def test_it_is_cancelled_as_a_task_is(body: Body, after: float) -> None:
    """Also before its own first turn of the loop: what it waits for is cancelled, and waited for, with the message."""
    assert asyncio.run(outcome(body, True, after)) == asyncio.run(outcome(body, False, after))


def test_what_does_not_wait_takes_no_turn_of_the_loop() -> None:
    """The value itself comes back, and whoever began it is the current task again."""

    async def main() -> None:
        turned: list[int] = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        task = asyncio.current_task()
        assert begin(at_once([])) == 1
        assert asyncio.current_task() is task
        assert turned == []

    asyncio.run(main())


def test_a_task_that_somebody_keeps_is_done_when_it_has_ended() -> None:
    """Also if it never had to wait: it can be awaited, has its result, error or cancellation, and calls back."""

    async def is_kept(seen: list[Any]) -> int:
        seen.append(asyncio.current_task())
        return 7

    async def is_kept_and_fails(seen: list[Any]) -> int:
        seen.append(asyncio.current_task())
        raise ValueError("kept")

    async def calls_back(seen: list[Any]) -> int:
        task: Any = asyncio.current_task()
        task.add_done_callback(lambda done: seen.append(done.result()))
        return 8

    async def is_cancelled(seen: list[Any]) -> int:
        raise asyncio.CancelledError("mine")

    async def main() -> None:
        kept: list[Any] = []
        assert begin(is_kept(kept)) == 7
        assert kept[0].done()
        assert await kept[0] == 7
        with pytest.raises(ValueError, match="kept"):
            begin(is_kept_and_fails(kept))
        assert str(kept[1].exception()) == "kept"
        assert begin(calls_back(kept)) == 8
        await asyncio.sleep(0)
        assert kept[2:] == [8]
        task: Any = begin(is_cancelled(kept))
        assert task.cancelled()

    asyncio.run(main())


def test_an_error_at_once_is_raised_at_once() -> None:
    """As its task's result would be; whoever began it goes on as the current task."""

    async def main() -> None:
        task = asyncio.current_task()
        with pytest.raises(ValueError, match="at once"):
            begin(fails_at_once([]))
        assert asyncio.current_task() is task

    asyncio.run(main())
