"""The first bad step of a text by bisection, and trees of step labels from it (OmegaPRM, Luo et al. 2024)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from searchkit.errors import ConfigError
from searchkit.tree import ROOT, Tree

Steps = tuple[str, ...]


class Rollout(NamedTuple):
    """A continuation: its steps, after those that were given, and whether it came out right."""

    steps: Steps
    right: bool


Rollouts = Callable[[Steps], Awaitable[Sequence[Rollout]]]


@dataclass(frozen=True)
class Found:
    """step: the number of the first bad step, from 1; None if the whole text can still come out right.

    asked: the lengths of the beginnings that were estimated, in order.
    """

    step: int | None
    asked: tuple[int, ...]


async def first_error(steps: int, value: Callable[[int], Awaitable[float]]) -> Found:
    """The first step of a wrong text of `steps` steps after which nothing comes out right any more, by bisection.

    value: the share of right rollouts after the first i steps, asked for i in 1..steps-1 at most, each once: that the
    text fails as a whole is known. Exact where shares never rise again from 0; else it finds one of the places where a
    share falls to 0. Cost: at most ceil(log2 steps) estimates, instead of one for each step.

    >>> import asyncio
    >>> async def share(i): return 1.0 if i < 6 else 0.0
    >>> asyncio.run(first_error(8, share))
    Found(step=6, asked=(4, 6, 5))
    """
    if steps < 1:
        raise ConfigError(f"a text has at least one step, got {steps}")
    good, bad, asked = 0, steps, list[int]()
    while bad - good > 1:
        middle = (good + bad) // 2
        asked.append(middle)
        if await value(middle) > 0:
            good = middle
        else:
            bad = middle
    return Found(bad, tuple(asked))


@dataclass(frozen=True)
class OmegaPRM:
    """How a tree of step labels is grown (values of openr's omegaPRM_v2; the paper's own code is not public).

    - searches: bisections at most.
    - most: rollouts at most, of all states; a state is estimated whole or not at all.
    - alpha, beta, length, explore: a state and one of its wrong rollouts are chosen by Q + U, with
      Q = alpha^(1 - MC) * beta^(words / length) and U = explore * sqrt(sum of visits) / (1 + visits of the state).

    Each wrong rollout is bisected once, and no state is estimated twice, unlike in openr's code, which puts the chosen
    one back.
    """

    searches: int = 20
    most: int = 200
    alpha: float = 0.5
    beta: float = 0.9
    length: int = 500
    explore: float = 0.125

    async def grow(
        self, rollouts: Rollouts, tree: Tree | None = None, state: Callable[[Steps], Any] | None = None
    ) -> Tree:
        """The tree of one problem; a node's text is what it adds, its value the share of right rollouts from there.

        rollouts: draws continuations of a beginning, always as many, and judges them; the model calls are its own. A
        problem whose first rollouts are all right or all wrong has no errors to find: its tree is the root alone.
        tree: an empty one to grow, for those who look at it meanwhile. state: what stands at a node, of the steps up to
        it.
        Cost: at most `most` rollouts, about k * ceil(log2 steps) for each search.
        """
        growth = _Growth(self, rollouts, Tree() if tree is None else tree, state or (lambda steps: None))
        growth.tree.state[ROOT] = growth.state(())
        await growth.estimate(ROOT, ())
        for _ in range(self.searches):
            chosen = growth.chosen()
            if chosen is None or growth.drawn + growth.each > self.most:
                break
            await growth.bisect(*chosen)
        return growth.tree


class _Growth:
    """The tree of one problem while it grows."""

    def __init__(self, settings: OmegaPRM, rollouts: Rollouts, tree: Tree, state: Callable[[Steps], Any]) -> None:
        self.settings, self._rollouts = settings, rollouts
        self.tree, self.state, self.drawn, self.each = tree, state, 0, 0
        self._steps: dict[int, Steps] = {ROOT: ()}
        self._known: dict[Steps, int] = {(): ROOT}
        self._visits: dict[int, int] = {}
        self._pool: list[tuple[int, Steps]] = []

    async def estimate(self, node: int, steps: Steps) -> float:
        """The value of a new node; its wrong rollouts enter the pool if some are right."""
        found = await self._rollouts(steps)
        if not found:
            raise ConfigError("rollouts drew no continuation: draw at least one of each beginning")
        self.drawn += len(found)
        self.each = len(found)
        value = sum(one.right for one in found) / len(found)
        self.tree.visits[node], self.tree.total[node], self.tree.best[node] = len(found), value * len(found), value
        if 0 < value < 1:
            wrong = dict.fromkeys(one.steps for one in found if not one.right and len(one.steps) > 1)
            self._pool += [(node, rollout) for rollout in wrong]
        return value

    def chosen(self) -> tuple[int, Steps] | None:
        """The state and wrong rollout of the greatest score, taken out of the pool."""
        if not self._pool:
            return None
        total = math.sqrt(sum(self._visits.values()))
        best = max(range(len(self._pool)), key=lambda i: self._score(*self._pool[i], total))
        node, rollout = self._pool.pop(best)
        self._visits[node] = self._visits.get(node, 0) + 1
        return node, rollout

    def _score(self, node: int, rollout: Steps, total: float) -> float:
        own, words = self.settings, sum(len(step.split()) for step in rollout)
        quality = own.alpha ** (1 - self.tree.mean(node)) * own.beta ** (words / own.length)
        return float(quality + own.explore * total / (1 + self._visits.get(node, 0)))

    async def bisect(self, node: int, rollout: Steps) -> None:
        """The first bad step of a wrong rollout; each beginning that is estimated becomes a node."""
        start, place, at = self._steps[node], node, 0

        async def value(count: int) -> float:
            nonlocal place, at
            steps = start + rollout[:count]
            found = self._known.get(steps)
            if found is None:
                if self.drawn + self.each > self.settings.most:
                    raise _Spent
                found = self.tree.add(place, "".join(rollout[at:count]), state=self.state(steps))
                self._known[steps], self._steps[found] = found, steps
                await self.estimate(found, steps)
            share = self.tree.mean(found)
            if share > 0:
                place, at = found, count
            return share

        try:
            await first_error(len(rollout), value)
        except _Spent:
            return


class _Spent(Exception):
    """The rollouts are used up."""
