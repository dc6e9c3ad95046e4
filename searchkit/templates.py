"""Prompts from templates: the task as it was given, and between fences what a model has written."""

from __future__ import annotations

import re
import string
from dataclasses import replace

from searchkit.errors import ConfigError
from searchkit.kinds import told
from searchkit.types import Message, Prompt, Text


def fenced(text: str) -> str:
    """`text` between two lines of backticks, more of them than it has in a row: it cannot pose as what is around it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def check(template: str, needed: set[str], known: set[str]) -> None:
    """Raises `ConfigError` if `template` lacks a field of `needed`, or has one that is not in `known`.

    Likewise for a field with a conversion or a format, which might fail only once others have been paid for.
    """
    if not isinstance(template, str):
        raise ConfigError(
            f"a template is a text with fields such as {{{min(needed, default='task')}}}, got {told(template)}"
        )
    try:
        fields = [found for found in string.Formatter().parse(template) if found[1] is not None]
    except ValueError as error:
        raise ConfigError(f"not a template: {error}; write {{{{ and }}}} for braces, got {template!r:.80}") from error
    found = {name for _, name, _, _ in fields if name is not None}
    for name in sorted(needed - found):
        raise ConfigError(f"the template needs a field {{{name}}}, got {template!r:.80}")
    for name in sorted(found - known):
        raise ConfigError(f"the template has an unknown field {{{name}}}: it may have {sorted(known)}")
    for _, field, form, conversion in fields:
        if form or conversion:
            raise ConfigError(f"a field stands for a text as it is: write {{{field}}}, got {template!r:.80}")


def worded(prompt: Prompt, template: str, **texts: str) -> Prompt:
    """`prompt` with its last user message worded by `template`.

    The field {task} is that message's own text, as it is; the other fields are `texts`, fenced. Everything else of the
    conversation (system message, images, tools) stays; the beginning of an assistant turn is dropped.
    """
    at = next((i for i in reversed(range(len(prompt.messages))) if prompt.messages[i].role == "user"), None)
    task = prompt.text if at is None else prompt.messages[at].text
    wording = Text(template.format(task=task, **{name: fenced(text) for name, text in texts.items()}))
    if at is None:
        messages = (*prompt.messages, Message("user", (wording,)))
    else:
        asked = prompt.messages[at]
        others = tuple(part for part in asked.parts if not isinstance(part, Text))
        messages = (*prompt.messages[:at], replace(asked, parts=(*others, wording)), *prompt.messages[at + 1 :])
    return replace(prompt, messages=messages, prefix="", prefix_ids=None)
