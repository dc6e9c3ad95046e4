"""What is looked at before a request is: where it comes from, whose key it brings, and how long it is."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from searchkit.errors import ConfigError
from searchkit.serving.server.refusing import Refusal, later
from searchkit.wire.fields import LARGEST

SLOWEST = 60.0
"""Seconds in which the body of a request must have come."""
ROOM = 256 * 2**20
"""Bytes of the bodies of all requests that are read, wait or are answered."""
Receive = Callable[[], Awaitable[Any]]


class Left(Exception):
    """The client has left."""


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a request by name, in small letters. One that comes twice is the list of both, which no name, key
    or host is: whoever looked at it before may have taken the other one (RFC 9110, section 5.3).

    >>> headers_of({"headers": [(b"Host", b"a"), (b"host", b"b")]})
    {'host': 'a, b'}
    """
    found = dict[str, str]()
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def check_bind(host: str, keyed: bool) -> None:
    """Raises `ConfigError` if a server without keys could be reached from elsewhere."""
    if not keyed and not is_local(host):
        raise ConfigError(
            f"without keys a server listens on 127.0.0.1 alone, not on {host!r:.80}: whoever reaches it could spend "
            "your money. Add a key to [keys] (searchkit serve-key NAME makes one)"
        )


@functools.lru_cache(256)
def is_local(host: str) -> bool:
    """Whether only this machine is meant.

    >>> [is_local(host) for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "::", "127.0.0.1.example.com")]
    [True, True, True, False, False, False]
    """
    name = host.strip().lower().removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def foreign(headers: Mapping[str, str], hosts: Collection[str] | None) -> Refusal | None:
    """Refuses what a page of another site sends, and what came by a name that is not ours (DNS rebinding).

    hosts: names by which the server is known; None: local ones.

    >>> foreign({"host": "127.0.0.1:8000", "origin": "http://evil.example"}, None).status
    403
    """
    if not _known(f"//{headers.get('host', '')}", hosts):
        return Refusal(403, "this Host is not ours: use the address that the server prints, or list it in hosts")
    origin = headers.get("origin")
    if origin is not None and not _known(origin, hosts):
        return Refusal(403, "this Origin is not ours: a page of another site may not ask")
    return None


def _known(url: str, hosts: Collection[str] | None) -> bool:
    try:
        parts = urlsplit(url)
        name = parts.hostname or ""
    except ValueError:
        return False
    if "@" in parts.netloc or not name:
        return False
    return is_local(name) if hosts is None else name in hosts


class Bodies:
    """What the bodies of requests take: each is bounded, by `largest`, and so are all together. held: bytes now."""

    def __init__(self, largest: int = LARGEST) -> None:
        self.largest, self.held = largest, 0
        self._most = max(ROOM, largest)

    @contextmanager
    def one(self) -> Iterator[Callable[[int], None]]:
        """Around a request: what is called with the size of each piece that came. That raises `Refusal`."""
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            mine += size
            self.held += size
            if mine > self.largest:
                raise self.too_large()
            if self.held > self._most:
                raise Refusal(503, "other requests fill the room for requests: come back later", headers=later(1))

        try:
            yield take
        finally:
            self.held -= mine

    def too_large(self) -> Refusal:
        """What a request that is longer gets."""
        return Refusal(413, f"the request has more than {self.largest} bytes")


async def body_of(headers: Mapping[str, str], receive: Receive, bodies: Bodies, take: Callable[[int], None]) -> bytes:
    """The body of a request. Raises `Refusal` if it is too long, packed or too slow, and `Left`.

    take: told of each piece.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "the body of a request is not unpacked here: send it as it is")
    announced = headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > 15 or int(announced) > bodies.largest):
        raise bodies.too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Left
                take(len(piece := message.get("body", b"")))
                body += piece
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {SLOWEST:g} seconds") from None
