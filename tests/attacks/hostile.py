"""What the attacks share: a server that sends exactly the bytes a test wants, and rows of tables that say what fails."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import CallError, Params, Prompt, Sample
from searchkit.calls import Request
from searchkit.generators import OpenAI

TEXT = "The answer is 4."
PROMPT = Prompt.of("What is 2 + 2?")
PARAMS = Params(max_tokens=16)
Entry = Sample[str] | CallError


def case(name: str, *values: Any) -> Any:
    """A row of a table."""
    return pytest.param(*values, id=name)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    target: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content or b"{}")
        return found


Answer = Callable[[Asked], "bytes | Iterable[bytes]"]


class Hostile:
    """A context manager: a loopback server that answers each request with the bytes of `answer`, then closes.

    answer: bytes, or a function from the request to bytes or to pieces of bytes. `asked` are the requests that came;
    `connections` counts those that were accepted, whatever came over them.
    """

    def __init__(self, answer: bytes | Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._open: list[socket.socket] = []

    def __enter__(self) -> Hostile:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            data = b""
            while b"\r\n\r\n" not in data:
                if not (piece := connection.recv(65536)):
                    return
                data += piece
                if data[0] == 0x16:  # TLS where none is spoken: answered as plain servers do
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
            head, _, content = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            while len(content) < int(headers.get("content-length", 0)):
                content += connection.recv(65536)
            asked = Asked(first.split(" ")[1], headers, content)
            self.asked.append(asked)
            found = self.answer(asked) if callable(self.answer) else self.answer
            for piece in [found] if isinstance(found, bytes) else found:
                connection.sendall(piece)


def http(body: Any = b"", status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """The bytes of an answer: a body (bytes, text, or what becomes JSON), with its length, and a closed connection."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + content


def completion(text: Any = TEXT, finish: Any = "stop", **choice: Any) -> dict[str, Any]:
    """A healthy answer of the chat route; `choice` are further fields of its only choice."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    only = {"index": 0, "message": message, "finish_reason": finish, **choice}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [only], "usage": usage}


def events(*values: Any) -> bytes:
    """A stream of events, as bytes of a body."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values) + b"data: [DONE]\n\n"


def call(url: str, params: Params = PARAMS, prompt: Prompt = PROMPT, seed: int = 1, **options: Any) -> Entry:
    """One call of a new backend for the server at `url`."""
    backend = OpenAI(url, "test-model", **{"timeout": 20.0, **options})
    [entry] = asyncio.run(backend.complete([Request(prompt, params, seed)]))
    return entry


def ask(answer: bytes | Answer, params: Params = PARAMS, **options: Any) -> Entry:
    """What one call of a server that answers so comes to."""
    with Hostile(answer) as server:
        return call(server.url, params, **options)


def failure(answer: bytes | Answer, params: Params = PARAMS, **options: Any) -> CallError:
    """The error of such a call; fails where it is a sample."""
    entry = ask(answer, params, **options)
    assert isinstance(entry, CallError), entry
    return entry


def sample(answer: bytes | Answer, params: Params = PARAMS, **options: Any) -> Sample[str]:
    """The sample of such a call; fails where it is an error."""
    entry = ask(answer, params, **options)
    assert isinstance(entry, Sample), entry
    return entry


def control_characters(text: str) -> set[str]:
    """What a terminal obeys: C0 and C1 controls but for the newline and the tab, and marks that turn lines around."""
    return {c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in TURNERS}


TURNERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
