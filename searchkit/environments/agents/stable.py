"""The live agents of one search: those that wait where they were left, and those that are under way."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from searchkit.ambient import Attempt
from searchkit.environments.agents.left import tell_of_left
from searchkit.environments.agents.live import LiveAgent
from searchkit.environments.agents.stale import Wasted, asked_otherwise
from searchkit.environments.agents.state import AgentState, Pending
from searchkit.environments.agents.tally import AgentTally
from searchkit.environments.agents.worlds import Worlds
from searchkit.errors import ConfigError, SearchWarning, StaleBranch
from searchkit.function import Function
from searchkit.protocols import Run
from searchkit.types import Prompt

O = TypeVar("O")  # noqa: E741
UNTOLD = (
    "the agent's requests say {}, which the search's generator is not told: its answers may be of a form that the "
    "agent cannot read. Leave generator= out, and the server that the agent asks is told all of it"
)


class Stable:
    """At most `most` agents; the one that was left longest ago makes room for another."""

    def __init__(
        self,
        function: Function,
        world: Callable[[], Any] | None,
        real: Callable[[], Any] | None,
        most: int,
        timeout: float | None,
        tally: AgentTally,
    ) -> None:
        # One that waits holds its thread; so does the one that is committed.
        self._function = replace(function, threads=max(function.threads, most + 1))
        self._tally, self._timeout = tally, timeout
        self._world, self._real = world, real
        self._most, self._slots = most, asyncio.Semaphore(most)
        self._idle: list[LiveAgent] = []  # the one left last at the end
        self._busy: set[LiveAgent] = set()
        self._alive: set[LiveAgent] = set()
        self._attempts: set[Attempt] = set()
        self._committed: LiveAgent | None = None
        self._coming: dict[bytes, asyncio.Task[None]] = {}
        self._said = set[str]()
        self._wasted = Wasted()
        self.acted: bool = False
        """Whether an agent was called in the real world."""
        self.gone: bytes = b""
        """The mark of the state in which an earlier process left its agent in the real world."""
        self.headers: dict[str, Mapping[str, str]] = {}
        """Those that agents send, by URL: they hold keys, so no state has them."""

    async def use(
        self, state: AgentState | None, prompt: Prompt, seed: int, work: Callable[[LiveAgent], Awaitable[O]], run: Run
    ) -> O:
        """What `work(agent)` returns, for an agent that stands in `state`; None: one that has just been started."""
        self._wasted.answers += state is not None
        if state is not None and (coming := self._coming.get(state.marks[-1])) is not None:
            await asyncio.wait({coming})
        async with self._slots:
            agent = await self._nearest(state)
            if agent is None:
                agent = self._started(self._world, prompt, seed, run)
            self._busy.add(agent)
            try:
                if state is not None:
                    self._tally.continued += agent.at == state.marks[-1]
                    await self._bring(agent, state, run)
                found = await work(agent)
            except BaseException as error:
                if isinstance(error, StaleBranch):
                    self._tally.stale += 1
                    self._wasted.note(error)
                self._busy.discard(agent)
                await self._end(agent)
                raise
            self._busy.discard(agent)
            self._note(agent)
            if agent.stands:
                self._idle.append(agent)
            else:
                await self._end(agent)
            return found

    def prepare(self, state: AgentState, run: Run) -> None:
        """Lead an agent to `state` while its model is thinking there, unless one stands there or is on its way.

        Nothing is paid for that: given up at a side call, such as a tool under `once`, that is not recorded.
        """
        mark = state.marks[-1]
        if mark in self._coming or any(agent.at == mark for agent in self._idle):
            return

        async def lead() -> None:
            async with self._slots:
                agent = await self._nearest(state) or self._started(self._world, state.prompt, state.seed, run)
                self._busy.add(agent)
                try:
                    await self._bring(agent, state, None)
                except BaseException:
                    self._busy.discard(agent)
                    await self._end(agent)
                    raise
                self._busy.discard(agent)
                self._tally.prepared += 1
                self._idle.append(agent)

        def ended(task: asyncio.Task[None]) -> None:
            del self._coming[mark]
            if not task.cancelled():
                task.exception()  # whoever takes the step meets it again

        task = self._coming[mark] = asyncio.create_task(lead())
        task.add_done_callback(ended)

    def warn_of(self, untold: Collection[str]) -> None:
        """Say once what of the agent's requests the search's generator is not told."""
        if new := sorted({*untold} - self._said):
            self._said.update(new)
            warnings.warn(UNTOLD.format(" and ".join(new)), SearchWarning, stacklevel=2)

    async def commit(self, state: AgentState, go_on: bool, work: Callable[[LiveAgent], Awaitable[O]], run: Run) -> O:
        """What `work(agent)` returns for the agent in the real world, led to `state` in it. go_on: only if it stands
        there already."""
        agent = self._committed
        if agent is None or agent.at not in state.marks:
            if go_on:
                raise ConfigError("nothing was committed here: commit this state first")
            if agent is not None:
                await self._end(agent)
            agent = self._committed = self._started(self._real or self._world, state.prompt, state.seed, run)
        try:
            await self._bring(agent, state, run)
            found = await work(agent)
        except BaseException:
            self._committed = None
            self.acted = self.acted or agent.begun
            await self._end(agent)
            raise
        self._note(agent)
        self.acted = True
        if not agent.stands:
            self._committed = None
            await self._end(agent)
        return found

    async def _nearest(self, state: AgentState | None) -> LiveAgent | None:
        """The idle agent that stands in `state`, or furthest on the way there; None: a new one, for which there is
        room then."""
        while state is not None:
            near = max(self._idle, key=lambda agent: _depth(agent, state), default=None)
            if near is None or _depth(near, state) < 0:
                break
            self._idle.remove(near)
            if near.waits_for(_left_at(near, state)):
                return near
            self._tally.lost += 1
            await self._end(near)
        while len(self._idle) + len(self._busy) >= self._most and self._idle:
            self._tally.evicted += 1
            await self._end(self._idle.pop(0))
        return None

    def _started(self, world: Callable[[], Any] | None, prompt: Prompt, seed: int, run: Run) -> LiveAgent:
        agent = LiveAgent(self._function, Worlds(world), self._tally.started)
        self._tally.started += 1
        self._alive.add(agent)
        self._attempts.add(agent.start(prompt, {"seed": seed, "index": 0, "params": run.params, "run": None}, run))
        return agent

    async def _bring(self, agent: LiveAgent, state: AgentState, run: Run | None) -> None:
        """Lead `agent` to `state` by the answers that led there before. Raises `StaleBranch` if it asks otherwise."""
        arrived, agent.expected = agent.arrived(state), state.pending
        if agent.at != state.marks[-1]:
            agent.replayed = 0
            try:
                arrived = await agent.led(state, run, self._timeout)
            except TimeoutError:
                raise StaleBranch(f"the agent did not get there again within {self._timeout:g} s") from None
            self._tally.replayed += agent.replayed
        if agent.mistake is not None:
            raise agent.mistake
        if not arrived:
            raise asked_otherwise(agent.expected, agent.asks)
        agent.at = state.marks[-1]
        self._note(agent)

    def _note(self, agent: LiveAgent) -> None:
        self.headers |= agent.headers
        stood = self._tally.stood.setdefault(agent.at, [])
        if agent.number not in stood:
            stood.append(agent.number)

    async def close(self) -> None:
        """End all of them, side by side."""
        for task in self._coming.values():
            task.cancel()
        if self._coming:
            await asyncio.wait([*self._coming.values()])
        self._idle.clear()
        await asyncio.gather(*(self._end(agent) for agent in [*self._alive]), return_exceptions=True)
        self._wasted.tell()
        await tell_of_left(self._attempts)

    async def _end(self, agent: LiveAgent) -> None:
        """End `agent`; where that is broken off, the end of the search does it again."""
        await agent.close()
        self._alive.discard(agent)


def _depth(agent: LiveAgent, state: AgentState) -> int:
    return state.marks.index(agent.at) if agent.at in state.marks else -1


def _left_at(agent: LiveAgent, state: AgentState) -> Pending | None:
    """The call that `agent`, which stands on the way to `state`, waited for when it was left."""
    depth = _depth(agent, state)
    return state.turns[depth].asked if depth < len(state.turns) else state.pending
