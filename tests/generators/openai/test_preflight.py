"""Preflight: what one request before many finds out, against real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from searchkit import Params, Prompt
from searchkit.calls import CallError
from searchkit.generators import OpenAI, Ready, preflight
from searchkit.testing.server import Server
from tests.attacks.hostile import Asked, Hostile, completion, http


def asked(url: str, params: Params | None = None, model: str = "test-model", **options: Any) -> Ready:
    return asyncio.run(preflight(OpenAI(url, model), params, **options))


def test_a_server_that_is_up() -> None:
    """Three short requests: what is sent, with another seed in one; seeds hold and log-probabilities come."""
    with Server() as server:
        ready = asked(server.url, Params(temperature=0.7, max_tokens=500, logprobs=3), prompt=Prompt.of("2+2?"))
        bodies = [request.body for request in server.requests]
    assert (ready.seed, ready.logprobs, ready.left_out) == (True, True, ())
    assert sorted(body["seed"] for body in bodies) == [1, 1, 2]
    assert {(body["max_tokens"], body["temperature"], body["top_logprobs"]) for body in bodies} == {(16, 0.7, 3)}
    assert "2+2?" in str(bodies[0]["messages"])


@pytest.mark.parametrize(
    ("reply", "holds"),
    [
        (lambda prompt, seed, body: f"{seed}", True),
        (lambda prompt, seed, body: "always", None),
        (lambda prompt, seed, body: f"{time.perf_counter_ns()}", False),
    ],
    ids=["they hold", "cannot be told", "they do not"],
)
def test_whether_seeds_hold(reply: Any, holds: bool | None) -> None:
    with Server(reply=reply) as server:
        assert asked(server.url).seed is holds


def test_greedy_texts_say_nothing_of_seeds() -> None:
    """One request is enough."""
    with Server() as server:
        assert asked(server.url, Params(temperature=0)).seed is None
        assert len(server.requests) == 1


def test_a_strict_server_says_what_it_refuses() -> None:
    """What we add beyond the API is left out from then on; anything else is an error that names the way."""
    with Server("openai") as server, pytest.warns(UserWarning, match="refuses min_p, top_k"):
        assert asked(server.url).left_out == ("min_p", "top_k")

    def strict(asked: Asked) -> bytes:
        no = {"error": {"message": "parameter 'seed' is not supported"}}
        return http(no, "400 Bad Request") if "seed" in asked.body else http(completion())

    with Hostile(strict) as hostile, pytest.raises(CallError, match=r"leave_out=\('seed',\)"):
        asked(hostile.url)


def test_another_model_is_told_at_once() -> None:
    """With those that there are."""
    with Server() as server, pytest.raises(CallError, match="has no model 'other'; it offers: test-model"):
        asked(server.url, model="other")


def test_a_dead_server_is_waited_for_as_long_as_asked() -> None:
    """A refused connection may be a server that starts; it is looked at again, and told about."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    told: list[float] = []
    with pytest.raises(CallError, match="nothing answers"):
        asked(url, wait=0.7, told=lambda seconds, why: told.append(seconds))
    assert len(told) >= 1
    with pytest.raises(CallError, match="nothing answers"):
        asked(url, wait=0, told=lambda seconds, why: pytest.fail("nobody was to wait"))


def test_a_host_that_nobody_knows_is_not_waited_for() -> None:
    """It will not start."""
    with pytest.raises(CallError):
        asked("http://no-such-host.invalid/v1", wait=60, told=lambda seconds, why: pytest.fail("nobody was to wait"))


def test_a_starting_server_is_waited_for() -> None:
    """Nobody listens for a while, then it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told, server = threading.Event(), Server(port=port)

    def start() -> None:
        told.wait(30)
        server.__enter__()

    starting = threading.Thread(target=start)
    starting.start()
    try:
        ready = asked(f"http://127.0.0.1:{port}/v1", wait=30, told=lambda seconds, why: told.set())
    finally:
        told.set()
        starting.join()
        server.__exit__()
    assert ready.seed is True
    assert ready.seconds > 0


def test_a_server_that_loads_its_model_is_waited_for() -> None:
    """As llama.cpp says it: 503 until it is ready. A server that is overloaded (429) is up, and says so."""
    seen: list[int] = []

    def loading(asked: Asked) -> bytes:
        seen.append(1)
        busy = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
        return http(busy, "503 Service Unavailable") if len(seen) < 3 else http(completion())

    with Hostile(loading) as server:
        assert asked(server.url, Params(temperature=0), wait=0).logprobs is None
    assert len(seen) == 3
    slow = http({"error": {"message": "slow down"}}, "429 Too Many Requests")
    with Hostile(slow) as busy, pytest.raises(CallError, match="overloaded"):
        asked(busy.url, wait=60)
