"""What servers say that is no answer: one clear sentence for the agent, by either door, and a fair charge."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import sqlite3
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from searchkit import CallError, JournalError, solve, wire
from searchkit.agents import Endpoint, async_client, client, direct
from searchkit.agents.exchange import Answer, Refused
from searchkit.agents.received import Terms, completion, received
from searchkit.engine.journal.rows import checksum
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from searchkit.wire import Price
from tests.helpers.attempts import KEY, asked, calls
from tests.helpers.scripted import Said, Scripted, chat

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "How much?"}]}
LIMITED = {**BODY, "max_tokens": 50}
COUNTED = chat("42", usage={"prompt_tokens": 5, "completion_tokens": 7})
GENERATED = json.dumps(chat("word " * 30))


def told(server: Scripted, door: str, body: dict[str, Any], price: Price | None = None) -> tuple[Any, Any]:
    """What OpenAI's client raises, with its retries, and the result of the search."""
    found = list[Any]()

    def ask(api: Any) -> None:
        try:
            api.chat.completions.create(**body)
        except openai.OpenAIError as error:
            found.append(error)

    def by_endpoint(question: str, endpoint: Endpoint) -> str:
        with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as api:
            ask(api)
        return "done"

    def ambient(question: str) -> str:
        with openai.OpenAI(base_url=server.url, api_key=KEY, http_client=client(price=price)) as api:
            ask(api)
        return "done"

    agent: Callable[..., str] = by_endpoint if door == "endpoint" else ambient
    function = Function(agent, upstream=server.upstream(price=price))
    result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=function))
    return found[0] if found else None, result


NOTHING = {
    "204": (Said(b"", 204), "status 204 without a body"),
    "empty": (Said(b""), "status 200 without a body"),
    "html": (Said(b"<html>Sign in</html>", 200, "text/html"), "text/html that begins with '<html>Sign in</html>'"),
    "text": (Said(b"ok", 200, "text/plain"), "text/plain that begins with 'ok'"),
    "json": (Said({"status": "ok"}), "it has no choices"),
    "null": (Said(b"null"), "begins with 'null'"),
}
MOVED = {
    "moved": (
        Said(b"", 301, headers={"location": "https://llm.example.com/v1/x?key=1"}),
        "redirects to llm.example.com",
    ),
    "login": (Said(b"<html>", 302, headers={"location": "/login"}), "redirects to 127.0.0.1"),
    "kept": (Said(b"", 307, headers={"location": "//other.example/v1"}), "redirects to other.example"),
    "nowhere": (Said(b"", 308), "redirects to nowhere"),
    "odd": (Said(b"", 302, headers={"location": "http://[/"}), "redirects to nowhere"),
}


@pytest.mark.parametrize("door", ["endpoint", "ambient"])
@pytest.mark.parametrize("name", [*NOTHING, *MOVED])
def test_what_came_is_said_once_and_costs_no_tokens(door: str, name: str) -> None:
    """Not tried again, not followed, not charged at the worst."""
    said, wanted = (NOTHING | MOVED)[name]
    with Scripted(lambda asked: said) as server:
        error, result = told(server, door, LIMITED)
        assert len(server.asked) == 1
    assert isinstance(error, openai.APIStatusError)
    assert wanted in str(error)
    used = result.usage
    assert (used.prompt_tokens, used.generated_tokens, used.estimated_tokens) == (0, 0, 0)
    if name in NOTHING:
        assert used.model_calls == 1


@pytest.mark.parametrize("door", ["endpoint", "ambient"])
def test_what_may_pass_is_tried_again_and_said(door: str) -> None:
    with Scripted(lambda asked: Said({"error": {"message": "overloaded"}})) as server:
        error, result = told(server, door, LIMITED)
        assert len(server.asked) == result.usage.model_calls == 3
    assert isinstance(error, openai.InternalServerError)
    assert "overloaded" in str(error)
    assert result.usage.generated_tokens == 0


STATUSES = [
    ({"error": {"code": 429, "message": "slow down"}}, 429),
    ({"error": {"code": "429", "message": "slow down"}}, 429),
    ({"error": {"message": "slow down", "http_status": 429}}, 429),
    ({"detail": {"error": "slow down", "code": 429}}, 429),
    ({"statusCode": 401, "message": "slow down"}, 401),
    ({"error": {"code": 400, "message": "slow down"}}, 400),
    ({"error": {"code": 503, "message": "slow down"}}, 503),
    ({"error": {"code": 402, "message": "slow down"}}, 502),  # ours: a budget that is used up
    ({"error": {"code": 424, "message": "slow down"}}, 502),  # ours: a journal
    ({"error": {"code": 5000, "message": "slow down"}}, 502),
]


@pytest.mark.parametrize(("said", "status"), STATUSES, ids=range(len(STATUSES)))
def test_an_error_in_200_keeps_its_status(said: dict[str, Any], status: int) -> None:
    """A client slows down at 429, and asks no more at 401, as it would if the server had said so by its status."""
    request, answer, terms = (
        wire.parse("chat", json.dumps(LIMITED).encode()),
        Answer(200, json.dumps(said).encode()),
        Terms(3),
    )
    with pytest.raises(Refused) as refused:
        received("/v1/chat/completions", answer, terms, lambda: completion(request, answer, terms))
    assert refused.value.answer.status == status
    assert b"slow down" in refused.value.answer.body


