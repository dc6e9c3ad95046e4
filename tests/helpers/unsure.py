"""A cheap model that says how sure it is, with a known ROC, and a dear one: a cascade of them in closed form."""

from __future__ import annotations

from dataclasses import dataclass

from searchkit import Model
from searchkit.generators import Simulated
from searchkit.verifiers import Predicate


@dataclass(frozen=True)
class Unsure:
    """cheap, dear: their accuracies. caught: of right cheap answers so many are sure (the true positive rate); fooled:
    of wrong ones so many (the false positive rate). tokens: of an answer of each."""

    cheap: float
    dear: float
    caught: float
    fooled: float
    tokens: tuple[int, int] = (10, 50)

    def models(self) -> tuple[Model, Model]:
        p, sure, fooled = self.cheap, self.caught, self.fooled
        cheap = {
            "right sure": p * sure, "right unsure": p * (1 - sure),
            "wrong sure": (1 - p) * fooled, "wrong unsure": (1 - p) * (1 - fooled),
        }  # fmt: skip
        dear = {"right dear": self.dear, "wrong dear": 1 - self.dear}
        return (
            Model(Simulated(cheap, tokens=self.tokens[0], name="cheap")),
            Model(Simulated(dear, tokens=self.tokens[1], name="dear")),
        )

    @property
    def escalated(self) -> float:
        """The chance that the dear one is asked."""
        return 1 - self.cheap * self.caught - (1 - self.cheap) * self.fooled

    @property
    def accuracy(self) -> float:
        return self.cheap * self.caught + self.escalated * self.dear

    @property
    def cost(self) -> float:
        """Tokens generated."""
        return self.tokens[0] + self.escalated * self.tokens[1]

    @property
    def by_lot(self) -> float:
        """The accuracy of a lot between the two at the same mean cost; of the dear one where that is cheaper."""
        low, high = self.tokens
        share = min(1.0, (self.cost - low) / (high - low))
        return self.cheap + share * (self.dear - self.cheap)


def is_sure(text: str) -> float:
    return float(text.endswith(" sure"))


SURE = Predicate(is_sure)
