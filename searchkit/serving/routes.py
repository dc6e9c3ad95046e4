"""What the gateway lets through, and whose key opens it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from searchkit.wire.values import PATHS

_KEY = "sk-searchkit-"
_KEYS = re.compile(re.escape(_KEY) + r"[\w-]*")
_OPENING = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_CALLS = frozenset(path.removeprefix("/") for path in PATHS.values()) | {"embeddings"}
_FREE = frozenset({"messages/count_tokens", "responses/input_tokens", "moderations"})  # they generate nothing

Refusal = tuple[int, str]
"""A status, and why."""


def key_of(token: str) -> str:
    """The key that goes with an attempt's URL."""
    return _KEY + token


def foreign(headers: Mapping[str, str], token: str) -> Refusal | None:
    """Refuses a key that is of another attempt than the URL; clients may also send a key of their own, or none.

    >>> foreign({"authorization": "bearer sk-searchkit-other"}, "mine")
    (403, 'the key belongs to another attempt than the URL: take both from the same Endpoint')
    """
    sent = (key for name in _OPENING for key in _KEYS.findall(headers.get(name, "")))
    if all(key == key_of(token) for key in sent):
        return None
    return 403, "the key belongs to another attempt than the URL: take both from the same Endpoint"


def unknown(method: str, path: str) -> Refusal | None:
    """Refuses what is no model call and could cost, show or delete something with the real key.

    path: behind ``v1/``, as it was sent.

    >>> unknown("POST", "chat/completions"), unknown("GET", "models/org/a")
    (None, None)
    >>> unknown("POST", "files")[0], unknown("GET", "models/%2e%2e/files")[0]
    (404, 404)
    """
    plain = path.rstrip("/")
    posted, listed = plain in _CALLS | _FREE, plain == "models" or _names_model(plain)
    if (method == "POST" and posted) or (method == "GET" and listed):
        return None
    if posted or listed:
        return 405, f"{plain:.80} takes {'POST' if posted else 'GET'} alone"
    return 404, (
        f"{method:.20} {plain:.80} is not relayed: what it does could not be counted. Call "
        f"{', '.join(sorted(_CALLS))}, or list models"
    )


def _names_model(path: str) -> bool:
    """Whether `path` is ``models/NAME``, and stays so whatever the server decodes, cuts off and normalises."""
    folder, _, raw = path.partition("/")
    try:
        name = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return False
    plain = name.isascii() and name.isprintable() and not any(sign in name for sign in "%;\\?#")
    return folder == "models" and plain and all(part.strip(" .") for part in name.split("/"))
