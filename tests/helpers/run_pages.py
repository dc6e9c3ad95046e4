"""Searches to look at while they run, and a server that shows them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from searchkit import Budget, Model, Params, Problem, Prompt, start
from searchkit.calls import CallError, Request
from searchkit.environments import TextSteps
from searchkit.searching import Searching
from searchkit.strategies import MCTS, BestOfN
from searchkit.testing import Scripted, Shuffled
from searchkit.testing.strategies import LengthScore
from searchkit.types import Sample
from searchkit.views.runs import RunPages

HOSTILE = "<img src=x onerror=\"document.title='owned'\">\u202e</script><script>document.title='owned'</script>"
PROBLEM = Problem(f"{HOSTILE} 7", Prompt.of(f"What is 19 + 23? {HOSTILE}"))


class Gated:
    """A backend that answers once its gate is open."""

    name = "gated"

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        await self.gate.wait()
        return await Scripted(said).complete(requests)


def said(request: Request) -> str:
    return f"{HOSTILE} {'x' * (request.seed % 7)}"


def grown(backend: Any = None, budget: Budget = Budget(generations=40)) -> Searching[Any]:  # noqa: B008
    """A tree search that has begun."""
    model = Model(backend or Shuffled(Scripted(said)), Params(max_tokens=8))
    strategy = MCTS(LengthScore(), environment=TextSteps(max_steps=3), iterations=12)
    return start(PROBLEM, strategy, generator=model, budget=budget)


def drawn(backend: Any = None, n: int = 8) -> Searching[Any]:
    """A search that draws samples."""
    model = Model(backend or Shuffled(Scripted(said)), Params(max_tokens=8))
    return start(PROBLEM, BestOfN(n, LengthScore()), generator=model, budget=Budget(generations=40))


class Shown:
    """An ASGI application with the pages of one search: a POST starts it, another to /go opens its gate.

    With `holds`, a page's last bytes come only when its search is over, so that a browser's load ends then.
    """

    def __init__(self, pages: RunPages, id: str, owner: str = "", holds: bool = False) -> None:
        self.pages, self.id, self.owner, self.holds = pages, id, owner, holds
        self.searching: Searching[Any] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST" and scope["path"] == "/start":
            self.backend = Gated()
            self.searching = grown(self.backend)
            self.pages.show(self.id, self.searching, self.owner)
            await _empty(send)
        elif scope["method"] == "POST" and scope["path"] == "/go":
            self.backend.gate.set()
            await _empty(send)
        elif self.holds and not scope["path"].endswith("/events"):
            await self.pages(scope, receive, self._slowly(send))
        else:
            await self.pages(scope, receive, send)

    def _slowly(self, send: Any) -> Any:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                return await send({**message, "headers": headers})
            await send({**message, "body": message["body"][:-8], "more_body": True})
            assert self.searching is not None
            self.backend.gate.set()
            await self.searching
            await asyncio.sleep(1.0)  # until the page has drawn the last news
            await send({"type": "http.response.body", "body": message["body"][-8:]})

        return sent


async def _empty(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def asked(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """One answer, read to its end."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def events(stream: bytes) -> list[dict[str, Any]]:
    """What the events of a stream say."""
    parts = (one.strip() for one in stream.decode().split("\n\n"))
    return [json.loads(one.removeprefix("data: ")) for one in parts if one.startswith("data: ")]
