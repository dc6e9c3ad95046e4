"""GitEnvironment: search over edits of a git repository's files; a state is a commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.episode import Episode
from searchkit.environments.patch import contained
from searchkit.environments.sandbox import Sandbox, Scratch
from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.types import Transition

QUIET = ("core.hooksPath=" + os.devnull, "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false")
KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH")
IDENTITY = {"NAME": "searchkit", "EMAIL": "searchkit@localhost", "DATE": "2000-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Commits:
    """The commit of a state and that of the first state, in a repository in the scratch folder."""

    store: Path
    first: str
    here: str


@dataclass(frozen=True)
class GitEnvironment(Sandbox):
    """States are commits on top of `revision` of the repository at `source`.

    They are made in a private repository that borrows the other's objects: nothing in that one is touched, no branch,
    index, file or object, until `commit` leaves a branch there. An action is applied to a checkout without ``.git``: it
    sees the files, not the repository. What is not committed in `source` is not seen, what git ignores is not kept. No
    hook is run and no identity needed: commits are by searchkit, at a fixed date, so that equal paths are equal
    commits. Links that lead out of the repository are refused, as in `FolderEnvironment`.

    For all other fields see `Sandbox`. Needs git 2.31 or later. Cost of a step: a checkout, half a dozen short git
    commands, and one call of `act`; only what was changed stays on the disk.
    """

    revision: str = "HEAD"

    def _first(self, scratch: Scratch) -> tuple[Any, Any]:
        source, store = Path(self.source).resolve(), scratch.new()
        try:
            commit = git("rev-parse", "--verify", "--end-of-options", self.revision + "^{commit}", folder=source)
            objects = source / git("rev-parse", "--git-path", "objects", folder=source)
            hashes = git("rev-parse", "--show-object-format", folder=source)
            git("init", "--quiet", "--bare", "--template=", f"--object-format={hashes}", str(store), folder=source)
        except (CallError, OSError) as error:
            raise ConfigError(f"{source} is no git repository with a revision {self.revision!r}: {error}") from error
        (store / "objects" / "info").mkdir(exist_ok=True)
        (store / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects.resolve()) + b"\n")
        world = Commits(store, commit, commit)
        folder = self._checkout(world, scratch)
        try:
            return world, self._answer(folder, world)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from error
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)

    def _checkout(self, world: Commits, scratch: Scratch) -> Path:
        folder = scratch.new() / Path(self.source).resolve().name
        folder.mkdir(parents=True)
        git("read-tree", "--reset", "-u", world.here, folder=folder, store=world.store)
        return folder

    def _keep(self, folder: Path, world: Commits, action: str, scratch: Scratch) -> tuple[Any, Any]:
        try:
            contained(folder, (".git",))
            git("add", "--all", folder=folder, store=world.store)
            tree = git("write-tree", folder=folder, store=world.store)
            said = action.replace("\0", "")
            made = git("commit-tree", tree, "-p", world.here, folder=folder, store=world.store, stdin=said)
            after = replace(world, here=made)
            return after, self._answer(folder, after)
        except ValueError as error:
            raise CallError(f"the action left a folder that cannot be kept: {error}") from error
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)

    def _answer(self, folder: Path, world: Commits) -> Any:
        """What `render` makes of the folder, else the patch."""
        contained(folder, (".git",))
        if self.render is not None:
            return self.render(folder)
        plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")
        return git("diff-tree", "-p", "--binary", *plain, world.first, world.here, store=world.store, strip=False)

    async def commit(self, state: Episode, run: Run) -> Transition[Episode]:
        """Leave a branch ``searchkit-`` and the beginning of its commit's hash in `source`; the observation names it.

        Files, index and other branches stay as they are: merging is up to you. Called again, it changes nothing.
        """
        scratch, world = run.resource(self, Scratch), state.world
        branch = f"searchkit-{world.here[:12]}"

        def leave() -> None:
            ref = f"refs/heads/{branch}"
            git("update-ref", ref, world.here, store=world.store)
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
            git("fetch", *options, str(world.store), f"{ref}:{ref}", folder=Path(self.source).resolve())

        with run.traced("commit", role="plan") as span:
            await self._thread(leave, scratch, run)
            span.text = branch
        return Transition(state, branch, state.reward, state.ended)


def git(*args: str, folder: Path | None = None, store: Path | None = None, stdin: str = "", strip: bool = True) -> str:
    """What a git command prints; without hooks, and blind to variables that would lead it to another repository.

    store: a private repository, of which `folder` is a checkout with an index of its own. Raises `CallError`.
    """
    options = [option for setting in QUIET for option in ("-c", setting)]
    known = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in KEPT}
    known |= {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in IDENTITY.items()}
    if store is not None:
        options += [f"--git-dir={store}"]
        if folder is not None:
            options += ["-c", "core.bare=false", f"--work-tree={folder}"]
            known["GIT_INDEX_FILE"] = str(folder.parent / "index")
    done = subprocess.run(
        ["git", *options, *args], cwd=folder or store, input=stdin.encode(errors="replace"), capture_output=True,
        env=known | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode:
        raise CallError(f"git {args[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    said = done.stdout.decode(errors="replace")
    return said.strip() if strip else said
