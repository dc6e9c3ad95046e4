"""What a server says where it refuses or fails, in whichever of many shapes: its sentence, and what kind of failure.

Servers report errors inside answers of status 200 too, and none of their shapes is standard.
"""

from __future__ import annotations

import re
from typing import Any

from searchkit.wire import waits
from searchkit.wire.errors import Failure, Reported
from searchkit.wire.quoting import quoted

_SENTENCES = (
    *("message", "Message", "msg", "detail", "error_msg", "errmsg", "error_message", "errorMessage", "status_msg"),
    *("faultstring", "error_description", "description", "title", "reason"),
)
_NAMES = ("type", "code", "Code", "status", "error_type", "__type", "@type", "reason", "errorcode")
_STATUSES = ("code", "status", "statusCode", "status_code", "http_status", "error_code", "errorCode", "errcode")
_AROUND = ("fault", "Error", "result", "response", "Response", "ResponseMetadata", "header")  # an error may be in these
_PLAIN = ("message", "Message", "detail", "error_msg", "errmsg", "error_message", "errorMessage", "title", "msg")
_SHORT = ("description", "reason", "error_description")  # a sentence where a status stands beside it
_ANSWERS = ("choices", "output", "content", "data", "embedding", "embeddings", "delta", "candidates")
_EVENTS = ("response", "message", "content_block", "ping")
_SUSPECT = ("error", "errors", "base_resp", "type")
_DEEPEST = 8
_NOTHING = {"", "none", "null", "nil", "undefined", "false", "0", "ok", "success", "successful", "no error", "no_error"}

_KINDS = [
    ("auth", r"authenti|unauthori[sz]ed|permission|forbidden|api[ _-]?key|access[ _-]?denied|subscription key"),
    (
        "rate_limit",
        r"rate[ _-]?limit|ratequota|too many|throttl|overloaded|unavailable|exhausted|slow down|capacity|concurren"
        r"|qps|loading|busy|try again|queue is full",
    ),
    ("server", r"time[ds]?[ _-]?out|internal|server[ _]error|upstream|out of memory|memory"),
    (
        "bad_request",
        r"bad[ _]?request|invalid|not supported|unsupported|context length|not permitted|not found|malformed",
    ),
]
_KINDS_OF = [(kind, re.compile(words, re.IGNORECASE)) for kind, words in _KINDS]


def kind_of(failure: Failure) -> str:
    """The kind of a `CallError`, by the words alone: "server" where these say nothing."""
    for kind, sought in _KINDS_OF:  # a general name ("invalid_request_error") may stand beside the one that says more
        if sought.search(failure.names):
            return kind
    found = [(matched.start(), kind) for kind, sought in _KINDS_OF if (matched := sought.search(failure.message))]
    return min(found)[1] if found else "server"


def reported(value: Any) -> Reported | None:
    """The error that a JSON value reports where an answer was expected; None if it reports none."""
    found = failure(value)
    return None if found is None else Reported(found.message or quoted(value), failure=found)


def given_up(wrong: Any, reason: Any) -> Reported:
    """The error of a choice that ended with one. wrong: what it says of it."""
    found = None if says_nothing(wrong) else failure({"error": wrong})
    message = f'the server gave up on it (finish_reason "{reason!s:.40}")'
    if found is None:
        return Reported(message, failure=Failure(message))
    return Reported(f"{message}: {found.message}", failure=found)


def failure(value: Any) -> Failure | None:
    """What a body says went wrong; None where it says nothing of the kind."""
    if isinstance(value, dict) and value.get("choices") and not any(map(value.get, _SUSPECT)):
        return None  # as nearly all answers are
    for outer in value[:8] if isinstance(value, list) else [value]:
        if isinstance(outer, dict) and (inner := _inner(outer)) is not None:
            return _read(inner, outer)
    return None


def told(body: Any) -> Failure:
    """The same of the body of an error, parsed or as text: if nothing else, its beginning is the sentence."""
    found = failure(body)
    if found is not None and found.message:
        return found
    text = quoted(body)
    return Failure(text, None, "", waits.of_words(text)) if found is None else found


