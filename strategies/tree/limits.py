"""What bounds a tree search, and what it keeps back of a budget so that it ends with a finished answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from searchkit.environments.protocols import Completing, Environment
from searchkit.protocols import Run
from searchkit.strategies.common.actions import listed
from searchkit.tree import Draws
from searchkit.types import Budget, Usage

ITERATIONS = 64  # expansions, where neither the user nor a budget says how many
MANY = 1_000_000  # expansions, where a budget does
HORIZON = 256  # steps of the path that is followed to its end
DRAWING = ("generations", "model_calls", "generated_tokens", "total_tokens", "seconds")  # what draws use up
LISTED = ("verifications", "seconds")  # where actions are listed nobody draws them
GUESSED = ("usd", "seconds")  # nobody knows them before a call
ESTIMATED = 0.1  # share of these that is kept back


@dataclass(frozen=True, slots=True)
class Limits:
    """most: expansions. left: what was left of the budget at the start. bounded: it ends the search, whatever is drawn.

    Money alone does not: some calls cost nothing. Nor do verdicts: equal actions are judged once.
    """

    most: int
    left: Budget
    bounded: bool

    @classmethod
    def of(cls, run: Run, environment: Environment[Any], state: Any, iterations: int | None) -> Limits:
        left = run.remaining()
        counted = DRAWING if listed(environment, state) is None else LISTED
        bounded = any(getattr(left, name) is not None for name in counted)
        return cls(iterations or (MANY if bounded else ITERATIONS), left, bounded)

    def judges(self, calls: int | None) -> bool:
        """Whether verdicts on unfinished states take nothing from the first path. calls: see `calls_of`."""
        asked = () if calls == 0 else ("model_calls", "generated_tokens", "total_tokens", "usd")
        return all(getattr(self.left, name) is None for name in ("verifications", *asked))

    @property
    def timed(self) -> bool:
        """Whether nobody can say beforehand what a sample takes."""
        return any(getattr(self.left, name) is not None for name in GUESSED)

    def charged(self, usage: Usage) -> bool:
        """Whether `usage` brings the end of the budget nearer. Draws that cost nothing would go on for ever."""
        return self.left.seconds is not None or any(getattr(usage, name) for name, _ in self.left.ceilings())

    def after(self, expansions: int) -> Limits:
        """The same after so many."""
        return replace(self, most=max(0, self.most - expansions))

    def draws(self, width: int) -> Draws:
        """What is known of how many samples there will be: for rules that explore by it."""
        left = self.left
        counted = [math.inf if n is None else float(n) for n in (left.generations, left.model_calls)]
        most = math.inf if self.most == MANY else float(self.most * width)
        return Draws(min(most, *counted), math.inf if left.generated_tokens is None else left.generated_tokens)


def to_finish(environment: Environment[Any], state: Any, calls: int, run: Run) -> Usage:
    """The worst case of completing a path: one sample and its verdict, where the environment can complete in one.

    Elsewhere the verdict alone: there the first draws have led to an answer, and what is left is better searched with
    than drawn down one path. calls: what a verdict takes.
    """
    verdict = Usage(verifications=1, model_calls=calls)
    if not isinstance(environment, Completing):
        return verdict
    params = environment.finish_params(run)
    if params is None:  # whoever proposes has none: an agent, say
        return verdict + Usage(generations=1, model_calls=1)
    return run.worst_case(environment.prompt(state), params) + verdict


def less(kept: Usage, run: Run) -> Budget:
    """What is left of the budget, without what is to be kept."""
    left, parts = run.remaining(), dict[str, Any]()
    for name, amount in left.ceilings():
        parts[name] = amount * (1 - ESTIMATED) if name in GUESSED else max(0, amount - getattr(kept, name))
    return Budget(**parts)


def part(run: Run, n: int) -> Budget | None:
    """An `n`-th of what is left of the budget, at least 1 of what is counted; None where there is no budget."""
    shares = {
        name: amount / n if name in GUESSED else min(amount, max(1, amount // n))
        for name, amount in run.remaining().ceilings()
    }
    return Budget(**shares) if shares else None  # type: ignore[arg-type]
