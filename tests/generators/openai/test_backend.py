"""The OpenAI backend against the loopback server: what it sends, what it reads, what it says when it fails."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.calls import CallError, Request
from searchkit.codec import dump_sample, load_sample
from searchkit.errors import CapabilityError, ConfigError, NeedsPrefix, SearchWarning
from searchkit.generators import Capabilities, OpenAI, Price
from searchkit.generators.openai.errors import retry_after
from searchkit.generators.openai.transport import is_official
from searchkit.http import HTTPReply
from searchkit.testing.server import FAULTS, Faults, Reply, Server, profile_of, tokens
from searchkit.types import Image, Message, Params, Prompt, Sample, Text, ToolCall, Usage
from searchkit.wire import choices
from searchkit.wire.errors import Failure

KEY = "sk-very-secret-0123456789"
PROMPT = Prompt.of("Add 2 and 3")
PARAMS = Params(max_tokens=64)
CHAT = "<user>Add 2 and 3</>\n<assistant>"
Entry = Sample[str] | CallError


@pytest.fixture(params=["direct", "official"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def echo(prompt: str, seed: int, params: dict[str, Any]) -> str:
    return f"{seed}|{prompt}"


def ask(backend: OpenAI, *requests: Request) -> list[Entry]:
    return asyncio.run(backend.complete(requests))


def one(backend: OpenAI, prompt: Prompt = PROMPT, params: Params = PARAMS, seed: int = 7) -> Sample[str]:
    [entry] = ask(backend, Request(prompt, params, seed))
    assert isinstance(entry, Sample), entry
    return entry


def error(backend: OpenAI, prompt: Prompt = PROMPT, params: Params = PARAMS) -> CallError:
    request = Request(prompt, params, 7)
    [entry] = ask(backend, request)
    assert isinstance(entry, CallError), entry
    assert entry.request == request
    return entry


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the server did not notice"
        await asyncio.sleep(0.002)


# ---------------------------------------------------------------- what is sent


def test_every_sampling_parameter_is_sent(transport: str) -> None:
    """One HTTP request a Request, in order, each with its own seed and every parameter; off is off for all servers."""
    params = Params(temperature=0.5, top_p=0.9, max_tokens=9, stop=("END",))
    with Server(reply=echo) as server:
        backend = OpenAI(server.url, "test-model", transport=transport)
        entries = ask(backend, *(Request(PROMPT, params, seed) for seed in (5, 3, 4)))
        assert [e.text.split("|")[0] for e in entries if isinstance(e, Sample)] == ["5", "3", "4"]
        assert sorted(r.body["seed"] for r in server.requests) == [3, 4, 5]
        sent = {k: v for k, v in server.requests[0].body.items() if k != "seed"}
        assert sent == {
            "model": "test-model",
            "messages": [{"role": "user", "content": "Add 2 and 3"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": -1,
            "min_p": 0.0,
            "max_tokens": 9,
            "stop": ["END"],
            "include_stop_str_in_output": True,
            "no_stop_trim": True,
        }


def test_whole_conversations_are_sent(transport: str) -> None:
    """Images, tools, tool calls and their results go through unchanged; plain texts stay plain strings."""
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    prompt = Prompt(
        (
            Message("system", (Text("Be brief."),)),
            Message("user", (Text("What is this?"), Image("data:image/png;base64,AAAA"))),
            Message("assistant", (), (ToolCall("c1", "add", '{"a": 2}'),)),
            Message("tool", (Text("5"),), tool_call_id="c1"),
        ),
        (json.dumps(tool),),
    )
    with Server() as server:
        one(OpenAI(server.url, "test-model", transport=transport), prompt)
        body = server.requests[0].body
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert body["tools"] == [tool]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "5", "tool_call_id": "c1"},
    ]


def render(prompt: Prompt) -> str:
    return f"[{prompt.text}]"


def test_completions_route() -> None:
    """A plain prompt, or a rendered one, with the prefix behind it; what cannot be plain text is refused unsent."""
    with Server(reply=lambda prompt, seed, params: prompt) as server:
        plain = OpenAI(server.url, "test-model", route="completions")
        assert one(plain, PROMPT.continued("So ")).text == "Add 2 and 3So "
        assert one(replace(plain, render=render), PROMPT.continued("So ")).text == "[Add 2 and 3]So "
        rows = one(plain, params=Params(logprobs=2)).logprobs
        assert rows is not None
        assert [row.text for row in rows] == tokens("Add 2 and 3")
        assert {len(row.top) for row in rows} == {2}
        before = len(server.requests)
        refused = error(plain, Prompt((Message("system", (Text("x"),)), *PROMPT.messages)))
        assert isinstance(refused, CapabilityError)
        assert (len(server.requests), refused.usage) == (before, Usage())


def test_hosted_api_gets_documented_fields_only() -> None:
    """extras=False sends nothing that the hosted API refuses; top_k cannot be asked for; else it is found out."""
    with Server("openai") as server:
        with pytest.warns(SearchWarning, match="min_p, top_k"):
            assert one(OpenAI(server.url, "test-model")).left_out == ("min_p", "top_k")
        hosted = OpenAI(server.url, "test-model", extras=False)
        assert one(hosted, params=Params(max_tokens=5, stop=("x",), logprobs=1)).left_out == ()
        assert server.requests[-1].body["max_tokens"] == 5
        assert isinstance(error(hosted, params=Params(top_k=5)), CapabilityError)
        assert isinstance(error(hosted, PROMPT.continued("So")), NeedsPrefix)
        assert asyncio.run(hosted.probe()) == Capabilities(n=True, seed=True, logprobs=True, cached_tokens=True)
    assert not OpenAI("https://api.openai.com/v1", "m")._sends_extras()
    assert OpenAI("https://my-proxy.example/openai/v1", "m")._sends_extras()  # the host decides, never a substring


# ---------------------------------------------------------------- what is read


def test_sample(transport: str) -> None:
    """Text, log-probabilities, usage and price of one answer, against the server's own numbers."""
    prices = {"test-model": Price(prompt=2.0, generated=8.0, cached=1.0)}
    with Server("llama.cpp") as server:
        backend = OpenAI(server.url, "test-model", prices=prices, transport=transport)
        long = Prompt.of("word " * 30)
        params = Params(max_tokens=64, logprobs=3)
        one(backend, long, params)
        sample = one(backend, long, params)
        assert sample.finish == "stop"
        assert sample.message == Message("assistant", (Text(sample.text),))
        assert sample.logprobs is not None
        assert "".join(row.text for row in sample.logprobs) == sample.text
        assert all(row.top[0] == (row.text, row.logprob) and len(row.top) == 3 for row in sample.logprobs)
        usage = sample.usage
        assert (usage.model_calls, usage.estimated_tokens) == (1, 0)
        assert (2 * usage.prompt_tokens, 2 * usage.generated_tokens) == (server.prompt_tokens, server.generated_tokens)
        assert usage.cached_tokens == usage.prompt_tokens // 16 * 16 > 0
        fresh = usage.prompt_tokens - usage.cached_tokens
        assert usage.usd == pytest.approx((fresh * 2 + usage.cached_tokens + usage.generated_tokens * 8) / 1e6)
        assert usage.longest_context == usage.prompt_tokens + usage.generated_tokens
        assert one(backend, params=Params(max_tokens=2)).truncated


