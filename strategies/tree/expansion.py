"""One expansion of a tree search: draw actions in a state, see where they lead, and judge what is to be judged."""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.environments.protocols import Learning, taken
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.common.actions import Proposal, propose
from searchkit.strategies.common.transition import Stepper
from searchkit.strategies.tree.evaluation import Children, Evaluated, Evaluation, Value
from searchkit.types import Prompt, Sample, Scored, first_failure

Prior = Literal["frequency", "uniform", "logprob"]


@dataclass(slots=True)
class Ask:
    """What to expand: a node and its state. known: the actions that it has children for; drawn: how many samples were
    drawn there before; evaluated: its value is known; cheap: no verdict so far has taken a model call. tried: those
    actions in words, for the generator to see; None: it is not to see them."""

    node: int
    state: Any
    known: frozenset[Hashable] = frozenset()
    drawn: int = 0
    evaluated: bool = False
    cheap: bool = True
    tried: tuple[str, ...] | None = None


@dataclass(slots=True)
class Child:
    """A new action and where it led. answer: the state is a complete answer. terminal: the episode ends here; dead:
    with the environment's least reward.
    """

    identity: Hashable
    action: Sample[Any]
    state: Any
    scored: Scored | None
    answer: bool
    terminal: bool
    dead: bool = False
    prior: float = 1.0


@dataclass(frozen=True, slots=True)
class Expansion:
    """What expanding a node brought. counts: how often each action was drawn, those known before included.

    whole: no other action exists. judging: model calls that verdicts have taken. failure: what kept something from
    being done; that the budget is spent comes first. free: it cost nothing of what the budget limits.
    """

    evaluated: Evaluated
    state: Any
    children: tuple[Child, ...] = ()
    counts: Mapping[Hashable, int] = field(default_factory=dict)
    whole: bool = False
    judging: int = 0
    failure: Exception | None = None
    free: bool = False


NOT_EVALUATED, CHILDREN, VALUE = Evaluated(), Children(), Value()


@dataclass(frozen=True, slots=True)
class Expander:
    """How a tree search expands; the fields are those of `TreeSearch`. evaluation None: of the children, as long as
    their verdicts take no model calls."""

    stepper: Stepper
    generator: Generator | None
    width: int
    branch: int | None
    evaluation: Evaluation | None
    prior: Prior | Verifier

    async def expand(self, prompt: Prompt, ask: Ask, run: Run) -> Expansion:
        """Evaluate and draw, side by side where the next actions do not depend on the verdict.

        What one of the two brought survives the other; raises if both failed, or the only one that was asked for.
        """
        evaluation = self._evaluation(ask)
        if not evaluation.wants(self.stepper.environment, ask.state, ask.evaluated):
            return await self._draw(prompt, ask, ask.state, run)

        async def half(evaluating: bool, child: Run) -> Any:
            if evaluating:
                return await evaluation.evaluate(prompt, ask.state, ask.evaluated, self.stepper, self.generator, child)
            return await self._draw(prompt, ask, state, child)

        state = ask.state
        if isinstance(
            self.stepper.environment, Learning
        ):  # one after the other: the verdict belongs into the next prompt
            [evaluated] = await run.map(half, (True,), name="leaf")
            if evaluated.value is not None and evaluated.value.verdict is not None:
                state = self.stepper.environment.judged(state, evaluated.value.verdict)
            [drawn] = await run.map(half, (False,), name="leaf")
        else:
            evaluated, drawn = await run.map(half, (True, False), name="leaf")
        if evaluated.value is None and drawn.value is None:
            drawn.unwrap()
        run.note_failure(evaluated.error)
        run.note_failure(drawn.error)
        brought = drawn.value or Expansion(NOT_EVALUATED, state)
        failure = _worst(evaluated.error, drawn.error, brought.failure)
        return replace(brought, evaluated=evaluated.value or NOT_EVALUATED, failure=failure)

    def _evaluation(self, ask: Ask) -> Evaluation:
        return self.evaluation or (CHILDREN if ask.cheap else VALUE)

    # ---------------------------------------------------------------- children

    async def _draw(self, prompt: Prompt, ask: Ask, state: Any, run: Run) -> Expansion:
        """Actions that are new here, the more frequent first, each with where it leads."""
        environment, generator = self.stepper.environment, self.generator
        proposals, whole = await propose(environment, generator, state, self.width, ask.drawn, run, ask.tried)
        new = [proposal for proposal in proposals if proposal.identity not in ask.known][: self.branch]
        follow = functools.partial(self._follow, prompt, state, self._evaluation(ask))
        outcomes = await run.map(follow, new, name="child")
        found = run.survivors(outcomes)
        failure = _worst(first_failure(outcomes), *(spent for _, _, spent in found))
        children = await self._weighted(prompt, [child for child, _, _ in found], run)
        counts = {proposal.identity: proposal.count for proposal in proposals}
        judging = sum(calls for _, calls, _ in found)
        return Expansion(NOT_EVALUATED, state, tuple(children), counts, whole, judging, failure)

    async def _follow(
        self, prompt: Prompt, state: Any, evaluation: Evaluation, proposal: Proposal, run: Run
    ) -> tuple[Child, int, BudgetExhausted | None]:
        """The child, how many model calls its verdict took, and whether the budget ended before it."""
        step = await taken(self.stepper.environment, state, proposal.action, run)
        identity, action = proposal.identity, proposal.action
        if not step.terminal and not evaluation.of_child(self.stepper.environment, step.state):
            return Child(identity, action, step.state, None, False, False), 0, None
        before = run.used.model_calls
        found = await self.stepper.judge(prompt, action, step, run)
        child = Child(identity, action, found.state, found.scored, found.answer, found.terminal, found.dead)
        return child, run.used.model_calls - before, found.spent

    async def _weighted(self, prompt: Prompt, children: list[Child], run: Run) -> list[Child]:
        """The children with their priors. Frequencies are the search's business: it knows all draws."""
        if self.prior == "logprob":
            return [replace(child, prior=_likelihood(child.action)) for child in children]
        if isinstance(self.prior, str) or not children:
            return children
        samples = [self.stepper.environment.candidate(child.state) for child in children]
        try:
            scored = await run.score(self.prior, prompt, samples, partial=True)
        except ConfigError:
            raise
        except Exception as error:  # the children are paid for: they are kept, as bad as can be
            run.note_failure(error)
            run.fail(error)
            scored = [Scored(sample) for sample in samples]
        known = [s.score for s in scored if s.score is not None and math.isfinite(s.score)]
        least = self.prior.range[0] if math.isfinite(self.prior.range[0]) else min(known, default=0.0)
        scores = [least if s.score is None else s.score for s in scored]
        return [replace(child, prior=score) for child, score in zip(children, scores, strict=True)]


def _worst(*errors: Exception | None) -> Exception | None:
    """The first that says that the budget is spent, else the first."""
    found = [error for error in errors if error is not None]
    return next((error for error in found if isinstance(error, BudgetExhausted)), found[0] if found else None)


def _likelihood(action: Sample[Any]) -> float:
    if not action.logprobs:
        raise ConfigError('prior="logprob" needs a generator that returns them: Params(logprobs=0)')
    return math.exp(math.fsum(t.logprob for t in action.logprobs) / len(action.logprobs))
