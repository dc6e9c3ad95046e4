"""Ledgers and waves: exact ceilings, equal shares, leftovers split in index order."""

from __future__ import annotations

import asyncio

import pytest

from searchkit.engine.ledger import CEILINGS, Ledger, Wave, cost_of
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.types import Budget, Usage


def calls(n: int) -> tuple[float, ...]:
    return cost_of(Usage(generations=n))


def test_a_hold_is_refused_when_the_ceiling_would_be_exceeded_and_names_it() -> None:
    """Two of three generations held: another two do not fit, one does; settling below the hold frees the rest."""

    async def main() -> None:
        ledger = Ledger(Budget(generations=3))
        await ledger.hold(calls(2))
        with pytest.raises(BudgetExhausted, match="generations"):
            await ledger.hold(calls(2))
        ledger.settle(calls(2), calls(1))
        await ledger.hold(calls(2))
        ledger.settle(calls(2), calls(2))
        assert ledger.spent[0] == 3
        assert not any(ledger.held)
        assert ledger.overshoot() == {}

    asyncio.run(main())


def test_every_ancestor_is_charged_and_the_tightest_ceiling_counts() -> None:
    """A child without ceilings is stopped by its grandparent's, and all three see what was spent."""

    async def main() -> None:
        top = Ledger(Budget(generations=2))
        middle = Ledger(Budget(model_calls=5), top)
        low = Ledger(parent=middle)
        await low.hold(calls(2))
        low.settle(calls(2), calls(2))
        assert [ledger.spent[0] for ledger in (low, middle, top)] == [2, 2, 2]
        with pytest.raises(BudgetExhausted, match="generations"):
            await low.hold(calls(1))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ceiling", "n", "shares"),
    [
        (8, 4, [2, 2, 2, 2]),
        (7, 3, [3, 2, 2]),  # what does not divide goes to the first
        (2, 4, [1, 1, 0, 0]),
        (0, 2, [0, 0]),
    ],
)
def test_shares_are_equal_in_whole_units(ceiling: int, n: int, shares: list[int]) -> None:
    """The table above: how many of `ceiling` units each of `n` children gets."""
    wave = Wave(Ledger(Budget(generations=ceiling)), n)
    assert [wave.launch().limit[0] for _ in range(n)] == shares


def test_leftovers_go_to_those_who_wait_in_index_order() -> None:
    """Three children share 6: the first uses none, the others want 4 each; 6 - 4 leaves no second 4.

    share   0: 2 (uses 0)   1: 2 (wants 4)   2: 2 (wants 4)     free when all stand still: 6
    split   1 gets 4, 2 finds 2 and goes on waiting; 1 spends 3 of 4; 2 finds 3 and is refused
    """

    async def main() -> None:
        owner = Ledger(Budget(generations=6))
        wave = Wave(owner, 3)
        shares = [wave.launch() for _ in range(3)]
        spent: dict[int, str] = {}

        async def child(i: int, want: int, use: int) -> None:
            try:
                if want:
                    await shares[i].hold(calls(want))
                    shares[i].settle(calls(want), calls(use))
                spent[i] = "ok"
            except BudgetExhausted:
                spent[i] = "refused"
            wave.finish(shares[i])

        tasks = [asyncio.create_task(child(*args)) for args in ((2, 4, 4), (1, 4, 3), (0, 0, 0))]
        for share, task in zip(shares, reversed(tasks), strict=True):
            wave.expect(share)
            await task
            wave.deliver(share)
        assert spent == {0: "ok", 1: "ok", 2: "refused"}
        assert owner.spent[0] == 3
        assert not any(owner.held)

    asyncio.run(main())


def test_a_nested_wave_asks_further_up() -> None:
    """A grandchild that finds nothing in its own wave gets its uncle's leftover."""

    async def main() -> None:
        owner = Ledger(Budget(generations=4))
        outer = Wave(owner, 2)
        uncle, parent = outer.launch(), outer.launch()
        inner = Wave(Ledger(parent=parent), 1)
        grandchild = inner.launch()

        async def deep() -> None:
            await grandchild.hold(calls(3))  # its share is 2
            grandchild.settle(calls(3), calls(3))
            inner.finish(grandchild)

        task = asyncio.create_task(deep())
        inner.expect(grandchild)
        await asyncio.sleep(0)
        assert not task.done()
        outer.finish(uncle)
        outer.deliver(uncle)
        outer.expect(parent)
        await task
        inner.deliver(grandchild)
        outer.finish(parent)
        outer.deliver(parent)
        assert owner.spent[0] == 3
        assert not any(owner.held)

    asyncio.run(main())


def test_a_cancelled_waiter_leaves_no_hold() -> None:
    """A child cancelled while it waits for leftovers is not counted as waiting or running any more."""

    async def main() -> None:
        owner = Ledger(Budget(generations=2))
        wave = Wave(owner, 2)
        first, second = wave.launch(), wave.launch()
        task = asyncio.create_task(first.hold(calls(2)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        for share in (first, second):
            wave.finish(share)
            wave.deliver(share)
        assert wave.running == 0
        assert not any(owner.held)

    asyncio.run(main())


@pytest.mark.parametrize("name", CEILINGS)
def test_negative_ceilings_are_refused(name: str) -> None:
    """A ceiling below zero, or NaN, is a mistake that names the field."""
    for bad in (-1, float("nan")):
        with pytest.raises(ConfigError, match=name):
            Budget(**{name: bad})
