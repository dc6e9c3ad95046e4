"""What the gateway lets through, and whose key opens it."""

from __future__ import annotations

from collections.abc import Mapping

from searchkit.wire.values import PATHS

_KEY = "sk-searchkit-"
_CALLS = frozenset(path.removeprefix("/") for path in PATHS.values()) | {"embeddings"}
_FREE = frozenset({"messages/count_tokens", "responses/input_tokens", "moderations"})  # they generate nothing

Refusal = tuple[int, str]
"""A status, and why."""


def key_of(token: str) -> str:
    """The key that goes with an attempt's URL."""
    return _KEY + token


def foreign(headers: Mapping[str, str], token: str) -> Refusal | None:
    """Refuses a key that is of another attempt than the URL; clients may also send a key of their own, or none.

    >>> foreign({"authorization": "Bearer sk-searchkit-other"}, "mine")
    (403, 'the key belongs to another attempt than the URL: take both from the same Endpoint')
    """
    sent = (headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key", ""))
    if all(not key.startswith(_KEY) or key == key_of(token) for key in sent):
        return None
    return 403, "the key belongs to another attempt than the URL: take both from the same Endpoint"


def unknown(method: str, path: str) -> Refusal | None:
    """Refuses what is no model call and could cost, show or delete something with the real key.

    path: behind ``v1/``.

    >>> unknown("POST", "chat/completions"), unknown("GET", "models/a")
    (None, None)
    >>> unknown("POST", "files")[0]
    404
    """
    plain = path.rstrip("/")
    posted, listed = plain in _CALLS | _FREE, plain.partition("/")[0] == "models" and ".." not in plain.split("/")
    if (method == "POST" and posted) or (method == "GET" and listed):
        return None
    if posted or listed:
        return 405, f"{plain:.80} takes {'POST' if posted else 'GET'} alone"
    return 404, (
        f"{method:.20} {plain:.80} is not relayed: what it does could not be counted. Call "
        f"{', '.join(sorted(_CALLS))}, or list models"
    )
