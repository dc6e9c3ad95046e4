"""The trace of a search: a tree of spans, one for every call and every group of concurrent calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from time import perf_counter
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from searchkit.kinds import described
from searchkit.tally import Tally
from searchkit.types import NO_USAGE, Role, Usage

Status = Literal["open", "ok", "error", "cancelled"]
T = TypeVar("T")
N = TypeVar("N", int, float)


_STORED = (
    "after", "began", "ended", "error", "index", "kind", "name", "place", "replayed", "role", "status", "text",
    "took", "waiting",
)  # fmt: skip


class _Rare(Generic[T]):
    """A field that few spans have: kept in a dictionary, and that only where the field is not `default`.

    `after`, which many items have and mostly alone, stands there by itself.
    """

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Span, owner: type | None = None) -> T:
        rare = span._rare
        if isinstance(rare, dict):
            return rare.get(self._name, self._default)  # type: ignore[no-any-return]
        return self._default if rare is None or self._name != "after" else rare  # type: ignore[return-value]

    def __set__(self, span: Span, value: T) -> None:
        rare = span._rare
        if isinstance(rare, dict):
            rare[self._name] = value
        elif self._name == "after":
            span._rare = value or None  # type: ignore[assignment]
        elif value != self._default:
            span._rare = {self._name: value} if rare is None else {"after": rare, self._name: value}


class Span:
    """One node of the trace.

    kind: "search" (a strategy), "group" (concurrent children), "item" (one of them) or "call" (one request or check).
    usage: this span's own, not its children's; retried: what failed attempts before it cost. waiting: nothing has been
    sent yet. text: what came out, for people. place: of a call that an agent made by itself, which others may overtake:
    what it asked, and how often that was asked before; "" of all others. replayed: taken from a journal or cache; took:
    how many seconds it had taken when it was made, 0 if nobody knows.
    after: how many outcomes of its group had been taken when an item began, which may depend on them. began, ended:
    seconds on `time.perf_counter`.

    A tree search makes eight for every node, so that they are small: 112 bytes and 32 for the two times, which are kept
    as one number. An only child is kept without a list, and of what a single verdict cost its seconds alone.
    """

    __slots__ = ("_below", "_rare", "_times", "_usage", "index", "kind", "name", "role", "status", "text")
    after: _Rare[int] = _Rare(0)
    error: _Rare[str] = _Rare("")
    place: _Rare[str] = _Rare("")
    replayed: _Rare[bool] = _Rare(False)
    retried: _Rare[Usage] = _Rare(NO_USAGE)
    took: _Rare[float] = _Rare(0.0)
    waiting: _Rare[bool] = _Rare(False)

    def __init__(self, name: str, kind: str, index: int = 0, role: Role = "generate") -> None:
        self.name: str = name
        self.kind: str = kind
        self.index: int = index
        self.role: Role = role
        self._below: list[Span] | Span | None = None
        self._usage: Usage | float = NO_USAGE  # or the CPU seconds of one verification
        self.status: Status = "open"
        self.text: str = ""
        self._times: complex = perf_counter()  # and, once it has ended, when: as the imaginary part
        self._rare: dict[str, Any] | int | None = None

    @property
    def children(self) -> Sequence[Span]:
        below = self._below
        return () if below is None else below if isinstance(below, list) else (below,)

    @property
    def usage(self) -> Usage:
        usage = self._usage
        return usage if isinstance(usage, Usage) else Usage(verifications=1, cpu_seconds=usage)

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def verified(self, seconds: float) -> None:
        """It was one verification, which took so many seconds of CPU, and nothing else."""
        self._usage = seconds

    @property
    def _generated(self) -> int:
        """Tokens generated for this span itself."""
        usage = self._usage
        return usage.generated_tokens if isinstance(usage, Usage) else 0

    @property
    def began(self) -> float:
        return self._times.real

    @property
    def ended(self) -> float:
        return self._times.imag

    def add(self, name: str, kind: str, index: int = 0, role: Role = "generate") -> Span:
        child = Span(name, kind, index, role)
        self.adopt(child)
        return child

    def adopt(self, child: Span) -> None:
        """Make `child` the last of this span's children."""
        below = self._below
        if below is None:
            self._below = child
        elif isinstance(below, list):
            below.append(child)
        else:
            self._below = [below, child]

    def replay(self) -> None:
        """It was taken from a journal, just now."""
        self.replayed, now = True, perf_counter()
        self._times = complex(now, now)

    def drop(self, gone: Iterable[Span]) -> None:
        """Some of its children, ended or not, count as cancelled: nobody takes what came of them."""
        for child in gone:
            child.status = "cancelled"

    def end(self, status: Status, error: BaseException | None = None) -> None:
        self.status, self._times = status, complex(self._times.real, perf_counter())
        if self.kind == "group" and isinstance(self._below, list):
            self._below = self._below[:]  # without the room to grow that it has
        if error is not None:
            self.error = described(error)

    def fail(self, error: BaseException) -> None:
        self.end("cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end("ok") if error is None else self.fail(error)

    def walk(self) -> Iterator[Span]:
        """This span and all below it, parents first, in program order. Works at any depth."""
        stack = [self]
        while stack:
            span = stack.pop()
            yield span
            below = span._below
            if isinstance(below, list):
                stack.extend(reversed(below))
            elif below is not None:
                stack.append(below)

    def total(self) -> Usage:
        """Usage of this span and everything below it."""
        if self._below is None and self._rare is None:  # a step that has asked for nothing yet, say
            return self.usage
        spent = list[Usage]()
        for span in self.walk():
            if span._rare is not None and span.retried is not NO_USAGE:
                spent.append(span.usage + span.retried)
            elif span._usage is not NO_USAGE:
                spent.append(span.usage)
        if len(spent) < 2:
            return spent[0] if spent else NO_USAGE
        tally = Tally()
        for usage in spent:
            tally.add(usage)
        return tally.usage

    def sequential_tokens(self) -> int:
        """Generated tokens on the longest chain of calls that waited for one another: the critical path.

        Children of a group ran side by side, but for those that began after others; children of anything else ran one
        after another.
        """
        best: dict[int, int] = {}  # of those with children
        parents = [self]
        for span in parents:  # grows meanwhile: all that have children, each before those below it
            parents += [child for child in span.children if child._below is not None]
        for span in reversed(parents):
            lengths = [c._generated if c._below is None else best.pop(id(c)) for c in span.children]
            best[id(span)] = span._generated + span.chained(lengths)
        return best[id(self)]

    def chained(self, lengths: Sequence[N]) -> N:
        """The longest chain of children that waited for one another, of these lengths."""
        if self.kind != "group":
            return sum(lengths)
        ends: list[N] = [0]  # of the longest chain among the first i children
        for child, length in zip(self.children, lengths, strict=True):
            ends.append(max(ends[-1], ends[child.after] + length))
        return ends[-1]

    def canonical(self) -> dict[str, Any]:
        """What is equal between two runs with the same seed and responses.

        No times, no retries, no cancelled calls, and no cached tokens: what a server had read before is its affair. An
        agent's own calls stand in the order of their places; where one failed and was made again, only the last.
        """
        usage = {f.name: v for f in fields(Usage) if (v := getattr(self.usage, f.name))}
        for volatile in ("cpu_seconds", "model_calls", "cached_tokens"):
            usage.pop(volatile, None)
        kept = [c for c in self.children if c.status != "cancelled"]
        last = {c.place: c for c in kept}
        ordered = sorted((c for c in kept if not c.place or c is last[c.place]), key=lambda c: c.place)  # stable
        children = [c.canonical() for c in ordered]
        return {
            "name": self.name, "kind": self.kind, "index": self.index, "role": self.role, "status": self.status,
            "error": self.error, "text": self.text, "usage": usage, "children": children,
        }  # fmt: skip

    def to_json(self) -> str:
        """The whole trace with times, as JSON; `from_json` makes an equal one."""
        return json.dumps(self.dumped())

    def dumped(self) -> dict[str, Any]:
        """The whole trace with times, in values of JSON; `load` makes an equal one."""
        stored = {name: getattr(self, name) for name in _STORED}
        usages = {name: asdict(getattr(self, name)) for name in ("usage", "retried")}
        return {**stored, **usages, "children": [c.dumped() for c in self.children]}

    @classmethod
    def from_json(cls, text: str) -> Span:
        return cls.load(json.loads(text))

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Span:
        """What `dumped` made."""
        span = cls(stored["name"], stored["kind"], stored["index"], stored["role"])
        for name in _STORED:
            if name not in ("began", "ended"):
                setattr(span, name, stored[name])
        span._times = complex(stored["began"], stored["ended"])
        span.usage, span.retried = Usage(**stored["usage"]), Usage(**stored["retried"])
        for child in stored["children"]:
            span.adopt(cls.load(child))
        return span

    def render(self, *, width: int = 100, most: int = 200) -> str:
        """The trace as an indented text, at most `most` lines, for a terminal."""
        lines: list[str] = []
        stack: list[tuple[Span, str, str]] = [(self, "", "")]
        while stack:
            span, lead, below = stack.pop()
            if len(lines) == most:
                return "\n".join([*lines, f"... ({len(stack) + 1} branches not shown)"])
            line = (lead + span._line()).rstrip()
            lines.append(line if len(line) <= width else line[: width - 1] + "…")
            last = len(span.children) - 1
            for i in range(last, -1, -1):
                branch, rest = ("└─ ", "   ") if i == last else ("├─ ", "│  ")
                stack.append((span.children[i], below + branch, below + rest))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """`render()`, for notebooks."""
        from searchkit.markup.tables import html_pre

        return html_pre(self.render())

    def _line(self) -> str:
        tokens = f" {self.usage.generated_tokens} tok" if self.usage.generated_tokens else ""
        index = f"[{self.index}]" if self.kind == "item" else ""
        state = "" if self.status == "ok" else f" {self.status}"
        said = self.error or self.text
        printable = "".join(c if c.isprintable() else " | " if c == "\n" else "?" for c in said.strip()[:400])
        return f"{self.name}{index}{tokens}{state}{'  ' + printable if printable else ''}"

    def __repr__(self) -> str:
        return f"<Span {self._line()[:80]}, {len(self.children)} children>"
