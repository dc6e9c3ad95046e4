"""The costs of ToolChain*: how usual a step is in solved plans and among the samples, and how far along it looks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.strategies.a_star.costs import Imagined, Path
from searchkit.tree import ROOT, Tree

Plan = tuple[Hashable, ...]
IMAGINED = Imagined()


class Imagination(Protocol):
    """Imagines the whole plan that a path begins."""

    async def plan(self, path: Path, run: Run) -> Sequence[Hashable]:
        """The names of its actions, from the first to the last."""
        ...


@dataclass(frozen=True)
class ToolChainG:
    """The cost of a path's last step: (1 - g1) ** alpha * (1 - g2) ** (1 - alpha), in [0, 1].

    g1: the longest common subsequence of the path and a plan in memory, divided by the length of the shorter; of all
    plans the greatest, 0 where memory is empty. Names are compared as they are `spelled`; empty plans count for
    nothing. g2: the share of the samples that proposed the action. alpha: the weight of memory, in [0, 1]; with 0 it
    does not count. Our reading of ToolChain*.
    """

    memory: tuple[Plan, ...] = ()
    alpha: float = 0.5

    def __post_init__(self) -> None:
        _check("alpha", self.alpha, self.memory)

    def __call__(self, path: Path) -> float:
        names = _texts(path.names)
        likeness = [common(names, _texts(plan)) / min(len(names), len(plan)) for plan in self.memory if plan]
        return _blend(max(likeness, default=0.0), path.share, self.alpha)


@dataclass(frozen=True)
class ToolChainH:
    """What a path has yet to come: (1 - h1) ** beta * (1 - h2) ** (1 - beta), in [0, 1]; 0 at the end of an episode.

    h1: where the path's last action stands in the plans in memory that contain it (its first place, divided by the
    plan's length), on average; 0 where none does. h2: how many of the path's actions are in the plan that `imagine`
    completes it to, divided by that plan's length; 0 without imagination. beta: the weight of memory, in [0, 1]; with 1
    nothing is imagined. Neither admissible nor consistent. Our reading of ToolChain*. Cost: that of `imagine`, once a
    path; one model call with `Imagined()`.
    """

    memory: tuple[Plan, ...] = ()
    beta: float = 0.5
    imagine: Imagination | None = IMAGINED

    def __post_init__(self) -> None:
        _check("beta", self.beta, self.memory)

    async def cost(self, path: Path, run: Run) -> float:
        if path.terminal:
            return 0.0
        names, plans = _texts(path.names), [_texts(plan) for plan in self.memory]
        places = [(plan.index(names[-1]) + 1) / len(plan) for plan in plans if names[-1] in plan]
        imagined = await self.imagine.plan(path, run) if self.imagine is not None and self.beta < 1 else ()
        shared = (Counter(names) & Counter(_texts(imagined))).total()
        h2 = shared / len(imagined) if imagined else 0.0
        return _blend(math.fsum(places) / len(places) if places else 0.0, h2, self.beta)


def common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(b) + 1)  # of the part of `a` read so far, against each beginning of `b`
    for x in a:
        corner = 0
        for j, y in enumerate(b):
            corner, row[j + 1] = row[j + 1], corner + 1 if x == y else max(row[j], row[j + 1])
    return row[-1]


def spelled(name: Hashable) -> str:
    """A name as the tree spells an action: a text as it is, anything else by its `repr`. Names are compared so."""
    return name if isinstance(name, str) else repr(name)


def _texts(names: Sequence[Hashable]) -> tuple[str, ...]:
    return tuple(map(spelled, names))


def solved_plan(tree: Tree, name: Callable[[str], Hashable] = spelled) -> Plan:
    """The actions that led to the answer of an A* search; () if it found none. For the memory of the next search.

    name: what an action is called, given its text in the tree. Needed where the search has a `name` of its own: it must
    call a text what that calls the action's value.
    """
    answer = next((node for node in range(len(tree)) if tree.terminal[node] and tree.full[node]), ROOT)
    return tuple(name(tree.text[node]) for node in tree.path(answer)[1:])


def _blend(remembered: float, proposed: float, weight: float) -> float:
    return float((1 - remembered) ** weight * (1 - proposed) ** (1 - weight))  # 0 ** 0 is 1: what has no weight is out


def _check(name: str, weight: float, memory: tuple[Plan, ...]) -> None:
    if not 0 <= weight <= 1:
        raise ConfigError(f"{name} is a weight between 0 and 1, got {weight}")
    for plan in memory:
        if not isinstance(plan, tuple):
            raise ConfigError(f"a memory is a tuple of plans, each a tuple of names, got {plan!r:.80}")
