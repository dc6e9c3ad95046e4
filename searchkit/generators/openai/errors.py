"""What can go wrong with a call to a server, as a `CallError` whose sentence names the fix and never the key."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError, NeedsPrefix
from searchkit.http import HTTPReply
from searchkit.types import Usage

ONE_CALL = Usage(model_calls=1)


class Dropped(CallError, CapabilityError):
    """The server does not honour a feature of the request: an entry of `complete`, and a `CapabilityError`."""


class PrefixDropped(Dropped, NeedsPrefix):
    """The server does not continue an assistant turn: an entry of `complete`, and a `NeedsPrefix`."""


class Missing(CallError):
    """The server has no such model or route."""


def about(error: CallError, request: Request, usage: Usage | None) -> CallError:
    """The same error as another request's, with another cost: for requests that share one call."""
    return type(error)(
        str(error),
        kind=error.kind,
        request=request,
        usage=usage,
        attempts=error.attempts,
        retry_after=error.retry_after,
    )


def with_cost(error: CallError, spent: Usage) -> CallError:
    """The same error, which cost `spent` as well."""
    if spent != Usage():
        error.usage = spent + (error.usage or Usage())
    return error


def worst(request: Request) -> Usage:
    """The cost of a call that was sent and never answered: all it may have generated, marked as an estimate."""
    most = request.params.max_tokens or 0
    return Usage(model_calls=1, generated_tokens=most, estimated_tokens=most)


def kind_of(status: int) -> str:
    """The kind of `CallError` for a status. 503 and 529 are overload, as 429 is: servers use them for full queues."""
    if status in (429, 503, 529):
        return "rate_limit"
    if status in (401, 403):
        return "auth"
    if status == 408:
        return "timeout"
    return "server" if status >= 500 or status in (409, 425) else "bad_request"


def of_status(
    url: str, reply: HTTPReply, *, has_key: bool, redact: Callable[[str], str], advice: str = ""
) -> CallError:
    """The error for an answer that is not a success. `redact` hides the key, which some servers quote.

    advice: the end of the sentence.
    """
    kind, where = kind_of(reply.status), f"the server at {url}"
    check = "check api_key= or OPENAI_API_KEY" if has_key else "pass api_key= or set OPENAI_API_KEY"
    check += " (extra_headers= where it has a header of its own)"
    sentence = {
        "auth": f"{where} refused the API key ({reply.status}), {check}",
        "rate_limit": f"{where} is overloaded ({reply.status})",
        "timeout": f"{where} gave up waiting ({reply.status})",
        "server": f"{where} failed ({reply.status})",
        "bad_request": f"{where} refused the request ({reply.status})",
    }[kind]
    if 300 <= reply.status < 400:
        sentence = f"{where} redirects to {reply.headers.get('location', 'elsewhere')}, use that as base_url"
    wait = retry_after(reply.headers)
    return CallError(redact(sentence) + _said(reply.body, redact) + advice, kind=kind, usage=ONE_CALL, retry_after=wait)


def no_route(url: str, models: list[str] | None, model: str, reply: HTTPReply, redact: Callable[[str], str]) -> Missing:
    """The error for a 404: the model is unknown if the server lists models, else the URL is wrong."""
    if models is None:
        message = (
            f"there is no OpenAI API at {url} (404): does the server's base_url end in /v1? Azure's deployments want "
            f'extra_query={{"api-version": ...}}{_said(reply.body, redact)}'
        )
    elif model in models:
        message = f"the server at {url} lists the model {model!r} but not this route (404): try the other route="
    else:
        offered = ", ".join(models[:10]) + (" ..." if len(models) > 10 else "")
        message = f"the server at {url} has no model {model!r}; it offers: {offered or 'none'}"
    return Missing(message, kind="bad_request", usage=ONE_CALL)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (retry-after-ms, or Retry-After as a number or an HTTP date), else None."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        try:
            seconds = parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time()
        except (KeyError, ValueError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _said(body: bytes, redact: Callable[[str], str]) -> str:
    """What the server said, as the end of a sentence: its own message if there is one, else its text's beginning."""
    try:
        value = json.loads(body)
    except ValueError:
        value = body.decode("utf-8", "replace")
    while isinstance(value, dict):
        value = next((value[key] for key in ("error", "message", "detail") if value.get(key)), "")
    text = redact(" ".join(str(value).split())[:2000])[:500]  # hidden first: half a key would not be recognized
    return f": {text}" if text else ""
