"""Why a request is not answered: an HTTP status and a sentence, in the words of the API that was called."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from searchkit.calls import CallError
from searchkit.errors import BudgetExhausted, ConfigError, JournalError, SearchkitError, VerifierError
from searchkit.kinds import printable
from searchkit.serving.shared import Refused
from searchkit.wire import WireError

_OF_CALLS: Mapping[str, int] = {"rate_limit": 503, "timeout": 504, "bad_request": 400, "quota": 503}
_WHYS: Mapping[str, str] = {
    "rate_limit": "the model's server is busy",
    "timeout": "the model's server did not answer in time",
    "quota": "the model's server takes no more from this server for now",
    "connection": "the model's server cannot be reached; the server's log says so, at this run",
    "server": "the model's server failed; the server's log says so, at this run",
    "malformed": "the model's server answered what cannot be read; the server's log says so, at this run",
    "auth": "the model's server does not let this server in; the server's log says so, at this run",
}
_ADDRESS = re.compile(r"\b[a-z]{2,6}://[^\s\"'<>()]+", re.IGNORECASE)
_OF_ERRORS: tuple[tuple[type[Exception], int], ...] = (
    (BudgetExhausted, 402),
    (JournalError, 500),
    (ConfigError, 400),
    (VerifierError, 502),
)
UNSAID = "the search failed; the server's log says why, at this run"


class Refusal(Exception):
    """A request that is not answered. status: of HTTP. param: where in the body. headers: such as retry-after."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(printable(message))
        self.status: int = status
        self.message: str = printable(message)
        self.param: str | None = param
        self.headers: Mapping[str, str] = headers or {}


def later(seconds: float | None) -> dict[str, str]:
    """The header that says when to come back; none where that does not help."""
    return {} if seconds is None else {"retry-after": str(max(1, math.ceil(seconds)))}


def refusal_of(error: BaseException) -> Refusal:
    """What a client is told of an error. Of one that is none of ours nothing is quoted: it may say anything; of one of
    the model's server only what refuses the request itself.

    >>> refusal_of(BudgetExhausted("generations")).status, refusal_of(KeyError("a secret")).message == UNSAID
    (402, True)
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, WireError):
        return Refusal(error.status, str(error), param=error.param)
    if isinstance(error, CallError):
        why = _WHYS.get(error.kind, UNSAID)
        if error.kind == "bad_request":  # the one that clients can mend; where the model is concerns none of them
            why = f"the model's server refused the request: {_ADDRESS.sub('[address]', str(error))}"
        return Refusal(_OF_CALLS.get(error.kind, 502), why, headers=later(error.retry_after))
    if isinstance(error, Refused):
        again = later(error.retry_after) or {"x-should-retry": "false"}  # the official clients would try 429 again
        return Refusal(error.status, str(error), headers=again)
    if isinstance(error, SearchkitError):
        status = next((status for kind, status in _OF_ERRORS if isinstance(error, kind)), 500)
        return Refusal(status, UNSAID if status == 500 else _ADDRESS.sub("[address]", str(error)))
    return Refusal(500, UNSAID)
