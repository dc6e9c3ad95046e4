"""Refusals: each API's official client raises what it raises for its own server, and does not try 402 again."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types.shared import ErrorResponse
from openai.types.responses import ResponseErrorEvent

from searchkit.wire import Malformed, Reported, Route, TooLarge, answer, events, parse, reader
from searchkit.wire.refusals import body, in_stream, refusal
from tests.helpers import wire_cases as cases
from tests.helpers.replies import Replies, replies

USER: Any = [{"role": "user", "content": "Hi"}]


def ask(route: Route, server: Replies, retries: int = 0, *, stream: bool = False) -> list[Any]:
    """The answer of the official client, or its events."""
    if route == "messages":
        with anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=retries) as theirs:
            return list(theirs.messages.create(model="m", max_tokens=9, messages=USER, stream=stream))
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=retries) as ours:
        if route == "chat":
            return list(ours.chat.completions.create(model="m", messages=USER, stream=stream))
        if route == "completions":
            return list(ours.completions.create(model="m", prompt="Hi", stream=stream))
        return list(ours.responses.create(model="m", input="Hi", stream=stream))


@pytest.mark.parametrize("route", ["chat", "completions", "responses"])
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, openai.BadRequestError, "invalid_request_error"),
        (401, openai.AuthenticationError, "authentication_error"),
        (402, openai.APIStatusError, "budget_exhausted"),
        (403, openai.PermissionDeniedError, "permission_error"),
        (404, openai.NotFoundError, "invalid_request_error"),
        (413, openai.APIStatusError, "invalid_request_error"),
        (429, openai.RateLimitError, "rate_limit_error"),
        (500, openai.InternalServerError, "server_error"),
        (503, openai.InternalServerError, "overloaded_error"),
    ],
)
def test_openai_s_client(route: Route, status: int, error: type[openai.APIStatusError], kind: str) -> None:
    """Class, status, type, message and parameter."""
    with replies(body(route, status, "no, because", param="n"), status) as server, pytest.raises(error) as caught:
        ask(route, server)
    said = caught.value
    assert (said.status_code, said.type, said.param) == (status, kind, "n")
    assert isinstance(said.body, dict)
    assert said.body["message"] == "no, because"
    assert "no, because" in str(said)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (402, anthropic.APIStatusError, "budget_exhausted"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_anthropic_s_client(status: int, error: type[anthropic.APIStatusError], kind: str) -> None:
    """Class, status and body."""
    with replies(body("messages", status, "no, because"), status) as server, pytest.raises(error) as caught:
        ask("messages", server)
    assert caught.value.status_code == status
    assert caught.value.body == {"type": "error", "error": {"type": kind, "message": "no, because"}}
    assert "no, because" in str(caught.value)
    if status not in (402, 413):  # these types are the API's words, but not among its client's
        ErrorResponse.model_validate(caught.value.body, strict=True)


@pytest.mark.parametrize("route", ["chat", "completions", "responses", "messages"])
def test_an_exhausted_budget_is_asked_once(route: Route) -> None:
    """Clients that try again would ask for nothing: 402 is final for them; 429 is not."""
    for status, times in ((402, 1), (429, 2)):
        with replies(body(route, status, "nothing is left"), status) as server:
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
                ask(route, server, retries=1)
            assert len(server.bodies) == times


@pytest.mark.parametrize("route", ["chat", "completions", "responses", "messages"])
def test_an_error_within_a_stream(route: Route) -> None:
    """After an answer has begun: the client raises it, our reader reports it."""
    fields: dict[str, Any] = {
        "chat": {"messages": USER},
        "completions": {"prompt": "Hi"},
        "responses": {"input": "Hi"},
        "messages": {"messages": USER},
    }[route]
    request = parse(route, json.dumps({"model": "m", **fields}).encode())
    parts = list(events(route, answer(request, [cases.SAMPLES["text"]], id="a", created=0)))
    sent = b"".join(parts[:3]) + in_stream(route, 402, "nothing is left", number=3)
    stream = reader(route)
    with pytest.raises(Reported, match="nothing is left"):
        stream.feed(sent)
    with replies(sent) as server:
        if route == "responses":
            last = ask(route, server, stream=True)[-1]
            assert (last.type, last.code, last.message) == ("error", "budget_exhausted", "nothing is left")
            return
        with pytest.raises((openai.APIError, anthropic.APIError), match="nothing is left"):
            ask(route, server, stream=True)


def test_an_error_of_a_responses_stream_has_a_code() -> None:
    """Its event has no type of error: the code says it, or, where there is none, the type."""
    for status, code in ((413, "request_too_large"), (500, "server_error"), (402, "budget_exhausted")):
        data = in_stream("responses", status, "no", number=4).split(b"data: ")[1]
        event = ResponseErrorEvent.model_validate_json(data, strict=True)
        assert (event.code, event.sequence_number) == (code, 4)


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    """The body for the error that `parse` raised."""
    with pytest.raises(Malformed) as caught:
        parse("chat", b'{"model": "m", "messages": [{"role": "human", "content": "x"}]}')
    said = json.loads(refusal("chat", caught.value))["error"]
    assert (said["type"], said["param"]) == ("invalid_request_error", "messages.0")
    assert "human" in said["message"]
    with pytest.raises(TooLarge) as large:
        parse("messages", b" " * 11, largest=10)
    assert json.loads(refusal("messages", large.value))["error"]["type"] == "request_too_large"
