"""What stands on a span: names and values of the semantic conventions for generative AI 0.1.0, and our own.

Names: https://github.com/open-telemetry/semantic-conventions-genai/blob/v0.1.0/docs/gen-ai/client-inference.md, and
execute-tool.md and gen-ai-agent-spans.md beside it. All of them are in development.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from searchkit.events import Asked, Began, Ended, Opened, Over
from searchkit.kinds import backends_in, described, innermost
from searchkit.redact import redact
from searchkit.types import Params, Sample, Usage

LONGEST_NAME, LONGEST_ERROR = 200, 1000
FINISHES = {"tool_calls": "tool_call"}  # where the conventions have another word than we
Said = dict[str, Any]


class Secrets:
    """The keys of the backends that a search has asked, so that none gets out in what others say."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}

    def learn(self, backend: Any) -> None:
        for inner in backends_in(backend):
            key = getattr(inner, "api_key", None)
            if isinstance(key, str) and key:
                self._keys[key] = None

    def out_of(self, text: str, longest: int) -> str:
        """`text` without secrets, at most so many characters, and nothing in it that UTF-8 cannot say."""
        hidden = redact(text, *self._keys)
        cut = hidden if len(hidden) <= longest else hidden[: longest - 1] + "…"
        return cut.encode("utf-8", "replace").decode()


def of_search(event: Opened) -> Said:
    """What is known of a search when it is opened: the sampler may decide by it."""
    ceilings = {f"searchkit.budget.{name}": ceiling for name, ceiling in event.budget.ceilings()}
    return {
        "searchkit.at": ".".join(map(str, event.at)),
        "searchkit.kind": "search",
        "searchkit.problem.id": Secrets().out_of(event.problem.id, LONGEST_NAME),
        "searchkit.strategy": type(event.strategy).__name__,
        "searchkit.seed": str(event.seed),  # it may be larger than the whole numbers of the protocol
        **ceilings,
    }


def of_span(event: Began) -> tuple[str, Said]:
    """The name of a span, and what is known of it when it begins."""
    own = _tool(event.name) if event.kind == "call" and event.role == "plan" else event.name
    name = Secrets().out_of(own, LONGEST_NAME)
    said: Said = {
        "searchkit.at": ".".join(map(str, event.at)),
        "searchkit.kind": event.kind,
        "searchkit.name": name,
        "searchkit.index": event.index,
        "searchkit.role": event.role,
    }
    if event.kind != "search":
        return name, said
    return f"invoke_workflow {name}", said | {"gen_ai.operation.name": "invoke_workflow", "gen_ai.agent.name": name}


def of_asked(event: Asked) -> tuple[str, Said]:
    """The name of a call's span, and what it asks for."""
    name = event.by if isinstance(event.by, str) else str(event.by.name)
    if event.what == "agent":
        return f"invoke_agent {name}", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    if event.what == "tool":
        name = _tool(name)
        return f"execute_tool {name}", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    said = _relayed(name, event.request) if isinstance(event.by, str) else _backend(event.by)
    if isinstance(event.params, Params):
        said |= dict(_params(event.params))
    if event.seed is not None:
        said["gen_ai.request.seed"] = event.seed
    return f"{said['gen_ai.operation.name']} {said['gen_ai.request.model']}", said


def _tool(name: str) -> str:
    """The name of what is done once, without what it is done with: that is content, and would make many names."""
    before, bracket, _ = name.partition("(")
    return "do" if before.startswith("do ") and not (bracket and before[3:].isidentifier()) else before


