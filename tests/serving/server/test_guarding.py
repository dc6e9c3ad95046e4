"""Attacks: other hosts, other sites, wrong keys, bodies that are too long, too deep or too slow."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit.errors import ConfigError
from searchkit.serving.server import Key, SearchServer, digest_of, guarding, new_key, serve
from searchkit.serving.server.guarding import check_bind, foreign, is_local
from searchkit.serving.server.keys import Keyring
from searchkit.types import Budget
from tests.helpers.serving import SUM, Slow, endless_head_is_refused, listening, served

ASK = {"model": "qwen", "messages": SUM}


def asked(
    url: str, headers: dict[str, str] | None = None, body: Any = ASK, path: str = "/v1/chat/completions"
) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of the answer to a request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request("POST", path, raw, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize("lines", [b"a: " + b"x" * 100_000, b"a: b\r\n" * 20_000], ids=["one-long", "many"])
def test_a_head_without_an_end_is_refused_early(lines: bytes) -> None:
    """Whatever else is installed from which uvicorn might choose. The program's own is in tests/cli/test_serve.py."""
    with listening(SearchServer({"qwen": served(Slow())})) as url:
        assert endless_head_is_refused(url, lines)


# ---------------------------------------------------------------- where a request comes from


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "evil.example@127.0.0.1"},
        {"Host": "0.0.0.0"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": "http://127.0.0.1@evil.example"},
        {"Origin": ""},
    ],
    ids=lambda headers: "-".join(map("=".join, headers.items())),
)
def test_without_keys_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    """By its Origin, and by a name that it made resolve to this machine."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)})) as url:
        status, said, _ = asked(url, headers)
    assert (status, backend.asked) in [(403, []), (400, [])]
    assert "ours" in said or status == 400


@pytest.mark.parametrize(
    "headers", [{}, {"Host": "localhost:1"}, {"Host": "[::1]"}, {"Origin": "http://localhost:3000"}]
)
def test_a_local_page_may_ask(headers: dict[str, str]) -> None:
    """It is of this machine."""
    with listening(SearchServer({"qwen": served(Slow())})) as url:
        assert asked(url, headers)[0] == 200


def test_names_of_ones_own_can_be_listed() -> None:
    """Behind a proxy, with keys or without."""
    assert foreign({"host": "search.example", "origin": "https://search.example"}, {"search.example"}) is None
    assert foreign({"host": "127.0.0.1"}, {"search.example"}) is not None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", "", "127.0.0.1.example.com"])
def test_without_keys_a_server_does_not_listen_elsewhere(host: str) -> None:
    """It refuses to start, and says what to do."""
    assert not is_local(host)
    with pytest.raises(ConfigError, match="serve-key"):
        serve(SearchServer({"qwen": served(Slow())}), host, 0)
    check_bind(host, keyed=True)


def test_the_address_of_a_client_stands_for_no_key() -> None:
    """Whatever it says of where it comes from."""
    key = Key("alice", digest_of("sk-search-alice"))
    with listening(SearchServer({"qwen": served(Slow())}, keys=[key])) as url:
        for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host"):
            assert asked(url, {header: "127.0.0.1"})[0] == 401


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer sk-search-alice"}, 200),
        ({"Authorization": "bearer  sk-search-alice"}, 200),
        ({"x-api-key": "sk-search-alice"}, 200),
        ({}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic sk-search-alice"}, 401),
        ({"Authorization": "Bearer sk-search-alic"}, 401),
        ({"Authorization": "Bearer sk-search-alicee"}, 401),
        ({"Authorization": "Bearer SK-SEARCH-ALICE"}, 401),
        ({"Authorization": "Bearer \xe9"}, 401),
        ({"x-api-key": digest_of("sk-search-alice")}, 401),  # what the file says opens nothing
        ({"Cookie": "key=sk-search-alice"}, 401),
    ],
    ids=str,
)
def test_a_key_opens_and_nothing_else_does(headers: dict[str, str], status: int) -> None:
    """Nothing is asked of a model for who has none."""
    backend = Slow()
    keys = [Key("bob", digest_of("sk-search-bob")), Key("alice", digest_of("sk-search-alice"))]
    with listening(SearchServer({"qwen": served(backend)}, keys=keys)) as url:
        found, said, answered = asked(url, headers)
        listed = asked(url, headers, path="/v1/models")[0]
    assert (found, len(backend.asked)) == (status, status == 200)
    assert listed in (401, 404, 405) if status == 401 else True
    assert "sk-search" not in said
    assert status == 200 or answered["www-authenticate"] == "Bearer"


def test_all_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `hmac.compare_digest`, each of them, whichever fits."""
    compared = list[tuple[str, str]]()
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    keys = [Key(str(i), digest_of(f"key {i}")) for i in range(5)]
    for sent in ("key 0", "key 4", "none of them"):
        compared.clear()
        owner = Keyring(keys).owner({"authorization": f"Bearer {sent}"})
        assert (owner.name if owner else None) == (sent[-1] if sent.startswith("key") else None)
        assert [theirs for _, theirs in compared] == [key.digest for key in keys]
        assert all(len(ours) == 64 for ours, _ in compared)  # digests, so that no length says anything


