"""A loopback server that imitates OpenAI-compatible inference servers: for tests, examples and benchmarks.

    with Server("vllm", latency=0.1, faults=Faults(0.3)) as server:
        backend = OpenAI(server.url, "test-model")

It serves /v1/chat/completions, /v1/completions and /v1/models over HTTP/1.1 with keep-alive, from a thread of its own
(or from a process of its own: `python -m searchkit.testing.server --help`). Nothing is patched, so what a client meets
is a real socket. With ``"stream": true`` it sends a token an event.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from searchkit.testing.server_profiles import FAULTS, PROFILES, Faults, Profile, profile_of
from searchkit.testing.server_replies import (
    Refused,
    Reply,
    ReplyFunction,
    answer,
    error_body,
    events,
    render,
    tokens,
    words,
)

__all__ = ["FAULTS", "PROFILES", "Faults", "Profile", "Received", "Reply", "Server", "profile_of", "tokens", "words"]

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(slots=True)
class Received:
    """One request as the server saw it. `status` is what it answered: None while in flight, 0 if it never did.

    events: how many of a streamed answer were sent.
    """

    path: str
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any]
    arrival: int
    fault: str | None = None
    status: int | None = None
    events: int = 0


class Server:
    """Use as a context manager. `requests` are the completion requests in order of arrival, faulty ones included.

    reply: called with the text the model would see, the seed and the body (defaults filled in); returns the answer.
    latency: seconds from arrival to answer, or to the first event of a stream; a function tells it of a request's body.
    pace: seconds between its events.
    api_key: required of clients if given. tls: for https. `peak` is the greatest number of requests that were in flight
    at once, `aborted` how many the client left before the answer, `connections` how many were opened; `prompt_tokens`
    and `generated_tokens` are sums over all answers, those that no client read included, and of a stream over what was
    sent.
    """

    def __init__(
        self,
        profile: str | Profile = "vllm",
        *,
        reply: ReplyFunction = words,
        latency: float | Callable[[dict[str, Any]], float] = 0.0,
        pace: float = 0.0,
        faults: Faults | None = None,
        api_key: str | None = None,
        models: tuple[str, ...] = ("test-model",),
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.profile: Profile = profile_of(profile)
        self.reply: ReplyFunction = reply
        self.latency: float | Callable[[dict[str, Any]], float] = latency
        self.pace: float = pace
        self.faults: Faults | None = faults
        self.api_key: str | None = api_key
        self.models: tuple[str, ...] = models
        self.port: int = port
        self.tls: ssl.SSLContext | None = tls
        self.requests: list[Received] = []
        self.in_flight: int = 0
        self.peak: int = 0
        self.aborted: int = 0
        self.connections: int = 0
        self.generated_tokens: int = 0
        self.prompt_tokens: int = 0
        self.open: set[_Connection] = set()
        self._serving = 0
        self._waiting: deque[_Connection] = deque()
        self._seen: set[tuple[str, ...]] = set()

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Server:
        listening = socket.create_server(("127.0.0.1", self.port), backlog=2048)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening, ready)), name="searchkit-test-server", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = await self._loop.create_server(lambda: _Connection(self), sock=listening, backlog=2048, ssl=self.tls)
        ready.set()
        await self._stop.wait()
        # A connection that was accepted in this moment is still a task of the loop: it begins in the next turn, and is
        # a connection in the one after. A listener closed before makes it fail, and its socket stays open.
        self._loop.remove_reader(listening)
        for _ in range(2):
            await asyncio.sleep(0)
        listener.close()
        for connection in list(self.open):
            connection.drop()
        await asyncio.sleep(0)

    def received(self, connection: _Connection, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        """Decide what happens to a request; called by its connection, which is answered now or later."""
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            # The hosted API quotes the key that it refuses; a client must not pass that on.
            return self._refuse(connection, 401, f"Incorrect API key provided: {headers.get('authorization', '')[7:]}")
        if method == "GET" and path == "/v1/models":
            listing = {"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]}
            return connection.answer(200, json.dumps(listing).encode())
        if method != "POST" or path not in ("/v1/chat/completions", "/v1/completions"):
            return self._refuse(connection, 404, f"no such route: {method} {path}")
        request = Received(path, headers, json.loads(raw), len(self.requests))
        self.requests.append(request)
        connection.request = request
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        request.fault = self.faults.draw(request.arrival) if self.faults else None
        if self.profile.parallel is not None and self._serving >= self.profile.parallel:
            if self.profile.queue is not None and len(self._waiting) >= self.profile.queue:
                return self._refuse(connection, 503, "server busy: the queue is full")
            return self._waiting.append(connection)
        self._begin(connection, request)

    def _begin(self, connection: _Connection, request: Received) -> None:
        self._serving += 1
        connection.served = True
        finish = self._outcome(connection, request)
        if finish is not None:
            latency = self.latency(request.body) if callable(self.latency) else self.latency
            connection.timer = self._loop.call_later(latency, *finish)

    def _outcome(self, connection: _Connection, request: Received) -> tuple[Any, ...] | None:
        """What to call after the latency, with its arguments; None for a request that is never answered."""
        if request.fault == "hang":
            return None
        if request.fault == "reset":
            return (connection.reset,)
        if request.fault == "rate_limit" and self.faults:
            return (self._refuse, connection, 429, "slow down", f"Retry-After: {self.faults.retry_after:g}\r\n")
        if request.fault == "server":
            return (self._refuse, connection, 500, "internal error")
        body, profile = request.body, self.profile
        if profile.checks_model and body.get("model") not in self.models:
            return (self._refuse, connection, 404, f"The model `{body.get('model')}` does not exist.")
        try:
            done = answer(body, profile, self.reply, self._cached(body), request.arrival)
        except Refused as refused:
            return (self._refuse, connection, refused.status, str(refused))
        self.prompt_tokens += done["usage"]["prompt_tokens"]
        if body.get("stream"):
            said = list(events(done, body, profile))
            return (connection.stream, said[: len(said) // 2] if request.fault == "truncated" else said)
        self.generated_tokens += done["usage"]["completion_tokens"]
        payload = json.dumps(done).encode()
        return (connection.answer, 200, payload[: len(payload) // 2] if request.fault == "truncated" else payload)

    def _cached(self, body: dict[str, Any]) -> int:
        """Prompt tokens whose whole block of 16 was seen before, as a prefix cache has them."""
        if not self.profile.reports_cached:
            return 0
        prompt, hit = tokens(render(body, self.profile)), 0
        for end in range(16, len(prompt) + 1, 16):
            block = tuple(prompt[:end])
            hit = end if block in self._seen else hit
            self._seen.add(block)
        return hit

    def _refuse(self, connection: _Connection, status: int, message: str, header: str = "") -> None:
        connection.answer(status, error_body(status, message, self.profile), header)

    def ended(self, connection: _Connection, request: Received, status: int) -> None:
        """A request was answered, or its client left (status 0): its place goes to the next."""
        request.status = status
        self.in_flight -= 1
        if connection in self._waiting:
            self._waiting.remove(connection)
        if connection.served:
            connection.served = False
            self._serving -= 1
            if self._waiting:
                following = self._waiting.popleft()
                assert following.request is not None
                self._begin(following, following.request)


class _Connection(asyncio.Protocol):
    """One client connection: requests are read one at a time, pipelined ones wait in the buffer."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.busy = self.served = False
        self.request: Received | None = None
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections += 1
        self.server.open.add(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._advance()

    def _advance(self) -> None:
        if self.busy or (end := self.buffer.find(b"\r\n\r\n")) < 0:
            return
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        stop = end + 4 + int(headers.get("content-length", 0))
        if len(self.buffer) < stop:
            return
        raw, self.buffer = self.buffer[end + 4 : stop], self.buffer[stop:]
        method, path, _ = first.split(" ")
        self.busy = True
        self.server.received(self, method, path, headers, raw)

    def answer(self, status: int, payload: bytes, header: str = "") -> None:
        reason = _REASONS.get(status, "Error")
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{header}"
        self._end(status)  # first: a client that has its answer must find it counted
        self.transport.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        self._advance()

    def stream(self, said: list[tuple[str, int]]) -> None:
        """Begin an answer of events; the others follow at the server's pace."""
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(head.encode())
        self._tell(deque(said))

    def _tell(self, said: deque[tuple[str, int]]) -> None:
        assert self.request is not None
        if said:
            text, made = said.popleft()
            event = f"data: {text}\n\n".encode()
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.request.events += 1
            self.server.generated_tokens += made
            self.timer = asyncio.get_running_loop().call_later(self.server.pace, self._tell, said)
        else:
            self._end(200)
            self.transport.write(b"0\r\n\r\n")
            self._advance()

    def reset(self) -> None:
        # A zero linger time makes the close a RST, as a crashed server or a proxy gives it.
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._end(0)
        self.transport.abort()

    def drop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.transport.abort()

    def _end(self, status: int) -> None:
        self.busy, request, self.request = False, self.request, None
        if request is not None:
            self.server.ended(self, request, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.open.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        if self.request is not None:
            self.server.aborted += 1
            self._end(0)


def main(argv: list[str] | None = None) -> None:
    """Serve in this process: prints the URL, then runs until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m searchkit.testing.server", description=main.__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="vllm")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds from a request's arrival to its answer")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(argv)
    server = Server(options.profile, latency=options.latency, port=options.port)

    with server, contextlib.suppress(KeyboardInterrupt):
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
