"""`@search(strategy)`: put a search around an existing function without changing how it is called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from searchkit.codec import Codec
from searchkit.engine.journal import Journal
from searchkit.engine.sync import run_sync
from searchkit.function import Function, is_async
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.solve import NO_BUDGET, solve
from searchkit.types import Budget

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

    Cost of a call: the strategy's number of generations, each one call of `fn`. Raises what stopped the search if not
    one call of `fn` succeeded.
    """

    def decorate(fn: Callable[..., Any]) -> Any:
        def opened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Result[Any]]:
            call = Function(fn, factory, name, version, codec, args=args, kwargs=kwargs)
            return solve(_shown(fn, args, kwargs), strategy, generator=call, budget=budget, seed=seed, journal=journal)

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


def _shown(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What a call looks like as a prompt: its only text argument, or the call as a person would write it."""
    if len(args) == 1 and not kwargs and isinstance(args[0], str) and args[0].strip():
        return args[0]
    given = [*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())]
    return f"{getattr(fn, '__name__', 'call')}({', '.join(given)})"
