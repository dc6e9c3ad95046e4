"""Sandbox: what all searches over edited files have in common, however they keep the files of a state."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import tempfile
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from searchkit.calls import CallError
from searchkit.environments.episode import Conversation, Episode, conversation, outcome, told
from searchkit.environments.pool import PATIENCE
from searchkit.errors import ConfigError, SearchkitError, StaleBranch
from searchkit.function import in_thread, is_async
from searchkit.kinds import described
from searchkit.protocols import Run
from searchkit.removing import removed
from searchkit.types import Params, Prompt, Sample, Transition

O = TypeVar("O")  # noqa: E741
THREADS = 32  # as many actions at once as a strategy has in flight


class Scratch:
    """A temporary folder, removed when the search ends; if threads are still at work in it, again after the last."""

    def __init__(self) -> None:
        self.path: Path = Path(tempfile.mkdtemp(prefix="searchkit-")).resolve()
        self.landed: Any = None  # what was committed last
        self._begun: Any = None
        self._beginning = threading.Lock()
        self._numbers: Iterator[int] = itertools.count()
        self._at_exit = weakref.finalize(self, removed, self.path)
        self._inside, self._closed, self._lock = 0, False, threading.Lock()

    def new(self) -> Path:
        """A path in it that is not there yet."""
        return self.path / str(next(self._numbers))

    def begun(self, make: Callable[[], O]) -> O:
        """What `make` makes, once a search: where all attempts begin. Blocking."""
        with self._beginning:
            if self._begun is None:
                self._begun = make()
            found: O = self._begun
            return found

    def inside(self, work: Callable[[], O]) -> O:
        """`work()` on a thread that may outlive the search: what it leaves behind is removed."""
        with self._lock:
            if self._closed:
                raise CallError("the search has ended, and its scratch folder is removed")
            self._inside += 1
        try:
            return work()
        finally:
            with self._lock:
                self._inside -= 1
                if self._closed:
                    self._clear()

    def _clear(self) -> None:
        """Remove all; until the last thread has left, once more at exit, since daemon threads are not waited for."""
        removed(self.path)
        if not self._inside:
            self._at_exit.detach()

    async def close(self) -> None:
        with self._lock:
            self._closed = True
            self._clear()
        end = time.monotonic() + PATIENCE
        while self._inside and time.monotonic() < end:  # noqa: ASYNC110 (threads cannot wait for this loop)
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Sandbox(ABC):
    """The shared part of `FolderEnvironment` and `GitEnvironment`: fields, and the five methods.

    Every action is applied to a copy of its state's files, in a scratch folder that is removed when the search ends,
    whatever ends it. `source` itself is changed by `commit` alone.

    act: called as act(folder, action), sync (then on a thread) or async, with an action's text; None where only the
    tools of a `ToolEnvironment` act, whose `world` this is. It changes files below `folder` and returns what is to be
    seen, or as a live environment does (observation, reward or None, whether the
    episode is over). Where it raises, the step has failed. What it runs is not confined: a model's code, and tests of a
    model's code, need a sandbox of their own inside `act`. In observations the folder's path is written as ".".

    Any state is a complete answer. render: called as render(folder), the value of a state as an answer; by default a
    patch from `source` in git's format. prompt: what the generator sees in a state; by default the task, and all
    actions and observations so far. params: for each action, None takes the caller's. seconds: `act` may take so long,
    None is no limit; then the step has failed (`TimeoutError` is its cause).
    """

    source: str | Path
    act: Callable[[Path, str], Any] | None = None
    render: Callable[[Path], Any] | None = None
    prompt: Conversation = conversation
    params: Params | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", Path(self.source).absolute())  # agents may change this process's folder
        if self.act is not None and not callable(self.act):
            raise ConfigError(f"act must be a callable, act(folder, action) -> observation, got {self.act!r}")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"seconds must be > 0 for an action, or None for no limit, got {self.seconds}")

    @abstractmethod
    def _first(self, scratch: Scratch) -> tuple[Any, Any]:
        """Blocking: the first state's `world`, and its answer. Raises `ConfigError` where `source` is of no use."""

    @abstractmethod
    def _checkout(self, world: Any, scratch: Scratch) -> Path:
        """Blocking: a new folder with the files of a state."""

    @abstractmethod
    def _keep(self, folder: Path, world: Any, action: str, scratch: Scratch) -> tuple[Any, Any]:
        """Blocking: the `world` and the answer of the state that `action` made of `folder`."""

    # ---------------------------------------------------------------- the environment

    def step_params(self, run: Run) -> Params | None:
        return self.params if self.params is not None else run.params

    def complete(self, state: Episode) -> bool:
        return True

    def candidate(self, state: Episode) -> Sample[Any]:
        """The patch, or what `render` made of the folder."""
        return told(state)

    async def start(self, prompt: Prompt, run: Run) -> Episode:
        scratch = run.resource(self, Scratch)
        world, answer = await self._thread(lambda: self._first(scratch), scratch, run)
        return Episode(prompt, ("",), answer=answer, world=world)

    async def step(self, state: Episode, action: Sample[Any], run: Run) -> Transition[Episode]:
        if state.ended:
            raise ConfigError("the episode is over: there is no next step")
        scratch, text = run.resource(self, Scratch), action.text
        with run.traced("act") as span:
            async with run.until_deadline(), self._copy(state, scratch, run) as folder:
                said = await self._acted(folder, text, scratch, run)
                said = said if isinstance(said, tuple) else (said, None, False)
                observation, reward, terminal = outcome(said, "act")
                world, answer = await self._thread(lambda: self._keep(folder, state.world, text, scratch), scratch, run)
            seen = str(observation).replace(str(folder), ".")
            span.text = seen[:400]
        after = replace(
            state,
            observations=(*state.observations, seen),
            actions=(*state.actions, text),
            answer=answer,
            reward=reward if terminal else None,
            ended=terminal,
            world=world,
        )
        return Transition(after, seen, after.reward, after.ended)

    async def look(self, state: Episode, action: str, run: Run) -> str:
        """What is seen of an action that changes nothing, in `state`: no step, and what it does change is not kept.

        It leaves no span in the trace: who looks may look up what was seen in a journal instead.
        """
        scratch = run.resource(self, Scratch)
        async with run.until_deadline(), self._copy(state, scratch, run) as folder:
            seen = str(await self._acted(folder, action, scratch, run)).replace(str(folder), ".")
            await self._thread(lambda: removed(folder.parent), scratch, run)
        return seen

    # ---------------------------------------------------------------- whole attempts, see `Workspace`

    @abstractmethod
    def _base(self, first: Any) -> str:
        """Blocking: what tells the first state's files from others."""

    @abstractmethod
    def _taken(self, folder: Path, first: Any, said: str, scratch: Scratch) -> tuple[str, Any]:
        """Blocking: the patch from the first state to `folder`, and the same as JSON, from which `_made` makes it."""

    @abstractmethod
    def _made(self, stored: Any, first: Any, scratch: Scratch) -> Path:
        """Blocking: a new folder in which these changes are made. Raises `StaleBranch` where they do not fit."""

    @abstractmethod
    def _landed(self, base: str, stored: Any, scratch: Scratch) -> str:
        """Blocking: bring these changes back to `source`; returns what is to be seen. Raises `StaleBranch`.

        base: what `_base` said of the first state that they were made to.
        """

    @contextlib.asynccontextmanager
    async def opened(self, changes: str, run: Run) -> AsyncIterator[Path]:
        """The files in which an attempt left `source`, "" for those it begins with, in a folder that is then removed.

        Raises `StaleBranch` where `source` is no longer as it was when they were changed.
        """
        scratch = run.resource(self, Scratch)
        folder = await self._thread(lambda: self._unpacked(changes, scratch), scratch, run)
        try:
            yield folder
        except Exception:  # where it was cancelled, a thread may still be at work there: that waits for the end
            await self._thread(lambda: removed(folder.parent), scratch, run)
            raise
        await self._thread(lambda: removed(folder.parent), scratch, run)

    def _unpacked(self, changes: str, scratch: Scratch) -> Path:
        first, base = scratch.begun(lambda: self._begin(scratch))
        if not changes:
            return self._checkout(first, scratch)
        known, stored = _stored(changes)
        if known != base:
            raise StaleBranch(f"{self.source} is not as it was when these changes were made to it: restore it")
        return self._made(stored, first, scratch)

    def _begin(self, scratch: Scratch) -> tuple[Any, str]:
        first, _ = self._first(scratch)
        return first, self._base(first)

    async def taken(self, folder: Path, said: str, run: Run) -> tuple[str, str]:
        """What an attempt did in a folder of `opened`: the patch, and the same for `opened` and `bring_back`."""
        scratch = run.resource(self, Scratch)

        def work() -> tuple[str, str]:
            first, base = scratch.begun(lambda: self._begin(scratch))
            diff, stored = self._taken(folder, first, said, scratch)
            return diff, json.dumps([base, stored])

        return await self._thread(work, scratch, run)

    async def bring_back(self, changes: str, run: Run) -> str:
        """Bring the changes of an attempt to `source`, as `commit` does; says what was changed. A span in the trace.

        Raises `StaleBranch` where `source` has other content than when they were made, and has changed nothing then.
        """
        scratch = run.resource(self, Scratch)
        with run.traced("commit", role="plan") as span:
            base, stored = _stored(changes)
            seen = await self._thread(lambda: self._landed(base, stored, scratch), scratch, run)
            span.text = seen[:400]
        return seen

    def holding(self, run: Run) -> Callable[[Callable[[], O]], O]:
        """What work on a thread is wrapped in that may outlive the search: what it leaves behind is removed."""
        return run.resource(self, Scratch).inside

    # ---------------------------------------------------------------- plumbing

    @contextlib.asynccontextmanager
    async def _copy(self, state: Episode, scratch: Scratch, run: Run) -> AsyncIterator[Path]:
        """The files of a state in a folder of their own, which is removed if something fails meanwhile."""
        folder = await self._thread(lambda: self._checkout(state.world, scratch), scratch, run)
        try:
            yield folder
        except Exception:  # of a cancelled step a thread may still be at work there: that waits for the end
            await self._thread(lambda: removed(folder.parent), scratch, run)
            raise

    async def _acted(self, folder: Path, action: str, scratch: Scratch, run: Run) -> Any:
        act = self.act
        if act is None:
            raise ConfigError(f"{type(self).__name__} needs act=, or tools: ToolEnvironment(tools, world=...)")
        try:
            if is_async(act):
                async with asyncio.timeout(self.seconds):
                    return await act(folder, action)
            said = await self._thread(lambda: act(folder, action), scratch, run, self.seconds)
            if inspect.isawaitable(said):
                async with asyncio.timeout(self.seconds):
                    return await said
            return said
        except SearchkitError:
            raise
        except (Exception, SystemExit) as error:
            raise CallError(f"act raised {described(error)}") from error

    async def _thread(self, work: Callable[[], O], scratch: Scratch, run: Run, seconds: float | None = None) -> O:
        done: O = await in_thread(lambda: scratch.inside(work), run, "sandbox", THREADS, seconds)
        return done


def _stored(changes: str) -> tuple[str, Any]:
    """Raises `StaleBranch` for what no attempt left."""
    try:
        base, stored = json.loads(changes)
    except (ValueError, TypeError, RecursionError) as error:
        raise StaleBranch(f"these are no changes of an attempt: {changes[:80]!r}") from error
    return str(base), stored
