"""Why a text ended, in the words of many servers. What none of them is known to say is a text that was cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchkit.types import Finish

_NATURAL = "stop eos eos_token endoftext end_of_turn end_turn stop_sequence complete completed finish"
_CALLS = "tool_calls tool_call tool_use function_call"
_FILTERED = (
    "content_filter content_filtered refusal safety image_safety recitation blocklist prohibited_content spii "
    "sensitive guardrail_intervened error_toxic"
)
_CUT = (
    "length max_tokens max_length max_output_tokens max_new_tokens max_completion_tokens token_limit length_limit "
    "model_length model_context_window_exceeded context_window_exceeded context_length_exceeded incomplete pause_turn"
)
_FINISHES: Mapping[str, Finish] = {
    **dict.fromkeys(_CUT.split(), "length"),
    **dict.fromkeys(_NATURAL.split(), "stop"),
    **dict.fromkeys(_CALLS.split(), "tool_calls"),
    **dict.fromkeys(_FILTERED.split(), "content_filter"),
}
GIVEN_UP = frozenset(["abort", "aborted", "error", "network_error", "insufficient_system_resource"])
"""Reasons for which a server gave up on an answer: without a text, another attempt is worth it."""


_WORST_FIRST: tuple[Finish, ...] = ("content_filter", "length", "tool_calls", "stop")


def finish_of(reason: Any) -> Finish:
    """What a server's reason stands for; "length" if it gives none, or one that nobody knows: such a text never votes.

    >>> finish_of(" eos_token"), finish_of("SAFETY"), finish_of("preempted"), finish_of(None)
    ('stop', 'content_filter', 'length', 'length')
    """
    return _FINISHES.get(named(reason), "length")


def is_known(reason: Any) -> bool:
    """Whether it is a reason of which somebody knows what it stands for.

    >>> is_known("MAX_TOKENS"), is_known("aborted"), is_known("preempted"), is_known(None)
    (True, True, False, False)
    """
    return named(reason) in _FINISHES or named(reason) in GIVEN_UP


def noted(reason: Any) -> str | None:
    """What a sample keeps of a reason that does not say itself that a text was cut, and is taken so: 40 characters.

    >>> noted("preempted"), noted("error"), noted({"type": "x"}), noted("length"), noted(None)
    ('preempted', 'error', "{'type': 'x'}", None, None)
    """
    if reason is None or named(reason) in _FINISHES:
        return None
    text = reason if isinstance(reason, str) and reason.isascii() and reason.isprintable() else ascii(reason)
    return " ".join(text[:40].split()) or None


def worse(first: Any, second: Any) -> Any:
    """Of two reasons that a stream gave for the end of one text, the one that makes less of it. A proxy that closes
    every stream with its own "stop" makes no whole text of one that was cut.

    >>> worse("length", "stop"), worse(None, "stop"), worse("stop", "error")
    ('length', 'stop', 'error')
    """
    if not first or not second:
        return first or second
    return min(first, second, key=lambda reason: (named(reason) not in GIVEN_UP, _WORST_FIRST.index(finish_of(reason))))


def named(reason: Any) -> str:
    """A reason as it is looked up: in small letters, and only ASCII, as others have letters that look like these."""
    return reason.strip(" \t\r\n").lower() if isinstance(reason, str) and reason.isascii() else ""
