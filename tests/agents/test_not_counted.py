"""Servers that do not count, and requests that nobody could: what an attempt is charged, and what is not sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from searchkit import Budget, CallError, solve
from searchkit.agents import Endpoint, client
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from searchkit.wire import Price
from searchkit.wire.estimates import written
from tests.helpers.attempts import asked, calls
from tests.helpers.scripted import Asked, Said, Scripted, chat, stream

TEXT = "All of the sides are equal. " * 40
OPEN: dict[str, dict[str, Any]] = {
    "chat/completions": {"model": "m", "messages": [{"role": "user", "content": "How much?"}]},
    "completions": {"model": "m", "prompt": "How much?"},
    "responses": {"model": "m", "input": "How much?"},
    "messages": {"model": "m", "messages": [{"role": "user", "content": "How much?"}], "max_tokens": 900},
}


def whole(asked: Asked) -> Said:
    """Of any API, without a count."""
    if asked.body.get("stream"):
        return streamed(asked)
    end = asked.path.rpartition("/")[2]
    if end == "responses":
        part = {"type": "output_text", "text": TEXT, "annotations": []}
        message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
        return Said({"id": "r", "object": "response", "status": "completed", "output": [message]})
    if end == "messages":
        blocks = [{"type": "text", "text": TEXT}]
        return Said({"type": "message", "role": "assistant", "content": blocks, "stop_reason": "end_turn"})
    said = chat(TEXT)
    said["choices"][0]["text"] = TEXT
    return Said(said)


def streamed(asked: Asked) -> Said:
    choice = {"index": 0, "delta": {"content": TEXT}, "text": TEXT, "finish_reason": "stop"}
    return stream({"id": "x", "choices": [choice]})


def run(agent: Callable[..., Any], server: Scripted, n: int = 1, price: Price | None = None, **options: Any) -> Any:
    function = Function(agent, upstream=server.upstream(price=price))
    return asyncio.run(solve("How much?", SelfConsistency(n, key=str), generator=function, **options))


@pytest.mark.parametrize("route", OPEN)
def test_an_answer_without_usage_costs_what_its_text_does(route: str) -> None:
    """Estimated and marked, with the guessed prompt, where no limit is known (of messages the limit always is)."""
    with Scripted(whole) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            return str(asked(f"{endpoint.base_url}/{route}", OPEN[route])[0])

        result = run(agent, server, price=Price(1e6, 1e6))
    used = result.usage
    assert result.answer == "200"
    assert used.generated_tokens == OPEN[route].get("max_tokens", written(TEXT))
    assert used.prompt_tokens > 5
    assert used.estimated_tokens == used.prompt_tokens + used.generated_tokens
    assert used.usd == pytest.approx(used.estimated_tokens)


@pytest.mark.parametrize("route", ["chat/completions", "completions"])
def test_a_stream_without_usage_too(route: str) -> None:
    with Scripted(whole) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            return str(asked(f"{endpoint.base_url}/{route}", {**OPEN[route], "stream": True})[0])

        used = run(agent, server).usage
    assert used.generated_tokens == written(TEXT)
    assert used.estimated_tokens == used.prompt_tokens + used.generated_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_a_ceiling_binds_a_server_that_does_not_count(stream: bool) -> None:
    """The limit that we sent is what is charged, so that the server never makes more than the ceiling."""
    made = list[int]()

    def say(asked: Asked) -> Said:
        made.append(asked.body["max_tokens"])
        return whole(asked)

    with Scripted(say) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            for i in range(20):
                body = {**OPEN["chat/completions"], "user": str(i), "stream": stream}
                if asked(f"{endpoint.base_url}/chat/completions", body)[0] == 402:
                    break
            return "done"

        result = run(agent, server, 2, budget=Budget(generated_tokens=100))
    assert sum(made) == result.usage.generated_tokens == 100
    assert result.usage.estimated_tokens == 100 + result.usage.prompt_tokens


def test_embeddings_that_nobody_counted() -> None:
    with Scripted(lambda asked: Said({"object": "list", "data": [{"embedding": [0.5]}]})) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            return str(asked(f"{endpoint.base_url}/embeddings", {"model": "e", "input": "a " * 100})[0])

        used = run(agent, server).usage
    assert used.prompt_tokens == used.estimated_tokens > 50
    assert used.generated_tokens == 0


# ---------------------------------------------------------------- several choices


def test_the_best_of_several_is_held_as_several() -> None:
    """Eight of fifty tokens do not fit under 399, and fit under 400."""
    counted = {"usage": {"prompt_tokens": 1, "completion_tokens": 400}}
    found = list[int]()
    with Scripted(lambda asked: Said({**whole(asked).body, **counted})) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            for more in ({"best_of": 8}, {"n": 2, "best_of": 8}, {"prompt": ["a", "b"], "best_of": 4}):
                body = {**OPEN["completions"], "max_tokens": 50, **more}
                found.append(asked(f"{endpoint.base_url}/completions", body)[0])
            return "done"

        for ceiling, wanted in ((399, [402, 402, 402]), (400, [200, 402, 402])):
            found.clear()
            function = Function(agent, upstream=server.upstream())
            strategy, budget = BestOfN(1, Predicate(len, range=(0, 9))), Budget(generated_tokens=ceiling)
            result = asyncio.run(solve("q", strategy, generator=function, budget=budget))
            assert found == wanted
            assert result.usage.generated_tokens <= ceiling


# ---------------------------------------------------------------- later


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("responses", {"background": True}),
        ("responses", {"background": "true", "stream": True}),
        ("chat/completions", {"deferred": True}),
        ("batches", {"input_file_id": "f", "endpoint": "/v1/chat/completions", "completion_window": "24h"}),
        ("messages/batches", {"requests": []}),
    ],
)
def test_what_is_generated_later_is_refused_before_it_is_sent(path: str, more: dict[str, Any]) -> None:
    with Scripted(whole) as server:

        def agent(question: str) -> str:
            with client() as http:
                reply = http.post(f"{server.url}/{path}", json={**OPEN.get(path, {}), **more})
                return json.dumps([reply.status_code, reply.json()["error"]["message"]])

        result = run(agent, server)
        status, why = json.loads(result.answer)
        assert (status, server.asked) == (400, [])
        assert "cannot be counted" in why
        assert not calls(result.trace)


def test_a_stored_prompt_says_its_model() -> None:
    """Else nobody could say whose call it was."""
    with Scripted(whole) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            url = f"{endpoint.base_url}/responses"
            return json.dumps([asked(url, {"prompt": {"id": "pmpt_1"}, **more}) for more in ({}, {"model": "m"})])

        refused, answered = json.loads(run(agent, server).answer)
        assert (refused[0], answered[0], len(server.asked)) == (400, 200, 1)
        assert "say model= as well" in refused[1]["error"]["message"]


@pytest.mark.parametrize(
    "more", [{"background": False}, {"background": None}, {"previous_response_id": "r"}, {"conversation": "c"}]
)
def test_what_the_server_keeps_is_relayed(more: dict[str, Any]) -> None:
    with Scripted(whole) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            return str(asked(f"{endpoint.base_url}/responses", {**OPEN["responses"], **more})[0])

        assert run(agent, server).answer == "200"
        assert {key: server.asked[0].body[key] for key in more} == more


# ---------------------------------------------------------------- other APIs


@pytest.mark.parametrize(
    ("path", "body", "counted"),
    [
        ("/v1/threads/t1/messages", {"role": "user", "content": "x"}, 0),
        ("/v1/threads/runs", {"assistant_id": "a"}, 0),
        ("/api/messages", {"channel": "c", "text": "x"}, 0),
        ("/completions", {"prompt": "x"}, 0),
        ("/api/messages", {"model": 7}, 0),
        ("/llm/messages", OPEN["messages"], 1),
        ("/completions", OPEN["completions"], 1),
        ("/openai/deployments/d/chat/completions?api-version=1", OPEN["chat/completions"], 1),
    ],
)
def test_other_apis_pass_through_the_ambient_client(path: str, body: dict[str, Any], counted: int) -> None:
    """As they came, uncounted, whatever their path ends with."""
    with Scripted(lambda asked: whole(asked) if counted else Said({"id": "other"})) as server:

        def agent(question: str) -> str:
            with client() as http:
                return str(http.post(f"{server.root}{path}", json=body).status_code)

        result = run(agent, server)
        assert result.answer == "200"
        assert len(calls(result.trace)) == counted
        sent = {key: value for key, value in server.asked[0].body.items() if key != "seed"}
        assert (server.asked[0].path, sent) == (path, body)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("path", ["chat/completions", "embeddings"])
def test_the_port_of_a_server_is_no_part_of_a_place(path: str, tmp_path: Any) -> None:
    """Started again on another port, it is sent the same seeds, and the journal answers for it."""
    body: dict[str, Any] = {**OPEN["chat/completions"], "input": "x"}

    def say(asked: Asked) -> Said:
        return Said({**chat("x"), "data": [{"embedding": [1]}]})

    power = {"off": False}

    def agent(question: str, endpoint: Endpoint) -> str:
        found = asked(f"{endpoint.base_url}/{path}", body)[0]
        if power["off"]:
            raise RuntimeError("off")
        return str(found)

    def go(server: Scripted, **options: Any) -> Any:
        function = Function(agent, name="agent", upstream=server.upstream())
        return asyncio.run(solve("How much?", SelfConsistency(1, key=str), generator=function, **options))

    with Scripted(say) as first, Scripted(say) as second:
        seeds = [(go(server), server.asked[0].body.get("seed"))[1] for server in (first, second)]
        power["off"] = True
        with pytest.raises(CallError, match="off"):
            go(first, journal=tmp_path / "j.db")
        power["off"] = False
        result = go(second, journal=tmp_path / "j.db")
        assert (result.answer, result.usage.model_calls, result.diverged) == ("200", 1, 0)
        assert (seeds[0], len(first.asked), len(second.asked)) == (seeds[1], 2, 1)
