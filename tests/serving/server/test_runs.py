"""Run pages of the server: `/runs/ID`, where ID stands in the answer's header."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit.serving.server import Key, SearchServer, digest_of
from tests.helpers.run_pages import asked, events
from tests.helpers.serving import SUM, Slow, listening, served

ANN, BOB = "sk-search-of-ann", "sk-search-of-bob"
KEYS = (Key("ann", digest_of(ANN)), Key("bob", digest_of(BOB)))


def searched(url: str, key: str, **more: Any) -> tuple[str, http.client.HTTPResponse, http.client.HTTPConnection]:
    """The ID of a search by this key, and its answer, which may go on."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    body = json.dumps({"model": "qwen@best-of-4", "messages": SUM, **more})
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    return answer.headers["x-search-run"], answer, connection


def test_a_run_is_shown_to_the_key_that_made_it():
    """By the key as a header, or as a password; to another it does not exist, to nobody it asks for one."""
    with listening(SearchServer({"qwen": served(Slow())}, keys=KEYS)) as url:
        id, answer, connection = searched(url, ANN)
        with contextlib.closing(connection):
            assert answer.status == 200
            assert json.loads(answer.read())["choices"][0]["message"]["content"] == "42"
        assert len(bytes.fromhex(id)) == 16
        password = base64.b64encode(f":{ANN}".encode()).decode()
        sent = {"": 401, f"Bearer {ANN}": 200, f"Basic {password}": 200, f"Bearer {BOB}": 404, "Bearer x": 401}
        for path in (f"/runs/{id}", f"/runs/{id}/events"):
            found = {key: asked(url, "GET", path, {"authorization": key})[0] for key in sent}
            assert found == sent
        told = events(asked(url, "GET", f"/runs/{id}/events", {"authorization": f"Bearer {ANN}"})[2])
    assert told[-1]["stopped"] == "done"
    assert told[-1]["best"]["text"] == "42"


def test_a_search_is_looked_at_while_it_goes_on():
    """The page is told of it before the client has its answer."""
    backend = Slow(seconds=0.3)
    with listening(SearchServer({"qwen": served(backend)}, keys=KEYS)) as url:
        search = {"strategy": "best-of-4", "progress": "reasoning"}
        id, answer, connection = searched(url, ANN, stream=True, search=search)
        with contextlib.closing(connection):
            told = events(asked(url, "GET", f"/runs/{id}/events", {"authorization": f"Bearer {ANN}"})[2])
            assert b"42" in answer.read()
    assert told[0]["strategy"] == "BestOfN"
    assert told[-1]["stopped"] == "done"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_without_keys_a_page_of_another_site_sees_no_run(headers):
    """As it may not ask either."""
    with listening(SearchServer({"qwen": served(Slow())})) as url:
        id, answer, connection = searched(url, "none")
        with contextlib.closing(connection):
            answer.read()
        assert asked(url, "GET", f"/runs/{id}", headers)[0] == 403
        assert asked(url, "GET", f"/runs/{id}")[0] == 200
