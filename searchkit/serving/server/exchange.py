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
from searchkit.serving.answers import Answers
from searchkit.serving.server.answering import FIELD, answer
from searchkit.serving.server.asking import Asked, asked_of, kept
from searchkit.serving.server.catalogue import Catalogue
from searchkit.serving.server.guarding import Bodies, Left, Receive, body_of, foreign
from searchkit.serving.server.keys import Key, Keyring
from searchkit.serving.server.once import IDEMPOTENCY, Claimed, once
from searchkit.serving.server.refusing import Refusal, later, refusal_of
from searchkit.serving.server.searches import STOPPING, Searches, until_left
from searchkit.serving.server.telling import EVENTS, Send, Telling
from searchkit.types import NO_USAGE, Usage
from searchkit.wire import Route, WireRequest, refusals

RUN = "x-search-run"
Noted = Callable[["Exchange", int], None]


@dataclass(frozen=True)
class Doors:
    """Who may ask, and what.

    hosts: names by which the server is known; None: local ones. bodies: what those of all requests take. answers: those
    that were given under idempotency keys; None: they are not kept.
    """

    catalogue: Catalogue
    keyring: Keyring
    hosts: Collection[str] | None = None
    bodies: Bodies = field(default_factory=Bodies)
    answers: Answers | None = None

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
    spent: Usage = NO_USAGE
    failure: BaseException | None = None

    async def run(self, doors: Doors, searches: Searches, receive: Receive, send: Send, noted: Noted) -> None:
        """Answer it. noted: told in the end of the status; 0: the client has left."""
        try:
            status = await self._answered(doors, searches, receive, send)
        except Left:
            status = 0
        except Exception as failure:
            refusal, self.failure = refusal_of(failure), failure
            status = refusal.status
            await respond(send, status, refusals.body(self.route, status, refusal.message, param=refusal.param),
                          {RUN: self.id, **refusal.headers})  # fmt: skip
        noted(self, status)

    async def _answered(self, doors: Doors, searches: Searches, receive: Receive, send: Send) -> int:
        self.key = doors.enter(self.headers)
        with doors.bodies.one() as take:
            body = await body_of(self.headers, receive, doors.bodies, take)
            return await self._read(doors, searches, receive, send, body)

    async def _read(self, doors: Doors, searches: Searches, receive: Receive, send: Send, body: bytes) -> int:
        assert self.key is not None
        request = wire.parse(self.route, body, doors.bodies.largest)
        self.asked = asked_of(request, doors.catalogue, self.key, self.headers)
        if (name := self.headers.get(IDEMPOTENCY)) is not None:
            self.asked = kept(self.asked, self.key, name)
        async with once(doors.answers, self.key, name, self.route, body, self.asked.choice) as claimed:
            if claimed.before is not None:
                return await self._again(send, self.asked.request, json.loads(claimed.before))
            return await self._anew(searches, receive, send, self.asked, claimed)

    async def _anew(self, searches: Searches, receive: Receive, send: Send, asked: Asked, claimed: Claimed) -> int:
        created, sent = int(time.time()), [(RUN.encode(), self.id.encode())]
        telling = Telling(send, asked, self.id, created, self.headers, sent) if asked.request.stream else None
        try:
            said = answer(asked, await self._searched(searches, receive, telling), self.id, created)
            await claimed.keep(said)
        except Left:
            if telling is not None:
                await telling.leave()
            raise
        except Exception as failure:
            if telling is None or not await telling.refuse(refusal_of(failure)):
                raise
            self.failure = failure
            return refusal_of(failure).status
        if telling is not None:
            await telling.end(said)
        else:
            await respond(send, 200, json.dumps(said).encode(), {RUN: self.id})
        return 200

    async def _again(self, send: Send, request: WireRequest, said: Mapping[str, Any]) -> int:
        """What was answered under this idempotency key."""
        headers = {RUN: said[FIELD]["run"], "idempotent-replayed": "true"}
        if request.stream:
            events = b"".join(wire.events(request.route, said, usage=request.include_usage))
            await respond(send, 200, events, {**headers, "content-type": EVENTS.decode()})
        else:
            await respond(send, 200, json.dumps(said).encode(), headers)
        return 200

    def _spend(self, usage: Usage) -> None:
        self.spent = usage

    async def _searched(self, searches: Searches, receive: Receive, telling: Telling | None) -> Result[Any]:
        assert self.asked is not None
        assert self.key is not None
        work = asyncio.create_task(searches.result(self.id, self.asked, self.key, telling, self._spend))
        if not await until_left(work, asyncio.ensure_future(receive())):
            raise Left
        if work.cancelled():
            raise Refusal(503, STOPPING, headers=later(1))
        return work.result()


async def respond(send: Callable[[dict[str, Any]], Awaitable[None]], status: int, body: bytes, headers: Any) -> None:
    """A whole answer, as JSON."""
    length = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in length.items()]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
