"""Which problems and how many of their rows are kept, and on which side of a split a problem stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from searchkit.errors import ConfigError
from searchkit.export.normalised import digest, normalised
from searchkit.export.trajectory import Material
from searchkit.kinds import is_number, is_whole
from searchkit.types import Prompt


@dataclass(frozen=True)
class Keep:
    """What is kept of all rows.

    - easiest, hardest: the share of a problem's trajectories that is right lies between them: hardest <= share <=
      easiest. Problems of unknown difficulty are left out as soon as one of them is set.
    - most: rows of one problem, the first ones; None keeps all. Without it easy problems dominate.
    """

    easiest: float = 1.0
    hardest: float = 0.0
    most: int | None = None

    def __post_init__(self) -> None:
        numbers = is_number(self.easiest) and is_number(self.hardest)
        if not numbers or not 0 <= self.hardest <= self.easiest <= 1:
            raise ConfigError(f"0 <= hardest <= easiest <= 1, got {self.hardest!r} and {self.easiest!r}")
        if self.most is not None and (not is_whole(self.most) or self.most < 1):
            raise ConfigError(f"most must be >= 1 rows of a problem, or None, got {self.most!r}")

    def takes(self, material: Material, dropped: Counter[str]) -> bool:
        """Whether the problem is in the range of difficulty; counted if not."""
        if (self.hardest, self.easiest) == (0.0, 1.0):
            return True
        share = material.solved
        fits = share is not None and self.hardest <= share <= self.easiest
        dropped["problem outside the difficulty"] += not fits
        return fits


def is_validation(prompt: Prompt, share: float) -> bool:
    """Whether a problem stands in the part of that share: by a hash of its normalised prompt, whatever its id is.

    So the same problem under two names, or spelt in two ways, never stands on both sides.
    """
    place = int.from_bytes(digest("split " + normalised(prompt.text)), "big")
    return place < share * 2**64
