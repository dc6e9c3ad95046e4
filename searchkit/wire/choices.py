"""Answers of chat and completions, read: one sample a choice. Both routes at once, as servers mix their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.kinds import is_whole
from searchkit.types import Finish, Message, Params, Sample, Text
from searchkit.wire import contents
from searchkit.wire.charging import charged
from searchkit.wire.contents import Said, loose
from searchkit.wire.errors import named_in
from searchkit.wire.failures import given_up, reported, says_nothing
from searchkit.wire.fields import read_answer
from searchkit.wire.finishes import GIVEN_UP, finish_of, named, noted
from searchkit.wire.logprobs import tokens
from searchkit.wire.usage import Price, of_choices

RATINGS = ("content_filter_results", "content_filter_result", "safetyRatings", "safety_ratings")
OF_PROMPTS = ("prompt_filter_results", "prompt_annotations", "promptFeedback", "prompt_feedback")
_SPEAKS = ("content", "tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "audio")


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
        blocked = any(is_filtered(results) for key in OF_PROMPTS if (results := answer.get(key)))
        drawn = [_sample(choice, params, blocked) for choice in listed]
    except (KeyError, TypeError, AttributeError, OverflowError) as wrong:
        raise ValueError(f"a field is missing or of another type{named_in(wrong)}") from wrong
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


def _sample(choice: Any, params: Params, blocked: bool) -> Sample[str]:
    if not isinstance(choice, dict):
        raise ValueError(f"a choice is of another type: {type(choice).__name__}")
    message, reason = _message(choice), choice.get("finish_reason")
    found, calls = contents.said(message), contents.calls(message)
    wrong = [error for place in (choice, message) if (error := place.get("error")) and not says_nothing(error)]
    if wrong or (named(reason) in GIVEN_UP and not (found.text or calls)):
        raise given_up(next(iter(wrong), None), reason)
    finish, text, stop = _finish(choice, found, bool(calls), blocked), found.text, noted(reason)
    if finish == "stop" and not text and not found.thoughts:
        _check_empty(choice, message, found)
    if finish == "stop" and params.stop:
        # Generation ends where a stop string appears, so a text that ends with one was ended by it.
        kept = max((s for s in params.stop if text.endswith(s)), key=len, default=None)
        stop = said if (said := fired(choice)) in params.stop else kept
        text = text.removesuffix(stop or "")
    for refusal in (found.refusal, loose(choice.get("refusal"))) if finish != "stop" else ():
        if refusal.strip() and refusal not in text:
            text = f"{text}\n{refusal}".strip()
    turn = Message("assistant", (Text(text),) if text else (), calls, None, found.thoughts)
    return Sample(text, turn, finish, stop, logprobs=tokens(choice.get("logprobs")))


def _check_empty(choice: Mapping[str, Any], message: Mapping[str, Any], found: Said) -> None:
    """That an empty text is all that a choice says. A text that is lost would be one that ended by itself."""
    if "content" not in message:
        raise ValueError("its message says nothing")
    if found.unread:
        raise ValueError(f"its content has no text, but parts of the type {found.unread[:80].strip()}")
    if places := contents.elsewhere(message) or contents.elsewhere(choice):
        raise ValueError(f"its message has no content, and a text perhaps in {places}")


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message of a choice; that of completions has only a text."""
    found, text = choice.get("message"), choice.get("text")
    beside = isinstance(text, str) and text and isinstance(found, dict) and not any(map(found.get, _SPEAKS))
    if isinstance(found, dict) and not beside:
        return found
    if (found is not None and not beside) or not isinstance(text, str):
        raise ValueError("a choice has neither a message nor a text")
    return {"content": text}


def _finish(choice: Mapping[str, Any], found: Said, called: bool, blocked: bool) -> Finish:
    """Why it ended. Some servers say "stop" of a refusal, of what they filtered out, and of calls. blocked: the prompt
    was filtered."""
    finish = finish_of(choice.get("finish_reason"))
    if finish in ("stop", "tool_calls") and (
        found.refused
        or (choice.get("refusal") and not says_nothing(choice["refusal"]))
        or any(is_filtered(results) for key in RATINGS if (results := choice.get(key)))
        or (blocked and not found.text and not called)
    ):
        return "content_filter"
    return "tool_calls" if finish == "stop" and called else finish


def is_filtered(results: Any, depth: int = 4) -> bool:
    """Whether ratings, as Azure and Gemini give them, say that something was left out or blocked.

    >>> is_filtered({"hate": {"filtered": True}}), is_filtered([{"category": "X", "blocked": False}])
    (True, False)
    """
    if not depth or not isinstance(results, (dict, list)):
        return False
    if isinstance(results, dict) and any(results.get(key) is True for key in ("filtered", "blocked")):
        return True
    entries = list(results.values()) if isinstance(results, dict) else results
    return any(is_filtered(entry, depth - 1) for entry in entries[:32])
