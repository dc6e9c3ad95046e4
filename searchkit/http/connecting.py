"""How a connection is made, and why it could not be: for now, or for good."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from searchkit.http.values import Unreachable

P = TypeVar("P", bound=asyncio.Protocol)
Address = tuple[int, int, Any]  # family, protocol, and what a socket of it connects to
_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))  # seconds, seconds, times
CONNECTING = 5.0  # seconds for a connection, its name and TLS included: what OpenAI's client allows
_LASTING = (  # there is no way to that address
    errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES, errno.EPERM,
    errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT,
)  # fmt: skip
_BY_ACCIDENT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class Silent(OSError):
    """Nobody took a connection, and nobody refused it: there is no such machine, or something lets nothing through."""


async def connect(
    host: str, port: int, tls: ssl.SSLContext | None, factory: Callable[[], P], *, known: bool = False
) -> P:
    """A connection to the first of a host's addresses that takes one, within `CONNECTING`. Raises `Unreachable`.

    known: there has been a connection to it, so that silence is no sign that there is nobody.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + CONNECTING
    try:
        async with asyncio.timeout_at(end):
            addresses = await _addresses(host, port)
    except TimeoutError:
        raise Unreachable(f"{host[:100]}: its name was not resolved within {CONNECTING:g} s") from None
    failed = list[OSError]()
    for number, (family, protocol, address) in enumerate(addresses):
        try:
            made = socket.socket(family, socket.SOCK_STREAM, protocol)
        except OSError as error:
            failed.append(error)
            continue
        try:
            made.setblocking(False)
            _keep_alive(made)
            others = len(addresses) - number  # that the rest of the time is for
            async with asyncio.timeout((end - loop.time()) / others):
                await loop.sock_connect(made, address)
                _, connection = await loop.create_connection(
                    factory, sock=made, ssl=tls, server_hostname=host if tls is not None else None
                )
            return connection
        except TimeoutError:
            made.close()
            failed.append(Silent(f"{address[0]} did not take a connection within {CONNECTING:g} s"))
        except OSError as error:
            made.close()
            failed.append(error)
        except BaseException:
            made.close()
            raise
    said = "; ".join(dict.fromkeys(map(str, failed)))
    lasting = all(is_lasting(one) and not (known and isinstance(one, Silent)) for one in failed)
    raise Unreachable(said or f"{host} has no address", lasting=lasting)


def is_lasting(error: BaseException) -> bool:
    """Whether another attempt would fail as this one did: nobody listens, no such host, no TLS spoken there."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, _BY_ACCIDENT)
    return isinstance(error, (UnicodeError, Silent)) or (isinstance(error, OSError) and error.errno in _LASTING)


def below(error: BaseException | None, depth: int = 16) -> Iterator[BaseException]:
    """An exception, and what caused it, one after the other."""
    if error is None or not depth:
        return
    yield error
    for inner in getattr(error, "exceptions", ()):
        yield from below(inner, depth - 1)
    yield from below(error.__cause__ or error.__context__, depth - 1)


async def _addresses(host: str, port: int) -> list[Address]:
    try:
        plain = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        family = socket.AF_INET if plain.version == 4 else socket.AF_INET6
        if "%" not in host:
            return [(family, 0, (host, port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host[:100]}: {error}", lasting=is_lasting(error)) from error
    return [(family, protocol, address) for family, _, protocol, _, address in found]


def _keep_alive(made: socket.socket) -> None:
    """Probes while nothing is said: routers forget a connection that is silent for minutes, as a long answer is."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def tls_context() -> ssl.SSLContext:
    """The certificates that SSL_CERT_FILE or SSL_CERT_DIR names, else those of certifi if there, else the system's."""
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & set(os.environ):
        try:
            import certifi

            return ssl.create_default_context(cafile=certifi.where())
        except ImportError:
            pass
    return ssl.create_default_context()
