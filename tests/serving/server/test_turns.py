"""The queue: first come, first served, no more at once than may be, and a refusal that says when to come back."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from searchkit.serving.server import Key, SearchServer, digest_of
from searchkit.serving.server.keys import ANYBODY
from searchkit.serving.server.refusing import Refusal
from searchkit.serving.server.searches import until_left
from searchkit.serving.server.turns import Turns
from tests.helpers.servers import until
from tests.helpers.serving import Slow, listening, served
from tests.serving.server.test_guarding import ASK, asked


def test_turns_are_given_in_order_and_bounded() -> None:
    """Whoever waits longest is next, and who was cancelled is not."""
    order = list[int]()

    async def main() -> None:
        turns, most = Turns(2, 100), 0

        async def one(number: int) -> None:
            nonlocal most
            async with turns.turn(ANYBODY):
                most = max(most, turns.running)
                order.append(number)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(one(number)) for number in range(20)]
        await asyncio.sleep(0)
        tasks[5].cancel()
        await asyncio.wait(tasks)
        assert (most, turns.running, turns.waiting, turns.idle.is_set()) == (2, 0, 0, True)

    asyncio.run(main())
    assert order == [number for number in range(20) if number != 5]


@pytest.mark.parametrize("seed", range(20))
def test_no_turn_is_lost_when_who_waits_is_cancelled(seed: int) -> None:
    """At any moment, that of its turn included: in the end all are free."""
    import random

    async def main() -> None:
        rng, turns = random.Random(seed), Turns(3, 1000)

        async def one() -> None:
            async with turns.turn(ANYBODY):
                for _ in range(rng.randrange(3)):
                    await asyncio.sleep(0)

        tasks = [asyncio.create_task(one()) for _ in range(60)]
        for _ in range(40):
            await asyncio.sleep(0)
            rng.choice(tasks).cancel()
            assert turns.running <= 3
        await asyncio.wait(tasks)
        assert [task.exception() for task in tasks if not task.cancelled() and task.exception()] == []
        assert (turns.running, turns.waiting) == (0, 0)
        async with turns.turn(ANYBODY):
            assert turns.running == 1

    asyncio.run(main())


def test_a_turn_may_be_given_in_the_moment_in_which_who_waits_leaves() -> None:
    """It is passed over, and nothing but its own end is raised."""

    async def main() -> None:
        turns = Turns(1, 5)

        async def one() -> None:
            async with turns.turn(ANYBODY):
                pass

        async with turns.turn(ANYBODY):
            waiting = asyncio.create_task(one())
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert (turns.running, turns.waiting, turns.idle.is_set()) == (0, 0, True)

    asyncio.run(main())


def test_what_a_search_raises_after_its_client_left_is_written_nowhere() -> None:
    """It may quote what was said; asyncio would print what nobody looked at."""
    printed = list[str]()

    async def raising() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise ValueError("what was said") from None

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: printed.append(str(context)))
        work, left = asyncio.create_task(raising()), asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)
        left.set_result(None)
        assert not await until_left(work, left)
        del work
        gc.collect()

    asyncio.run(main())
    assert printed == []


def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    """What those before it will take."""

    async def main() -> None:
        turns = Turns(1, 1)
        async with turns.turn(ANYBODY):
            waits = asyncio.create_task(turns.turn(ANYBODY).__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(Refusal) as refused:
                async with turns.turn(ANYBODY):
                    pass
            waits.cancel()
            await asyncio.wait({waits})
        assert refused.value.status == 429
        assert refused.value.headers["retry-after"] == "10"

    asyncio.run(main())


def test_clients_beyond_the_queue_get_429_and_come_back() -> None:
    """Over HTTP, with Retry-After; those that were taken are answered."""
    backend = Slow(seconds=0.3)
    server = SearchServer({"qwen": served(backend)}, concurrency=1, queue=1)
    with listening(server) as url, ThreadPoolExecutor(3) as pool:
        first = pool.submit(asked, url)
        until(lambda: server.turns.running == 1)
        second = pool.submit(asked, url)
        until(lambda: server.turns.waiting == 1)
        status, said, headers = asked(url)
        assert (status, int(headers["retry-after"]) >= 1) == (429, True)
        assert "wait" in said
        assert [first.result()[0], second.result()[0]] == [200, 200]
        assert asked(url)[0] == 200
    assert backend.most == 1


def test_a_key_has_no_more_searches_at_once_than_its_own() -> None:
    """The others are not held up by it."""
    backend = Slow(seconds=0.3)
    keys = [Key("one", digest_of("a"), concurrency=1), Key("two", digest_of("b"))]
    server = SearchServer({"qwen": served(backend)}, keys=keys)
    with listening(server) as url, ThreadPoolExecutor(3) as pool:
        first = pool.submit(asked, url, {"x-api-key": "a"})
        until(lambda: server.turns.running == 1)
        assert asked(url, {"x-api-key": "a"})[0] == 429
        assert asked(url, {"x-api-key": "b"})[0] == 200
        assert first.result()[0] == 200
        assert asked(url, {"x-api-key": "a"}, ASK)[0] == 200
