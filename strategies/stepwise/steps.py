"""What beam search, DVTS and tree of thoughts share: one more step of a state, judged and put into the tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.protocols import Anytime, Environment, Learning
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.actions import one
from searchkit.strategies.common.checks import check_environment, check_verifier
from searchkit.strategies.selection.rules import fallback
from searchkit.tree import Tree
from searchkit.types import Outcome, Prompt, Sample, Scored, Step, Verdict


@dataclass(frozen=True, slots=True)
class Grown:
    """A state one step further. node: its place in the tree. terminal: an episode ends here; dead: in nothing. answer:
    it is complete.
    """

    node: int
    scored: Scored
    terminal: bool
    dead: bool
    answer: bool = False

    @property
    def score(self) -> float | None:
        return self.scored.score


@dataclass(frozen=True, slots=True)
class _Drawn:
    action: Sample[Any]
    step: Step[Any]
    scored: Scored
    answer: bool
    spent: BudgetExhausted | None


class Steps:
    """Grows states of `environment` by steps of `generator`, and has `verifier` judge where they lead.

    A state where an episode ends, or that is complete (`Anytime`), is a candidate for the answer; at an end the score
    is the environment's reward, if it has one. Where the environment lists the actions, one of them is taken by chance.
    Any other is scored as it is, or after `lookahead` more steps at temperature 0, then forgotten.
    """

    def __init__(
        self,
        environment: Environment[Any],
        verifier: Verifier,
        generator: Generator | None,
        lookahead: int = 0,
    ) -> None:
        check_verifier("a step-wise search", verifier)
        check_environment(environment)
        if lookahead < 0:
            raise ConfigError(f"lookahead must be >= 0 steps, got {lookahead}")
        self.environment: Environment[Any] = environment
        self.verifier: Verifier = verifier
        self.generator: Generator | None = generator
        self.lookahead: int = lookahead

    async def plant(self, prompt: Prompt, run: Run) -> Tree:
        """A tree with the first state as its root, shown while it grows."""
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        tree = Tree(await self.environment.start(prompt, run))
        run.show_tree(tree)
        return tree

    async def grow(
        self, prompt: Prompt, tree: Tree, parents: Sequence[int], run: Run, start: int = 0
    ) -> tuple[list[Grown], Exception | None]:
        """One step from each of `parents` (a node that is listed twice gets two), concurrently, in their order.

        Steps that failed are missing, those that could not be judged have no score; the second value is the first
        failure. start: the index of the first sample. Raises the failure if nothing grew because of a mistake in the
        configuration.
        """
        least, grown, failure = self.verifier.range[0], list[Grown](), None

        async def draw(parent: int, child: Run) -> _Drawn:
            return await self._draw(prompt, tree.state[parent], start + child.index, child)

        for parent, outcome in zip(parents, await run.map(draw, parents, name="step"), strict=True):
            drawn = outcome.value
            if drawn is None:
                failure = run.note_failure(outcome, failure)
                continue
            if drawn.spent is not None:
                failure = run.note_failure(Outcome(outcome.index, None, drawn.spent), failure)
            node, step = self._add(tree, parent, drawn), drawn.step
            dead = step.terminal and step.reward is not None and step.reward <= least
            grown.append(Grown(node, drawn.scored, step.terminal, dead, drawn.answer))
        if not grown and isinstance(failure, ConfigError):
            raise failure
        return grown, failure

    # ---------------------------------------------------------------- one step

    async def _draw(self, prompt: Prompt, state: Any, index: int, run: Run) -> _Drawn:
        action = await one(self.environment, self.generator, state, run, index)
        if action is None:
            raise CallError("there is no action in this state")
        step = await self.environment.step(state, action, run)
        sample = self.environment.candidate(step.state)
        answer = step.terminal or (isinstance(self.environment, Anytime) and self.environment.complete(step.state))
        if answer:
            reward = Verdict(step.reward if step.terminal else None, feedback=step.observation)
            run.offer(sample, reward)  # it is paid for, and a candidate even if it cannot be judged
        verdict, spent = Verdict(), None
        try:
            verdict = await self._verdict(prompt, step, sample, run, partial=not answer)
        except ConfigError:
            raise
        except BudgetExhausted as error:
            spent = error
        except Exception as error:  # the step is paid for: it is kept, without a score
            run.fail(error)
        if isinstance(self.environment, Learning):
            step = replace(step, state=self.environment.judged(step.state, verdict))
        return _Drawn(action, step, Scored(sample, verdict), answer, spent)

    async def _verdict(
        self, prompt: Prompt, step: Step[Any], sample: Sample[Any], run: Run, *, partial: bool
    ) -> Verdict:
        if step.terminal and step.reward is not None:
            return Verdict(step.reward, feedback=step.observation)
        if self.lookahead and not step.terminal:
            return await self._ahead(prompt, step.state, run)
        [scored] = await run.score(self.verifier, prompt, [sample], partial=partial)
        return scored.verdict

    async def _ahead(self, prompt: Prompt, state: Any, run: Run) -> Verdict:
        """The verdict on where `lookahead` greedy steps lead, or on where they end before."""
        params = self.environment.step_params(run)
        if params is None:
            raise ConfigError("lookahead runs at temperature 0: the environment's step_params must return parameters")
        for _ in range(self.lookahead):
            place = self.environment.prompt(state)
            greedy = replace(params, temperature=0.0)
            [action] = await run.sample(self.generator, place, params=greedy, partial=True)
            step = await self.environment.step(state, action, run)
            state = step.state
            if step.terminal and step.reward is not None:
                return Verdict(step.reward)
            if step.terminal:
                break
        [scored] = await run.score(self.verifier, prompt, [self.environment.candidate(state)], partial=True)
        return scored.verdict

    def _add(self, tree: Tree, parent: int, drawn: _Drawn) -> int:
        action, step, score = drawn.action, drawn.step, drawn.scored.score
        tokens = action.usage.generated_tokens
        node = tree.add(parent, action.text, step.state, terminal=step.terminal, tokens=tokens)
        if score is not None:
            tree.score[node] = score
            tree.backup(node, score)
        if step.terminal:
            tree.close(node)
        return node


def ranked(grown: Iterable[Grown]) -> list[Grown]:
    """Best first; of equals the first drawn. Those without a score come behind those with one, dead ends last."""
    return sorted(grown, key=lambda g: (g.dead, g.score is None, -(g.score or 0.0)))


def over(grown: Sequence[Grown], failure: Exception | None) -> bool:
    """True if there is nothing to go on with: no step was drawn, or the budget ended before any could be judged."""
    return not grown or (isinstance(failure, BudgetExhausted) and all(g.score is None for g in grown))


async def answer(
    prompt: Prompt,
    finished: Sequence[Grown],
    unfinished: Iterable[Grown],
    failure: Exception | None,
    select: Selector,
    run: Run,
) -> Sample[Any]:
    """What `select` chooses among the finished, else among the complete; without any the best unfinished one, marked as
    truncated.

    Raises `failure` if there is nothing at all.
    """
    open_ones = ranked(unfinished)
    among = finished or [g for g in open_ones if g.answer]
    if among:
        scored = [g.scored for g in among]
        choice = await select.select(prompt, scored, run)
        return scored[fallback(scored) if choice.index is None else choice.index].sample
    if not open_ones and failure is not None:
        raise failure
    return replace(open_ones[0].scored.sample, finish="length")
