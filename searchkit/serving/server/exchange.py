"""One request to a model's API and its answer, from the guard to the last byte."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit import wire
from searchkit.result import Result
from searchkit.serving.server.answering import answer
from searchkit.serving.server.asking import Asked, asked_of
from searchkit.serving.server.catalogue import Catalogue
from searchkit.serving.server.guarding import Left, Receive, body_of, foreign
from searchkit.serving.server.keys import Key, Keyring
from searchkit.serving.server.refusing import Refusal, refusal_of
from searchkit.serving.server.searches import STOPPING, Searches, until_left
from searchkit.serving.server.telling import Send, Telling
from searchkit.wire import Route, refusals
from searchkit.wire.fields import LARGEST

RUN = "x-search-run"
Noted = Callable[["Exchange", int, BaseException | None], None]


@dataclass(frozen=True)
class Doors:
    """Who may ask, and what. hosts: names by which the server is known; None: local ones. largest: bytes of a body."""

    catalogue: Catalogue
    keyring: Keyring
    hosts: Collection[str] | None = None
    largest: int = LARGEST

    def enter(self, headers: Mapping[str, str]) -> Key:
        """Whose request it is. Raises `Refusal`.

        With keys and no names a page of another site is let through: it has no key, and no browser sends ours.
        """
        if (self.hosts is not None or not self.keyring) and (refusal := foreign(headers, self.hosts)) is not None:
            raise refusal
        owner = self.keyring.owner(headers)
        if owner is None:
            raise Refusal(401, "the key is missing, or not one of ours", headers={"www-authenticate": "Bearer"})
        return owner


@dataclass
class Exchange:
    """One request. What is known of it fills up while it is answered."""

    route: Route
    headers: Mapping[str, str]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    began: float = field(default_factory=time.perf_counter)
    key: Key | None = None
    asked: Asked | None = None
    result: Result[Any] | None = None

    async def run(self, doors: Doors, searches: Searches, receive: Receive, send: Send, noted: Noted) -> None:
        """Answer it. noted: told in the end of the status (0: the client has left) and of what went wrong."""
        try:
            status, error = await self._answered(doors, searches, receive, send), None
        except Left:
            status, error = 0, None
        except Exception as failure:
            refusal, error = refusal_of(failure), failure
            status = refusal.status
            await respond(send, status, refusals.body(self.route, status, refusal.message, param=refusal.param),
                          {RUN: self.id, **refusal.headers})  # fmt: skip
        noted(self, status, error)

    async def _answered(self, doors: Doors, searches: Searches, receive: Receive, send: Send) -> int:
        self.key = doors.enter(self.headers)
        request = wire.parse(self.route, await body_of(self.headers, receive, doors.largest), doors.largest)
        self.asked = asked = asked_of(request, doors.catalogue, self.key, self.headers)
        created = int(time.time())
        sent = [(RUN.encode(), self.id.encode())]
        telling = Telling(send, asked, self.id, created, self.headers, sent) if request.stream else None
        try:
            self.result = await self._searched(searches, receive, telling)
            said = answer(asked, self.result, self.id, created)
        except Left:
            if telling is not None:
                await telling.leave()
            raise
        except Exception as failure:
            if telling is None or not await telling.refuse(refusal_of(failure)):
                raise
            return refusal_of(failure).status
        if telling is not None:
            await telling.end(said)
        else:
            await respond(send, 200, json.dumps(said).encode(), {RUN: self.id})
        return 200

    async def _searched(self, searches: Searches, receive: Receive, telling: Telling | None) -> Result[Any]:
        assert self.asked is not None
        assert self.key is not None
        work = asyncio.create_task(searches.result(self.id, self.asked, self.key, telling))
        if not await until_left(work, asyncio.ensure_future(receive())):
            raise Left
        if work.cancelled():
            raise Refusal(503, STOPPING, headers={"retry-after": "1"})
        return work.result()


async def respond(send: Callable[[dict[str, Any]], Awaitable[None]], status: int, body: bytes, headers: Any) -> None:
    """A whole answer, as JSON."""
    length = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in length.items()]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
