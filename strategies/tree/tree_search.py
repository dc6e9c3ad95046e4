"""The one loop of all tree searches: select a node, evaluate and expand it, back up; k nodes in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from searchkit.environments.protocols import Anytime, Completing, Environment, Listing, is_complete
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_counts, check_environment, check_generator
from searchkit.protocols import LATER, Generator, Run, Selector, Verifier, calls_of, scale_of
from searchkit.strategies.common.checks import check_method, check_verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.likelihoods import likelihoods
from searchkit.strategies.common.transition import Stepper, finish
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategies.tree.evaluation import Children, Evaluation, Rollout, Unjudged, Value
from searchkit.strategies.tree.expansion import Ask, Expander, Expansion, Prior
from searchkit.strategies.tree.growth import Growth
from searchkit.strategies.tree.limits import HORIZON, ITERATIONS, Limits, less, to_finish
from searchkit.strategies.tree.pick import End, Pick, pick, walk
from searchkit.strategies.tree.policies.uct import UCT
from searchkit.strategy import AnswerRule, Strategy
from searchkit.tree import ROOT, Tree, TreePolicy
from searchkit.types import Budget, Prompt, Sample, Scored

WIDTH = 4
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

    for_scores, for_chances: the rules that stand for a policy of None, the second where the verifier declares that its
    scores are chances of success (``scale = "chance"``, see `Verifier`).

    - verifier: scores states, and episodes whose end has no reward.
    - policy: the rule by which nodes are chosen and values backed up, such as `UCT`, `PUCT` or `BestFirstRule`. An
      adaptive one (`AdaptiveUCT`, `Reservation`) decides itself when a node gets more children, and no constant is to
      be set for it. None: what the class takes for this verifier.
    - environment: what a state and an action are.
    - iterations: nodes that are expanded, at most. None: under a budget of generations, calls, tokens or seconds as
      many as it pays for, else 64.
    - width: actions drawn at an expansion. Where the environment lists them, all are taken instead. None: 1 under a
      rule that decides itself when a node gets more children (an adaptive one, or one with a `Widening`), else 4.
    - branch: of the actions drawn at once only so many, the more frequent, become children (None: all).
    - evaluation: what is backed up from a node that is expanded: `Value()`, `Rollout(n, horizon)` or `Children()`.
      None: under an adaptive rule `Children()`, until a verdict takes a model call, then `Value()`, as always
      elsewhere.
    - prior: of a child, its share of the draws ("frequency"), the same for all ("uniform"), the exponential of its mean
      token log-probability ("logprob"), or the score that a verifier (a critic, perhaps one that ranks siblings) gives
      it.
    - expansions: how often a node may be expanded; more than once draws more children, when the policy says so. None:
      once, or under a rule that decides itself until the node is exhausted: see below.
    - in_flight: nodes expanded at once (tree parallel). Selection j knows the outcomes 0 ... j - in_flight, whatever
      the latencies.
    - trees: so many independent trees share the iterations and are merged at the end, visits added up (root parallel).
    - aware: show the generator which actions the node has children for, fenced, for it to take another. Such draws
      count in shares of draws and in the chance of a new action as others do.
    - threshold: stop as soon as an answer scores that high.
    - pick: from which part of the tree the answer comes, see `pick`.
    - select: chooses among the answers there. Of equal ones it sees that first whose node and children have the better
      mean. Without any the best unfinished path is returned, marked as truncated.
    - generator: what proposes actions; None is the one given to `solve`.

    Each iteration expands one node: its actions are drawn, equal ones merged, the more frequent first. Finished
    episodes are scored by the environment's reward, else by the verifier, and are candidates for the answer; so are
    states that the environment calls complete.

    A node is exhausted when, by what its draws have repeated, a new action is less likely than 0.05 (see `Growth`);
    under a budget none is given up for good. One draw exhausts it at temperature 0, and where the generator has an
    attribute ``deterministic`` that is True. A node fails for good when six expansions in a row do.

    Under a budget a finished answer comes before a better one. Where the environment can complete a path in one sample
    (`Completing`), what that may cost is held back, and spent on the best unfinished path when the rest is. Elsewhere,
    and where seconds or money are limited, of which a tenth is held back as an estimate, the first draws follow one
    path to its first answer, at most 256 steps. Not with `iterations`: then only what one sample completes is
    completed.

    Resumed from a journal under another budget, a search pays for what it does otherwise: nothing under published
    rules with `iterations`; adaptive ones weigh a draw by how many there will be, and go other ways as soon as that
    matters; and without a budget there is no first path.

    Cost: at most `iterations` * `width` steps, and as many evaluations, each at its own cost; a verification for each
    finished episode, and for each child if it is evaluated or judged for its prior.
    """

    for_scores: ClassVar[TreePolicy] = UCT()
    for_chances: ClassVar[TreePolicy] = UCT()

    verifier: Verifier
    policy: TreePolicy | None = None
    environment: Environment[Any] = field(default_factory=TextSteps)
    iterations: int | None = None
    width: int | None = None
    branch: int | None = None
    evaluation: Evaluation | None = None
    prior: Prior | Verifier = "frequency"
    expansions: int | None = None
    in_flight: int = 1
    trees: int = 1
    aware: bool = False
    threshold: float | None = None
    pick: Pick = "answer"
    select: Selector = field(default_factory=Argmax)
    generator: Generator | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        optional = ("iterations", "width", "expansions", "branch")
        check_counts(self, in_flight=1, trees=1, **{name: 1 for name in optional if getattr(self, name) is not None})
        if self.trees > (self.iterations or self.trees):
            raise ConfigError(f"{self.trees} trees cannot share {self.iterations} iterations")
        check_verifier(name, self.verifier, self.threshold)
        check_environment(name, self.environment)
        if self.policy is not None:
            check_method("policy", self.policy, "backup", "UCT(1.0)")
        scale_of(self.verifier)
        check_method("select", self.select, "select", "Argmax() or Vote()")
        if self.generator is not None:
            check_generator(f"generator= of {name}", self.generator)
        if not isinstance(self.evaluation, Evaluation | None):
            raise ConfigError(f"evaluation is Value(), Rollout(n, horizon) or Children(), got {self.evaluation!r}")
        for what, choices in CHOICES.items():
            value = getattr(self, what)
            if value not in choices and not (what == "prior" and callable(getattr(value, "verify", None))):
                raise ConfigError(f"{what} is one of {', '.join(map(repr, choices))}, got {value!r}")

    @property
    def answers_by(self) -> AnswerRule:
        """Where `pick` walks down the tree, only what lies at the end of the walk may be the answer."""
        return self.ANSWER if self.pick == "answer" else "own"

    @property
    def rule(self) -> TreePolicy:
        """`policy`, or what stands for None: `for_chances` where scores are chances of success, else `for_scores`."""
        return self.policy or (self.for_chances if scale_of(self.verifier) == "chance" else self.for_scores)

    @property
    def _widens(self) -> bool:
        """Whether the rule decides when a node gets more children."""
        return getattr(self.rule, "widens", False) or getattr(self.rule, "widening", None) is not None

    @property
    def _drawn_at_once(self) -> int:
        return self.width or (1 if self._widens else WIDTH)

    @property
    def _evaluation(self) -> Evaluation | None:
        adaptive, calls = getattr(self.rule, "adaptive", False), calls_of(self.verifier)
        return self.evaluation or (Value() if not adaptive or calls else None)

    @property
    def _expansions(self) -> int | None:
        return self.expansions or (None if self._widens else 1)

    def counts(self) -> tuple[int, int] | None:
        """None where the environment lists the actions: as many as there are. Without `iterations`: of 64."""
        if isinstance(self.environment, Listing):
            return None
        evaluation, width, times = self._evaluation or Children(), self._drawn_at_once, self.iterations or ITERATIONS
        draws = width + evaluation.draws(self.environment)
        checks = width * (1 if isinstance(self.prior, str) else 2) + evaluation.checks(self.environment)
        return times * draws, times * checks

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return (await self.explore(prompt, run)).end.answer.sample

    async def explore(self, prompt: Prompt, run: Run, state: Any = None) -> Found:
        """The search from `state` on (None: from the start), with its tree."""
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        tree = Tree(await self.environment.start(prompt, run) if state is None else state, prompt.text)
        run.show_tree(tree)
        limits = Limits.of(run, self.environment, tree.state[ROOT], self.iterations)
        growth = self._growth(tree, limits)
        first = await self._first_path(prompt, growth, limits, run)
        ends, failure, whole = growth.ends, first, isinstance(self.environment, Completing)
        goes_on = ends or not isinstance(first, BudgetExhausted)  # else what is left is for the path that was begun
        left = limits.after(sum(tree.expanded) + sum(tree.failures))
        if goes_on and left.most and self._reached(ends) is None:
            # With or without a budget in a part of its own: a call's key in a journal must not tell which it was.
            with run.child("grow", self._kept(growth, run)) as inner:
                inner.params = run.params
                ends, failure = await self._search(prompt, growth, left, inner)
        wanting = self._reached(ends) is None and not (ends and tree.closed[ROOT])
        if wanting and limits.left != Budget() and (whole or self.iterations is None):
            node = self._open_one(tree) if whole or ends else len(tree) - 1
            ends += await self._completed(prompt, tree, node, run)
        return await self._answer(prompt, tree, ends, first or failure, run)

    def _kept(self, growth: Growth, run: Run) -> Budget:
        """The budget but for what completing a path may cost."""
        calls = calls_of(self.verifier)
        known = calls if calls is not None else int(growth.judged_by_models > 0)
        return less(to_finish(self.environment, growth.tree.state[ROOT], known, run), run)

    async def _first_path(self, prompt: Prompt, growth: Growth, limits: Limits, run: Run) -> Exception | None:
        """Draw one path to its end; not without a budget, nor where one sample completes it and what that costs is
        known, nor where the user said how many expansions there are. Returns the first failure."""
        timed = limits.timed or not isinstance(self.environment, Completing)
        if self.iterations is not None or not timed or limits.left == Budget():
            return None
        with run.child("first", self._kept(growth, run)) as inner:
            inner.params = run.params
            return await self._grow(prompt, growth, replace(limits, most=HORIZON), inner, straight=True)

    def _growth(self, tree: Tree, limits: Limits) -> Growth:
        tree.draws, tree.range = limits.draws(self._drawn_at_once), self.verifier.range
        frequency = self.prior == "frequency"
        bounded, aware = limits.bounded, self.aware
        return Growth(tree, self.rule, self._expansions, frequency=frequency, bounded=bounded, aware=aware)

    async def _search(
        self, prompt: Prompt, growth: Growth, limits: Limits, run: Run
    ) -> tuple[list[End], Exception | None]:
        """Grow the tree, or several that are merged into it; the answers, and the first failure."""
        tree, ends, most = growth.tree, growth.ends, limits.most
        if self.trees == 1:
            return ends, await self._grow(prompt, growth, limits, run)
        failure: Exception | None = None

        async def grow(index: int, child: Run) -> tuple[Growth, Exception | None]:
            share = replace(limits, most=most // self.trees + (index < most % self.trees))
            part = self._growth(Tree(tree.state[ROOT]), share)
            return part, await self._grow(prompt, part, share, child)

        async with run.stream(grow, range(self.trees), window=self.trees, name="tree") as stream:
            async for outcome in stream:
                if outcome.value is None:
                    run.note_failure(outcome.error)
                    failure = failure or outcome.error
                    continue
                part, failed = outcome.value
                places, failure = tree.graft(part.tree, merge=True), failure or failed
                ends += [end._replace(node=places[end.node]) for end in part.ends]
                if self._reached(part.ends) is not None:
                    break
        return ends, failure

    async def _grow(
        self, prompt: Prompt, growth: Growth, limits: Limits, run: Run, *, straight: bool = False
    ) -> Exception | None:
        """Grow a tree by at most `limits.most` expansions; returns the first failure.

        straight: only down one path, until there is an answer.
        """
        tree = growth.tree
        expander = self._expander(limits, straight)
        under_way: deque[int] = deque()
        first: Exception | None = None
        spent, idle = False, 0

        def asks() -> Iterator[Any]:
            """Asked for a node just when its expansion is to start; waits where all open ones are in flight."""
            expanded = 0
            growth.reopen()
            while expanded < limits.most and not tree.closed[ROOT] and not spent and idle < ITERATIONS:
                node = growth.newest() if straight else growth.policy.select(tree, run.rng)
                if node is None and straight:
                    return
                if node is not None:
                    expanded += 1
                    tree.start(node)
                    under_way.append(node)
                yield LATER if node is None else growth.ask(node)
                growth.reopen()

        async def expand(ask: Ask, child: Run) -> Expansion:
            brought = await expander.expand(prompt, ask, child)
            return brought if not limits.bounded or limits.charged(child.used) else replace(brought, free=True)

        window = 1 if straight else self.in_flight
        try:
            async with run.stream(expand, asks(), window=window, most=limits.most, name="expand") as stream:
                async for outcome in stream:
                    node = under_way.popleft()
                    tree.finish(node)
                    failure = outcome.error if outcome.value is None else outcome.value.failure
                    run.note_failure(failure)
                    first = first or failure
                    spent = spent or isinstance(failure, BudgetExhausted)
                    if outcome.value is None:
                        growth.failed(node, outcome.error)
                        continue
                    idle = idle + 1 if outcome.value.free else 0
                    if self._reached(growth.take(node, outcome.value, counts=not straight)) is not None:
                        run.stop("threshold")
                        break
        finally:
            for node in under_way:
                tree.finish(node)
        return first

    def _expander(self, limits: Limits, straight: bool) -> Expander:
        """Down a single path one action is drawn at a time, nothing is played out to its end, and unfinished states are
        judged only where that takes nothing from the path."""
        width, evaluation = self._drawn_at_once, self._evaluation
        if straight:
            width = 1
            if not limits.judges(calls_of(self.verifier)):
                evaluation = Unjudged()
            elif isinstance(evaluation, Rollout):
                evaluation = Value()
        stepper = Stepper(self.environment, self.verifier)
        return Expander(stepper, self.generator, width, self.branch, evaluation, self.prior)

    async def _completed(self, prompt: Prompt, tree: Tree, node: int, run: Run) -> list[End]:
        """The answer to which the path to `node` leads, with what was held back for it: of the most promising node, or
        of the newest where the path that was begun first has not come to its end."""
        if tree.terminal[node] or is_complete(self.environment, tree.state[node]):
            return []
        stepper = Stepper(self.environment, self.verifier)
        try:
            with run.child("finish") as inner:
                inner.params = run.params
                found = await finish(prompt, tree.state[node], HORIZON, stepper, self.generator, inner)
        except ConfigError:
            raise
        except Exception as error:  # what was found before is not lost for it
            run.note_failure(error)
            run.fail(error)
            return []
        if not found.answer:
            return []
        tree.answers.append((node, found.scored.sample))
        return [End(node, found.scored, "rollout")]

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
            among = pick(tree, _better_first(tree, alive or ends), self.pick)
            known = self.prior == "frequency" and self.trees == 1  # merged trees keep the shares of the first
            likely = likelihoods(tree) if known else [1.0] * len(tree)
            answers = [replace(end.answer, weight=likely[end.node]) for end in among]
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


def _better_first(tree: Tree, ends: list[End]) -> list[End]:
    """The answers, of equal scores that first around which the tree is better: scores may be wrong, their mean less so.

    A node's mean is over what was backed up at and below it.
    """
    first = dict[float | None, int]()
    for place, end in enumerate(ends):
        first.setdefault(end.answer.score, place)
    return sorted(ends, key=lambda end: (first[end.answer.score], -tree.mean(end.node)))
