"""Containers that the tests and the program hold both: what one of them changes, the other is told of.

A list that a test hands over or is given is one list in plain Python, and two here. Both sides keep a table of those
that both hold, in the same order; each message says first which of them have changed since the last one. Which ones the
program still holds when a call has ended, it counts by their references (`held`): these stay in the table, all others
leave it. Runs inside the sandbox.
"""

from __future__ import annotations

import operator
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from searchkit.sandbox import arrays, given
from searchkit.sandbox.wire import KINDS, TAGS, Seen, contents, is_mutable, refill, shallow

Numbers = Callable[[Any], Any]
VALUES = (str, bytes, int)  # parts that may be made anew each time
NESTING = (tuple, frozenset)
SIMPLE = frozenset((str, bytes, int, float, bool, type(None)))  # without parts
MOST_WORK = 10_000_000  # parts that one side looks at in a test; some 25 ns each
ONE = 16  # what a look at a container costs beside its parts, in parts


class Shared(Seen):
    """The table of one side. kept: how many of the first ones outlive the call. work: how many parts were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: int = 0
        self.work: int = 0
        self._states: list[list[Any]] = []  # the parts of each container as the other side knows them
        self._moved: dict[int, list[Any]] = {}

    def moved(self) -> list[int]:
        """The places of those that have changed here since the last message."""
        for i, (one, before) in enumerate(zip(self.objects, self._states, strict=False)):
            parts = _parts(one)
            self.work += len(parts) + ONE
            if _differ(parts, before):
                self._moved[i] = parts
        return list(self._moved)

    def changes(self, number: Numbers) -> list[Any]:
        """What has changed here, as [place, value]. It counts as told once `settle` was called."""
        if not self.objects:
            return []
        return [[i, shallow(self.objects[i], number, self)] for i in self.moved()]

    def apply(self, changes: list[Any], known: Callable[[str, Any], Any]) -> None:
        """Change here what has changed there."""
        for i, packed in changes:
            value = contents(packed, known, self)
            refill(self.objects[i], value)
            if i < len(self._states):
                self._states[i] = _parts(self.objects[i])

    def settle(self) -> None:
        """The other side knows all containers as they are now."""
        if self._moved:
            for i, parts in self._moved.items():
                self._states[i] = parts
            self._moved = {}
        if len(self._states) < len(self.objects):
            self._states += map(_parts, self.objects[len(self._states) :])

    def forget(self, known: int) -> None:
        super().forget(known)
        self._states, self._moved = self._states[:known], {}

    def keep(self, places: list[int]) -> None:
        """Those at these places, too, and none of the others."""
        if not places and len(self.objects) == self.kept:
            return
        found = [self.objects[i] for i in places]
        self.forget(self.kept)
        for one in found:
            self.add(one)
        self.kept = len(self.objects)
        self.settle()

    def held(self, answer: list[Any]) -> list[int]:
        """The places of new containers that something beyond the table and the answer refers to.

        answer: a list that holds the answer, and is the only thing that does.
        """
        if len(self.objects) == self.kept:
            return []
        del self._states[self.kept :]
        graph, inner = self.objects[self.kept :], defaultdict[int, int](int)
        first = len(graph)
        _count([answer, *graph], inner, graph)
        counts = list(map(sys.getrefcount, graph))
        roots = [
            one
            for i, (one, count) in enumerate(zip(graph, counts, strict=True))
            if count - inner[id(one)] > _ALONE + (i < first) or overlaps(one)
        ]
        reached = {id(one) for one in _reached(roots)}
        return [i for i, one in enumerate(self.objects) if i >= self.kept and id(one) in reached]


def overlaps(value: Any) -> bool:
    """Whether it is an array that shares its elements with something that is still there."""
    return arrays.is_array(value) and value.base is not None and sys.getrefcount(value.base) > _BASE


def _count(containers: list[Any], inner: dict[int, int], graph: list[Any]) -> None:
    """Count how often they refer to containers. Tuples with containers in them are added to the graph."""
    waiting, tuples = list(containers), set[int]()
    while waiting:
        for part in _nested(waiting.pop()):
            inner[id(part)] += 1
            if type(part) in NESTING and id(part) not in tuples:
                tuples.add(id(part))
                graph.append(part)
                waiting.append(part)


def _reached(roots: list[Any]) -> list[Any]:
    found = {id(one): one for one in roots}
    waiting = list(roots)
    while waiting:
        for part in _nested(waiting.pop()):
            if id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    return list(found.values())


def _nested(container: Any) -> list[Any]:
    """The parts that are containers themselves."""
    if arrays.is_array(container):
        return []
    parts = _parts(container)
    if SIMPLE.issuperset(map(type, parts)):
        return []
    return [part for part in parts if type(part) in NESTING or is_mutable(part)]


def _parts(container: Any) -> list[Any]:
    """What it holds. Containers in it are remembered by themselves."""
    if arrays.is_array(container):
        return [f"{container.dtype.str}{container.shape}", container.tobytes()]
    if given.is_given(container):
        return given.parts(container)
    return list(TAGS[KINDS[type(container)]][1](container))


def _differ(parts: list[Any], before: list[Any]) -> bool:
    if len(parts) == len(before) and all(map(operator.is_, parts, before)):
        return False
    return len(parts) != len(before) or any(
        one is not other and not (type(one) in VALUES and type(other) is type(one) and one == other)
        for one, other in zip(parts, before, strict=True)
    )


[_ALONE] = map(sys.getrefcount, [[]])
"""How often a container is referred to that is in one list and nowhere else."""


def _alone() -> int:
    class Holder:
        base: Any = None

    one = Holder()
    one.base = []
    return sys.getrefcount(one.base)


_BASE = _alone()
"""How often what only one attribute refers to is referred to."""
