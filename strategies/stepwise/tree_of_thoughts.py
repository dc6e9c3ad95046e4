"""Tree of thoughts: expand the promising states of a level, or the most promising state first, and prune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.environments.protocols import Environment
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.stepwise.steps import Grown, Steps, answer, over, ranked
from searchkit.strategy import Strategy
from searchkit.tree import ROOT
from searchkit.types import Prompt, Sample


@dataclass(frozen=True)
class TreeOfThoughts(Strategy):
    """Expands states into `branch` next steps each, `depth` steps deep, `expansions` states at most.

    - width: states of a level that are expanded; with "dfs" children of a state that are followed, one after the other.
    - branch: next steps of each state.
    - verifier: that of `BeamSearch`; ties go to the step drawn first.
    - environment: what a step is.
    - depth: the most steps that an answer takes.
    - order: "bfs": level by level; the best `width` states of a level are expanded. "dfs": always the most promising
      child of the state at hand, of which the best `width` are followed; where there is none, at a finished state and
      at a dead end, back to the next one left.
    - expansions: states that are expanded, at most.
    - at_once: (dfs) children drawn before the first of them is followed, all by default; with 1 a child is drawn only
      when what lies below its elder sibling is done, as ToolLLM's depth-first decision tree does, and `expansions`
      counts children.
    - prune: states that score less are not followed.
    - threshold: the first complete answer that scores as much ends the search; with the least score any does that is
      not a dead end (the environment's reward is the least score).
    - select: chooses among all complete answers. Without any, the best unfinished path is returned, marked as
      truncated.
    - generator: what proposes steps; None is the one given to `solve`.

    Cost: at most `expansions` * `branch` (in "bfs" also (1 + `width` * (`depth` - 1)) * `branch`, with at_once
    `expansions` * `at_once`) steps, and as many verifications. Source: Yao et al., Tree of Thoughts, the released
    ``bfs.py`` (expand all, score all, keep the best, ties to the first); ToolLLM, the released ``DFS.py``, without its
    prompt for other children and without its jumps back over more than one state.
    """

    width: int
    branch: int
    verifier: Verifier
    environment: Environment[Any] = field(default_factory=TextSteps)
    depth: int = 40
    order: Literal["bfs", "dfs"] = "bfs"
    expansions: int = 64
    at_once: int | None = None
    prune: float | None = None
    threshold: float | None = None
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, width=1, branch=1, depth=1, expansions=1)
        if self.order not in ("bfs", "dfs"):
            raise ConfigError(f'order is "bfs" or "dfs", got {self.order!r}')
        if self.at_once is not None and (self.order == "bfs" or not 1 <= self.at_once <= self.branch):
            raise ConfigError(f'at_once is for order="dfs", between 1 and branch={self.branch}, got {self.at_once}')
        self._steps()
        low, high = self.verifier.range
        for name in ("prune", "threshold"):
            bound = getattr(self, name)
            if bound is not None and not low <= bound <= high:
                raise ConfigError(f"{name}={bound} is outside the verifier's range [{low}, {high}]")

    def _steps(self) -> Steps:
        return Steps(self.environment, self.verifier, self.generator)

    def counts(self) -> tuple[int, int] | None:
        expansions = self.expansions
        if self.order == "bfs":
            expansions = min(expansions, 1 + self.width * (self.depth - 1))
        steps = expansions * (self.at_once or self.branch)
        return steps, steps

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return await (self._breadth_first if self.order == "bfs" else self._depth_first)(prompt, run)

    async def _breadth_first(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, left = self._steps(), self.expansions
        tree = await steps.start(prompt, run)
        level, seen, unfinished, failure = [ROOT], list[Grown](), list[Grown](), None
        for _ in range(self.depth):
            level = level[:left]
            left -= len(level)
            grown, failure = await steps.grow(prompt, tree, [n for n in level for _ in range(self.branch)], run)
            if not grown:
                break
            seen += grown
            unfinished = ranked(g for g in grown if not g.terminal)
            level = self._followed(unfinished)
            if self._accepted(grown, run) or over(grown, failure) or not level or not left:
                break
        return await answer(prompt, seen, unfinished, failure, self.select, run)

    async def _depth_first(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps, at_once = self._steps(), self.at_once or self.branch
        tree = await steps.start(prompt, run)
        waiting, made = [(ROOT, 0)], 0  # a node, and how many children were drawn from it
        seen, unfinished, first = list[Grown](), list[Grown](), None
        for _ in range(self.expansions):
            if not waiting:
                break
            node, drawn = waiting.pop()
            parents = [node] * min(at_once, self.branch - drawn)
            grown, failure = await steps.grow(prompt, tree, parents, run, start=made)
            first, made, drawn = first or failure, made + len(parents), drawn + len(parents)
            seen += grown
            unfinished += (alive := [g for g in grown if not g.terminal])
            if self._accepted(grown, run) or (isinstance(failure, BudgetExhausted) and over(grown, failure)):
                break
            if drawn < self.branch:
                waiting.append((node, drawn))
            if tree.depth[node] + 1 < self.depth:
                waiting += [(child, 0) for child in reversed(self._followed(alive))]
        return await answer(prompt, seen, unfinished, first, self.select, run)

    def _followed(self, unfinished: Sequence[Grown]) -> list[int]:
        """The nodes to go on with, best first; one without a score is not pruned, nobody spoke against it."""
        good = [g for g in ranked(unfinished) if self.prune is None or g.score is None or g.score >= self.prune]
        return [g.node for g in good[: self.width]]

    def _accepted(self, grown: Sequence[Grown], run: Run) -> bool:
        """True if a complete answer is good enough to stop."""
        if self.threshold is None:
            return False
        good = any(g.answer and not g.dead and g.score is not None and g.score >= self.threshold for g in grown)
        if good:
            run.stop("threshold")
        return good
