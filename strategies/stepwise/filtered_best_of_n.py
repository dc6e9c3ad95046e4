"""Best-of-N that abandons a text as soon as a step of it scores too low."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.checks import check_method, check_verifier
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Verdict, first_failure


@dataclass(slots=True)
class _Path:
    """One text while it is written. tree: a chain. seen: its states. dropped: its last step scored too low."""

    tree: Tree
    seen: list[Grown] = field(default_factory=list)
    dropped: bool = False

    @property
    def last(self) -> Grown | None:
        return self.seen[-1] if self.seen else None

    @property
    def kept(self) -> list[Grown]:
        """The states that may be the answer: all but the one that was too bad."""
        return self.seen[:-1] if self.dropped else self.seen

    def over(self, rounds: int) -> bool:
        return len(self.seen) >= rounds or (self.last is not None and self.last.terminal)


@dataclass(frozen=True)
class FilteredBestOfN(Strategy):
    """Writes `n` texts step by step, abandons those with a step below `tau`, and has `select` choose among the others.

    - n: texts.
    - verifier: judges each text after each step; the step's score is the last of `Verdict.step_scores`, as
      `ProcessReward` gives them, or where there are none the score itself; at an end it is the environment's reward, if
      there is one.
    - tau: the bar. A step without a score is no reason to abandon.
    - skip: so many first steps may score anything.
    - environment: what a step is.
    - rounds: the most steps that an answer takes.
    - select: chooses among the finished texts. Without one, the best unfinished one is returned, marked as truncated.
    - generator: what proposes steps; None is the one given to `solve`.

    If no text gets to its end because of the bar, all are taken up again where they stopped and finished without one:
    the rule is that of `StepFilter`.

    Each text is drawn from a seed of its own, whatever happens to the others. What filtering has saved is therefore the
    usage of the same search with the least score as `tau`, minus its own; `Result.tree` shows each text as a chain,
    which ends where it was abandoned.

    Cost: at most `n` * `rounds` steps and verifications, each of which reads the text so far. Source: goal-conditioned
    reward models, released code (``eval_rm.py``), where the bar is applied to stored texts.
    """

    n: int
    verifier: Verifier
    tau: float
    skip: int = 0
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=1, skip=0, rounds=1)
        check_verifier("FilteredBestOfN", self.verifier, self.tau)
        check_method("select", self.select, "select", "Argmax() or Vote()")
        self._steps()

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator)

    def counts(self) -> tuple[int, int] | None:
        return self.n * self.rounds, self.n * self.rounds

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps = self._steps()
        tree = await steps.start(prompt, run)
        start = [_Path(Tree(tree.state[ROOT])) for _ in range(self.n)]
        paths, failure = await self._write(steps, prompt, start, self.tau, run)
        if self._vain(paths):
            paths, failure = await self._write(steps, prompt, paths, -math.inf, run)
        for path in paths:
            tree.graft(path.tree)
        seen = [g for path in paths for g in path.kept]
        last = [path.last for path in paths if path.last is not None and not path.dropped]
        return await answer(prompt, seen, last, failure, self.select, run)

    def _vain(self, paths: Sequence[_Path]) -> bool:
        """Whether nothing is left but what was abandoned and what could not go on."""
        if any(g.answer for path in paths for g in path.kept):
            return False
        return any(path.dropped for path in paths) and all(path.dropped or not path.over(self.rounds) for path in paths)

    async def _write(
        self, steps: Steps, prompt: Prompt, paths: Sequence[_Path], tau: float, run: Run
    ) -> tuple[list[_Path], Exception | None]:
        """The paths that have at least one step, each as far as it gets, and the first failure."""

        async def write(index: int, child: Run) -> _Path:
            path = paths[index]
            path.dropped = False
            while not path.dropped and not path.over(self.rounds):
                at = ROOT if path.last is None else path.last.node
                grown, failure = await steps.grow(prompt, path.tree, [at], child, start=index)
                if not grown and path.last is None and failure is not None:
                    raise failure
                if not grown:
                    break
                path.seen += grown
                path.dropped = len(path.seen) > self.skip and _score(grown[0].scored.verdict) < tau
            return path

        outcomes = await run.map(write, range(len(paths)), name="path")
        for outcome in outcomes:
            run.note_failure(outcome.error)
        return [outcome.value for outcome in outcomes if outcome.value is not None], first_failure(outcomes)


def _score(verdict: Verdict) -> float:
    """The score of the last step; infinite if nobody gave one."""
    score = verdict.step_scores[-1] if verdict.step_scores else verdict.value
    return math.inf if score is None else score
