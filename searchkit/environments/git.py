"""GitEnvironment: search over edits of a git repository's files; a state is a commit."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.changes import MOST_CHANGED
from searchkit.environments.episode import Episode
from searchkit.environments.listing import check_links, walk
from searchkit.environments.sandbox import Sandbox, Scratch
from searchkit.errors import ConfigError, StaleBranch
from searchkit.protocols import Run
from searchkit.removing import removed
from searchkit.types import Transition

QUIET = (
    "core.hooksPath=" + os.devnull, "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
    "submodule.recurse=false", "apply.whitespace=nowarn", "apply.ignoreWhitespace=no", "core.safecrlf=false",
    "i18n.commitEncoding=UTF-8", "protocol.file.allow=always",
)  # fmt: skip
PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")
KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
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
    identity is needed: commits are by searchkit, at a fixed date, so that equal paths are equal commits. Links that
    lead out, and too much, too deep or too long, are refused as in `FolderEnvironment`.

    No hook is run, no filter that attributes name (files are what the repository has of them), no fsmonitor, and
    nothing of repositories inside: an action's files are kept without any ``.git``, and submodules are empty; what
    leaves files in one is refused, since a commit cannot have them.

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
        (store / "info").mkdir(exist_ok=True)
        (store / "info" / "attributes").write_text("* -filter\n")  # comes before all attributes that files name
        world = Commits(store, commit, commit)
        folder = self._checkout(world, scratch)
        try:
            return world, self._answer(folder, world)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from error
        finally:
            removed(folder.parent)

    def _checkout(self, world: Commits, scratch: Scratch) -> Path:
        folder = scratch.new() / Path(self.source).resolve().name
        folder.mkdir(parents=True)
        git("read-tree", "--reset", "-u", world.here, folder=folder, store=world.store)
        return folder

    def _keep(self, folder: Path, world: Commits, action: str, scratch: Scratch) -> tuple[Any, Any]:
        try:
            with _kept():
                after = self._committed(folder, world, action)
                return after, self._answer(folder, after)
        finally:
            removed(folder.parent)

    def _committed(self, folder: Path, world: Commits, said: str) -> Commits:
        """What is in `folder` as a commit on top of `world`. Raises `ValueError` for what cannot be kept."""
        for path in _repositories(folder):
            removed(path)
        sizes = _check(folder)
        if not stat.S_ISREG(os.lstat(folder.parent / "index").st_mode):
            raise ValueError("the index beside it was replaced")  # by a pipe, say, which git would wait for
        if lost := _in_submodules(sizes, printed("ls-files", "--stage", "-z", folder=folder, store=world.store)):
            raise ValueError(f"{lost} is in a submodule, of which nothing is kept: leave that folder empty")
        listing = ("ls-files", "--modified", "--others", "--exclude-standard", "-z")
        changed = printed(*listing, folder=folder, store=world.store).split(b"\0")
        size = sum(sizes.get(os.fsdecode(name), 0) for name in set(changed))
        if size > MOST_CHANGED:
            raise ValueError(f"{size:,} bytes of it were changed, and at most {MOST_CHANGED:,} are kept")
        git("add", "--all", folder=folder, store=world.store)
        return self._on_top(folder, world, said)

    def _on_top(self, folder: Path, world: Commits, said: str) -> Commits:
        """The index of `folder` as a commit on top of `world`."""
        tree = git("write-tree", folder=folder, store=world.store)
        said = said.replace("\0", "")
        made = git("commit-tree", tree, "-p", world.here, folder=folder, store=world.store, stdin=_bytes(said))
        return replace(world, here=made)

    def _answer(self, folder: Path, world: Commits) -> Any:
        """What `render` makes of the folder, else the patch."""
        _check(folder)
        return self._patch(world).decode(errors="replace") if self.render is None else self.render(folder)

    def _patch(self, world: Commits) -> bytes:
        """From the first commit to this one, whole. Raises `ValueError` for too much of it."""
        made = printed(
            "diff-tree", "-p", "--binary", "--full-index", *PLAIN, world.first, world.here, store=world.store
        )
        if len(made) > MOST_CHANGED:
            raise ValueError(f"the patch has {len(made):,} bytes, and at most {MOST_CHANGED:,} are kept")
        return made

    # ---------------------------------------------------------------- whole attempts, see `Workspace`

    def _base(self, first: Commits) -> str:
        return first.first

    def _taken(self, folder: Path, first: Commits, said: str, scratch: Scratch) -> tuple[str, Any]:
        with _kept():
            after = self._committed(folder, first, said)
            made = self._patch(after)
        return made.decode(errors="replace"), [said, base64.b64encode(made).decode()]

    def _made(self, stored: Any, first: Commits, scratch: Scratch) -> Path:
        after = self._unpacked_commit(stored, first, scratch)
        folder = self._checkout(after, scratch)
        with _kept():
            _check(folder)
        return folder

    def _unpacked_commit(self, stored: Any, first: Commits, scratch: Scratch) -> Commits:
        """The commit of these changes, made anew, and equal to the one that was."""
        folder = scratch.new() / "none"  # its index lies beside it
        folder.mkdir(parents=True)
        try:
            said, made = stored[0], base64.b64decode(stored[1], validate=True)
            git("read-tree", first.first, folder=folder, store=first.store)
            if made:
                git("apply", "--cached", "-", folder=folder, store=first.store, stdin=made)
            return self._on_top(folder, first, str(said))
        except (CallError, ValueError, TypeError, LookupError) as error:
            raise StaleBranch(f"these changes cannot be made to {self.source}: {error}") from error
        finally:
            removed(folder.parent)

    def _landed(self, base: str, stored: Any, scratch: Scratch) -> str:
        """On top of the commit that they were made to, wherever `revision` leads by now."""
        first, _ = scratch.begun(lambda: self._begin(scratch))
        if not COMMIT.fullmatch(base):
            raise StaleBranch(f"{base[:80]!r} is no commit of {self.source}")
        return self._left(self._unpacked_commit(stored, replace(first, first=base, here=base), scratch))

    def _left(self, world: Commits) -> str:
        """The name of a branch in `source` that leads to this commit, now that there is one."""
        branch = f"searchkit-{world.here[:12]}"
        ref = f"refs/heads/{branch}"
        git("update-ref", ref, world.here, store=world.store)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        git("fetch", *options, str(world.store), f"{ref}:{ref}", folder=Path(self.source).resolve())
        return branch

    async def commit(self, state: Episode, run: Run) -> Transition[Episode]:
        """Leave a branch ``searchkit-`` and the beginning of its commit's hash in `source`; the observation names it.

        Files, index and other branches stay as they are: merging is up to you. Called again, it changes nothing.
        """
        scratch = run.resource(self, Scratch)
        with run.traced("commit", role="plan") as span:
            branch = span.text = await self._thread(lambda: self._left(state.world), scratch, run)
        return Transition(state, branch, state.reward, state.ended)


def _check(folder: Path) -> dict[str, int]:
    """The sizes of all files. Raises `ValueError` for what cannot be kept."""
    found = check_links([one for one, _ in walk(folder, (".git",)) if not one.is_folder])
    return {one.name: one.size for one in found}


def _in_submodules(names: Iterable[str], staged: bytes) -> str:
    """The first of these files that is where the index has a submodule; "" if none is."""
    entries = (entry.partition(b"\t") for entry in staged.split(b"\0"))
    found = {os.fsdecode(path) for known, _, path in entries if known.startswith(b"160000 ")}
    inside = (name for name in names if found and any(str(above) in found for above in PurePosixPath(name).parents))
    return min(inside, default="")


def _repositories(folder: Path) -> list[Path]:
    """All that is called ``.git`` in a checkout: none of it is ours."""
    return [folder / one.name for one, _ in walk(folder) if one.name.rpartition("/")[2].lower() == ".git"]


@contextmanager
def _kept() -> Iterator[None]:
    """Errors of looking at what an action left."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CallError(f"the action left a folder that cannot be kept: {error}") from error


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def git(*args: str, folder: Path | None = None, store: Path | None = None, stdin: bytes = b"") -> str:
    """What `printed` gives, as a text without the blanks around it."""
    return printed(*args, folder=folder, store=store, stdin=stdin).decode(errors="replace").strip()


def printed(*args: str, folder: Path | None = None, store: Path | None = None, stdin: bytes = b"") -> bytes:
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
        ["git", *options, *args], cwd=folder or store, input=stdin, capture_output=True,
        env=known | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode:
        raise CallError(f"git {args[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
