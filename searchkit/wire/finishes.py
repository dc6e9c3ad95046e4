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
_FINISHES: Mapping[str, Finish] = {
    **dict.fromkeys(_NATURAL.split(), "stop"),
    **dict.fromkeys(_CALLS.split(), "tool_calls"),
    **dict.fromkeys(_FILTERED.split(), "content_filter"),
}
GIVEN_UP = frozenset(["abort", "aborted", "error", "network_error", "insufficient_system_resource"])
"""Reasons for which a server gave up on an answer: without a text, another attempt is worth it."""


def finish_of(reason: Any) -> Finish:
    """What a server's reason stands for; "length" if it gives none, or one that nobody knows: such a text never votes.

    >>> finish_of("eos_token"), finish_of("SAFETY"), finish_of("preempted"), finish_of(None)
    ('stop', 'content_filter', 'length', 'length')
    """
    return _FINISHES.get(named(reason), "length")


def named(reason: Any) -> str:
    """A reason as it is looked up: in small letters, and only ASCII, as others have letters that look like these."""
    return reason.lower() if isinstance(reason, str) and reason.isascii() else ""
