"""How a request's body is made to fit its server: fields left out, renamed and added, headers and query parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, urlencode

from searchkit.errors import ConfigError
from searchkit.kinds import told

# What is sent by itself and may be left out; without the others there is no request, or no answer that can be read.
SENT = (
    "temperature", "top_p", "seed", "max_tokens", "stop", "n", "tools", "logprobs", "top_logprobs", "stream_options",
    "top_k", "min_p", "include_stop_str_in_output", "no_stop_trim", "continue_final_message", "add_generation_prompt",
    "continuous_usage_stats", "response_format", "tool_choice", "parallel_tool_calls",
)  # fmt: skip
# What a search counts on, each with how it is said instead: another value in the body would belie it.
_ELSEWHERE = {
    "model": "model=", "messages": "the prompt", "prompt": "the prompt", "n": "Coalescing", "seed": "solve(seed=)",
    "max_tokens": "Params(max_tokens=)", "max_completion_tokens": "Params(max_tokens=)", "stop": "Params(stop=)",
    "logprobs": "Params(logprobs=)", "top_logprobs": "Params(logprobs=)", "stream": "Params(floor=)",
    "stream_options": "Params(floor=)",
}  # fmt: skip
_NEWER = {"max_completion_tokens": "max_tokens"}  # a field's newer name: the older one, by which it is known here
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "accept-encoding"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
SHORTEST = 6  # characters of a secret: less would be found in any text
_SECRET = re.compile(r"key|token|secret|auth|password|cookie|sig|credential|^code$", re.IGNORECASE)
_KEYS = {"authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization"}


@dataclass(frozen=True)
class Fit:
    """What is done to every body. Raises `ConfigError` for fields that are never sent, or cannot be spared.

    - leave_out: fields that are not sent.
    - rename: a field's name in the OpenAI API -> the server's.
    - add: fields that are sent besides, or instead of ours.

    >>> Fit(("top_p",), {"seed": "random_seed"}, {"safe_prompt": True})({"model": "m", "top_p": 1.0, "seed": 7})
    {'model': 'm', 'random_seed': 7, 'safe_prompt': True}
    """

    leave_out: Collection[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        left = (self.leave_out,) if isinstance(self.leave_out, str) else tuple(self.leave_out)
        known = frozenset(_known(name, "leave_out") for name in left)
        renamed = {_known(name, "rename"): new for name, new in _mapping(self.rename, "rename").items()}
        for name, new in renamed.items():
            if not isinstance(new, str) or not new:
                raise ConfigError(f"rename[{name!r}] is the server's name of the field, got {told(new)}")
            if new != name and (new in SENT or new in _ELSEWHERE) and _NEWER.get(new) != name:
                raise ConfigError(f"rename[{name!r}]: {new!r} is a field of its own; use leave_out={name!r}")
        sent = [new for name, new in renamed.items() if name not in known]
        for new in sent:
            if sent.count(new) > 1 or (isinstance(self.add, Mapping) and new in self.add):
                both = "two fields" if sent.count(new) > 1 else "a field and one of extra_body="
                raise ConfigError(f"rename gives the name {new!r:.80} to {both}: one of them would be lost")
        object.__setattr__(self, "leave_out", known)
        object.__setattr__(self, "rename", renamed)
        object.__setattr__(self, "add", _added(self.add))

    def __call__(self, body: Mapping[str, Any], refused: Collection[str] = ()) -> dict[str, Any]:
        """The body as it is sent; `refused` are fields that this server was seen to refuse."""
        if not (refused or self.leave_out or self.rename or self.add):
            return dict(body)
        gone = {*self.leave_out, *refused}
        fitted = {self.rename.get(name, name): value for name, value in body.items() if name not in gone}
        if "continuous_usage_stats" in gone and "stream_options" in fitted:
            fitted["stream_options"] = {"include_usage": True}
        return {**fitted, **self.add}

    @cached_property
    def digest(self) -> str:
        """8 hexadecimal digits for names and keys; "" where bodies are sent as they are."""
        if not (self.leave_out or self.rename or self.add):
            return ""
        said = json.dumps([sorted(self.leave_out), self.rename, self.add], sort_keys=True)
        return blake2b(said.encode(), digest_size=4).hexdigest()


def _known(name: Any, option: str) -> str:
    """The name in `SENT` of a field that may be left out or renamed."""
    found = _NEWER.get(name, name) if isinstance(name, str) else name
    if found not in SENT:
        why = "cannot be spared" if found in _ELSEWHERE else "is never sent"
        raise ConfigError(f"{option}: the field {told(name)} {why}; those that may be named are {', '.join(SENT)}")
    return str(found)


def _mapping(value: Any, option: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{option} maps names to what is sent, such as {{'name': ...}}, got {told(value)}")
    return value


def _added(fields: Any) -> dict[str, Any]:
    """A copy of fields that are to be added, as JSON."""
    for name in _mapping(fields, "extra_body"):
        if name in _ELSEWHERE:
            raise ConfigError(f"extra_body: {name} is a matter of the search, and said by {_ELSEWHERE[name]}")
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(fields), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"extra_body must be JSON: {error!s:.200}") from None
    return copied


# ---------------------------------------------------------------- headers and query


def headers(given: Any) -> dict[str, str]:
    """A copy of headers that may be sent. Raises `ConfigError`, without showing a value."""
    lower = [name.lower() for name in _mapping(given, "extra_headers")]
    for name, value in given.items():
        if not _TOKEN.fullmatch(name):
            raise ConfigError(f"extra_headers: {name!r:.80} is no name of a header")
        if name.lower() in _OURS or lower.count(name.lower()) > 1:
            raise ConfigError(f"extra_headers: {name} is sent already")
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()) or value != value.strip():
            raise ConfigError(
                f"extra_headers: the value of {name} has a line break or another character that no header has"
            )
    return dict(given)


def query(given: Any) -> str:
    """Query parameters as the end of a URL: "" for none. Raises `ConfigError`, without showing a value."""
    for name, value in _mapping(given, "extra_query").items():
        if not name or not isinstance(value, str):
            raise ConfigError(f"extra_query maps names to texts: the value of {name!r:.80} is {type(value).__name__}")
    return "?" + urlencode(given, quote_via=quote) if given else ""


def has_key(given: Mapping[str, str]) -> bool:
    """Whether these headers say who asks, so that no other key is to be sent with them."""
    return any(name.lower() in _KEYS for name in given)


def secrets(*given: Mapping[str, str]) -> tuple[str, ...]:
    """The values of headers or query parameters that are secrets by their names, and what follows a scheme (Bearer)."""
    found = [value for one in given for name, value in one.items() if _SECRET.search(name)]
    parts = {part for value in found for part in (value, value.partition(" ")[2].strip())}
    return tuple(part for part in parts if len(part) >= SHORTEST)
