"""An agent's exchanges over our own connections: a fifth of the CPU that httpx takes.

httpx looks at every idle connection before each request (64 of them: 2 ms); see docs/log.md.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote, urlsplit

from searchkit.agents.exchange import Answer, Ask, again, host_of, redirected
from searchkit.calls import CallError
from searchkit.http import Broken, HTTPReply, Pool, Unreachable, Unreadable, proxied
from searchkit.kinds import printable
from searchkit.types import Usage
from searchkit.wire.streams import ANSWER_LIMIT

_PATH = "/%:@!$&'()*+,;=~?"  # what stays as it is in a path and a query


class Direct:
    """Connections to whatever servers one search asks, on its loop."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}

    def pool(self, url: str) -> Pool | None:
        """The connections to the server of `url`; None if there is a proxy before it, or a password in it."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._pools:
            if "@" in parts.netloc or proxied(url):
                return None
            self._pools[origin] = Pool(origin)
        return self._pools[origin]

    async def send(self, pool: Pool, ask: Ask) -> Answer:
        """Raises `CallError` where no whole answer came; `ask.timeout` is of the silence between two pieces of it."""
        parts, host, loop = urlsplit(ask.url), host_of(ask.url), asyncio.get_running_loop()
        lines = _lines(ask)
        path = quote(parts.path or "/", _PATH) + (f"?{quote(parts.query, _PATH)}" if parts.query else "")
        try:
            async with asyncio.timeout(ask.timeout) as silence:

                def heard(data: bytes) -> bool:
                    if ask.timeout is not None:
                        silence.reschedule(loop.time() + ask.timeout)
                    return False

                with pool.room.call(ANSWER_LIMIT) as held:
                    reply = await pool.request(ask.method, path, lines, ask.body, heard, held)
        except TimeoutError as error:
            raise CallError(f"{host} did not answer in {ask.timeout:g} s", kind="timeout") from error
        except Unreachable as error:
            message = f"nothing answers at {host}: {error}"
            nothing = Usage()  # nothing was sent
            raise CallError(message, kind="connection", usage=nothing, lasting=error.lasting) from error
        except Unreadable as error:
            raise CallError(printable(f"an answer of {host} cannot be read: {error}"), kind="malformed") from error
        except Broken as error:
            raise CallError(printable(f"{host} gave no whole answer: {error}"), kind="connection") from error
        return _read(ask.url, reply)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()


def _lines(ask: Ask) -> str:
    """The headers as they are sent. A line break in one would begin another."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
    single = lines.count("\r") + lines.count("\n") == 2 * len(ask.headers) and "\0" not in lines
    if not single or not "".join(ask.headers).isascii() or any(char > "\xff" for char in lines):
        message = "the server cannot be sent that: a header is no latin-1 text on one line"
        raise CallError(message, kind="bad_request", usage=Usage())
    return lines


def _read(url: str, reply: HTTPReply) -> Answer:
    if (elsewhere := redirected(url, reply.status, reply.headers.get("location", ""))) is not None:
        raise elsewhere
    return Answer(reply.status, reply.body, reply.headers.get("content-type", ""), again(reply.headers))
