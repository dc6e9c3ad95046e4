"""Retrying, Limited, Cached and Coalescing against the loopback server, with the accidents of other libraries."""

from __future__ import annotations

import asyncio
import pickle
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Model, solve
from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators import Cached, Coalescing, Limited, OpenAI, Retrying
from searchkit.generators.wrappers.limited import Gate
from searchkit.strategies import SelfConsistency
from searchkit.testing.server import FAULTS, Faults, Server, profile_of
from searchkit.types import Params, Prompt, Sample, Usage

PROMPT, PARAMS = Prompt.of("Add 2 and 3"), Params(max_tokens=64)
Entry = Sample[str] | CallError


def requests_of(seeds: Sequence[int], **changes: Any) -> list[Request]:
    return [replace(Request(PROMPT, PARAMS, seed, index), **changes) for index, seed in enumerate(seeds)]


def echo(prompt: str, seed: int, params: dict[str, Any]) -> str:
    return str(seed)


def values(entries: Sequence[Entry]) -> list[str]:
    assert all(isinstance(entry, Sample) for entry in entries), entries
    return [entry.text for entry in entries if isinstance(entry, Sample)]


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Scripted:
    """A backend that follows `script`: for the k-th call of a request (by seed), an error kind, or None for success."""

    script: Callable[[int, int], str | None] = lambda seed, attempt: None
    name: str = "scripted"
    retry_after: float | None = None
    calls: Counter[int] = field(default_factory=Counter, compare=False)
    lists: list[int] = field(default_factory=list, compare=False)

    async def complete(self, requests: Sequence[Request]) -> list[Entry]:
        self.lists.append(len(requests))
        return [await self.one(request) for request in requests]

    async def one(self, request: Request) -> Entry:
        self.calls[request.seed] += 1
        await asyncio.sleep(0)
        kind = self.script(request.seed, self.calls[request.seed])
        if kind is None:
            return Sample(f"{request.seed}", usage=Usage(model_calls=1, generated_tokens=3))
        return CallError(f"scripted {kind}", kind=kind, usage=Usage(model_calls=1), retry_after=self.retry_after)


# ---------------------------------------------------------------- Retrying


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        *((kind, 4) for kind in ("rate_limit", "server", "timeout", "connection", "malformed")),
        *((kind, 1) for kind in ("auth", "bad_request", "failed")),
    ],
)
def test_only_accidents_are_repeated(kind: str, calls: int) -> None:
    """Transient kinds are tried `attempts` times; the error that remains carries its request and their number."""
    inner = Scripted(lambda seed, attempt: kind)
    [request] = requests_of([5])
    [entry] = asyncio.run(Retrying(inner, attempts=4, base=0).complete([request]))
    assert isinstance(entry, CallError)
    assert (entry.kind, entry.attempts, entry.request) == (kind, calls, request)
    assert inner.calls[5] == calls
    assert entry.usage == Usage(model_calls=1)  # the last attempt's; the others were charged by Request.retry


def test_each_further_attempt_is_asked_for() -> None:
    """`Request.retry` sees every failed attempt that is followed by another, and False ends the attempts."""
    for allowed in range(4):
        seen: list[CallError] = []

        def retry(error: CallError, seen: list[CallError] = seen, allowed: int = allowed) -> bool:
            seen.append(error)
            return len(seen) <= allowed

        inner = Scripted(lambda seed, attempt: "server" if attempt <= 3 else None)
        [entry] = asyncio.run(Retrying(inner, base=0).complete(requests_of([1], retry=retry)))
        assert inner.calls[1] == min(allowed, 3) + 1
        assert len(seen) == min(allowed + 1, 3)
        assert isinstance(entry, Sample) == (allowed >= 3)


def test_waits() -> None:
    """Doubling up to the cap, jitter within a half, the same for the same request; the server's wish is a floor."""
    retrying = Retrying(Scripted(), base=1.0, cap=10.0, patience=60.0)
    for request in requests_of(range(20)):
        for made, whole in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (2000, 10.0)]:
            wait = retrying.wait(request, made, None)
            assert wait is not None
            assert whole / 2 <= wait <= whole
            assert wait == retrying.wait(request, made, None)
            assert retrying.wait(request, made, 20.0) == 20.0
            assert retrying.wait(request, made, 0.01) == wait
            assert retrying.wait(request, made, 61.0) is None
    assert len({retrying.wait(request, 1, None) for request in requests_of(range(20))}) == 20


