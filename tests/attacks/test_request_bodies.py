"""K20: request bodies fit servers that refuse everything but what they take, in the words of public reports."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

from searchkit import CallError, Params, Prompt, Sample, SearchWarning
from searchkit.calls import Request
from searchkit.generators import Cached, OpenAI
from tests.attacks.hostile import PROMPT, TEXT, Asked, Hostile, call, case, completion, http
from tests.attacks.servers import AUTOMATIC, STRICT, Strict, fitted

PARAMS = Params(temperature=0.7, max_tokens=16, stop=("END",))


@pytest.mark.parametrize("strict", [case(s.name, s) for s in STRICT])
def test_a_server_is_asked_for_what_it_takes(strict: Strict) -> None:
    """With the options of its preset: one request, which the server takes, and the answer."""
    with Hostile(strict) as server:
        backend = fitted(server.url, strict)
        [entry] = asyncio.run(backend.complete([Request(PROMPT, strict.params, 1)]))
    assert isinstance(entry, Sample), entry
    assert entry.text == TEXT
    assert len(server.asked) == 1
    assert strict.refusal(server.asked[0]) is None


@pytest.mark.parametrize("strict", [case(s.name, s) for s in STRICT])
def test_without_options_the_server_says_what_is_wrong(strict: Strict) -> None:
    """Never more than a few requests: an answer, or the server's own words and the name of an option that mends it."""
    with Hostile(strict) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        entry = call(server.url, PARAMS)
    assert len(server.asked) <= 8
    if isinstance(entry, CallError):
        posted = [asked for asked in server.asked if asked.content]  # a list of models may be asked for as well
        _, _, words = strict.refusal(posted[-1]) or (0, "", "")
        assert words[:30] in str(entry)
        assert any(
            option in str(entry)
            for option in ("leave_out", "rename", "extra_body", "extra_headers", "extra_query", "preset", "extras")
        )


@pytest.mark.parametrize(("field", "status", "body"), AUTOMATIC)
def test_a_field_of_ours_that_is_named_is_left_out(field: str, status: str, body: Any) -> None:
    """Answered once by leaving it out: a warning that names it, one more request, and no such field again."""

    def answer(asked: Asked) -> bytes:
        return http(body, status) if field in asked.body else http(completion())

    with Hostile(answer) as server:
        backend = OpenAI(server.url, "m", extras=True)
        with pytest.warns(SearchWarning, match=field):
            [entry] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 1)]))
        assert isinstance(entry, Sample), entry
        assert [field in asked.body for asked in server.asked] == [True, False]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            [again] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 2)]))
        assert isinstance(again, Sample)
        assert field not in server.asked[-1].body
    assert entry.usage.model_calls + again.usage.model_calls == len(server.asked) == 3


