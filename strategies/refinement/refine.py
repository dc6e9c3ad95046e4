"""Refine: a draft, what a critic says of it, a better draft; one chain, with a stop rule and a rule for the answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from searchkit.answers import keys
from searchkit.calls import CallError
from searchkit.environments.protocols import Environment, is_complete, taken
from searchkit.environments.rewrite import Rewrite
from searchkit.errors import ConfigError
from searchkit.kinds import is_whole
from searchkit.mistakes import check_counts, check_environment, check_generator, check_selector
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.actions import one
from searchkit.strategies.common.checks import check_verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.transition import Reached, Stepper
from searchkit.strategies.selection.rules import Argmax, Key, ballot
from searchkit.strategy import AnswerRule, Strategy
from searchkit.tool_calls import label
from searchkit.tree import ROOT, Tree
from searchkit.types import Outcome, Prompt, Sample, Scored, Transition, Verdict

Rule = Literal["last", "accepted"] | Selector


@dataclass(frozen=True)
class Refine(Strategy):
    """One chain of drafts: `generator` writes the first, `verifier` judges each, `refiner` writes the next.

    - rounds: the most rewrites; 0 is the first draft alone.
    - verifier: the critic. Its verdict and its feedback are what the refiner is shown. A draft that it says has passed
      (True; a number never passes) is accepted, and the chain ends there.
    - answer: which draft is returned. "last" is the last one, whatever was thought of it. "accepted" is the accepted
      one, else the first: a rewrite counts only where the critic says so. A rule such as `Argmax()` or `Vote()` chooses
      among all drafts. There is no default: which of them is right depends on how good the critic is, see the guide.
    - threshold: a draft whose score reaches it is accepted too. A critic that only scores accepts nothing without it.
    - stable: a draft is accepted, too, if the latest so many, it included, give the same answer; None: never.
    - key: how a draft's answer is found, for `stable`; one without an answer, or cut off, is like no other.
    - environment: what a draft is, and what of the chain the prompt remembers: `Rewrite(keep=4)` shows the last four. A
      draft to start from, `Rewrite(draft=...)`, is judged and not written.
    - refiner: writes all drafts but the first; None: `generator` does.
    - generator: writes the first draft; None is the one given to `solve`.

    Each draft is drawn with the parameters of whoever writes it, unless the caller gave others. A draft that could not
    be judged stays one, without a score; a round that fails ends the chain, which is answered by what it has, and the
    failure is in `Result.errors`. `Result.tree` shows the chain.

    The stop is the critic's. Where the verifier knows the reference, so does the stop: what such a search finds is what
    the chain reaches at its best, not what it would answer.

    Cost: at most `rounds` + 1 generations, one after the other, and as many verifications with what these ask for; one
    verification less where the answer is the last draft, since nothing depends on its verdict. The prompt of a rewrite
    holds the drafts that are remembered, with the feedback on them.

    Source: Madaan et al. 2023, Self-Refine. Other published methods that are settings of it stand in the guide.

    >>> from searchkit.strategies import Refine
    >>> from searchkit.verifiers import Critic
    >>> Refine(4, Critic(), answer="last").counts()
    (5, 4)
    """

    rounds: int
    verifier: Verifier
    answer: Rule
    threshold: float | None = None
    stable: int | None = None
    key: Key = keys.default
    environment: Environment[Any] = field(default_factory=Rewrite)
    refiner: Generator | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, rounds=0)
        check_verifier("Refine", self.verifier, self.threshold)
        check_environment("Refine", self.environment)
        if self.stable is not None and (not is_whole(self.stable) or self.stable < 2):
            raise ConfigError(
                f"stable is how many equal answers in a row end the chain, 2 or more, got {self.stable!r}"
            )
        if isinstance(self.answer, str) and self.answer not in ("last", "accepted"):
            raise ConfigError(f'answer is "last", "accepted" or a rule such as Argmax(), got {self.answer!r}')
        if not isinstance(self.answer, str):
            check_selector("answer= of Refine", self.answer)
        if self.refiner is not None:
            check_generator("refiner= of Refine", self.refiner)

    @property
    def answers_by(self) -> AnswerRule:
        if self.answer == "last":
            return "last"
        return "selected" if isinstance(self.answer, Argmax) else "own"

    def selector(self) -> Selector | None:
        """What chooses while the chain goes on; None: the highest score."""
        return None if isinstance(self.answer, str) else self.answer

    def counts(self) -> tuple[int, int] | None:
        return self.rounds + 1, self.rounds + (self.answer != "last")

    def sources(self) -> Sequence[Generator | None]:
        return self.generator, self.refiner or self.generator

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        state, node = await self.environment.start(prompt, run), ROOT
        tree, outcomes, answers, accepted = (
            Tree(state, prompt.text),
            list[Outcome[Reached]](),
            list[Hashable | None](),
            False,
        )
        run.show_tree(tree)
        for number in range(self.rounds + 1):
            [outcome] = await run.map(partial(self._draft, prompt, number), [state], name="draft")
            outcomes.append(outcome)
            if (found := outcome.value) is None:
                break
            state, node = found.state, _add(tree, node, found)
            answers.append(ballot(self.key, found.scored.sample, run) if self.stable else None)
            accepted = found.answer and self._accepts(found.scored, answers)
            if accepted:
                run.stop("threshold")
            if accepted or found.terminal or found.spent is not None:
                run.note_failure(found.spent)
                break
        return await self._answer(prompt, run.survivors(outcomes), accepted, run)

    async def _draft(self, prompt: Prompt, number: int, state: Any, run: Run) -> Reached:
        """Draft `number` of the chain, judged; the one to start from where there is one."""
        environment, stepper = self.environment, Stepper(self.environment, self.verifier)
        begun = is_complete(environment, state)
        if begun and number == 0:
            return await stepper.judge(prompt, None, Transition(state), run)
        source = self.refiner or self.generator if begun or number else self.generator
        run.params = run.base_params(source)  # an environment that adds stop strings needs some
        action = await one(environment, source, state, run, number)
        if action is None:
            raise CallError("there is no draft to be written in this state")
        step = await taken(environment, state, action, run)
        if self.answer == "last" and number == self.rounds:
            sample = environment.candidate(step.state)
            scored = Scored(sample, Verdict(step.reward, feedback=step.observation))
            run.offer(sample, scored.verdict)
            answer = step.terminal or is_complete(environment, step.state)
            return Reached(action, step.state, scored, answer, step.terminal, False, None)
        found = await stepper.judge(prompt, action, step, run)
        if found.answer and found.score is None:  # it failed to be judged: it is paid for, and an answer all the same
            run.offer(found.scored.sample, found.scored.verdict)
        return found

    def _accepts(self, scored: Scored, answers: Sequence[Hashable | None]) -> bool:
        """Whether the last draft is good enough. answers: of the whole chain."""
        if scored.verdict.passed:
            return True
        if self.threshold is not None and scored.score is not None and scored.score >= self.threshold:
            return True
        if self.stable is None or len(answers) < self.stable or answers[-1] is None:
            return False
        return all(other == answers[-1] for other in answers[-self.stable :])

    async def _answer(self, prompt: Prompt, chain: Sequence[Reached], accepted: bool, run: Run) -> Sample[Any]:
        drafts = [found.scored for found in chain if found.answer]
        if not drafts:
            return replace(chain[-1].scored.sample, finish="length")
        if isinstance(self.answer, str):
            chosen: Sample[Any] = drafts[-1 if accepted or self.answer == "last" else 0].sample
            return chosen
        return drafts[await choose(self.answer, prompt, drafts, run)].sample


def _add(tree: Tree, parent: int, found: Reached) -> int:
    """The draft as the next node of the chain. One to start from is the root itself."""
    if found.action is None:
        node = ROOT
        tree.state[node] = found.state
        tree.score[node] = float("nan") if found.score is None else found.score
    else:
        tokens, said = found.action.usage.generated_tokens, label(found.action)
        node = tree.add(parent, said, found.state, terminal=found.terminal, tokens=tokens, score=found.score)
    tree.keep(node, found.scored, answer=found.answer)
    if found.score is not None:
        tree.backup(node, found.score)
    return node
