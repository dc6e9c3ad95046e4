"""What is said of two answers, and what decides about two expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from searchkit.verifiers.reference.maths.terms import Work
from searchkit.verifiers.reference.maths.tokens import Node


class Outcome(NamedTuple):
    """equal: True and False are proven, None is unknown.

    reason: half a sentence. A model may see it, so it never quotes the first answer, which is the reference.
    """

    equal: bool | None
    reason: str


class Algebra(ABC):
    """How two expressions without lists and signs of comparison are compared. One for each pair of answers."""

    def __init__(self) -> None:
        self.work: Work = Work()

    def known(self, a: Node, b: Node) -> bool:
        """Whether two expressions are surely equal; lists and relations are not asked about."""
        kinds = {"relation", "list", "group", "union", "matrix", "about"}
        return not kinds & {a.kind, b.kind} and self.same(a, b).equal is True

    @abstractmethod
    def same(self, a: Node, b: Node) -> Outcome:
        """Whether two expressions are equal wherever both are defined."""

    @abstractmethod
    def same_equation(self, a: Node, b: Node) -> Outcome:
        """Whether a = 0 and b = 0 are the same equation up to a constant factor."""


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Different if one part is, unknown if one is unknown, equal if all are."""
    for wanted in (False, None):
        for outcome in outcomes:
            if outcome.equal is wanted:
                return outcome
    return outcomes[-1] if outcomes else Outcome(True, "both are empty")
