"""A loopback server with vLLM's two reward routes, and with the faults that its users reported."""

from __future__ import annotations

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

TAG = "<extra_0>"
Fault = Literal["", "flat", "all tokens", "down", "busy", "not json", "two entries"]


def goodness(text: str) -> float:
    """The logit of what was read so far: fixed, and different for most texts."""
    return sum((i + 1) * ord(c) for i, c in enumerate(text)) % 401 / 100 - 2


class RewardServer:
    """Use as a context manager. Serves `model` on /pooling and /classify, as a process model if `tag` is given.

    requests: (path, body) of each in order of arrival. faults: what goes wrong, one a request, the last for all others.
    A process model answers with `[p_bad, p_good]` for each tag; p_good is `goodness` of the text before it, halved into
    [0, 1]. An outcome model gives `goodness`, squashed unless use_activation is false.
    """

    def __init__(
        self, model: str = "rm", *, tag: str | None = None, faults: tuple[Fault, ...] = ("",), key: str = ""
    ) -> None:
        self.model, self.tag, self.faults, self.key = model, tag, faults, key
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> RewardServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = owner.answer(self.path, body, self.headers.get("Authorization", ""))
                payload = answer.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, body: dict[str, Any], authorization: str) -> tuple[int, str]:
        """The status and the JSON text for one request."""
        fault = self.faults[min(len(self.requests), len(self.faults) - 1)]
        self.requests.append((path, body))
        if self.key and authorization != f"Bearer {self.key}":
            return 401, json.dumps({"error": {"message": f"bad key {authorization[7:]}"}})
        if path not in ("/pooling", "/classify") or body["model"] != self.model:
            return 404, json.dumps({"error": {"message": "not found"}})
        if fault in ("down", "busy"):
            return (500 if fault == "down" else 503), json.dumps({"error": {"message": fault}})
        if fault == "not json":
            return 200, "<html>"
        text = "".join(f"<{m['role']}>{m['content']}" for m in body["messages"])
        found = self._process(text, fault) if self.tag else self._outcome(text, body.get("use_activation", True))
        entry = {"index": 0, "object": "pooling", "data" if path == "/pooling" else "probs": found}
        data = [entry] * (2 if fault == "two entries" else 1)
        usage = {"prompt_tokens": len(text.split()), "total_tokens": len(text.split())}
        return 200, json.dumps({"object": "list", "model": self.model, "data": data, "usage": usage})

    def _process(self, text: str, fault: Fault) -> Any:
        assert self.tag is not None
        *parts, _ = text.split(self.tag)
        good = [(goodness("".join(parts[: i + 1])) + 2) / 4.01 for i in range(len(parts))]
        if fault == "all tokens":  # a row for each token, as converted models once gave
            good += [0.5] * len(text.split())
        rows = [[1 - p, p] for p in good]
        return rows[0] if fault == "flat" else rows

    def _outcome(self, text: str, activation: bool) -> list[float]:
        logit = goodness(text)
        return [1 / (1 + math.exp(-logit)) if activation else logit]


def seen(server: RewardServer, number: int = -1) -> dict[str, Any]:
    """The body of a request."""
    return server.requests[number][1]
