"""One call of a model: what is asked, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from searchkit.errors import SearchkitError
from searchkit.quick import quick
from searchkit.types import Params, Prompt, Usage


class CallError(SearchkitError):
    """A request failed for good.

    kind: "rate_limit", "server", "timeout", "connection", "malformed", "auth", "quota" (what an account may spend is
    spent), "bad_request" or "failed" (a callable raised). `transient` errors are worth another attempt: some kinds, but
    not what is `lasting`, as a host that nobody knows. `usage` is what the last attempt cost; `attempts` how many were
    made; `retry_after` what the server asked for, in seconds.
    """

    TRANSIENT: ClassVar[frozenset[str]] = frozenset({"rate_limit", "server", "timeout", "connection", "malformed"})

    def __init__(
        self,
        message: str,
        *,
        kind: str = "failed",
        request: Request | None = None,
        usage: Usage | None = None,
        attempts: int = 1,
        retry_after: float | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind: str = kind
        self.request: Request | None = request
        self.usage: Usage | None = usage
        self.attempts: int = attempts
        self.retry_after: float | None = retry_after
        self.lasting: bool = lasting

    @property
    def transient(self) -> bool:
        return self.kind in self.TRANSIENT and not self.lasting


def _always(_: CallError) -> bool:
    return True


def _ignore(_: bool) -> None:
    pass


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One request is one sample. `seed` and `index` make it different from its siblings.

    Two callbacks tell the ledger what only a wrapper knows; they are not part of the request's identity. `retry` is
    asked before each further attempt: it charges the failed one, and answers whether another is affordable. `waiting`
    is told True while nothing has been sent (a queue, a back-off) and False once it is: what is cancelled while it
    waits costs nothing.
    """

    prompt: Prompt
    params: Params
    seed: int
    index: int = 0
    retry: Callable[[CallError], bool] = field(default=_always, compare=False, repr=False)
    waiting: Callable[[bool], None] = field(default=_ignore, compare=False, repr=False)

    @property
    def unmetered(self) -> bool:
        """Nobody charges failed attempts as they happen: an answer has to carry their cost."""
        return self.retry is _always
