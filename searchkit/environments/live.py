"""LiveEnvironment: what all searches in live environments have in common, however they come back to a state."""

from __future__ import annotations

import copy as copying
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from searchkit.environments.episode import Conversation, Episode, conversation, plain, told
from searchkit.environments.pool import Copy, Pool, Seen, Tally
from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.types import Params, Prompt, Sample, Transition


class Live(Protocol):
    """What can be searched in: a game, a browser, a simulator. Its methods may be async.

    Two more are used where they exist: ``actions()``, all legal actions or None (not async), and ``close()``.
    """

    def reset(self) -> Any:
        """The first observation of a new episode; the same one every time."""
        ...

    def step(self, action: Any) -> Any:
        """(observation, reward or None, whether the episode is over)."""
        ...


@dataclass(frozen=True)
class LiveEnvironment(ABC):
    """The shared part of `ReplayEnvironment` and `SnapshotEnvironment`: fields, and the five methods.

    - make: opens a live environment, see `Live`.
    - copies: at most so many are open at once in a search, each with a thread of its own for its synchronous methods;
      all are closed when the search ends. A step waits for a free one.
    - parse: a sample to an action that the live environment understands, by default the `ToolCall` in it, without its
      id (a tuple where there are several), or where there is none its value; where it raises, the step has failed.
    - prompt: what the generator sees in a state; by default the task, and what was done and seen since, turn by turn.
    - render: a state to its value as an answer, by default the tuple of its actions.
    - params: for each action, None takes the caller's.
    - seconds: an action may take so long once it has begun, None is no limit; then the step has failed (`TimeoutError`
      is its cause), and its live environment is given up for a new one.
    - tally: counts what was done to live environments, see `Tally`.

    A reward counts only where an episode ends.
    """

    make: Callable[[], Any]
    copies: int = 1
    parse: Callable[[Sample[Any]], Any] = plain
    prompt: Conversation = conversation
    render: Callable[[Episode], Any] | None = None
    params: Params | None = None
    seconds: float | None = None
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise ConfigError(f"make must be a callable that opens a live environment, got {self.make!r}")
        if self.copies < 1:
            raise ConfigError(f"copies must be >= 1 live environments, got {self.copies}")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"seconds must be > 0 for an action, or None for no limit, got {self.seconds}")

    @abstractmethod
    def _near(self, at: Any, state: Episode) -> int:
        """How near a live environment that is `at` is to `state`; the same for all that are no help."""

    @abstractmethod
    async def _bring(self, copy: Copy, state: Episode) -> None:
        """Bring a live environment into `state`, from where it is if that helps."""

    @abstractmethod
    async def _place(self, copy: Copy, before: Episode | None, action: Any, seen: Seen) -> tuple[Any, Any]:
        """Where `action` (none after a reset) led: what the live environment is `at`, and the `world` of the state."""

    async def _begin(self, copy: Copy) -> Seen:
        return await copy.reset()

    def _live(self) -> Any:
        return self.make()

    # ---------------------------------------------------------------- the environment

    def step_params(self, run: Run) -> Params | None:
        return self.params if self.params is not None else run.params

    def actions(self, state: Episode) -> Sequence[Any] | None:
        return state.legal

    def candidate(self, state: Episode) -> Sample[Any]:
        """The actions, or what `render` makes of the state. Its text is the story, with a step for each action."""
        return told(state)

    async def start(self, prompt: Prompt, run: Run) -> Episode:
        async def work(copy: Copy) -> tuple[str, Episode]:
            seen = await self._begin(copy)
            at, world = await self._place(copy, None, None, seen)
            copy.at = at
            return seen.text, Episode(prompt, (seen.text,), legal=seen.legal, world=world)

        return self._rendered(await self._pool(run).use("reset", lambda at: 0, work, run))

    async def step(self, state: Episode, action: Sample[Any], run: Run) -> Transition[Episode]:
        if state.ended:
            raise ConfigError("the episode is over: there is no next step")
        chosen = copying.deepcopy(self.parse(action))

        async def work(copy: Copy) -> tuple[str, Episode]:
            await self._bring(copy, state)
            seen = await copy.step(chosen, seconds=self.seconds)
            at, world = await self._place(copy, state, chosen, seen)
            copy.at = at
            return seen.text, replace(
                state,
                observations=(*state.observations, seen.text),
                actions=(*state.actions, chosen),
                reward=seen.reward if seen.terminal else None,
                ended=seen.terminal,
                legal=seen.legal,
                world=world,
            )

        after = self._rendered(await self._pool(run).use("step", lambda at: self._near(at, state), work, run))
        return Transition(after, after.observations[-1], after.reward, after.ended)

    async def look(self, state: Episode, action: Any, run: Run) -> str:
        """What is seen of an action that changes nothing, in `state`: no step of the episode, and never done again.

        It leaves no span in the trace: who looks may look up what was seen in a journal instead.
        """

        async def work(copy: Copy) -> tuple[str, str]:
            await self._bring(copy, state)
            at = copy.at
            seen = await copy.step(action, seconds=self.seconds)
            copy.at = at
            return seen.text, seen.text

        _, seen = await self._pool(run).work(lambda at: self._near(at, state), work, run)
        return seen

    async def commit(self, state: Episode, run: Run) -> Transition[Episode]:
        """Bring a live environment into `state`, from the beginning; a `step` from there goes on in that one.

        Raises `StaleBranch` if replaying leads elsewhere than in the search.
        """

        pool = self._pool(run)

        async def work(copy: Copy) -> tuple[str, None]:
            copy.at = None
            await self._bring(copy, state)
            pool.lose_track()
            return state.observations[-1], None

        await pool.use("commit", lambda at: self._near(at, state), work, run)
        return Transition(state, state.observations[-1], state.reward, state.ended)

    def lose_track(self, run: Run) -> None:
        """From now on nobody knows where the live environments of this search are: each is brought anew to a state."""
        self._pool(run).lose_track()

    # ---------------------------------------------------------------- plumbing

    def _fingerprint(self, observation: Any) -> Any:
        return None

    def _pool(self, run: Run) -> Pool:
        return run.resource(self, lambda: Pool(self._live, self._fingerprint, self.tally, self.copies))

    def _rendered(self, state: Episode) -> Episode:
        return replace(state, answer=state.actions if self.render is None else self.render(state))
