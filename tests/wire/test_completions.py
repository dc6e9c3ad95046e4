"""Completions of plain text, with the official client as the oracle for both sides."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion

from searchkit.types import Params, Prompt, Sample
from searchkit.wire import Malformed, Truncated, answer, events, parse, reader, samples
from searchkit.wire.completions import requests
from tests.helpers import wire_cases as cases
from tests.helpers.replies import replies

ASKED: dict[str, Any] = {"model": "m", "prompt": "Once", "logprobs": 2}
REQUEST = parse("completions", json.dumps(ASKED).encode())


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


def whole(*drawn: Sample[Any]) -> dict[str, Any]:
    return answer(replace(REQUEST, n=len(drawn)), drawn, id="x1", created=123)


PLAIN = ["text", "empty", "blank lines", "long", "length", "filtered", "logprobs", "surrogates"]


@pytest.mark.parametrize("name", PLAIN)
def test_the_official_client_reads_our_answers(name: str) -> None:
    """Whole and as a stream, sync and async; every chunk is strictly valid."""
    sample, said = cases.SAMPLES[name], whole(cases.SAMPLES[name])
    Completion.model_validate(said, strict=True)
    with replies(json.dumps(said).encode()) as server, client(server.url) as ours:
        [choice] = ours.completions.create(**ASKED).choices
        server.payload, server.cut = b"".join(events("completions", said)), 7
        chunks = list(ours.completions.create(**ASKED, stream=True))

        async def later() -> list[Completion]:
            async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as other:
                return [chunk async for chunk in await other.completions.create(**ASKED, stream=True)]

        assert asyncio.run(later()) == chunks
    assert choice.text == sample.text == "".join(c.text for chunk in chunks for c in chunk.choices)
    assert choice.finish_reason == [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == sample.finish
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == sample.usage.generated_tokens
    if sample.logprobs is not None:
        assert choice.logprobs is not None
        assert choice.logprobs.tokens == [token.text for token in sample.logprobs]
        assert choice.logprobs.text_offset == [0, 3, 5]
        listed = [c.logprobs.tokens for chunk in chunks for c in chunk.choices if c.logprobs]
        assert listed == [[token.text] for token in sample.logprobs]
    assert samples("completions", said, Params(logprobs=2)) == [sample]


def test_a_stream_may_be_cut_anywhere() -> None:
    """Two choices, one with log-probabilities, at every byte."""
    said = whole(cases.SAMPLES["logprobs"], cases.SAMPLES["text"])
    sent = b"".join(events("completions", said))
    for at in range(len(sent)):
        stream = reader("completions", 2)
        stream.feed(sent[:at])
        stream.feed(sent[at:])
        assert stream.answer() == said
    stream = reader("completions", 2)
    stream.feed(sent[: sent.index(b'"index":1')])
    with pytest.raises(Truncated):
        stream.answer()


@given(cases.said, cases.samplings(), st.integers(0, 5))
def test_what_we_send_is_read_as_what_was_meant(text: str, params: Params, logprobs: int) -> None:
    """Written by the client side, read by the server side."""
    params = replace(params, logprobs=logprobs)
    body = requests.render("m", text, params, 3)
    request = parse("completions", json.dumps(body).encode())
    assert (request.prompt, request.params, request.seed) == (Prompt.of(text), params, 3)
    assert (request.n, request.extras, request.lost) == (1, {}, ())


@pytest.mark.parametrize(
    ("prompt", "n", "text", "lost"),
    [
        (["a"], 2, "a", ()),
        (["a", "b", "c"], 6, "a", ("prompt (3 prompts)",)),
        ([1, 2, 3], 2, "[tokens]", ("prompt (tokens)",)),
        ([[1, 2], [3]], 4, "[tokens]", ("prompt (2 prompts)",)),
    ],
)
def test_several_prompts_and_tokens(prompt: Any, n: int, text: str, lost: tuple[str, ...]) -> None:
    """They count as so many choices; what a `Prompt` does not hold is named."""
    request = parse("completions", json.dumps({"model": "m", "prompt": prompt, "n": 2, "echo": True}).encode())
    assert (request.prompt.text, request.n, request.lost, request.extras) == (text, n, lost, {"echo": True})


@pytest.mark.parametrize("prompt", [None, 3, {}, [], ["a", 3], [[]], [[1], "a"], [True], ["a"] * 2000])
def test_what_is_no_prompt(prompt: Any) -> None:
    """And more choices than anyone draws."""
    if prompt == [[]]:
        assert parse("completions", json.dumps({"model": "m", "prompt": prompt}).encode()).lost == (
            "prompt (1 prompts)",
        )
        return
    with pytest.raises(Malformed, match="prompt"):
        parse("completions", json.dumps({"model": "m", "prompt": prompt}).encode())
