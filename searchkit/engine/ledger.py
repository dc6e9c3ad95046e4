"""Ledgers: hold the worst case before a call, settle with the actual cost after it, charge every ancestor.

A ledger belongs to a run; its ceilings come from a `Budget`. Concurrent children get a `Share` each, an equal part of
what their owner has left, so that a binding budget never makes a result depend on which call was faster. A child that
needs more than its share waits. When every child of the wave has finished or waits, the leftovers are split again among
those that wait, in index order; when not one of them can go on, the budget is exhausted for them all.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.types import NO_USAGE, Budget, Usage

CEILINGS = ("generations", "verifications", "model_calls", "generated_tokens", "total_tokens", "usd")
Cost = tuple[float, ...]  # one amount a ceiling, in the order of CEILINGS
_DIMENSIONS = range(len(CEILINGS))
LEAST = (0, 0, 0, 1, 1, 1e-9)  # what must be left of each ceiling for a model call of unknown length or price
NO_BUDGET, ONE_CALL = Budget(), Usage(model_calls=1)


def cost_of(usage: Usage) -> Cost:
    return (
        usage.generations, usage.verifications, usage.model_calls,
        usage.generated_tokens, usage.total_tokens, usage.usd,
    )  # fmt: skip


class Ledger:
    """What a run may spend, has spent, and holds for calls in flight. One amount a ceiling in each list.

    `forfeited` is what cancelled children had been given and not spent. How much that is depends on latencies, so it
    is never given to anybody else: together with what they spent it is their whole grant, which does not.
    """

    __slots__ = ("bounded", "forfeited", "held", "limit", "parent", "spent")

    def __init__(self, budget: Budget = NO_BUDGET, parent: Ledger | None = None) -> None:
        ceilings = dict(budget.ceilings())
        self.parent: Ledger | None = parent
        self.limit: list[float] = [ceilings.get(name, math.inf) for name in CEILINGS]
        self.spent: list[float] = [0] * len(CEILINGS)
        self.held: list[float] = [0] * len(CEILINGS)
        self.forfeited: list[float] = [0] * len(CEILINGS)
        self.bounded: bool = any(x < math.inf for x in self.limit) or (parent is not None and parent.bounded)

    def _chain(self) -> Iterator[Ledger]:
        """This ledger and its ancestors up to the nearest share, whose grant already covers what is above it."""
        node: Ledger | None = self
        while node is not None:
            yield node
            node = None if isinstance(node, Share) else node.parent

    def free(self) -> list[float]:
        """What can still be held here, by ceiling; infinite where there is none."""
        return [min(n._left(i) for n in self._chain()) for i in _DIMENSIONS]

    def _left(self, i: int) -> float:
        return self.limit[i] - self.spent[i] - self.held[i] - self.forfeited[i]

    def has_ceiling(self, name: str) -> bool:
        """True if this ledger or any ancestor limits `name`."""
        i, node = CEILINGS.index(name), self
        while node.limit[i] == math.inf and node.parent is not None:
            node = node.parent
        return node.limit[i] < math.inf

    async def hold(self, cost: Cost) -> None:
        """Set `cost` aside; waits for leftovers of siblings where that can help, else raises `BudgetExhausted`."""
        wanted = _wanted(cost)
        while (short := self._short(wanted)) is not None:
            node, dimension = short
            if not isinstance(node, Share):
                raise BudgetExhausted(CEILINGS[dimension])
            await node.wave.wait(node, wanted)
        self._hold(cost)

    def try_hold(self, cost: Cost) -> bool:
        """Set `cost` aside if it is free right now; never waits (used between the attempts of one call)."""
        if not self.affords(cost):
            return False
        self._hold(cost)
        return True

    def affords(self, cost: Cost) -> bool:
        """Whether `cost` is free right now."""
        return self._short(_wanted(cost)) is None

    def _short(self, cost: Cost) -> tuple[Ledger, int] | None:
        for node in self._chain():
            for i in _DIMENSIONS:
                if cost[i] > 0 and node._left(i) < cost[i]:
                    return node, i
        return None

    def _hold(self, cost: Cost) -> None:
        for node in self._chain():
            for i in _DIMENSIONS:
                node.held[i] += cost[i]

    def settle(self, cost: Cost, actual: Cost) -> None:
        """Give back a hold of `cost` and charge `actual` here and to every ancestor."""
        top = self
        for top in self._chain():
            for i in _DIMENSIONS:
                top.held[i] -= cost[i]
                top.spent[i] += actual[i]
        while isinstance(top, Share):  # above a share, what is spent now was held by its grant until now
            share = top
            for top in share.wave.owner._chain():
                for i in _DIMENSIONS:
                    top.spent[i] += actual[i]
                    if share.limit[i] < math.inf:
                        top.held[i] -= actual[i]

    def overshoot(self) -> dict[str, float]:
        """By how much each ceiling of this ledger is exceeded; empty if none is."""
        over = {name: self.spent[i] - self.limit[i] for i, name in enumerate(CEILINGS)}
        return {name: amount for name, amount in over.items() if amount > 1e-9}  # sums of prices are rounded


class Share(Ledger):
    """The part of an owner's budget that child `index` of a wave may spend; the owner holds what it grants."""

    __slots__ = ("index", "wave")

    def __init__(self, wave: Wave, index: int, grant: list[float]) -> None:
        super().__init__(parent=wave.owner)
        self.wave: Wave = wave
        self.index: int = index
        self.limit[:] = [0.0 if g < math.inf else g for g in grant]
        self.grow(grant)

    def bounding(self, amounts: Sequence[float]) -> Cost:
        """`amounts` where this share has a ceiling, 0 elsewhere."""
        return tuple(a if x < math.inf else 0 for a, x in zip(amounts, self.limit, strict=True))

    def grow(self, grant: Sequence[float]) -> None:
        self._enlarge(self.bounding(grant))
        self.wave.owner._hold(self.bounding(grant))

    def _enlarge(self, grant: Cost) -> None:
        for i in _DIMENSIONS:
            self.limit[i] += grant[i]

    def reclaim(self) -> None:
        """Give back to the owner whatever is neither spent, held nor forfeited; pass on what is forfeited."""
        self.grow([-self._left(i) for i in _DIMENSIONS])
        self._pass_on(self.bounding(self.forfeited))

    def forfeit(self) -> None:
        """Give up whatever is not spent, for good: the child was cancelled."""
        self._pass_on(self.bounding([x - self.spent[i] - self.held[i] for i, x in enumerate(self.limit)]))

    def _pass_on(self, amounts: Cost) -> None:
        """Turn a part of this share into something that the owner has forfeited."""
        for i in _DIMENSIONS:
            self.limit[i] -= amounts[i]
            self.forfeited[i] = 0
        for node in self.wave.owner._chain():
            for i in _DIMENSIONS:
                node.held[i] -= amounts[i]
                node.forfeited[i] += amounts[i]


