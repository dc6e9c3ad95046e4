"""The loopback server imitates what it says it imitates: asked with the standard library and the official client."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai
import pytest

from searchkit.errors import ConfigError
from searchkit.testing.server import FAULTS, Faults, Reply, Server, profile_of, tokens, words
from tests.helpers import servers
from tests.helpers.servers import until

USER = {"role": "user", "content": "Add 2 and 3"}
server = servers.server


def post(server: Server, path: str = "/v1/chat/completions", **body: Any) -> tuple[int, dict[str, Any]]:
    """One call on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = {"model": "test-model", **({} if "prompt" in body else {"messages": [USER]}), **body}
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def text(answer: tuple[int, dict[str, Any]]) -> list[str]:
    return [c["message"]["content"] if "message" in c else c["text"] for c in answer[1]["choices"]]


def test_replies_are_a_function_of_prompt_and_seed(server: Server) -> None:
    """Equal seeds give equal texts, others other texts, and greedy decoding ignores the seed."""
    assert text(post(server, seed=1)) == text(post(server, seed=1)) != text(post(server, seed=2))
    assert text(post(server, seed=1, temperature=0)) == text(post(server, seed=2, temperature=0))


def test_official_client_understands_every_profile(server: Server) -> None:
    """The official client, a second engine, parses the answers of both routes, log-probabilities and models."""
    with openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        chat = client.chat.completions.create(
            model="test-model", messages=[{"role": "user", "content": "Add"}], seed=1, logprobs=True, top_logprobs=2
        )
        said = chat.choices[0].message.content
        assert said is not None
        assert chat.choices[0].logprobs is not None
        rows = chat.choices[0].logprobs.content
        assert rows is not None
        assert [row.token for row in rows] == tokens(said)
        assert {len(row.top_logprobs) for row in rows} == {2}
        assert chat.usage is not None
        assert chat.usage.completion_tokens == len(rows)
        plain = client.completions.create(model="test-model", prompt="Add", seed=1, logprobs=1)
        assert plain.choices[0].text == words("Add", 1, {"temperature": 1.0})
        assert [model.id for model in client.models.list()] == ["test-model"]


# What each profile does with n=3, with a trailing assistant message, and with stops: the rows of the published table.
#          profile      choices distinct  bare turn ends with   with both flags right   keeps stop  names stop
QUIRKS = [
    ("vllm", 3, 3, "<assistant>So</>\n<assistant>", "<assistant>So", True, "stop_reason"),
    ("sglang", 3, 1, "<user>So</>\n<assistant>", "<assistant>So", True, "matched_stop"),
    ("llama.cpp", 1, 1, "<assistant>So", "<assistant>So", False, None),
    ("ollama", 1, 1, "<assistant>So</>\n<assistant>", "<assistant>So</>\n<assistant>", False, None),
]


@pytest.mark.parametrize("quirks", QUIRKS, ids=[row[0] for row in QUIRKS])
def test_quirks(quirks: tuple[str, int, int, str, str, bool, str | None]) -> None:
    """Each profile differs from the others as the table says."""
    profile, count, distinct, bare, flagged, keeps, names = quirks
    with Server(profile) as server:
        drawn = text(post(server, n=3, seed=5))
        assert (len(drawn), len(set(drawn))) == (count, distinct)
        if distinct > 1:
            assert drawn[1:] == text(post(server, n=2, seed=6))  # child i carries seed + i
    with Server(profile, reply=lambda prompt, seed, params: prompt) as server:
        turn = [USER, {"role": "assistant", "content": "So"}]
        assert text(post(server, messages=turn))[0].endswith(bare)
        flags = {"continue_final_message": True, "add_generation_prompt": False}
        assert text(post(server, messages=turn, **flags))[0].endswith(flagged)
    with Server(profile, reply=lambda prompt, seed, params: "one; two") as server:
        keep = {"include_stop_str_in_output": True, "no_stop_trim": True}
        [choice] = post(server, stop=[";", "!"], **keep)[1]["choices"]
        assert choice["message"]["content"] == ("one;" if keeps else "one")
        assert (choice[names] if names else None) == (";" if names else None)
        assert text(post(server, stop=[";", "!"])) == ["one"]


