"""Workspace: the files of one attempt, and what it did to them; `AttemptWorld`: where they come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from searchkit.codec import Codec
from searchkit.errors import SearchkitError
from searchkit.protocols import Run
from searchkit.types import Message, Sample, Text

O = TypeVar("O")  # noqa: E741
CLOSED = (
    "the files of this workspace are not there now: they are while its agent works, and while a verifier judges that "
    "asks for them, such as a Predicate of a function with a parameter `workspace: Workspace`; `diff` stays"
)


@runtime_checkable
class AttemptWorld(Protocol):
    """Files that each attempt of an agent has a copy of: `FolderEnvironment`, `GitEnvironment`."""

    def opened(self, changes: str, run: Run) -> AbstractAsyncContextManager[Path]:
        """The files as an attempt left them, "" as it finds them, in a folder of their own that is then removed."""
        ...

    async def taken(self, folder: Path, said: str, run: Run) -> tuple[str, str]:
        """What an attempt did in such a folder: a patch for readers, and the changes for `opened`."""
        ...

    async def bring_back(self, changes: str, run: Run) -> str:
        """Make these changes to the original; says what was changed."""
        ...

    def holding(self, run: Run) -> Callable[[Callable[[], O]], O]:
        """What is called with work on a thread that may outlive the search."""
        ...


@dataclass(frozen=True)
class Workspace:
    """The files that one attempt works in, and, once it has ended, what it did: the value of its sample.

    - diff: the patch from the original to what the attempt left, in git's format; "" before it has ended.
    - said: what the agent returned.
    - changes: the same as `diff`, whole and as JSON, binary files included.
    - world: where it comes from.
    - folder: where its files are, see `path`.

    An agent is given one by a parameter annotated `Workspace`, where the search has a ``world=``. Equal are those of
    equal changes of which the same was said.

    >>> import tempfile
    >>> from searchkit import Function, solve_sync
    >>> from searchkit.agents import Workspace
    >>> from searchkit.environments import FolderEnvironment
    >>> from searchkit.strategies import BestOfN
    >>> from searchkit.verifiers import Predicate
    >>> def greet(task: str, workspace: Workspace) -> str:
    ...     (workspace.path / "greeting.txt").write_text(task)
    ...     return "done"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     agent = Function(greet, world=FolderEnvironment(folder))
    ...     answer = solve_sync("hello", BestOfN(2, Predicate(lambda one: "hello" in one.diff)), generator=agent).answer
    >>> print(answer.said, answer.diff.splitlines()[-2])
    done +hello
    """

    diff: str = field(default="", repr=False)
    said: Any = None
    changes: str = field(default="", repr=False)
    world: AttemptWorld | None = field(default=None, repr=False, compare=False)
    folder: Path | None = field(default=None, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.changes)

    @property
    def path(self) -> Path:
        """The folder with its files: while its agent works, and while a verifier judges that asks for them.

        What a verifier changes there is lost. Raises `SearchkitError` at any other time.
        """
        if self.folder is None:
            raise SearchkitError(CLOSED)
        return self.folder

    @asynccontextmanager
    async def opened(self, run: Run) -> AsyncIterator[Workspace]:
        """The same with its `path`, a new copy, for verifiers. Cost: copying its files."""
        if self.world is None:
            raise SearchkitError("this workspace is of no world: only attempts in a search with world= have files")
        async with self.world.opened(self.changes, run) as folder:
            yield replace(self, folder=folder)


@asynccontextmanager
async def attempted(world: AttemptWorld, run: Run) -> AsyncIterator[Workspace]:
    """The workspace of an attempt that begins."""
    async with world.opened("", run) as folder:
        yield Workspace(world=world, folder=folder)


async def ended(workspace: Workspace, sample: Sample[Any], run: Run) -> Sample[Workspace]:
    """What an agent returned that worked there, as a sample of what it did. Its text: what it said, and the patch."""
    world, said = workspace.world, sample.text if sample.value is not None else ""
    assert world is not None
    diff, changes = await world.taken(workspace.path, said, run)
    text = f"{said}\n\n{diff}" if said and diff else said or diff
    made = Workspace(diff, sample.value, changes, world)
    return replace(sample, value=made, message=Message("assistant", (Text(text),)))


def codec_in(world: AttemptWorld, inner: Codec | None) -> Codec:
    """How workspaces are stored in a journal. inner: how what their agents return is."""

    def dump(value: Any) -> Any:
        said = value.said if inner is None else inner.dump(value.said)
        return {"diff": value.diff, "said": said, "changes": value.changes}

    def load(stored: Any) -> Any:
        said = stored["said"] if inner is None else inner.load(stored["said"])
        if not isinstance(stored["diff"], str) or not isinstance(stored["changes"], str):
            raise ValueError("these are no changes of an attempt")
        return Workspace(stored["diff"], said, stored["changes"], world)

    return Codec(dump, load)
