"""One model behind several endpoints, over loopback servers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Model, Params, Problem, Prompt, solve_many, solve_sync
from searchkit.calls import CallError, Request
from searchkit.confidence import check_floor
from searchkit.errors import CapabilityError
from searchkit.forms import check_form
from searchkit.generators import Balanced, Embedded, Limited, OpenAI, Retrying, Simulated
from searchkit.generators.wrappers import circuit
from searchkit.generators.wrappers import fleet as fleets
from searchkit.protocols import Backend
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.telemetry.attributes import Secrets
from searchkit.testing import BackendTests, Scripted
from searchkit.testing.server import Faults, Server
from searchkit.testing.strategies import LengthScore
from searchkit.types import ConfidenceFloor, Sample, Usage


def endpoint(server: Server) -> OpenAI:
    return OpenAI(server.url, "test-model", timeout=10.0)


@contextlib.contextmanager
def servers(count: int = 2, **options: Any) -> Iterator[list[Server]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(**options)) for _ in range(count)]


def asked(backend: Backend, *texts: str, **params: Any) -> list[Sample[str] | CallError]:
    requests = [Request(Prompt.of(text), Params(max_tokens=8, **params), n, n) for n, text in enumerate(texts)]
    return asyncio.run(backend.complete(requests))


class TestLaws(BackendTests):
    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with servers() as self.servers:
            yield

    def backend(self) -> Backend:
        return Balanced([endpoint(server) for server in self.servers], requests=1000, tokens=100_000)


def paid(of: list[Server]) -> Counter[tuple[str, int]]:
    """How often each sample was answered."""
    done = [r for server in of for r in server.requests if r.status == 200]
    return Counter((r.body["messages"][0]["content"], r.body["seed"]) for r in done)


async def searched(model: Model, count: int, between: Any) -> list[Any]:
    """What so many problems come to; `between(done)` is called as each ends."""
    problems = [Problem(str(n), Prompt.of(f"problem {n} " + "of many words " * 8)) for n in range(count)]
    done = 0

    async def one(problem: Problem) -> Any:
        nonlocal done
        [outcome] = await solve_many([problem], BestOfN(2, LengthScore()), generator=model)
        done += 1
        await asyncio.to_thread(between, done)
        return outcome.unwrap()

    results = list[Any]()
    for start in range(0, count, 10):
        results += await asyncio.gather(*map(one, problems[start : start + 10]))
    return results


@pytest.mark.slow
def test_an_endpoint_dies_and_returns_and_nothing_is_lost_or_paid_twice(monkeypatch):
    """In the middle of many problems: all samples arrive, each was answered once, and both endpoints did their part."""
    monkeypatch.setattr(circuit, "REST", 0.01)
    monkeypatch.setattr(circuit, "LONGEST", 0.05)
    with contextlib.ExitStack() as stack:
        first, second = (Server("llama.cpp", latency=0.01) for _ in range(2))
        stack.enter_context(first)
        dies = contextlib.ExitStack()
        dies.enter_context(second)
        again = Server("llama.cpp", latency=0.01, port=second.port)

        def between(done: int) -> None:
            if done == 40:
                dies.close()
            elif done == 90:
                again.port = second.port
                stack.enter_context(again)

        model = Model(Retrying(Balanced([endpoint(first), endpoint(second)]), base=0.01), Params(max_tokens=8))
        results = asyncio.run(searched(model, 150, between))
        all_servers = [first, second, again]
        assert [len(r.candidates) for r in results] == [2] * 150
        assert not any(r.errors for r in results)
        answers = paid(all_servers)
        assert len(answers) == 300
        assert sum(answers.values()) - 300 <= second.aborted  # answered in the moment of death, and not received
        assert all(len(server.requests) > 20 for server in all_servers)


def test_samples_are_those_of_one_endpoint():
    """With a journal's keys, too: nothing in a result says where it was drawn."""
    with servers() as two:
        one = Model(endpoint(two[0]), Params(max_tokens=8))
        both = Model(Balanced([endpoint(server) for server in two]), Params(max_tokens=8))
        found = [solve_sync("Hello", SelfConsistency(6), generator=model) for model in (one, both)]
    assert found[0].candidates == found[1].candidates
    assert Balanced([endpoint(server) for server in two]).name == endpoint(two[0]).name


def test_a_problems_prompt_is_read_once():
    """Its samples find it in the cache of the endpoint that drew the first."""
    texts = [f"problem {n} " + "of many words " * 16 for n in range(12)]
    with servers(1, profile="llama.cpp") as alone, servers(2, profile="llama.cpp") as both:
        cached = []
        for some in (alone, both):
            model = Model(Balanced([endpoint(server) for server in some]), Params(max_tokens=8))
            outcomes = asyncio.run(solve_many([Problem.of(t, t) for t in texts], SelfConsistency(4), generator=model))
            cached.append(sum(outcome.unwrap().usage.cached_tokens for outcome in outcomes))
        assert [len(server.requests) for server in both] == [24, 24]
    assert cached[0] == cached[1] > 0


