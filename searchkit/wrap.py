"""`@search(strategy)`: put a search around an existing function without changing how it is called."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, Self, TypeVar, cast, overload

from searchkit.agents.committed import Committed, check_world
from searchkit.agents.upstream import BY_ENVIRONMENT, Upstream
from searchkit.agents.workspace import AttemptWorld, Workspace
from searchkit.ambient import Attempt
from searchkit.calls import CallError
from searchkit.codec import Codec
from searchkit.engine.journal import Journal
from searchkit.engine.sync import run_sync
from searchkit.errors import ConfigError
from searchkit.events import Event
from searchkit.function import Function, is_async, label, lasting, original
from searchkit.mistakes import check_callback, check_search
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.searching import NO_BUDGET
from searchkit.solve import ongoing, solve, solve_inside
from searchkit.survived import survived
from searchkit.types import Budget, Problem, Prompt

P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class BoundAsync(Protocol[P, T_co]):
    """An `async def` under a search, called without anything else: a method of an object, a static method."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    async def detailed(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co]:
        """The whole result of the search, with the answer that calling this returns."""
        ...


class Bound(Protocol[P, T_co]):
    """A `def` under a search, called without anything else: a method of an object, a static method."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    def detailed(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co]:
        """The whole result of the search, with the answer that calling this returns."""
        ...


class AsyncSearched(BoundAsync[P, T_co], Protocol[P, T_co]):
    """An `async def` under a search."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: AsyncSearched[Concatenate[Any, Q], T], instance: object, owner: type | None = None, /
    ) -> BoundAsync[Q, T]: ...


class Searched(Bound[P, T_co], Protocol[P, T_co]):
    """A `def` under a search."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: Searched[Concatenate[Any, Q], T], instance: object, owner: type | None = None, /
    ) -> Bound[Q, T]: ...


class Decorator(Protocol):
    """Puts the search around a function. Type checkers show it class and static methods as plain functions, and so
    know the former's types through an object only, and the latter's through the class only."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, T]]) -> AsyncSearched[P, T]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, T]) -> Searched[P, T]: ...


