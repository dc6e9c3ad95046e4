"""How long a server asks its clients to wait, wherever it says so: in headers, in fields, or in a sentence."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAMES = "milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
_PART = rf"{_NUMBER}\s{{0,3}}(?:{_NAMES})(?![a-z])"
_DURATION = rf"{_PART}(?:(?:,|\s|and){{0,3}}\s{{0,3}}{_PART}){{0,3}}"
_TIGHT = rf"(?:{_NUMBER}(?:ms|s|m|h|d)){{1,5}}"  # 1h2m3s
_TOLD = re.compile(
    r"\b(?:try|retry|retrying|retried|again|wait|available|resets?)\s{1,3}(?:\w{1,12}\s{1,3}){0,3}?"
    rf"(?:(?:in|after|for|at\s{{1,3}}least)\s{{1,3}}(?:about\s{{1,3}}|another\s{{1,3}}|approximately\s{{1,3}})?)"
    rf"({_TIGHT}|{_DURATION}|{_NUMBER}(?=\s*[.,!)]?\s*$))(?![\w-])"
    rf"|\bwait\s{{1,3}}({_TIGHT}|{_DURATION})(?![\w-])"
    rf"|\bretry[-_ ]?after[\"']?\s{{0,3}}[:=]\s{{0,3}}({_TIGHT}|{_DURATION}|{_NUMBER})(?![\w-])",
    re.IGNORECASE,
)
_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_LIMITS = re.compile(
    r"(?P<head>(?:x-|[a-z]{1,20}-)?rate-?limit-)(?:(?P<kind>[a-z-]{1,30})-)?reset(?P<tail>-[a-z-]{1,20})?"
)
_FIELDS = frozenset(["retry_after", "retryafter", "retry_after_seconds", "retry_delay", "retrydelay", "estimated_time"])
_FIELDS_MS = ("retry_after_ms", "retryafterms")
_DEEPEST, _MOST = 8, 256  # levels and values of a body that are looked at


def of_headers(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers of a refusal ask to wait (Retry-After in all its forms), None if they name none."""
    for name in _MILLISECONDS:
        if (found := seconds(headers.get(name))) is not None:
            return found / 1000
    return seconds(headers.get("retry-after"))


def of_limits(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limits are reset that the headers call used up; else, of those that they say no more of, the
    first."""
    gone, unknown = list[float](), list[float]()
    for name, value in headers.items():
        matched = _LIMITS.fullmatch(name)
        if matched is None or (found := seconds(value)) is None:
            continue
        head, kind = matched["head"], matched["kind"]
        names = (f"{head}{kind}-remaining", f"{head}remaining-{kind}") if kind else (f"{head}remaining",)
        tail = matched["tail"] or ""
        left = next((headers[n] for n in (*names, f"{head}remaining{tail}") if n in headers), None)
        if left is None:
            unknown.append(found)
        elif left.strip() in ("0", "0.0"):
            gone.append(found)
    return max(gone) if gone else min(unknown, default=None)


def of_body(value: Any) -> float | None:
    """Seconds that a field of a JSON body asks to wait: retry_after, Google's retryDelay, estimated_time."""
    for name, held in _fields(value):
        if name in _FIELDS_MS and (found := seconds(held)) is not None:
            return found / 1000
        if name in _FIELDS and (found := seconds(held)) is not None:
            return found
    return None


def of_words(text: str) -> float | None:
    """Seconds that a sentence asks to wait. Takes linear time.

    >>> of_words("Rate limit reached. Please try again in 1m3.2s."), of_words("Your plan renews in 20s")
    (63.2, None)
    """
    found = _TOLD.search(text[:4000])
    return seconds(next(group for group in found.groups() if group)) if found else None


def seconds(value: Any) -> float | None:
    """Seconds from now of a number, a duration ("1h2m3s", "20 seconds"), a date or a Unix time; None for others.

    What is past is 0.
    """
    if isinstance(value, Mapping):  # Google's duration as an object
        return seconds(value.get("seconds"))
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip()[:100] if not isinstance(value, int) or value < 10**18 else ""
    if re.fullmatch(rf"{_NUMBER}(?:e[+-]?[0-9]{{1,3}})?", text, re.IGNORECASE):
        return _counted(float(text))
    if re.fullmatch(rf"{_TIGHT}|{_DURATION}", text, re.IGNORECASE):
        return _finite(sum(float(n) * _unit(unit) for n, unit in _pieces(text)))
    return _until(text)


def _counted(number: float) -> float | None:
    """A number of seconds, or, from the year 2001 on, a time in seconds or milliseconds."""
    if number < 1e9:
        return _finite(number)
    return _finite(max(0.0, (number / 1000 if number >= 1e12 else number) - time.time())) if number < 1e14 else None


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    return iter(re.findall(rf"({_NUMBER})\s*([a-z]+)", text.lower().replace("and", " ")))


def _unit(name: str) -> float:
    return _UNITS["ms"] if name.startswith(("ms", "milli")) else _UNITS[name[0]]


def _until(text: str) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime, _c_date):
        try:
            found = read(text)
            moment = found if found.tzinfo else found.replace(tzinfo=UTC)
            return max(0.0, moment.timestamp() - time.time())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _c_date(text: str) -> datetime:
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    level, seen = [value] if isinstance(value, (dict, list)) else [], 0
    for _ in range(_DEEPEST):
        below = list[Any]()
        for held in level:
            entries = held.items() if isinstance(held, dict) else [("", entry) for entry in held]
            for name, entry in entries:
                seen += 1
                if seen > _MOST:
                    return
                yield str(name).lower().replace("-", "_"), entry
                if isinstance(entry, (dict, list)):
                    below.append(entry)
        level = below
