"""What keys may spend in all, what is paid once under an idempotency key, and what is counted and written down."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit import Budget, Journal
from searchkit.errors import ConfigError
from searchkit.serving import Shared
from searchkit.serving.server import Key, SearchServer, digest_of
from tests.helpers.servers import until
from tests.helpers.serving import SUM, Slow, listening, served
from tests.serving.server.test_guarding import asked
from tests.serving.server.test_telling import request_of

BEST = {"model": "qwen@best-of-4", "messages": SUM}
MINE = {"x-api-key": "k"}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    with Shared(tmp_path / "accounts.db") as opened:
        yield opened


def keyed(budget: Budget, **options: Any) -> Key:
    """A key that may spend so much."""
    return Key("alice", digest_of("k"), budget=budget, **options)


# ---------------------------------------------------------------- budgets of keys


def test_what_a_key_may_spend_is_never_exceeded(shared: Shared) -> None:
    """By many requests at once; who comes too late is told so with 429."""
    backend = Slow(seconds=0.01)
    server = SearchServer({"qwen": served(backend)}, keys=[keyed(Budget(generations=50))], shared=shared)
    with listening(server) as url, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: asked(url, MINE, BEST), range(40)))
        late = asked(url, MINE, BEST)
    statuses = [status for status, _, _ in answers]
    spent = sum(json.loads(said)["search"]["generations"] for status, said, _ in answers if status == 200)
    spent += json.loads(late[1])["search"]["generations"] if late[0] == 200 else 0
    assert set(statuses) <= {200, 429}
    assert len(backend.asked) == spent <= 50
    assert statuses.count(200) >= 12
    refused = [said for status, said, _ in answers if status == 429]
    assert all("this key" in said for said in refused)


def test_what_is_left_is_given_and_then_nothing(shared: Shared) -> None:
    """A search gets what is left, and answers with its best; the next is refused for good."""
    backend = Slow()
    server = SearchServer({"qwen": served(backend)}, keys=[keyed(Budget(generations=6))], shared=shared)
    with listening(server) as url:
        first, second, third = (asked(url, MINE, BEST) for _ in range(3))
    assert [json.loads(one[1])["search"]["generations"] for one in (first, second)] == [4, 2]
    assert (third[0], "retry-after" in third[2], len(backend.asked)) == (429, False, 6)
    assert third[2]["x-should-retry"] == "false"


def test_a_client_that_leaves_pays_what_was_in_flight(shared: Shared) -> None:
    """And gives back what it did not use."""
    backend = Slow(seconds=30)
    server = SearchServer({"qwen": served(backend)}, keys=[keyed(Budget(model_calls=100))], shared=shared)
    with listening(server) as url:
        left = request_of(url, BEST, {"x-api-key": "k"})
        until(lambda: backend.in_flight == 4)
        left.close()
        until(lambda: server.turns.running == 0)
        backend.seconds = 0
        assert asked(url, MINE, BEST)[0] == 200
        counted = metrics(url, MINE)
    assert 'status="0"' in counted
    assert 'searchkit_consumed_total{key="alice",model="qwen",kind="model_calls"} 8' in counted


def test_a_budget_needs_a_file() -> None:
    """Or it would begin anew with each start."""
    with pytest.raises(ConfigError, match="accounts"):
        SearchServer({"qwen": served(Slow())}, keys=[keyed(Budget(usd=1))])


# ---------------------------------------------------------------- idempotency keys


def test_the_same_request_again_is_answered_and_not_paid(shared: Shared) -> None:
    """As it was, also as a stream; another body is refused with 409, and another key's is its own."""
    backend = Slow()
    keys = [Key("a", digest_of("a")), Key("b", digest_of("b"))]
    server = SearchServer({"qwen": served(backend)}, keys=keys, shared=shared)
    mine, theirs = ({"x-api-key": name, "Idempotency-Key": "order 7"} for name in "ab")
    with listening(server) as url:
        first, again = asked(url, mine, BEST), asked(url, mine, BEST)
        assert (first[1], len(backend.asked)) == (again[1], 4)
        assert again[2]["idempotent-replayed"] == "true"
        for changed in ({**BEST, "seed": 3}, {**BEST, "stream": True}, {**BEST, "model": "qwen"}):
            assert asked(url, mine, changed)[0] == 409
        assert asked(url, {**mine, "x-search-budget": "generations=2"}, BEST)[0] == 409
        assert (asked(url, theirs, BEST)[0], len(backend.asked)) == (200, 8)


