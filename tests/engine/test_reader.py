"""Readers of the events of a search: several, some of which leave."""

from __future__ import annotations

import asyncio
import gc

from searchkit import Model, start
from searchkit.events import Event, Opened, Over
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.verifiers import Exact

RIGHT = Exact(reference="42")


def model(latency: float = 0.001) -> Model:
    return Model(Simulated({"42": 0.3, "43": 0.7}, latency=latency))


def test_tasks_that_share_a_reader_share_its_events_and_all_end() -> None:
    """Each event is read once; a task that waits while another takes the last one does not wait for ever."""

    async def main() -> None:
        search = start("q", BestOfN(4, RIGHT, window=1), generator=model())
        whole = list[Event]()
        alone, events = aiter(search), aiter(search)

        async def read() -> list[Event]:
            return [event async for event in events]

        async def read_alone() -> None:
            whole.extend([event async for event in alone])

        *shared, _ = await asyncio.wait_for(asyncio.gather(read(), read(), read(), read_alone()), 20)
        read = [event for events in shared for event in events]
        assert sorted(event.time for event in read) == sorted(event.time for event in whole)
        assert sum(isinstance(event, Over) for event in read) == 1

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_it_reads_takes_nothing_from_the_others() -> None:
    async def main() -> None:
        search = start("q", BestOfN(4, RIGHT, window=1), generator=model())
        events = aiter(search)
        read = list[Event]()

        async def reading() -> None:
            async for event in events:
                read.append(event)

        one, other = asyncio.create_task(reading()), asyncio.create_task(reading())
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait_for(other, 20)
        assert one.cancelled()
        assert isinstance(read[-1], Over)

    asyncio.run(main())


def test_a_reader_that_was_left_is_told_nothing_more() -> None:
    """A loop that enters again and again costs no more than one that stays."""

    async def main() -> None:
        search = start("q", BestOfN(40, RIGHT, window=1), generator=model())
        for _ in range(200):
            async for _event in search:
                break
        gc.collect()
        assert search._search.feed._listeners == ()
        rest = [event async for event in search]
        assert isinstance(rest[0], Opened)
        assert isinstance(rest[-1], Over)

    asyncio.run(main())


def test_a_task_that_nobody_keeps_reads_to_the_end() -> None:
    """What waits for the next event is held by the search, not only by whoever started it."""
    read = list[Event]()

    async def main() -> None:
        search = start("q", BestOfN(6, RIGHT, window=1), generator=model(0.005))

        async def reading() -> None:
            async for event in search:
                read.append(event)

        asyncio.create_task(reading())  # noqa: RUF006
        for _ in range(20):
            await asyncio.sleep(0.001)
            gc.collect()
        await search
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert isinstance(read[-1], Over)
