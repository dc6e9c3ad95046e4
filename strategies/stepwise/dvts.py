"""DVTS, diverse verifier tree search: independent greedy searches side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer, over, ranked
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample


@dataclass(frozen=True, slots=True)
class Subtree:
    """What one greedy search brought: its tree, all states that it has seen, and where it stood at the end."""

    tree: Tree
    seen: list[Grown]
    last: list[Grown]


@dataclass(frozen=True)
class DVTS(Strategy):
    """Grows `n / m` independent subtrees: in each, `m` next steps are drawn and the best is kept, until it is final.

    - n: steps drawn in a round, a multiple of `m`.
    - m: next steps in each subtree. 1 is `n` independent chains, `n` one greedy search.
    - verifier: that of `BeamSearch`; ties go to the step drawn first.
    - environment: what a step is.
    - rounds: the most steps that an answer takes.
    - lookahead: that of `BeamSearch`.
    - select: that of `BeamSearch`. Without a finished answer, the best unfinished path is returned, marked as
      truncated.
    - generator: what proposes steps; None is the one given to `solve`.

    Scores are compared within a subtree only, never across, so that one early favourite cannot take over the search.
    At the end the finished ones of all last siblings are candidates, up to `n`; so are those finished on the way (the
    released code forgets these).

    Cost: at most `n` steps and `n` verifications a round; with lookahead k, `n` * (k + 1) steps. Source: Hugging Face
    search-and-learn, released code.
    """

    n: int
    m: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    rounds: int = 40
    lookahead: int = 0
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=0, m=0, rounds=1)
        if self.m < 1 or self.n < self.m or self.n % self.m:
            raise ConfigError(f"DVTS grows n / m subtrees: n must be a multiple of m, got n={self.n}, m={self.m}")
        self._steps()

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator, self.lookahead)

    def counts(self) -> tuple[int, int] | None:
        steps = self.rounds * self.n
        return steps * (self.lookahead + 1), steps

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, subtrees = self._steps(), self.n // self.m
        tree = await steps.start(prompt, run)
        seen, last, failure = list[Grown](), list[Grown](), None

        async def descend(index: int, child: Run) -> Subtree:
            return await self._descend(steps, prompt, Tree(tree.state[ROOT]), index, child)

        async with run.stream(descend, range(subtrees), window=subtrees, name="subtree") as stream:
            async for outcome in stream:
                found = outcome.value
                if found is None:
                    run.note_failure(outcome.error)
                    failure = failure or outcome.error
                    continue
                tree.graft(found.tree)
                seen += found.seen
                last += found.last
        return await answer(prompt, seen, last, failure, self.select, run)

    async def _descend(self, steps: Steps, prompt: Prompt, tree: Tree, index: int, run: Run) -> Subtree:
        """One subtree, on a tree of its own: others grow at the same time, and theirs must not get mixed up."""
        at, seen, last = ROOT, list[Grown](), list[Grown]()
        for _ in range(self.rounds):
            grown, failure = await steps.grow(prompt, tree, [at] * self.m, run, start=index * self.m)
            if not grown and not last and failure is not None:
                raise failure
            if not grown:
                break
            last = grown
            seen += grown
            best = ranked(grown)[0]
            if best.terminal or over(grown, failure):
                break
            at = best.node
        return Subtree(tree, seen, last)
