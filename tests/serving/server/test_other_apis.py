"""The responses API and Anthropic's messages by their official clients: whole, streamed, tools, images, schemas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from searchkit import CallError
from searchkit.serving.server import Key, SearchServer, digest_of, telling
from searchkit.types import Sample, Token, Usage
from tests.helpers.serving import SUM, Slow, calling, client, listening, served, thinking

TOOL: Any = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}, "strict": False}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


class Answer(BaseModel):
    """A schema."""

    value: int


@contextmanager
def claude(server: SearchServer, key: str = "none") -> Iterator[anthropic.Anthropic]:
    """Anthropic's official client of a server that listens."""
    with listening(server) as url, anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as made:
        yield made


# ---------------------------------------------------------------- responses


def test_a_response_is_the_best_of_a_search() -> None:
    """With the usage of all of it."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        said = openai_client.responses.create(model="qwen@best-of-4", input="19 + 23?", instructions="Be short.")
    assert said.output_text == "42"
    assert said.status == "completed"
    assert said.usage is not None
    assert (said.usage.input_tokens, said.usage.output_tokens) == (28, 12)
    extra: Any = said.model_extra
    assert extra["search"]["strategy"] == "best-of-4"


def test_a_response_streams_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments first, while the search goes on."""
    monkeypatch.setattr(telling, "LONGEST", 0.02)
    with (
        client(SearchServer({"qwen": served(Slow(seconds=0.1))})) as openai_client,
        openai_client.responses.stream(model="qwen@best-of-4", input="19 + 23?") as stream,
    ):
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.output_text == "42"


def test_a_response_calls_tools_and_goes_on() -> None:
    """Multi-turn: the call and what came of it are in the prompt."""
    backend = Slow(calling)
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        said = openai_client.responses.create(model="qwen", input="19 + 23?", tools=[TOOL], tool_choice="required")
        call: Any = said.output[0]
        turns: Any = [
            {"role": "user", "content": [
                {"type": "input_text", "text": "19 + 23?"},
                {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
            ]},
            call.model_dump(exclude_none=True),
            {"type": "function_call_output", "call_id": call.call_id, "output": "42"},
        ]  # fmt: skip
        openai_client.responses.create(model="qwen", input=turns, tools=[TOOL])
    assert (call.type, call.name, call.arguments) == ("function_call", "add", '{"a": 19, "b": 23}')
    prompt = backend.asked[1].prompt
    assert [message.role for message in prompt.messages] == ["user", "assistant", "tool"]
    assert prompt.messages[1].tool_calls[0].name == "add"
    assert IMAGE in repr(prompt.messages[0])
    assert json.loads(backend.asked[0].params.form) == {"tool_choice": "required"}


def test_a_response_of_a_schema_is_parsed() -> None:
    """The schema reaches the model as chat says it."""
    backend = Slow(lambda request: '{"value": 42}')
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        said = openai_client.responses.parse(model="qwen", input="19 + 23?", text_format=Answer)
        chat = openai_client.chat.completions.parse(model="qwen", messages=SUM, response_format=Answer)  # type: ignore[arg-type]
    assert said.output_parsed == chat.choices[0].message.parsed == Answer(value=42)
    first, second = (json.loads(request.params.form)["response_format"] for request in backend.asked)
    assert first == second
    assert first["json_schema"]["schema"]["properties"]["value"]["type"] == "integer"


def test_log_probabilities_stand_in_a_response() -> None:
    """Where they are asked for."""

    def said(request: Any) -> Sample[str]:
        return Sample("42", usage=Usage(model_calls=1), logprobs=(Token("42", -0.5, (("42", -0.5),)),))

    with client(SearchServer({"qwen": served(Slow(said))})) as openai_client:
        answer: Any = openai_client.responses.create(
            model="qwen", input="19 + 23?", include=["message.output_text.logprobs"], top_logprobs=1
        )
    assert answer.output[0].content[0].logprobs[0].logprob == -0.5


@pytest.mark.parametrize(
    "change", [{"previous_response_id": "resp_1"}, {"reasoning": {"effort": "high"}}, {"background": True}]
)
def test_what_a_response_cannot_be_asked_is_refused(change: Any) -> None:
    """Turns that another server keeps, an effort, an answer for later."""
    backend = Slow()
    server = SearchServer({"qwen": served(backend)})
    with client(server) as openai_client, pytest.raises(openai.BadRequestError) as refused:
        openai_client.responses.create(model="qwen", input="19 + 23?", **change)
    assert next(iter(change)) in str(refused.value)
    assert backend.asked == []


# ---------------------------------------------------------------- messages


def test_a_message_is_the_best_of_a_search() -> None:
    """Chosen by the body's `search`, whatever the client."""
    with claude(SearchServer({"qwen": served(Slow())})) as made:
        said: Any = made.messages.create(
            model="qwen", max_tokens=50, messages=[{"role": "user", "content": "19 + 23?"}], system="Be short.",
            extra_body={"search": {"strategy": "best-of-4"}},
        )  # fmt: skip
    assert (said.content[0].text, said.stop_reason) == ("42", "end_turn")
    assert (said.usage.input_tokens, said.usage.output_tokens) == (28, 12)
    assert said.search["generations"] == 4


def test_a_message_streams_with_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an asynchronous client reads it likewise."""
    monkeypatch.setattr(telling, "LONGEST", 0.02)

    async def main(url: str) -> Any:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as made,
            made.messages.stream(
                model="qwen@best-of-4", max_tokens=50, messages=[{"role": "user", "content": "19 + 23?"}]
            ) as stream,
        ):
            return [event.type async for event in stream], await stream.get_final_message()

    with listening(SearchServer({"qwen": served(Slow(seconds=0.1))})) as url:
        kinds, final = asyncio.run(main(url))
    assert kinds[-1] == "message_stop"
    assert (final.content[0].text, final.usage.output_tokens) == ("42", 12)


def test_a_message_calls_tools_thinks_and_goes_on() -> None:
    """Tools, their results, images and reasoning, in Anthropic's words."""
    backend = Slow(lambda request: thinking(request) if len(request.prompt.messages) > 1 else calling(request))
    tool: Any = {"name": "add", "input_schema": {"type": "object", "properties": {}}}
    with claude(SearchServer({"qwen": served(backend)})) as made:
        turns: list[Any] = [{"role": "user", "content": [
            {"type": "text", "text": "19 + 23?"},
            {"type": "image", "source": {"type": "url", "url": "https://127.0.0.1:9/never-fetched.png"}},
        ]}]  # fmt: skip
        asked: Any = {"model": "qwen", "max_tokens": 50, "tools": [tool], "tool_choice": {"type": "any"}}
        called: Any = made.messages.create(messages=turns, **asked)
        turns += [
            {"role": "assistant", "content": [called.content[0].model_dump(include={"type", "id", "name", "input"})]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "42"},
            ]},
        ]  # fmt: skip
        said: Any = made.messages.create(messages=turns, **asked)
    assert (called.stop_reason, called.content[0].input) == ("tool_use", {"a": 19, "b": 23})
    assert [block.type for block in said.content] == ["thinking", "text"]
    first, second = (request.prompt for request in backend.asked)
    assert "never-fetched" in repr(first.messages[0])
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]