@pytest.mark.slow
def test_a_limit_in_200_is_one_for_the_client() -> None:
    with Scripted(lambda asked: Said({"error": {"code": 429, "message": "slow down"}})) as server:
        error, _ = told(server, "ambient", LIMITED)
    assert isinstance(error, openai.RateLimitError)
    assert "slow down" in str(error)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("body", [BODY, LIMITED])
def test_what_was_generated_for_nothing_is_charged(kind: str, body: dict[str, Any]) -> None:
    """The worst case where there is a limit, else an estimate from the text; in money, too."""
    broken = GENERATED[:-40] if kind == "application/json" else f"data: {GENERATED.replace('message', 'delta', 1)[:-3]}"
    sent = {**body, "stream": kind == "text/event-stream"}
    if sent["stream"]:
        event = {"choices": [{"index": 0, "delta": {"content": "word " * 30}}]}
        broken = f"data: {json.dumps(event)}\n\n"
    with Scripted(lambda asked: Said(broken.encode(), 200, kind)) as server:

        def agent(question: str) -> str:
            with client(price=Price(1e6, 1e6)) as http:
                return str(http.post(f"{server.url}/chat/completions", json=sent).status_code)

        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=Function(agent)))
    used = result.usage
    assert result.answer == "502"
    assert used.generated_tokens == 50 if "max_tokens" in body else used.generated_tokens >= 30
    assert used.estimated_tokens == used.total_tokens == used.usd > 30


# ---------------------------------------------------------------- packed, and spelled

compress = functools.partial(gzip.compress, mtime=0)
PLAIN = json.dumps(COUNTED).encode()
RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": compress(PLAIN),
    "x-gzip": compress(PLAIN[:50]) + compress(PLAIN[50:]),
    "GZIP": compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "deflate ": RAW.compress(PLAIN) + RAW.flush(),
    "deflate, gzip": compress(zlib.compress(PLAIN)),
    "identity": PLAIN,
    "": PLAIN,
}


@pytest.mark.parametrize("coding", PACKED)
def test_an_answer_that_is_packed_unasked_is_unpacked(coding: str) -> None:
    with Scripted(lambda asked: Said(PACKED[coding], headers={"content-encoding": coding})) as server:
        error, result = told(server, "ambient", BODY)
    assert error is None
    assert result.usage.generated_tokens == 7


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", b"ok"),
        ("gzip", compress(PLAIN)[:-20]),
        ("deflate", b"ok"),
        ("br", b"ok"),
        ("gzip", compress(b"x" * 10**6)),
        ("gzip, gzip", compress(compress(b"x" * 10**6))),
    ],
)
def test_what_cannot_be_unpacked_or_is_too_long_is_none(
    coding: str, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "ANSWER_LIMIT", 10**5)
    with Scripted(lambda asked: Said(packed, headers={"content-encoding": coding})) as server:
        error, _ = told(server, "endpoint", LIMITED)
    assert "packed" in str(error)


@pytest.mark.parametrize("door", [client, async_client])
@pytest.mark.parametrize("options", [{}, {"trust_env": False}])
def test_headers_beyond_ascii_are_sent_as_they_came(door: Any, options: dict[str, Any]) -> None:
    """As their client encodes them: latin-1, or UTF-8; by our own connections, and by httpx."""
    named = {"x-latin": "é".encode("latin-1"), "x-utf": "Zürich 東京".encode()}
    with Scripted(lambda asked: Said(COUNTED)) as server:

        def plain(question: str) -> str:
            with client(**options) as http:
                return str(http.post(f"{server.url}/chat/completions", json=BODY, headers=named).status_code)

        async def coroutine(question: str) -> str:
            async with async_client(**options) as http:
                return str((await http.post(f"{server.url}/chat/completions", json=BODY, headers=named)).status_code)

        agent: Callable[..., Any] = plain if door is client else coroutine
        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=Function(agent)))
        assert result.answer == "200"
        assert {name: server.asked[0].headers[name].encode("latin-1") for name in named} == named


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize(
    "said",
    [
        Said(json.dumps({"data": [{"embedding": [1]}]}).encode("utf-16")),
        Said(b'{"data": [{"embedding": "\xff"}]}'),
        Said({"data": 7}),
        Said([1]),
        Said({"error": "busy"}),
        Said(b"<html>", 200, "text/html"),
        Said(b"", 204),
    ],
)
def test_what_are_no_embeddings(said: Said) -> None:
    with Scripted(lambda asked: said) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            status, why = asked(f"{endpoint.base_url}/embeddings", {"model": "e", "input": "a"})
            return f"{status} {why['error']['message']}"

        function = Function(agent, upstream=server.upstream(price=Price(1.0, 1.0)))
        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=function))
    assert result.answer.startswith("502 what the server said is no answer: ")
    assert result.usage.model_calls == len(calls(result.trace)) == 1


