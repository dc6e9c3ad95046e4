"""No transport follows a redirect to another host, port or scheme with the prompt."""

from __future__ import annotations

import pytest

from searchkit import CallError, Params, Sample
from searchkit.generators import OpenAI
from searchkit.types import ConfidenceFloor
from tests.attacks.hostile import PARAMS, Hostile, call, case, completion, http

STATUSES = ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
# Where to: {port} is that of another server.
PLACES = [
    case("another-port", "http://127.0.0.1:{port}/v1/chat/completions"),
    case("another-host", "http://localhost:{port}/v1/chat/completions"),
    case("another-scheme", "https://127.0.0.1:{port}/v1/chat/completions"),
    case("no-scheme", "//127.0.0.1:{port}/v1/chat/completions"),
    case("with-a-user", "http://user:secret@127.0.0.1:{port}/v1/chat/completions"),
    case("host-as-a-user", "http://127.0.0.1@localhost:{port}/v1/chat/completions"),
    case("a-number-as-host", "http://2130706433:{port}/v1/chat/completions"),
    case("capital-scheme", "HTTP://127.0.0.1:{port}/v1/chat/completions"),
    case("backslashes", "http:\\\\127.0.0.1:{port}\\v1\\chat\\completions"),
]


@pytest.mark.parametrize("transport", ["direct", "official"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", PLACES)
def test_the_prompt_does_not_follow(place: str, status: str, transport: str) -> None:
    """The other server hears nothing, and the error says that a redirect was not followed."""
    with Hostile(http(completion())) as other:
        where = place.format(port=other.port)
        with Hostile(http("", status, "text/plain", Location=where)) as server:
            entry = call(server.url, transport=transport, api_key="sk-secret")
        assert isinstance(entry, CallError)
        assert (other.connections, other.asked) == (0, [])
    assert "redirect" in str(entry).lower()
    assert "secret" not in str(entry)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_stream_does_not_follow(status: str) -> None:
    """The same for a request to stream."""
    params = Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.1))
    with Hostile(http(completion())) as other:
        where = f"http://localhost:{other.port}/v1"
        with Hostile(http("", status, "text/plain", Location=where)) as server:
            entry = call(server.url, params)
        assert isinstance(entry, CallError)
        assert other.connections == 0
    assert "redirect" in str(entry).lower()


@pytest.mark.parametrize("transport", ["direct", "official"])
@pytest.mark.parametrize(
    "headers",
    [
        case("no-location", {}),
        case("empty-location", {"Location": ""}),
        case("itself", {"Location": "/v1/chat/completions"}),
        case("a-file", {"Location": "file:///etc/passwd"}),
        case("javascript", {"Location": "javascript:alert(1)"}),
        case("data", {"Location": "data:application/json,{}"}),
        case("a-long-one", {"Location": "/" + "a" * 50_000}),
        case("an-escape", {"Location": "http://x/\x1b[2J"}),
        case("refresh", {"Refresh": "0; url=http://localhost/"}),
    ],
)
def test_redirects_to_nowhere_end(headers: dict[str, str], transport: str) -> None:
    """Loops, files and nothing: a `CallError`, after a few requests at most."""
    with Hostile(http("", "307 Temporary Redirect", "text/plain", **headers)) as server:
        entry = call(server.url, PARAMS, transport=transport)
    assert isinstance(entry, CallError)
    assert len(server.asked) <= 30
    assert len(str(entry)) < 2000
    assert "\x1b" not in str(entry)


# Where a redirect of {here}/chat/completions leads, and the base_url that is advised; None for none.
ADVICE = [
    case("another-port", "http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:9/v1"),
    case("https", "https://models.example/v1/chat/completions", "https://models.example/v1"),
    case("another-base", "http://h/api/openai/chat/completions?x=1", "http://h/api/openai"),
    case("with-a-slash", "http://h/v2/chat/completions/", "http://h/v2"),
    case("a-path", "/v2/chat/completions", "{host}/v2"),
    case("no-scheme", "//h/v1/chat/completions", "http://h/v1"),
    case("with-a-user", "http://user:secret@h/v1/chat/completions", "http://h/v1"),
    case("only-a-slash-more", "{host}/v1/chat/completions/", None),
    case("itself", "{host}/v1/chat/completions", None),
    case("a-login", "https://sso.example/login?next=/v1/chat/completions", None),
    case("a-page", "https://models.example/", None),
    case("nothing", "", None),
    case("another-protocol", "ftp://h/v1/chat/completions", None),
    case("no-address", "http://[::1/v1/chat/completions", None),
]


@pytest.mark.parametrize(("place", "advised"), ADVICE)
def test_the_advice_leads_somewhere(place: str, advised: str | None) -> None:
    """A base_url is advised that one can pass, or none."""
    with Hostile(lambda asked: http("", "308 Permanent Redirect", Location=place.format(host=host))) as server:
        host = server.url.removesuffix("/v1")
        error = str(call(server.url))
    if advised is None:
        assert "use base_url" not in error
    else:
        found = advised.format(host=host)
        assert f"use base_url={found!r}" in error
        OpenAI(found, "m")
    assert "redirects to" in error
    assert "secret" not in error


def test_the_advice_is_right() -> None:
    """Followed to the letter, it works."""
    with Hostile(lambda a: http(completion()) if a.target == "/new/chat/completions" else http({}, "404 No")) as good:
        moved = good.url.removesuffix("/v1") + "/new/chat/completions"
        with Hostile(http("", "301 Moved", Location=moved)) as old:
            error = str(call(old.url))
        advised = error.split("use base_url='")[1].split("'")[0]
        assert isinstance(call(advised), Sample)