def test_a_message_of_a_schema_is_passed_on() -> None:
    """As chat says it."""
    backend = Slow(lambda request: '{"value": 42}')
    schema = {"type": "object", "properties": {"value": {"type": "integer"}}}
    with claude(SearchServer({"qwen": served(backend)})) as made:
        made.messages.create(
            model="qwen", max_tokens=50, messages=[{"role": "user", "content": "19 + 23?"}],
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )  # fmt: skip
    form = json.loads(backend.asked[0].params.form)
    assert form["response_format"]["json_schema"] == {"name": "answer", "schema": schema}


def test_a_refusal_is_in_the_words_of_anthropic() -> None:
    """Its client raises what it raises of Anthropic's own server."""

    def fail(request: Any) -> str:
        raise CallError("busy", kind="rate_limit", retry_after=3)

    user: Any = [{"role": "user", "content": "19 + 23?"}]
    server = SearchServer({"qwen": served(Slow(fail))}, keys=[Key("a", digest_of("k"))])
    with claude(server, "k") as made:
        with pytest.raises(anthropic.NotFoundError):
            made.messages.create(model="qwem", max_tokens=5, messages=user)
        with pytest.raises(anthropic.BadRequestError):
            made.messages.create(model="qwen", max_tokens=5, messages=[])
        with pytest.raises(anthropic.APIStatusError) as busy:
            made.messages.create(model="qwen", max_tokens=5, messages=user)
        assert [model.id for model in made.models.list()][:1] == ["qwen"]
    assert (busy.value.status_code, busy.value.type) == (503, "overloaded_error")
    with claude(server, "another") as made, pytest.raises(anthropic.AuthenticationError):
        made.messages.create(model="qwen", max_tokens=5, messages=user)
