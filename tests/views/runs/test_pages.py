"""Who may see which run, and how its page grows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import shutil
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit.views.runs import RunPages, new_id, pages
from tests.helpers.pages import Page
from tests.helpers.run_pages import Shown, asked, drawn, events
from tests.helpers.serving import listening
from tests.views.test_views import browse

KEYS = {"Bearer of-ann": "ann", "Bearer of-bob": "bob"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def owner(headers: Mapping[str, str]) -> str | None:
    return KEYS.get(headers.get("authorization", ""))


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anything:{password}".encode()).decode()


def test_ids_are_128_random_bits():
    """As hexadecimal digits."""
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(bytes.fromhex(id)) for id in ids} == {16}


@pytest.mark.parametrize("path", ["", "/events"])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer of-ann", 200),
        (basic("of-ann"), 200),
        ("Bearer of-bob", 404),
        (basic("of-bob"), 404),
        (basic("of-nobody"), 401),
        ("", 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), 401),
        ("Bearer of-ann, Bearer of-bob", 401),
    ],
)
def test_a_run_is_shown_to_the_key_that_made_it(path, authorization, status):
    """By a header, or as the password that a browser asks for; to other keys it does not exist."""
    id = new_id()
    with listening(Shown(RunPages(owner), id, "ann")) as url:
        asked(url, "POST", "/start")
        asked(url, "POST", "/go")
        found, headers, body = asked(url, "GET", f"/runs/{id}{path}", {"authorization": authorization})
        assert found == status
        assert ("www-authenticate" in headers) == (status == 401)
        if status == 404:
            assert body == asked(url, "GET", f"/runs/{new_id()}{path}", {"authorization": authorization})[2]


@pytest.mark.parametrize("path", ["/runs/", "/runs/x", "/runs/ID/other", "/runs/ID/events/", "/runs/ID/../ID"])
def test_there_is_nothing_else(path):
    """Nor by other methods."""
    id = new_id()
    with listening(Shown(RunPages(), id)) as url:
        asked(url, "POST", "/start")
        asked(url, "POST", "/go")
        assert asked(url, "GET", path.replace("ID", id))[0] == 404
        assert asked(url, "DELETE", f"/runs/{id}")[0] == 405
        assert asked(url, "GET", f"/runs/{id}")[0] == 200


def test_a_page_holds_nothing_of_the_run_and_may_do_nothing_else():
    """It runs its own script alone, loads nothing, asks its own server, and stands in no frame."""
    id = new_id()
    with listening(Shown(RunPages(), id)) as url:
        asked(url, "POST", "/start")
        asked(url, "POST", "/go")
        status, headers, body = asked(url, "GET", f"/runs/{id}")
    page = Page(body.decode())
    [policy] = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["script-src"].startswith("'sha256-")
    assert rules["style-src"].startswith("'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert (status, "19 + 23" in body.decode()) == (200, False)


def test_events_come_while_it_runs_and_end_with_it():
    """The first before anything was answered, the last with the end."""
    id = new_id()
    with listening(Shown(RunPages(), id)) as url:
        asked(url, "POST", "/start")
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", f"/runs/{id}/events")
            answer = connection.getresponse()
            [first] = events(answer.readline() + b"\n")
            asked(url, "POST", "/go")
            last = events(answer.read())[-1]
    assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert first["fresh"]
    assert "stopped" not in first
    assert first["spans"]
    assert last["stopped"] == "done"
    assert last["best"]


def test_a_page_that_is_closed_is_told_nothing_more():
    """Nobody listens to the search then, which goes on."""
    id = new_id()
    shown = Shown(RunPages(), id)
    with listening(shown) as url:
        asked(url, "POST", "/start")
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("GET", f"/runs/{id}/events")
        connection.getresponse().close()
        connection.close()
        until = time.monotonic() + 20
        while shown.pages._viewers and time.monotonic() < until:
            time.sleep(0.01)
        assert shown.pages._viewers == 0
        assert shown.searching is not None
        assert not shown.searching.done
        asked(url, "POST", "/go")


def test_pages_that_grow_are_bounded(monkeypatch):
    """One more is told to come back."""
    monkeypatch.setattr(pages, "VIEWERS", 0)
    id = new_id()
    with listening(Shown(RunPages(), id)) as url:
        asked(url, "POST", "/start")
        status, headers, _ = asked(url, "GET", f"/runs/{id}/events")
        asked(url, "POST", "/go")
    assert (status, "retry-after" in headers) == (503, True)


def test_runs_that_have_ended_are_kept_for_a_while(monkeypatch):
    """The last few; those that go on are all kept."""
    monkeypatch.setattr(pages, "KEPT", 3)

    async def main() -> list[str]:
        shown, going = RunPages(), drawn(_Never(), n=1)
        shown.show("going", going)
        for number in range(6):
            searching = drawn(n=1)
            await searching
            shown.show(str(number), searching)
        going.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await going
        return list(shown._runs)

    assert asyncio.run(main()) == ["going", "3", "4", "5"]


def test_a_run_costs_the_same_however_many_there_were():
    """Of 2,000 that have ended some 64 are kept, and each is looked at a few times."""
    looked = 0

    class Ended:
        @property
        def done(self) -> bool:
            nonlocal looked
            looked += 1
            return True

    shown = RunPages()
    for number in range(2000):
        shown.show(str(number), Ended())  # type: ignore[arg-type]
    assert pages.KEPT <= len(shown._runs) <= 1.25 * pages.KEPT
    assert list(shown._runs)[-1] == "1999"
    assert looked <= 10 * 2000


class _Never:
    name = "never"

    async def complete(self, requests: Any) -> Any:
        await asyncio.Event().wait()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_what_happens_and_runs_nothing_else(tmp_path):
    """Opened before the first answer: in the end it shows the tree, the trace, the cost and the answer, as texts."""
    id = new_id()
    with listening(Shown(RunPages(), id, holds=True)) as url:
        asked(url, "POST", "/start")
        left = browse(f"{url}/runs/{id}", tmp_path / "user", "--timeout=50000")
    found = Page(left)
    assert "owned" not in left.partition("<title>")[2].partition("</title>")[0].replace("='owned'", "")
    assert not [tag for tag, _ in found.elements if tag in ("img", "iframe", "object")]
    state = [attributes for _, attributes in found.elements if attributes.get("id") == "state"]
    assert [attributes["class"] for attributes in state] == ["done"]
    rows = [attributes for _, attributes in found.elements if "row" in (attributes.get("class") or "").split()]
    assert len(rows) > 20
    assert "&lt;img src=x" in left
