"""A server that listens until it is told to stop: it then takes no more, finishes what it has, and cancels the rest."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

from searchkit.errors import ConfigError
from searchkit.serving.server.app import SearchServer
from searchkit.serving.server.guarding import check_bind

LEAVING = 5.0
"""Seconds in which searches that were told to stop, and answers that are being sent, must end."""


def serve(
    server: SearchServer,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    grace: float = 30.0,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Listen until SIGINT or SIGTERM.

    - host, port: where; port 0 takes a free one.
    - grace: seconds in which searches may end by themselves once it is told to stop; then each answers with its best
      so far, or 503 where it has none.
    - ready: called with the URL once it listens.

    Raises `ConfigError` without uvicorn, where the port is taken, and for another host than this machine's if there are
    no keys.
    """
    check_bind(host, server.keyed)
    with contextlib.closing(bound(host, port)) as listening:
        listen(server, listening, grace, (lambda: ready(url_of(listening))) if ready is not None else None)


def listen(
    server: SearchServer, listening: socket.socket, grace: float, ready: Callable[[], object] | None = None
) -> None:
    """As `serve`, on a socket that is bound, which other processes may listen on, too."""
    try:
        import uvicorn
    except ImportError:
        raise ConfigError("a server needs uvicorn: pip install 'searchkit[serve]'") from None
    config = uvicorn.Config(  # h11 bounds the head of a request: httptools, preferred where installed, does not
        server, http="h11", log_config=None, access_log=False, lifespan="off", interface="asgi3", proxy_headers=False,
        server_header=False, ws="none", timeout_graceful_shutdown=int(LEAVING),
    )  # fmt: skip

    class Graceful(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Of uvicorn, without raising them again at the end: whoever called us has things to close, too."""
            with stopped_by(self.handle_exit):
                yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if ready is not None:
                ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for one in self.servers:
                one.close()
            await server.drain(grace)
            await super().shutdown(sockets)

    Graceful(config).run(sockets=[listening])


@contextlib.contextmanager
def stopped_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """SIGINT and SIGTERM call `handler` meanwhile, and afterwards what they called before."""
    before = {one: signal.signal(one, handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, called in before.items():
            signal.signal(one, called)


def url_of(listening: socket.socket) -> str:
    """Where a socket is reached."""
    name, number = listening.getsockname()[:2]
    return f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"


def bound(host: str, port: int) -> socket.socket:
    """A socket there. Raises `ConfigError` where it is taken, or there is no such place."""
    if not host or not 0 <= port <= 65535:
        where = f"got host {host!r:.80} and port {port}"
        raise ConfigError(f"a server needs a host, such as 127.0.0.1 (0.0.0.0: all), and a port of 0 to 65535, {where}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host.strip("[]"), port))
    except OSError as error:
        found.close()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}; try --port") from error
    return found
