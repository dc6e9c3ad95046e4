"""Receding horizon: search, commit to what was found, and search again from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.protocols import Committing, Generator
from searchkit.run import Run
from searchkit.strategies.tree_search import Found, TreeSearch
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Outcome, Prompt, Sample, Scored, Step, Usage, Verdict


@dataclass(frozen=True)
class RecedingHorizon(Strategy):
    """Up to `rounds` times: `planner` searches from where things stand, then the best path it found is carried out.

    commit: "path" carries out the whole path to the answer (where nothing is finished yet, to the best unfinished
    state), "action" its first action only. In a `Committing` environment this changes the real world, irreversible
    actions included; in any other the next search just starts there. Ends when the episode does, when a search finds
    nothing to do, or when an answer reached the planner's `threshold`. `Result.tree` is the last round's.

    Cost: at most `rounds` searches. Source: Koh et al., Tree Search for Language Model Agents, released ``agent.py``
    ("path", 5 rounds of 20 pops); R-MCTS's released code commits to one action at a time.
    """

    planner: TreeSearch
    rounds: int = 5
    commit: Literal["path", "action"] = "path"
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.planner, TreeSearch):
            raise ConfigError(f"RecedingHorizon needs a tree search such as BestFirst(...), got {self.planner!r}")
        if self.rounds < 1:
            raise ConfigError(f"RecedingHorizon needs rounds >= 1, got {self.rounds}")
        if self.commit not in ("path", "action"):
            raise ConfigError(f'commit is "path" or "action", got {self.commit!r}')

    def worst_case(self, sample: Usage) -> Usage | None:
        """All rounds in full; what carrying out costs is the environment's business."""
        one = self._planner().worst_case(sample)
        return None if one is None else one.times(self.rounds)

    def _planner(self) -> TreeSearch:
        return self.planner if self.generator is None else replace(self.planner, generator=self.generator)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        planner, state, answer = self._planner(), None, None  # what failed later takes nothing from an answer
        for _ in range(self.rounds):
            try:
                found = await planner.explore(prompt, run.child("round"), state)
            except ConfigError:
                raise
            except Exception as error:
                if answer is None:
                    raise
                run.survive(Outcome(0, None, error))
                run.fail(error)
                break
            answer = found.answer.sample
            node = self._next(found)
            if node is None:
                break
            step = await self._carry_out(found.tree, node, run)
            state = step.state
            if step.terminal:
                answer = self._ended(found, step, run)
            if step.terminal or self._good_enough(found.answer):
                break
        assert answer is not None  # there is a first round, and it found something or raised
        return answer

    def _next(self, found: Found) -> int | None:
        """Where to go. An answer that a rollout of the root found has no path: then to the most visited child."""
        tree = found.tree
        if found.node != ROOT:
            return found.node if self.commit == "path" else tree.path(found.node)[1]
        return max(tree.children(ROOT), key=lambda n: (tree.visits[n], tree.mean(n)), default=None)

    async def _carry_out(self, tree: Tree, node: int, run: Run) -> Step[Any]:
        """The state that things are in once the actions on the path to `node` were carried out."""
        environment = self.planner.environment
        if isinstance(environment, Committing):
            return await environment.commit(tree.state[node], run.child("commit"))
        return Step(tree.state[node], terminal=bool(tree.terminal[node]))

    def _ended(self, found: Found, step: Step[Any], run: Run) -> Sample[Any]:
        """What the episode came to: carrying out may have shown more than searching did."""
        if step.reward is None:
            return found.answer.sample
        sample = self.planner.environment.candidate(step.state)
        run.offer(sample, Verdict(step.reward, feedback=step.observation))
        return sample

    def _good_enough(self, answer: Scored) -> bool:
        threshold = self.planner.threshold
        return threshold is not None and answer.score is not None and answer.score >= threshold
