"""Agent-R's revisions: a bad beginning, a thought that gives it up, and the good end from where the two parted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from searchkit.errors import ConfigError
from searchkit.export.recipes import at_node, check_margin
from searchkit.export.records import Demonstration
from searchkit.export.trajectory import Grown, Material, Piece

THOUGHT = "Wait, that leads nowhere. Let me go back and take another step.\n"


@dataclass(frozen=True)
class Revisions:
    """Spliced trajectories: what two ends of a tree share, the bad one's steps up to the first bad one, a thought, and
    the good one's steps from where they parted (Agent-R, Yuan et al. 2025).

    good: the value of the good end is above it; gap: and by more than that above the bad end's. A step is bad where its
    value is at most `bad`; where none is, the first after the parting counts. What is learnt: the thought and the good
    steps; what is shared and the bad steps are read only. most: revisions of one tree, the widest gaps first. Texts
    only: in a world where steps act, the good end was never reached from the bad one. Cost: quadratic in the ends.
    """

    good: float = 0.5
    gap: float = 0.5
    bad: float = 0.0
    thought: str = THOUGHT
    most: int = 4

    def __post_init__(self) -> None:
        check_margin(self.gap)
        if not self.thought or self.most < 1:
            raise ConfigError("a revision needs a thought, and most >= 1")

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Demonstration]:
        for grown in material.trees:
            for chosen, rejected in self._couples(grown):
                yield self._spliced(material, grown, chosen, rejected)

    def _couples(self, grown: Grown) -> list[tuple[int, int]]:
        ends = [(value, node) for node in range(1, len(grown.tree))
                if grown.tree.terminal[node] and (value := grown.values[node]) is not None]  # fmt: skip
        found = [(low - high, a, b) for high, a in ends if high > self.good for low, b in ends if high - low > self.gap]
        return [(a, b) for _, a, b in sorted(found)[: self.most]]

    def _spliced(self, material: Material, grown: Grown, chosen: int, rejected: int) -> Demonstration:
        good, bad = grown.tree.path(chosen), grown.tree.path(rejected)
        parted = next(i for i, (a, b) in enumerate(zip(good, bad, strict=False)) if a != b)
        wrong = bad[parted:]
        first = next((i for i, node in enumerate(wrong) if (v := grown.values[node]) is not None and v <= self.bad), 0)
        shared, tried, mended = (
            "".join(grown.texts[node] for node in nodes) for nodes in (good[:parted], wrong[: first + 1], good[parted:])
        )
        pieces = [Piece(shared, False), Piece(tried, False), Piece(self.thought), Piece(mended)]
        origin = at_node(grown, chosen)
        path = f"{origin.path} after {'/'.join(map(str, bad[: parted + first + 1]))}"
        return Demonstration(material.prompt, tuple(p for p in pieces if p.text), replace(origin, path=path))
