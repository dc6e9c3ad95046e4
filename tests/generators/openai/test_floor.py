"""Floors over HTTP: the answer is streamed, and the connection closed where the text falls; the loopback server too."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from typing import Any

import openai
import pytest

from searchkit import Model, solve_sync
from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError
from searchkit.generators import Coalescing, OpenAI, Price
from searchkit.generators.openai.stream import EVENT_BRACKETS, EVENT_LIMIT, Events
from searchkit.strategies import SelfConsistency
from searchkit.testing.server import PROFILES, Faults, Server
from searchkit.types import ConfidenceFloor, Params, Prompt, Sample
from searchkit.verifiers import DeepConf
from tests.helpers import servers
from tests.helpers.servers import until

NEVER = ConfidenceFloor(4, -math.inf)
PROMPT = Prompt.of("Add 2 and 3")
REQUEST = Request(PROMPT, Params(max_tokens=40, logprobs=5), 7)
server = servers.server


def ask(
    server: Server, floor: ConfidenceFloor | None, request: Request = REQUEST, **options: Any
) -> Sample[str] | CallError:
    async def call() -> Sample[str] | CallError:
        backend = OpenAI(server.url, "test-model", **options)
        try:
            return (await backend.complete([replace(request, params=replace(request.params, floor=floor))]))[0]
        finally:
            await backend.close()

    return asyncio.run(call())


def sampled(server: Server, floor: ConfidenceFloor | None, **options: Any) -> Sample[str]:
    entry = ask(server, floor, **options)
    assert isinstance(entry, Sample), entry
    return entry


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_a_stream_is_the_answer_in_pieces(server: Server, route: str) -> None:
    """With a floor that nothing reaches, the sample and its usage are those of the answer in one piece."""
    options: dict[str, Any] = {"route": route, "extras": server.profile.name != "openai"}
    for stop in ((), (" the",)):
        request = replace(REQUEST, params=replace(REQUEST.params, stop=stop))
        assert ask(server, NEVER, request, **options) == ask(server, None, request, **options)
    assert [bool(r.body.get("stream")) for r in server.requests] == [True, False] * 2
    assert server.connections == 4  # one a loop: the stream leaves its connection in order
    assert server.aborted == 0


@pytest.mark.parametrize("transport", ["direct", "official"])
@pytest.mark.parametrize("route", ["chat", "completions"])
def test_the_text_ends_at_the_exact_token_and_the_server_stops(route: str, transport: str) -> None:
    """Every token at which this text can fall; the server loses its client and sends no more."""
    options: dict[str, Any] = {"route": route, "transport": transport, "prices": {"test-model": Price(1e6, 1e6)}}
    with Server("vllm", pace=0.002) as server:
        whole = sampled(server, None, **options)
        assert whole.logprobs is not None
        tokens, ends = whole.logprobs, set[int]()
        scores = [DeepConf(4).score(tokens[:end]) for end in range(4, len(tokens) + 1)]
        for bar in {*scores, scores[0] + 1}:
            end = next((4 + i for i, score in enumerate(scores) if score < bar), None)
            sample = sampled(server, ConfidenceFloor(4, bar), **options)
            if end is None:
                assert sample == whole
                continue
            ends.add(end)
            assert (sample.finish, sample.stop_reason, sample.logprobs) == (
                "length",
                ConfidenceFloor.FELL,
                tokens[:end],
            )
            assert sample.text == "".join(token.text for token in tokens[:end])
            used = sample.usage
            assert (used.generated_tokens, used.estimated_tokens, used.model_calls) == (end, 0, 1)
            assert used.prompt_tokens == whole.usage.prompt_tokens
            assert used.usd == pytest.approx(used.prompt_tokens + end)
            until(lambda: server.aborted >= len(ends))
            assert server.requests[-1].status == 0
            if end == 4:
                assert server.requests[-1].events < len(tokens)
        assert len(ends) > 2


def test_a_server_that_does_not_count_along_is_charged_a_guess_for_the_prompt() -> None:
    """The hosted API sends the usage last: what was read before that is a quarter of the prompt's characters."""
    with Server("openai", pace=0.002) as server:
        sample = sampled(server, ConfidenceFloor(4, math.inf), extras=False)
    assert sample.usage.prompt_tokens == len(PROMPT.text) // 4
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_ceilings_hold_and_requests_are_not_merged() -> None:
    """A merged call would be one stream for several texts: each is sent by itself, and each is charged."""
    with Server("vllm") as server:
        backend = Coalescing(OpenAI(server.url, "test-model"))
        model = Model(backend, replace(REQUEST.params, floor=ConfidenceFloor(4, math.inf)))
        result = solve_sync("Add", SelfConsistency(3), generator=model)
    assert [request.body.get("n") for request in server.requests] == [None] * 3
    assert result.usage.generated_tokens == 3 * 4


@pytest.mark.parametrize("change", [{"tools": ('{"type": "function"}',)}, {}], ids=["tools", "group"])
def test_what_cannot_be_streamed_as_one_text_is_refused_unsent(change: dict[str, Any]) -> None:
    """Tool calls, and several texts in one call."""
    request = replace(REQUEST, prompt=replace(PROMPT, **change), params=replace(REQUEST.params, floor=NEVER))
    with Server("vllm") as server:
        backend = OpenAI(server.url, "test-model")
        call = backend.complete([request]) if change else backend.complete_group([request, request])
        assert all(isinstance(entry, CapabilityError) for entry in asyncio.run(call))
        assert server.requests == []


