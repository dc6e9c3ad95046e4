"""Step labels from trees: how often a text goes right from each step on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from searchkit.errors import ConfigError
from searchkit.export.recipes import at_node
from searchkit.export.records import Stepwise
from searchkit.export.trajectory import Grown, Material
from searchkit.kinds import is_number


@dataclass(frozen=True)
class StepLabels:
    """Each path of a tree with a value a step: the share of right ends below (Math-Shepherd; OmegaPRM's trees).

    The soft label is the value, the hard one whether it is above `bar`: 0 says "some end was right", which saturates
    the more rollouts there are of a step. Paths end at the last node that has a value; where they share a beginning,
    so do the rows. Trees with values outside [0, 1] are left out. Cost: linear in the rows' steps.
    """

    bar: float = 0.0

    def __post_init__(self) -> None:
        if not is_number(self.bar) or not 0 <= self.bar < 1:
            raise ConfigError(f"bar must be in [0, 1): the hard label is value > bar, got {self.bar!r}")

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Stepwise]:
        for grown in material.trees:
            known = [value for value in grown.values[1:] if value is not None]
            if not all(0 <= value <= 1 for value in known):
                dropped["tree with values outside [0, 1]"] += 1
                continue
            for node in ends(grown):
                yield self._row(material, grown, node)

    def _row(self, material: Material, grown: Grown, node: int) -> Stepwise:
        path = [n for n in grown.tree.path(node)[1:] if grown.texts[n]]
        values = tuple(float(value) for n in path if (value := grown.values[n]) is not None)
        texts, labels = tuple(grown.texts[n] for n in path), tuple(value > self.bar for value in values)
        origin = replace(at_node(grown, node), tokens=sum(grown.tree.tokens[n] for n in path))
        return Stepwise(material.prompt, texts, values, labels, origin)


def ends(grown: Grown) -> Iterator[int]:
    """The nodes with a value, all above them too, below which no node has one: where labelled paths end."""
    stack = [0]
    while stack:
        node = stack.pop()
        valued = [c for c in grown.tree.children(node) if grown.values[c] is not None]
        if node and not valued and grown.prefix(node):
            yield node
        stack.extend(reversed(valued))
