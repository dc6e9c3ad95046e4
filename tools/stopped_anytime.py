"""Searches stopped at random moments: every strategy that is enrolled for the laws, by `cancel` and by `wait_for`.

    python tools/stopped_anytime.py [--moments 200] [--only SUBSTRING] [--seed 0]

For each class of the tests that inherits the laws: after a random number of turns of the event loop the task that waits
is cancelled, or a random time limit runs out, half of them each. Then nothing may be in flight, and the best so far
must be what the rule of the strategy chooses among all found in spans that had ended. A line for each class: moments,
and how many of them met a search that was going on and had found something. Exit status 1 if any failed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import random
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))
from searchkit.events import Event, in_order  # noqa: E402
from searchkit.testing import StrategyTests  # noqa: E402


def enrolled() -> Iterator[type[StrategyTests]]:
    """The test classes that inherit the laws."""
    for file in sorted((HERE / "tests").rglob("test_*.py")):
        if "StrategyTests" in file.read_text() or "OnLetters" in file.read_text():
            module = importlib.import_module(".".join(file.relative_to(HERE).with_suffix("").parts))
            for name, made in sorted(vars(module).items()):
                own = isinstance(made, type) and made.__module__ == module.__name__
                if own and name.startswith("Test") and issubclass(made, StrategyTests):
                    yield made


async def counted(tests: StrategyTests) -> tuple[list[Event], int, float]:
    """What a whole search tells, how many turns of the loop it takes, and how many seconds."""
    told, turns, began = list[Event](), 0, time.perf_counter()
    task = asyncio.ensure_future(tests.started(tests.backend(), told))
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return in_order(told), turns, time.perf_counter() - began


def tried(tests: StrategyTests, moments: int, rng: random.Random) -> int:
    """How many of `moments` met a search that had found something. Raises `AssertionError` for one that failed."""
    whole, turns, seconds = asyncio.run(counted(tests))
    met = 0
    for number in range(moments):
        moment = rng.uniform(0, 2 * seconds) if number % 4 < 2 else rng.randint(1, 3 * turns)
        met += asyncio.run(tests.stopped(number, moment, whole))
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=200, help="for each strategy (default: 200)")
    parser.add_argument("--only", default="", help="classes whose names have this")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    failed, all_in_all, going_on, classes = 0, 0, 0, 0
    for made in enrolled():
        name = f"{made.__module__.removeprefix('tests.')}.{made.__qualname__}"
        if options.only not in name:
            continue
        try:
            tests: Any = made()
            with getattr(tests, "serving", nullcontext)():  # of those that ask a server
                met = tried(tests, options.moments, random.Random(f"{options.seed}/{name}"))
        except (Exception, asyncio.CancelledError) as error:
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc(limit=-2)
            continue
        classes, all_in_all, going_on = classes + 1, all_in_all + options.moments, going_on + met
        print(f"{name}: {options.moments} moments, {met} with something found", flush=True)
    print(f"{classes} classes, {all_in_all:,} moments, {going_on:,} with something found; {failed} classes failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
