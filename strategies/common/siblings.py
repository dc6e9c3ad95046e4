"""A prompt that shows which steps were tried already, so that the next one is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from searchkit.templates import fenced
from searchkit.types import Message, Prompt, Text

SHOWN = 8  # steps, the newest: a prompt must not grow with the search
LONGEST = 1_000  # characters of each
WORDS = "What comes next was tried in these ways already, each between lines of backticks. Take another way."


def shown(prompt: Prompt, tried: Sequence[str]) -> Prompt:
    """`prompt`, and below its last user message the newest of what was `tried`, fenced: a model has written it.

    Everything else stays, the beginning of the assistant turn too; without anything tried all of it does.
    """
    if not tried:
        return prompt
    steps = (fenced(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") for text in tried[-SHOWN:])
    told = Text("\n\n".join((WORDS, *steps)))
    messages = prompt.messages
    at = next((i for i in reversed(range(len(messages))) if messages[i].role == "user"), None)
    if at is None:
        return replace(prompt, messages=(*messages, Message("user", (told,))))
    asked = messages[at]
    parts = (*asked.parts, Text("\n\n" + told.text))
    return replace(prompt, messages=(*messages[:at], replace(asked, parts=parts), *messages[at + 1 :]))
