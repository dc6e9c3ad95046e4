"""The server as an ASGI application: which path is what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError
from searchkit.serving.accounts import Accounts
from searchkit.serving.answers import Answers
from searchkit.serving.server.catalogue import Catalogue, Served
from searchkit.serving.server.exchange import Doors, Exchange, respond
from searchkit.serving.server.guarding import Bodies, headers_of
from searchkit.serving.server.keys import ANYBODY, Key, Keyring
from searchkit.serving.server.metrics import CONTENT_TYPE, Metrics
from searchkit.serving.server.noting import line, model_of
from searchkit.serving.server.refusing import Refusal
from searchkit.serving.server.searches import Searches
from searchkit.serving.server.turns import Turns
from searchkit.serving.shared import Shared
from searchkit.views.runs import RunPages
from searchkit.wire import PATHS, refusals, route_of
from searchkit.wire.fields import LARGEST
from searchkit.wire.values import Route

ROUTES: Mapping[str, Route] = {f"/v1{path}": route for route, path in PATHS.items()}
CREATED = 1764547200  # of all models: the lists of clients sort by it


class SearchServer:
    """Strategies behind the OpenAI API and Anthropic's messages, as an ASGI application.

    - models: by name.
    - keys: who may ask; without any, everybody who reaches the server, which then must listen on 127.0.0.1 alone.
    - hosts: names by which the server is known: others are refused. None: local ones where there are no keys, else any.
    - concurrency: searches at once. queue: requests that may wait for their turn; others get 429 with Retry-After.
    - largest: bytes of a request.
    - shared: the file in which all workers keep what keys have spent, and what was answered under idempotency keys.
    - journal: of this process alone; keeps finished calls of requests with an idempotency key, so that what was paid
      for is not lost with it.
    - log: called with each request that has ended, without anything of what was said.

    Raises `ConfigError` for names that are taken twice, and for a key with a budget where nothing is shared.

    >>> from searchkit import Model
    >>> from searchkit.serving.server import SearchServer, Served
    >>> from searchkit.strategies import SelfConsistency
    >>> from searchkit.testing import Scripted
    >>> model = Model(Scripted(lambda request: "42"))
    >>> server = SearchServer({"qwen": Served(model, {"vote": SelfConsistency(5)})})
    >>> server.models
    ['qwen', 'qwen@plain', 'qwen@vote']
    """

    def __init__(
        self,
        models: Mapping[str, Served],
        *,
        keys: Sequence[Key] = (),
        hosts: Collection[str] | None = None,
        concurrency: int = 64,
        queue: int = 256,
        largest: int = LARGEST,
        shared: Shared | None = None,
        journal: Journal | None = None,
        log: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> None:
        if concurrency < 1 or queue < 0 or largest < 1:
            raise ConfigError("a server needs concurrency >= 1, queue >= 0 and largest >= 1")
        ring, accounts = Keyring(keys), None if shared is None else Accounts(shared)
        if ring.bounded and accounts is None:
            raise ConfigError("a key has a budget, and there is no file that keeps what it has spent: add accounts")
        answers = None if shared is None else Answers(shared)
        self._doors = Doors(Catalogue(models), ring, hosts, Bodies(largest), answers)
        self._metrics, self._log = Metrics(), log
        self.turns: Turns = Turns(concurrency, queue)
        self._pages = RunPages(self._who)
        self.searches: Searches = Searches(self.turns, accounts, journal, self._pages)

    @property
    def models(self) -> list[str]:
        """The names that a client without a key of its own can ask for."""
        return list(self._doors.catalogue.listed(ANYBODY))

    @property
    def keyed(self) -> bool:
        """Whether a key is needed."""
        return bool(self._doors.keyring)

    async def drain(self, grace: float) -> None:
        """Take nothing more; once `grace` seconds are over, let what still goes on answer with its best so far."""
        self.searches.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.turns.idle.wait()
        self.searches.stop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            return await _alive(receive, send)
        if scope["type"] != "http":
            raise ConfigError("only HTTP is served")
        headers = headers_of(scope)
        method, path = scope["method"], scope["path"]
        if (route := ROUTES.get(path)) is not None and method == "POST":
            return await Exchange(route, headers).run(self._doors, self.searches, receive, send, self._note)
        try:
            if path.startswith("/runs/"):
                return await self._pages(scope, receive, send)
            shown, kind = self._shown(method, path, headers), "application/json"
            if isinstance(shown, str):
                kind = CONTENT_TYPE
            said = shown if isinstance(shown, str) else json.dumps(shown)
            await respond(send, 200, said.encode(), {"content-type": kind})
        except Refusal as refusal:
            why = refusals.body(route_of(path) or "chat", refusal.status, refusal.message)
            await respond(send, refusal.status, why, refusal.headers)

    def _who(self, headers: Mapping[str, str]) -> str | None:
        """The name of the key with which somebody looks at a run, None for nobody's. Raises `Refusal`."""
        try:
            return self._doors.enter(headers).name
        except Refusal as refusal:
            if refusal.status == 401:
                return None
            raise

    def _shown(self, method: str, path: str, headers: Mapping[str, str]) -> Any:
        """What is looked at, and costs nothing. Raises `Refusal`."""
        if path == "/health":
            return {"status": "ok"}
        if path == "/ready":
            if self.searches.stopping:
                raise Refusal(503, "the server is stopping")
            return {"status": "ready"}
        key = self._doors.enter(headers)
        if path == "/metrics":
            return self._metrics.text(self.turns.running, self.turns.waiting)
        if path in ROUTES:
            raise Refusal(405, f"{path} takes POST alone", headers={"allow": "POST"})
        if path == "/v1/models" and method == "GET":
            return {"object": "list", "data": [_model(name) for name in self._doors.catalogue.listed(key)]}
        if path.startswith("/v1/models/") and method == "GET":
            name = path.removeprefix("/v1/models/")
            self._doors.catalogue.find(name, key)
            return _model(name)
        raise Refusal(404, f"there is nothing at {path:.80}: ask /v1/chat/completions, or list /v1/models")

    def _note(self, exchange: Exchange, status: int) -> None:
        seconds = time.perf_counter() - exchange.began
        key = "" if exchange.key is None else exchange.key.name
        self._metrics.note(exchange.route, key, model_of(exchange), status, seconds, exchange.spent)
        if self._log is not None:
            self._log(line(exchange, status))


def _model(name: str) -> dict[str, Any]:
    """As OpenAI's clients and Anthropic's read it."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "searchkit", "type": "model",
            "display_name": name, "created_at": "2025-12-01T00:00:00Z"}  # fmt: skip


async def _alive(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
