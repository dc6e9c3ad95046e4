"""What a request says, whichever API it was written for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.types import Params, Prompt

Route = Literal["chat", "completions", "responses", "messages"]
PATHS: Mapping[Route, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "messages": "/messages",
}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tools may be called: "auto", "none", "required" (any of them), or "named" (`name`)."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it was read: what it asks, in our values, and all that it says, as it came.

    `body` is the whole of it, to be sent on with `amended`: nothing of a request is lost on that way. Whoever answers
    it by other means looks at `extras` and `lost`, which name what the other fields do not carry.

    - route: the API.
    - body: the JSON object, as it came.
    - model: the name in it.
    - prompt: the conversation, with tools in OpenAI's spelling. A part that a `Prompt` cannot hold stands in it as a
      text, ``[input_audio]``.
    - params: sampling; what the request does not say has the API's documented default. The server's own default may be
      another: it applies where the body is sent on.
    - seed: None where the request has none.
    - n: how many choices the answer has; of completions, over all prompts.
    - generated: how many are generated for it: more than n where the best of several is asked for.
    - stream: whether the answer is to come as events.
    - include_usage: whether these end with the usage; always, for responses and messages.
    - tool_choice: None where it is not said, or in no common words (then it is in `extras`).
    - extras: fields of the body that the above do not carry, as they came: response_format, reasoning_effort, user,
      metadata, and values that `Params` does not take (top_p=0).
    - lost: places in the body, with what stands there, that `prompt` does not carry: ``messages.2.content.0
      (input_audio)``.
    """

    route: Route
    body: Mapping[str, Any]
    model: str
    prompt: Prompt
    params: Params = Params()
    seed: int | None = None
    n: int = 1
    generated: int = 1
    stream: bool = False
    include_usage: bool = False
    tool_choice: ToolChoice | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