@pytest.mark.parametrize("kind", ["rate_limit", "server", "reset", "truncated"])
def test_what_fails_by_accident_is_asked_of_the_next(kind):
    """At once, and charged once more. After three failures the one that works is asked alone; one that is overloaded
    without a word of how long is asked again."""
    with Server(faults=Faults(1.0, (kind,))) as bad, Server() as good:
        backend = Balanced([endpoint(bad), endpoint(good)])
        asks = list[CallError]()
        for n in range(8):
            request = Request(Prompt.of(f"problem {n}"), Params(max_tokens=8), n, 0, retry=lambda e: not asks.append(e))
            [entry] = asyncio.run(backend.complete([request]))
            assert isinstance(entry, Sample)
        assert len(good.requests) == 8
        assert len(asks) == len(bad.requests) == {"rate_limit": 8}.get(kind, 3)


def test_another_attempt_that_is_not_affordable_is_not_made():
    """Then the failure is the answer."""
    with Server(faults=Faults(1.0, ("server",))) as bad, Server() as good:
        request = Request(Prompt.of("a"), Params(max_tokens=8), 0, 0, retry=lambda error: False)
        [entry] = asyncio.run(Balanced([endpoint(bad), endpoint(good)]).complete([request]))
    assert isinstance(entry, CallError)
    assert (entry.kind, entry.attempts, len(good.requests)) == ("server", 1, 0)


def test_attempts_elsewhere_count_against_the_budget():
    """As many model calls as it has, on both endpoints together."""
    with Server(faults=Faults(0.5, ("server",), seed=1)) as bad, Server() as good:
        backend = Balanced([endpoint(bad), endpoint(good)])
        found = solve_sync(
            "a", SelfConsistency(40), generator=Model(backend, Params(max_tokens=8)), budget=Budget(model_calls=20)
        )
        assert found.usage.model_calls == len(bad.requests) + len(good.requests) <= 20
        assert found.stopped == "budget"


def test_a_refused_request_is_not_asked_again():
    """It would be refused everywhere."""
    with servers(2, profile="vllm") as two:
        [entry] = asked(Balanced([replace(endpoint(server), model="unknown") for server in two]), "a")
        assert isinstance(entry, CallError)
        assert sum(len(server.requests) for server in two) == 1


def test_where_nobody_listens_it_is_said_at_once_and_then_with_a_wait():
    """The first call finds it out; those after it are told when to come back, and cost nothing."""
    with servers() as two:
        pass
    backend = Balanced([endpoint(server) for server in two])
    [first] = asked(backend, "a")
    [second] = asked(backend, "a")
    assert isinstance(first, CallError)
    assert isinstance(second, CallError)
    assert (first.kind, first.lasting, first.attempts) == ("connection", True, 2)
    assert (second.kind, second.transient, second.usage) == ("connection", True, Usage())
    assert 0 < (second.retry_after or 0) <= 0.5
    assert "no endpoint of openai/test-model is free" in str(second)


def test_one_that_fails_while_the_other_rests_is_worth_another_attempt():
    """Though by itself its failure is lasting."""
    with servers() as two:
        pass
    backend = Balanced([endpoint(server) for server in two])
    resting = backend._fleet.endpoints[1].circuit
    resting.end(resting.begin(), False, time.monotonic(), surely=True)
    [entry] = asked(backend, "a")
    assert isinstance(entry, CallError)
    assert entry.transient
    assert 0 < (entry.retry_after or 0) <= 0.5


# ---------------------------------------------------------------- minutes


@pytest.fixture
def clock(monkeypatch):
    """A minute that lasts 0.3 s, and a request that may be 0.05 s late."""
    monkeypatch.setattr("searchkit.generators.wrappers.minute.MINUTE", 0.3)
    monkeypatch.setattr(fleets, "LATE", 0.05)


def most_in(times: list[tuple[float, float]], minute: float) -> float:
    """The most of any minute."""
    return max(sum(amount for at, amount in times if first <= at < first + minute) for first, _ in times)


