"""Workers of a server in processes of their own: they hold, search and settle on one shared file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from searchkit import Budget, Model, Params, start
from searchkit.calls import CallError, Request
from searchkit.serving.accounts import Accounts
from searchkit.serving.answers import Answers
from searchkit.serving.shared import Refused, Shared
from searchkit.strategies import BestOfN
from searchkit.testing import Scripted, Shuffled
from searchkit.types import Sample, Usage
from searchkit.verifiers import Predicate
from tests.helpers.killing import PROCESSES

QUESTION = " ".join("abcdefghijklmnopqrstuvwxyz")  # 26 tokens, and a ledger guesses 13
ANSWER = "three words long"
MOST = Params(max_tokens=3)
USD = 0.25  # of a call


@dataclass
class Upstream:
    """The server that is paid: `seen` has a byte for each call that reached it, whatever became of its client."""

    seen: Path
    calls: int = 0
    flying: int = 0
    most_flying: int = 0
    name: str = "upstream"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        with self.seen.open("ab", buffering=0) as file:
            file.write(b"." * len(requests))
        self.calls += len(requests)
        self.flying += len(requests)
        self.most_flying = max(self.most_flying, self.flying)
        try:
            made = await Shuffled(Scripted(lambda request: ANSWER)).complete(requests)
            return [replace(one, usage=replace(one.usage, usd=USD)) for one in made if isinstance(one, Sample)]
        finally:
            self.flying -= len(requests)


@dataclass(frozen=True)
class Case:
    """A key with what it may spend in all, and what each of its requests wants."""

    key: str
    most: Budget
    wanted: Budget


async def serve(shared: Shared, case: Case, requests: int, upstream: Upstream) -> dict[str, Any]:
    """So many requests at once, each of which asks again as long as that may help."""
    told, refused = list[Usage](), list[float | None]()
    model, accounts = Model(upstream, params=MOST), Accounts(shared)

    async def one(number: int) -> None:
        while True:
            try:
                hold = await accounts.hold(case.key, case.most, case.wanted)
                break
            except Refused as error:
                refused.append(error.retry_after)
                if error.retry_after is None:
                    return
                await asyncio.sleep(0.03)
        strategy = BestOfN(8, Predicate(lambda text: False))
        search = start(QUESTION, strategy, generator=model, budget=hold.budget, seed=number, partial=True)
        try:
            await search
        except Exception:  # a rest in which no call fits
            assert search.usage == Usage()
        finally:
            told.append(search.usage)
            await accounts.settle(hold, search.usage, 0.0)

    await asyncio.gather(*map(one, range(requests)))
    usage = asdict(sum(told, Usage()))
    return {"usage": usage, "calls": upstream.calls, "flying": upstream.most_flying, "refused": refused}


def work(path: str, cases: list[Case], requests: int, out: str) -> None:
    """So many requests of each case; what came of them is written to `out`, by key."""

    async def main() -> list[dict[str, Any]]:
        with Shared(path) as shared:
            each = (serve(shared, case, requests, Upstream(Path(f"{out}.{case.key}"))) for case in cases)
            return await asyncio.gather(*each)

    found = dict(zip([case.key for case in cases], asyncio.run(main()), strict=True))
    Path(out).write_text(json.dumps(found))


def work_forever(path: str, cases: list[Case], requests: int, out: str) -> None:
    """In a process that is to be killed."""
    while True:
        work(path, cases, requests, out)


def hanging(path: str, begin: Callable[[Shared], Awaitable[object]], begun: str) -> None:
    """In a process that is to be killed: does something to the file, and then nothing more."""

    async def main() -> None:
        with Shared(path) as shared:
            await begin(shared)
            Path(begun).touch()  # noqa: ASYNC240
            time.sleep(600)  # noqa: ASYNC251

    asyncio.run(main())


def hung(path: Path, begin: Callable[[Shared], Awaitable[object]], begun: Path) -> BaseProcess:
    """Such a process, once it has done it; `begun` is the file that then is there."""
    process = PROCESSES.Process(target=hanging, args=(str(path), begin, str(begun)))
    process.start()
    while process.is_alive() and not begun.exists():
        time.sleep(0.001)
    return process


async def holding(shared: Shared) -> None:
    """Holds three times 8 of 30, and settles one of them at 5."""
    accounts = Accounts(shared)
    holds = [await accounts.hold("digest", Budget(generations=30), Budget(generations=8)) for _ in range(3)]
    await accounts.settle(holds[0], Usage(generations=5, model_calls=5), 1.5)


async def claiming(shared: Shared) -> None:
    """Claims a name."""
    await Answers(shared).claim("key", "name", b"body")


def opening(path: str, start: Any) -> None:
    """Opens the file when all others do."""
    start.wait()
    Shared(path).close()
