"""Requests of completions: written by a client, read by a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.types import Message, Params, Prompt, Text
from searchkit.wire.chat.requests import sampling
from searchkit.wire.errors import Malformed
from searchkit.wire.fields import MOST_CHOICES, Fields, clean, mapping, refusing, text
from searchkit.wire.values import WireRequest


def render(model: str, plain: str, params: Params, seed: int) -> dict[str, Any]:
    """The body of a request that continues the text `plain`, with the documented fields only."""
    wire = sampling(model, params, seed)
    wire["prompt"] = plain
    if params.logprobs is not None:
        wire["logprobs"] = params.logprobs
    return wire


def read(body: Mapping[str, Any]) -> WireRequest:
    """A request. Raises `Malformed`.

    The prompt is one user message; of several prompts in a list it is the first, and the others are lost, as are token
    ids.
    """
    fields, lost = Fields(body), list[str]()
    model = text(fields.needed("model"), "model")
    plain, prompts = _prompt(fields.needed("prompt"), lost)
    options = fields.take("stream_options")
    n = fields.choices()
    generated, n = fields.generated(n) * prompts, n * prompts
    if max(n, generated) > MOST_CHOICES:
        raise Malformed(f"at most {MOST_CHOICES} choices are drawn for one request, over all prompts", "prompt")
    with refusing("prompt"):
        prompt = Prompt((Message("user", (Text(plain),)),))
    return WireRequest(
        route="completions",
        body=body,
        model=model,
        prompt=prompt,
        params=fields.params(fields.whole("max_tokens", 1), fields.texts("stop"), fields.whole("logprobs", 0)),
        seed=fields.whole("seed"),
        n=n,
        generated=generated,
        stream=fields.flag("stream"),
        include_usage=options is not None and Fields(mapping(options, "stream_options")).flag("include_usage"),
        extras=fields.rest,
        lost=tuple(lost),
    )


def _prompt(value: Any, lost: list[str]) -> tuple[str, int]:
    """The text, and how many prompts there are."""
    if isinstance(value, str):
        return clean(value), 1
    if not isinstance(value, list) or not value:
        raise Malformed("prompt is a text, or a list of texts", "prompt")
    if all(type(token) is int for token in value):
        lost.append("prompt (tokens)")
        return "[tokens]", 1
    first = value[0]
    if len(value) > 1 or not isinstance(first, str):
        lost.append(f"prompt ({len(value)} prompts)")
    if all(isinstance(entry, str) for entry in value):
        return clean(first), len(value)
    if all(isinstance(entry, list) and all(type(token) is int for token in entry) for entry in value):
        return "[tokens]", len(value)
    raise Malformed("prompt is a text, or a list of texts", "prompt")
