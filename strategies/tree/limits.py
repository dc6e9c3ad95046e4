"""What bounds a tree search, and what it keeps back of a budget so that it ends with a finished answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from searchkit.environments.protocols import Anytime, Completing, Environment, Listing
from searchkit.protocols import Run
from searchkit.tree import Draws
from searchkit.types import Budget, Usage

ITERATIONS = 64  # expansions, where neither the user nor a budget says how many
MANY = 1_000_000  # expansions, where a budget does
HORIZON = 64  # steps of the path that is followed to its end
DRAWING = ("generations", "model_calls", "generated_tokens", "total_tokens", "seconds")  # what draws use up
LISTED = ("verifications", "seconds")  # where actions are listed nobody draws them
ESTIMATED = 0.1  # share of the money and seconds that is kept back: nobody knows what a call will take


@dataclass(frozen=True, slots=True)
class Limits:
    """most: expansions. left: what was left of the budget at the start. bounded: it ends the search, whatever is drawn.

    Money alone does not: some calls cost nothing.
    """

    most: int
    left: Budget
    bounded: bool

    @classmethod
    def of(cls, run: Run, environment: Environment[Any], iterations: int | None) -> Limits:
        left = run.remaining()
        counted = LISTED if isinstance(environment, Listing) else DRAWING
        bounded = any(getattr(left, name) is not None for name in counted)
        return cls(iterations or (MANY if bounded else ITERATIONS), left, bounded)

    def charged(self, usage: Usage) -> bool:
        """Whether `usage` brings the end of the budget nearer. Draws that cost nothing would go on for ever."""
        return self.left.seconds is not None or any(getattr(usage, name) for name, _ in self.left.ceilings())

    def draws(self, width: int) -> Draws:
        """What is known of how many samples there will be: for rules that explore by it."""
        left = self.left
        counted = [math.inf if n is None else float(n) for n in (left.generations, left.model_calls)]
        most = math.inf if self.most == MANY else float(self.most * width)
        return Draws(min(most, *counted), math.inf if left.generated_tokens is None else left.generated_tokens)


def to_finish(environment: Environment[Any], state: Any, run: Run) -> Usage:
    """The worst case of completing a path: one sample and its verdict, where the environment can complete in one.

    Elsewhere the verdict alone: there the first draws have led to an answer, and what is left is better searched with
    than drawn down one path. Nothing where each state is an answer.
    """
    if isinstance(environment, Anytime):
        return Usage()
    if not isinstance(environment, Completing):
        return Usage(verifications=1)
    params = environment.finish_params(run)
    if params is None:  # whoever proposes has none: an agent, say
        return Usage(generations=1, model_calls=1, verifications=1)
    return run.worst_case(environment.prompt(state), params) + Usage(verifications=1)


def less(kept: Usage, run: Run) -> Budget:
    """What is left of the budget, without what is to be kept."""
    left, parts = run.remaining(), dict[str, Any]()
    for name, amount in left.ceilings():
        estimated = name in ("usd", "seconds")
        parts[name] = amount * (1 - ESTIMATED) if estimated else max(0, amount - getattr(kept, name))
    return Budget(**parts)
