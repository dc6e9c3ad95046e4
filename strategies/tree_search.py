"""The one loop of all tree searches: select a leaf, evaluate and expand it, back up; k leaves in flight."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Environment, Generator, Selector, TreePolicy, Verifier
from searchkit.run import Run
from searchkit.strategies.policies.uct import UCT
from searchkit.strategies.select import Argmax, fallback
from searchkit.strategy import Strategy, worst_case
from searchkit.stream import LATER
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Scored, Usage, Verdict


@dataclass(frozen=True, slots=True)
class Child:
    """An action that was drawn, and where it led. `scored` if an episode ends here."""

    action: Sample[Any]
    state: Any
    prior: float
    scored: Scored | None


@dataclass(frozen=True, slots=True)
class Expansion:
    """What expanding one leaf brought: its value (None: unknown), a finished rollout, and its children."""

    value: float | None
    rollout: Scored | None
    children: tuple[Child, ...]


@dataclass(frozen=True)
class TreeSearch(Strategy):
    """Grows a tree over the states of `environment`; `policy` says which leaf comes next.

    Each iteration expands one leaf: `width` actions are drawn, equal ones merged (the more frequent first), and the
    leaf is evaluated, by `verifier` on the path so far ("value"), or by a whole rollout that the verifier then scores
    ("rollout"). Finished episodes are scored by the environment's reward, else by the verifier, and are candidates for
    the answer. prior: of a child, its share of the drawn actions ("frequency"), the same for all ("uniform"), or the
    exponential of its mean token log-probability ("logprob").

    in_flight: leaves expanded at once. Selection j knows the outcomes 0 ... j - in_flight, whatever the latencies.
    retries: how often a leaf whose expansion failed is tried again before it is closed. threshold: stop as soon as an
    answer scores that high. select: chooses among the finished answers; without any, the best unfinished path is
    returned, marked as truncated.

    Cost: at most `iterations` * `width` steps, and as many evaluations, each a verification or a rollout with one; and
    a verification for each finished episode.
    """

    verifier: Verifier
    policy: TreePolicy = field(default_factory=UCT)
    environment: Environment[Any] = field(default_factory=TextSteps)
    iterations: int = 64
    width: int = 4
    evaluate: Literal["value", "rollout"] = "value"
    prior: Literal["frequency", "uniform", "logprob"] = "frequency"
    in_flight: int = 1
    retries: int = 1
    threshold: float | None = None
    select: Selector = field(default_factory=Argmax)
    generator: Generator | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        for least, what in ((1, "iterations"), (1, "width"), (1, "in_flight"), (0, "retries")):
            if getattr(self, what) < least:
                raise ConfigError(f"{name} needs {what} >= {least}, got {getattr(self, what)}")
        if not callable(getattr(self.verifier, "verify", None)):
            raise ConfigError(f"{name} needs a verifier; wrap a callable as Predicate(fn), got {self.verifier!r}")
        if self.evaluate not in ("value", "rollout") or self.prior not in ("frequency", "uniform", "logprob"):
            raise ConfigError('evaluate is "value" or "rollout", prior is "frequency", "uniform" or "logprob"')

    def worst_case(self, sample: Usage) -> Usage | None:
        """All iterations with `width` steps, each step an ended episode, and a rollout each if asked for."""
        one = worst_case(self.generator, sample)
        draws = self.width + (self.evaluate == "rollout")
        checks = Usage(verifications=self.iterations * (self.width + 1))
        return None if one is None else one.times(self.iterations * draws) + checks

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        tree = Tree(await self.environment.start(prompt, run))
        run.plant(tree)
        finished: list[Scored] = []
        under_way: deque[int] = deque()
        first: Exception | None = None

        def leaves() -> Iterator[int]:
            """Asked for a leaf just when its expansion is to start; waits where all open ones are in flight."""
            expanded = 0
            while expanded < self.iterations and not tree.closed[ROOT] and not isinstance(first, BudgetExhausted):
                leaf = self.policy.select(tree, run.rng)
                if leaf is not None:
                    expanded += 1
                    tree.start(leaf)
                    under_way.append(leaf)
                yield LATER if leaf is None else leaf

        async def expand(leaf: int, child: Run) -> Expansion:
            return await self._expand(prompt, tree.state[leaf], child)

        stream = run.stream(expand, leaves(), window=self.in_flight, most=self.iterations, name="expand")
        try:
            async with stream:
                async for outcome in stream:
                    leaf = under_way.popleft()
                    tree.finish(leaf)
                    if outcome.value is None:
                        first = run.survive(outcome, first)
                        self._failed(tree, leaf, outcome.error)
                        continue
                    ended = self._grow(tree, leaf, outcome.value)
                    finished += ended
                    if self.threshold is not None and any((s.score or 0) >= self.threshold for s in ended):
                        run.stop("threshold")
                        break
        finally:
            for leaf in under_way:
                tree.finish(leaf)
        if len(tree) == 1 and not finished and first is not None:
            raise first
        return await self._answer(prompt, tree, finished, run)

    # ---------------------------------------------------------------- one expansion

    async def _expand(self, prompt: Prompt, state: Any, run: Run) -> Expansion:
        """Evaluate `state` and draw its children, side by side; what one of the two brought survives the other."""
        [evaluated, drawn] = await run.map(
            lambda part, child: part(prompt, state, child), (self._evaluate, self._draw), name="leaf"
        )
        if drawn.error is not None and (evaluated.error is not None or isinstance(drawn.error, BudgetExhausted)):
            raise drawn.error
        if isinstance(evaluated.error, BudgetExhausted):
            run.survive(evaluated)
        value, rollout = evaluated.value if evaluated.value is not None else (None, None)
        return Expansion(value, rollout, drawn.value or ())

    async def _evaluate(self, prompt: Prompt, state: Any, run: Run) -> Any:
        """(value, finished rollout): one of the two is what the mode asks for."""
        if self.evaluate == "value":
            candidate = self.environment.candidate(state)
            [scored] = await run.score(self.verifier, prompt, [candidate], partial=True)
            return scored.score, None
        params = self.environment.step_params(run, whole=True)
        [rest] = await run.sample(self.generator, self.environment.prompt(state), params=params, partial=True)
        end = await self.environment.finish(state, rest, run)
        [scored] = await run.score(self.verifier, prompt, [self.environment.candidate(end)])
        return scored.score, scored

    async def _draw(self, prompt: Prompt, state: Any, run: Run) -> tuple[Child, ...]:
        params = self.environment.step_params(run)
        actions = await run.sample(
            self.generator, self.environment.prompt(state), self.width, params=params, partial=True
        )
        counts: dict[Any, int] = {}
        firsts: dict[Any, Sample[Any]] = {}
        for action in actions:
            identity = (action.text, action.stop_reason, action.finish)
            counts[identity] = counts.get(identity, 0) + 1
            firsts.setdefault(identity, action)
        ranked = sorted(counts, key=lambda identity: -counts[identity])  # stable: equals keep the order drawn
        children = []
        for identity in ranked:
            action = firsts[identity]
            step = await self.environment.step(state, action, run)
            prior = self._prior(action, counts[identity] / len(actions))
            scored = await self._ended(prompt, step, run) if step.terminal else None
            children.append(Child(action, step.state, prior, scored))
        return tuple(children)

    def _prior(self, action: Sample[Any], share: float) -> float:
        if self.prior == "logprob":
            if not action.logprobs:
                raise ConfigError('prior="logprob" needs a generator that returns them: Params(logprobs=0)')
            return math.exp(sum(t.logprob for t in action.logprobs) / len(action.logprobs))
        return share if self.prior == "frequency" else 1.0

    async def _ended(self, prompt: Prompt, step: Any, run: Run) -> Scored:
        """A finished episode with its score: the environment's reward, else the verifier's."""
        candidate = self.environment.candidate(step.state)
        if step.reward is None:
            return (await run.score(self.verifier, prompt, [candidate]))[0]
        verdict = Verdict(step.reward, feedback=step.observation)
        run.offer(candidate, verdict)
        return Scored(candidate, verdict)

    # ---------------------------------------------------------------- pure bookkeeping

    def _grow(self, tree: Tree, leaf: int, expansion: Expansion) -> list[Scored]:
        """Add the children, back everything up, close what has ended; returns the finished answers."""
        finished = [] if expansion.rollout is None else [expansion.rollout]
        nodes = [
            tree.add(leaf, c.action.text, c.state, prior=c.prior, terminal=c.scored is not None,
                     tokens=c.action.usage.generated_tokens)
            for c in expansion.children
        ]  # fmt: skip
        if expansion.value is not None:
            tree.score[leaf] = expansion.value
            tree.backup(leaf, expansion.value)
        for node, child in zip(nodes, expansion.children, strict=True):
            if child.scored is None:
                continue
            finished.append(child.scored)
            if child.scored.score is not None:
                tree.score[node] = child.scored.score
                tree.backup(node, child.scored.score)
            tree.close(node)
        if not nodes:
            self._failed(tree, leaf, None)
        return finished

    def _failed(self, tree: Tree, leaf: int, error: Exception | None) -> None:
        if isinstance(error, BudgetExhausted):
            return
        tree.failures[leaf] += 1
        if tree.failures[leaf] > self.retries:
            tree.close(leaf)

    async def _answer(self, prompt: Prompt, tree: Tree, finished: list[Scored], run: Run) -> Sample[Any]:
        if finished:
            choice = await self.select.select(prompt, finished, run)
            return finished[fallback(finished) if choice.index is None else choice.index].sample
        scored = [n for n in range(len(tree)) if tree.score[n] == tree.score[n] and n != ROOT]
        best = max(scored, key=lambda n: tree.score[n]) if scored else len(tree) - 1
        return replace(self.environment.candidate(tree.state[best]), finish="length")
