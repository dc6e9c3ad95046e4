"""A streamed answer: read event by event, and left as soon as the text falls below its floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from searchkit.calls import Request
from searchkit.confidence import Fall
from searchkit.errors import CapabilityError
from searchkit.types import ConfidenceFloor
from searchkit.wire import choices
from searchkit.wire.contents import loose
from searchkit.wire.errors import Reported, named_in
from searchkit.wire.failures import reported
from searchkit.wire.fields import read_answer
from searchkit.wire.finishes import worse
from searchkit.wire.logprobs import tokens
from searchkit.wire.quoting import SHOWN
from searchkit.wire.sse import Event, EventReader

EVENT_LIMIT = 2**20  # bytes; an event is a token or a few, with their rivals
EVENT_BRACKETS = 2**15  # lists and objects of one, in texts too: it is parsed on the loop's thread
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "text")


def fields(*, extras: bool) -> dict[str, Any]:
    """What asks for a stream. With the fields that vLLM adds, the usage so far is in every event."""
    return {
        "stream": True,
        "stream_options": {"include_usage": True} | ({"continuous_usage_stats": True} if extras else {}),
    }


class Events:
    """The events of one choice, fed as they arrive; in the end, the answer as it would have come in one piece.

    fell: the text ends at its floor. It is then cut after the token that fell, whatever else had arrived, and costs
    the tokens up to there and the prompt. heard: an event came. plain: what came is JSON or a page, and no stream; None
    while nothing came.
    """

    UNSTREAMED = "it does not stream, which a floor needs: use another server, or Params(floor=None)"

    def __init__(self, request: Request, floor: ConfidenceFloor) -> None:
        self.fell: bool = False
        self.heard: bool = False
        self.plain: bool | None = None
        self._fall = Fall(floor)
        self._events = EventReader(EVENT_LIMIT)
        self._wrong, self._lacks = "", "does not stream"
        self._reported: Reported | None = None
        self._texts: dict[str, str] = {}
        self._rows: dict[str, list[Any]] = {}  # log-probabilities, as the route words them
        self._end: Mapping[str, Any] = {}  # the choice that says why it ended
        self._rated: dict[str, Any] = {}  # what says that it was filtered
        self._around: dict[str, Any] = {}  # the same of the prompt
        self._usage: Mapping[str, Any] | None = None
        self._written = 0  # tokens

    def __call__(self, data: bytes) -> bool:
        """Take the next bytes; True when no more are wanted."""
        if self.plain is None and (begin := data.lstrip()):
            self.plain = begin.startswith((b"{", b"[", b"<"))
        return not self.plain and self._read(lambda: self._events.feed(data))

    def _read(self, events: Callable[[], list[Event]]) -> bool:
        try:
            return any(self._event(event.data) for event in events())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.heard = True
            why = f": {error}" if isinstance(error, ValueError) else f", a field is of another type{named_in(error)}"
            self._wrong = f"its stream cannot be read{why}"
            return True

    def _event(self, said: str) -> bool:
        if said.strip() == "[DONE]":
            return False
        if said.count("[") + said.count("{") > EVENT_BRACKETS:
            raise ValueError(f"an event has more than {EVENT_BRACKETS} brackets: it is {said[:SHOWN]}")
        try:
            event = read_answer(said)
        except ValueError as error:
            raise ValueError(f"{error}: an event is {said[:SHOWN]}") from None
        self._reported = reported(event)
        if self._reported is not None:
            self.heard = True
            return True
        if not isinstance(event, dict) or "choices" not in event:
            raise ValueError(f"an event is {said[:SHOWN]}")
        self.heard, self._lacks = True, ""
        self._usage = event.get("usage") or self._usage
        self._around |= {key: event[key] for key in choices.OF_PROMPTS if event.get(key)}
        for choice in choices.listed_of(event):
            self._take(choice)
        return self.fell or bool(self._lacks)

    def _take(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            raise ValueError(f"a choice is of another type: {type(choice).__name__}")
        drawn = tokens(choice.get("logprobs")) or ()
        kept = 0
        for token in drawn:
            kept += 1
            if not token.top:
                self._lacks = "lists no rivals of its tokens"
            elif self._fall.at([log for _, log in token.top]):
                self.fell = True
                break
        self._written += kept
        said = choice.get("delta") or choice
        self._rated |= {key: choice[key] for key in choices.RATINGS if choices.is_filtered(choice.get(key))}
        if said.get("refusal") is True:
            self._rated["refusal"] = True
        for name in _TEXTS:
            if isinstance(said.get(name), str):
                self._texts.setdefault(name, "")
            if text := loose(said.get(name)):
                text = text if kept == len(drawn) else "".join(token.text for token in drawn[:kept])
                self._texts[name] = self._texts.get(name, "") + text
        rows_by_name = choice.get("logprobs")
        for name, rows in rows_by_name.items() if isinstance(rows_by_name, dict) else ():
            if isinstance(rows, list):
                self._rows.setdefault(name, []).extend(rows[:kept])
        if choice.get("finish_reason") or choice.get("error"):
            reason = worse(self._end.get("finish_reason"), choice.get("finish_reason"))
            self._end = {**self._end, **choice, "finish_reason": reason}

    def answer(self, *, chat: bool) -> dict[str, Any]:
        """The answer in one piece. ValueError if the stream broke off, `CapabilityError` if there was none."""
        if not (self.fell or self._wrong):
            self._read(self._events.end)
        if self._reported is not None:
            raise self._reported
        if self._wrong:
            raise ValueError(self._wrong)
        if not self.heard:
            raise ValueError("it is a stream without an event")
        if self._lacks:
            raise CapabilityError(f"it {self._lacks}, which a floor needs: use another server, or Params(floor=None)")
        if not (self.fell or self._end):
            raise ValueError("its stream broke off")
        usage = self._usage
        if self.fell:
            usage = {**(usage or {}), "completion_tokens": self._written}
        said = {"message": self._texts} if chat else {"text": self._texts.get("text", "")}
        only = {**self._end, **self._rated, **said, "logprobs": self._rows or None}
        return {**self._around, "choices": [only], "usage": usage}
