"""What a server answered: a sample that is charged and stored, or why it is no answer of a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from searchkit import wire
from searchkit.agents.exchange import Answer, Refused, failure_of, refused
from searchkit.kinds import printable
from searchkit.types import Params, Sample, Usage
from searchkit.wire import estimates, failures
from searchkit.wire.errors import Reported, Truncated
from searchkit.wire.usage import Price

ONE_CALL = Usage(model_calls=1)
_WRITTEN = frozenset(
    {
        *("content", "text", "delta", "refusal", "reasoning", "reasoning_content", "thinking"),
        *("arguments", "partial_json", "embedding", "embeddings"),
    }
)  # where answers and their events have what a model made


@dataclass(frozen=True, slots=True)
class Terms:
    """What an answer is charged by.

    prompt: tokens, where the server counts none. params: the request's, with the limit that it was sent with; None for
    what generates nothing.
    """

    prompt: int
    params: Params | None = None
    choices: int = 1
    price: Price | None = None


def received(path: str, answer: Answer, terms: Terms, read: Callable[[], Sample[str]]) -> Sample[str]:
    """What `read` makes of an answer.

    Raises `Refused`, with what the agent is told. The status of a server that refuses goes back as it came. What is no
    answer is 502 with the reason: what broke off, or was reported as an error, may be tried again. It is charged the
    worst case only where a model has written something.
    """
    if answer.status >= 400:
        raise Refused(f"the server answered {answer.status}", answer, failure_of(answer.status))
    try:
        return read()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        written, again = _written(answer.body), isinstance(error, Reported | Truncated)
        why = f"what the server said is no answer: {printable(_reason(answer, error))}"
        status = _status(error)
        told = refused(path, status or 502, why)
        if status is None and not (again or written):
            told = replace(told, headers={"x-should-retry": "false"})
        failure = Refused(why, told, failure_of(status) if status else "malformed")
        failure.usage = _lost(written, terms)
        raise failure from error


def completion(request: wire.WireRequest, answer: Answer, terms: Terms) -> Sample[str]:
    """The answer to a request, whole, even if it is a stream. Raises what `received` catches."""
    whole = _whole(request, answer)
    params = terms.params or request.params
    drawn = wire.samples(request.route, whole, params, terms.price, prompt=terms.prompt, choices=terms.choices)
    usage = sum((sample.usage for sample in drawn), Usage())
    return Sample(json.dumps(whole), usage=replace(usage, model_calls=1))


def vectors(answer: Answer, terms: Terms) -> Sample[str]:
    """Embeddings, with the tokens that were read. Raises what `received` catches."""
    text = answer.body.decode("utf-8-sig")
    read = wire.counts("chat", embedded(text)).prompt
    prompt, guessed = (read, 0) if read else (terms.prompt, terms.prompt)
    usd = terms.price.usd(prompt, 0, 0) if terms.price else 0.0
    return Sample(text, usage=Usage(model_calls=1, prompt_tokens=prompt, estimated_tokens=guessed, usd=usd))


def embedded(text: str) -> dict[str, Any]:
    """The JSON of an answer with embeddings. Raises ValueError if it is none."""
    value = json.loads(text)
    if (error := failures.reported(value)) is not None:
        raise error
    if not isinstance(value, dict) or not any(isinstance(value.get(k), list) for k in ("data", *_WRITTEN)):
        raise ValueError("it has no embeddings")
    return value


def said(request: wire.WireRequest, whole: str) -> str:
    """What a stored answer says, for the trace: its text, and the tools that it calls."""
    drawn = wire.samples(request.route, json.loads(whole), request.params)
    parts = [sample.text for sample in drawn]
    parts += [f"{call.name}({call.arguments})" for s in drawn if s.message for call in s.message.tool_calls]
    return " | ".join(part for part in parts if part)


def _whole(request: wire.WireRequest, answer: Answer) -> Any:
    """The JSON of an answer, put together if it is a stream."""
    if not request.stream or answer.content_type.startswith("application/json"):
        return json.loads(answer.body)
    reader = wire.reader(request.route, request.n)
    reader.feed(answer.body)
    return reader.answer()


# ---------------------------------------------------------------- what is none


def _reason(answer: Answer, error: Exception) -> str:
    """In a few words: what came instead, or what is wrong with it."""
    body = answer.body.strip()
    if not body:
        return f"status {answer.status} without a body"
    if body.startswith((b"{", b"[", b"data:", b"event:", b":")):
        return f"{error}"
    return f"{answer.content_type[:40] or 'a text'} that begins with {body[:40].decode('utf-8', 'replace')!r}"


def _status(error: Exception) -> int | None:
    """The status that a server names for an error in an answer of status 200; None if it names none, or one that would
    be ours (402 is a budget that is used up, 424 a journal)."""
    found = error.failure if isinstance(error, Reported) else None
    return None if found is None or found.status in (402, 424) else found.status


def _lost(written: str, terms: Terms) -> Usage | None:
    """What is charged for it; None for the worst case."""
    if not written:
        return ONE_CALL
    if terms.params is None or terms.params.max_tokens is not None:
        return None
    prompt, generated = terms.prompt, estimates.written(written)
    usd = terms.price.usd(prompt, 0, generated) if terms.price else 0.0
    return Usage(
        model_calls=1, prompt_tokens=prompt, generated_tokens=generated, estimated_tokens=prompt + generated, usd=usd
    )


def _written(body: bytes) -> str:
    """What a model made, as far as it can be told; of an answer that breaks off all of it."""
    body = body.strip()
    if body.startswith((b"{", b"[")):
        try:
            return "".join(_strings(json.loads(body)))
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")
    found = list[str]()
    for line in body.splitlines():
        if line.startswith(b"data:"):
            try:
                found += _strings(json.loads(line[5:]))
            except (ValueError, RecursionError):
                continue
    return "".join(found)


def _strings(value: Any) -> Iterator[str]:
    """The texts under the keys of `_WRITTEN`, outside of errors."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            for key, below in one.items():
                if key in _WRITTEN and isinstance(below, str):
                    yield below
                elif key in ("embedding", "embeddings") and isinstance(below, list) and below:
                    yield "vectors"
                elif key != "error":
                    left.append(below)
        elif isinstance(one, list):
            left += one
