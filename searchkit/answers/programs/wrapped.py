"""A program as the field of a JSON object, as models that were asked for JSON give it."""

from __future__ import annotations

import json
from typing import Any

from searchkit.answers.programs.meant import shows_code
from searchkit.answers.programs.scope import LONGEST

NAMES = {"answer", "code", "completion", "function", "implementation", "program", "python", "python_code", "solution"}


def unwrapped(text: str) -> str:
    """The one field of `NAMES` of a JSON object beside which there is nothing but prose; else the text itself."""
    start, end = text.find("{"), text.rfind("}") + 1
    if not 0 <= start < end <= 2 * LONGEST or shows_code(f"{text[:start]}x{text[end:]}"):
        return text
    try:
        pairs = json.loads(text[start:end], object_pairs_hook=list)
    except (ValueError, RecursionError):
        return text
    found = [value for name, value in pairs if _names_code(name, value)]
    return found[0] if len(found) == 1 else text


def _names_code(name: str, value: Any) -> bool:
    return name.strip().lower() in NAMES and isinstance(value, str)