OPENAI_FIELDS = [
    case("temperature", "temperature", "Unsupported value: 'temperature' does not support 0.7 with this model."),
    case("max_tokens", "max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model."),
    case("stop", "stop", "Unsupported parameter: 'stop' is not supported with this model."),
    case("seed", "seed", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'),
    case("top_p", "top_p", "Unsupported parameter: 'top_p' is not supported with this model."),
    case("logprobs", "logprobs", "Unsupported parameter: 'logprobs' is not supported with this model."),
]


@pytest.mark.parametrize(("field", "words"), OPENAI_FIELDS)
def test_a_field_that_means_something_is_never_left_out_by_itself(field: str, words: str) -> None:
    """Temperature, length, stop, seed, and what a search reads: one request, and the server's words."""
    params = Params(temperature=0.7, top_p=0.9, max_tokens=16, stop=("END",), logprobs=1)
    with Hostile(http({"error": {"message": words, "param": field}}, "400 Bad Request")) as server:
        entry = call(server.url, params)
    assert isinstance(entry, CallError)
    assert entry.kind == "bad_request"
    assert words[:40] in str(entry)
    assert [field in asked.body for asked in server.asked] == [True]


@pytest.mark.parametrize(("field", "words"), OPENAI_FIELDS)
def test_the_users_list_is_honoured(field: str, words: str) -> None:
    """The same fields, listed by the user: left out from the first request on."""
    strict = Strict("x", frozenset(), words, leave_out=(field,), forbidden=(field,))
    with Hostile(strict) as server:
        [entry] = asyncio.run(fitted(server.url, strict).complete([Request(PROMPT, PARAMS, 1)]))
    assert isinstance(entry, Sample), entry
    assert len(server.asked) == 1


def test_several_fields_one_after_the_other() -> None:
    """A server that names one field at a time is answered once for each."""

    def answer(asked: Asked) -> bytes:
        for field in ("top_k", "min_p", "include_stop_str_in_output", "no_stop_trim"):
            if field in asked.body:
                return http({"error": {"message": f"property '{field}' is unsupported"}}, "400 Bad Request")
        return http(completion())

    with Hostile(answer) as server, pytest.warns(SearchWarning):
        entry = call(server.url, PARAMS, extras=True)
    assert isinstance(entry, Sample), entry
    assert len(server.asked) == 5


def test_a_server_that_refuses_whatever_is_left_out_is_not_asked_for_ever() -> None:
    """It names the field again although it was left out: the error, after two requests."""
    body = {"error": {"message": "property 'top_k' is unsupported"}}
    with Hostile(http(body, "400 Bad Request")) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        entry = call(server.url, PARAMS, extras=True)
    assert isinstance(entry, CallError)
    assert len(server.asked) == 2


def test_a_field_that_is_left_out_is_in_no_key(tmp_path: Path) -> None:
    """What was cached before the server answered so is found by a new backend that knows nothing of it."""

    def answer(asked: Asked) -> bytes:
        no = {"error": {"message": "property 'top_k' is unsupported"}}
        return http(no, "400 Bad Request") if "top_k" in asked.body else http(completion())

    with Hostile(answer) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        for _ in range(2):
            cached = Cached(OpenAI(server.url, "m", extras=True), tmp_path / "cache.db")
            [entry] = asyncio.run(cached.complete([Request(PROMPT, PARAMS, 1)]))
            assert isinstance(entry, Sample), entry
            cached.close()
    assert len(server.asked) == 2


# Continuations: gptme/gptme#467 (DeepSeek), langchain-ai/langchain#23703 and huggingface/smolagents#757 (Mistral).
DEEPSEEK = "The last message of deepseek-reasoner must be a user message, or an assistant message with prefix mode on"
MISTRAL = "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        case("deepseek", "400 Bad Request", {"error": {"message": DEEPSEEK, "type": "invalid_request_error"}}),
        case("mistral", "400 Bad Request", {"object": "error", "message": MISTRAL, "type": "invalid_request_error"}),
    ],
)
@pytest.mark.filterwarnings("ignore::searchkit.SearchWarning")
def test_assistant_prefix_flags(status: str, body: Any) -> None:
    """A turn is continued by the flag that the server wants on its last message, found by the probe."""

    def answer(asked: Asked) -> bytes:
        last = asked.body["messages"][-1]
        if last["role"] == "assistant" and last.get("prefix") is not True:
            return http(body, status)
        return http(completion(" 4." if last["role"] == "assistant" else "No."))

    with Hostile(answer) as server:
        entry = call(server.url, Params(max_tokens=16), Prompt.of("What?").continued("The answer is"))
    assert isinstance(entry, Sample), entry
    assert server.asked[-1].body["messages"][-1] == {"role": "assistant", "content": "The answer is", "prefix": True}


# ggml-org/llama.cpp#20861 and #21889, langchain-ai/deepagents#1585.
@pytest.mark.parametrize(
    "words",
    [
        case("llama-cpp", "Assistant response prefill is incompatible with enable_thinking."),
        case(
            "claude",
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ),
    ],
)
def test_the_reason_why_a_turn_is_not_continued(words: str) -> None:
    """The server's own reason is quoted."""

    def answer(asked: Asked) -> bytes:
        if asked.body["messages"][-1]["role"] == "assistant":
            return http({"error": {"code": 400, "message": words}}, "400 Bad Request")
        return http(completion())

    with Hostile(answer) as server:
        entry = call(server.url, Params(max_tokens=16), Prompt.of("What?").continued("The"))
    assert isinstance(entry, CallError)
    assert words in str(entry)


def test_a_prompt_that_was_cut_is_noticed() -> None:
    """ralphgrewe/TradingAgents#168: Ollama drops what exceeds num_ctx; 12 tokens reported of a prompt of 20,000 words."""
    with Hostile(http(completion())) as server, pytest.warns(SearchWarning, match="prompt"):
        entry = call(server.url, Params(max_tokens=16), Prompt.of("word " * 20_000))
    assert isinstance(entry, Sample)


def test_a_server_that_neither_keeps_nor_names_the_stop_string() -> None:
    """llama.cpp on the chat route: the probe finds it out, for both."""
    with Hostile(http(completion("1, 2"))) as server:
        found = asyncio.run(OpenAI(server.url, "m").probe())
    assert not found.stop_named
