"""OmegaPRM as a search: its rollouts go through `Run`, so they are counted, budgeted, journalled and seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from searchkit.environments.text_steps import TextSteps, Written
from searchkit.errors import ConfigError, VerifierError
from searchkit.export.first_error import OmegaPRM, Rollout, Steps
from searchkit.kinds import is_whole
from searchkit.mistakes import check_verifier
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.transition import Stepper, finish
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import Strategy
from searchkit.tree import Tree
from searchkit.types import Prompt, Sample, Scored, StepSpan


@dataclass(frozen=True)
class StepLabelling(Strategy):
    """Grows OmegaPRM's tree of step labels by rollouts of a model, `k` at once, each judged by a verifier.

    - verifier: says of whole texts whether they are right, each by itself. A rollout that was cut off, or of which that
      is unknown, counts in no share.
    - k: rollouts of each beginning that is estimated (16 in openr's code, 8 in the paper).
    - omega: how the tree grows, and how many rollouts it takes at most.
    - environment: what a step is.
    - generator: what is sampled; it continues an assistant turn (`Prompt.prefix`). None is the one given to `solve`.

    `Result.tree` has the labels, ``of_result`` and `StepLabels` make rows of it; the answer is the best rollout. Out of
    budget the tree is what it was by then. Raises `VerifierError` where no rollout of a beginning was judged. Cost: a
    generation and a verification for each rollout, at most those of `OmegaPRM.most`, and as many as were not judged.
    Source: Luo et al. 2024, see `OmegaPRM`.

    >>> from searchkit import Model, Problem, Prompt, solve_sync
    >>> from searchkit.generators import Embedded, shipped
    >>> from searchkit.lab.checker import ARITHMETIC
    >>> model = Model(Embedded(shipped("arithmetic")))
    >>> problem = Problem("a", Prompt.of("27*7+27+(24+30)\\n"))
    >>> result = solve_sync(problem, StepLabelling(ARITHMETIC, k=4), generator=model)
    >>> result.usage.verifications == result.usage.model_calls >= 4
    True
    """

    verifier: Verifier
    k: int = 16
    omega: OmegaPRM = field(default_factory=OmegaPRM)
    environment: TextSteps = field(default_factory=TextSteps)
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_verifier("StepLabelling", self.verifier)
        if self.verifier.joint:
            raise ConfigError("a joint verifier judges samples together: StepLabelling needs one that judges each")
        if not is_whole(self.k) or self.k < 2:
            raise ConfigError(f"StepLabelling needs a whole k >= 2, else no share is mixed, got {self.k!r}")

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        stepper, ends, tree = Stepper(self.environment, self.verifier), list[Scored](), Tree()
        run.show_tree(tree)

        async def rollouts(given: Steps) -> list[Rollout]:
            state = _written(prompt, given)
            outcomes = await run.map(
                lambda _, child: finish(prompt, state, 0, stepper, self.generator, child), range(self.k), name="rollout"
            )
            found = [end.scored for end in run.survivors(outcomes)]
            ends.extend(found)
            return _judged(found, len(given))

        await self.omega.grow(rollouts, tree, lambda given: _written(prompt, given))
        return ends[await choose(Argmax(), prompt, ends, run)].sample


def _written(prompt: Prompt, given: Steps) -> Written:
    """The text with these steps."""
    ends = list(accumulate(map(len, given), initial=len(prompt.prefix)))
    return Written(prompt, prompt.prefix + "".join(given), tuple(StepSpan(a, b) for a, b in pairwise(ends)))


def _judged(found: list[Scored], given: int) -> list[Rollout]:
    """Whole texts that are right or wrong, by their steps after those that were given."""
    kept = [one for one in found if one.verdict.passed is not None and not one.verdict.unread]
    rollouts = [
        Rollout(
            tuple(one.sample.text[s.start : s.end] for s in one.sample.step_spans[given:]), bool(one.verdict.passed)
        )
        for one in kept
        if not one.sample.truncated
    ]
    if not rollouts:
        raise VerifierError(
            "no rollout was whole and judged right or wrong: allow more tokens, or take a verifier that says `passed`"
        )
    return rollouts