@dataclass(eq=False)
class _Waiter:
    share: Share
    cost: Cost
    granted: asyncio.Future[bool]


class Wave:
    """Concurrent children of one owner. `n` is how many will be launched in all.

    The consumer, who takes the results in index order, says with `expect` whose result it waits for. Leftovers are
    split only when that child itself waits for money: then the consumer can neither take a result nor launch another
    child, so that what is split, and among whom, does not depend on which child was faster.
    """

    def __init__(self, owner: Ledger, n: int) -> None:
        self.owner: Ledger = owner
        self.n: int = n
        self.launched: int = 0
        self.running: int = 0
        self.head: Share | None = None
        self.finished: list[Share] = []
        self.waiting: list[_Waiter] = []

    def launch(self) -> Share:
        """The share of the next child in index order: an equal part of what is free, rounded up while units last."""
        share = Share(self, self.launched, _parts(self.owner.free(), self.n - self.launched, math.ceil))
        self.launched += 1
        self.running += 1
        return share

    def finish(self, share: Share) -> None:
        """A child has ended; its leftover is given back when it is delivered, or when leftovers are split."""
        self.running -= 1
        self.finished.append(share)
        self._check()

    def deliver(self, share: Share) -> None:
        """The consumer took the child's result: its leftover is free again."""
        share.reclaim()
        self.finished.remove(share)

    def forfeit(self, share: Share) -> None:
        """The consumer gave the child up: its leftover is lost."""
        share.forfeit()
        if share in self.finished:
            self.finished.remove(share)
        else:  # cancelled before it began
            self.running -= 1

    def expect(self, share: Share) -> None:
        """The consumer now waits for the child with this share."""
        self.head = share
        self._check()

    async def wait(self, share: Share, cost: Cost) -> None:
        """Wait until `share` may spend `cost`; raises `BudgetExhausted` when no sibling's leftover can help."""
        waiter = _Waiter(share, cost, asyncio.get_running_loop().create_future())
        self.waiting.append(waiter)
        self.running -= 1
        self._check()
        try:
            granted = await waiter.granted
        finally:
            if waiter in self.waiting:  # cancelled while waiting
                self._wake(waiter)
        if not granted:
            await self._climb(share, cost)

    async def _climb(self, share: Share, cost: Cost) -> None:
        """Nothing is left in this wave: ask further up, on behalf of its first waiter."""
        need = share.bounding(cost)
        try:
            await self.owner.hold(need)
        except BudgetExhausted as error:
            for other in list(self.waiting):
                self._wake(other)
                if not other.granted.done():  # it may have been cancelled just now
                    other.granted.set_exception(BudgetExhausted(error.ceiling))
            raise
        share._enlarge(need)

    def _wake(self, waiter: _Waiter) -> None:
        self.waiting.remove(waiter)
        self.running += 1

    def _check(self) -> None:
        """Split the leftovers once every launched child has finished or waits; ask further up if they help nobody."""
        if self.running > 0 or not any(w.share is self.head for w in self.waiting):
            return
        for share in [*self.finished, *(w.share for w in self.waiting)]:
            share.reclaim()
        self.waiting.sort(key=lambda w: w.share.index)
        helped = []
        for position, waiter in enumerate(self.waiting):
            free = self.owner.free()
            if all(c <= f for c, f in zip(waiter.share.bounding(waiter.cost), free, strict=True)):
                equal = _parts(free, len(self.waiting) - position, math.floor)
                waiter.share.grow([max(e, c) for e, c in zip(equal, waiter.cost, strict=True)])
                helped.append(waiter)
        for waiter in helped or self.waiting[:1]:
            self._wake(waiter)
            if not waiter.granted.done():
                waiter.granted.set_result(bool(helped))


