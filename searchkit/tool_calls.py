"""Tool calls as actions: which of them are the same, what one does, and how it is written in a line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from searchkit.types import Message, Sample, ToolCall

LONGEST = 100_000  # characters of arguments that are read as JSON
DEEPEST = 64  # levels of it: an interpreter's own limit would depend on who calls
SHOWN = 1_000  # characters of a call in a label

_STRING = re.compile(r'"(?:[^"\\]|\\.|\\$)*"?', re.DOTALL)  # one that does not end, too: never tried twice
_BRACKET = re.compile(r"[\[\]{}]")


def identity(action: Sample[Any]) -> Hashable:
    """What makes an action that action: its text, why it ended, and its calls by name and arguments, never by id."""
    if action.message is None and type(action.value) is str:  # by far the most where steps are short
        return action.value, action.stop_reason, action.finish, ()
    return _said(action), action.stop_reason, action.finish, called(action)


def called(action: Sample[Any]) -> tuple[tuple[str, str], ...]:
    """The calls in an action, each as its name and its arguments as they are `spelled`."""
    calls = calls_of(action)
    return tuple((call.name, spelled(call.arguments)) for call in calls) if calls else ()


def label(action: Sample[Any]) -> str:
    """What an action is called in a tree: its text; where it says nothing but calls tools, the calls in one line."""
    if action.message is None and type(action.value) is str:
        return action.value
    calls, said = calls_of(action), _said(action)
    return written(calls) if calls and not said.strip() else said


def meant(action: Sample[Any]) -> Any:
    """What an action does: the value of the sample; where that is a text beside tool calls, the call, or all of them.

    Calls come without their ids, so that the same call is the same action.
    """
    calls = calls_of(action) if isinstance(action.value, str) else ()
    plain = tuple(replace(call, id="") for call in calls)
    return action.value if not plain else plain[0] if len(plain) == 1 else plain


def in_words(action: Any) -> str:
    """What `meant` found, as a text: a call or several in one line, anything else as `str` has it."""
    calls = _as_calls(action)
    return written(calls) if calls else str(action)


def calls_of(action: Sample[Any]) -> tuple[ToolCall, ...]:
    """The tool calls in a sample: those of its message, or its value where that is a message or calls."""
    if action.message is not None and action.message.tool_calls:
        return action.message.tool_calls
    return _as_calls(action.value)


def written(calls: Sequence[ToolCall]) -> str:
    """Calls in one line, as ``name({"key": 1})``; long ones are cut."""
    return "; ".join(_line(f"{call.name}({_shown(call.arguments)})") for call in calls)


def spelled(arguments: str) -> str:
    """`arguments` as JSON with sorted keys; as they are where that cannot be had, or can be read in two ways.

    So stay texts that are not JSON, too long or too deep, objects with a key twice, NaN, infinities, and numbers with
    more digits than a float keeps. Takes linear time and never raises.
    """
    try:
        return json.dumps(_read(arguments, _float), sort_keys=True)
    except (ValueError, ArithmeticError, RecursionError):
        return arguments


def parsed(arguments: str) -> Any:
    """`arguments` as JSON, a number with more digits than a float keeps as the nearest one; no text at all is {}.

    Raises `ValueError`, which says what is wrong, where that cannot be had, or can be read in two ways. Takes linear
    time.

    >>> parsed('{"city": "Rome"}'), parsed("")
    ({'city': 'Rome'}, {})
    """
    return _read(arguments, _finite) if arguments.strip() else {}


def _as_calls(value: Any) -> tuple[ToolCall, ...]:
    if isinstance(value, str):  # by far the most
        return ()
    if isinstance(value, Message):
        return value.tool_calls
    if isinstance(value, ToolCall):
        return (value,)
    whole = isinstance(value, tuple | list) and all(isinstance(call, ToolCall) for call in value)
    return tuple(value) if whole else ()


def _said(action: Sample[Any]) -> str:
    """The text of an action without its calls, whose `repr` would tell their ids."""
    if isinstance(action.value, Message):
        return action.value.text
    return "" if action.message is None and _as_calls(action.value) else action.text


def _read(arguments: str, parse_float: Callable[[str], float]) -> Any:
    if len(arguments) > LONGEST:
        raise ValueError(f"they have more than {LONGEST:,} characters")
    if _depth(arguments) > DEEPEST:
        raise ValueError(f"they are nested deeper than {DEEPEST} levels")
    return json.loads(arguments, object_pairs_hook=_object, parse_float=parse_float, parse_constant=_refused)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _float(text: str) -> float:
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise ValueError("some read more digits than others")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large for a number")
    return number


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _depth(text: str) -> int:
    """How deep the brackets outside of strings are nested."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _shown(arguments: str) -> str:
    """`arguments` for people: letters of all scripts as they are."""
    try:
        return json.dumps(_read(arguments, _float), sort_keys=True, ensure_ascii=False)
    except (ValueError, ArithmeticError, RecursionError):
        return arguments.strip()


def _line(text: str) -> str:
    """`text` in one line that any file takes: half of a surrogate pair, which JSON can hold, is written out."""
    cut = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return " ".join(cut.splitlines()).encode("utf-8", "backslashreplace").decode()
