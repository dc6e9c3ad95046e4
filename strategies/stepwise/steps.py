"""What beam search, DVTS and tree of thoughts share: one more step of a state, judged and put into the tree."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.environments.protocols import Environment, taken
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_environment
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.checks import check_verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.transition import Reached, Stepper
from searchkit.tool_calls import identity, label
from searchkit.tree import Tree
from searchkit.types import Prompt, Sample, Scored, Verdict

NOTHING: Mapping[int, Sequence[str]] = {}


@dataclass(slots=True)
class Grown:
    """A state one step further. node: its place in the tree. terminal: an episode ends here; dead: in nothing. answer:
    it is complete. step: what makes the step that led here this one (`identity`).
    """

    node: int
    scored: Scored
    terminal: bool
    dead: bool
    answer: bool = False
    step: Hashable = None

    @property
    def score(self) -> float | None:
        return self.scored.score


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
        check_environment("a step-wise search", environment)
        if lookahead < 0:
            raise ConfigError(f"lookahead must be >= 0 steps, got {lookahead}")
        self.environment: Environment[Any] = environment
        self.verifier: Verifier = verifier
        self.generator: Generator | None = generator
        self.lookahead: int = lookahead

    async def start(self, prompt: Prompt, run: Run) -> Tree:
        """A tree with the first state as its root, shown while it grows."""
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        tree = Tree(await self.environment.start(prompt, run), prompt.text)
        run.show_tree(tree)
        return tree

    async def grow(
        self,
        prompt: Prompt,
        tree: Tree,
        parents: Sequence[int],
        run: Run,
        start: int = 0,
        tried: Mapping[int, Sequence[str]] = NOTHING,
    ) -> tuple[list[Grown], Exception | None]:
        """One step from each of `parents` (a node that is listed twice gets two), concurrently, in their order.

        Steps that failed are missing, those that could not be judged have no score; the second value is the first
        failure. start: the index of the first sample. tried: steps from a node that its next samples are shown. Raises
        the failure if nothing grew because of a mistake in the configuration.
        """
        grown, failure = list[Grown](), None
        stepper, ahead = Stepper(self.environment, self.verifier), self._ahead if self.lookahead else None

        async def draw(parent: int, child: Run) -> Reached:
            state, index = tree.state[parent], start + child.index
            return await stepper.draw(prompt, state, self.generator, index, child, ahead, tried.get(parent, ()))

        for parent, outcome in zip(parents, await run.map(draw, parents, name="step"), strict=True):
            found = outcome.value
            error = outcome.error if found is None else found.spent
            run.note_failure(error)
            failure = failure or error
            if found is not None:
                grown.append(_add(tree, parent, found))
        if not grown and isinstance(failure, ConfigError):
            raise failure
        return grown, failure

    async def _ahead(self, prompt: Prompt, state: Any, run: Run) -> Verdict:
        """The verdict on where `lookahead` greedy steps lead, or on where they end before."""
        params = self.environment.step_params(run)
        if params is None:
            raise ConfigError("lookahead runs at temperature 0: the environment's step_params must return parameters")
        for _ in range(self.lookahead):
            place = self.environment.prompt(state)
            greedy = replace(params, temperature=0.0)
            [action] = await run.sample(self.generator, place, params=greedy, partial=True)
            step = await taken(self.environment, state, action, run)
            state = step.state
            if step.terminal and step.reward is not None:
                return Verdict(step.reward)
            if step.terminal:
                break
        [scored] = await run.score(self.verifier, prompt, [self.environment.candidate(state)], partial=True)
        return scored.verdict


def _add(tree: Tree, parent: int, found: Reached) -> Grown:
    assert found.action is not None
    tokens, text = found.action.usage.generated_tokens, label(found.action)
    node = tree.add(parent, text, found.state, terminal=found.terminal, tokens=tokens, score=found.score)
    tree.keep(node, found.scored, answer=found.answer)
    if found.score is not None:
        tree.backup(node, found.score)
    if found.terminal:
        tree.close(node)
    return Grown(node, found.scored, found.terminal, found.dead, found.answer, identity(found.action))


def ranked(grown: Iterable[Grown]) -> list[Grown]:
    """Best first; of equals the first drawn. Those without a score come behind those with one, dead ends last."""
    return sorted(grown, key=lambda g: (g.dead, g.score is None, -(g.score or 0.0)))


def over(grown: Sequence[Grown], failure: Exception | None) -> bool:
    """True if there is nothing to go on with: no step was drawn, or the budget ended before any could be judged."""
    return not grown or (isinstance(failure, BudgetExhausted) and all(g.score is None for g in grown))


async def answer(
    prompt: Prompt,
    seen: Iterable[Grown],
    unfinished: Iterable[Grown],
    failure: Exception | None,
    select: Selector,
    run: Run,
) -> Sample[Any]:
    """What `select` chooses among the complete answers of all that was `seen`; without any the best unfinished one,
    marked as truncated.

    Where each state is an answer (`Anytime`), an early draft may be the best: so levels do not count. Raises `failure`
    if there is nothing at all.
    """
    scored = [g.scored for g in seen if g.answer]
    if scored:
        return scored[await choose(select, prompt, scored, run)].sample
    open_ones = ranked(unfinished)
    if not open_ones and failure is not None:
        raise failure
    return replace(open_ones[0].scored.sample, finish="length")
