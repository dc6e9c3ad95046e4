"""A model call that an agent makes by itself, from its request to the answer that it is given.

Read, placed, held, sent, counted, journaled: by what it asks (`wire.content`) and how often the attempt asked that
before. Answers are kept whole, as JSON; an agent that asked for a stream gets its events once the answer is complete.
What is no call of a model (a list of models, say) passes through uncounted.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from searchkit import wire
from searchkit.agents.exchange import Answer, Ask, Refused, path_of, refused
from searchkit.agents.received import Terms, completion, embedded, received, said, vectors
from searchkit.agents.seeds import Kept
from searchkit.ambient import Attempt, Stepwise
from searchkit.calls import CallError
from searchkit.errors import AttemptEnded, BudgetExhausted, JournalError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Usage
from searchkit.wire import estimates, fields, refusals
from searchkit.wire.fields import LARGEST
from searchkit.wire.usage import Price

Send = Callable[[Ask], Awaitable[Answer]]
EVENTS = "text/event-stream; charset=utf-8"
GONE = "the attempt has ended"
_RETRY = "x-stainless-retry-count"
_NAME = 100  # characters of a model's name in the trace
_DEFERRING = {"responses": "background", "chat": "deferred"}  # a field that asks for the answer later
_LATER = "{} not relayed: what is generated once a call was answered cannot be counted. Ask, and wait for the answer"


@dataclass(frozen=True, slots=True)
class Manner:
    """How an agent's calls are relayed, see `Upstream`."""

    keep_seeds: bool = False
    price: Price | None = None

    def dollars(self, prompt: int, generated: int) -> float:
        return self.price.usd(prompt, 0, generated) if self.price else 0.0


async def relayed(attempt: Attempt, ask: Ask, send: Send, manner: Manner, thread: int | None = None) -> Answer:
    """The answer for the agent. Raises what `send` raises, a `CallError`, once the call has been charged.

    thread: the one of the agent that waits for it, if that is known.
    """
    try:
        return await _answered(attempt, ask, send, manner, thread)
    except BudgetExhausted as error:
        return refused(path_of(ask), 402, str(error))
    except AttemptEnded as error:
        return refused(path_of(ask), 410, str(error))
    except JournalError as error:
        return refused(path_of(ask), 424, str(error))
    except Refused as error:
        return error.answer


async def _answered(attempt: Attempt, ask: Ask, send: Send, manner: Manner, thread: int | None) -> Answer:
    """What `relayed` gives, as long as the run and the server are willing."""
    path = path_of(ask)
    if ask.method != "POST":
        return await send(ask)
    if wire.is_batch(path):
        return refused(path, 400, _LATER.format("a batch is"))
    if wire.is_embeddings(path):
        return await _embedded(attempt, ask, send, manner)
    route = wire.route_of(path)
    if route is None or not (wire.is_certain(path) or _names_a_model(ask.body)):
        return await send(ask)
    try:
        request = wire.parse(route, ask.body, LARGEST)
    except wire.WireError as error:
        return Answer(error.status, refusals.refusal(route, error))
    if (field := _DEFERRING.get(route)) and request.body.get(field) not in (None, False):
        return refused(path, 400, _LATER.format(f"{field}= is"))
    if attempt.steps is not None:
        return await _decided(attempt.steps, request, ask, thread)
    return await _completed(attempt.run, ask, send, manner, request)


async def _completed(run: Run, ask: Ask, send: Send, manner: Manner, request: wire.WireRequest) -> Answer:
    content, path, kept = wire.content(request), path_of(ask), manner.keep_seeds and request.seed is not None
    official = urlsplit(ask.url).netloc == "api.openai.com"

    async def perform(seed: int, most: int | None) -> Sample[str]:
        chosen, stream = None if kept else seed, True if request.stream else None
        body = wire.amended(request, seed=chosen, max_tokens=most, stream=stream, official=official)
        answer = await send(replace(ask, body=json.dumps(body).encode()))
        params = request.params if most is None else replace(request.params, max_tokens=most)
        terms = Terms(estimates.read(content), params, request.generated, manner.price)
        return received(path, answer, terms, lambda: completion(request, answer, terms))

    sample = await run.relay(
        request.model[:_NAME], content, perform, limit=request.params.max_tokens, choices=request.generated,
        describe=lambda text: said(request, text), price=manner.dollars, again=is_retry(ask),
    )  # fmt: skip
    if kept:
        run.resource(Kept, Kept).note(run, content, said(request, sample.value))
    return _told(request, sample.value, path)


