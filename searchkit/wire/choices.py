"""Answers of chat and completions, read: one sample a choice. Both routes at once, as servers mix their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.kinds import is_whole
from searchkit.types import Finish, Message, Params, Sample, Text
from searchkit.wire import contents
from searchkit.wire.charging import charged
from searchkit.wire.contents import Said
from searchkit.wire.failures import given_up, reported
from searchkit.wire.fields import read_answer
from searchkit.wire.finishes import GIVEN_UP, finish_of, named
from searchkit.wire.logprobs import tokens
from searchkit.wire.usage import Price, of_choices


def samples(raw: bytes, params: Params, price: Price | None, prompt: int = 0) -> list[Sample[str]]:
    """The samples of an answer, one a choice, by index. Raises ValueError if it is not a completion, `Reported` if it
    is an error."""
    return read(read_answer(raw), params, price, prompt)


def read(answer: Any, params: Params, price: Price | None, prompt: int = 0, choices: int = 1) -> list[Sample[str]]:
    """The samples of an answer that is parsed already; see `charged` for what they cost."""
    if (error := reported(answer)) is not None:
        raise error
    listed = listed_of(answer)
    if not listed:
        raise ValueError("it has no choices")
    try:
        drawn = [_sample(choice, params) for choice in listed]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a field is missing or of another type: {error}") from error
    return charged(drawn, of_choices(answer), params, price, prompt, choices)


def listed_of(answer: Any) -> list[Any]:
    """The choices of an answer, by index; where that is no number, in the order in which they came."""
    found = answer.get("choices") if isinstance(answer, dict) else None
    kept = [choice for choice in found if choice is not None] if isinstance(found, list) else []
    if len(kept) < 2:
        return kept
    places = [c.get("index") if isinstance(c, dict) else None for c in kept]
    order = [(place if is_whole(place) else i, i) for i, place in enumerate(places)]
    return [kept[i] for _, i in sorted(order)]


def fired(choice: Mapping[str, Any]) -> str | None:
    """The stop string that the server names as the one that ended the text; None if it names none."""
    found = choice.get("stop_reason", choice.get("matched_stop"))
    return found if isinstance(found, str) else None  # a number is the id of a stop token


def text_of(choice: Mapping[str, Any]) -> str:
    """The visible text of a choice, of either route."""
    message = choice.get("message")
    return contents.text_of(message.get("content") if isinstance(message, dict) else choice["text"])


def _sample(choice: Mapping[str, Any], params: Params) -> Sample[str]:
    message, reason = _message(choice), choice.get("finish_reason")
    found, calls = contents.said(message), contents.calls(message)
    if choice.get("error") or (named(reason) in GIVEN_UP and not (found.text or calls)):
        raise given_up(choice, reason)
    finish, text, stop = _finish(choice, found, bool(calls)), found.text, None
    if finish == "stop" and not text and not found.thoughts and "content" not in message:
        raise ValueError("its message says nothing")
    if finish == "stop" and params.stop:
        # Generation ends where a stop string appears, so a text that ends with one was ended by it.
        kept = max((s for s in params.stop if text.endswith(s)), key=len, default=None)
        stop = said if (said := fired(choice)) in params.stop else kept
        text = text.removesuffix(stop or "")
    if found.refusal and found.refusal not in text:
        text = f"{text}\n{found.refusal}".strip()
    turn = Message("assistant", (Text(text),) if text else (), calls, None, found.thoughts)
    return Sample(text, turn, finish, stop, logprobs=tokens(choice.get("logprobs")))


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message of a choice; that of completions has only a text."""
    found = choice.get("message")
    if isinstance(found, dict):
        return found
    if found is not None or not isinstance(choice.get("text"), str):
        raise ValueError("a choice has neither a message nor a text")
    return {"content": choice["text"]}


def _finish(choice: Mapping[str, Any], found: Said, called: bool) -> Finish:
    """Why it ended. Some servers say "stop" of a refusal, of what they filtered out, and of calls."""
    finish = finish_of(choice.get("finish_reason"))
    if finish in ("stop", "tool_calls") and (found.refusal or _filtered(choice.get("content_filter_results"))):
        return "content_filter"
    return "tool_calls" if finish == "stop" and called else finish


def _filtered(results: Any) -> bool:
    """Whether Azure left something out."""
    entries = results.values() if isinstance(results, dict) else ()
    return any(isinstance(entry, dict) and entry.get("filtered") is True for entry in entries)
