"""The one loop of all tree searches: select a node, evaluate and expand it, back up; k nodes in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.environments.protocols import Anytime, Environment, Listing, is_complete
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_environment, check_generator
from searchkit.protocols import LATER, Generator, Run, Selector, Verifier
from searchkit.strategies.common.checks import check_counts, check_method, check_verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.transition import Stepper
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.tree.evaluation import Evaluation, Value
from searchkit.strategies.tree.expansion import Ask, Expander, Expansion, Prior
from searchkit.strategies.tree.growth import Growth
from searchkit.strategies.tree.pick import End, Pick, pick, walk
from searchkit.strategies.tree.policies.uct import UCT
from searchkit.strategy import AnswerRule, Strategy
from searchkit.tree import ROOT, Tree, TreePolicy
from searchkit.types import Prompt, Sample, Scored

CHOICES = {
    "prior": ("frequency", "uniform", "logprob"),
    "pick": ("answer", "visits", "value"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: its tree, and its answer with the node where that lies, see `End`."""

    tree: Tree
    end: End


@dataclass(frozen=True)
class TreeSearch(Strategy):
    """Grows a tree over the states of `environment`; `policy` says which node comes next, and how values are backed up.

    - verifier: scores states, and episodes whose end has no reward.
    - policy: the rule by which nodes are chosen and values backed up, such as `UCT`, `PUCT` or `BestFirstRule`.
    - environment: what a state and an action are.
    - iterations: nodes that are expanded, at most.
    - width: actions drawn at an expansion. Where the environment lists them, all are taken instead.
    - branch: of the actions drawn at once only so many, the more frequent, become children (None: all).
    - evaluation: what is backed up from a node that is expanded: `Value()`, `Rollout(n, horizon)` or `Children()`.
    - prior: of a child, its share of the draws ("frequency"), the same for all ("uniform"), the exponential of its mean
      token log-probability ("logprob"), or the score that a verifier (a critic, perhaps one that ranks siblings) gives
      it.
    - expansions: how often a node may be expanded; more than once draws more children, when the policy says so (see
      `Widening`).
    - retries: how often in a row a node whose expansion failed, or brought nothing new, is tried again before it gets
      no more.
    - in_flight: nodes expanded at once (tree parallel). Selection j knows the outcomes 0 ... j - in_flight, whatever
      the latencies.
    - trees: so many independent trees share the iterations and are merged at the end, visits added up (root parallel).
    - threshold: stop as soon as an answer scores that high.
    - pick: from which part of the tree the answer comes, see `pick`.
    - select: chooses among the answers there. Without any the best unfinished path is returned, marked as truncated.
    - generator: what proposes actions; None is the one given to `solve`.

    Each iteration expands one node: its actions are drawn, equal ones merged, the more frequent first. Finished
    episodes are scored by the environment's reward, else by the verifier, and are candidates for the answer; so are
    states that the environment calls complete.

    Cost: at most `iterations` * `width` steps, and as many evaluations, each at its own cost; a verification for each
    finished episode, and for each child if it is evaluated or judged for its prior.
    """

    verifier: Verifier
    policy: TreePolicy = field(default_factory=UCT)
    environment: Environment[Any] = field(default_factory=TextSteps)
    iterations: int = 64
    width: int = 4
    branch: int | None = None
    evaluation: Evaluation = field(default_factory=Value)
    prior: Prior | Verifier = "frequency"
    expansions: int = 1
    retries: int = 1
    in_flight: int = 1
    trees: int = 1
    threshold: float | None = None
    pick: Pick = "answer"
    select: Selector = field(default_factory=Argmax)
    generator: Generator | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_counts(self, iterations=1, width=1, expansions=1, retries=0, in_flight=1, trees=1)
        if self.branch is not None:
            check_counts(self, branch=1)
        if self.trees > self.iterations:
            raise ConfigError(f"{self.trees} trees cannot share {self.iterations} iterations")
        check_verifier(name, self.verifier, self.threshold)
        check_environment(name, self.environment)
        check_method("policy", self.policy, "backup", "UCT(1.0)")
        check_method("select", self.select, "select", "Argmax() or Vote()")
        if self.generator is not None:
            check_generator(f"generator= of {name}", self.generator)
        if not isinstance(self.evaluation, Evaluation):
            raise ConfigError(f"evaluation is Value(), Rollout(n, horizon) or Children(), got {self.evaluation!r}")
        for what, choices in CHOICES.items():
            value = getattr(self, what)
            if value not in choices and not (what == "prior" and callable(getattr(value, "verify", None))):
                raise ConfigError(f"{what} is one of {', '.join(map(repr, choices))}, got {value!r}")

    @property
    def answers_by(self) -> AnswerRule:
        """Where `pick` walks down the tree, only what lies at the end of the walk may be the answer."""
        return self.ANSWER if self.pick == "answer" else "own"

    def counts(self) -> tuple[int, int] | None:
        """None where the environment lists the actions: as many as there are."""
        if isinstance(self.environment, Listing):
            return None
        draws = self.width + self.evaluation.draws(self.environment)
        checks = self.width * (1 if isinstance(self.prior, str) else 2) + self.evaluation.checks(self.environment)
        return self.iterations * draws, self.iterations * checks

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return (await self.explore(prompt, run)).end.answer.sample

    async def explore(self, prompt: Prompt, run: Run, state: Any = None) -> Found:
        """The search from `state` on (None: from the start), with its tree."""
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        tree = Tree(await self.environment.start(prompt, run) if state is None else state)
        run.show_tree(tree)
        if self.trees == 1:
            growth, failure = await self._grow(prompt, tree, self.iterations, run)
            return await self._answer(prompt, tree, growth.ends, failure, run)
        ends, failure = list[End](), None

        async def grow(index: int, child: Run) -> tuple[Growth, Exception | None]:
            share = self.iterations // self.trees + (index < self.iterations % self.trees)
            return await self._grow(prompt, Tree(tree.state[ROOT]), share, child)

        async with run.stream(grow, range(self.trees), window=self.trees, name="tree") as stream:
            async for outcome in stream:
                if outcome.value is None:
                    run.note_failure(outcome.error)
                    failure = failure or outcome.error
                    continue
                growth, failed = outcome.value
                places, failure = tree.graft(growth.tree, merge=True), failure or failed
                ends += [end._replace(node=places[end.node]) for end in growth.ends]
                if self._reached(growth.ends) is not None:
                    break
        return await self._answer(prompt, tree, ends, failure, run)

    async def _grow(self, prompt: Prompt, tree: Tree, most: int, run: Run) -> tuple[Growth, Exception | None]:
        """Grow `tree` by at most `most` expansions; with it the first failure."""
        growth = Growth(tree, self.policy, self.expansions, self.retries, frequency=self.prior == "frequency")
        stepper = Stepper(self.environment, self.verifier)
        expander = Expander(stepper, self.generator, self.width, self.branch, self.evaluation, self.prior)
        under_way: deque[int] = deque()
        first: Exception | None = None
        spent = False

        def asks() -> Iterator[Any]:
            """Asked for a node just when its expansion is to start; waits where all open ones are in flight."""
            expanded = 0
            while expanded < most and not tree.closed[ROOT] and not spent:
                node = self.policy.select(tree, run.rng)
                if node is not None:
                    expanded += 1
                    tree.start(node)
                    under_way.append(node)
                yield LATER if node is None else growth.ask(node)

        async def expand(ask: Ask, child: Run) -> Expansion:
            return await expander.expand(prompt, ask, child)

        try:
            async with run.stream(expand, asks(), window=self.in_flight, most=most, name="expand") as stream:
                async for outcome in stream:
                    node = under_way.popleft()
                    tree.finish(node)
                    failure = outcome.error if outcome.value is None else outcome.value.failure
                    run.note_failure(failure)
                    first = first or failure
                    spent = spent or isinstance(failure, BudgetExhausted)
                    if outcome.value is None:
                        growth.failed(node, outcome.error)
                    elif self._reached(growth.take(node, outcome.value)) is not None:
                        run.stop("threshold")
                        break
        finally:
            for node in under_way:
                tree.finish(node)
        return growth, first

    def _reached(self, ends: Sequence[End]) -> End | None:
        """The first answer that reaches the threshold."""
        if self.threshold is None:
            return None
        scores = ((end, end.answer.score) for end in ends)
        return next((end for end, score in scores if score is not None and score >= self.threshold), None)

    async def _answer(self, prompt: Prompt, tree: Tree, ends: list[End], failure: Exception | None, run: Run) -> Found:
        """The answer that reached the threshold, else the chosen one; a dead end only where nothing looks better.

        Raises `failure` if nothing at all was found.
        """
        reached = self._reached(ends)
        if reached is not None:
            return Found(tree, reached)
        alive, open_one = [end for end in ends if end.at != "dead"], self._open_one(tree)
        least = self.verifier.range[0]
        if alive or (ends and not tree.score[open_one] > least):
            among = pick(tree, alive or ends, self.pick)
            answers = [end.answer for end in among]
            return Found(tree, among[await choose(self.select, prompt, answers, run)])
        if len(tree) == 1 and failure is not None:
            raise failure
        sample = self.environment.candidate(tree.state[open_one])
        if not is_complete(self.environment, tree.state[open_one]):
            sample = replace(sample, finish="length")
        return Found(tree, End(open_one, Scored(sample)))

    def _open_one(self, tree: Tree) -> int:
        """The most promising node that is no end: by the walk of `pick`, else the best score, else the last made."""
        if self.pick != "answer":
            return walk(tree, self.pick, lambda node: not tree.terminal[node])
        scored = [n for n in range(1, len(tree)) if tree.score[n] == tree.score[n] and not tree.terminal[n]]
        if scored:
            return max(scored, key=lambda n: tree.score[n])
        return 1 if isinstance(self.environment, Anytime) and len(tree) > 1 else len(tree) - 1
