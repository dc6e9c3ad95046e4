"""How far scores can be trusted decides which rule chooses."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

from searchkit.strategies.tree.policies.descent import remembered
from searchkit.strategies.tree.policies.first_mistake import Mistakes
from searchkit.strategies.tree.policies.reservation import Values
from searchkit.tree import Tree


@dataclass(frozen=True)
class Trust:
    """`Reservation`, which follows scores, or `FirstMistake`, which spreads over them: the tree decides at each draw.

    Scores are taken for hints at something hidden where the mean of all of them tells the score of a child better than
    the score of its parent does, and where siblings differ by more than a little; for levels that can be built on
    elsewhere, and while little is known (`Evidence.hints`). Both rules learn of each draw, whichever chose it.

    It decides when a node gets more children, and wants each of them judged (`adaptive`). Cost: that of both rules.
    """

    adaptive: ClassVar[bool] = True
    widens: ClassVar[bool] = True

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        return remembered(tree, _Both).select(tree)

    def backup(self, tree: Tree, node: int, value: float) -> None:
        tree.backup(node, value)


@dataclass(slots=True)
class _Both:
    """What both rules know."""

    values: Values = field(default_factory=Values)
    mistakes: Mistakes = field(default_factory=Mistakes)

    def select(self, tree: Tree) -> int | None:
        self.values.update(tree)
        self.mistakes.update(tree)
        node = self.mistakes.best(tree) if self.values.evidence.hints else self.values.best(tree)
        if node is not None:
            self.values.take(node)
            self.mistakes.take(tree, node)
        return node
