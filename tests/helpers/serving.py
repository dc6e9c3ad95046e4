"""What the tests of the server share: a server that listens, models whose answers are known, the official client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from searchkit import Model, Sample, Usage
from searchkit.calls import CallError, Request
from searchkit.serving.listening import Listener
from searchkit.serving.server import SearchServer, Served
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.types import Message, Text, ToolCall
from searchkit.verifiers import Predicate

SUM: list[dict[str, Any]] = [{"role": "user", "content": "What is 19 + 23?"}]
ANSWERS = ["40", "41", "42", "43"]


@dataclass
class Slow:
    """A backend that answers `reply(request)` after `seconds`, and notes what it is asked and what is cancelled."""

    reply: Callable[[Request], str | Sample[str]] = lambda request: ANSWERS[request.index % 4]
    seconds: float | Callable[[Request], float] = 0.0
    name: str = "slow"
    takes_form: bool = True
    asked: list[Request] = field(default_factory=list)
    cancelled: int = 0
    in_flight: int = 0
    most: int = 0

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        self.asked += requests
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(self.seconds(requests[0]) if callable(self.seconds) else self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str] | CallError:
        try:
            said = self.reply(request)
        except CallError as error:
            return error
        used = Usage(model_calls=1, prompt_tokens=7, generated_tokens=3)
        return Sample(said, usage=used) if isinstance(said, str) else said


def right(text: str) -> float:
    """The nearer to 42, the better."""
    return -abs(42.0 - float(text))


JUDGE = Predicate(right, range=(-1e9, 0.0))
EXACT = Predicate(lambda text: text == "42")


def served(backend: Any, **options: Any) -> Served:
    """A model with two strategies and two verifiers."""
    strategies = {"best-of-4": BestOfN(4, JUDGE), "vote": SelfConsistency(3, key=str.strip)}
    return Served(Model(backend), strategies, {"judge": JUDGE, "exact": EXACT}, **options)


def endless_head_is_refused(url: str, lines: bytes) -> bool:
    """Whether a server answers a request whose head is only begun, by `lines`. TimeoutError if it waits for more."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as connection:
        try:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n" + lines)
            return connection.recv(100).startswith(b"HTTP/1.1 400")
        except ConnectionError:
            return True  # refused before all of it was sent


@contextlib.contextmanager
def listening(app: Any) -> Iterator[str]:
    """The URL of a server that listens. app: an ASGI application, such as a `SearchServer`."""
    listener = Listener(app)
    try:
        asyncio.run(_started(listener))
        yield listener.url
    finally:
        asyncio.run(listener.close())


async def _started(listener: Listener) -> None:
    await listener.started()


@contextlib.contextmanager
def client(server: SearchServer, key: str = "none", **options: Any) -> Iterator[openai.OpenAI]:
    """The official client of a server that listens."""
    with (
        listening(server) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, **options) as made,
    ):
        yield made


def calling(request: Request) -> Sample[str]:
    """An answer that calls the first tool."""
    call = ToolCall("call_1", "add", '{"a": 19, "b": 23}')
    message = Message("assistant", (), (call,))
    return Sample("", message, "tool_calls", usage=Usage(model_calls=1, prompt_tokens=7, generated_tokens=3))


def thinking(request: Request) -> Sample[str]:
    """An answer with reasoning beside it."""
    message = Message("assistant", (Text("42"),), reasoning="19 + 20 + 3")
    return Sample("42", message, usage=Usage(model_calls=1, prompt_tokens=7, generated_tokens=9))
