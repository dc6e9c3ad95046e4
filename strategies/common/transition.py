"""Where an action led, judged: a state that may be unfinished, a complete answer, or the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit.environments.protocols import Anytime, Environment, Learning
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Scored, Step, Verdict


@dataclass(frozen=True, slots=True)
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


async def reached(
    environment: Environment[Any],
    verifier: Verifier,
    prompt: Prompt,
    action: Sample[Any] | None,
    step: Step[Any],
    run: Run,
) -> Reached:
    """The state of `step` with the environment's reward if it is terminal and has one, else the verifier's verdict.

    Where the verifier fails the state is kept without a score, and the failure recorded. Cost: at most a verification.
    """
    sample, state, spent = environment.candidate(step.state), step.state, None
    answer = step.terminal or (isinstance(environment, Anytime) and environment.complete(state))
    rewarded = step.terminal and step.reward is not None
    scored = Scored(sample, Verdict(step.reward if rewarded else None, feedback=step.observation))
    if answer:
        run.offer(sample, scored.verdict)  # it is paid for, and a candidate even if it cannot be judged
    try:
        if not rewarded:
            [scored] = await run.score(verifier, prompt, [sample], partial=not answer)
    except ConfigError:
        raise
    except Exception as error:  # the action is paid for
        run.fail(error)
        spent = error if isinstance(error, BudgetExhausted) else None
    if isinstance(environment, Learning):
        state = environment.judged(state, scored.verdict)
    dead = rewarded and step.reward is not None and step.reward <= verifier.range[0]
    return Reached(action, state, scored, answer, step.terminal, dead, spent)