@pytest.mark.parametrize("profile", ["vllm", "sglang", "llama.cpp", "ollama"])
def test_reasoning_and_tool_calls_are_kept(profile: str) -> None:
    """Whatever field a server uses for reasoning, it is kept; so are tool calls."""
    reply = Reply("", "let me see", (("add", '{"a": 2}'),))
    with Server(profile, reply=lambda prompt, seed, params: reply) as server:
        sample = one(OpenAI(server.url, "test-model"))
    assert sample.finish == "tool_calls"
    assert sample.message == Message("assistant", (), (ToolCall("call-0", "add", '{"a": 2}'),), None, "let me see")


@pytest.mark.parametrize(
    ("profile", "named"), [("vllm", True), ("sglang", True), ("llama.cpp", False), ("ollama", False)]
)
def test_stops(profile: str, named: bool) -> None:
    """The text ends before the stop string on every server; which one fired is known where the server tells."""
    params = Params(max_tokens=64, stop=("\n\n", "\n"))
    with Server(profile, reply=lambda prompt, seed, params: "one\n\ntwo" if seed else "one") as server:
        backend = OpenAI(server.url, "test-model")
        with nullcontext() if named else pytest.warns(SearchWarning, match="neither keeps nor names") as said:
            stopped, ended = one(backend, params=params, seed=1), one(backend, params=params, seed=0)
        assert said is None or len(said) == 1
        assert (stopped.text, ended.text) == ("one", "one")
        assert (stopped.stop_reason, ended.stop_reason) == ("\n\n" if named else None, None)
        # Kept but unnamed, the text itself shows what fired.
        quiet = replace(profile_of(profile), names_stop=None, keeps_stop="no_stop_trim")
    with Server(quiet, reply=lambda prompt, seed, params: "one\n\ntwo") as server:
        sample = one(OpenAI(server.url, "test-model"), params=Params(stop=("\n\n",)))
        assert (sample.text, sample.stop_reason) == ("one", "\n\n")