def test_refusals() -> None:
    """What a profile refuses, it refuses with a message; llama.cpp and SGLang serve any model name."""
    turn = [USER, {"role": "assistant", "content": "So"}]
    for profile, status, body in [
        ("vllm", 400, {"messages": turn, "continue_final_message": True}),  # add_generation_prompt defaults to true
        ("vllm", 404, {"model": "other"}),
        ("sglang", 200, {"model": "other"}),
        ("sglang", 400, {"top_k": 0}),
        ("vllm", 200, {"top_k": 0}),
        ("llama.cpp", 200, {"model": "other"}),
        ("openai", 400, {"top_k": -1}),
        ("ollama", 200, {"no_such_field": 1}),
    ]:
        with Server(profile) as server:
            assert post(server, **body)[0] == status, (profile, body)
            assert post(server, "/v1/embeddings")[0] == 404


def test_defaults_are_the_servers_own() -> None:
    """A client that sends no temperature gets llama.cpp's 0.8 and top-k 40, and 1 elsewhere."""
    for profile, expected in [("llama.cpp", (0.8, 40)), ("vllm", (1.0, None))]:
        seen: list[dict[str, Any]] = []
        with Server(profile, reply=lambda prompt, seed, params, seen=seen: seen.append(params) or "") as server:
            post(server)
        assert (seen[0]["temperature"], seen[0].get("top_k")) == expected


def test_lengths_and_usage() -> None:
    """max_tokens cuts by tokens; the server's own sums equal the usage it reported."""
    with Server(reply=lambda prompt, seed, params: "one two three four") as server:
        _, cut = post(server, max_tokens=2)
        _, whole = post(server, max_tokens=4)
        assert (cut["choices"][0]["message"]["content"], cut["choices"][0]["finish_reason"]) == ("one two", "length")
        assert whole["choices"][0]["finish_reason"] == "stop"
        assert server.generated_tokens == 2 + 4
        assert server.prompt_tokens == 2 * cut["usage"]["prompt_tokens"]


def test_cached_tokens() -> None:
    """The second of two equal prompts finds its whole blocks of 16 tokens in the prefix cache."""
    long = {"messages": [{"role": "user", "content": "word " * 40}]}
    with Server("llama.cpp") as server:
        first, second = (post(server, **long)[1]["usage"] for _ in range(2))
        assert first["prompt_tokens_details"]["cached_tokens"] == 0
        assert second["prompt_tokens_details"]["cached_tokens"] == second["prompt_tokens"] // 16 * 16 > 0
    with Server("vllm") as server:
        assert "prompt_tokens_details" not in post(server, **long)[1]["usage"]


def test_tool_calls_and_reasoning() -> None:
    """A reply may carry reasoning and tool calls, in the field that the profile uses."""
    reply = Reply("", "let me see", (("add", '{"a": 2}'),))
    with Server("sglang", reply=lambda prompt, seed, params: reply) as server:
        choice = post(server)[1]["choices"][0]
        assert choice["message"]["reasoning_content"] == "let me see"
        assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 2}'}
        assert choice["finish_reason"] == "tool_calls"


def test_api_key() -> None:
    """Without the right key: 401, and nothing is counted."""
    with Server(api_key="sesame") as server:
        assert post(server)[0] == 401
        assert server.requests == []