class WorldDecorator(Protocol):
    """Puts the search around a function that works in a copy of some files."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, Any]]) -> AsyncSearched[P, Workspace]: ...
    @overload
    def __call__(self, fn: Callable[P, Any]) -> Searched[P, Workspace]: ...


@overload
def search(
    strategy: Generator,
    *,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    factory: bool = False,
    name: str = "",
    version: str = "",
    codec: Codec | Literal["pickle"] | None = None,
    upstream: Upstream = BY_ENVIRONMENT,
    listen: Callable[[Event], object] | None = None,
    partial: bool = False,
    world: None = None,
) -> Decorator: ...
@overload
def search(
    strategy: Generator,
    *,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    factory: bool = False,
    name: str = "",
    version: str = "",
    codec: Codec | Literal["pickle"] | None = None,
    upstream: Upstream = BY_ENVIRONMENT,
    listen: Callable[[Event], object] | None = None,
    partial: bool = False,
    world: AttemptWorld,
) -> WorldDecorator: ...
def search(
    strategy: Generator,
    *,
    budget: Budget = NO_BUDGET,
    seed: int = 0,
    journal: Journal | str | Path | None = None,
    factory: bool = False,
    name: str = "",
    version: str = "",
    codec: Codec | Literal["pickle"] | None = None,
    upstream: Upstream = BY_ENVIRONMENT,
    listen: Callable[[Event], object] | None = None,
    partial: bool = False,
    world: AttemptWorld | None = None,
) -> Decorator | WorldDecorator:
    """Decorate an agent, a function of any arguments and any return type: each call becomes a search over its calls.

    The decorated function takes the same arguments and returns the same type, awaitable if it was; ``.detailed(...)``
    returns the whole `Result`. It decorates methods, too, class and static ones (put it above `@classmethod` and
    `@staticmethod`; below them it works up to Python 3.12). All samples get the same argument objects, so `fn` must not
    change them. factory: `fn` takes no arguments and makes a fresh agent for every sample; call the result with the
    agent's arguments. name, version, codec, upstream, and what is supplied to `fn`: see `Function`.

    Called by an agent that runs under a search, it is a part of that search: it draws on its budget, with `budget` as
    ceilings of its own, stands in its trace and journal, takes its seeds from there (`seed` makes them others), and is
    cancelled with it. The agent's attempt then costs what the inner search costs, and nothing for itself. Under a
    budget the searches of one attempt run one after another. A synchronous one, called by an agent that is a coroutine,
    blocks that agent's loop until it has ended.

    listen: told what happens in each search of its own, as by `solve`; of one that is a part of another search, the
    listener to that one is. `Live` and `OpenTelemetry` listen to one at a time: for calls at once take `solve_many`.
    partial: a call that is cancelled, as by `asyncio.wait_for` or Ctrl-C, returns the best so
    far, if there is any.

    world: a `FolderEnvironment` or a `GitEnvironment`; `fn` declares a parameter ``workspace: Workspace`` and works in
    its `path`, a copy of its own. What is returned, and judged, is the `Workspace` with what it did and what it
    returned (`said`). What the answer did is brought back to the original, unless a verifier failed it; nothing else
    ever is, see `searchkit.agents.Committed`. Inside of another search such a function is refused.

    Without `partial`, Ctrl-C during a synchronous call raises KeyboardInterrupt; ``.detailed(...)`` returns the best so
    far even then, if there is any, with ``stopped == "cancelled"``.

    A list of messages as OpenAI's API takes them is the prompt that strategies and verifiers see, where it is the only
    argument, like a text; else they see the call.

    Cost of a call: the strategy's number of generations, each one call of `fn`. If not one call of `fn` succeeded, what
    the first one raised is raised, the same object; what else stopped the search, as by `solve`. Raises `ConfigError`
    for an `fn` that yields.
    """
    check_search(strategy, None, budget, seed)
    check_callback("listen", listen)
    if world is not None:
        check_world(world)
    settings = Settings(
        strategy, budget, seed, journal, factory, name, version, codec, upstream, listen, partial, world
    )

    def decorate(fn: Any) -> Any:
        inner = fn.__func__ if isinstance(fn, (classmethod, staticmethod)) else fn
        Function(
            inner, factory, upstream=upstream, world=world
        )  # what cannot be searched over is refused where it is decorated
        return (_Async if is_async(inner) else _Sync)(inner, settings, fn)

    return cast(Decorator, decorate)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `search` was given, and how a call of a function becomes a search."""

    strategy: Generator
    budget: Budget
    seed: int
    journal: Journal | str | Path | None
    factory: bool
    name: str
    version: str
    codec: Codec | Literal["pickle"] | None
    upstream: Upstream
    listen: Callable[[Event], object] | None
    partial: bool
    world: AttemptWorld | None = None

    async def alone(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result[Any]:
        """A search of its own."""
        call, shown = self._function(fn, args, kwargs, self.journal is not None), _shown(fn, args, kwargs)
        strategy = self.strategy if self.world is None else Committed(self.strategy, self.world)
        search = solve(
            shown, strategy, generator=call, budget=self.budget, seed=self.seed, journal=self.journal,
            listen=self.listen, partial=self.partial,
        )  # fmt: skip
        return await _own_errors(search)

    def answer(self, result: Result[Any]) -> Any:
        """That of a search. Raises what kept it from being brought back to its world."""
        if self.world is not None and result.stopped == "error":
            raise result.errors[-1]
        return result.answer

    async def inside(
        self, attempt: Attempt, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], blocking: bool
    ) -> Result[Any]:
        """A part of the search that `attempt` belongs to."""
        if self.world is not None:
            raise ConfigError(
                f"{label(fn)} changes its world for good, and is called by an attempt that may be thrown away: give "
                "the search around it the world, or let it search without one"
            )
        call = self._function(fn, args, kwargs, self.journal is not None or attempt.run.journaled)
        shown = _shown(fn, args, kwargs)
        said = shown if isinstance(shown, str) else shown.text
        place = f"{label(fn)} {self.seed} {ADDRESS.sub('', said)}"  # an object is elsewhere in the next process
        search = solve_inside(
            attempt, Problem.of(shown), self.strategy, name=_name(fn), place=place, generator=call,
            budget=self.budget, journal=self.journal, alone=blocking,
        )  # fmt: skip
        return await _own_errors(search)

    def _function(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], journaled: bool
    ) -> Function:
        name, version, owner = self.name, self.version, getattr(fn, "__self__", None)
        if journaled and owner is not None and not ADDRESS.search(shown := repr(owner)):
            # Methods of different objects are told apart by what their objects look like.
            name = name or (label(fn) if lasting(getattr(fn, "__func__", fn)) else "")
            version = f"{version} {shown}"
        return Function(
            fn,
            self.factory,
            name,
            version,
            self.codec,
            args=args,
            kwargs=kwargs,
            upstream=self.upstream,
            world=self.world,
        )


