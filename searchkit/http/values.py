"""What an exchange gives, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Enough = Callable[[bytes], bool]
ERROR_LIMIT = 64 * 1024  # bytes: of the body of an error, no more is read


class Unreachable(Exception):
    """No connection could be made: nothing was sent. lasting: trying again does not help, as where nobody listens."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting: bool = lasting


class Broken(Exception):
    """The connection ended after the request was sent: the server may have worked on it."""


class Unreadable(Broken):
    """What came is no HTTP, is longer than its limit, or cannot be unpacked."""


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """An answer of any status. Header names are lower-case. body: unpacked; that of an error may be cut."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300
