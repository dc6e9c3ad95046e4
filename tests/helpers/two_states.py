"""A chain of drafts as a chain of two states, right and wrong: the closed forms, and the model that behaves so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from searchkit.generators import Simulated


@dataclass(frozen=True)
class Chain:
    """Chances: right, of a first draft; flag, that the critic objects to a wrong draft (its sensitivity); clear, that
    it is satisfied with a right one (its specificity); mend, that a rewrite of a wrong draft is right; keep, that one
    of a right draft still is."""

    right: float
    flag: float
    clear: float
    mend: float
    keep: float

    def last(self, rounds: int) -> float:
        """Accuracy of the last draft of a chain that ends where the critic is satisfied."""
        right, wrong, done = self.right, 1 - self.right, 0.0
        for _ in range(rounds):
            done += right * self.clear
            to_right, to_wrong = right * (1 - self.clear), wrong * self.flag
            right = to_right * self.keep + to_wrong * self.mend
            wrong = to_right * (1 - self.keep) + to_wrong * (1 - self.mend)
        return done + right

    def accepted(self, rounds: int) -> float:
        """Accuracy of the accepted draft, or else of the first: the two first drafts apart, one draft more judged."""
        total = 0.0
        for first, chance in ((1.0, self.right), (0.0, 1 - self.right)):
            right, wrong, done = first, 1 - first, 0.0
            for judged in range(rounds + 1):
                done += right * self.clear
                to_right, to_wrong = right * (1 - self.clear), wrong * self.flag
                if judged < rounds:
                    right = to_right * self.keep + to_wrong * self.mend
                    wrong = to_right * (1 - self.keep) + to_wrong * (1 - self.mend)
            total += chance * (done + first * (to_right + to_wrong))
        return total

    def drafts(self, rounds: int) -> float:
        """How many drafts a chain writes on average; as many are judged, but for the last one of all rounds."""
        right, wrong, count = self.right, 1 - self.right, 1.0
        for _ in range(rounds):
            to_right, to_wrong = right * (1 - self.clear), wrong * self.flag
            count += to_right + to_wrong
            right = to_right * self.keep + to_wrong * self.mend
            wrong = to_right * (1 - self.keep) + to_wrong * (1 - self.mend)
        return count

    def best_of(self, n: int) -> float:
        """Accuracy of the first of `n` samples with which the critic is satisfied, or else of the first of all."""
        good, bad = self.right * self.clear, (1 - self.right) * (1 - self.flag)
        none = (1 - good - bad) ** n
        first = self.right * (1 - self.clear) / (1 - good - bad) if good + bad < 1 else 0.0
        return good * sum((1 - good - bad) ** i for i in range(n)) + none * first

    def model(self) -> Simulated:
        """A model that writes, criticises and rewrites with these chances."""
        return Simulated(self._answers)

    def _answers(self, asked: str) -> Mapping[str, float]:
        drafted = "\nright\n" in asked
        if '"satisfied"' in asked:
            yes = self.clear if drafted else 1 - self.flag
            return {_says(True): yes, _says(False): 1 - yes}
        if "Draft" not in asked:
            return {"right": self.right, "wrong": 1 - self.right}
        right = self.keep if drafted else self.mend
        return {"right": right, "wrong": 1 - right}


def _says(satisfied: bool) -> str:
    return json.dumps({"critique": "look again", "satisfied": satisfied})
