"""A loopback HTTP server in a thread of its own, which is there in milliseconds and gone in milliseconds.

uvicorn speaks HTTP; its own start and stop, which look every tenth of a second whether they are done, are left out.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from searchkit.errors import ConfigError

STARTED = 30.0
"""Seconds in which the server must be there."""
LEAVING = 1.0
"""Seconds in which answers are sent to their end once the server is to stop."""

App = Callable[[Any, Any, Any], Awaitable[None]]


class Listener:
    """The server. Made, it starts; `close` ends it. Raises `ConfigError` without uvicorn."""

    def __init__(self, app: App) -> None:
        try:
            import uvicorn
        except ImportError:
            raise ConfigError("an Endpoint needs a server: pip install 'searchkit[serve]'") from None
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends at once on sockets that say so
        self._socket.bind(("127.0.0.1", 0))
        self.url: str = "http://{}:{}".format(*self._socket.getsockname())
        self._config = uvicorn.Config(
            app,
            http="h11",  # bounds the head of a request: httptools, preferred where it is installed, does not
            log_config=None,
            access_log=False,
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            ws=NoWebsocket,
        )
        self._uploads = set[asyncio.Task[Any] | None]()
        self._ready: concurrent.futures.Future[Callable[[], Any]] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._serve, name="searchkit-gateway", daemon=True)
        self._thread.start()

    async def started(self) -> Callable[[], Any]:
        """Returns once it listens, with what stops it. Raises `ConfigError` if it cannot."""
        try:
            async with asyncio.timeout(STARTED):
                return await asyncio.shield(asyncio.wrap_future(self._ready))
        except OSError as error:
            raise ConfigError(f"the gateway could not be started on 127.0.0.1: {error}") from error

    async def close(self) -> None:
        """Stop listening. Answers that are on their way are sent; uploads that are not complete are cut off."""
        with contextlib.suppress(ConfigError):
            (await self.started())()
        await asyncio.to_thread(self._thread.join, 5)
        self._socket.close()

    @contextlib.contextmanager
    def upload(self) -> Iterator[None]:
        """While the running request is read: nobody waits for the rest of it when the server stops."""
        task = asyncio.current_task()
        self._uploads.add(task)
        try:
            yield
        finally:
            self._uploads.discard(task)

    # ---------------------------------------------------------------- in its thread

    def _serve(self) -> None:
        try:
            asyncio.run(self._listen())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _listen(self) -> None:
        from uvicorn.server import ServerState

        loop, stop, state = asyncio.get_running_loop(), asyncio.Event(), ServerState()
        self._config.load()
        made: Any = self._config.http_protocol_class
        protocol = functools.partial(made, config=self._config, server_state=state, app_state={})
        server = await loop.create_server(protocol, sock=self._socket, backlog=self._config.backlog)
        self._ready.set_result(functools.partial(loop.call_soon_threadsafe, stop.set))
        await stop.wait()
        while accepting := asyncio.all_tasks() - state.tasks - {asyncio.current_task()}:
            await asyncio.wait(accepting)  # a server that is closed would lose what it is accepting
        with contextlib.suppress(OSError):
            while True:
                self._socket.accept()[0].close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # for forked processes too, which have it as well
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        if answering := state.tasks - self._uploads:
            await asyncio.wait(answering, timeout=LEAVING)
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=LEAVING)


class NoWebsocket(asyncio.Protocol):
    """Refuses whoever wants a websocket, in place of uvicorn's protocol for it."""

    def __init__(self, **_: Any) -> None:
        """What uvicorn tells its own is of no use here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        why = "websockets are not relayed: what is said there could not be counted. Use HTTP, with or without a stream"
        body = json.dumps({"error": {"message": why, "type": "invalid_request_error", "param": None, "code": None}})
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        transport.write(f"{head}connection: close\r\n\r\n{body}".encode())
        transport.close()
