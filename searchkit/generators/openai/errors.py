"""What can go wrong with a call to a server, as a `CallError` whose sentence names the fix and never the key."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin, urlsplit, urlunsplit

from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError, NeedsPrefix
from searchkit.generators.openai.bodies import PATHS
from searchkit.http import HTTPReply
from searchkit.kinds import printable
from searchkit.types import Usage
from searchkit.wire import failures, quotas, quoting, waits
from searchkit.wire.errors import Failure, Reported

ONE_CALL = Usage(model_calls=1)
SHOWN = 500  # characters of what a server said
_ENDS = [path + slash for path in (*PATHS.values(), "/models") for slash in ("", "/")]  # of a URL, behind its base


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
        lasting=error.lasting,
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
    """The kind of `CallError` for a status. 503 and 529 are overload, as 429 is: servers use them for full queues, and
    Groq 498."""
    if status in (429, 498, 503, 529):
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
    failure = failures.told(quoting.body_of(reply.body))
    kind, where = _kind(failure, reply.status), f"the server at {url}"
    check = "check api_key= or OPENAI_API_KEY" if has_key else "pass api_key= or set OPENAI_API_KEY"
    check += " (extra_headers= where it has a header of its own)"
    sentence = {
        "auth": f"{where} refused the API key ({reply.status}), {check}",
        "quota": f"{where} has no quota left for this account ({reply.status}), another attempt does not help",
        "rate_limit": f"{where} is overloaded ({reply.status})",
        "timeout": f"{where} gave up waiting ({reply.status})",
        "server": f"{where} failed ({reply.status})",
        "bad_request": f"{where} refused the request ({reply.status})",
    }[kind]
    if 300 <= reply.status < 400:
        sentence = f"{where} redirects to {_elsewhere(url, reply)}"
    said, wait = _said(failure, redact) + advice, retry_after(reply, failure)
    return CallError(printable(redact(sentence)) + said, kind=kind, usage=ONE_CALL, retry_after=wait)


def of_reported(
    url: str, error: Reported, usage: Usage, reply: HTTPReply, *, redact: Callable[[str], str]
) -> CallError:
    """The error that a server reports where an answer was expected, in HTTP 200."""
    failure = error.failure or Failure(str(error))
    kind, wait = _kind(failure, failure.status), retry_after(reply, failure)
    said = printable(redact(" ".join(str(error).split())))
    return CallError(f"the server at {url} answered with an error: {said}", kind=kind, usage=usage, retry_after=wait)


def _elsewhere(url: str, reply: HTTPReply) -> str:
    """Where a redirect leads, and the base_url to take instead, if one is known."""
    told = reply.headers.get("location", "")
    said = f"{told[:200] or 'elsewhere'}, which is not followed"
    try:
        there = urlsplit(urljoin(f"{url}/", told[:2000]))
    except ValueError:
        return said
    base = next((there.path.removesuffix(end) for end in _ENDS if there.path.endswith(end)), None)
    found = urlunsplit((there.scheme, there.netloc.rpartition("@")[2], base or "", "", ""))
    if base is None or there.scheme not in ("http", "https") or not there.hostname or found == url:
        return f"{said}: is base_url right?"
    return f"{said}: use base_url={found[:200]!r}, if you trust that server with your prompts"


def _kind(failure: Failure, status: int | None) -> str:
    """The kind of a `CallError`, by the words where the status, of which there may be none, does not say all."""
    if status is None or status < 500:
        if quotas.is_spent(failure, status):
            return "quota"
        if quotas.is_too_large(failure):
            return "bad_request"
        if status in (400, 403) and quotas.is_limited(failure):
            return "rate_limit"
    return failures.kind_of(failure) if status is None else kind_of(status)


def no_answer(url: str, why: str, reply: HTTPReply | None, usage: Usage, *, redact: Callable[[str], str]) -> CallError:
    """The error for a success that is no completion: what came instead is quoted. reply: None for a stream."""
    what = why[: 2 * SHOWN] if reply is None else beginning(why, reply)
    message = f"the server at {url} sent an answer that is no completion: {what}"
    return CallError(printable(redact(message)), kind="malformed", usage=usage)


def beginning(why: str, reply: HTTPReply) -> str:
    """What is wrong with a body, and how it begins."""
    kind, body = reply.headers.get("content-type", "")[:80] or "without a type", reply.body[: 4 * SHOWN].strip()
    if not body:
        return f"it is empty ({kind})"
    text = " ".join(body.decode("utf-8", "replace").split())[:SHOWN]
    return f"{why[:SHOWN]} ({kind}); it begins with {text}"


def no_route(url: str, models: list[str] | None, model: str, reply: HTTPReply, redact: Callable[[str], str]) -> Missing:
    """The error for a 404: the model is unknown if the server lists models, else the URL is wrong."""
    if models is None:
        message = (
            f"there is no OpenAI API at {url} (404): does the server's base_url end in /v1? Azure's deployments want "
            f'extra_query={{"api-version": ...}}{_said(failures.told(quoting.body_of(reply.body)), redact)}'
        )
    elif model in models:
        message = f"the server at {url} lists the model {model!r} but not this route (404): try the other route="
    else:
        offered = ", ".join(models[:10]) + (" ..." if len(models) > 10 else "")
        message = f"the server at {url} has no model {model!r}; it offers: {offered or 'none'}"
    return Missing(message, kind="bad_request", usage=ONE_CALL)


def retry_after(reply: HTTPReply, failure: Failure) -> float | None:
    """Seconds that the server asks to wait: Retry-After first, then what its body says, then when its limits end."""
    if (found := waits.of_headers(reply.headers)) is not None:
        return found
    return failure.wait if failure.wait is not None else waits.of_limits(reply.headers)


def _said(failure: Failure, redact: Callable[[str], str]) -> str:
    """What the server said, as the end of a sentence."""
    text = printable(redact(failure.message)[:SHOWN])  # hidden first: half a key would not be recognized
    return f": {text}" if text else ""
