"""FolderEnvironment: search over edits of the files in a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.episode import Episode
from searchkit.environments.patch import File, files, ignored, patch
from searchkit.environments.sandbox import Sandbox, Scratch
from searchkit.errors import ConfigError, StaleBranch
from searchkit.protocols import Run
from searchkit.types import Prompt, Transition


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the files of a state are, and those of the first state. Neither is ever changed."""

    first: Path
    here: Path


@dataclass(frozen=True)
class FolderEnvironment(Sandbox):
    """States are copies of the folder `source`.

    ignore: names, with ``*`` and ``?``, of files and folders that are neither copied nor brought back. Links that lead
    out of the folder are refused: copied, they would let an action change what is outside. `commit` brings what the
    search changed back to `source`, unless that was changed meanwhile, and should be the last that a search does.
    Folders without files are not brought back.

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
            files(source, self.ignore)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from error
        first = self._copied(source, scratch)
        world = Folders(first, first)
        return world, self._answer(world)

    def _checkout(self, world: Folders, scratch: Scratch) -> Path:
        return self._copied(world.here, scratch)

    def _copied(self, folder: Path, scratch: Scratch) -> Path:
        new = scratch.new() / folder.name  # tools may care about the name of a project's folder
        shutil.copytree(
            folder, new, symlinks=True, ignore=lambda _, names: [n for n in names if ignored(n, self.ignore)]
        )
        return new

    def _keep(self, folder: Path, world: Folders, action: str, scratch: Scratch) -> tuple[Any, Any]:
        after = Folders(world.first, folder)
        return after, self._answer(after)

    def _answer(self, world: Folders) -> Any:
        found = self._files(world.here)
        return patch(self._files(world.first), found) if self.render is None else self.render(world.here)

    def _files(self, folder: Path) -> dict[str, File]:
        try:
            return files(folder, self.ignore)
        except ValueError as error:
            raise CallError(f"the action left a folder that cannot be kept: {error}") from error

    async def start(self, prompt: Prompt, run: Run) -> Episode:
        """A copy of `source`; raises `StaleBranch` if a resumed search began with other files."""
        state = await super().start(prompt, run)
        with run.child("source", role="plan") as checking:
            await self._check_source(state, checking)
        return state

    async def _check_source(self, state: Episode, run: Run) -> None:
        scratch = run.resource(self, Scratch)
        found = await self._thread(lambda: self._digest(state.world.here), scratch, run)

        async def noted() -> str:
            return found

        if await run.once("source", noted, harmless=True) != found:
            raise StaleBranch(
                f"{self.source} is not as it was when this search began, perhaps because the search has changed it: "
                "restore it to resume, or use a new journal to go on from how it is now"
            )

    def _digest(self, folder: Path) -> str:
        found = hashlib.sha256()
        for name, file in self._files(folder).items():
            for part in (os.fsencode(name), file.mode.encode(), file.content):
                found.update(b"%d:" % len(part) + part)
        return found.hexdigest()

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
        target = Path(self.source).resolve()
        before, after, now = scratch.landed, self._files(world.here), self._files(target)
        if before is None:
            before = self._files(world.first)
        changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
        left = [name for name in changed if now.get(name) != after.get(name)]
        will_be = (now.keys() - changed) | (after.keys() & set(changed))
        stale = [name for name in left if now.get(name) != before.get(name)]
        stale += [name for name in will_be if any(str(folder) in will_be for folder in PurePosixPath(name).parents)]
        if stale:
            raise StaleBranch(f"{target} has changed since the search began, see {min(stale)}: nothing was written")
        for name in left:
            if name not in after:
                _remove(target, name)
        for name in left:
            if name in after:
                _replace(target / name, world.here / name)
        scratch.landed = after
        return changed


def _remove(root: Path, name: str) -> None:
    """Remove a file, and the folders around it that are empty then."""
    path = root / name
    path.unlink()
    for folder in path.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()


def _replace(path: Path, source: Path) -> None:
    """Copy a file or link so that at any time the old one is there or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".searchkit-") as beside:
        new = Path(beside) / "new"
        shutil.copy2(source, new, follow_symlinks=False)
        os.replace(new, path)
