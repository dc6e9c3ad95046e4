"""Which API a URL belongs to, told by the end of its path and by what stands before that.

Gateways and hosts put the same APIs below many roots (`/v1`, `/openai/deployments/NAME`, `/v1beta/openai`, none at
all), and other APIs end alike: a message of OpenAI's threads is posted to `/v1/threads/ID/messages`.
"""

from __future__ import annotations

import re

from searchkit.wire.values import PATHS, Route

_ENDS: dict[Route, list[str]] = {route: path.split("/")[1:] for route, path in PATHS.items()}
_VERSION = re.compile(r"v\d+(?:\.\d+)?(?:(?:alpha|beta|p)\d*)*")
_APIS = ("openai", "openapi", "anthropic", "compat")
_NAMED = ("deployments", "engines")  # a model's name follows
_HOLDERS = ("threads", "conversations", "channels", "chats", "rooms", "sessions", "forms", "completions", "responses")
_OTHERS = ("fim", "agents", "threads")  # Mistral's, whose answers are of another shape


def route_of(path: str) -> Route | None:
    """The route of a URL's path, a query left out; None if it is another's.

    >>> route_of("/r/token/v1/chat/completions"), route_of("/v1/models"), route_of("/v1/threads/thread_1/messages")
    ('chat', None, None)
    """
    segments = _segments(path)
    for route, end in _ENDS.items():  # chat before completions
        if segments[-len(end) :] == end:
            return None if _of_others(segments[: -len(end)]) else route
    return None


def is_certain(path: str) -> bool:
    """Whether a path that has a route can be nothing else, whatever its body says.

    >>> is_certain("/openai/deployments/gpt/completions"), is_certain("/team/42/messages")
    (True, False)
    """
    segments = _segments(path)
    before = segments[: -len(_ENDS["chat"])] if segments[-2:] == _ENDS["chat"] else segments[:-1]
    if len(before) < len(segments) - 1:  # nobody else has chat completions
        return True
    last, holder = ["", "", *before][-1], ["", "", *before][-2]
    return _VERSION.fullmatch(last) is not None or last in _APIS or holder in _NAMED


def is_embeddings(path: str) -> bool:
    """Whether a path is that of embeddings."""
    segments = _segments(path)
    return segments[-1:] == ["embeddings"] and not _of_others(segments[:-1])


def is_batch(path: str) -> bool:
    """Whether a path takes many requests, to be answered later.

    >>> is_batch("/v1/batches"), is_batch("/v1/messages/batches"), is_batch("/shop/batches")
    (True, True, False)
    """
    segments = _segments(path)
    before = ["", *segments[:-1]][-1]
    return segments[-1:] == ["batches"] and (before in ("messages", *_APIS) or bool(_VERSION.fullmatch(before)))


def _segments(path: str) -> list[str]:
    return [segment for segment in path.partition("?")[0].split("/") if segment]


def _of_others(before: list[str]) -> bool:
    """Whether what stands before an end says that it is no model call: an id below a collection, say."""
    return (len(before) > 1 and before[-2] in _HOLDERS) or before[-1:] in [[name] for name in _OTHERS]
