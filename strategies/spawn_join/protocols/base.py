"""What a spawn/join protocol is: how a model asks for children, and how their answers are put before it.

A thread is a `Prompt` that grows. Model output is untrusted: it is searched for fixed marks, and never evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from searchkit.errors import ConfigError
from searchkit.types import Prompt, Sample


@dataclass(frozen=True, slots=True)
class Task:
    """What one child is handed: all that it will see. Without a prompt it cannot be done, and `problem` says why.

    name: how the parent refers to it.
    """

    prompt: Prompt | None
    name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Spawn:
    """A request for children, in the order in which their answers are wanted. problem: why it has no tasks."""

    tasks: tuple[Task, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Slip:
    """The model wrote what only the runtime may write. thread: how it goes on instead; added: the runtime's words."""

    thread: Prompt
    added: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What a child came to: the text that it returned; None if it failed, and then `failure` says why."""

    text: str | None
    failure: str = ""


class SpawnProtocol(Protocol):
    """How spawn and join look to a model. All methods are pure."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings for each part that a thread writes."""
        ...

    def opening(self, prompt: Prompt, spawns: bool) -> Prompt:
        """What a thread is shown at first. spawns: whether it may have children."""
        ...

    def read(self, thread: Prompt, part: Sample[Any]) -> Spawn | Slip | None:
        """What `part`, written behind `thread`, asks for; None if the thread has ended with it."""
        ...

    def join(
        self, thread: Prompt, part: Sample[Any], spawn: Spawn, results: Sequence[Returned], note: str
    ) -> tuple[Prompt, str]:
        """The thread with the spawn answered, and the text that was put in.

        results: of the first tasks of `spawn`, in its order. note: what was refused besides, "" if nothing was.
        """
        ...

    def text(self, opened: Prompt, thread: Prompt, part: Sample[Any] | None) -> str:
        """What the thread has to say so far. opened: how it began; part: what it wrote last, if not yet in it."""
        ...

    def returned(self, sample: Sample[Any]) -> str | None:
        """What a child's parent is told; None if the child failed."""
        ...

    def below(self) -> SpawnProtocol:
        """The protocol of the children's own threads."""
        ...


class InText:
    """Spawn and join inside one growing assistant turn, between fixed marks.

    Decoding stops where a spawn block ends, and where the model begins a join block, which only the runtime may write:
    it puts the beginning of a spawn block there instead. The spawn block is then cut out, and the join block put in its
    place. A text that ends within a spawn block, as some servers leave it, is taken as if the block had been closed.
    (Servers that neither keep nor name the stop string that fired leave such a text; there a join block that the model
    begins is cut off, but cannot be told from the end of the text.)
    Needs a generator that continues an assistant turn (`Prompt.prefix`), else `NeedsPrefix` is raised after the spawn.
    """

    OPEN: ClassVar[str]
    CLOSE: ClassVar[str]
    JOIN: ClassVar[str]

    @property
    def stops(self) -> tuple[str, ...]:
        return self.JOIN, self.CLOSE

    def opening(self, prompt: Prompt, spawns: bool) -> Prompt:
        if prompt.prefix_ids is not None and not prompt.prefix:
            raise ConfigError("a thread is continued as text: give the beginning of its turn as prefix=")
        return prompt

    def read(self, thread: Prompt, part: Sample[Any]) -> Spawn | Slip | None:
        text, mark = self._until_mark(part)
        if mark == self.JOIN:
            return Slip(thread.continued(text + self.OPEN), self.OPEN)
        whole, begin = self._block(thread, text)
        if part.truncated or (not mark and (part.stop_reason is not None or begin is None)):
            return None
        if begin is None:
            return Spawn(problem=f"{self.CLOSE} without {self.OPEN}")
        return self.parse(thread, whole[:begin], whole[begin + len(self.OPEN) :])

    def parse(self, thread: Prompt, before: str, block: str) -> Spawn:
        """The tasks of a spawn block. before: the turn up to it."""
        raise NotImplementedError

    def block(self, spawn: Spawn, results: Sequence[Returned], note: str) -> str:
        """The join block."""
        raise NotImplementedError

    def join(
        self, thread: Prompt, part: Sample[Any], spawn: Spawn, results: Sequence[Returned], note: str
    ) -> tuple[Prompt, str]:
        whole, begin = self._block(thread, self._until_mark(part)[0])
        added = self.block(spawn, results, note)
        return replace(thread, prefix=whole[:begin] + added, prefix_ids=None), added

    def text(self, opened: Prompt, thread: Prompt, part: Sample[Any] | None) -> str:
        return thread.prefix[len(opened.prefix) :] + (part.text if part is not None else "")

    def _until_mark(self, part: Sample[Any]) -> tuple[str, str]:
        """The text before the first mark that ends a part, and that mark; the backend may have ignored stop strings."""
        text = part.text
        found = [(at, stop) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            at, mark = min(found)
            return text[:at], mark
        return text, part.stop_reason if part.stop_reason in self.stops else ""

    def _block(self, thread: Prompt, text: str) -> tuple[str, int | None]:
        """The turn with `text`, and where the last spawn block begins in it; None if it has none.

        What was there before `text` is settled, but for the beginning of a block that the runtime wrote itself.
        """
        settled = len(thread.prefix.removesuffix(self.OPEN))
        whole = thread.prefix + text
        begin = whole.rfind(self.OPEN, settled)
        return whole, None if begin < 0 else begin