def test_dropped_logprobs_are_an_error() -> None:
    """A server that answers without the log-probabilities that were asked for: a capability error with its cost."""
    with Server(replace(profile_of("vllm"), logprobs=False)) as server:
        dropped = error(OpenAI(server.url, "test-model"), params=Params(max_tokens=64, logprobs=1))
        assert isinstance(dropped, CapabilityError)
        assert dropped.usage is not None
        assert (dropped.usage.model_calls, dropped.usage.generated_tokens) == (1, server.generated_tokens)
        assert not dropped.transient


# ---------------------------------------------------------------- capabilities

TABLE = {
    "vllm": Capabilities(n=True, seed=True, logprobs=True, prefix=True, stop_kept=True, stop_named=True),
    "sglang": Capabilities(n=False, seed=True, logprobs=True, prefix=True, stop_kept=True, stop_named=True),
    "llama.cpp": Capabilities(seed=True, logprobs=True, prefix=True, cached_tokens=True),
    "ollama": Capabilities(seed=True, logprobs=True),
}


@pytest.mark.parametrize("profile", TABLE)
def test_probe(profile: str) -> None:
    """The probe finds each profile's row, once for many askers, and reports what it cost."""
    with Server(profile) as server:
        backend = OpenAI(server.url, "test-model")

        async def main() -> list[Capabilities]:
            return await asyncio.gather(*(backend.probe() for _ in range(3)))

        found = asyncio.run(main())
        assert found == [TABLE[profile]] * 3
        calls = 9 if TABLE[profile].prefix else 10  # a turn that is not continued is asked for in one more way
        assert found[0].usage.model_calls == len(server.requests) == calls
        assert found[0].usage.generated_tokens == server.generated_tokens
        assert asyncio.run(backend.probe()) == TABLE[profile]  # another loop, the same answer
        assert len(server.requests) == calls


@pytest.mark.parametrize("profile", TABLE)
def test_prefix(profile: str, transport: str) -> None:
    """An assistant turn is continued where the server can, and is `NeedsPrefix` where it opens a new turn instead."""
    with Server(profile, reply=lambda prompt, seed, params: prompt) as server:
        backend = OpenAI(server.url, "test-model", transport=transport)
        requests = [Request(PROMPT.continued("So"), PARAMS, seed) for seed in range(8)]
        entries = ask(backend, *requests)
        if TABLE[profile].prefix:
            assert [e.text for e in entries if isinstance(e, Sample)] == [CHAT + "So"] * 8
            assert len(server.requests) == 3 + 8  # one probe of three calls for all of them
        else:
            assert all(isinstance(e, NeedsPrefix) and isinstance(e, CallError) for e in entries)
            assert len(server.requests) == 4
        one(backend)
        known = OpenAI(server.url, "test-model", capabilities=Capabilities(prefix=True))
        before = len(server.requests)
        one(known, PROMPT.continued("So"))
        assert len(server.requests) == before + 1


