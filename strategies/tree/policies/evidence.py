"""What the scores in a tree have shown: what children gain, how far that is taken back, and what a draw costs."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from searchkit.strategies.tree.policies.ranked import Ranked
from searchkit.tree import NO_PARENT, ROOT, Tree

PRIOR, WEIGHT = 0.2, 4.0  # gains are taken back by so much, until more than this many have been seen
SURE, UNSURE = 2.0, 0.2  # a draw is worth this many shares of the spread, where no gain or every gain is taken back
POOLED = 2.0  # weight of the whole tree beside each child of a node itself
UNSEEN = 0.01  # weight of a gain as great as the spread, which nobody has seen
DIFFERENCES = 30.0  # gains as many as which the differences of the root's children count
SURELY = 1.4  # times as far from the parent's score as from the mean: drafts that change much come to about 1
FEW, ALIKE = 4, 0.15  # gains before which nothing is said of hints; differences of siblings, in shares of the spread
UNKNOWN = 64  # draws that a search may make whose end nobody knows, at least


class _Mixture(NamedTuple):
    """Gains with weights: `parts` each with its own, the pooled ones with one; the sum of all weights, and the mean."""

    parts: list[tuple[float, Sequence[float]]]
    pooled: float
    total: float
    mean: float


class Evidence:
    """Read off the tree again and again; `update` looks at what is new only.

    The first state is no step, and what it scores, an empty text say, has no say here. gains: by how much the other
    nodes score higher than their parents, ascending. differences: by how much the root's children score higher than
    their mean: what gains may be while few are known. low, high: the least and the greatest score; scored: how many
    there are.
    """

    __slots__ = (
        "_above",
        "_alike",
        "_apart",
        "_children",
        "_seen",
        "_total",
        "_waiting",
        "differences",
        "gains",
        "high",
        "low",
        "scored",
        "squares",
    )

    def __init__(self) -> None:
        self.gains: Ranked = Ranked()
        self.differences: list[float] = []
        self.low: float = math.inf
        self.high: float = -math.inf
        self.scored: int = 0
        self.squares: float = 0.0  # of the gains
        self._above: float = 0.0  # squares of the gains before those, where both are known
        self._alike: float = 0.0  # products of the two
        self._children: tuple[float, float] = 0.0, 0.0  # the sum of the scores that gains led to, and of their squares
        self._total: float = 0.0  # of all scores
        self._apart: list[float] = []  # by how much the scores of a child and of the next one differ, ascending
        self._seen: int = 0
        self._waiting: list[int] = []  # nodes whose score is not known yet

    def update(self, tree: Tree) -> None:
        """Take in the scores that have come since."""
        nodes, self._waiting = [*self._waiting, *range(self._seen, len(tree))], []
        self._seen, first = len(tree), False
        for node in nodes:
            score, parent = tree.score[node], tree.parent[node]
            if score != score:
                if not tree.closed[node]:
                    self._waiting.append(node)
                continue
            if parent != NO_PARENT and math.isfinite(score):
                self.scored += 1
                self.low, self.high = min(self.low, score), max(self.high, score)
                self._total += score
                elder = next((c for c in reversed(tree.children(parent)) if c < node), node)
                if elder != node and math.isfinite(tree.score[elder]):
                    insort(self._apart, abs(score - tree.score[elder]))
                self._gain(tree, score, parent)
                first = first or parent == ROOT
        if first:
            scores = scores_below(tree, ROOT)
            mean = math.fsum(scores) / len(scores)
            self.differences = [score - mean for score in scores]

    def _gain(self, tree: Tree, score: float, parent: int) -> None:
        before, above = tree.score[parent], tree.parent[parent]
        if not math.isfinite(before) or parent == ROOT:
            return
        gain = score - before
        self.gains.add(gain)
        self.squares += gain * gain
        self._children = self._children[0] + score, self._children[1] + score * score
        if above != ROOT and math.isfinite(tree.score[above]):
            last = before - tree.score[above]
            self._above += last * last
            self._alike += last * gain

    @property
    def spread(self) -> float:
        """The greatest less the least score so far."""
        return max(0.0, self.high - self.low)

    @property
    def reversion(self) -> float:
        """The share of a node's gain that its children lose again, from 0 to 1: the slope of gains on gains before.

        Scores that are true keep what they gained; noise is taken back. Steps each of which may fail take back, too,
        and there as well the score of a node says less about what can be had below it.
        """
        if not self.squares:
            return PRIOR
        prior = WEIGHT * self.squares / len(self.gains)
        return min(1.0, max(0.0, (PRIOR * prior - self._alike) / (prior + self._above)))

    @property
    def hints(self) -> bool:
        """Whether scores are hints at something hidden, rather than levels that are built on.

        The first where the mean of all scores tells the score of a child clearly better than its parent does, and
        where siblings, most of which have the same fate, differ: the middle difference of one and the next is more
        than a share of the spread (`ALIKE`). Few gains count against it.
        """
        n = len(self.gains)
        if n < FEW or not self._apart or self._apart[len(self._apart) // 2] <= ALIKE * self.spread:
            return False
        mean, (total, squares) = self._total / self.scored, self._children
        return self.squares > (squares - 2 * mean * total + n * mean * mean) * (SURELY + FEW / n)

    def cost(self, tree: Tree, reversion: float | None = None) -> float:
        """What one more draw must bring to be worth it: a share of the spread of scores, one for each draw there is.

        A search of a hundred draws that spends ten on a gain of less than a tenth of the spread has spent them badly.
        The share falls where gains are taken back: then scores must not be followed too closely. 0 while all scores are
        equal. reversion: None is what the tree shows.
        """
        share: float = SURE * (UNSURE / SURE) ** (self.reversion if reversion is None else reversion)
        return share * self.spread / self.expected(tree)

    def expected(self, tree: Tree) -> float:
        """How many draws the whole search will make: what its limits allow, else more than it has made so far."""
        made = sum(tree.drawn)
        most = tree.draws.most
        if tree.draws.tokens < math.inf and made:
            most = min(most, made * tree.draws.tokens / max(1, sum(tree.tokens)))
        return max(1.0, most) if most < math.inf else max(UNKNOWN, 2.0 * made)

    # ---------------------------------------------------------------- reservation values

    def reservation(self, local: Sequence[float], cost: float) -> float:
        """The level z at which one more draw stops paying: E max(0, gain - z) = cost.

        local: the gains seen at the node itself, each with weight 1. All others in the tree weigh `POOLED` together,
        and among them the differences of the root's children as much as `DIFFERENCES` gains. With none at all every
        gain is 0. By Newton's method from the left, where the convex function is above `cost`: so never beyond z.
        """
        mixed = self._mixed(local)
        if not mixed.total:
            return -cost
        z = mixed.mean - cost  # E max(0, gain - z) >= mean - z
        for _ in range(64):
            above, share = self._above_level(mixed, z)
            if above - cost <= 1e-9 * cost or not share:
                break
            z += (above - cost) / share
        return z

    def improvement(self, local: Sequence[float], level: float, draws: int) -> float:
        """E max(0, gain - level) for the same mixture, and a gain of the whole spread that nobody has seen: `UNSEEN`.

        draws: that brought the `local` gains; a gain that was drawn again counts again.
        """
        mixed = self._mixed(local, draws / len(local) if local else 1.0)
        above = self._above_level(mixed, level)[0] if mixed.total else max(0.0, -level)
        share = UNSEEN / (UNSEEN + mixed.total)
        return (1 - share) * above + share * max(0.0, self.spread - level)

    def _mixed(self, local: Sequence[float], weight: float = 1.0) -> _Mixture:
        parts = [(weight, local)] if local else []
        if self.differences:
            parts.append((POOLED / (1 + len(self.gains) / DIFFERENCES) / len(self.differences), self.differences))
        pooled = POOLED / (len(self.gains) + (DIFFERENCES if self.differences else 0)) if self.gains else 0.0
        total = math.fsum(weight * len(part) for weight, part in parts) + pooled * len(self.gains)
        mean = math.fsum(weight * math.fsum(part) for weight, part in parts) + pooled * self.gains.total
        return _Mixture(parts, pooled, total, mean / total if total else 0.0)

    def _above_level(self, mixed: _Mixture, z: float) -> tuple[float, float]:
        """E max(0, gain - z), and the chance of a gain above z."""
        k, total = self.gains.above(z)
        above, count = mixed.pooled * (total - k * z), mixed.pooled * k
        for weight, part in mixed.parts:
            more = [gain - z for gain in part if gain > z]
            above, count = above + weight * math.fsum(more), count + weight * len(more)
        return above / mixed.total, count / mixed.total


def scores_below(tree: Tree, node: int) -> list[float]:
    """The scores of the children of `node` that have one, and a finite one."""
    return [tree.score[child] for child in tree.children(node) if math.isfinite(tree.score[child])]


def normal_reservation(values: Sequence[float], cost: float) -> float:
    """The same for draws from a normal distribution with the mean and the spread of `values`, of which there are two.

    Where a state has no score of its own, what its draws are worth is all that is known of them.
    """
    mean, spread = _normal(values)
    if spread <= 0:
        return mean - cost
    low, high = -1.0 - cost / spread, 40.0  # what is above z falls from more than cost to 0
    for _ in range(60):
        z = (low + high) / 2
        low, high = (z, high) if _above_normal(z) > cost / spread else (low, z)
    return mean + spread * low


def normal_improvement(values: Sequence[float], level: float) -> float:
    """E max(0, X - level) for the same normal X."""
    mean, spread = _normal(values)
    return spread * _above_normal((level - mean) / spread) if spread > 0 else max(0.0, mean - level)


def _normal(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _above_normal(z: float) -> float:
    """E max(0, Z - z) = pdf(z) - z (1 - cdf(z)) for a standard normal Z."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * math.erfc(z / math.sqrt(2)) / 2
