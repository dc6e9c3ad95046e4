"""`@search(strategy)`: put a search around an existing function without changing how it is called."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from searchkit.calls import CallError
from searchkit.codec import Codec
from searchkit.engine.journal import Journal
from searchkit.engine.sync import run_sync
from searchkit.errors import ConfigError
from searchkit.function import Function, is_async, original
from searchkit.mistakes import check_search
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.solve import NO_BUDGET, solve
from searchkit.survived import survived
from searchkit.types import Budget, Prompt

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class AsyncSearched(Protocol[P, T_co]):
    """An `async def` under a search."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    async def detailed(self, *args: P.args, **kwargs: P.kwargs) -> Result[Any]: ...


class Searched(Protocol[P, T_co]):
    """A `def` under a search."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    def detailed(self, *args: P.args, **kwargs: P.kwargs) -> Result[Any]: ...


class Decorator(Protocol):
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, T]]) -> AsyncSearched[P, T]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, T]) -> Searched[P, T]: ...


def search(
    strategy: Generator,
    *,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    factory: bool = False,
    name: str = "",
    version: str = "",
    codec: Codec | None = None,
) -> Decorator:
    """Decorate an agent, a function of any arguments and any return type: each call becomes a search over its calls.

    The decorated function takes the same arguments and returns the same type, awaitable if it was; ``.detailed(...)``
    returns the whole `Result`. All samples get the same argument objects, so `fn` must not change them. factory: `fn`
    takes no arguments and makes a fresh agent for every sample; call the result with the agent's arguments.

    A list of messages as OpenAI's API takes them is the prompt that strategies and verifiers see, where it is the only
    argument, like a text; else they see the call.

    Cost of a call: the strategy's number of generations, each one call of `fn`. If not one call of `fn` succeeded, what
    the first one raised is raised, the same object; what else stopped the search, as by `solve`. Raises `ConfigError`
    for an `fn` that yields.
    """
    check_search(strategy, None, budget, seed)

    def decorate(fn: Callable[..., Any]) -> Any:
        Function(fn, factory)  # what cannot be searched over is refused where it is decorated

        def opened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Result[Any]]:
            call = Function(fn, factory, name, version, codec, args=args, kwargs=kwargs)
            asked = _shown(fn, args, kwargs)
            return _own_errors(solve(asked, strategy, generator=call, budget=budget, seed=seed, journal=journal))

        @functools.wraps(fn)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            return (await opened(args, kwargs)).answer

        async def asynchronous_detailed(*args: Any, **kwargs: Any) -> Result[Any]:
            return await opened(args, kwargs)

        @functools.wraps(fn)
        def synchronous(*args: Any, **kwargs: Any) -> Any:
            return run_sync(opened(args, kwargs)).answer

        def synchronous_detailed(*args: Any, **kwargs: Any) -> Result[Any]:
            return run_sync(opened(args, kwargs))

        if is_async(fn):
            wrapped: Any = asynchronous
            wrapped.detailed = asynchronous_detailed
        else:
            wrapped = synchronous
            wrapped.detailed = synchronous_detailed
        return wrapped

    return cast(Decorator, decorate)


async def _own_errors(search: Coroutine[Any, Any, Result[Any]]) -> Result[Any]:
    """The search's result. If no call succeeded, raises what the first one raised, as if there were no search."""
    try:
        result = await search
    except CallError as error:
        failure = original(error)
        if failure is error:
            raise
    else:
        tried = survived(result.trace)
        if not result.errors or tried.failed < tried.attempts or tried.attempts == 0:
            return result
        failure = original(result.errors[0])
    raise failure  # not inside `except`: the search is no part of what went wrong


def _shown(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | Prompt:
    """What a call looks like as a prompt: its only text or conversation, or the call as a person would write it."""
    if len(args) == 1 and not kwargs:
        if isinstance(args[0], str) and args[0].strip():
            return args[0]
        if isinstance(args[0], list) and args[0] and all(isinstance(one, dict) and "role" in one for one in args[0]):
            with contextlib.suppress(ConfigError):  # rows of another kind that have a "role" too
                return Prompt.of(args[0])
    given = [*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())]
    return f"{getattr(fn, '__name__', 'call')}({', '.join(given)})"