def test_failed_prefix_probe_is_not_a_finding() -> None:
    """While the server fails, every waiting request fails with it, after one probe; later ones ask again."""
    server = Server(reply=lambda prompt, seed, params: prompt, faults=Faults(1.0, ("server",)))
    with server:
        backend = OpenAI(server.url, "test-model")
        requests = [Request(PROMPT.continued("So"), PARAMS, seed) for seed in range(5)]
        assert [e.kind for e in ask(backend, *requests) if isinstance(e, CallError)] == ["server"] * 5
        assert len(server.requests) <= 3
        server.faults = None
        assert all(isinstance(entry, Sample) for entry in ask(backend, *requests))


def test_group() -> None:
    """One call for several samples: n is sent, the server's token count is split without loss."""
    with Server() as server:
        backend = OpenAI(server.url, "test-model", prices={"test-model": Price(1.0, 1.0)})
        requests = [Request(PROMPT, PARAMS, 10 + i, i) for i in range(3)]
        entries = asyncio.run(backend.complete_group(requests))
        samples = [entry for entry in entries if isinstance(entry, Sample)]
        assert [r.body["n"] for r in server.requests] == [3]
        assert [s.text for s in samples] == [one(backend, seed=10 + i).text for i in range(3)]
        total = sum((s.usage for s in samples), Usage())
        assert (total.model_calls, total.estimated_tokens) == (1, 0)
        assert total.usd == pytest.approx(total.total_tokens / 1e6)
    with Server("ollama") as server:
        first, *rest = asyncio.run(OpenAI(server.url, "test-model").complete_group(requests))
        assert isinstance(first, Sample)
        assert all(isinstance(entry, CapabilityError) for entry in rest)


# ---------------------------------------------------------------- what can go wrong

WORST = Usage(model_calls=1, generated_tokens=64, estimated_tokens=64)
FAULT_KINDS = {
    "rate_limit": ("rate_limit", Usage(model_calls=1)),
    "server": ("server", Usage(model_calls=1)),
    "reset": ("connection", WORST),
    "truncated": ("malformed", WORST),
    "hang": ("timeout", WORST),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str, transport: str) -> None:
    """Each fault is a transient error of its kind; what may have been generated unseen is charged as an estimate."""
    with Server(faults=Faults(1.0, (fault,), retry_after=1.5)) as server:
        timeout = 0.3 if fault == "hang" else 30.0  # only what never comes may be given up soon
        failed = error(OpenAI(server.url, "test-model", timeout=timeout, transport=transport))
        assert (failed.kind, failed.usage) == FAULT_KINDS[fault]
        assert failed.transient
        assert failed.retry_after == (1.5 if fault == "rate_limit" else None)
        assert server.url in str(failed)
        assert len(server.requests) == 1  # nobody retries behind our back


def test_one_failure_leaves_the_others_alone(transport: str) -> None:
    """Entries stay in order, and one failed request of many costs no other."""
    faults = Faults(0.4, ("server", "reset", "truncated"), seed=1)
    with Server(reply=echo, faults=faults) as server:
        requests = [Request(PROMPT, PARAMS, seed) for seed in range(20)]
        entries = ask(OpenAI(server.url, "test-model", transport=transport), *requests)
        failed = {r.body["seed"] for r in server.requests if r.fault}
        assert 0 < len(failed) < 20
        for seed, entry in enumerate(entries):
            assert isinstance(entry, CallError) == (seed in failed)
            assert isinstance(entry, CallError) or entry.text.startswith(f"{seed}|")


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_sentences(transport: str, closed_port: int) -> None:
    """The mistakes that everybody makes once get a sentence that names the fix."""

    def said(url: str, model: str = "test-model", **more: Any) -> tuple[str, str]:
        failed = error(OpenAI(url, model, transport=transport, **more))
        return failed.kind, str(failed)

    kind, sentence = said(f"http://127.0.0.1:{closed_port}/v1")
    assert kind == "connection"
    assert f"nothing answers at http://127.0.0.1:{closed_port}/v1: is the server running?" in sentence
    with Server(models=("small", "large"), api_key=KEY) as server:
        assert "no model 'test-model'; it offers: small, large" in said(server.url, api_key=KEY)[1]
        assert "pass api_key= or set OPENAI_API_KEY" in said(server.url)[1]
        assert "check api_key= or OPENAI_API_KEY" in said(server.url, api_key="wrong")[1]
        assert said(server.url)[0] == "auth"
        assert "does the server's base_url end in /v1?" in said(server.url.removesuffix("/v1"), api_key=KEY)[1]