def _inner(outer: dict[str, Any], depth: int = 2) -> Any:
    """The part that says what is wrong; None if it is an answer, or something else."""
    for key in ("error", "errors", "Error", "fault"):
        if (found := outer.get(key)) and not says_nothing(found):
            return found[0] if isinstance(found, list) else found
    if outer.get("object") == "error" or outer.get("type") == "error":
        return outer
    if (found := outer.get("base_resp")) and isinstance(found, dict) and found.get("status_code"):
        return found
    kind = outer.get("type")
    if any(outer.get(key) is not None for key in _ANSWERS) or (isinstance(kind, str) and kind.startswith(_EVENTS)):
        return None
    for key in _AROUND:
        if isinstance(below := outer.get(key), dict) and depth and (found := _inner(below, depth - 1)) is not None:
            return found
    said = [key for key in _PLAIN if isinstance(outer.get(key), (str, list)) and outer[key]]
    if isinstance(outer.get("detail"), dict):
        said.append("detail")
    if not said and any(_status(outer.get(key)) for key in _STATUSES):
        said = [key for key in _SHORT if isinstance(outer.get(key), str) and outer[key]]
    if not said:
        return None
    held = outer[said[0]]
    if isinstance(held, list) and isinstance(held[0], dict) and "error" in held[0]:
        held = held[0]
    return held if isinstance(held, dict) else outer


def says_nothing(error: Any, depth: int = 4) -> bool:
    """Whether what stands where an error does says that there is none: servers that always write all fields.

    >>> says_nothing({"code": None, "message": ""}), says_nothing("none"), says_nothing({"code": 429})
    (True, True, False)
    """
    if isinstance(error, str):
        return error.strip().lower() in _NOTHING
    if isinstance(error, dict) and depth:
        if error.get("code") in (0, "0", 200, "200") and not error.get("type"):
            return True
        return all(says_nothing(value, depth - 1) for value in error.values())
    if isinstance(error, list) and depth:
        return all(says_nothing(value, depth - 1) for value in error)
    return not error


def _read(inner: Any, outer: dict[str, Any]) -> Failure:
    for _ in range(_DEEPEST):
        if not isinstance(inner, dict) or not isinstance(inner.get("error"), (dict, str)):
            break
        outer, inner = inner, inner["error"]
    message = _sentence(inner)
    if isinstance(inner, str) and (more := _sentence(outer)) and more not in message:
        message = f"{message}: {more}"  # "Bad Request", and why
    places = [place for place in (inner, outer) if isinstance(place, dict)]
    if raw := next((m["raw"] for p in places if isinstance(m := p.get("metadata"), dict) and m.get("raw")), None):
        message = f"{message} ({quoted(raw)})"
    status = next((s for p in places for key in _STATUSES if (s := _status(p.get(key))) is not None), None)
    names = [str(p[key])[:100] for p in places for key in _NAMES if isinstance(p.get(key), (str, int))]
    names += [quota for p in places for quota in _quotas(p.get("details"))]
    wait = waits.of_body(outer)
    return Failure(message, status, " ".join(names), waits.of_words(message) if wait is None else wait)


def _sentence(value: Any, depth: int = _DEEPEST) -> str:
    """The server's own words, on one line."""
    if isinstance(value, dict) and depth:
        found = next((s for key in _SENTENCES if value.get(key) and (s := _sentence(value[key], depth - 1))), "")
        where = value.get("loc")
        named = quoted(".".join(str(part)[:100] for part in where[:8])) if isinstance(where, list) and found else ""
        return f"{named}: {found}" if named else found
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_sentence(entry, depth - 1) for entry in value[:8])))
    return quoted(value) if isinstance(value, str) else ""


def _status(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer() and value < 1000:
        value = int(value)
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch(r"[45][0-9][0-9]", text) else None


def _quotas(details: Any) -> list[str]:
    """Google's names of the quotas that were exceeded: those of a minute, and those of a day."""
    entries = [entry for entry in details[:16] if isinstance(entry, dict)] if isinstance(details, list) else []
    listed = [v for e in entries if isinstance(e.get("violations"), list) for v in e["violations"][:16]]
    return [str(v.get("quotaId", ""))[:100] for v in listed if isinstance(v, dict)]
