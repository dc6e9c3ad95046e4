"""What the answer to a request says: its samples, or the error that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from searchkit import wire
from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError
from searchkit.generators.openai import errors, noticed
from searchkit.generators.openai.bodies import Route
from searchkit.generators.openai.stream import Events
from searchkit.http import HTTPReply
from searchkit.kinds import printable
from searchkit.types import ConfidenceFloor, Params, Sample
from searchkit.wire import choices, estimates
from searchkit.wire.errors import Reported
from searchkit.wire.failures import reported
from searchkit.wire.fields import read_answer
from searchkit.wire.usage import Price

LEAST = 4 * 2**20  # bytes of an answer that are read, whatever was asked for
TOKENS = 2**17  # of a request without a limit
_TOKEN, _RIVAL, _EVENT = 512, 256, 1024  # bytes that each may take, more than any server needs
_BRACKETS, _IN_TOKEN, _IN_RIVAL = 2**17, 16, 4  # brackets beside the tokens, in the text of one, and around a rival


def most(params: Params, n: int = 1) -> int:
    """The most bytes that an honest answer to a request with these parameters can have."""
    tokens, rivals = _asked(params, n)
    return LEAST + tokens * (_TOKEN + _RIVAL * rivals + (0 if params.floor is None else _EVENT))


def brackets(params: Params, n: int = 1) -> int:
    """The most brackets that its JSON can have."""
    tokens, rivals = _asked(params, n)
    return _BRACKETS + tokens * (_IN_TOKEN + _IN_RIVAL * rivals)


def _asked(params: Params, n: int) -> tuple[int, int]:
    """Tokens, and what is listed for each."""
    tokens = TOKENS if params.max_tokens is None else params.max_tokens
    return n * tokens, 0 if params.logprobs is None else params.logprobs + 1


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers of one server.

    url: as it is named in errors. redact: hides the key, which some servers quote. warn: says of the server once, by
    what it is about, what an answer shows.
    """

    url: str
    route: Route
    price: Price | None
    redact: Callable[[str], str]
    warn: Callable[[str, str], None]

    def read(
        self, reply: HTTPReply, request: Request, events: Events | None, n: int = 1
    ) -> list[Sample[str]] | CallError:
        """The samples of a success, one a choice. events: what read it while it came, where a stream was asked for. n:
        how many were generated for it."""
        lost, params = errors.worst(request), request.params
        prompt = estimates.read(request.prompt.text + request.prompt.prefix)
        try:
            answer = self._whole(reply, brackets(params, n)) if events is None else self._streamed(reply, events)
            drawn = choices.read(answer, params, self.price, prompt, n)
        except CapabilityError as error:
            message = f"the server at {self.url} cannot honour the request: {error}"
            return errors.Dropped(printable(self.redact(message)), kind="bad_request", request=request, usage=lost)
        except Reported as error:
            return errors.of_reported(self.url, error, lost, reply, redact=self.redact)
        except ValueError as error:
            whole = None if events is not None and not events.plain else reply
            return errors.no_answer(self.url, str(error), whole, lost, redact=self.redact)
        fell = events is not None and events.fell
        for what, said in () if fell else noticed.in_answer(answer, drawn, params, prompt, n):
            self.warn(what, said)
        if params.logprobs is not None:
            if any(map(_lacks_rows, drawn)):
                message = f"the server at {self.url} {_unlisted(answer)}: use another server, or logprobs=None"
                message = printable(self.redact(message))
                return errors.Dropped(message, kind="bad_request", request=request, usage=drawn[0].usage)
            drawn = [sample if sample.logprobs is not None else replace(sample, logprobs=()) for sample in drawn]
        if fell:
            return [replace(drawn[0], finish="length", stop_reason=ConfidenceFloor.FELL)]
        return drawn

    def _whole(self, reply: HTTPReply, most: int) -> Any:
        """The JSON of an answer; put together if it came as events, though nobody asked for them."""
        if reply.body.lstrip()[:5] in (b"data:", b"event") or _is_stream(reply):
            reader = wire.reader(self.route)
            reader.feed(reply.body)
            return reader.answer()
        return read_answer(reply.body, most)

    def _streamed(self, reply: HTTPReply, events: Events) -> Any:
        if events.plain:
            answer = read_answer(reply.body, _BRACKETS)
            if (error := reported(answer)) is not None:
                raise error
            raise CapabilityError(f"{events.UNSTREAMED}: {errors.beginning('it sent one text', reply)}")
        return events.answer(chat=self.route == "chat")


def _lacks_rows(sample: Sample[str]) -> bool:
    """Whether a text came without the log-probabilities that were asked for. Where there is nothing to list, as in a
    call of a tool or an empty text, and in what a filter left, servers list nothing."""
    called = sample.message is not None and sample.message.tool_calls
    return sample.logprobs is None and bool(sample.value) and not called and sample.finish != "content_filter"


def _unlisted(answer: Any) -> str:
    """What a server does that lists no log-probabilities, in words."""
    sent = [choice.get("logprobs") for choice in choices.listed_of(answer)]
    odd = next((one for one in sent if one and not (isinstance(one, dict) and not any(one.values()))), None)
    return "drops log-probabilities" if odd is None else f"lists log-probabilities that cannot be read ({odd!r:.200})"


def _is_stream(reply: HTTPReply) -> bool:
    kind = reply.headers.get("content-type", "").lower().startswith("text/event-stream")
    return kind and not reply.body.lstrip().startswith((b"{", b"["))
