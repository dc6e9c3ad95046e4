"""Answer keys for structured outputs: JSON values and tool calls, compared by what they are and not how they are spelt.

Unlike `keys.json_field`, nothing is brought closer than JSON itself says: texts keep their case, "1" is not 1. Two
values have the same key if they have the same fields in any order, the same items in the same order, and equal numbers
(1, 1.0 and 1e0). What is not one JSON value has the key None, as have NaN and infinities and an object with a field
twice. The functions take linear time, evaluate nothing, raise on no text, and pickle.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from searchkit.answers.thoughts import without_thoughts
from searchkit.types import Message, ToolCall

LONGEST = 100_000
"""Longest text in characters that is parsed."""

_BLOCK = re.compile(r"```[A-Za-z]*\n(.*)\n```", re.DOTALL)


class _NotJson(ValueError):
    pass


def json_key(value: Any) -> Hashable | None:
    """The key of a JSON text (bare, or as one code block after thoughts), or of a value that JSON can hold."""
    if not isinstance(value, str):
        return _or_none(_key, value)
    found = _or_none(_read, value)
    if found is None:  # only then, because thoughts and code blocks may stand in the texts of a JSON value
        text = without_thoughts(value).strip()
        block = _BLOCK.fullmatch(text)
        found = _or_none(_read, block[1] if block else text)
    return found


def tool_key(value: Any) -> Hashable | None:
    """The key of a `ToolCall`, a `Message` with calls, or a sequence of calls: names and arguments, in their order.

    The calls' ids do not count. Arguments that are blank are no arguments. None where there is no call, and where the
    arguments of one are no JSON object.
    """
    calls = value.tool_calls if isinstance(value, Message) else [value] if isinstance(value, ToolCall) else value
    if not isinstance(calls, Sequence) or not calls or not all(isinstance(call, ToolCall) for call in calls):
        return None
    arguments = [_or_none(_read, call.arguments if call.arguments.strip() else "{}") for call in calls]
    if not all(isinstance(one, tuple) and one[0] == "object" for one in arguments):
        return None
    return tuple((call.name, one) for call, one in zip(calls, arguments, strict=True))


def _or_none(make: Callable[[Any], Hashable], value: Any) -> Hashable | None:
    try:
        return make(value)
    except (ValueError, RecursionError):
        return None


def _read(text: str) -> Hashable:
    """The key of a text that is one JSON value and nothing else."""
    if len(text) > LONGEST:
        raise _NotJson
    return _key(json.loads(text, object_pairs_hook=_object, parse_constant=_refused))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotJson
    return found


def _refused(constant: str) -> Any:
    raise _NotJson


def _key(value: Any) -> Hashable:
    """Tagged, because Python holds True for 1; equal keys have equal reprs, by which pools store them."""
    if value is None or isinstance(value, bool):
        return ("constant", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotJson
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return ("object", *((name, _key(value[name])) for name in sorted(value)))
    if isinstance(value, list | tuple):
        return ("list", *map(_key, value))
    raise _NotJson