def test_keys_are_random_and_only_digests_are_kept() -> None:
    """A key is nowhere in what the server holds."""
    first, second = new_key(), new_key()
    assert first != second
    assert len(first) > 40
    server = SearchServer({"qwen": served(Slow())}, keys=[Key("a", digest_of(first))])
    assert first not in repr(vars(server))
    with pytest.raises(ConfigError, match="digest"):
        Key("a", first)


def test_a_key_has_its_models_and_ceilings() -> None:
    """It cannot learn of others."""
    mine = Key("a", digest_of("k"), frozenset({"one"}), Budget(generations=2))
    server = SearchServer({"one": served(Slow()), "two": served(Slow())}, keys=[mine])
    headers = {"Authorization": "Bearer k"}
    with listening(server) as url:
        assert asked(url, headers, {**ASK, "model": "two"})[0] == 404
        found = asked(url, headers, {**ASK, "model": "nothing"})[1]
        assert "one" in found
        assert "two" not in found
        over = {"search": {"budget": {"generations": 3}}}
        assert asked(url, headers, {**ASK, "model": "one@best-of-4", **over})[0] == 400
        status, said, _ = asked(url, headers, {**ASK, "model": "one@best-of-4"})
    assert (status, json.loads(said)["search"]["generations"]) == (200, 2)


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"model": "qwen", "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}, 400),
        (b'{"model": "qwen", "messages": [], "seed": NaN}', {}, 400),
        (b'{"model": 7, "messages": []}', {}, 400),
        (b"x" * 100_001, {}, 413),
        (b"x", {"Content-Encoding": "gzip"}, 415),
        (b"x", {"Content-Encoding": "deflate, gzip"}, 415),
    ],
    ids=["empty", "cut", "list", "bytes", "deep", "nan", "model", "long", "gzip", "twice"],
)
def test_a_body_is_bounded_and_must_be_json(body: bytes, headers: dict[str, str], status: int) -> None:
    """In size and depth; nothing is unpacked."""
    backend = Slow()
    with listening(SearchServer({"qwen": served(backend)}, largest=100_000)) as url:
        found, said, _ = asked(url, headers, body)
    assert (found, backend.asked) == (status, [])
    assert json.loads(said)["error"]["message"]


def test_a_body_without_a_length_is_bounded_too() -> None:
    """It is read in pieces, and no more of it than is allowed."""
    with listening(SearchServer({"qwen": served(Slow())}, largest=1000)) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        try:
            connection.request("POST", "/v1/chat/completions", iter([b"x" * 600] * 2), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})  # fmt: skip
            assert connection.getresponse().status == 413
        finally:
            connection.close()


def test_bodies_are_bounded_together_until_they_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes when the room is full is told to come back, and may when there is room again."""
    monkeypatch.setattr(guarding, "ROOM", 60_000)
    long = {**ASK, "messages": [{"role": "user", "content": "x" * 40_000}]}
    slow = Slow(seconds=1.0)
    with listening(SearchServer({"qwen": served(slow)}, largest=50_000)) as url, ThreadPoolExecutor(2) as pool:
        first = pool.submit(asked, url, {}, long)
        while not slow.asked:
            time.sleep(0.01)
        status, said, headers = asked(url, {}, long)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "come back later" in said
        assert asked(url)[0] == 200  # there is room for this one
        assert first.result()[0] == 200
        assert asked(url, {}, long)[0] == 200


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a byte now and then holds nothing for long."""
    monkeypatch.setattr(guarding, "SLOWEST", 0.05)
    with listening(SearchServer({"qwen": served(Slow())})) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        try:
            connection.putrequest("POST", "/v1/chat/completions")
            connection.putheader("Content-Length", "100")
            connection.endheaders(b"{")
            assert connection.getresponse().status == 408
        finally:
            connection.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/files", 404),
        ("/v1/chat/completions/", 404),
        ("/v1/../v1/chat/completions", 404),
        ("//v1/chat/completions", 404),
        ("/v1/models/../../etc/passwd", 404),
        ("/" + "x" * 5000, 404),
        ("/v1/models", 404),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_paths_are_nothing(path: str, status: int) -> None:
    """Nothing else is behind the server; what is quoted is short."""
    with listening(SearchServer({"qwen": served(Slow())})) as url:
        found, said, _ = asked(url, path=path)
    assert found == status
    assert len(said) < 400
