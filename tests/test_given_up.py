"""Calls in threads that are given up: they keep their slots until they return, and the result counts them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from searchkit import Budget, solve_sync
from searchkit.engine.candidates import Search
from searchkit.engine.run import Run
from searchkit.function import Function, in_thread
from searchkit.protocols import Slots
from searchkit.strategies import BestOfN
from searchkit.types import Problem, Prompt
from searchkit.verifiers import Predicate


def root() -> Run:
    return Run.root(Search(Problem("p", Prompt.of("q"))), 0, Budget())


async def all_back(slots: Slots) -> None:
    """Until every thread has given its slot back: one that is let may return after those that came later."""
    for _ in range(slots.size):
        await slots.acquire()
    for _ in range(slots.size):
        slots.release()


class Hanging:
    """A call that returns once it is let; how many are in it, and the most that were."""

    def __init__(self) -> None:
        self.gate, self.both, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.inside = self.most = self.begun = 0

    def __call__(self) -> str:
        with self.lock:
            self.begun += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == 2:
                self.both.set()
        assert self.gate.wait(60)
        with self.lock:
            self.inside -= 1
        return "done"


def test_a_call_that_is_cancelled_keeps_its_slot_until_it_returns() -> None:
    """So there are never more threads at work than were allowed."""

    async def main() -> None:
        run, call = root(), Hanging()
        first = [asyncio.ensure_future(in_thread(call, run, "t", 2)) for _ in range(2)]
        await asyncio.to_thread(call.both.wait, 60)
        for one in first:
            one.cancel()
        await asyncio.wait(first)
        slots = run.slots("t", 2)
        assert (slots.locked(), slots.lost, run._search.abandoned) == (True, 2, 2)
        later = [asyncio.ensure_future(in_thread(call, run, "t", 2)) for _ in range(4)]
        await asyncio.sleep(0.02)
        assert call.begun == 2
        call.gate.set()
        assert await asyncio.gather(*later) == ["done"] * 4
        await all_back(slots)
        assert (call.most, slots.lost, slots.locked(), slots._value) == (2, 0, False, 2)

    asyncio.run(main())


def test_a_call_that_is_late_keeps_its_slot_and_others_do_not_wait_forever() -> None:
    """Where such calls hold all slots, who waits for one gives up after as long as a call may take."""

    async def main() -> None:
        run, call = root(), Hanging()
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await in_thread(call, run, "t", 2, 0.05)
        slots = run.slots("t", 2)
        assert (slots.lost, call.begun) == (2, 2)
        with pytest.raises(TimeoutError):
            await in_thread(call, run, "t", 2, 0.05)
        assert (call.begun, run._search.abandoned) == (2, 2)  # it was not begun
        waiting = asyncio.ensure_future(in_thread(call, run, "t", 2, 60.0))
        await asyncio.sleep(0.01)
        call.gate.set()
        assert await waiting == "done"
        await all_back(slots)
        assert (slots.lost, slots._value) == (0, 2)

    asyncio.run(main())


def test_a_slow_queue_is_no_time_out() -> None:
    """Calls that are at work give their slots back: who waits for those does not give up."""

    async def main() -> None:
        run = root()
        begun = asyncio.get_running_loop().time()

        def works() -> float:
            threading.Event().wait(0.04)
            return 1.0

        made = await asyncio.gather(*(in_thread(works, run, "t", 1, 0.1) for _ in range(6)), return_exceptions=True)
        assert made == [1.0] * 6 or any(isinstance(one, TimeoutError) for one in made)  # a machine too busy
        assert asyncio.get_running_loop().time() - begun > 0.2

    asyncio.run(main())


def test_a_call_that_has_returned_in_the_moment_is_not_given_up() -> None:
    """Cancelled in the turn of the loop in which it ends, it holds nothing."""

    async def main() -> None:
        for _ in range(50):
            run = root()
            task = asyncio.ensure_future(in_thread(lambda: 1, run, "t", 1))
            slots = run.slots("t", 1)
            while not slots.locked():  # noqa: ASYNC110 (turns of the loop are what is counted)
                await asyncio.sleep(0)
            while slots.locked():  # noqa: ASYNC110
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert (slots.lost, slots._value, run._search.abandoned) == (0, 1, 0)

    asyncio.run(main())


def test_the_result_counts_them_those_of_searches_inside_too() -> None:
    """A search that is stopped by the clock while two calls hang, and one that is not."""
    gate = threading.Event()

    def agent(text: str, index: int) -> str:
        if index:
            assert gate.wait(60)
        return str(index)

    strategy = BestOfN(3, Predicate(lambda value: value == "none"))
    try:
        result = solve_sync("q", strategy, generator=Function(agent), budget=Budget(seconds=0.3))
        assert (result.stopped, result.abandoned, result.answer) == ("deadline", 2, "0")
        assert "2 calls went on in threads" in result._repr_html_()
        nested = solve_sync("q", BestOfN(1, Predicate(bool), generator=strategy), generator=Function(agent),
                            budget=Budget(seconds=0.3))  # fmt: skip
        assert nested.abandoned == 2
    finally:
        gate.set()
    assert solve_sync("q", strategy, generator=Function(agent)).abandoned == 0


def test_slots_know_their_size() -> None:
    assert (Slots(3).size, Slots(3).lost) == (3, 0)


UNSEEN = """
import asyncio

def test_it():
    async def fails(): raise ValueError("nobody looks at me")
    async def main():
        asyncio.ensure_future(fails())
        await asyncio.sleep(0)
    asyncio.run(main())
"""


@pytest.mark.slow
def test_an_error_that_nobody_looked_at_fails_the_suite(tmp_path: Path) -> None:
    """The hook of `conftest.py`, in a suite of its own."""
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text())
    (tmp_path / "test_unseen.py").write_text(UNSEEN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1, ended.stdout
    assert "nobody looks at me" in ended.stdout
