"""The trace of a search: a tree of spans, one for every call and every group of concurrent calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from time import perf_counter
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from searchkit.kinds import described
from searchkit.tally import Tally
from searchkit.types import NO_USAGE, Role, Usage

Status = Literal["open", "ok", "error", "cancelled"]
T = TypeVar("T")


_STORED = (
    "after", "began", "ended", "error", "index", "kind", "name", "place", "replayed", "role", "status", "text",
    "waiting",
)  # fmt: skip


class _Rare(Generic[T]):
    """A field that few spans have: kept in a dictionary, and that only where the field is not `default`."""

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Span, owner: type | None = None) -> T:
        return self._default if span._rare is None else span._rare.get(self._name, self._default)

    def __set__(self, span: Span, value: T) -> None:
        if span._rare is None and value == self._default:
            return
        if span._rare is None:
            span._rare = {}
        span._rare[self._name] = value


class Span:
    """One node of the trace.

    kind: "search" (a strategy), "group" (concurrent children), "item" (one of them) or "call" (one request or check).
    usage: this span's own, not its children's; retried: what failed attempts before it cost. waiting: nothing has been
    sent yet. text: what came out, for people. place: of a call that an agent made by itself, which others may overtake:
    what it asked, and how often that was asked before; "" of all others. replayed: taken from a journal or cache.
    after: how many outcomes of its group had been taken when an item began, which may depend on them. began, ended:
    seconds on `time.perf_counter`.

    A tree search makes eight for every node, so that they are small: 120 bytes and the two times.
    """

    __slots__ = (
        "_rare", "began", "children", "ended", "index", "kind", "name", "role", "status", "text", "usage",
    )  # fmt: skip
    after: _Rare[int] = _Rare(0)
    error: _Rare[str] = _Rare("")
    place: _Rare[str] = _Rare("")
    replayed: _Rare[bool] = _Rare(False)
    retried: _Rare[Usage] = _Rare(NO_USAGE)
    waiting: _Rare[bool] = _Rare(False)

    def __init__(self, name: str, kind: str, index: int = 0, role: Role = "generate") -> None:
        self.name: str = name
        self.kind: str = kind
        self.index: int = index
        self.role: Role = role
        self.children: Sequence[Span] = ()
        self.usage: Usage = NO_USAGE
        self.status: Status = "open"
        self.text: str = ""
        self.began: float = perf_counter()
        self.ended: float = 0.0
        self._rare: dict[str, Any] | None = None

    def add(self, name: str, kind: str, index: int = 0, role: Role = "generate") -> Span:
        child = Span(name, kind, index, role)
        if self.children:
            self.adopt(child)
        else:
            self.children = [child]
        return child

    def adopt(self, child: Span) -> None:
        """Make `child` the last of this span's children."""
        if isinstance(self.children, list):
            self.children.append(child)
        else:
            self.children = [*self.children, child]

    def end(self, status: Status, error: BaseException | None = None) -> None:
        self.status, self.ended = status, perf_counter()
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
            stack.extend(reversed(span.children))

    def total(self) -> Usage:
        """Usage of this span and everything below it."""
        if not self.children and self._rare is None:
            return self.usage
        tally, stack = Tally(), [self]
        while stack:
            span = stack.pop()
            if span.usage is not NO_USAGE or span._rare is not None:
                tally.add(span.usage + span.retried if span._rare is not None else span.usage)
            stack += reversed(span.children)
        return tally.usage

    def sequential_tokens(self) -> int:
        """Generated tokens on the longest chain of calls that waited for one another: the critical path.

        Children of a group ran side by side, but for those that began after others; children of anything else ran one
        after another.
        """
        best: dict[int, int] = {}
        for span in reversed(list(self.walk())):  # children before parents
            below = span.chained([best.pop(id(c)) for c in span.children]) if span.children else 0
            best[id(span)] = span.usage.generated_tokens + below
        return best[id(self)]

    def chained(self, lengths: Sequence[int]) -> int:
        """The longest chain of children that waited for one another, of these lengths."""
        if self.kind != "group":
            return sum(lengths)
        ends = [0]  # of the longest chain among the first i children
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
            setattr(span, name, stored[name])
        span.usage, span.retried = Usage(**stored["usage"]), Usage(**stored["retried"])
        span.children = [cls.load(c) for c in stored["children"]]
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
