"""A loopback server that hands out exactly the bytes it was given, and keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Replies:
    """What it answers, to every request; what it was sent: paths and bodies."""

    url: str
    payload: bytes = b""
    status: int = 200
    cut: int | None = None  # bytes in each piece of the body; None: all at once
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return "application/json" if self.payload.startswith(b"{") else "text/event-stream"


@contextmanager
def replies(payload: bytes = b"{}", status: int = 200, cut: int | None = None) -> Iterator[Replies]:
    """A running server; its URL has no path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            found.paths.append(self.path)
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(found.status)
            self.send_header("content-type", found.kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            size = found.cut or len(found.payload) or 1
            for at in range(0, len(found.payload), size):
                piece = found.payload[at : at + size]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Replies(f"http://127.0.0.1:{server.server_address[1]}", payload, status, cut)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