async def _decided(steps: Stepwise, request: wire.WireRequest, ask: Ask, thread: int | None) -> Answer:
    """The answer that a search has chosen."""
    sample, name = await steps.asked(request, ask.url, ask.headers, thread)
    return _told(request, json.dumps(wire.answer(request, [sample], id=name, created=0)), path_of(ask))


def _told(request: wire.WireRequest, whole: str, path: str) -> Answer:
    """An answer's JSON as the agent wants it: in one piece, or as events."""
    if not request.stream:
        return Answer(200, whole.encode())
    try:
        events = wire.events(request.route, json.loads(whole), usage=request.include_usage)
    except wire.WireError as error:  # a server that answers in one piece where it was asked for a stream
        return refused(path, 502, f"the answer cannot be told as a stream: {error}")
    return Answer(200, b"".join(events), EVENTS)


async def _embedded(attempt: Attempt, ask: Ask, send: Send, manner: Manner) -> Answer:
    """Embeddings: counted as a model call with the tokens that were read."""
    try:
        asked = fields.read_request(ask.body, LARGEST)
    except wire.WireError as error:
        return Answer(error.status, refusals.refusal("chat", error))
    content = "embeddings " + json.dumps({key: asked[key] for key in sorted(asked) if key != "user"})

    async def perform(seed: int, most: int | None) -> Sample[str]:
        answer, terms = await send(ask), Terms(estimates.read(content), price=manner.price)
        return received(path_of(ask), answer, terms, lambda: vectors(answer, terms))

    def described(text: str) -> str:
        embedded(text)
        return "vectors"

    name = str(asked.get("model", "embeddings"))[:_NAME]
    if attempt.steps is not None:
        read = Usage(model_calls=1, prompt_tokens=estimates.read(content))

        async def counted(run: Run) -> str:
            try:
                sample = await run.call(name, Prompt.of(content), lambda: perform(run.seed, None), worst=read)
            except CallError as error:
                return _written(error.answer if isinstance(error, Refused) else failed(ask, error))
            return _written(Answer(200, str(sample.value).encode()))

        return _read(await attempt.steps.aside(content, counted))
    sample = await attempt.run.relay(
        name, content, perform, limit=0, describe=described, price=manner.dollars, again=is_retry(ask)
    )
    return Answer(200, sample.value.encode())


def _written(answer: Answer) -> str:
    """A side call's answer, or its refusal, for those that go the same way again."""
    told = (answer.status, answer.body.decode("latin-1"), answer.content_type, dict(answer.headers))
    return json.dumps(told)


def _read(text: str) -> Answer:
    status, body, content_type, headers = json.loads(text)
    return Answer(status, body.encode("latin-1"), content_type, headers)


def _names_a_model(body: bytes) -> bool:
    """Whether a request says which model is to answer it, as all of ours do."""
    try:
        return isinstance(fields.read_request(body, LARGEST).get("model"), str)
    except wire.WireError:
        return False


def is_retry(ask: Ask) -> bool:
    """Whether the client gave up a request like this before, as the official clients say of their retries."""
    return ask.headers.get(_RETRY, "0") != "0"


def failed(ask: Ask, error: CallError) -> Answer:
    """What an agent is told when no answer came: 504 or 502, both worth another try, or 400 if none can come."""
    status = {"timeout": 504, "bad_request": 400}.get(error.kind, 502)
    return refused(path_of(ask), status, str(error))
