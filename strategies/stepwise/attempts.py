"""Attempts that run side by side: each goes on to the next checkpoint, is judged there, and is put into the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.protocols import taken
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.actions import one
from searchkit.strategies.common.transition import Reached, Stepper
from searchkit.strategies.stepwise.steps import Grown
from searchkit.tool_calls import identity, label
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Scored, Transition, Verdict


@dataclass(slots=True)
class Attempt:
    """One text or episode while it runs.

    step: the last transition. moves: all actions so far. node: its last state in the tree, which knows the first
    `shown` moves. tokens: generated for its moves. judged: the verdict on where it stands, None until there is one.
    latest: the latest score that it got, wherever it stood. failure: what ended it, if anything did. abandoned: it fell
    behind.
    """

    index: int
    step: Transition[Any]
    moves: list[tuple[Sample[Any], Transition[Any]]] = field(default_factory=list)
    node: int = ROOT
    shown: int = 0
    tokens: int = 0
    judged: Reached | None = None
    latest: float | None = None
    failure: Exception | None = None
    abandoned: bool = False

    @property
    def score(self) -> float | None:
        return None if self.judged is None else self.judged.score

    def running(self, rounds: int) -> bool:
        """Whether it may take a step."""
        return not (self.abandoned or self.failure or self.step.terminal or len(self.moves) >= rounds)

    async def advance(
        self, there: Callable[[Attempt], bool], prompt: Prompt, stepper: Stepper, generator: Generator | None, run: Run
    ) -> None:
        """Take steps until it is `there` or has ended, then judge where it stands: once, and only if it has moved."""
        environment, before = stepper.environment, len(self.moves)
        while not (self.step.terminal or there(self)):
            action = await one(environment, generator, self.step.state, run, self.index)
            if action is None:
                raise CallError("there is no action in this state")
            self.step = await taken(environment, self.step.state, action, run)
            self.moves.append((action, self.step))
            self.judged = None
            self.tokens += action.usage.generated_tokens
        if len(self.moves) > before:
            self.judged = await stepper.judge(prompt, self.moves[-1][0], self.step, run)
            self.step = replace(self.step, state=self.judged.state)
            self.latest = self.score if self.score is not None else self.latest

    def show(self, tree: Tree) -> Grown | None:
        """Put what is new into `tree`: its last state, with the verdict on it; None if nothing is new."""
        fresh, self.shown = self.moves[self.shown :], len(self.moves)
        for action, step in fresh:
            last, tokens = step is fresh[-1][1], action.usage.generated_tokens
            state, score = (self.step.state, self.score) if last else (step.state, None)
            self.node = tree.add(self.node, label(action), state, terminal=step.terminal, tokens=tokens, score=score)
        if not fresh or self.judged is None:
            return None
        if self.score is not None:
            tree.backup(self.node, self.score)
        if self.step.terminal:
            tree.close(self.node)
        return self._grown(self.judged)

    def _grown(self, found: Reached) -> Grown:
        step = identity(self.moves[-1][0])
        return Grown(self.node, found.scored, found.terminal, found.dead, found.answer, step)

    def unfinished(self, stepper: Stepper) -> Grown:
        """Where it stands, as an answer that is not whole. One that has moved on since it was judged ranks as it was
        judged: it would else stand behind what it had left behind."""
        if self.judged is not None:
            return self._grown(self.judged)
        scored = Scored(stepper.environment.candidate(self.step.state), Verdict(self.latest))
        return Grown(self.node, scored, False, False)