def of_ended(event: Ended, asked: Asked | None, answer: Sample[Any] | None, secrets: Secrets) -> tuple[Said, str]:
    """What came of a span, and the error that it ended with, "" if with none."""
    said = dict(_usage(event.usage + event.retried))
    said["searchkit.status"] = event.status
    if asked is not None and asked.what != "tool":
        said |= _tokens(event.usage + event.retried)
    if asked is not None and asked.what == "model" and answer is not None:
        said["gen_ai.response.finish_reasons"] = (FINISHES.get(answer.finish, answer.finish),)
    if event.replayed:
        said["searchkit.replayed"] = True
    if event.retried != Usage():
        said["searchkit.retried.model_calls"] = event.retried.model_calls
    if event.status != "error":  # what was cancelled was not needed any more
        return said, ""
    said["error.type"] = _kind(event.error)
    return said, secrets.out_of(event.error, LONGEST_ERROR)


def of_end(event: Over, secrets: Secrets) -> tuple[Said, str]:
    """How a search ended. Its totals have names of our own, so that nobody counts the tokens of its calls twice."""
    said: Said = {}
    if event.stopped is not None:
        said["searchkit.stopped"] = event.stopped
    if event.result is not None:
        said |= {f"searchkit.total.{name}": value for name, value in _amounts(event.result.usage)}
        said["searchkit.candidates"] = len(event.result.candidates)
    if event.error is None:
        return said, ""
    said["error.type"] = type(event.error).__name__
    return said, secrets.out_of(described(event.error), LONGEST_ERROR)


def _usage(usage: Usage) -> Iterator[tuple[str, Any]]:
    """All that a span has cost itself: added up over the spans of a search, it is the search's usage."""
    return ((f"searchkit.usage.{name}", value) for name, value in _amounts(usage))


def _amounts(usage: Usage) -> Iterator[tuple[str, Any]]:
    return ((f.name, value) for f in fields(Usage) if (value := getattr(usage, f.name)))


def _tokens(usage: Usage) -> Said:
    said = {"gen_ai.usage.input_tokens": usage.prompt_tokens, "gen_ai.usage.output_tokens": usage.generated_tokens}
    return said | ({"gen_ai.usage.cache_read.input_tokens": usage.cached_tokens} if usage.cached_tokens else {})


def _backend(backend: Any) -> Said:
    """The model behind a backend: the server's own name for it where there is a server."""
    inner = innermost(backend)
    model = getattr(inner, "model", None)
    said: Said = {
        "gen_ai.operation.name": "text_completion" if getattr(inner, "route", "chat") == "completions" else "chat",
        "gen_ai.provider.name": type(inner).__name__.lower(),
        "gen_ai.request.model": model if isinstance(model, str) and model else str(backend.name),
    }
    url = getattr(inner, "base_url", None)
    if isinstance(url, str):
        place = urlsplit(url)
        said["server.address"] = place.hostname or ""
        said["server.port"] = place.port or (443 if place.scheme == "https" else 80)
    return said


def _relayed(model: str, request: str) -> Said:
    """A call that an agent made by itself. request: as `searchkit.wire.content` writes it, for embeddings otherwise."""
    said: Said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    if not request.startswith("["):
        return said | ({"gen_ai.operation.name": "embeddings"} if request else {})
    route, body = json.loads(request)
    if route == "completions":
        said["gen_ai.operation.name"] = "text_completion"
    if route == "messages":
        said["gen_ai.provider.name"] = "anthropic"
    return said | dict(_settings(body))


_NUMBERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
_COUNTS = {
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
}


def _settings(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The sampling that an agent's own request asks for, as far as it makes sense: a stranger wrote it."""
    for field, name in _NUMBERS.items():
        value = body.get(field)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value)
    for field, name in _COUNTS.items():
        value = body.get(field)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            yield name, value


def _params(params: Params) -> Iterator[tuple[str, Any]]:
    yield "gen_ai.request.temperature", float(params.temperature)
    yield "gen_ai.request.top_p", float(params.top_p)
    if params.top_k:
        yield "gen_ai.request.top_k", int(params.top_k)
    if params.max_tokens is not None:
        yield "gen_ai.request.max_tokens", int(params.max_tokens)


def _kind(error: str) -> str:
    """The type of an error that a span tells of: a word with few values, as it is searched by."""
    kind = error.partition(":")[0]
    return kind if kind.isidentifier() else "_OTHER"
