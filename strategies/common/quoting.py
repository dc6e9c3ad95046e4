"""Answers as a model is shown them: each with a name, cut to a length, between fences."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.templates import fenced


def quoted(texts: Sequence[tuple[str, str]], most: int) -> str:
    """`texts`, each a name and what is quoted of it, of at most `most` characters each."""
    return "\n\n".join(f"{name}:\n{fenced(cut(text, most))}" for name, text in texts)


def cut(text: str, most: int) -> str:
    """`text` without its middle if it is longer: the answer stands at the end, and what it answers before it."""
    head = (most - 1) // 2
    return text if len(text) <= most else f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
