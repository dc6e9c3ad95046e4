"""The body of a request, on the route that the backend was told to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from searchkit import forms
from searchkit.errors import CapabilityError
from searchkit.types import Image, Params, Prompt
from searchkit.wire.chat import requests as chat
from searchkit.wire.completions import requests as completions

Route = Literal["chat", "completions"]
PATHS: Mapping[Route, str] = {"chat": "/chat/completions", "completions": "/completions"}


def body(
    model: str, route: Route, prompt: Prompt, params: Params, seed: int, render: Callable[[Prompt], str] | None
) -> dict[str, Any]:
    """The documented fields only; `CapabilityError` if the route cannot carry the prompt."""
    if route == "completions":
        if params.form:
            raise CapabilityError('the completions route says nothing of the form of an answer: use route="chat"')
        return completions.render(model, _plain(prompt, render) + prompt.prefix, params, seed)
    return chat.render(model, prompt, params, seed) | forms.read(params.form)


def _plain(prompt: Prompt, render: Callable[[Prompt], str] | None) -> str:
    if render is not None:
        return render(prompt)
    only = prompt.messages[0]
    if len(prompt.messages) > 1 or only.role != "user" or prompt.tools or any(isinstance(p, Image) for p in only.parts):
        raise CapabilityError(
            "the completions route takes one user message as plain text: pass render= with the model's chat template, "
            'or use route="chat"'
        )
    return only.text