def canned(*answers: bytes) -> tuple[socket.socket, list[bytes], threading.Thread]:
    """A server that reads one request a connection and answers with the next of `answers`."""
    listening, received = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with connection:
                seen = b""
                while b"\r\n\r\n" not in seen or not seen.endswith((b"}", b"\r\n\r\n")):
                    seen += connection.recv(65536)
                received.append(seen)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return listening, received, thread


def http(body: bytes, status: str = "200 OK", header: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "malformed"),
        (b"[]", "malformed"),
        (b'{"choices": []}', "malformed"),
        (b'{"choices": [{"index": 0}]}', "malformed"),
        (b'{"choices": [{"message": {"content": 5}}]}', "malformed"),
        (b'{"choices": [{"message": {"content": ""}, "finish_reason": "abort"}]}', "server"),
        (b"\xff\xfe\x00", "malformed"),
    ],
)
def test_answers_that_are_no_completions(body: bytes, kind: str) -> None:
    """Anything but a completion is a malformed answer, never a crash and never an empty sample."""
    listening, _, thread = canned(http(body))
    with listening:
        failed = error(OpenAI(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "m"))
        thread.join()
    assert (failed.kind, failed.usage) == (kind, WORST)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
WHOLE = {
    "choices": [
        {
            "index": 0,
            "message": {
                "content": "x",
                "reasoning": "r",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
            },
            "logprobs": {"content": [{"token": "x", "logprob": -1, "top_logprobs": [{"token": "x", "logprob": -1}]}]},
            "finish_reason": "stop",
            "stop_reason": None,
        },
        {"index": 1, "text": "y", "logprobs": {"tokens": ["y"], "token_logprobs": [-1], "top_logprobs": [{"y": -1}]}},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
    "timings": {"cache_n": 1},
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pair for key, inner in keys for pair in [(value, key), *places(inner)]]


@settings(max_examples=300)
@given(st.data())
def test_no_answer_crashes_the_reader(data: st.DataObject) -> None:
    """Whatever replaces any part of an answer, it is read as typed samples or refused with ValueError."""
    answer = copy.deepcopy(WHOLE)
    container, key = data.draw(st.sampled_from(places(answer)))
    container[key] = data.draw(JSON)
    try:
        drawn = choices.samples(json.dumps(answer).encode(), Params(stop=("x",)), Price(1.0, 1.0))
    except ValueError:
        return
    for sample in drawn:
        assert isinstance(sample.value, str)
        assert load_sample(dump_sample(sample)) == sample
        assert sample.usage.generated_tokens >= 0
        assert sample.usage.prompt_tokens >= sample.usage.cached_tokens >= 0


def test_minimal_answer() -> None:
    """A server that reports neither usage nor finish reason is charged at the worst case, marked as an estimate."""
    listening, received, thread = canned(http(b'{"choices": [{"message": {"content": "5"}}]}'))
    with listening:
        with pytest.warns(SearchWarning, match="gives no reason"):
            sample = one(OpenAI(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "m"))
        thread.join()
    assert sample.text == "5"
    guess = len(PROMPT.text) // 4
    assert sample.usage == replace(WORST, prompt_tokens=guess, estimated_tokens=64 + guess, longest_context=64 + guess)
    assert b"Authorization" not in received[0]  # no key, no header


def test_half_a_character_is_replaced() -> None:
    """JSON can spell text that cannot be encoded; a sample never holds it."""
    raw = rb'{"choices": [{"message": {"content": "a\ud800b \u00e9"}}], "usage": {"completion_tokens": 1}}'
    assert [s.text for s in choices.samples(raw, PARAMS, None)] == ["a?b \u00e9"]


def test_redirects_are_refused() -> None:
    """A redirect could carry the key to somebody else: it is an error that names the target."""
    listening, _, thread = canned(http(b"", "307 Moved", "Location: http://elsewhere.example/v1\r\n"))
    with listening:
        failed = error(OpenAI(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "m", transport="direct"))
        thread.join()
    assert "http://elsewhere.example/v1" in str(failed)
    assert not failed.transient


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates; a past date is now, nonsense is nothing."""
    assert retry_after(HTTPReply(429, headers, b""), Failure()) == seconds


def test_retry_after_date() -> None:
    """An HTTP date an hour ahead is an hour, to the second that it is written with."""
    ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    found = retry_after(HTTPReply(429, {"retry-after": ahead}, b""), Failure())
    assert found is not None
    assert 3500 < found <= 3601


# ---------------------------------------------------------------- the key


def leaks(thing: BaseException) -> bool:
    return KEY in "".join(traceback.format_exception(thing)) + repr(thing) + repr(vars(thing)) + str(thing.args)


def test_key_appears_nowhere(transport: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key reaches the server that needs it, and no repr, error or log: not even if a server quotes it."""
    caplog.set_level(logging.DEBUG)
    found: list[Entry] = []
    with Server(api_key=KEY) as right, Server(api_key="another") as wrong:
        for server in (right, wrong):
            backend = OpenAI(server.url, "test-model", api_key=KEY, timeout=30.0, transport=transport)
            assert KEY not in repr(backend) + str(backend) + backend.name
            found += ask(backend, Request(PROMPT, PARAMS, 1))
        for fault in FAULTS:
            right.faults = Faults(1.0, (fault,))
            timeout = 0.2 if fault == "hang" else 30.0  # only what never comes may be given up soon
            found += ask(replace(backend, base_url=right.url, timeout=timeout), Request(PROMPT, PARAMS, 1))
        right.faults = None
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        found += ask(OpenAI(right.url, "test-model", transport=transport), Request(PROMPT, PARAMS, 1))
        found += ask(OpenAI(wrong.url, "test-model", transport=transport), Request(PROMPT, PARAMS, 1))
        assert right.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert sum(isinstance(entry, Sample) for entry in found) == 2
    refused = [entry for entry in found if isinstance(entry, CallError)]
    assert sum("[api key]" in str(entry) for entry in refused) == 2  # the quoting server's messages, redacted
    assert not any(leaks(entry) for entry in refused)
    assert caplog.records or transport == "direct"
    assert not any(KEY in record.getMessage() + repr(vars(record)) for record in caplog.records)


def test_no_half_of_a_key_is_left_where_a_long_message_is_cut() -> None:
    """A proxy that echoes the headers, so that the message ends inside of the key."""
    listening, _, thread = canned(http(b"x" * 490 + KEY.encode() + b"x" * 490, "400 Bad Request"))
    with listening:
        failed = error(OpenAI(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "m", api_key=KEY))
        thread.join()
    assert str(failed).endswith("x[api key]x")
    assert KEY[:3] not in str(failed)


def test_impossible_keys_are_not_quoted() -> None:
    """A key with a line break cannot be sent as a header; the error says so without showing it."""
    with pytest.raises(ConfigError) as raised:
        OpenAI("http://localhost:1/v1", "m", api_key=KEY + "\n")
    assert not leaks(raised.value)


# ---------------------------------------------------------------- connections


def test_cancelled_call_closes_its_connection(transport: str) -> None:
    """Cancelling the task disconnects, so that the server aborts; the next call works."""
    with Server(reply=echo, faults=Faults(1.0, ("hang",))) as server:
        backend = OpenAI(server.url, "test-model", transport=transport)

        async def main() -> list[Entry]:
            task = asyncio.create_task(backend.complete([Request(PROMPT, PARAMS, seed) for seed in range(4)]))
            await until(lambda: server.in_flight == 4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: server.aborted == 4)
            server.faults = None
            return await backend.complete([Request(PROMPT, PARAMS, 9)])

        [entry] = asyncio.run(main())
        assert isinstance(entry, Sample)
        assert entry.text.startswith("9|")


def test_connections_are_kept_and_closed_with_the_loop(transport: str) -> None:
    """Calls in sequence share a connection; the loop's end closes it without being asked."""
    with Server() as server:
        backend = OpenAI(server.url, "test-model", transport=transport)

        async def main() -> None:
            for seed in range(3):
                await backend.complete([Request(PROMPT, PARAMS, seed)])
            assert len(server.open) == 1

        asyncio.run(main())
        assert server.connections == 1
        asyncio.run(until(lambda: not server.open))

        async def closed() -> None:
            await backend.complete([Request(PROMPT, PARAMS, 1)])
            await backend.close()
            await until(lambda: not server.open)
            await backend.complete([Request(PROMPT, PARAMS, 2)])

        asyncio.run(closed())


def test_several_event_loops_at_once(transport: str) -> None:
    """One backend serves several threads, each with its own loop."""
    with Server(reply=echo) as server:
        backend, found = OpenAI(server.url, "test-model", transport=transport), dict[int, list[Entry]]()

        def work(which: int) -> None:
            found[which] = ask(backend, *(Request(PROMPT, PARAMS, which * 100 + i) for i in range(8)))

        threads = [threading.Thread(target=work, args=(which,)) for which in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for which, entries in found.items():
            expected = [str(which * 100 + i) for i in range(8)]
            assert [e.text.split("|")[0] for e in entries if isinstance(e, Sample)] == expected


def test_proxies_go_through_the_official_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment the call reaches the proxy, except for hosts that are excluded."""
    answer = b'{"choices": [{"message": {"content": "5"}, "finish_reason": "stop"}]}'
    listening, received, thread = canned(http(answer, header="Content-Type: application/json\r\n"))
    with listening:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "localhost")
        assert one(OpenAI("http://model.invalid/v1", "m")).text == "5"
        thread.join()
    assert received[0].startswith(b"POST http://model.invalid/v1/chat/completions HTTP/1.1")
    assert is_official("auto", "http://model.invalid/v1")
    assert not is_official("auto", "http://localhost:8000/v1")
    assert not is_official("direct", "http://model.invalid/v1")


# ---------------------------------------------------------------- configuration


def test_configuration_is_a_value() -> None:
    """It pickles with and without a live client, compares and hashes by content, and its repr makes it again."""
    prices = {"test-model": Price(1.0, 2.0)}
    with Server() as server:
        backend = OpenAI(server.url + "/", "test-model", revision="r1", prices=prices, api_key=KEY)
        one(backend)
        again: OpenAI = pickle.loads(pickle.dumps(backend))
        assert again == backend
        assert hash(again) == hash(backend)
        assert one(again).text == one(backend).text
        assert eval(repr(backend)) == backend
    assert backend.name == "openai/test-model@r1"
    assert replace(backend, route="completions").name == "openai/completions/test-model@r1"
    assert backend.name == replace(backend, base_url="http://other:1/v1").name


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_url": "localhost:8000/v1"}, "http://localhost:8000/v1"),
        ({"base_url": "http://user:password@host/v1"}, "api_key="),
        ({"base_url": "http://host/v1?key=1"}, "base_url"),
        ({"base_url": "http://user:password@host:99999/v1"}, "base_url"),
        ({"base_url": "http://host/a b"}, "base_url"),
        ({"model": ""}, "/v1/models"),
        ({"route": "responses"}, "completions"),
        ({"transport": "requests"}, "direct"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
    ],
)
def test_mistakes(change: dict[str, Any], named: str) -> None:
    """Impossible configurations are refused at construction with the fix, and never show a password."""
    with pytest.raises(ConfigError, match=named) as raised:
        OpenAI(**{"base_url": "http://localhost:8000/v1", "model": "m", **change})
    assert "password" not in str(raised.value)
    with pytest.raises(ConfigError):
        Price(-1.0, 1.0)


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    yield
    assert not [t for t in threading.enumerate() if t.name == "searchkit-test-server"]
