"""One call for equal requests, where the server honours `n`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai.probe import Capabilities
from searchkit.kinds import innermost
from searchkit.protocols import Backend
from searchkit.types import Params, Prompt, Sample


class Grouping(Backend, Protocol):
    """A backend that can draw several samples in one call, and knows whether its server can."""

    async def complete_group(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One call for requests of equal prompt and parameters; one entry a request. The first carries the cost."""
        ...

    async def probe(self) -> Capabilities: ...


def grouping(backend: Backend) -> Grouping:
    """The backend, if it (or the one it wraps) can draw several samples in one call; else `ConfigError`."""
    if not (hasattr(backend, "complete_group") and hasattr(innermost(backend), "complete_group")):
        raise ConfigError(
            f"{type(backend).__name__} cannot merge requests into one: use Coalescing(OpenAI(...)) or "
            "Coalescing(Limited(OpenAI(...))), and put Retrying and Cached around it"
        )
    return cast(Grouping, backend)


class _Turn:
    """The requests of one turn of an event loop, and the task that sends them once the turn is over."""

    def __init__(self, send: Callable[[_Turn], Coroutine[Any, Any, list[Sample[str] | CallError]]]) -> None:
        self.requests: list[Request] = []
        self.waiting = 0
        self.task = asyncio.create_task(send(self))  # starts after everything that is ready to run now


class _Open:
    """The turn that each event loop is in, if a request has arrived in it."""

    def __init__(self) -> None:
        self.turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turn] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[_Open], tuple[()]]:
        return _Open, ()


@dataclass(frozen=True)
class Coalescing:
    """A `Backend` that merges requests of equal prompt and parameters that arrive in one turn of the event loop into
    one call with `n=`, if a probe finds that the server honours it; else it passes them on as they are.

    Order: Retrying(Coalescing(Limited(backend))). The samples of one `run.sample(generator, prompt, n)` arrive in one
    turn, in index order, unless something around this waits first: a `Cached` reads its file, and then what is merged
    depends on timing. Members of a merged call share the seed of its first, so their texts are not those of single
    requests; requests with a floor are not merged. The first sample of a call carries its cost, but for the generated
    tokens of the others. Cancelling some members of a call lets it go on for the others.
    """

    backend: Backend
    _open: _Open = field(default_factory=_Open, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        grouping(self.backend)

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """The entries of these requests, sent with all others of this turn."""
        loop = asyncio.get_running_loop()
        turn = self._open.turns.get(loop)
        if turn is None:
            turn = self._open.turns[loop] = _Turn(self._send)
        first = len(turn.requests)
        turn.requests += requests
        turn.waiting += 1
        try:
            entries = await asyncio.shield(turn.task)
        finally:
            turn.waiting -= 1
            if turn.waiting == 0 and not turn.task.done():  # nobody wants the answers any more
                self._close(turn)
                turn.task.cancel()
                await asyncio.wait([turn.task])
        return entries[first : first + len(requests)]

    async def _send(self, turn: _Turn) -> list[Sample[str] | CallError]:
        """End the turn; one call for each group of equal requests, concurrently."""
        self._close(turn)
        requests, groups = turn.requests, dict[tuple[Prompt, Params, int | None], list[int]]()
        for place, request in enumerate(requests):
            alone = None if request.params.floor is None else place  # each text has its own end, and so its own call
            groups.setdefault((request.prompt, request.params, alone), []).append(place)
        if len(groups) == len(requests) or not await self._honoured():
            return await self.backend.complete(requests)
        entries: dict[int, Sample[str] | CallError] = {}

        async def send(places: list[int]) -> None:
            members = [requests[place] for place in places]
            call = grouping(self.backend).complete_group if len(members) > 1 else self.backend.complete
            entries.update(zip(places, await call(members), strict=True))

        await each(send, list(groups.values()))
        return [entries[place] for place in range(len(requests))]

    def _close(self, turn: _Turn) -> None:
        """Let nobody join `turn` any more."""
        loop = asyncio.get_running_loop()
        if self._open.turns.get(loop) is turn:
            del self._open.turns[loop]

    async def _honoured(self) -> bool:
        try:
            return (await grouping(self.backend).probe()).n
        except CallError:
            return False  # the requests themselves will say what is wrong with the server