@pytest.mark.parametrize("usage", [{"prompt_tokens": 10**400}, {"prompt_tokens": -1}, [1]])
def test_embeddings_with_absurd_counts(usage: Any) -> None:
    """They are charged as if nobody had counted."""
    with Scripted(lambda asked: Said({"data": [{"embedding": [1]}], "usage": usage})) as server:

        def agent(question: str, endpoint: Endpoint) -> str:
            return str(asked(f"{endpoint.base_url}/embeddings", {"model": "e", "input": "a"})[0])

        function = Function(agent, upstream=server.upstream(price=Price(1.0, 1.0)))
        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=function))
    assert result.answer == "200"
    assert result.usage.estimated_tokens == result.usage.prompt_tokens < 100


def test_absurd_counts_and_a_price() -> None:
    usage = {"prompt_tokens": 10**400, "completion_tokens": 10**400}
    with Scripted(lambda asked: Said(chat("42", usage=usage))) as server:
        error, result = told(server, "ambient", LIMITED, Price(1.0, 1.0))
    assert error is None
    assert result.usage.generated_tokens == result.usage.estimated_tokens - result.usage.prompt_tokens == 50


def test_a_call_that_fails_at_its_worst_costs_its_price() -> None:
    """What nobody knows of it is its limit and its guessed prompt, in tokens and in money."""
    left = threading.Event()

    def say(asked: Any) -> Said:
        left.wait(30)
        return Said(COUNTED)

    with Scripted(say) as server:

        def agent(question: str) -> str:
            with client(price=Price(1e6, 1e6), timeout=0.2) as http:
                try:
                    http.post(f"{server.url}/chat/completions", json=LIMITED)
                except Exception as error:
                    return type(error).__name__
            return "answered"

        result = asyncio.run(solve("q", SelfConsistency(1, key=str), generator=Function(agent)))
        left.set()
    used = result.usage
    assert result.answer == "ReadTimeout"
    assert used.generated_tokens == 50
    assert used.usd == used.estimated_tokens == used.total_tokens > 50


# ---------------------------------------------------------------- a damaged journal

DAMAGES = [
    "''",
    "'{}'",
    "'null'",
    "'[]'",
    "'{\"value\": 5}'",
    'replace(outcome, \'"value": "\', \'"value": "x\')',
    "replace(replace(outcome, 'choices', 'choicez'), 'content', 'contenz')",
    "replace(outcome, 'model_calls', 'model_callz')",
    'replace(outcome, \'"model_calls": 1\', \'"model_calls": "1"\')',
    "replace(outcome, '\"model_calls\": 1', '\"model_calls\": -1')",
    "substr(outcome, 1, 40)",
    "x'00ff'",
    "cast(x'22ff' as text)",
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("sdk", ["openai", "ambient", "anthropic"])
def test_a_damaged_row_is_named_once(damage: str, sdk: str, tmp_path: Path) -> None:
    """No SDK asks again, nothing is charged, and the search says which row of which file."""
    path, power, tries = tmp_path / "j.db", {"off": True}, list[str]()
    answer = {**COUNTED, "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}
    counted = {**answer, "usage": {**COUNTED["usage"], "input_tokens": 5, "output_tokens": 7}}

    def agent(question: str, endpoint: Endpoint) -> str:
        try:
            if sdk == "anthropic":
                with anthropic.Anthropic(base_url=endpoint.anthropic_url, api_key=endpoint.api_key) as api:
                    api.messages.create(**LIMITED)
            elif sdk == "openai":
                with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as own:
                    own.chat.completions.create(**LIMITED)
            else:
                with openai.OpenAI(base_url=server.url, api_key=KEY, http_client=client()) as own:
                    own.chat.completions.create(**LIMITED)
        except Exception as error:
            tries.append(f"{getattr(error, 'status_code', None)} {error}")
        if power["off"]:
            raise RuntimeError("off")
        return "done"

    with Scripted(lambda asked: Said(counted)) as server:
        function = Function(agent, name="agent", upstream=server.upstream())

        def go() -> Any:
            strategy = BestOfN(1, Predicate(len, range=(0, 9)))
            return asyncio.run(solve("q", strategy, generator=function, journal=path))

        with pytest.raises(CallError, match="off"):
            go()
        sealed = damaged(path, damage)
        power["off"], before = False, len(server.asked)
        with pytest.raises(JournalError, match=rf"row 1 .* of the journal .*{path.name} is damaged"):
            go()
        assert len(server.asked) == before == 1
    assert len(tries) == sealed
    assert all(said.startswith("424 ") for said in tries)


def damaged(path: Path, damage: str) -> bool:
    """Put it into all rows, with checksums that fit where it is a text: whether it is, so that it is seen only late."""
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE call SET outcome = {damage}")
        sealed = damage not in ("x'00ff'", "cast(x'22ff' as text)")
        columns = "key, problem, path, role, request, outcome"
        for number, *values in db.execute(f"SELECT id, {columns} FROM call").fetchall() if sealed else ():
            db.execute("UPDATE call SET checksum = ? WHERE id = ?", (checksum(*values), number))
    db.close()
    return sealed