@pytest.mark.slow
def test_no_minute_is_above_its_limit_by_the_servers_clock(clock):
    """Requests, and tokens that are read and written, of each server, at its own pace."""
    seen: list[list[tuple[float, float]]] = [[], []]

    def replying(number: int) -> Any:
        def reply(prompt: str, seed: int, body: dict[str, Any]) -> str:
            seen[number].append((time.monotonic(), 1 + 0 * seed))
            return "three words long"

        return reply

    with Server(reply=replying(0)) as one, Server(reply=replying(1)) as two:
        backend = Balanced([endpoint(one), endpoint(two)], requests=[20, 10], tokens=10_000)
        entries = asked(backend, *(f"problem {n}" for n in range(100)))
    assert all(isinstance(entry, Sample) for entry in entries)
    assert [most_in(times, 0.3) for times in seen] == [20, 10]
    assert sum(map(len, seen)) == 100


@pytest.mark.slow
def test_tokens_are_limited_by_what_they_were(clock):
    """17 at a time by their worst case; more, once it is known that they were fewer."""
    seen = list[tuple[float, float]]()

    def reply(prompt: str, seed: int, body: dict[str, Any]) -> str:
        seen.append((time.monotonic(), len(prompt.split()) + 3))
        return "three words long"

    with Server(reply=reply, latency=0.02) as server:
        backend = Balanced([endpoint(server)], tokens=1000)
        entries = asked(backend, *(f"problem {n}" for n in range(60)))
    assert all(isinstance(entry, Sample) for entry in entries)
    assert most_in(seen, 0.3) <= 1000
    assert server.peak <= 1000 // 8


def test_what_waits_for_a_minute_costs_nothing_if_it_is_cancelled():
    """It says that it waits."""

    async def main() -> list[bool]:
        said = list[bool]()
        backend = Balanced([Scripted(lambda request: "a")], requests=1)
        first, second = (Request(Prompt.of("a"), Params(), n, n, waiting=said.append) for n in range(2))
        await backend.complete([first])
        assert said == []
        task = asyncio.create_task(backend.complete([second]))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return said

    assert asyncio.run(main()) == [True]


def test_a_call_larger_than_a_minute_is_refused():
    """It would wait for ever; without a limit on its text nobody knows how large it is."""
    backend = Balanced([Simulated({"a": 1.0}), Simulated({"a": 1.0})], tokens=[100, 200])
    [entry] = asyncio.run(backend.complete([Request(Prompt.of("a"), Params(max_tokens=500), 0)]))
    assert isinstance(entry, CallError)
    assert (entry.kind, entry.usage) == ("bad_request", Usage())
    with pytest.raises(ConfigError, match="max_tokens"):
        asyncio.run(backend.complete([Request(Prompt.of("a"), Params(), 0)]))


# ---------------------------------------------------------------- what it is made of


@pytest.mark.parametrize(
    ("endpoints", "options", "said"),
    [
        ([], {}, "needs endpoints"),
        (Simulated({"a": 1.0}), {}, "takes a list"),
        ([Model(Simulated({"a": 1.0}))], {}, "needs a backend"),
        ([OpenAI("http://a/v1", "one"), OpenAI("http://b/v1", "two")], {}, "openai/one, openai/two"),
        ([Simulated({"a": 1.0})] * 2, {"requests": 0}, ">= 1"),
        ([Simulated({"a": 1.0})] * 2, {"requests": 1.5}, "whole numbers"),
        ([Simulated({"a": 1.0})] * 2, {"tokens": [1]}, "one for each of 2"),
        ([Simulated({"a": 1.0})] * 2, {"tokens": "12"}, "whole numbers"),
    ],
)
def test_what_it_cannot_be_made_of(endpoints, options, said):
    """A sentence says why."""
    with pytest.raises(ConfigError, match=said):
        Balanced(endpoints, **options)


def test_it_can_what_all_its_endpoints_can():
    """Floors and forms, through wrappers too."""
    served = [Limited(OpenAI("http://a/v1", "m")), Limited(OpenAI("http://b/v1", "m"))]
    floor = Params(logprobs=5, floor=ConfidenceFloor(4, 0.5))
    check_floor(floor, Balanced(served))
    check_form(Retrying(Balanced(served)))
    named = SimpleNamespace(name=served[0].name, complete=None)
    named.complete = served[0].complete
    with pytest.raises(CapabilityError):
        check_floor(floor, Balanced([*served, named]))
    with pytest.raises(CapabilityError):
        check_form(Balanced([Embedded()]))


def test_no_endpoints_key_gets_out():
    """Telemetry learns the keys of all of them."""
    secrets = Secrets()
    two = [Limited(OpenAI(f"http://{host}/v1", "m", api_key=f"sk-of-{host}-1234567890")) for host in "ab"]
    secrets.learn(Retrying(Balanced(two)))
    assert "1234567890" not in secrets.out_of("sk-of-a-1234567890 sk-of-b-1234567890", 1000)