def test_fault_schedule_is_repeatable() -> None:
    """The kinds drawn depend on seed and arrival alone, and their rate is what was asked for."""
    faults = Faults(0.3, seed=7)
    drawn = [faults.draw(i) for i in range(2000)]
    assert (
        drawn
        == [Faults(0.3, seed=7).draw(i) for i in range(2000)]
        != [Faults(0.3, seed=8).draw(i) for i in range(2000)]
    )
    counts = Counter(drawn)
    assert set(counts) == {None, *FAULTS}
    assert abs(counts[None] - 1400) < 4 * (2000 * 0.3 * 0.7) ** 0.5  # four standard errors, fixed seed
    assert Faults(0.0).draw(3) is None


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault(kind: str) -> None:
    """What a client sees of each fault."""
    with Server(faults=Faults(1.0, (kind,), retry_after=1.5)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.3 if kind == "hang" else 10)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "test-model", "messages": [USER]}))
        if kind == "hang":
            with pytest.raises(TimeoutError):
                connection.getresponse()
            connection.close()
            until(lambda: server.aborted == 1)
        elif kind == "reset":
            with pytest.raises(ConnectionResetError):
                connection.getresponse()
        else:
            response = connection.getresponse()
            raw = response.read()
            assert response.status == {"rate_limit": 429, "server": 500, "truncated": 200}[kind]
            assert response.headers.get("Retry-After") == ("1.5" if kind == "rate_limit" else None)
            if kind == "truncated":
                with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
                    json.loads(raw)
        connection.close()
        assert [r.fault for r in server.requests] == [kind]
        until(lambda: server.in_flight == 0)


def test_keep_alive_and_pipelining() -> None:
    """Two requests in one packet are answered in order on one connection."""
    body = json.dumps({"model": "test-model", "prompt": "Add", "seed": 1}).encode()
    one = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with Server() as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(one * 2)
        received = b""
        while received.count(b'"usage"') < 2:
            received += client.recv(65536)
        assert received.count(b"HTTP/1.1 200 OK") == 2
        assert (server.connections, len(server.requests), server.peak) == (1, 2, 1)


def test_one_request_at_a_time_and_a_full_queue() -> None:
    """Ollama serves one request at a time; where the queue is full, the next one is refused with 503."""
    profile = replace(profile_of("ollama"), parallel=1, queue=1)
    with Server(profile, faults=Faults(1.0, ("hang",))) as server:
        sockets = []
        for arrived in (1, 2, 3):
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            client.request("POST", "/v1/chat/completions", json.dumps({"model": "test-model", "messages": [USER]}))
            until(lambda arrived=arrived: len(server.requests) == arrived)
            sockets.append(client)
        assert sockets[2].getresponse().status == 503
        for client in sockets:
            client.close()
        until(lambda: server.in_flight == 0)
        assert server.aborted == 2


def test_requests_overlap() -> None:
    """Concurrent requests are in flight together, and a client that leaves is counted."""
    with Server(faults=Faults(1.0, ("hang",))) as server:
        clients = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=10) for _ in range(8)]
        for client in clients:
            client.request("POST", "/v1/completions", json.dumps({"model": "test-model", "prompt": "Add"}))
        until(lambda: server.peak == 8)
        for client in clients:
            client.close()
        until(lambda: server.aborted == 8)


def test_closing_while_clients_connect() -> None:
    """A connection accepted at the very end is closed too; 50 times, as the moment is a matter of luck."""
    left: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, left.append
    try:
        for _ in range(50):
            with Server() as server:
                clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
            for client in clients:
                client.close()
            gc.collect()
    finally:
        sys.unraisablehook = before
    assert not left


def test_own_process() -> None:
    """`python -m searchkit.testing.server` prints its URL and serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "searchkit.testing.server", "--profile", "sglang"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        connection = http.client.HTTPConnection(url.removeprefix("http://").removesuffix("/v1"), timeout=10)
        connection.request("GET", "/v1/models")
        assert json.loads(connection.getresponse().read())["data"][0]["id"] == "test-model"
        connection.close()
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize(
    "mistake", [lambda: Server("vlm"), lambda: Faults(1.5), lambda: Faults(0.5, ()), lambda: Faults(0.5, ("reste",))]
)
def test_mistakes(mistake: Callable[[], object]) -> None:
    """Unknown names and impossible rates are refused at construction."""
    with pytest.raises(ConfigError):
        mistake()
