"""Successive halving: attempts that run side by side, of which those that fall behind are abandoned at checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import ConfigError
from searchkit.kinds import is_number, is_whole
from searchkit.markup.words import counted
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.checks import check_method
from searchkit.strategies.common.transition import Stepper
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.attempts import Attempt
from searchkit.strategies.stepwise.steps import Grown, Steps, answer
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Transition

ROUNDING = 1e-9  # 0.1 of 30 is 3, and a little more as floats have it


@dataclass(frozen=True)
class SuccessiveHalving(Strategy):
    """Starts `n` attempts and asks `verifier` at checkpoints how they do; the better ones go on, the others do not.

    - n: attempts.
    - verifier: judges each attempt that runs, at each checkpoint, and each one that ends; at an end the score is the
      environment's reward, if it has one.
    - at: the checkpoints, ascending. An attempt is judged in the first state in which it has taken so many steps, or
      generated so many tokens.
    - keep: the share of the running attempts that goes on from a checkpoint, rounded up; 1 abandons none.
    - unit: "steps" of the environment, such as the model calls of an agent (`AgentSteps`); or generated "tokens".
    - environment: what a step is. Where each state is an answer, as drafts are, those that were judged are candidates.
    - rounds: the most steps that an attempt takes.
    - select: chooses among the finished attempts. Without any, the one that was last judged best is returned, as far as
      it got and marked as truncated.
    - generator: what proposes steps; None is the one given to `solve`.

    Only attempts that still run are compared, with one another: what has ended keeps its score, is no longer asked for
    anything, and takes nobody's place. Of equal scores the first drawn goes on. An attempt that could not be judged is
    not abandoned and takes nobody's place either.

    If those that went on come to no whole answer (they crash, or are cut off), the ones abandoned last are taken up
    again where they stood, then those before. Each attempt is drawn from a seed of its own, whatever becomes of the
    others: so it is the same text as with ``keep=1`` and the same checkpoints, as far as it gets.

    What abandoned attempts cost is charged. In `Result.tree` each attempt is a chain, and an abandoned one ends in a
    closed node; the trace says at each checkpoint who goes on, who does not, and what those had cost.

    Cost: at most `n` * `rounds` steps; at most `n` * (len(at) + 1) verifications, each of which reads the attempt so
    far. Where all attempts take `L` steps of equal length and each checkpoint keeps half, n = 8 at two checkpoints a
    and b takes 8 a + 4 (b - a) + 2 (L - b) steps. The attempts wait for the slowest one at each checkpoint.
    Source: Jamieson and Talwalkar 2016 (successive halving); Sun et al. 2024 (speculative rejection), whose released
    code takes checkpoints from the memory that is left, and loses what ends and is rejected at the same one.

        from searchkit.strategies import SuccessiveHalving

        SuccessiveHalving(8, process_reward, at=(2, 4))  # texts by lines: 8 for two lines, 4 for four, 2 to the end
    """

    n: int
    verifier: Verifier
    at: tuple[int, ...]
    keep: float = 0.5
    unit: Literal["steps", "tokens"] = "steps"
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=1, rounds=1)
        if not isinstance(self.at, tuple) or not self.at or not all(is_whole(c) and c >= 1 for c in self.at):
            raise ConfigError(f"at is a tuple of checkpoints, whole numbers >= 1, such as (2, 4), got {self.at!r}")
        if any(later <= earlier for earlier, later in pairwise(self.at)):
            raise ConfigError(f"the checkpoints ascend, got at={self.at}")
        if not is_number(self.keep) or not 0 < self.keep <= 1:
            raise ConfigError(f"keep is the share that goes on, above 0 and at most 1, got {self.keep!r}")
        if self.unit not in ("steps", "tokens"):
            raise ConfigError(f'unit is "steps" or "tokens", got {self.unit!r}')
        check_method("select", self.select, "select", "Argmax() or Vote()")
        self._steps()

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator)

    def counts(self) -> tuple[int, int] | None:
        return self.n * self.rounds, self.n * (len(self.at) + 1)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        tree = await self._steps().start(prompt, run)
        attempts = [Attempt(i, Transition(tree.state[ROOT])) for i in range(self.n)]
        seen, behind = list[Grown](), list[list[Attempt]]()
        for goal in self.at:
            seen += await self._onward(attempts, goal, prompt, tree, run)
            behind.append(self._abandon(attempts, goal, tree, run))
        seen += await self._onward(attempts, math.inf, prompt, tree, run)
        while behind and not any(_whole(g) for g in seen):
            for attempt in (group := behind.pop()):
                attempt.abandoned = False
                tree.reopen(attempt.node)
            if group:
                seen += await self._onward(attempts, math.inf, prompt, tree, run)
        stepper = self._stepper()
        left = [a.unfinished(stepper) for a in attempts if a.moves and not a.step.terminal]
        failure = next((a.failure for a in attempts if a.failure is not None), None)
        return await answer(prompt, seen, left, failure, self.select, run)

    def _stepper(self) -> Stepper:
        return Stepper(self.environment, self.verifier)

    async def _onward(
        self, attempts: Sequence[Attempt], goal: float, prompt: Prompt, tree: Tree, run: Run
    ) -> list[Grown]:
        """Bring all that run to the checkpoint `goal`: where they stand now. The number of an attempt is its item's, so
        that its seeds do not depend on who was abandoned."""
        stepper = self._stepper()

        def there(attempt: Attempt) -> bool:
            done = len(attempt.moves) if self.unit == "steps" else attempt.tokens
            return done >= goal or len(attempt.moves) >= self.rounds

        async def onward(attempt: Attempt, child: Run) -> None:
            if attempt.running(self.rounds):
                await attempt.advance(there, prompt, stepper, self.generator, child)

        if not any(attempt.running(self.rounds) for attempt in attempts):
            return []
        for attempt, outcome in zip(attempts, await run.map(onward, attempts, name="attempt"), strict=True):
            attempt.failure = attempt.failure or outcome.error
            spent = attempt.judged.spent if attempt.judged is not None else None
            run.note_failure(outcome.error or spent)
        return [grown for attempt in attempts if (grown := attempt.show(tree)) is not None]

    def _abandon(self, attempts: Sequence[Attempt], goal: int, tree: Tree, run: Run) -> list[Attempt]:
        """Those that fall behind at the checkpoint `goal`."""
        judged = [a for a in attempts if a.running(self.rounds) and a.score is not None]
        ranked = sorted(judged, key=lambda a: -(a.score or 0.0))
        most = math.ceil(self.keep * len(ranked) - ROUNDING)
        going, behind = ranked[:most], ranked[most:]
        for attempt in behind:
            attempt.abandoned = True
            tree.close(attempt.node)
        with run.traced("checkpoint") as span:
            tokens = counted(sum(a.tokens for a in behind), "token")
            span.text = f"at {goal} {self.unit}: {_told(going)} go on; abandoned {_told(behind)}, {tokens}"
        return behind


def _told(attempts: Iterable[Attempt]) -> str:
    return ", ".join(f"{a.index} ({a.score:.3g})" for a in attempts) or "none"


def _whole(grown: Grown) -> bool:
    return grown.answer and not grown.dead and not grown.scored.sample.truncated
