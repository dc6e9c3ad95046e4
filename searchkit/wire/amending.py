"""A request sent on: as it came, but for what a search decides about it."""

from __future__ import annotations

from typing import Any

from searchkit.wire.values import Route, WireRequest

_SEEDED: frozenset[Route] = frozenset({"chat", "completions"})


def amended(
    request: WireRequest,
    *,
    seed: int | None = None,
    max_tokens: int | None = None,
    stream: bool | None = None,
    official: bool = False,
) -> dict[str, Any]:
    """The body of `request` with other values; None leaves what it says. The request itself stays as it is.

    - seed: left out where the API has none (responses, messages).
    - max_tokens: generated tokens of a choice.
    - stream: a stream is asked to end with the usage, whatever the request says of that: without it nothing is counted.
    - official: for api.openai.com, whose newer models take max_completion_tokens alone; other servers may know
      max_tokens alone, and ignore what they do not know.
    """
    body = dict(request.body)
    if seed is not None and request.route in _SEEDED:
        body["seed"] = seed
    if max_tokens is not None:
        body |= dict.fromkeys(_limits(request, official), max_tokens)
    if stream is not None:
        _stream(body, request.route, stream)
    return body


def _limits(request: WireRequest, official: bool) -> list[str]:
    """The fields that bound the generated tokens: those that the request has, if any."""
    if request.route == "responses":
        return ["max_output_tokens"]
    if request.route == "chat":
        said = [key for key in ("max_completion_tokens", "max_tokens") if request.body.get(key) is not None]
        return said or ["max_completion_tokens" if official else "max_tokens"]
    return ["max_tokens"]


def _stream(body: dict[str, Any], route: Route, stream: bool) -> None:
    body["stream"] = stream
    if route in _SEEDED:
        options = body.pop("stream_options", None)
        if stream:
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
