"""Countdown as an environment: a step is one operation; illegal ones end the episode at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from searchkit.environments.text_steps import TextSteps, Written
from searchkit.lab.countdown import Puzzle, replay
from searchkit.run import Run
from searchkit.types import Sample, Step


@dataclass(frozen=True)
class CountdownSteps(TextSteps):
    """Knows whether the operations so far are legal, and whether a finished solution is right; nothing looks ahead.

    An illegal operation, and one that leaves a single wrong number, are terminal with reward 0; the target is terminal
    with reward 1, without asking the model for its end token.
    """

    async def step(self, state: Written, action: Sample[Any], run: Run) -> Step[Written]:
        after = await super().step(state, action, run)
        puzzle = Puzzle.parse(state.prompt.text)
        found = replay(puzzle, after.state.text)
        if not found.error and len(found.remaining) > 1 and not after.terminal:
            return after
        right = not found.error and found.remaining == (puzzle.target,)
        return Step(replace(after.state, ended=True), found.error, float(right), terminal=True)
