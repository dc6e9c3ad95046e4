"""AB-MCTS: a tree of drafts that grows wider or deeper, whichever has been paying."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.environments.protocols import Anytime, Environment, is_complete
from searchkit.environments.rewrite import Rewrite
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_counts, check_environment
from searchkit.protocols import LATER, Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.sources import Sources, check_rewards, reward_of, sources_of
from searchkit.strategies.common.thompson import Draw, Prior, prior_of
from searchkit.strategies.common.transition import Reached, Stepper
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.tree.arms import Arms
from searchkit.strategy import Strategy
from searchkit.tool_calls import label
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Scored, Transition


@dataclass(slots=True)
class Trial:
    """One more child for `node`, written by generator number `source`; index: which of its samples there."""

    node: int
    source: int
    index: int


@dataclass(frozen=True)
class ABMCTS(Strategy):
    """Adaptive branching Monte Carlo tree search, variant A: any node may get one more child at any time.

    - verifier: scores each child; the score, rescaled from its range to [0, 1], is the reward, see `reward_of`.
    - environment: by default whole drafts that are rewritten (`Rewrite`); any other does, and in one whose states are
      not complete answers, such as `TextSteps`, unfinished paths are scored as they are. Terminal states are not
      continued.
    - iterations: children, at most.
    - prior: "gaussian" (m = 0, kappa = 1, nu = 1, tau^2 = 0.1), "beta" (0.5, 0.5), or `Gaussian(...)` or `Beta(...)`
      with constants of your own.
    - draw: "mean", an arm's mean from its posterior, as in the released code, or "predictive", its next reward, as the
      paper says; Gaussian only.
    - backup: "all", as published: an arm's rewards are those of all that it led to; "max": each of them counts as the
      best, so that a wrong child says nothing against its parent. For scores that say how good a state is, such as
      progress; it costs a little where drafts get stuck.
    - generators: several to choose from at GEN, by Thompson sampling over the rewards that each has brought anywhere in
      the tree; no score counts as 0 there. None among them stands for `generator`.
    - in_flight: trials at once; selection j knows the outcomes 0 ... j - in_flight, whatever the latencies. A trial
      under way is counted in `Tree.in_flight`, and a walk that ends at a node whose first child is under way waits for
      that: it would widen there for want of a choice, and batches would grow wide and shallow. So the first trial of
      all is always alone.
    - threshold: stop as soon as an answer scores that high.
    - select: chooses among all answers; without any, the best unfinished path is returned, marked as truncated.
    - generator: what writes children; None is the one given to `solve`.

    Each iteration walks down from the root. At every node Thompson sampling decides between GEN, one more child of this
    node, and CONT, to go on below one of those that are there, and then between these; a node without children that
    can be continued always generates. There are no rollouts: the reward of the new child is told to the arms on its way
    (see `arms.Arms`). A child without a score tells nothing. GEN alone is best-of-N, CONT alone a chain of
    refinements.

    Cost: at most `iterations` samples and as many verifications, and one for a draft to start from. Source: Inoue et
    al., Wider or Deeper? (AB-MCTS-A), and its released code (treequest).
    """

    verifier: Verifier
    environment: Environment[Any] = field(default_factory=Rewrite)
    iterations: int = 64
    prior: Prior = "gaussian"
    draw: Draw = "mean"
    backup: Literal["all", "max"] = "all"
    generators: Sequence[Generator | None] = ()
    in_flight: int = 1
    threshold: float | None = None
    select: Selector = Argmax()
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if callable(getattr(self.generators, "generate", None)):
            raise ConfigError("generators is a sequence, such as [small, large]")
        object.__setattr__(self, "generators", tuple(self.generators))
        check_counts(self, iterations=1, in_flight=1)
        check_environment("ABMCTS", self.environment)
        prior_of(self.prior, self.draw)
        if self.backup not in ("all", "max"):
            raise ConfigError(f'backup is "all" or "max", got {self.backup!r}')
        check_rewards("ABMCTS", self.verifier, self.threshold)
        sources_of(self.generators, self.generator)

    def counts(self) -> tuple[int, int] | None:
        return self.iterations, self.iterations + isinstance(self.environment, Anytime)

    def sources(self) -> Sources:
        return sources_of(self.generators, self.generator)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        sources = self.sources()
        tree = Tree(await self.environment.start(prompt, run), prompt.text)
        run.show_tree(tree)
        arms = Arms(tree, prior_of(self.prior, self.draw), self.draw, len(sources), self.backup == "max")
        drawn, under_way = Counter[tuple[int, int]](), deque[Trial]()
        finished, first = await self._root(prompt, tree, run), None
        over = self._enough(finished, run)

        def trials() -> Iterator[Trial]:
            """Asked for a trial just when it is to start; waits where that depends on one under way."""
            left = self.iterations
            while left and not over:
                chosen = arms.select(run.rng)
                if chosen is None:
                    yield LATER
                    continue
                left -= 1
                trial = Trial(*chosen, drawn[chosen])
                drawn[chosen] += 1
                tree.start(trial.node)
                under_way.append(trial)
                yield trial

        async def draw(trial: Trial, child: Run) -> Reached:
            with child.child(f"generator {trial.source}") as inner:
                return await self._draw(prompt, tree.state[trial.node], sources[trial.source], trial.index, inner)

        try:
            async with run.stream(draw, trials(), window=self.in_flight, most=self.iterations, name="trial") as stream:
                async for outcome in stream:
                    trial, found = under_way.popleft(), outcome.value
                    tree.finish(trial.node)
                    spent = outcome.error if found is None else found.spent
                    run.note_failure(spent)
                    first = first or spent
                    over = over or isinstance(spent, BudgetExhausted)
                    new = self._add(tree, arms, trial, found)
                    finished += new
                    if self._enough(new, run):
                        break
        finally:
            for trial in under_way:
                tree.finish(trial.node)
        return await self._answer(prompt, tree, finished, first, run)

    # ---------------------------------------------------------------- one more child

    async def _root(self, prompt: Prompt, tree: Tree, run: Run) -> list[Scored]:
        """The first state as an answer, if it is one; its verdict is known before anything is drawn."""
        state = tree.state[ROOT]
        if not is_complete(self.environment, state):
            return []
        found = await Stepper(self.environment, self.verifier).judge(prompt, None, Transition(state), run)
        run.note_failure(found.spent)
        tree.state[ROOT] = found.state
        if found.score is not None:
            tree.score[ROOT] = found.score
        tree.keep(ROOT, found.scored, answer=True)
        return [found.scored]

    async def _draw(self, prompt: Prompt, state: Any, source: Generator | None, index: int, run: Run) -> Reached:
        run.params = run.base_params(source)  # the environment may add stop strings to them
        return await Stepper(self.environment, self.verifier).draw(prompt, state, source, index, run)

    # ---------------------------------------------------------------- bookkeeping

    def _add(self, tree: Tree, arms: Arms, trial: Trial, found: Reached | None) -> list[Scored]:
        """Put what a trial brought into the tree and tell the arms; returns the answer in it, if any."""
        if found is None or found.action is None:
            tree.failures[trial.node] += 1
            arms.source[trial.source].tell(0.0)
            return []
        action, score = found.action, found.score
        tokens = action.usage.generated_tokens
        node = tree.add(trial.node, label(action), found.state, terminal=found.terminal, tokens=tokens, score=score)
        tree.keep(node, found.scored, answer=found.answer)
        if found.terminal:
            tree.close(node)
        arms.grow()
        if score is not None:
            tree.backup(node, score)
            arms.tell(node, reward_of(score, self.verifier))
        arms.source[trial.source].tell(0.0 if score is None else reward_of(score, self.verifier))
        return [found.scored] if found.answer else []

    def _enough(self, found: Sequence[Scored], run: Run) -> bool:
        """True, and the reason to stop, if one of the answers `found` reaches the threshold."""
        if self.threshold is None or not any(s.score is not None and s.score >= self.threshold for s in found):
            return False
        run.stop("threshold")
        return True

    async def _answer(
        self, prompt: Prompt, tree: Tree, finished: Sequence[Scored], failure: Exception | None, run: Run
    ) -> Sample[Any]:
        if finished:
            return finished[await choose(self.select, prompt, finished, run)].sample
        if len(tree) == 1 and failure is not None:
            raise failure
        scored = [node for node in range(1, len(tree)) if tree.score[node] == tree.score[node]]
        best = max(scored, key=lambda node: tree.score[node]) if scored else len(tree) - 1
        return replace(self.environment.candidate(tree.state[best]), finish="length")
