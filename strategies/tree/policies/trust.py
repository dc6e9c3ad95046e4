"""How far scores can be trusted decides which rule chooses."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import ClassVar

from searchkit.strategies.tree.policies.adaptive_uct import AdaptiveUCT, Worths
from searchkit.strategies.tree.policies.descent import remembered
from searchkit.strategies.tree.policies.first_mistake import Mistakes
from searchkit.strategies.tree.policies.reservation import FIRST, Reservation, Values
from searchkit.tree import Tree

PATIENCE = 2  # times as many draws as the best score took to find, and no better one: then the rules take turns


@dataclass(frozen=True)
class Trust:
    """`levels`, which follows scores, or `FirstMistake`, which spreads over them: the tree decides at each draw.

    levels: `Reservation()`, the next draw anywhere in the tree, or `AdaptiveUCT()`, a walk from the root.

    Scores are taken for hints at something hidden where the mean of all of them tells the score of a child better than
    the score of its parent does, and where siblings differ by more than a little; for levels that can be built on
    elsewhere, and while little is known (`Evidence.hints`). Both rules learn of each draw, whichever chose it.

    Levels that do not rise are doubted. Where the best score is as old as twice the draws that it took to find it, the
    two rules take turns, until there is a better one: what stands out by noise alone has children without end that do
    as well, and nothing in it says that the way began elsewhere. Where one of the rules is right, half of the draws are
    then lost at most.

    It decides when a node gets more children, and wants each of them judged (`adaptive`). Cost: that of both rules.
    """

    adaptive: ClassVar[bool] = True
    widens: ClassVar[bool] = True

    levels: Reservation | AdaptiveUCT = field(default_factory=Reservation)

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        return remembered(tree, lambda: _Both(self.levels.knowledge())).select(tree)

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)


@dataclass(slots=True)
class _Both:
    """What both rules know; the best score, and how many draws there were when it was new."""

    values: Values | Worths
    mistakes: Mistakes = field(default_factory=Mistakes)
    best: float = -math.inf
    since: int = 0

    def select(self, tree: Tree) -> int | None:
        self.values.update(tree)
        self.mistakes.update(tree)
        node = self.mistakes.best(tree) if self._spreads() else self.values.best(tree)
        if node is not None:
            self.values.take(node)
            self.mistakes.take(tree, node)
        return node

    def _spreads(self) -> bool:
        """Whether scores are hints; while they are levels, and none has risen for long, in two of four draws."""
        evidence, drawn = self.values.evidence, self.values.made
        if evidence.high > self.best or evidence.spread <= 0:
            self.best, self.since = evidence.high, drawn
        tired = drawn - self.since > PATIENCE * max(FIRST, self.since)
        # Each rule gets both odd and even draws: `Values` tells them apart.
        return evidence.hints or (tired and drawn % 4 < 2)
