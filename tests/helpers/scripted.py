"""A server that says what a test wants, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from searchkit.agents import Upstream
from tests.helpers.attempts import KEY


@dataclass(frozen=True)
class Asked:
    """A request. headers: by small names."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    """An answer. body: JSON, or bytes as they are."""

    body: Any
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] | None = None


class Scripted:
    """A context manager; `url` has the ``/v1``."""

    def __init__(self, say: Callable[[Asked], Said], port: int = 0) -> None:
        self.asked: list[Asked] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                named = {name.lower(): value for name, value in self.headers.items()}
                asked.append(Asked(self.path, named, json.loads(raw) if raw else None))
                said = say(asked[-1])
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in {"content-type": said.kind, **(said.headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def upstream(self, **options: Any) -> Upstream:
        return Upstream(self.url, KEY, self.root, KEY, **options)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def chat(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion, without usage."""
    said = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [said], **more}


def stream(*events: Any) -> Said:
    """Events, with the mark of the end."""
    lines = [f"data: {json.dumps(one)}\n\n" for one in events]
    return Said("".join([*lines, "data: [DONE]\n\n"]).encode(), kind="text/event-stream")
