"""Keys that a server quotes: left out of whatever it said, before anybody sees it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from searchkit.agents.exchange import Answer, Ask

_HOLDS = re.compile(r"auth|api-?key|token|secret|(?:^|[-_])key$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z-]{0,19}")
_NO_KEY = ("idempotency-key",)
_ERROR = re.compile(rb'"error"\s*+:\s*+(?!null\b)|"type"\s*+:\s*+"error"')
_MODELS = (b"{", b"[", b"data:", b"event:", b":")
_IN_ERRORS, _IN_ANSWERS = 8, 20  # characters of a key that is looked for; less may be a word that a model says
HIDDEN = "[api key]"


def without_keys(answer: Answer, ask: Ask) -> bytes:
    """The body of `answer` without the keys that `ask` was sent with, as they are and as JSON spells them."""
    body, least = answer.body, _IN_ANSWERS if _is_of_a_model(answer) else _IN_ERRORS
    for key in _keys(ask, least):
        for spelled in {key, json.dumps(key)[1:-1], key.replace("/", "\\/")}:
            body = body.replace(spelled.encode("utf-8", "replace"), HIDDEN.encode())
    return body


def hidden(said: str, ask: Ask) -> str:
    """An error's sentence without the keys that `ask` was sent with."""
    for key in _keys(ask, _IN_ERRORS):
        said = said.replace(key, HIDDEN)
    return said


def _is_of_a_model(answer: Answer) -> bool:
    """Whether it is what a model said, and no error, which some servers report with status 200."""
    if answer.status != 200 or not answer.body.lstrip().startswith(_MODELS):
        return False
    return b"error" not in answer.body or _ERROR.search(answer.body) is None


def _keys(ask: Ask, least: int) -> list[str]:
    """The longest first: one may begin with another."""
    return sorted({key for key in _sent(ask) if len(key) >= least}, key=len, reverse=True)


def _sent(ask: Ask) -> Iterator[str]:
    """What headers and query parameters hold of keys: without a scheme (Bearer, Token, ...), and decoded."""
    for name, value in ask.headers.items():
        if _HOLDS.search(name) and name not in _NO_KEY:
            scheme, _, rest = value.strip().partition(" ")
            yield rest.strip() if rest and _SCHEME.fullmatch(scheme) else value.strip()
            if scheme.lower() == "basic":
                yield from _basic(rest.strip())
    for name, value in parse_qsl(urlsplit(ask.url).query):
        if _HOLDS.search(name.lower()):
            yield value


def _basic(credentials: str) -> Iterator[str]:
    try:
        both = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield both
    yield both.partition(":")[2]
