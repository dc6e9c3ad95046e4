"""A model call that an agent makes by itself, from its request to the answer that it is given.

Read, placed, held, sent, counted, journaled: by what it asks (`wire.content`) and how often the attempt asked that
before. Answers are kept whole, as JSON; an agent that asked for a stream gets its events once the answer is complete.
What is no call of a model (a list of models, say) passes through uncounted.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from searchkit import wire
from searchkit.agents.exchange import Answer, Ask, Refused
from searchkit.agents.seeds import Kept
from searchkit.ambient import Attempt, Stepwise
from searchkit.calls import CallError
from searchkit.errors import AttemptEnded, BudgetExhausted
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Usage
from searchkit.wire import refusals
from searchkit.wire.fields import LARGEST
from searchkit.wire.usage import Price

Send = Callable[[Ask], Awaitable[Answer]]
NO_USAGE = Usage()
EVENTS = "text/event-stream; charset=utf-8"
_NAME = 100  # characters of a model's name in the trace
GONE = "the attempt has ended"


@dataclass(frozen=True, slots=True)
class Manner:
    """How an agent's calls are relayed, see `Upstream`."""

    keep_seeds: bool = False
    price: Price | None = None


async def relayed(attempt: Attempt, ask: Ask, send: Send, manner: Manner, thread: int | None = None) -> Answer:
    """The answer for the agent. Raises what `send` raises, a `CallError`, once the call has been charged.

    thread: the one of the agent that waits for it, if that is known.
    """
    try:
        return await _answered(attempt, ask, send, manner, thread)
    except BudgetExhausted as error:
        return refused(ask.url, 402, str(error))
    except AttemptEnded as error:
        return refused(ask.url, 410, str(error))
    except Refused as error:
        return error.answer


async def _answered(attempt: Attempt, ask: Ask, send: Send, manner: Manner, thread: int | None) -> Answer:
    """What `relayed` gives, as long as the run and the server are willing."""
    run, path = attempt.run, urlsplit(ask.url).path
    if ask.method == "POST" and path.rstrip("/").endswith("/embeddings"):
        return await _embedded(attempt, ask, send)
    route = wire.route_of(path) if ask.method == "POST" else None
    if route is None:
        return await send(ask)
    try:
        request = wire.parse(route, ask.body, LARGEST)
    except wire.WireError as error:
        return Answer(error.status, refusals.refusal(route, error))
    if attempt.steps is not None:
        return await _decided(attempt.steps, request, ask, thread)
    host = urlsplit(ask.url).netloc
    kept = manner.keep_seeds and request.seed is not None

    async def perform(seed: int, most: int | None) -> Sample[str]:
        chosen = None if kept else seed
        stream, official = (True if request.stream else None), host == "api.openai.com"
        body = wire.amended(request, seed=chosen, max_tokens=most, stream=stream, official=official)
        answer = await send(replace(ask, body=json.dumps(body).encode()))
        return _sample(request, _whole(request, answer), manner.price)

    sample = await run.relay(
        request.model[:_NAME], f"{host} {wire.content(request)}", perform,
        limit=request.params.max_tokens, choices=request.n, describe=lambda text: _said(request, json.loads(text)),
    )  # fmt: skip
    if kept:
        run.resource(Kept, Kept).note(run, wire.content(request), _said(request, json.loads(sample.value)))
    return _told(request, sample.value, ask)


async def _decided(steps: Stepwise, request: wire.WireRequest, ask: Ask, thread: int | None) -> Answer:
    """The answer that a search has chosen."""
    sample, name = await steps.asked(request, ask.url, ask.headers, thread)
    return _told(request, json.dumps(wire.answer(request, [sample], id=name, created=0)), ask)


def _told(request: wire.WireRequest, whole: str, ask: Ask) -> Answer:
    """An answer's JSON as the agent wants it: in one piece, or as events."""
    if not request.stream:
        return Answer(200, whole.encode())
    try:
        events = wire.events(request.route, json.loads(whole), usage=request.include_usage)
    except wire.WireError as error:  # a server that answers in one piece where it was asked for a stream
        return refused(ask.url, 502, f"the answer cannot be told as a stream: {error}")
    return Answer(200, b"".join(events), EVENTS)


