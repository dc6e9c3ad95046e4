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
_PLAIN = r"\+?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:e[+-]?[0-9]{1,3})?"
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
_MOMENT = re.compile(
    r"\b(?:resets?|retry|again|available|until|access|after|renews?)\b[^0-9]{0,20}"
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]| at )([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?) ?"
    r"(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"({_NUMBER})\s{{0,3}}(毫秒|秒|分钟|分|小时|時間|天|초|분|시간)(?:钟|鐘)?\s{{0,3}}(?:之?[后後]|以[后後]|후)"
)
_AFTER_UNITS = {"毫秒": 0.001, "秒": 1.0, "초": 1.0, "分钟": 60.0, "分": 60.0, "분": 60.0, "天": 86400.0}  # else hours
_CLOCK = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,9})?)")
_ISO = re.compile(
    rf"P(?:({_NUMBER})D)?(?:T(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?(?<=[0-9][DHMS])", re.IGNORECASE
)
_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms")
_SECONDS = ("retry-after", "x-retry-after")
_POLICIES = re.compile(r"(?:^|,)\s{0,9}\"[^\"]{0,80}\"((?:;[^,;]{0,40}){1,8})")  # RateLimit: "name";r=0;t=12
_LIMITS = re.compile(
    r"(?P<head>(?:x-|[a-z]{1,20}-)?rate-?limit-)(?:(?P<kind>[a-z-]{1,30})-)?reset(?P<tail>-[a-z-]{1,20})?"
)
_FIELDS = frozenset({  # without their underscores
    "retryafter", "retryafterseconds", "retryaftersec", "retryaftersecs", "retryafters", "retrydelay", "retryin",
    "retryinseconds", "retryat", "retrydelayseconds", "estimatedtime", "resetat", "resetsat", "resettime", "resetafter",
    "resetsafter", "resetin", "resetsin", "resetinseconds", "resetsinseconds", "waitseconds", "secondsuntilreset",
})  # fmt: skip
_FIELDS_MS = frozenset({
    "retryafterms", "retryaftermilliseconds", "retryaftermillis", "retrydelayms", "retryinms", "waitms", "resetafterms",
    "resetinms",
})  # fmt: skip
_EARLIER, _LATER = 86400.0, 400 * 86400.0  # seconds: a number that is a time so near is one, and else seconds
_DEEPEST, _MOST = 8, 256  # levels and values of a body that are looked at


def of_headers(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers of a refusal ask to wait (Retry-After in all its forms), None if they name none.

    Of a header that came twice, the first that can be read.
    """
    for name in _MILLISECONDS:
        if (found := seconds(headers.get(name))) is not None:
            return found / 1000
    for name in _SECONDS:
        value = headers.get(name)
        for said in () if value is None else (value, *value.split(",")[:8]):
            if (found := seconds(said)) is not None:
                return found
    return None


def of_limits(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limits are reset that the headers call used up; else, of those that they say no more of, the
    first."""
    gone, unknown = list[float](), list[float]()
    for remaining, reset in _policies(headers.get("ratelimit", "")):
        if remaining in (None, "0"):
            (unknown if remaining is None else gone).append(reset)
    for name, value in headers.items():
        matched = _LIMITS.fullmatch(name)
        if matched is None or (found := seconds(value)) is None:
            continue
        head, kind = matched["head"], matched["kind"]
        found = found / 1000 if matched["tail"] and matched["tail"].endswith("-ms") else found
        names = (f"{head}{kind}-remaining", f"{head}remaining-{kind}") if kind else (f"{head}remaining",)
        tail = matched["tail"] or ""
        left = next((headers[n] for n in (*names, f"{head}remaining{tail}") if n in headers), None)
        if left is None:
            unknown.append(found)
        elif left.strip() in ("0", "0.0"):
            gone.append(found)
    return max(gone) if gone else min(unknown, default=None)


def _policies(value: str) -> Iterator[tuple[str | None, float]]:
    """What is left of each limit that the header RateLimit lists, in either of its forms, and seconds to its reset."""
    listed = _POLICIES.findall(value[:2000]) or [value[:2000].replace(",", ";")]
    for one in listed:
        said = {n.strip().lower(): v.strip() for n, _, v in (part.partition("=") for part in one.split(";"))}
        if (found := seconds(said.get("t", said.get("reset")))) is not None:
            yield said.get("r", said.get("remaining")), found


def of_body(value: Any) -> float | None:
    """Seconds that a field of a JSON body asks to wait: retry_after, Google's retryDelay, estimated_time, reset_at; or
    that headers ask for which it quotes."""
    for name, held in _fields(value):
        if name == "headers" and isinstance(held, Mapping):
            quoted = {str(n).lower(): str(v)[:200] for n, v in list(held.items())[:_MOST]}
            found = of_headers(quoted)
            found = of_limits(quoted) if found is None else found
        elif (plain := name.replace("_", "")) in _FIELDS_MS:
            found = seconds(held)
            found = None if found is None else found / 1000
        else:
            found = seconds(held) if plain in _FIELDS else None
        if found is not None:
            return found
    return None


def of_words(text: str) -> float | None:
    """Seconds that a sentence asks to wait. Takes linear time.

    >>> of_words("Rate limit reached. Please try again in 1m3.2s."), of_words("Your plan renews in 20s")
    (63.2, None)
    """
    said = text[:4000]
    if found := _TOLD.search(said):
        return seconds(next(group for group in found.groups() if group))
    if found := _MOMENT.search(said):
        zone = (found[3] or "Z").upper()
        return seconds(f"{found[1]}T{found[2]}{'Z' if zone in ('UTC', 'GMT') else zone}")
    if found := _AFTER.search(said):
        return _finite(float(found[1]) * _AFTER_UNITS.get(found[2], 3600.0))
    return None


def seconds(value: Any) -> float | None:
    """Seconds from now of a number, a duration ("1h2m3s", "20 seconds", "PT20S", "0:00:20"), a date or a Unix time;
    None for others.

    A date that is past is 0. A number is a Unix time, in seconds or milliseconds, if that is near; else seconds.
    """
    if isinstance(value, Mapping):  # Google's duration as an object
        return seconds(value.get("seconds"))
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip()[:100].strip("\"' ") if not isinstance(value, int) or value < 10**18 else ""
    if re.fullmatch(_PLAIN, text, re.IGNORECASE):
        return _counted(float(text))
    if (found := _CLOCK.fullmatch(text)) is not None:
        return int(found[1]) * 3600.0 + int(found[2]) * 60.0 + float(found[3])
    if (found := _ISO.fullmatch(text)) is not None:
        return _finite(sum(float(n or 0) * unit for n, unit in zip(found.groups(), (86400, 3600, 60, 1), strict=True)))
    if re.fullmatch(rf"{_TIGHT}|{_DURATION}", text, re.IGNORECASE):
        return _finite(sum(float(n) * _unit(unit) for n, unit in _pieces(text)))
    return _until(text)


def _counted(number: float) -> float | None:
    now = time.time()
    for moment in (number, number / 1000):
        if now - _EARLIER < moment < now + _LATER:
            return max(0.0, moment - now)
    return _finite(number)


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
