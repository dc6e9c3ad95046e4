"""Taking a step, or all that are left: what it leads to, judged, and offered as an answer where it is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.protocols import Completing, Environment, Learning, is_complete, taken
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.common.actions import one
from searchkit.types import Prompt, Sample, Scored, Transition, Verdict

Ahead = Callable[[Prompt, Any, Run], Awaitable[Verdict]]


@dataclass(slots=True)
class Reached:
    """A state that has learned its verdict. action: what led there, None for the first state. answer: it is a complete
    one, and so a candidate. dead: an end with the environment's least reward. spent: the budget ended before it was
    judged.
    """

    action: Sample[Any] | None
    state: Any
    scored: Scored
    answer: bool
    terminal: bool
    dead: bool
    spent: BudgetExhausted | None

    @property
    def score(self) -> float | None:
        return self.scored.score


@dataclass(eq=False, slots=True)
class Stepper:
    """Judges where steps in `environment` lead. Cost of each: at most a verification."""

    environment: Environment[Any]
    verifier: Verifier

    async def draw(
        self,
        prompt: Prompt,
        state: Any,
        generator: Generator | None,
        index: int,
        run: Run,
        ahead: Ahead | None = None,
        tried: Sequence[str] = (),
    ) -> Reached:
        """Sample number `index` of `generator`, which is shown what was `tried`, as an action, and what it leads to."""
        action = await one(self.environment, generator, state, run, index, tried)
        if action is None:
            raise CallError("there is no action in this state")
        return await self.judge(prompt, action, await taken(self.environment, state, action, run), run, ahead)

    async def judge(
        self,
        prompt: Prompt,
        action: Sample[Any] | None,
        step: Transition[Any],
        run: Run,
        ahead: Ahead | None = None,
    ) -> Reached:
        """The state of `step` with the environment's reward if it is terminal and has one, else the verifier's verdict.

        ahead: what judges, instead of the verifier, a state that is no answer yet. Where there is no verdict to be
        had the state is kept without a score, since the action is paid for, and the failure recorded.
        """
        environment, low = self.environment, self.verifier.range[0]
        sample, state, spent = environment.candidate(step.state), step.state, None
        answer = step.terminal or is_complete(environment, state)
        reward = step.reward if step.terminal else None
        scored = None
        if answer or reward is not None:
            scored = Scored(sample, Verdict(reward, feedback=step.observation))
        if answer and scored is not None:
            run.offer(sample, scored.verdict)  # it is paid for, and a candidate even if it cannot be judged
        try:
            if ahead is not None and not answer:
                scored = Scored(sample, await ahead(prompt, state, run))
            elif reward is None:
                [scored] = await run.score(self.verifier, prompt, [sample], partial=not answer)
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
            spent = error if isinstance(error, BudgetExhausted) else None
        if scored is None:
            scored = Scored(sample, Verdict(reward, feedback=step.observation))
        if isinstance(environment, Learning):
            state = environment.judged(state, scored.verdict)
        return Reached(action, state, scored, answer, step.terminal, reward is not None and reward <= low, spent)


async def finish(
    prompt: Prompt, state: Any, horizon: int, stepper: Stepper, generator: Generator | None, run: Run
) -> Reached:
    """One way in which the episode may go on from `state` to its end: in a single sample where the environment can
    (`Completing`), else in at most `horizon` steps, of which only the last is judged."""
    environment, end = stepper.environment, Transition(state)
    if isinstance(environment, Completing):
        params, place = environment.finish_params(run), environment.prompt(state)
        [rest] = await run.sample(generator, place, params=params, partial=True)
        end = Transition(await environment.finish(state, rest, run), terminal=True)
    for _ in range(horizon):
        action = None if end.terminal else await one(environment, generator, end.state, run)
        if action is None:
            break
        end = await taken(environment, end.state, action, run)
    return await stepper.judge(prompt, None, end, run)
