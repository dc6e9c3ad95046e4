"""Keys that a server quotes: wherever, in whatever scheme and spelling, they reach neither agent, trace nor error."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from searchkit import solve
from searchkit.agents import client
from searchkit.agents.exchange import Answer, Ask
from searchkit.agents.secrets import hidden, without_keys
from searchkit.function import Function
from searchkit.strategies import SelfConsistency
from tests.helpers.scripted import Said, Scripted, chat

KEY = "sk-12/45"
SENT = {
    "bearer": {"authorization": f"Bearer {KEY}"},
    "lower": {"authorization": f"bearer {KEY}"},
    "token": {"authorization": f"Token  {KEY}"},
    "plain": {"authorization": KEY},
    "anthropic": {"x-api-key": KEY},
    "azure": {"api-key": KEY},
    "google": {"x-goog-api-key": KEY},
    "gateway": {"cf-aig-authorization": f"Bearer {KEY}"},
    "subscription": {"ocp-apim-subscription-key": KEY},
    "basic": {"authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()},
}
QUOTED = f"no such key: {KEY} in me:{KEY}"
SAID = {
    "error": Said({"error": {"message": QUOTED}}),
    "plain error": Said({"error": QUOTED}),
    "spaced": Said(b'{"error"  :  "' + QUOTED.encode() + b'"}'),
    "escaped": Said(json.dumps({"error": QUOTED}).replace("/", "\\/").encode()),
    "401": Said({"detail": QUOTED}, 401),
    "500": Said(QUOTED.encode(), 500, "text/plain"),
    "html": Said(f"<p>{QUOTED}</p>".encode(), 200, "text/html"),
    "event": Said(f'data: {{"error": {{"message": "{QUOTED}"}}}}\n\n'.encode(), 200, "text/event-stream"),
    "anthropic": Said({"type": "error", "error": {"message": QUOTED}}),
    "responses": Said(f'event: error\ndata: {{"type": "error", "message": "{QUOTED}"}}\n\n'.encode(), 200),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("path", ["chat/completions", "models"])
def test_a_key_of_eight_characters_is_left_out_of_errors(sent: str, said: str, path: str) -> None:
    with Scripted(lambda asked: SAID[said]) as server:

        def agent(question: str) -> str:
            with client() as http:
                body = {"model": "m", "messages": [{"role": "user", "content": "q"}], "stream": said == "event"}
                reply = http.request(
                    "POST" if "/" in path else "GET", f"{server.url}/{path}", json=body, headers=SENT[sent]
                )
                return str(reply.text)

        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=Function(agent)))
    assert KEY not in result.answer.replace("\\/", "/")
    assert KEY not in result.trace.render() + json.dumps(result.trace.dumped()) + repr(result)


def test_what_a_model_says_stays_as_it_is() -> None:
    """Eight characters may be a word of it; twenty are none."""

    def hid(key: str, said: Any, status: int = 200) -> bool:
        answer = Answer(status, json.dumps(said).encode())
        return key.encode() not in without_keys(answer, Ask("POST", "http://h/v1", {"authorization": f"Bearer {key}"}))

    long = "sk-0123456789-abcdef"
    assert not hid("password", chat("the password"))
    assert not hid("password", {**chat("the password"), "error": None})
    assert not hid("password", chat('{"error": "the password"}'))
    assert hid("password", {"error": "the password"})
    assert hid("password", chat("the password"), 403)
    assert hid(long, chat(f"it is {long}"))
    assert not hid("short", {"error": "short"})


def test_keys_of_a_query_and_of_sentences() -> None:
    ask = Ask("GET", f"http://h/v1/models?key={KEY}&alt=json", {"idempotency-key": "abcdefghij"})
    assert without_keys(Answer(400, QUOTED.encode()), ask) == b"no such key: [api key] in me:[api key]"
    assert hidden(f"abcdefghij {KEY}", ask) == "abcdefghij [api key]"


def test_the_longest_key_is_left_out_first() -> None:
    ask = Ask("GET", "http://h", {"authorization": "Bearer sk-secret", "x-api-key": "sk-secret-longer"})
    assert hidden("sk-secret-longer, sk-secret", ask) == "[api key], [api key]"
