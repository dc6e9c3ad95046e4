"""One HTTP exchange of an agent with a model's server, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from searchkit.calls import CallError
from searchkit.kinds import printable
from searchkit.types import Usage
from searchkit.wire import refusals, route_of

# Of one connection, or set anew for the next: they are not sent on.
_HOP_TEXT = (
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade host "
    "content-length accept-encoding content-encoding expect"
)
_HOP = frozenset(_HOP_TEXT.split())
_AGAIN = ("retry-after", "retry-after-ms", "x-should-retry")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    url: whole. headers: by small names, without those of the connection; latin-1. timeout: seconds, None: none. path:
    as the agent wrote it, where the URL is another server's than the one that it knows.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)  # they hold keys
    body: bytes = b""
    timeout: float | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status, read to its end. headers: those that tell a client whether to try again, and when."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(CallError):
    """The server answered, but with no answer of a model. answer: what the agent is given instead."""

    def __init__(self, message: str, answer: Answer, kind: str) -> None:
        super().__init__(message, kind=kind)
        self.answer: Answer = answer


def failure_of(status: int) -> str:
    """The kind of failure, see `CallError`, that a status from 400 on stands for."""
    return "rate_limit" if status == 429 else "server" if status >= 500 else "bad_request"


def path_of(ask: Ask) -> str:
    """The path by which a request's API is told."""
    return ask.path or urlsplit(ask.url).path


def refused(path: str, status: int, why: str) -> Answer:
    """What an agent is told that is not served, in the words of the API that it called. path: or its URL."""
    return Answer(status, refusals.body(route_of(urlsplit(path).path) or "chat", status, why))


def redirected(url: str, status: int, location: str) -> CallError | None:
    """The error for an answer that sends its client elsewhere, which would take the keys along; None for others."""
    if not 300 <= status < 400 or status == 304:
        return None
    here, there = urlsplit(url).hostname, _host(url, location) if location else ""
    message = f"{here} redirects to {there or 'nowhere'} ({status}), which is not followed: use that URL"
    return CallError(message, kind="bad_request", usage=Usage())


def _host(url: str, location: str) -> str:
    try:
        return printable((urlsplit(urljoin(url, location)).hostname or "")[:100])
    except ValueError:
        return ""


def sent_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go on to the next server."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in _HOP}


def host_of(url: str) -> str:
    """The host of a URL with its port where it has one, without the name and password that may stand before it.

    >>> host_of("http://me:secret@[::1]:8000/v1"), host_of("https://api.openai.com/v1")
    ('[::1]:8000', 'api.openai.com')
    """
    return urlsplit(url).netloc.rpartition("@")[2]


def again(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of an answer's headers that tell a client whether to try again, and when."""
    return {name: headers[name] for name in _AGAIN if name in headers}
