"""Walking down from the root to a node that can be expanded, by any rule that rates children."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from searchkit.errors import ConfigError
from searchkit.tree import ROOT, Tree

T = TypeVar("T")


@dataclass(frozen=True)
class Widening:
    """Progressive widening: a node with N visits may have fewer than c * N ** alpha children before it gets another.

    Needs a search with `expansions` > 1, which bounds how often a node is asked for more. alpha in (0, 1]; 0.25 to 0.5
    is usual. With c = 1 and alpha = 0.5 a node gets its second child at 2 visits, its third at 5, its fourth at 10.
    """

    c: float = 1.0
    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.c < math.inf or not 0 < self.alpha <= 1:
            raise ConfigError(f"Widening needs c > 0 and alpha in (0, 1], got {self.c} and {self.alpha}")

    def allows(self, children: int, visits: int) -> bool:
        return children < self.c * math.pow(visits, self.alpha)


class Descent(ABC):
    """A rule that walks down to the open child with the greatest rating, of equals the first.

    A node that may get more children (see `TreeSearch.expansions`) gets them when its `widening` says so, or, without
    one, when everything below it is closed.
    """

    widening: Widening | None

    @abstractmethod
    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float | None:
        """The rating of an open child; None for one that comes before all that are rated. shared: see below."""

    def shared(self, tree: Tree, parent: int) -> float:
        """What the ratings of all children have in common: ln N of the visits of `parent` that were started."""
        return math.log(max(1, tree.visits[parent] + tree.in_flight[parent]))

    def choose(self, tree: Tree, parent: int, children: Sequence[int]) -> int:
        """The first child that comes before all others, else the one with the greatest rating, of equals the first."""
        rate, shared, best, chosen = self.rate, self.shared(tree, parent), -math.inf, children[0]
        for child in children:
            rating = rate(tree, parent, child, shared)
            if rating is None:
                return child
            if rating > best:
                best, chosen = rating, child
        return chosen

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        """The node to expand; None if every one is closed, or in flight.

        A leaf in flight cannot be expanded a second time, so a node below which nothing else is open is passed over,
        and the walk starts again.
        """
        passed: set[int] = set()
        while ROOT not in passed and not tree.closed[ROOT]:
            node = ROOT
            while tree.expanded[node]:
                if self._widens(tree, node):
                    return node
                below = tree.children(node)
                open_ones = [c for c in below if not tree.closed[c] and c not in passed and _free(tree, c)]
                if not open_ones:
                    break
                node = open_ones[0] if len(open_ones) == 1 else self.choose(tree, node, open_ones)
            else:
                if _free(tree, node):
                    return node
            passed.add(node)
        return None

    def _widens(self, tree: Tree, node: int) -> bool:
        if tree.full[node]:
            return False
        children = tree.children(node)
        if busy(tree, node):
            return False
        if self.widening is not None and self.widening.allows(len(children), tree.visits[node] + tree.in_flight[node]):
            return True
        return all(tree.closed[c] for c in children)


def started(tree: Tree, node: int) -> int:
    """The visits of `node`, those in flight included; 1 where it was expanded, or that failed, and nothing came back.

    So 0 means untouched. A node whose evaluation abstains would otherwise look untouched for ever.
    """
    known = tree.visits[node] + tree.in_flight[node]
    return known or int(bool(tree.expanded[node]) or tree.failures[node] > 0)


def busy(tree: Tree, node: int) -> bool:
    """Whether `node` itself, not only something below it, is being expanded."""
    flying = tree.in_flight
    return flying[node] > 0 and flying[node] > sum([flying[child] for child in tree.children(node)])


def is_free(tree: Tree, node: int) -> bool:
    """Whether `node` may get a child and is not getting one now."""
    return not (tree.closed[node] or tree.full[node] or (tree.in_flight[node] and busy(tree, node)))


def onward(tree: Tree, node: int | None) -> int | None:
    """The newest child of `node` that nothing was drawn from yet, to follow a path to its end; None at its end."""
    children = [] if node is None else tree.children(node)
    return next((child for child in reversed(children) if not tree.drawn[child] and is_free(tree, child)), None)


def remembered(tree: Tree, make: Callable[[], T]) -> T:
    """What a rule knows of `tree` beside its columns: made at the first look, and kept with it."""
    if not tree.frontier:
        tree.frontier.append((make(),))
    found: T = tree.frontier[0][0]
    return found


def settled(tree: Tree, asked: Sequence[int]) -> tuple[list[int], list[int]]:
    """Of the nodes that were chosen, those that are expanded no more, in order, and those that still are."""
    return sorted(node for node in asked if not busy(tree, node)), [node for node in asked if busy(tree, node)]


def _free(tree: Tree, node: int) -> bool:
    return bool(tree.expanded[node]) or not tree.in_flight[node]


def check(rule: object, **bounds: tuple[float, float]) -> None:
    """Raises `ConfigError` if a number of a selection rule is outside its (closed) bounds."""
    for name, (low, high) in bounds.items():
        value = getattr(rule, name)
        if not low <= value <= high or math.isinf(value):
            raise ConfigError(f"{type(rule).__name__} needs a finite {name} in [{low}, {high}], got {value}")
