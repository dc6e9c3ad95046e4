"""Streams that begin before their answer is there. The official clients are the oracle."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from searchkit import Budget
from searchkit.agents import Endpoint
from searchkit.serving import waiting
from tests.helpers.attempts import CHAT, attempt, calls
from tests.helpers.model_server import ModelServer

ASKED: list[dict[str, Any]] = [{"role": "user", "content": "How much?"}]
PATIENCE = 0.6
"""Seconds after which the clients here give up; the server takes longer."""


@pytest.fixture
def slow() -> Iterator[ModelServer]:
    with ModelServer(1.5) as running:
        yield running


def by_openai(endpoint: Endpoint, **options: Any) -> openai.OpenAI:
    settings = {"timeout": PATIENCE, "max_retries": 0, **options}
    return openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, **settings)


def chat(endpoint: Endpoint, **options: Any) -> str:
    with by_openai(endpoint, **options) as api:
        events = api.chat.completions.create(model="m", messages=ASKED, max_tokens=9, stream=True)  # type: ignore[call-overload]
        return "".join(event.choices[0].delta.content or "" for event in events if event.choices)


def completions(endpoint: Endpoint, **options: Any) -> str:
    with by_openai(endpoint, **options) as api:
        events = api.completions.create(model="m", prompt="How much?", max_tokens=9, stream=True)
        return "".join(event.choices[0].text for event in events if event.choices)


def responses(endpoint: Endpoint, **options: Any) -> str:
    with by_openai(endpoint, **options) as api:
        events = list(api.responses.create(model="m", input="How much?", stream=True))
    if events[-1].type == "error":
        raise openai.APIError(events[-1].message, None, body=None)  # type: ignore[arg-type]
    return str(events[-1].response.output_text)  # type: ignore[union-attr]


def messages(endpoint: Endpoint, **options: Any) -> str:
    settings = {"timeout": PATIENCE, "max_retries": 0, **options}
    with (
        anthropic.Anthropic(base_url=endpoint.anthropic_url, api_key=endpoint.api_key, **settings) as api,
        api.messages.stream(model="m", messages=ASKED, max_tokens=9) as stream,  # type: ignore[arg-type]
    ):
        return stream.get_final_text()


CLIENTS = [chat, completions, responses, messages]


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_gives_up_on_a_stream_while_its_answer_is_made(client: Any, slow: ModelServer) -> None:
    result = attempt(slow, client)
    assert json.loads(result.answer)
    assert slow.calls == result.usage.model_calls == len(calls(result.trace)) == 1
    assert slow.aborted == 0
    assert result.usage.generated_tokens == slow.generated_tokens
    assert result.usage.estimated_tokens == 0


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_quick_refusals_keep_their_status(client: Any, status: int) -> None:
    found = list[int]()
    with ModelServer(refusal=(status, "not now")) as server:

        def agent(endpoint: Endpoint) -> None:
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
                client(endpoint, timeout=60.0)
            found.append(caught.value.status_code)

        attempt(server, agent)
    assert found == [status]


@pytest.mark.parametrize("client", CLIENTS)
def test_late_refusals_are_events(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients raise them as errors of the API, with what the server said."""
    monkeypatch.setattr(waiting, "pause_of", lambda _: 0.01)
    found = list[str]()
    with ModelServer(refusal=(400, "not now, however late it is"), wait=0.3) as server:

        def agent(endpoint: Endpoint) -> None:
            with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
                client(endpoint, timeout=60.0)
            found.append(str(caught.value))

        attempt(server, agent)
    assert "not now, however late it is" in found[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_ceiling_is_told_whether_the_stream_has_begun_or_not(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "pause_of", lambda _: 0.01)
    found = list[str]()
    with ModelServer(0.3) as server:

        def agent(endpoint: Endpoint) -> None:
            client(endpoint, timeout=60.0)
            with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
                client(endpoint, timeout=60.0)
            found.append(str(caught.value))

        result = attempt(server, agent, budget=Budget(model_calls=1))
    assert result.stopped == "budget"
    assert "budget" in found[0]
    assert server.calls == 1


@pytest.mark.parametrize(
    ("said", "pause"),
    [
        ("30", 10.0),
        ("0.3", 0.1),
        ("1e-9", 0.02),
        ("0", 5.0),
        ("-1", 5.0),
        ("nan", 5.0),
        ("inf", 5.0),
        ("", 5.0),
        ("x", 5.0),
    ],
)
@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
def test_the_pause_is_a_third_of_what_the_client_says(name: str, said: str, pause: float) -> None:
    assert waiting.pause_of({name: said}) == pytest.approx(pause)
    assert waiting.pause_of({}) == 5.0


@pytest.mark.parametrize("route", ["chat/completions", "messages"])
@pytest.mark.parametrize("stream", [True, False])
def test_only_streams_begin_early(route: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "pause_of", lambda _: 0.01)
    found = list[Any]()
    with ModelServer(0.3) as server:

        def agent(endpoint: Endpoint) -> None:
            parts = urlsplit(endpoint.base_url)
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
            connection.request("POST", f"{parts.path}/{route}", json.dumps({**CHAT, "stream": stream}))
            with connection.getresponse() as reply:
                found.append((reply.status, reply.headers["content-type"], reply.read()))
            connection.close()

        attempt(server, agent)
    status, kind, body = found[0]
    assert status == 200
    comment = b"event: ping\n" if route == "messages" else b": waiting\n"
    assert (comment in body) == stream
    assert kind.startswith("text/event-stream" if stream else "application/json")
