"""once: tools of agents whose work is done a single time and recorded, however often the agent goes the same way."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import functools
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from searchkit.ambient import Attempt, current
from searchkit.errors import ConfigError
from searchkit.protocols import Run

F = TypeVar("F", bound=Callable[..., Any])


def once(tool: F) -> F:
    """`tool`, a function that an agent calls, done a single time for each way that leads to the call.

    Under `AgentSteps` what it returned, or raised, is a part of the state: an agent that is led there again, or that is
    committed, is told the same, and nothing is done. Under `@search` with a journal an attempt that is resumed is told
    what the killed one was; a call that was begun and has no recorded end raises `UncertainEffect`. Outside of a search
    it is the plain function.

    tool: sync or async; its arguments tell calls apart, by their `repr`; it returns JSON (`ConfigError` if not).

        @once
        def weather(city: str) -> str: ...
    """
    name = getattr(tool, "__qualname__", type(tool).__qualname__)

    @functools.wraps(tool)
    async def later(*args: Any, **kwargs: Any) -> Any:
        attempt = current()
        if attempt is None:
            return await tool(*args, **kwargs)
        place = _place(name, args, kwargs)
        if attempt.loop is asyncio.get_running_loop():
            return _read(await _recorded(attempt, place, lambda: _told(name, tool, args, kwargs)))
        elsewhere = _Elsewhere(attempt, place)
        if await asyncio.wrap_future(elsewhere.mine):
            elsewhere.result.set_result(await _told(name, tool, args, kwargs))
        return _read(await asyncio.wrap_future(elsewhere.recorded))

    @functools.wraps(tool)
    def now(*args: Any, **kwargs: Any) -> Any:
        attempt = current()
        if attempt is None:
            return tool(*args, **kwargs)
        if _running() is attempt.loop:
            raise ConfigError(
                f"{name} is a plain function under once, and was called on the loop of its search, which would stand "
                "still: make it async, or call it by asyncio.to_thread"
            )
        elsewhere = _Elsewhere(attempt, _place(name, args, kwargs))
        if elsewhere.mine.result():
            elsewhere.result.set_result(_told_now(name, tool, args, kwargs))
        return _read(elsewhere.recorded.result())

    found: Any = later if inspect.iscoroutinefunction(tool) else now
    return found  # type: ignore[no-any-return]


async def _recorded(attempt: Attempt, place: str, perform: Callable[[], Awaitable[str]]) -> str:
    """What `perform` returns, or what was recorded of it. On the loop of the search."""
    if attempt.steps is None:
        return await attempt.run.once(place, perform)

    async def done(run: Run) -> str:
        return await run.once(place, perform)

    return await attempt.steps.aside(place, done)


class _Elsewhere:
    """A call from another thread, or from a loop of the agent's own: it is recorded on the loop of the search, and done
    where it was made. mine: whether it is to be done; then whoever made the call sets `result`."""

    def __init__(self, attempt: Attempt, place: str) -> None:
        self.mine: concurrent.futures.Future[bool] = concurrent.futures.Future()
        self.result: concurrent.futures.Future[str] = concurrent.futures.Future()
        work = _recorded(attempt, place, self._perform)
        self.recorded = asyncio.run_coroutine_threadsafe(work, attempt.loop)
        self.recorded.add_done_callback(lambda _: self._decide(False))

    async def _perform(self) -> str:
        self._decide(True)
        return await asyncio.wrap_future(self.result)

    def _decide(self, mine: bool) -> None:
        if not self.mine.done():
            self.mine.set_result(mine)


async def _told(name: str, tool: Callable[..., Any], args: Any, kwargs: Any) -> str:
    try:
        return _written(name, await tool(*args, **kwargs))
    except ConfigError:
        raise
    except Exception as error:
        return _raised(error)


def _told_now(name: str, tool: Callable[..., Any], args: Any, kwargs: Any) -> str:
    try:
        return _written(name, tool(*args, **kwargs))
    except ConfigError:
        raise
    except Exception as error:
        return _raised(error)


def _written(name: str, value: Any) -> str:
    try:
        return json.dumps({"value": value}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name} returned what is no JSON, and cannot be recorded ({error})") from error


def _raised(error: Exception) -> str:
    return json.dumps({"raised": type(error).__name__, "message": str(error)})


def _read(text: str) -> Any:
    """What a recorded call returned; what it raised, as an error of Python's own, or as a RuntimeError."""
    told = json.loads(text)
    if "raised" not in told:
        return told["value"]
    kind = vars(builtins).get(told["raised"])
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in (UnicodeDecodeError, UnicodeEncodeError):
        raise kind(told["message"])
    raise RuntimeError(f"{told['raised']}: {told['message']}")


def _place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    given = [*map(repr, args), *(f"{key}={value!r}" for key, value in sorted(kwargs.items()))]
    return f"{name}({', '.join(given)})"


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