def test_impatience() -> None:
    """A server that asks for an hour is not waited for: the error comes back at once, with what it asked."""
    inner = Scripted(lambda seed, attempt: "rate_limit", retry_after=3600.0)
    [entry] = asyncio.run(Retrying(inner).complete(requests_of([1])))
    assert isinstance(entry, CallError)
    assert (entry.attempts, entry.retry_after) == (1, 3600.0)


@pytest.mark.parametrize(
    ("seed", "kinds"),
    [
        pytest.param(0, FAULTS, marks=pytest.mark.slow, id="0"),
        pytest.param(1, tuple(kind for kind in FAULTS if kind != "hang"), id="1"),
    ],
)
def test_thirty_percent_faults_lose_nothing(seed: int, kinds: tuple[str, ...]) -> None:
    """64 requests, every fault (in the quick tier those that are noticed at once): all are answered, and the server's
    count is one each plus the attempts charged.
    """
    charged: list[CallError] = []

    def retry(error: CallError) -> bool:
        charged.append(error)
        return True

    with Server(reply=echo, faults=Faults(0.3, kinds, seed=seed, retry_after=0.001)) as server:
        # Long enough, on a busy machine too, that only injected faults time out.
        backend = Retrying(Limited(OpenAI(server.url, "test-model", timeout=5.0), 16), attempts=12, base=0.001)
        entries = asyncio.run(backend.complete(requests_of(range(64), retry=retry)))
        assert values(entries) == [str(i) for i in range(64)]
        assert len(server.requests) == 64 + len(charged)
        faults = [r.fault for r in server.requests if r.fault]
        assert len(faults) == len(charged) > 0
        unseen = sum(fault in ("reset", "truncated", "hang") for fault in faults)
        estimated = sum(error.usage.estimated_tokens for error in charged if error.usage)
        assert estimated == 64 * unseen  # max_tokens each: nobody reported what was generated
        assert server.peak <= 16


# ---------------------------------------------------------------- Limited


def test_gate_widths() -> None:
    """The rule on a row of calls in flight four at a time: one less a refusal, one more a window of successes."""

    async def main() -> list[int]:
        gate, widths = Gate(8), list[int]()
        #       refused?  x = yes, . = no, ? = an error that says nothing about load
        for burst in ["xxxx", "....", "..", "?", "...", "xx", "x", "x", "x", "."]:
            admitted = [await gate.acquire() for _ in range(min(len(burst), gate.width))]
            for then, outcome in zip(admitted, burst, strict=False):
                gate.release(then, {"x": True, ".": False, "?": None}[outcome])
            widths.append(gate.width)
        assert gate.active == 0
        return widths

    #        8 - 4 refused,  4 successes: 5,  2 of 5,  ?,  5 of 5: 6,  4, 3, 2, 1,  1 success: 2
    assert asyncio.run(main()) == [4, 5, 5, 5, 6, 4, 3, 2, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_no_permit_is_lost(seed: int) -> None:
    """Waiters and holders cancelled at random moments: never too many inside, all permits back, the next ones pass."""
    rng = random.Random(seed)

    async def main() -> None:
        gate, inside, most = Gate(4), 0, 0

        async def work() -> None:
            nonlocal inside, most
            admitted = await gate.acquire()
            try:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(rng.choice([0, 0, 0.001]))
            finally:
                inside -= 1
                gate.release(admitted, None)

        tasks = [asyncio.create_task(work()) for _ in range(60)]
        while not all(task.done() for task in tasks):
            rng.choice(tasks).cancel()
            await asyncio.sleep(0)
        assert most == 4
        assert gate.active == 0
        await asyncio.wait_for(asyncio.gather(*(work() for _ in range(9))), 10)
        assert gate.active == 0

    asyncio.run(main())


def test_permits_go_in_turn() -> None:
    """First come, first served: a newcomer does not overtake those who wait."""

    async def main() -> None:
        gate, order = Gate(1), list[int]()

        async def work(which: int) -> None:
            admitted = await gate.acquire()
            order.append(which)
            await asyncio.sleep(0)
            gate.release(admitted, False)

        await asyncio.gather(*(work(which) for which in range(6)))
        assert order == list(range(6))

    asyncio.run(main())


def test_a_loop_that_died_waiting_takes_no_permit() -> None:
    """A waiter of an event loop that is gone is passed over."""
    gate = Gate(1)
    dead = asyncio.new_event_loop()

    async def main() -> None:
        admitted = await gate.acquire()
        waiting = dead.create_task(gate.acquire())
        thread = threading.Thread(target=lambda: dead.run_until_complete(asyncio.sleep(0.01)))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert len(gate._waiters) == 1
        dead.close()
        gate.release(admitted, None)
        assert gate.active == 0
        gate.release(await asyncio.wait_for(gate.acquire(), 10), None)
        waiting.get_coro().close()  # type: ignore[union-attr]
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]

    asyncio.run(main())


