"""What can be wrong with a request, an answer or a stream.

WireError (SearchkitError, ValueError)
|-- Malformed      not JSON, a field of another type, nested too deeply, no such role: 400
|-- TooLarge       more bytes than are read: 413
|-- Truncated      a stream ended before its answer did
`-- Reported       the other side reported an error in a place where an answer was expected
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from searchkit.errors import SearchkitError


class WireError(SearchkitError, ValueError):
    """Bytes that are no request, no answer or no stream of their API.

    status: the HTTP status with which a server refuses such a request. param: where in the body, as
    ``messages.2.content``; None where it is the whole.
    """

    status: ClassVar[int] = 400

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param: str | None = param


class Malformed(WireError):
    """Not JSON, a field of another type, nested too deeply, or something that its API does not have."""


class TooLarge(WireError):
    """More bytes than are read."""

    status: ClassVar[int] = 413


class Truncated(WireError):
    """The stream ended before the answer did."""

    status: ClassVar[int] = 502


@dataclass(frozen=True, slots=True)
class Failure:
    """What a server says went wrong, taken apart; `failures` reads it.

    message: the server's sentence, "" if it has none. status: the HTTP status that it names. names: type, code and the
    like, in its words. wait: seconds that it asks for.
    """

    message: str = ""
    status: int | None = None
    names: str = ""
    wait: float | None = None


class Reported(WireError):
    """The other side reported an error where an answer was expected; the message is what it said.

    failure: what it said, taken apart, where it said more than words.
    """

    status: ClassVar[int] = 502

    def __init__(self, message: str, *, failure: Failure | None = None) -> None:
        super().__init__(" ".join(message.split())[:500])
        self.failure: Failure | None = failure


def named_in(error: Exception) -> str:
    """What an error that Python raised over a value of another shape says of it, as the end of a sentence.

    >>> named_in(KeyError("choices")), named_in(AttributeError("'list' object has no attribute 'get'"))
    (": 'choices'", '')
    """
    return f": {error}" if isinstance(error, KeyError) else ""
