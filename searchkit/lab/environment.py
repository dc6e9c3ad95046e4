"""The lab's tasks as environments: a step is one line, which is one operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from searchkit.environments.text_steps import TextSteps, Written
from searchkit.lab.arithmetic import Expression, answer
from searchkit.lab.countdown import Puzzle, replay
from searchkit.protocols import Run
from searchkit.types import Sample, Transition


@dataclass(frozen=True)
class CountdownSteps(TextSteps):
    """Knows whether the operations so far are legal, and whether a finished solution is right; nothing looks ahead.

    An illegal operation, and one that leaves a single wrong number, are terminal with reward 0; the target is terminal
    with reward 1, without asking the model for its end token.
    """

    async def step(self, state: Written, action: Sample[Any], run: Run) -> Transition[Written]:
        after = await super().step(state, action, run)
        puzzle = Puzzle.parse(state.prompt.text)
        found = replay(puzzle, after.state.text)
        if not found.error and len(found.remaining) > 1 and not after.terminal:
            return after
        right = not found.error and found.remaining == (puzzle.target,)
        return Transition(replace(after.state, ended=True), found.error, float(right), terminal=True)


@dataclass(frozen=True)
class ArithmeticSteps(TextSteps):
    """Knows when a number is left, and whether it is the right one; a wrong line on the way is no end.

    A line that is a number ends the episode with reward 1 or 0; so does the model's own end without one, with 0.
    """

    async def step(self, state: Written, action: Sample[Any], run: Run) -> Transition[Written]:
        after = await super().step(state, action, run)
        found = answer(after.state.text)
        if found is None and not after.terminal:
            return after
        right = found == str(Expression.parse(state.prompt.text).value)
        told = "" if right else "no answer" if found is None else f"{found} is wrong"
        return Transition(replace(after.state, ended=True), told, float(right), terminal=True)