def children_budget(ledger: Ledger, n: int, least: Usage = NO_USAGE) -> Budget | None:
    """What `n` children may spend together if their parent keeps an equal part of what is left, and at least `least`.

    None where there is no budget. Raises `ConfigError` for less than no children.
    """
    if n < 0:
        raise ConfigError(f"a budget can be shared among 0 or more children, got {n}")
    if not ledger.bounded:
        return None
    parts: dict[str, Any] = {}
    for name, free, kept in zip(CEILINGS, ledger.free(), cost_of(least), strict=True):
        if free < math.inf:
            part = max(0.0, free - max(free / (n + 1), kept))
            parts[name] = part if name == "usd" else math.floor(part)
    return Budget(**parts)


def rest(ledger: Ledger, budget: Budget) -> Budget:
    """`budget`, and nowhere more than what is free in `ledger` now."""
    parts = dict(budget.ceilings())
    for name, free in zip(CEILINGS, ledger.free(), strict=True):
        if free < parts.get(name, math.inf):
            parts[name] = max(0.0, free)
    return Budget(**parts)  # type: ignore[arg-type]


def _wanted(cost: Cost) -> Cost:
    """What must be free for a hold of `cost`: its amounts, and for model calls a little of every other ceiling."""
    calls = cost[CEILINGS.index("model_calls")] > 0
    return tuple(max(c, least) for c, least in zip(cost, LEAST, strict=True)) if calls else cost


def _parts(free: Sequence[float], n: int, whole: Callable[[float], int]) -> list[float]:
    """An `n`-th of each amount, never below 0; all but money comes in whole units."""
    parts = [max(0.0, f / n) for f in free]
    return [whole(p) if p < math.inf and name != "usd" else p for name, p in zip(CEILINGS, parts, strict=True)]
