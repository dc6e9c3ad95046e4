"""UCT: upper confidence bounds applied to trees, with evaluations in flight counted as in WU-UCT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.strategies.tree.policies.descent import Descent, Widening, check, started
from searchkit.tree import Tree

Q = Literal["mean", "max"]


@dataclass(frozen=True)
class UCT(Descent):
    """The child with the greatest Q + c * sqrt(ln N / n); children never started come first, in order.

    Q is the child's mean value, or its best if `q` is "max". N and n count the visits of parent and child that were
    started, those in flight included, so that concurrent selections spread; Q knows finished ones only (WU-UCT). A
    child that was tried, but from which no value came back, counts as one visit as good as its parent. c is on the
    scale of the values: rescaling both changes nothing, and c = 0 is greedy. virtual_loss (>= 0, for a mean): instead
    let each evaluation in flight lower Q as if it had returned this much below zero. widening: when a node gets more
    children. Ties go to the first child.
    """

    c: float = 1.0
    q: Q = "mean"
    virtual_loss: float | None = None
    widening: Widening | None = None

    def __post_init__(self) -> None:
        check(self, c=(0, math.inf))
        check_q(self.q)
        if self.virtual_loss is not None:
            check(self, virtual_loss=(0, math.inf))
            if self.q == "max":
                raise ConfigError('a virtual loss lowers a mean: use q="mean", or virtual_loss=None with q="max"')

    def rate(self, tree: Tree, parent: int, child: int, shared: float) -> float | None:
        n = started(tree, child)
        return self._value(tree, parent, child) + self.c * math.sqrt(shared / n) if n else None

    def _value(self, tree: Tree, parent: int, child: int) -> float:
        visits, pending = tree.visits[child], tree.in_flight[child]
        if self.virtual_loss is not None and pending:
            return (tree.total[child] - self.virtual_loss * pending) / (visits + pending)
        if not visits:  # started, but nothing has come back: as good as its parent, for all we know
            return tree.mean(parent)
        return value(tree, child, self.q)


def value(tree: Tree, node: int, q: Q) -> float:
    """What came back through `node`, which has visits: the mean, or the best."""
    return tree.best[node] if q == "max" else tree.total[node] / tree.visits[node]


def check_q(q: str) -> None:
    if q not in ("mean", "max"):
        raise ConfigError(f'q is "mean" or "max", got {q!r}')