def test_a_server_without_log_probabilities_is_found_out() -> None:
    """Nothing could fall there: the sample is refused, not passed on as one that did not."""
    with Server(replace(PROFILES["vllm"], logprobs=False)) as server:
        entry = ask(server, ConfidenceFloor(4, math.inf))
    assert isinstance(entry, CapabilityError)
    assert "drops log-probabilities" in str(entry)


def test_a_stream_that_breaks_off_is_a_failed_call() -> None:
    """Half of the events, then a proper end of the message: no sample, and the worst case is charged."""
    with Server("vllm", faults=Faults(1.0, ("truncated",))) as server:
        entry = ask(server, NEVER)
    assert isinstance(entry, CallError)
    assert (entry.kind, entry.usage and entry.usage.estimated_tokens) == ("malformed", 40)


def event(*tokens: tuple[str, float], text: str | None = None, reason: str | None = None) -> bytes:
    """A chat event with these tokens, each with one rival."""
    rows = [{"token": t, "logprob": p, "top_logprobs": [{"token": t, "logprob": p}]} for t, p in tokens]
    said = "".join(t for t, _ in tokens) if text is None else text
    choice = {"delta": {"content": said}, "logprobs": {"content": rows} if rows else None, "finish_reason": reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def test_events_may_come_in_any_pieces_and_hold_several_tokens() -> None:
    """Byte by byte or at once, comments and carriage returns between: the text is cut inside the event that fell."""
    whole = b": ping\r\n" + event(("a", -9), ("b", -9)).replace(b"\n", b"\r\n")
    whole += event(("c", -1), ("d", -1), ("e", -9)) + event(("f", -9))
    for size in (1, 7, len(whole)):
        events = Events(REQUEST, ConfidenceFloor(2, 2.0))
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        fell = [events(piece) for piece in pieces].index(True)
        assert events.fell
        assert size > 7 or fell < len(pieces) - 10
        events = Events(REQUEST, ConfidenceFloor(2, 2.0))
        assert any(map(events, pieces))
        answer = events.answer(chat=True)
        assert answer["choices"][0]["message"] == {"content": "abcd"}
        assert len(answer["choices"][0]["logprobs"]["content"]) == answer["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", "without an event"),
        (b": nothing yet\n\n", "without an event"),
        (event(("a", -1)), "broke off"),
        (b'data: {"error": {"message": "out of memory"}}\n', "out of memory"),
        (b"data: {nonsense\n", "cannot be read"),
        (b"data: [1]\n", "cannot be read"),
        (b'data: {"choices": [{"delta": 3}]}\n', "cannot be read"),
        (b"data: " + b"x" * (EVENT_LIMIT + 1), "longer than"),
        (event(("a", -1)).replace(b'[{"token": "a", "logprob": -1}]', b"[]"), "no rivals"),
    ],
)
def test_what_is_no_stream_of_ours(sent: bytes, error: str) -> None:
    """Each is an error that says what came; none of them is an exception inside the connection."""
    events = Events(REQUEST, NEVER)
    events(sent)
    with pytest.raises((ValueError, CapabilityError), match=error):
        events.answer(chat=True)


def test_the_official_client_reads_our_streams(server: Server) -> None:
    """The loopback server against the second engine: both routes, joined, are the answers in one piece."""
    user: Any = [{"role": "user", "content": "Add"}]
    usage: Any = {"include_usage": True}
    with openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        chat = client.chat.completions.create(model="test-model", messages=user, seed=1)
        parts = list(client.chat.completions.create(
            model="test-model", messages=user, seed=1, stream=True, stream_options=usage, logprobs=True, top_logprobs=2
        ))  # fmt: skip
        assert "".join(c.delta.content or "" for p in parts for c in p.choices) == chat.choices[0].message.content
        assert [c.finish_reason for p in parts for c in p.choices][-1] == "stop"
        assert parts[-1].usage == chat.usage
        rows = [row for p in parts for c in p.choices if c.logprobs for row in c.logprobs.content or ()]
        assert "".join(row.token for row in rows) == chat.choices[0].message.content
        plain = client.completions.create(model="test-model", prompt="Add", seed=1)
        pieces = list(client.completions.create(model="test-model", prompt="Add", seed=1, stream=True))
        assert "".join(c.text for p in pieces for c in p.choices) == plain.choices[0].text
    assert server.generated_tokens % 2 == 0  # each text once in one piece, once as a stream


def test_an_event_of_many_lists_is_refused_before_it_is_parsed() -> None:
    """It is read on the loop's thread, which it would hold up."""
    events = Events(REQUEST, ConfidenceFloor(4, 0.1))
    assert events(b'data: {"choices": [{"index": 0, "delta": {"x": [' + b"[]," * EVENT_BRACKETS + b"[]]}}]}\n\n")
    with pytest.raises(ValueError, match="brackets"):
        events.answer(chat=True)
