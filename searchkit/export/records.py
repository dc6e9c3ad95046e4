"""The kinds of training data, whatever trainer reads them: `recipes` make them, `formats` write them.

A text to be learnt is a `Prompt` and what follows it. `prefix` is what of the answer is given: it is no part of what
is learnt, and the same, byte for byte, on both sides of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError
from searchkit.export.trajectory import Origin, Piece
from searchkit.types import Prompt


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A text to imitate. pieces: what is written, each learnt or only read; they join to the whole."""

    prompt: Prompt
    pieces: tuple[Piece, ...]
    origin: Origin

    def __post_init__(self) -> None:
        if not any(piece.learn and piece.text for piece in self.pieces):
            raise ConfigError("a demonstration has something to learn: at least one piece with learn=True")

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def masked(self) -> bool:
        """Whether a part of it is not learnt."""
        return not all(piece.learn for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Preference:
    """Two continuations of one text. margin: by how much the chosen one is better, > 0; other: where the rejected one
    comes from, `origin` is the chosen one's."""

    prompt: Prompt
    prefix: str
    chosen: str
    rejected: str
    margin: float
    origin: Origin
    other: Origin

    def __post_init__(self) -> None:
        if self.chosen == self.rejected or not self.margin > 0:
            raise ConfigError(f"a pair has two texts, the chosen one better: margin {self.margin}, {self.chosen!r:.60}")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text that is good or bad (KTO, verifiers)."""

    prompt: Prompt
    text: str
    label: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stepwise:
    """A text step by step. values: one a step, in [0, 1]: soft labels; labels: the hard ones."""

    prompt: Prompt
    steps: tuple[str, ...]
    values: tuple[float, ...]
    labels: tuple[bool, ...]
    origin: Origin

    def __post_init__(self) -> None:
        if not len(self.steps) == len(self.values) == len(self.labels) >= 1:
            raise ConfigError("as many values and labels as steps, and at least one of each")


@dataclass(frozen=True, slots=True)
class Group:
    """Samples of one prompt, or siblings after one prefix, with rewards and advantages (GRPO)."""

    prompt: Prompt
    prefix: str
    texts: tuple[str, ...]
    rewards: tuple[float, ...]
    advantages: tuple[float, ...]
    reference: Any
    origin: Origin

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.rewards) == len(self.advantages) >= 2:
            raise ConfigError("a group has at least two texts, and as many rewards and advantages")


@dataclass(frozen=True, slots=True)
class Target:
    """What a value model shall say of a text written so far. value: in [0, 1]."""

    prompt: Prompt
    text: str
    value: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Task:
    """A problem for a trainer that samples by itself. reference: what is right; solved: the share that was."""

    prompt: Prompt
    reference: Any
    solved: float | None
    origin: Origin


Record = Demonstration | Preference | Labelled | Stepwise | Group | Target | Task
