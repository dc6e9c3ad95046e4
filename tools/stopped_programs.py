"""Programs that are given up at random moments, level by level: nothing of them may be left.

    PYTHONPATH=. python tools/stopped_programs.py [--moments 200] [--interrupts 50] [--seed 0] [--level LEVEL ...]

A moment: a task that waits for a program, or for a cell of a session, is cancelled so many milliseconds after its
start, half of them while interpreters start. An interrupt: a process that waits for a program, in an event loop or
without one, gets SIGINT. Afterwards there may be no process, no scratch folder, and no slot that is not free: the next
program runs. A line of JSON a level; exit status 1 if anything was left. About two minutes a level.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))
from searchkit.sandbox import levels  # noqa: E402
from searchkit.sandbox.limits import Limits  # noqa: E402
from searchkit.sandbox.pool import Pool  # noqa: E402
from searchkit.sandbox.process import Broken  # noqa: E402
from searchkit.sandbox.report import Case, Report  # noqa: E402
from searchkit.sandbox.session import Ended, Session  # noqa: E402
from tests.helpers.left_behind import nothing_left  # noqa: E402

LONG = Limits(cpu=600, wall=600.0)
SQUARE = Case("def solve(x): return x * x", ("assert solve(2) == 4",))
WAITS = "import time\nwhile True: time.sleep(0.01)"
BUSY = "import os\nwhile True:\n    os.makedirs('a/b/c', exist_ok=True)\n    os.rmdir('a/b/c')"
CASES = [
    Case(WAITS, ("assert solve(2) == 4",)),
    Case(BUSY, ("assert solve(2) == 4",)),
    Case(WAITS, (("1", "1"), ("2", "2"))),
]
ASKS = """
import asyncio, sys
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.report import Case
case, level = Case(sys.argv[2], ("assert solve(2) == 4",)), sys.argv[1]
print("ready", flush=True)
if sys.argv[3] == "loop":
    asyncio.run(POOL.run(level, case, Limits(cpu=600, wall=600.0)))
else:
    POOL.wait(level, case, Limits(cpu=600, wall=600.0))
"""


async def cancelled(pool: Pool, level: str, rng: random.Random, seconds: float) -> None:
    """A program that is cancelled after so long; then the slot is free. Raises `AssertionError`."""
    task = asyncio.ensure_future(pool.run(level, rng.choice(CASES), LONG))
    await asyncio.sleep(seconds)
    task.cancel()
    began = time.monotonic()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled(), "the cancellation was lost"
    assert time.monotonic() - began < 5, "it did not end at once"
    async with asyncio.timeout(60):
        assert await pool.run(level, SQUARE, Limits(wall=60.0)) == Report((True,)), "the slot is not free"


async def killed(level: str, seconds: float) -> None:
    """The same for a cell of a session."""
    session = Session(level, (), LONG)

    def work() -> None:
        with contextlib.suppress(Broken, Ended, TimeoutError):
            session.begin()
            session.run(WAITS, 600.0)

    task = asyncio.ensure_future(asyncio.to_thread(work))
    await asyncio.sleep(seconds)
    await asyncio.to_thread(session.close)
    async with asyncio.timeout(30):
        await task


def moments(level: str, times: int, rng: random.Random) -> tuple[int, float]:
    """How many moments left something, of `times`; and how long a start takes."""
    pool, began, failed = Pool(1), time.monotonic(), 0
    pool.wait(level, SQUARE, Limits(wall=60.0))
    start = time.monotonic() - began
    for number in range(times):
        seconds = rng.uniform(0, start if number % 2 else 3 * start)
        try:
            with nothing_left():
                if number % 4 == 3:
                    asyncio.run(killed(level, seconds))
                else:
                    if number % 4:
                        pool.end()  # the next one starts its interpreters
                    asyncio.run(cancelled(pool, level, rng, seconds))
                pool.end()
        except (AssertionError, TimeoutError) as error:
            failed += 1
            print(f"{level}: moment {number}, {seconds:.4f} s: {error!r}", flush=True)
    pool.end()
    return failed, start


def interrupts(level: str, times: int, rng: random.Random, start: float) -> int:
    """How many interrupts of `times` left something, or did not end the process at once."""
    failed = 0
    for number in range(times):
        seconds, how = rng.uniform(0, 2 * start), ("loop", "blocking")[number % 2]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder, "PYTHONPATH": str(HERE)}
            try:
                with nothing_left():
                    asks = subprocess.Popen(
                        [sys.executable, "-c", ASKS, level, rng.choice((WAITS, BUSY)), how],
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                    )  # fmt: skip
                    assert asks.stdout is not None
                    asks.stdout.readline()
                    time.sleep(seconds)
                    asks.send_signal(signal.SIGINT)
                    began = time.monotonic()
                    try:
                        _, said = asks.communicate(timeout=30)
                    finally:
                        asks.kill()
                    assert b"KeyboardInterrupt" in said, said
                    assert time.monotonic() - began < 5, "it did not end at once"
                assert not os.listdir(folder), "a scratch folder is left"
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"{level}: interrupt {number}, {seconds:.4f} s, {how}: {error!r}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--interrupts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", action="append", choices=(*levels.LEVELS, "none"))
    options = parser.parse_args()
    bad = 0
    for level in options.level or (*levels.LEVELS, "none"):
        if level != "none" and (why := levels.trouble(level)):
            print(json.dumps({"level": level, "skipped": why}), flush=True)
            continue
        rng, began = random.Random(f"{options.seed}/{level}"), time.monotonic()
        left, start = moments(level, options.moments, rng)
        ends = interrupts(level, options.interrupts, rng, start)
        bad += left + ends
        told = {
            "level": level, "uid": os.getuid(), "moments": options.moments, "left": left,
            "interrupts": options.interrupts, "interrupts_left": ends, "start_s": round(start, 3),
            "seconds": round(time.monotonic() - began, 1),
        }  # fmt: skip
        print(json.dumps(told), flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
