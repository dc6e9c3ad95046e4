"""Leaving out what went wrong on the way: candidates with a step that scored too low."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError, VerifierError
from searchkit.mistakes import check_counts
from searchkit.protocols import Run, Selector
from searchkit.strategies.common.checks import check_method
from searchkit.strategies.selection.rules import Argmax, choose_among
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class StepFilter:
    """What `inner` chooses among the candidates none of whose steps, after the first `skip`, scores below `tau`.

    Reads `Verdict.step_scores`, so the verifier must score steps (`ProcessReward`). A candidate with at most `skip`
    steps stays; one without step scores stays out. If none is left, `inner` sees all. `FilteredBestOfN` is the same
    rule while the text is being written, which saves the rest of it.

    Cost: that of `inner`. Raises `VerifierError` if there are scores and not one is of steps. Source: goal-conditioned
    reward models, released code (``eval_rm.py``: there a token is a step, skip is 5 and tau 0.0).
    """

    tau: float
    skip: int = 0
    inner: Selector = Argmax()

    def __post_init__(self) -> None:
        check_counts(self, skip=0)
        check_method("the inner rule of a StepFilter", self.inner, "select", "Argmax() or Vote()")
        if math.isnan(self.tau):
            raise ConfigError("StepFilter needs a number as tau, the least score that a step may have")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        rows = {i: one.verdict.step_scores for i, one in enumerate(scored) if one.verdict.step_scores is not None}
        if not rows and any(one.score is not None for one in scored):
            raise VerifierError("a StepFilter needs the scores of steps: use a verifier such as ProcessReward")
        kept = [i for i, steps in rows.items() if all(step >= self.tau for step in steps[self.skip :])]
        return await choose_among(kept or range(len(scored)), self.inner, prompt, scored, run)
