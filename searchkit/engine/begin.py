"""How a concurrent item starts, so that what never has to wait takes no turn of the event loop.

A task usually starts in the loop's next turn. One that is begun here runs at once, up to where it first has to wait, as
a task of its own all the same: it has its own context, and is the current task meanwhile. Python 3.12 can do that by
itself. For Python 3.11, which gets no more changes, it is done by hand, and most of what makes a task is left out as
long as nobody asks for it: an item that never waits costs a third.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from searchkit.calls import CallError

T = TypeVar("T")
ALONE = 2  # references to an object that nobody else has: a local name, and the argument of `getrefcount`


def _natively(work: Coroutine[Any, Any, T]) -> T | asyncio.Task[T]:
    task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)  # type: ignore[call-arg, unused-ignore]
    return task.result() if task.done() and not task.cancelled() else task


class _Begun(Coroutine[Any, Any, Any]):
    """A coroutine whose first step was taken: the first `send` gives what came of that, or raises it."""

    __slots__ = ("_came", "_later", "_raised", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._came: Any = self  # what it waits for after its first step; itself once somebody was told
        self._raised: BaseException | None = None
        self._later: tuple[Any, ...] = ()  # what is thrown in the loop's next turn

    def stands(self, came: Any, raised: BaseException | None) -> None:
        self._came, self._raised = came, raised

    def __await__(self) -> Any:
        raise RuntimeError("it belongs to its task")

    def send(self, value: Any) -> Any:
        if self._raised is not None:
            raise self._raised
        if self._later:
            return self.throw(*self._later)
        if self._came is self:
            return self._work.send(value)
        came, self._came = self._came, self
        return came

    def throw(self, *error: Any) -> Any:
        """What cancels a task in its first step cancels what it waits for then, or comes in its next turn."""
        came, self._came, self._later = self._came, self, ()
        if came is None and self._raised is None:
            self._later = error
            return None
        if self._raised is None and isinstance(came, asyncio.Future):
            first = error[0] if isinstance(error[0], BaseException) else error[1] if len(error) > 1 else None
            if came.cancel(*(first.args[:1] if first is not None else ())):
                return came
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()


class _Item(asyncio.Task[T]):
    """A task that is set up once somebody asks for more than whether it is done, or once it has to wait."""

    __slots__ = ("_begun", "_context", "_step", "_work")
    _begun: _Begun | None
    _context: contextvars.Context
    _step: asyncio.Handle
    _work: Coroutine[Any, Any, T]

    def set_up(self) -> _Begun:
        if self._begun is None:
            self._begun = _Begun(self._work)
            loop = asyncio.get_running_loop()
            super().__init__(self._begun, loop=loop, context=self._context)
            self._step = loop._ready.pop()  # type: ignore[attr-defined]  # its first step, which has begun
        return self._begun

    def get_coro(self) -> Any:  # never by the base class before it is set up: that crashes the interpreter
        return self._work


def _after_set_up(name: str) -> Any:
    inherited = getattr(asyncio.Task, name)

    def method(self: _Item[Any], *args: Any, **named: Any) -> Any:
        self.set_up()
        return inherited(self, *args, **named)

    return method


for _name in (
    "__await__", "__iter__", "__repr__", "add_done_callback", "cancel", "exception", "get_loop", "get_name",
    "get_stack", "print_stack", "remove_done_callback", "result", "set_name",
):  # fmt: skip
    setattr(_Item, _name, _after_set_up(_name))


def _by_hand(work: Coroutine[Any, Any, T]) -> T | asyncio.Task[T]:
    """The same in Python 3.11. A loop of another make lets nobody at its queue: there it starts in the next turn."""
    loop = asyncio.get_running_loop()
    around = asyncio.current_task(loop)
    if around is None or not hasattr(loop, "_ready"):
        return asyncio.Task(work, loop=loop)
    item: _Item[T] = _Item.__new__(_Item)
    item._work, item._begun, item._context = work, None, contextvars.copy_context()
    came: Any = None
    raised: BaseException | None = None
    over = False
    asyncio.tasks._leave_task(loop, around)
    asyncio.tasks._enter_task(loop, item)
    try:
        came = item._context.run(work.send, None)
    except StopIteration as end:  # not kept: its traceback knows this frame
        came, over = end.value, True
    except BaseException as error:
        raised = error
    finally:
        asyncio.tasks._leave_task(loop, item)
        asyncio.tasks._enter_task(loop, around)
    if over and item._begun is None and sys.getrefcount(item) == ALONE:
        return came  # type: ignore[no-any-return]
    item.set_up().stands(came, StopIteration(came) if over else raised)
    raised = None
    asyncio.tasks._leave_task(loop, around)
    try:
        item._step._run()
    finally:
        asyncio.tasks._enter_task(loop, around)
    return item.result() if item.done() and not item.cancelled() else item


begin: Callable[[Coroutine[Any, Any, T]], T | asyncio.Task[T]]
begin = _natively if sys.version_info >= (3, 12) else _by_hand


def accident(error: BaseException) -> CallError | None:
    """What a cancellation is that nobody asked of us: a failure of what was awaited. None of every other error."""
    if not isinstance(error, asyncio.CancelledError):
        return None
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return None
    return CallError("something that was awaited here was cancelled, but not by us")


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait until `task`, which goes on, has ended. Unlike ``await task``, leaves it alone if we are cancelled."""
    waiting = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: None if waiting.done() else waiting.set_result(None))
    await waiting


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait for their end, even if we are cancelled again meanwhile (then raise that at the end)."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    again: asyncio.CancelledError | None = None
    while pending:
        try:
            _, pending = await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            again = error
            pending = {task for task in pending if not task.done()}
    if again is not None:
        raise again