def test_limit_holds_across_event_loops() -> None:
    """Two threads with loops of their own share the endpoint's limit, and all their calls are made."""
    with Server(reply=echo, latency=0.005) as server:
        backend, found = Limited(OpenAI(server.url, "test-model"), 3), dict[int, list[Entry]]()

        def work(which: int) -> None:
            found[which] = asyncio.run(backend.complete(requests_of(range(which, which + 20))))

        threads = [threading.Thread(target=work, args=(which,)) for which in (100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for which, entries in found.items():
            assert values(entries) == [str(seed) for seed in range(which, which + 20)]
        assert server.peak <= 3
        assert backend.gate.active == 0


def test_more_waiters_than_threads_and_a_host_name() -> None:
    """its_hub 1.2.0 hangs when waiters fill the threads that name resolution needs; here waiting takes no thread."""
    with Server(reply=echo) as server:
        backend = Limited(OpenAI(server.url.replace("127.0.0.1", "localhost"), "test-model"), 4)

        async def main() -> list[Entry]:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            return await asyncio.wait_for(backend.complete(requests_of(range(64))), 30)

        assert values(asyncio.run(main())) == [str(seed) for seed in range(64)]


def test_early_stop_then_a_second_call() -> None:
    """its_hub 1.2.0 loses a permit for each cancelled waiter and hangs at the second call; here all come back."""
    with Server(reply=echo, faults=Faults(1.0, ("hang",))) as server:
        backend = Limited(OpenAI(server.url, "test-model"), 4)

        async def main() -> list[Entry]:
            tasks = [asyncio.create_task(backend.complete([r])) for r in requests_of(range(12))]
            await until(lambda: server.in_flight == 4)  # four are out, eight wait
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert backend.gate.active == 0
            server.faults = None
            return await asyncio.wait_for(backend.complete(requests_of(range(12))), 10)

        assert values(asyncio.run(main())) == [str(seed) for seed in range(12)]
        assert backend.gate.active == 0


@pytest.mark.parametrize("status", [429, 503])
def test_limit_adapts_to_the_server(status: int) -> None:
    """Each refusal takes a permit along, to no less than one; successes widen it again."""
    full = replace(profile_of("vllm"), parallel=0, queue=0)  # answers 503 to everyone
    faults = Faults(1.0, ("rate_limit",)) if status == 429 else None
    with Server(full if status == 503 else "vllm", faults=faults) as server:
        backend, widths = Limited(OpenAI(server.url, "test-model"), 4), list[int]()

        async def main() -> None:
            for seed in range(6):
                await backend.complete(requests_of([seed]))
                widths.append(backend.gate.width)
            server.faults, server.profile = None, profile_of("vllm")
            for seed in range(6):
                await backend.complete(requests_of([seed]))
                widths.append(backend.gate.width)

        asyncio.run(main())
        assert widths == [3, 2, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4]
        assert Counter(r.status for r in server.requests) == {status: 6, 200: 6}


def test_an_overloaded_server_loses_nothing() -> None:
    """A server that refuses more than three at a time, asked for 64 at once: all are answered in the end."""
    profile = replace(profile_of("vllm"), parallel=3, queue=0)
    with Server(profile, reply=echo, latency=0.002) as server:
        backend = Retrying(Limited(OpenAI(server.url, "test-model"), 64), attempts=1000, base=0.001, cap=0.02)
        assert values(asyncio.run(backend.complete(requests_of(range(64))))) == [str(seed) for seed in range(64)]
        assert Counter(r.status for r in server.requests)[200] == 64


# ---------------------------------------------------------------- Cached


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_second_run_asks_nothing(path: Path) -> None:
    """What one run paid for, another finds, with other seeds and in another process's place; it says so."""
    with Server() as server:
        for run, seeds in enumerate([(1, 2, 3), (4, 5, 6)]):
            cached = Cached(OpenAI(server.url, "test-model"), path)
            entries = asyncio.run(cached.complete(requests_of(seeds)))
            cached.close()
            if run == 0:
                first = entries
        assert len(server.requests) == 3
        assert entries == first  # equal samples, logged usage included
        assert [e.origin for e in first if isinstance(e, Sample)] == ["model"] * 3
        assert [e.origin for e in entries if isinstance(e, Sample)] == ["cache"] * 3


# A request that differs from the stored one in this way is asked anew (True) or found (False).
IDENTITY: list[tuple[dict[str, Any], bool]] = [
    ({}, False),
    ({"seed": 99}, False),
    ({"index": 1}, True),
    ({"prompt": Prompt.of("Add 2 and 4")}, True),
    ({"prompt": PROMPT.continued("So")}, True),
    ({"params": replace(PARAMS, temperature=0.5)}, True),
    ({"params": replace(PARAMS, max_tokens=65)}, True),
]


@pytest.mark.parametrize(("change", "asked"), IDENTITY)
def test_identity(path: Path, change: dict[str, Any], asked: bool) -> None:
    """Prompt, parameters and index make a sample's identity; the seed does not."""
    inner = Scripted()
    cached = Cached(inner, path)
    request = Request(PROMPT, PARAMS, 1)
    asyncio.run(cached.complete([request]))
    asyncio.run(cached.complete([replace(request, **change)]))
    assert sum(inner.calls.values()) == 1 + asked


def test_backend_name_is_identity(path: Path) -> None:
    """Another model's samples in the same file are not ours."""
    for name in ("one", "two", "one"):
        inner = Scripted(name=name)
        asyncio.run(Cached(inner, path).complete(requests_of([1])))
    assert inner.calls[1] == 0


def test_failures_are_not_kept(path: Path) -> None:
    """An error is handed on, and asked again the next time."""
    cached = Cached(Scripted(lambda seed, attempt: "server" if attempt == 1 else None), path)
    [failed], [found] = (asyncio.run(cached.complete(requests_of([1]))) for _ in range(2))
    assert isinstance(failed, CallError)
    assert isinstance(found, Sample)


def test_equal_requests_in_flight_are_sent_once(path: Path) -> None:
    """Joined across calls and within a list; one pays, the others have it from the cache; failures cost once too."""
    for fails in (False, True):
        inner = Scripted(lambda seed, attempt, fails=fails: "server" if fails else None)
        cached = Cached(inner, path.with_name(f"cache-{fails}"))
        [request] = requests_of([7])

        async def main(cached: Cached = cached, request: Request = request) -> list[Entry]:
            lists = await asyncio.gather(*(cached.complete([request, request]) for _ in range(5)))
            return [entry for entries in lists for entry in entries]

        entries = asyncio.run(main())
        assert inner.calls[7] == 1
        if fails:
            paid = [entry.usage.model_calls for entry in entries if isinstance(entry, CallError) and entry.usage]
            assert sorted(paid) == [0] * 9 + [1]
        else:
            assert values(entries) == ["7"] * 10
            assert Counter(e.origin for e in entries if isinstance(e, Sample)) == {"model": 1, "cache": 9}


def test_a_cancelled_asker_does_not_take_the_others_along(path: Path) -> None:
    """Whoever waits for a cancelled call asks for itself; a cancelled waiter cancels nobody."""
    with Server(reply=echo, faults=Faults(1.0, ("hang",))) as server:
        cached = Cached(OpenAI(server.url, "test-model"), path)

        async def main() -> list[Entry]:
            leader, quitter, *waiters = (asyncio.create_task(cached.complete(requests_of([7]))) for _ in range(5))
            await until(lambda: len(server.requests) == 1)
            quitter.cancel()
            await asyncio.gather(quitter, return_exceptions=True)
            assert not leader.done()
            server.faults = None
            leader.cancel()
            await asyncio.gather(leader, return_exceptions=True)
            return [entry for entries in await asyncio.gather(*waiters) for entry in entries]

        assert values(asyncio.run(main())) == ["7"] * 3
        assert len(server.requests) == 2


def test_misses_stay_together(path: Path) -> None:
    """What is not in the cache goes to the backend as one list, in order, so that it can be merged."""
    inner = Scripted()
    cached = Cached(inner, path)
    requests = requests_of(range(6))
    asyncio.run(cached.complete(requests[2:4]))
    assert values(asyncio.run(cached.complete(requests))) == [str(seed) for seed in range(6)]
    assert inner.lists == [2, 4]


@pytest.mark.parametrize("content", [b"my precious notes", b"SQLite format 3\0 but not really", "database"])
def test_foreign_files_are_refused_and_left_alone(path: Path, content: bytes | str) -> None:
    """A file that is no cache of ours is an error at construction, and keeps every byte."""
    if isinstance(content, str):
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.close()
        content = path.read_bytes()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="choose another path"):
        Cached(Scripted(), path)
    assert path.read_bytes() == content
    with pytest.raises(ConfigError, match="cannot be used"):
        Cached(Scripted(), path.parent / "no" / "such" / "folder")


# ---------------------------------------------------------------- Coalescing


def test_equal_requests_become_one_call() -> None:
    """Where n is honoured: one call a group, entries in the order of the requests, the server's tokens all counted."""
    with Server(reply=echo) as server:
        backend = Coalescing(Limited(OpenAI(server.url, "test-model")))
        other = Prompt.of("Multiply 2 and 3")
        asked = [Request(p, PARAMS, seed) for seed, p in enumerate([PROMPT, other, PROMPT, other, PROMPT])]
        asked.append(Request(PROMPT, replace(PARAMS, temperature=0.5), 50))
        entries = asyncio.run(backend.complete(asked))
        probed = 9
        assert sorted(r.body.get("n", 1) for r in server.requests[probed:]) == [1, 2, 3]
        # A group's samples carry the first member's seed plus their place, as vLLM gives it to children.
        assert values(entries) == ["0", "1", "1", "2", "2", "50"]
        total = sum((e.usage for e in entries if isinstance(e, Sample)), Usage())
        assert total.model_calls == 3
        again = asyncio.run(backend.complete(asked))
        assert again == entries
        assert len(server.requests) == probed + 2 * 3


@pytest.mark.parametrize("profile", ["sglang", "ollama", "llama.cpp"])
def test_nothing_is_merged_where_n_would_give_copies(profile: str) -> None:
    """Servers that ignore n, or give every choice the same seed, get single requests."""
    with Server(profile, reply=lambda prompt, seed, params: f"{seed} {prompt}"[:40]) as server:
        entries = asyncio.run(Coalescing(OpenAI(server.url, "test-model")).complete(requests_of(range(3))))
        assert [text.split()[0] for text in values(entries)] == ["0", "1", "2"]
        assert [r.body.get("n") for r in server.requests[-3:]] == [None] * 3


def test_a_failed_group_fails_once() -> None:
    """All members of a failed call fail; the first carries the cost; retried, they come back."""
    with Server(reply=echo) as server:
        backend = Coalescing(OpenAI(server.url, "test-model"))
        asyncio.run(backend.complete(requests_of(range(3))))
        server.faults = Faults(1.0, ("server",))
        entries = asyncio.run(backend.complete(requests_of(range(3))))
        assert [e.usage.model_calls for e in entries if isinstance(e, CallError) and e.usage] == [1, 0, 0]
        assert [e.request.seed for e in entries if isinstance(e, CallError) and e.request] == [0, 1, 2]
        server.faults = Faults(0.5, ("server",), seed=3)
        whole = Retrying(backend, attempts=20, base=0)
        assert values(asyncio.run(whole.complete(requests_of([5, 6, 7]))))[0] == "5"


def test_a_searchs_samples_become_one_call() -> None:
    """Eight samples of one prompt, drawn by a strategy: one call with n=8, paid once, all tokens counted, resumable."""
    with Server(reply=echo) as server, tempfile.TemporaryDirectory() as folder:
        backend = Coalescing(Limited(OpenAI(server.url, "test-model")))
        asyncio.run(backend.backend.probe())
        probed = len(server.requests)
        for _ in range(2):
            result = asyncio.run(
                solve(PROMPT, SelfConsistency(8), generator=Model(backend, PARAMS), journal=f"{folder}/run.db")
            )
        assert [r.body["n"] for r in server.requests[probed:]] == [8]
        assert len(result.candidates) == 8
        assert result.usage.model_calls == 1
        assert result.usage.generations == 8
        assert result.paid.model_calls == 0


def test_cancelled_members_leave_the_others_their_call() -> None:
    """One of two members is cancelled: the other gets its answer. Both are: the call is aborted, the next one works."""

    async def main(server: Server) -> None:
        backend = Coalescing(OpenAI(server.url, "test-model"))
        await backend.backend.probe()
        for cancelled, server.latency in ((1, 0.5), (2, 60.0)):  # the answer comes long after the cancellation
            tasks = [asyncio.create_task(backend.complete([r])) for r in requests_of(range(2))]
            await until(lambda: server.in_flight == 1)
            for task in tasks[:cancelled]:
                task.cancel()
            await asyncio.wait(tasks)
            assert [t.cancelled() for t in tasks] == [True, cancelled == 2]
        early = asyncio.create_task(backend.complete(requests_of([9])))
        await asyncio.sleep(0)
        early.cancel()  # before the turn is over
        await asyncio.wait([early])
        server.latency = 0.0
        assert values(await backend.complete(requests_of([3]))) == ["3"]

    with Server(reply=echo) as server:
        asyncio.run(main(server))
        assert 1 <= server.aborted <= 2  # the early one may have reached the server or not


def test_coalescing_needs_a_backend_that_can() -> None:
    """A backend without n= is refused at construction, wrapped or not."""
    for backend in (Scripted(), Limited(Scripted())):
        with pytest.raises(ConfigError, match="cannot merge"):
            Coalescing(backend)


# ---------------------------------------------------------------- all of them


def test_wrapped_like_the_manual_says(path: Path) -> None:
    """Cached(Retrying(Coalescing(Limited(backend)))): the backend's name, a value, picklable, and it works."""
    with Server(faults=Faults(0.2, ("server", "rate_limit"), seed=1)) as server:
        backend = OpenAI(server.url, "test-model")
        whole = Cached(Retrying(Limited(backend, 8), base=0.001), path)
        assert whole.name == backend.name
        assert asyncio.run(whole.complete(requests_of(range(10)))) == asyncio.run(
            whole.complete(requests_of(range(10)))
        )
        again: Cached = pickle.loads(pickle.dumps(whole))
        assert again == whole
        assert repr(again) == repr(whole)
        assert hash(again) == hash(whole)
        before = len(server.requests)
        assert len(values(asyncio.run(again.complete(requests_of(range(10)))))) == 10
        assert len(server.requests) == before
        assert eval(repr(Retrying(Limited(backend, 8)))) == Retrying(Limited(backend, 8))


@pytest.mark.parametrize("wrap", [Retrying, Limited])
def test_programming_errors_are_raised(wrap: Callable[[Any], Any]) -> None:
    """A backend that breaks its contract is not a failed call: its exception comes through, and the rest is stopped."""

    class Broken(Scripted):
        async def one(self, request: Request) -> Entry:
            if request.seed == 1:
                raise ZeroDivisionError
            return await super().one(request)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(wrap(Broken()).complete(requests_of(range(3))))


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: Retrying(Scripted(), attempts=0),
        lambda: Retrying(Scripted(), base=-1.0),
        lambda: Retrying(Scripted(), base=5.0, cap=1.0),
        lambda: Limited(Scripted(), 0),
    ],
)
def test_mistakes(mistake: Callable[[], Awaitable[object]]) -> None:
    """Impossible parameters are refused at construction."""
    with pytest.raises(ConfigError):
        mistake()
