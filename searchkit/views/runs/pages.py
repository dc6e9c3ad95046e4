"""The pages of runs over HTTP: who may see which, and the events by which a page grows. An ASGI application."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from searchkit.events import Event
from searchkit.markup.page import asset, page
from searchkit.searching import Searching
from searchkit.views.runs.told import Told

KEPT = 64
"""Runs that have ended and can still be looked at."""
VIEWERS = 64
"""Pages that grow at once."""
EVERY, QUIET = 0.25, 10.0
"""Seconds between two pieces of news, and after which a page without any is told that we are there."""
HERE = Path(__file__).parent
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'; sandbox allow-scripts allow-same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
Owner = Callable[[Mapping[str, str]], str | None]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def new_id() -> str:
    """128 random bits, which nobody guesses."""
    return secrets.token_hex(16)


def _anybody(headers: Mapping[str, str]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Run:
    """A search, and whose it is."""

    searching: Searching[Any]
    owner: str


class RunPages:
    """Answers ``/runs/ID`` with the page of a run, and ``/runs/ID/events`` with what happens in it.

    owner: given the headers of a request, the name of who asks by the key that they bring, None for nobody; by default
    everybody may see every run whose ID he knows, which is for servers on 127.0.0.1 alone. A browser asks for the key
    as a password. A run is shown to its owner only; to others it does not exist.

    Cost: nothing for runs that nobody looks at; each page that is open makes events of its search, and 4 messages a
    second at most.

    >>> import asyncio
    >>> from searchkit import Model, start
    >>> from searchkit.strategies import SelfConsistency
    >>> from searchkit.testing import Scripted
    >>> from searchkit.views.runs import RunPages, new_id
    >>> async def main():
    ...     pages, id, said = RunPages(), new_id(), []
    ...     search = start("19 + 23?", SelfConsistency(3), generator=Model(Scripted(lambda request: "42")))
    ...     pages.show(id, search)
    ...     async def send(message):
    ...         said.append(message)
    ...     await pages({"type": "http", "method": "GET", "path": f"/runs/{id}", "headers": []}, None, send)
    ...     await search
    ...     return said[0]["status"]
    >>> asyncio.run(main())
    200
    """

    def __init__(self, owner: Owner = _anybody) -> None:
        self._owner = owner
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._viewers = 0
        self._room = KEPT

    def show(self, id: str, searching: Searching[Any], owner: str = "") -> None:
        """From now on `owner` may look at the run by its `id`, while it goes on and for a while after."""
        self._runs[id] = Run(searching, owner)
        if len(self._runs) <= self._room:  # to look at all of them each time took a third of what a server does
            return
        ended = [id for id, run in self._runs.items() if run.searching.done]
        for id in ended[: max(0, len(ended) - KEPT)]:
            del self._runs[id]
        self._room = len(self._runs) + KEPT // 4

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """ASGI."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        who = self._owner(_with_key(headers))
        if who is None:
            asks = {"www-authenticate": 'Basic realm="the key that made this run, as the password", charset="UTF-8"'}
            return await _say(send, 401, "a run is shown to the key that made it", asks)
        if scope["method"] not in ("GET", "HEAD"):
            return await _say(send, 405, "runs are looked at: GET", {"allow": "GET, HEAD"})
        id, _, rest = scope["path"].removeprefix("/runs/").partition("/")
        run = self._runs.get(id)
        if run is None or not secrets.compare_digest(run.owner.encode(), who.encode()) or rest not in ("", "events"):
            return await _say(send, 404, "there is no such run for this key, or it is over for a while")
        if not rest:
            return await _say(send, 200, _page(), kind="text/html; charset=utf-8")
        if self._viewers >= VIEWERS:
            return await _say(send, 503, f"{VIEWERS} pages are open: close one", {"retry-after": "10"})
        self._viewers += 1
        try:
            await _grow(run.searching, receive, send)
        finally:
            self._viewers -= 1


def _with_key(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers with the password that a browser was given as a key."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return headers
    try:
        password = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        password = ""
    return {**headers, "authorization": f"Bearer {password}"}


async def _grow(searching: Searching[Any], receive: Any, send: Send) -> None:
    """The events of a page, until the search is over or the page is closed."""
    told = Told(searching)
    await send({"type": "http.response.start", "status": 200, "headers": _raw("text/event-stream; charset=utf-8", {})})
    left = asyncio.ensure_future(_left(receive))
    fed = asyncio.ensure_future(_feed(told))
    await asyncio.sleep(0)  # it takes what is known already
    try:
        quiet, before = 0.0, ""
        while not (told.over or left.done()):
            said = told.news()
            dumped = json.dumps({**said, "seconds": 0}, allow_nan=False)
            if dumped != before or told.over:
                message, before, quiet = f"data: {json.dumps(said, allow_nan=False)}\n\n", dumped, 0.0
            elif quiet >= QUIET:
                message, quiet = ": it goes on\n\n", 0.0
            else:
                message = ""
            if message:
                await send({"type": "http.response.body", "body": message.encode(), "more_body": True})
            quiet += EVERY
            await asyncio.wait({left, fed} if not fed.done() else {left}, timeout=EVERY, return_when="FIRST_COMPLETED")
        if not left.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        for task in (left, fed):
            task.cancel()
        await asyncio.wait({left, fed})


async def _feed(told: Told) -> None:
    async for event in told.events:
        assert isinstance(event, Event)
        told.take(event)


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@cache
def _page() -> str:
    """The same for all runs: what is in them comes by events."""
    return page("Run", asset(HERE / "run.html"), None, asset(HERE / "run.js"), asset(HERE / "run.css"), connects=True)


async def _say(
    send: Send, status: int, said: str, more: Mapping[str, str] | None = None, kind: str = "text/plain; charset=utf-8"
) -> None:
    body = said.encode()
    headers = _raw(kind, {"content-length": str(len(body)), **(more or {})})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _raw(kind: str, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in {"content-type": kind, **HEADERS, **more}.items()]