class _Wrapper:
    """A function under a search. As a descriptor it binds like the function that it stands for.

    original: that function as it was decorated, a `classmethod` or `staticmethod` maybe.
    """

    def __init__(self, fn: Callable[..., Any], settings: Settings, original: Any) -> None:
        functools.update_wrapper(cast(Any, self), fn)
        self.__name__: str = _name(fn)
        self.__qualname__: str = getattr(fn, "__qualname__", self.__name__)
        self._fn, self._settings, self._original = fn, settings, original
        self._home: tuple[Any, str] | None = None  # what it was bound to, as what

    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        bind = getattr(type(self._original), "__get__", None)
        if bind is None or (instance is None and self._original is self._fn):
            return self
        bound = type(self)(bind(self._original, instance, owner), self._settings, None)
        bound._home = (owner if instance is None else instance), self.__name__
        return bound

    def __reduce__(self) -> Any:
        """By name, like a function; bound, like a method."""
        return self.__qualname__ if self._home is None else (getattr, self._home)

    def __repr__(self) -> str:
        return f"<search over {self._fn!r}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Wrapper) and self._home is not None and other._home is not None:
            return self._settings is other._settings and self._fn == other._fn
        return self is other

    def __hash__(self) -> int:
        return hash((self._fn, id(self._settings)))


class _Async(_Wrapper):
    """An `async def`."""

    async def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._settings.answer(await self.detailed(*args, **kwargs))

    # What `inspect.iscoroutinefunction` reads of whatever looks like a function.
    __code__, __defaults__, __kwdefaults__ = __call__.__code__, None, None

    async def detailed(self, /, *args: Any, **kwargs: Any) -> Result[Any]:
        attempt = ongoing()
        if attempt is None:
            return await self._settings.alone(self._fn, args, kwargs)
        work = self._settings.inside(attempt, self._fn, args, kwargs, blocking=False)
        if attempt.loop is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, attempt.loop))


class _Sync(_Wrapper):
    """A `def`."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        result = self.detailed(*args, **kwargs)
        if result.stopped == "cancelled" and not self._settings.partial:  # an answer alone cannot say so
            raise KeyboardInterrupt
        return self._settings.answer(result)

    def detailed(self, /, *args: Any, **kwargs: Any) -> Result[Any]:
        attempt = ongoing()
        if attempt is None:
            return run_sync(self._settings.alone(self._fn, args, kwargs))
        blocking = _running() is attempt.loop
        work = self._settings.inside(attempt, self._fn, args, kwargs, blocking)
        return _elsewhere(work) if blocking else asyncio.run_coroutine_threadsafe(work, attempt.loop).result()


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _elsewhere(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns on a loop of its own, in a thread of its own: the loop of this one is waiting for it."""
    context = contextvars.copy_context()
    with concurrent.futures.ThreadPoolExecutor(1, "searchkit-inside") as pool:
        return pool.submit(context.run, asyncio.run, work).result()


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)


async def _own_errors(search: Coroutine[Any, Any, Result[Any]]) -> Result[Any]:
    """The search's result. If no call succeeded, raises what the first one raised, as if there were no search."""
    try:
        result = await search
    except CallError as error:
        failure = original(error)
        if failure is error:
            raise
    else:
        if not result.errors:
            return result
        tried = survived(result.trace)
        if tried.failed < tried.attempts or tried.attempts == 0:
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
