"""What bounds a tree search, and what it keeps back of a budget so that it ends with a finished answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from searchkit.environments.protocols import Anytime, Completing, Environment, Listing
from searchkit.protocols import Run
from searchkit.tree import Draws, Tree
from searchkit.types import Budget, Params, Usage

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

    def draws(self, width: int) -> Draws:
        """What is known of how many samples there will be: for rules that explore by it."""
        left = self.left
        counted = [math.inf if n is None else float(n) for n in (left.generations, left.model_calls)]
        most = math.inf if self.most == MANY else float(self.most * width)
        return Draws(min(most, *counted), math.inf if left.generated_tokens is None else left.generated_tokens)


def to_finish(environment: Environment[Any], tree: Tree, ends: list[int], run: Run) -> Usage:
    """The worst case of completing a path. ends: nodes where an answer was found, whose depth is a guess at how long
    paths are; without any, or where each state is an answer, only what a last verdict takes.
    """
    verdict, state = Usage(verifications=1), tree.state[0]
    if isinstance(environment, Anytime):
        return Usage()
    if isinstance(environment, Completing):
        return verdict + _one(environment, state, environment.finish_params(run), run)
    if isinstance(environment, Listing) or not ends:
        return verdict
    return verdict + _one(environment, state, environment.step_params(run), run).times(min(tree.depth[n] for n in ends))


def _one(environment: Environment[Any], state: Any, params: Params | None, run: Run) -> Usage:
    if params is None:  # whoever proposes has none: an agent, say
        return Usage(generations=1, model_calls=1)
    return run.worst_case(environment.prompt(state), params)


def less(kept: Usage, run: Run) -> Budget:
    """What is left of the budget, without what is to be kept."""
    left, parts = run.remaining(), dict[str, Any]()
    for name, amount in left.ceilings():
        estimated = name in ("usd", "seconds")
        parts[name] = amount * (1 - ESTIMATED) if estimated else max(0, amount - getattr(kept, name))
    return Budget(**parts)
