"""Training sets for verifiers that write: is this attempt right? As SWE-Gym's, from trajectories of agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit import templates
from searchkit.export.recipes import Verdicts
from searchkit.export.records import Demonstration
from searchkit.export.trajectory import Material, Piece

TEMPLATE = """{task}

Here is an attempt:

{attempt}

Is it right? Answer Yes or No."""


@dataclass(frozen=True)
class Judgements:
    """The question whether a trajectory is right, with the answer Yes or No: what `PYes` reads from such a model.

    template: how the question is asked, with the fields {task} and {attempt}; an attempt stands between fences, so that
    what a model wrote cannot pose as the question. Ask the trained verifier with the same wording. balanced: as many
    right as wrong attempts of each problem, else a verifier learns how hard problems are. Cost: linear.
    """

    template: str = TEMPLATE
    balanced: bool = True

    def __post_init__(self) -> None:
        templates.check(self.template, {"task", "attempt"}, {"task", "attempt"})

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Demonstration]:
        for one in Verdicts(self.balanced).records(material, dropped):
            asked = templates.worded(material.prompt, self.template, attempt=one.text)
            yield Demonstration(asked, (Piece("Yes" if one.label else "No"),), one.origin)