def test_a_stream_is_answered_again_as_a_stream(shared: Shared) -> None:
    """Event by event."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)}, shared=shared)) as url:
        first, again = (asked(url, {"Idempotency-Key": "s"}, {**BEST, "stream": True}) for _ in range(2))
    assert (first[1], again[2]["content-type"]) == (again[1], first[2]["content-type"])
    assert len(backend.asked) == 4


def test_while_the_first_goes_on_the_second_is_told_to_wait(shared: Shared) -> None:
    """409 with Retry-After; and where the first comes to nothing, the next begins anew."""
    backend = Slow(seconds=30)
    server = SearchServer({"qwen": served(backend)}, shared=shared)
    with listening(server) as url:
        first = request_of(url, BEST, {"Idempotency-Key": "x"})
        until(lambda: backend.in_flight == 4)
        status, _, headers = asked(url, {"Idempotency-Key": "x"}, BEST)
        assert (status, headers["retry-after"]) == (409, "1")
        first.close()
        until(lambda: server.turns.running == 0)
        backend.seconds = 0
        until(lambda: asked(url, {"Idempotency-Key": "x"}, BEST)[0] == 200)


def test_what_was_paid_is_in_the_journal(shared: Shared, tmp_path: Path) -> None:
    """A search that was cut off goes on where it was, when it is asked for again; each call is paid for once."""
    backend = Slow(seconds=lambda request: 30 if request.index == 3 else 0)
    key = keyed(Budget(model_calls=100))
    mine = {**MINE, "Idempotency-Key": "x"}
    with Journal(tmp_path / "run.db") as journal:
        server = SearchServer({"qwen": served(backend)}, keys=[key], shared=shared, journal=journal)
        with listening(server) as url:
            left = request_of(url, BEST, mine)
            until(lambda: any(one.usage.model_calls == 3 for one in list(server.searches.going.values())))
            left.close()
            until(lambda: server.turns.running == 0)
            backend.seconds = 0
            status, said, _ = asked(url, mine, BEST)
            counted = metrics(url, MINE)
    assert (status, json.loads(said)["search"]["generations"], len(backend.asked)) == (200, 4, 5)
    assert 'kind="model_calls"} 5' in counted


@pytest.mark.parametrize(("name", "keeps"), [("", True), ("x" * 256, True), ("x", False)])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(name: str, keeps: bool, shared: Shared) -> None:
    """Rather than paid twice in silence."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)}, shared=shared if keeps else None)) as url:
        assert asked(url, {"Idempotency-Key": name}, BEST)[0] == 400
    assert backend.asked == []


# ---------------------------------------------------------------- metrics, logs


def metrics(url: str, headers: dict[str, str] | None = None) -> str:
    """What Prometheus would read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", "/metrics", headers=headers or {})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_metrics_add_up_and_do_not_grow_with_what_clients_say() -> None:
    """Labels are the operator's names."""
    server = SearchServer({'q"w\\en': served(Slow())})
    with listening(server) as url:
        for number in range(3):
            asked(url, {}, {**BEST, "model": 'q"w\\en@best-of-4', "user": f"user {number}"})
            asked(url, {}, {**BEST, "model": f"unknown {number}"})
        said = metrics(url)
    assert 'searchkit_requests_total{route="chat",key="anybody",model="q\\"w\\\\en",status="200"} 3' in said
    assert 'searchkit_requests_total{route="chat",key="anybody",model="",status="404"} 3' in said
    assert 'kind="generated_tokens"} 36' in said
    assert "searchkit_seconds_count 6" in said
    assert 'searchkit_seconds_bucket{le="+Inf"} 6' in said
    line = re.compile(r'(# (HELP|TYPE) searchkit_\w+ .+|searchkit_\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? [0-9.e+-]+)')
    assert [text for text in said.splitlines() if not line.fullmatch(text)] == []
    assert "user" not in said


def test_metrics_need_a_key_where_there_are_keys() -> None:
    """They say what is served to whom; health does not."""
    with listening(SearchServer({"qwen": served(Slow())}, keys=[Key("a", digest_of("k"))])) as url:
        assert "searchkit_searches" not in metrics(url)
        assert "searchkit_searches 0" in metrics(url, MINE)


def test_a_log_has_nothing_of_what_was_said() -> None:
    """Neither of a question, nor of an answer, a key or an error; and nothing that a terminal obeys."""
    secret, lines = "\x1b[31msecret", list[Any]()

    def reply(request: Any) -> str:
        if request.prompt.text.endswith("fail"):
            raise RuntimeError(secret)
        return secret

    keys = [Key("alice", digest_of("k"))]
    with listening(SearchServer({"qwen": served(Slow(reply))}, keys=keys, log=lines.append)) as url:
        for content in (secret, f"{secret} fail"):
            asked(url, MINE, {"model": "qwen", "messages": [{"role": "user", "content": content}], "user": secret})
        asked(url, {"x-api-key": secret.strip("\x1b")}, {"model": secret, "messages": []})
        asked(url, MINE, {"model": secret, "messages": SUM})
    written = "\n".join(json.dumps(line) for line in lines)
    assert "secret" not in written
    assert [line["status"] for line in lines] == [200, 500, 401, 404]
    assert lines[0] | {"key": "alice", "model": "qwen", "strategy": "plain", "generations": 1} == lines[0]
    assert "RuntimeError" in lines[1]["failure"] or "CallError" in lines[1]["failure"]