def _whole(request: wire.WireRequest, answer: Answer) -> Any:
    """The JSON of an answer, put together if it is a stream.

    Raises `Refused` for what the server refused, and `CallError` for what it broke off: agents may try that again.
    """
    if answer.status >= 400:
        kind = "rate_limit" if answer.status == 429 else "server" if answer.status >= 500 else "bad_request"
        raise Refused(f"the server answered {answer.status}", answer, kind)
    try:
        if not request.stream or answer.content_type.startswith("application/json"):
            return json.loads(answer.body)
        reader = wire.reader(request.route, request.n)
        reader.feed(answer.body)
        return reader.answer()
    except (ValueError, RecursionError) as error:
        raise CallError(f"what the server said is no answer: {error}", kind="malformed") from error


def _sample(request: wire.WireRequest, whole: Any, price: Price | None) -> Sample[str]:
    """What is charged and stored."""
    try:
        drawn = wire.samples(request.route, whole, request.params, price)
        text = json.dumps(whole)
    except (ValueError, RecursionError) as error:
        raise CallError(f"what the server said is no answer: {error}", kind="malformed") from error
    usage = sum((sample.usage for sample in drawn), NO_USAGE)
    return Sample(text, usage=replace(usage, model_calls=1))


def _said(request: wire.WireRequest, whole: Any) -> str:
    """What an answer says, for the trace: its text, and the tools that it calls."""
    drawn = wire.samples(request.route, whole, request.params)
    parts = [sample.text for sample in drawn]
    parts += [f"{call.name}({call.arguments})" for s in drawn if s.message for call in s.message.tool_calls]
    return " | ".join(part for part in parts if part)


async def _embedded(attempt: Attempt, ask: Ask, send: Send) -> Answer:
    """Embeddings: counted as a model call with the tokens that were read."""
    try:
        asked = json.loads(ask.body)
        content = json.dumps({key: asked[key] for key in sorted(asked) if key != "user"})
        model = str(asked.get("model", "embeddings"))[:_NAME]
    except (ValueError, RecursionError, TypeError, AttributeError):
        return refused(ask.url, 400, "the body is no JSON object")

    async def perform(seed: int, most: int | None) -> Sample[str]:
        answer = await send(ask)
        if answer.status >= 400:
            raise Refused(f"the server answered {answer.status}", answer, "bad_request")
        try:
            read = wire.counts("chat", json.loads(answer.body)).prompt
        except (ValueError, RecursionError) as error:
            raise CallError(f"what the server said is no answer: {error}", kind="malformed") from error
        return Sample(answer.body.decode(), usage=Usage(model_calls=1, prompt_tokens=read))

    host = urlsplit(ask.url).netloc
    place = f"{host} embeddings {content}"
    if attempt.steps is not None:
        return Answer(
            200, (await attempt.steps.aside(place, lambda run: _counted(run, model, place, perform))).encode()
        )
    sample = await attempt.run.relay(model, place, perform, limit=0, describe=lambda _: "vectors")
    return Answer(200, sample.value.encode())


async def _counted(
    run: Run, model: str, place: str, perform: Callable[[int, int | None], Awaitable[Sample[str]]]
) -> str:
    """A model call that is no decision: made once, as a call of `run`."""
    read = Usage(model_calls=1, prompt_tokens=len(place) // 4)
    sample = await run.call(model, Prompt.of(place), lambda: perform(run.seed, None), worst=read)
    return str(sample.value)


def failed(url: str, error: CallError) -> Answer:
    """What an agent is told through HTTP when no answer came: 504 or 502, both worth another try."""
    return refused(url, 504 if error.kind == "timeout" else 502, str(error))


def refused(url: str, status: int, why: str) -> Answer:
    """What an agent is told that is not served, in the words of the API that it called."""
    return Answer(status, refusals.body(wire.route_of(urlsplit(url).path) or "chat", status, why))
