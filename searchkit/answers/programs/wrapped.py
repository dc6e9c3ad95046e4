"""A program as the field of a JSON object, as models that were asked for JSON give it."""

from __future__ import annotations

import json
import re
from typing import Any

from searchkit.answers.programs.scope import LONGEST

NAMES = {"answer", "code", "completion", "function", "implementation", "program", "python", "python_code", "solution"}
_FENCED = re.compile(r"\s*```(?:json5?)?[ \t]*\n(\{.*\})\s*```\s*", re.DOTALL | re.IGNORECASE)


def unwrapped(text: str) -> str:
    """The one field of `NAMES` where the whole text is a JSON object that has one such text; else the text itself."""
    if len(text) > 2 * LONGEST:
        return text
    fenced = _FENCED.fullmatch(text)
    whole = (fenced[1] if fenced else text).strip()
    if not (whole.startswith("{") and whole.endswith("}")):
        return text
    try:
        pairs = json.loads(whole, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return text
    found = [value for name, value in pairs if _names_code(name, value)]
    return found[0] if len(found) == 1 else text


def _names_code(name: str, value: Any) -> bool:
    return name.strip().lower() in NAMES and isinstance(value, str)
