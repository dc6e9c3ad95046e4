"""Receding horizon: search, commit to what was found, and search again from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from searchkit.environments.protocols import Committing
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run
from searchkit.strategies.tree.limits import part
from searchkit.strategies.tree.tree_search import Found, TreeSearch
from searchkit.strategy import Strategy
from searchkit.tree import ROOT
from searchkit.types import Prompt, Sample, Scored, Transition, Usage, Verdict


@dataclass(frozen=True)
class RecedingHorizon(Strategy):
    """Up to `rounds` times: `planner` searches from where things stand, then the best path it found is carried out.

    commit: "path" carries out the whole path to the answer (where nothing is finished yet, to the best unfinished
    state), "action" its first action only. In a `Committing` environment this changes the real world, irreversible
    actions included, and the answer is what that came to; in any other the next search just starts there, and the
    answer is the best of all rounds. Ends when the episode does, when a search finds nothing better than where things
    stand, or when what was carried out reached the planner's `threshold`. `Result.tree` is the last round's.

    Cost: at most `rounds` searches, each with an equal part of what is left of a budget. Source: Koh et al., Tree
    Search for Language Model Agents, released ``agent.py`` ("path", 5 rounds of 20 pops); R-MCTS's released code
    commits to one action at a time.
    """

    planner: TreeSearch
    rounds: int = 5
    commit: Literal["path", "action"] = "path"
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.planner, TreeSearch):
            raise ConfigError(f"RecedingHorizon needs a tree search such as BestFirst(...), got {self.planner!r}")
        check_counts(self, rounds=1)
        if self.commit not in ("path", "action"):
            raise ConfigError(f'commit is "path" or "action", got {self.commit!r}')

    def worst_case(self, sample: Usage) -> Usage | None:
        """All rounds in full; what carrying out costs is the environment's business."""
        one = self._planner().worst_case(sample)
        return None if one is None else one.times(self.rounds)

    def _planner(self) -> TreeSearch:
        return self.planner if self.generator is None else replace(self.planner, generator=self.generator)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        planner, state, answers = self._planner(), None, list[Scored]()
        for done in range(self.rounds):
            try:
                found = await self._plan(planner, prompt, state, self.rounds - done, run)
            except ConfigError:
                raise
            except Exception as error:  # what failed later takes nothing from an answer
                if not answers:
                    raise
                run.note_failure(error)
                run.fail(error)
                break
            node, goes_on = self._next(found)
            if node is None:
                answers.append(found.end.answer)
                break
            step = await self._carry_out(found, node, run)
            state = step.state
            carried_out = step.terminal and (step.reward is not None or self._committing)
            answers.append(self._ended(step, found.end.answer, run) if carried_out else found.end.answer)
            if step.terminal or not goes_on:
                break
        return (answers[-1] if isinstance(planner.environment, Committing) else _best(answers)).sample

    async def _plan(self, planner: TreeSearch, prompt: Prompt, state: Any, left: int, run: Run) -> Found:
        """A round's search, with an equal part of what is left for so many; with all of it where that pays nothing."""
        try:
            with run.child("round", part(run, left)) as searching:
                return await planner.explore(prompt, searching, state)
        except BudgetExhausted:
            if left == 1:
                raise
            with run.child("round") as searching:
                return await planner.explore(prompt, searching, state)

    def _next(self, found: Found) -> tuple[int | None, bool]:
        """Where to go, None for nowhere, and whether to search on from there.

        The root's own state and a dead end are no place to go to. An answer of a rollout of the root has no path: then
        to the most visited child.
        """
        tree, end = found.tree, found.end
        arrived = self._good_enough(end.answer) and (end.at == "state" or not self._committing)
        if end.at == "dead" or (end.at == "state" and end.node == ROOT):
            return None, False
        if end.node != ROOT:
            return (end.node if self.commit == "path" else tree.path(end.node)[1]), not arrived
        if arrived:
            return None, False
        return max(tree.children(ROOT), key=lambda n: (tree.visits[n], tree.mean(n)), default=None), True

    @property
    def _committing(self) -> bool:
        return isinstance(self.planner.environment, Committing)

    async def _carry_out(self, found: Found, node: int, run: Run) -> Transition[Any]:
        """The state that things are in once the actions on the path to `node` were carried out."""
        tree, environment = found.tree, self.planner.environment
        if isinstance(environment, Committing):
            with run.child("commit") as committing:
                return await environment.commit(tree.state[node], committing)
        return Transition(tree.state[node], terminal=bool(tree.terminal[node]))

    def _ended(self, step: Transition[Any], planned: Scored, run: Run) -> Scored:
        """What the episode came to: carrying out may have shown more than searching did. Without a reward it counts as
        what was planned."""
        sample = self.planner.environment.candidate(step.state)
        verdict = planned.verdict if step.reward is None else Verdict(step.reward, feedback=step.observation)
        run.offer(sample, verdict)
        return Scored(sample, verdict)

    def _good_enough(self, answer: Scored) -> bool:
        threshold = self.planner.threshold
        return threshold is not None and answer.score is not None and answer.score >= threshold


def _best(answers: list[Scored]) -> Scored:
    """The finished one with the highest score, of equals the last; without any finished one, the last."""
    finished = [answer for answer in answers if not answer.sample.truncated]
    scored = [answer for answer in finished if answer.score is not None]
    best = max((answer.score or 0.0 for answer in scored), default=None)
    return next((a for a in reversed(scored) if a.score == best), (finished or answers)[-1])
