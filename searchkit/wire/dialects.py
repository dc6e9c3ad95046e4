"""Every API behind the same few functions, chosen by the route."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from searchkit.errors import ConfigError
from searchkit.types import Params, Sample
from searchkit.wire import choices, failures, fields, sse, streams, usage
from searchkit.wire.chat import answers as chat_answers
from searchkit.wire.chat import events as chat_events
from searchkit.wire.chat import requests as chat_requests
from searchkit.wire.completions import answers as completions_answers
from searchkit.wire.completions import events as completions_events
from searchkit.wire.completions import requests as completions_requests
from searchkit.wire.errors import Malformed
from searchkit.wire.messages import answers as messages_answers
from searchkit.wire.messages import events as messages_events
from searchkit.wire.messages import requests as messages_requests
from searchkit.wire.responses import answers as responses_answers
from searchkit.wire.responses import events as responses_events
from searchkit.wire.responses import requests as responses_requests
from searchkit.wire.usage import Counts, Price
from searchkit.wire.values import Route, WireRequest


class _Render(Protocol):
    def __call__(
        self, request: WireRequest, samples: Sequence[Sample[Any]], counts: Counts, *, id: str, created: int
    ) -> dict[str, Any]: ...


class _Events(Protocol):
    def __call__(self, answer: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one API needs. `answer` and `events` write, the others read."""

    request: Callable[[Mapping[str, Any]], WireRequest]
    answer: _Render
    samples: Callable[[Any, Params, Price | None, int, int], list[Sample[str]]]
    counts: Callable[[Mapping[str, Any]], Counts]
    events: _Events
    collector: Callable[[], streams.Collector]
    several: bool  # whether an answer can have more than one choice


DIALECTS: Mapping[Route, Dialect] = {
    "chat": Dialect(
        chat_requests.read,
        chat_answers.render,
        choices.read,
        usage.of_choices,
        chat_events.render,
        chat_events.Collector,
        True,
    ),
    "completions": Dialect(
        completions_requests.read,
        completions_answers.render,
        choices.read,
        usage.of_choices,
        completions_events.render,
        completions_events.Collector,
        True,
    ),
    "responses": Dialect(
        responses_requests.read,
        responses_answers.render,
        responses_answers.read,
        usage.of_response,
        responses_events.render,
        responses_events.Collector,
        False,
    ),
    "messages": Dialect(
        messages_requests.read,
        messages_answers.render,
        messages_answers.read,
        usage.of_message,
        messages_events.render,
        messages_events.Collector,
        False,
    ),
}


def parse(route: Route, raw: bytes, largest: int = fields.LARGEST) -> WireRequest:
    """A request from the bytes of its body. Raises `Malformed` and `TooLarge`.

    largest: bytes that are read.

    >>> body = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}], "top_p": 0.5, "user": "me"}'
    >>> request = parse("chat", body)
    >>> request.prompt.text, request.params.top_p, request.extras
    ('Hi', 0.5, {'user': 'me'})
    """
    return DIALECTS[route].request(fields.read_request(raw, largest))


def answer(
    request: WireRequest, samples: Sequence[Sample[Any]], *, id: str, created: int, reasoning: int | None = None
) -> dict[str, Any]:
    """The body of the answer to `request`: a choice a sample, usage as their sum.

    - id: from which all ids of the answer are made; equal ids give equal answers. Calls keep the ids that they have.
    - created: seconds since 1970.
    - reasoning: generated tokens that are no visible text; None if that is not known.

    Raises `ConfigError` if there are no samples, or more than one where the API has no choices (responses, messages).
    """
    dialect = DIALECTS[request.route]
    if not samples or (len(samples) > 1 and not dialect.several):
        raise ConfigError(f"an answer of {request.route} has {len(samples)} samples: pass one")
    return dialect.answer(request, samples, Counts.of(samples, reasoning), id=id, created=created)


def samples(
    route: Route, answer: Any, params: Params, price: Price | None = None, *, prompt: int = 0, choices: int = 1
) -> list[Sample[str]]:
    """The samples of an answer's JSON, one a choice; the first carries the call and the prompt.

    - params: those of the request, whose stop strings end the texts.
    - prompt, choices: what is charged where the server does not count, see `charging.charged`.

    Raises ValueError if it is no answer, `Reported` if it is an error.
    """
    if (error := failures.reported(answer)) is not None:
        raise error
    return DIALECTS[route].samples(answer, params, price, prompt, choices)


def counts(route: Route, answer: Mapping[str, Any]) -> Counts:
    """The tokens that an answer's JSON reports; None for what it does not say, or not as a count."""
    return DIALECTS[route].counts(answer)


def events(route: Route, answer: Mapping[str, Any], *, usage: bool = True) -> list[bytes]:
    """An answer as the events of a stream. usage: whether those of chat and completions end with it.

    Whatever the answer holds is in them, if it has the shape of one; `Malformed` if not.
    """
    try:
        return list(DIALECTS[route].events(answer, usage=usage))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"the answer is of another shape: {type(error).__name__}: {error}") from error


def reader(route: Route, choices: int = 1, event_limit: int = sse.EVENT_LIMIT) -> streams.StreamReader:
    """What reads a stream and gives the answer in one piece. choices: how many were asked for."""
    return streams.StreamReader(DIALECTS[route].collector(), choices, event_limit)
