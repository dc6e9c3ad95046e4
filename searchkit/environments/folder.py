"""FolderEnvironment: search over edits of the files in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.calls import CallError
from searchkit.environments import changes as changing
from searchkit.environments.episode import Episode
from searchkit.environments.listing import contained
from searchkit.environments.patch import patch, prints, read
from searchkit.environments.sandbox import Sandbox, Scratch
from searchkit.errors import ConfigError, StaleBranch
from searchkit.protocols import Run
from searchkit.types import Prompt, Transition


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the files of a state are, and those of the first state. Neither is ever changed."""

    first: changing.Known
    here: Path


@dataclass(frozen=True)
class FolderEnvironment(Sandbox):
    """States are copies of the folder `source`.

    ignore: names, with ``*`` and ``?``, of files and folders that are neither copied nor brought back. `commit` brings
    what the search changed back to `source`, unless that was changed meanwhile, and should be the last that a search
    does. Folders without files are not brought back.

    No link is followed. Refused, as a mistake of `source` and as a step that fails of an action, are links that lead
    out of the folder (copied, they would let an action change what is outside), pipes and devices, more than 100,000
    files or 1 GiB (a file with holes counts with its holes), folders more than 64 deep, and paths of more than 2,000
    bytes; of an action also more than 64 MiB that it has changed. All this is seen before a file is read.

    With a journal, a digest of the files is written down at the start. A search can be resumed from the same files
    only, since it saw no others: where `source` is not as it was, be it by an earlier commit, `start` raises
    `StaleBranch`. Restored, it is searched and changed again as before.

    For all other fields see `Sandbox`. Cost of a step: a copy of the folder and one call of `act`; the files of all
    states stay on the disk until the search ends.
    """

    ignore: tuple[str, ...] = (".git", "__pycache__")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.ignore, str):
            object.__setattr__(self, "ignore", (self.ignore,))

    def _first(self, scratch: Scratch) -> tuple[Any, Any]:
        source = Path(self.source).resolve()
        if not source.is_dir():
            raise ConfigError(f"{source} is not a folder")
        try:
            folder = changing.copied(source, scratch.new() / source.name, self.ignore)
            world = Folders(changing.known(folder, self.ignore), folder)
        except (ValueError, OSError) as error:
            raise ConfigError(f"{source}: {error}") from error
        return world, self._answer(world)

    def _checkout(self, world: Folders, scratch: Scratch) -> Path:
        with _kept():
            return changing.copied(world.here, scratch.new() / world.here.name, self.ignore)

    def _keep(self, folder: Path, world: Folders, action: str, scratch: Scratch) -> tuple[Any, Any]:
        after = Folders(world.first, folder)
        return after, self._answer(after)

    def _answer(self, world: Folders) -> Any:
        with _kept():
            if self.render is None:
                return patch(*changing.between(world.first, world.here, self.ignore))
            contained(world.here, self.ignore)
        return self.render(world.here)

    def _prints(self, folder: Path) -> dict[str, str]:
        with _kept():
            return prints(folder, self.ignore)

    # ---------------------------------------------------------------- whole attempts, see `Workspace`

    def _base(self, first: Folders) -> str:
        return self._digest(first)

    def _taken(self, folder: Path, first: Folders, said: str, scratch: Scratch) -> tuple[str, Any]:
        with _kept():
            before, after = changing.between(first.first, folder, self.ignore)
        return patch(before, after), changing.dumped(changing.of(before, after))

    def _made(self, stored: Any, first: Folders, scratch: Scratch) -> Path:
        folder = self._checkout(first, scratch)
        with _stale(""):
            changing.made(changing.loaded(stored), folder, self.ignore)
        return folder

    def _landed(self, base: str, stored: Any, scratch: Scratch) -> str:
        with _stale(": nothing was written"):
            changed = changing.loaded(stored)
        self._write(changed, self._prints(Path(self.source).resolve()))
        return "\n".join(changed)

    async def start(self, prompt: Prompt, run: Run) -> Episode:
        """A copy of `source`; raises `StaleBranch` if a resumed search began with other files."""
        state = await super().start(prompt, run)
        with run.child("source", role="plan") as checking:
            await self._check_source(state, checking)
        return state

    async def _check_source(self, state: Episode, run: Run) -> None:
        scratch = run.resource(self, Scratch)
        found = await self._thread(lambda: self._digest(state.world), scratch, run)

        async def noted() -> str:
            return found

        if await run.once("source", noted, harmless=True) != found:
            raise StaleBranch(
                f"{self.source} is not as it was when this search began, perhaps because the search has changed it: "
                "restore it to resume, or use a new journal to go on from how it is now"
            )

    def _digest(self, world: Folders) -> str:
        known = [[os.fsencode(name).hex(), found] for name, found in world.first.prints.items()]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    async def commit(self, state: Episode, run: Run) -> Transition[Episode]:
        """Bring the changes of `state` back to `source`: files written, replaced and removed, nothing else touched.

        Raises `StaleBranch`, having changed nothing, if `source` has other content where it would be changed than when
        the search began. Interrupted and called again, it goes on.
        """
        scratch = run.resource(self, Scratch)
        with run.traced("commit", role="plan") as span:
            changed = await self._thread(lambda: self._bring_back(state.world, scratch), scratch, run)
            span.text = "\n".join(changed)[:400]
        return Transition(state, "\n".join(changed), state.reward, state.ended)

    def _bring_back(self, world: Folders, scratch: Scratch) -> list[str]:
        """Blocking; returns the paths that are other than before this, or than what was brought back before."""
        before, after = scratch.landed, self._prints(world.here)
        if before is None:
            before = dict(world.first.prints)
        names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
        with _kept():
            new = read(world.here, names, self.ignore)
        changed = {name: (before.get(name, ""), new.get(name)) for name in names}
        self._write(changed, self._prints(Path(self.source).resolve()))
        scratch.landed = after
        return names

    def _write(self, changed: changing.Changes, now: Mapping[str, str]) -> None:
        """What of it is not there yet, into `source`, where it is as `now` says."""
        target = Path(self.source).resolve()
        with _stale(": nothing was written"):
            left = changing.taken(changed, now, self.ignore, str(target))
        try:
            changing.brought_back(changed, left, target)
        except OSError as error:
            raise CallError(f"{target} could not be changed: {error}; what was written so far stays") from error


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Errors of looking at what an action left."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CallError(f"the action left a folder that cannot be kept: {error}") from error


@contextlib.contextmanager
def _stale(then: str) -> Iterator[None]:
    """Errors of changing what is not as it was."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise StaleBranch(f"{error}{then}") from error
