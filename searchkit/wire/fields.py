"""Fields of JSON that somebody else wrote, read with bounds: what is of another kind is refused, with its place."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, is_whole, told
from searchkit.types import Params
from searchkit.wire.errors import Malformed, TooLarge
from searchkit.wire.values import ToolChoice

LARGEST = 32 * 2**20  # bytes of a request: what Anthropic takes, images included
DEEPEST = 128  # levels: an interpreter's own limit would depend on who calls
MOST_PARTS = 2**18  # lists and objects of a request: one of two bytes takes seventy in memory, and time to look at
MOST_CHOICES = 1024
_DIGITS = 640  # the least limit that an interpreter can be given


def read_request(raw: bytes, largest: int = LARGEST) -> dict[str, Any]:
    """The JSON object of a request's body. Raises `TooLarge` and `Malformed`; takes linear time.

    An object that says a key twice is `Malformed`: others, such as a proxy that looked at it, may read the other one.
    """
    if len(raw) > largest:
        raise TooLarge(f"the request has {len(raw)} bytes; at most {largest} are read")
    if (found := _brackets(raw)) > MOST_PARTS:  # those in texts too: to tell them apart would take longer than to read
        raise TooLarge(f"the request has {found} brackets; at most {MOST_PARTS} are read")
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_refused, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is no UTF-8: {error}") from None
    except RecursionError:
        raise Malformed(f"the JSON is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise Malformed(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed(f"the body is a JSON object, got {told(value)}")
    check(value)
    return value


def read_answer(raw: bytes | str, most: int | None = None) -> Any:
    """The JSON of an answer. As `json.loads`, but what is nested too deeply is `Malformed`, a `ValueError` too, and a
    whole number of thousands of digits, which Python does not read, is a float.

    most: lists and objects that it may have, counted by their brackets, those in texts too: an empty list of two bytes
    takes seventy in memory, and the interpreter stands still while it is made. More is `Malformed`.
    """
    if most is not None and isinstance(raw, bytes) and (found := _brackets(raw)) > most:
        raise Malformed(f"it has {found} brackets, and at most {most} are read")
    try:
        return json.loads(raw)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        try:
            return json.loads(raw, parse_int=_whole)
        except RecursionError:
            raise Malformed("it is nested too deeply") from None


def _brackets(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        left = Counter(key for key, _ in pairs)
        raise ValueError(f"an object says {left.most_common(1)[0][0]!r:.80} twice")
    return found


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is none of its numbers")


def check(value: Any) -> None:
    """Raises `Malformed` if `value` is nested too deeply, or has a number that JSON has not (NaN), or too great a one
    for a float."""
    for held in _levels(value):
        for entry in held.values() if isinstance(held, dict) else held:
            if isinstance(entry, float) and not math.isfinite(entry):
                raise Malformed("the JSON has a number that is not finite")


def check_depth(value: Any) -> None:
    """Raises `Malformed` if `value` is nested too deeply."""
    for _ in _levels(value):
        pass


def _levels(value: Any) -> Iterator[Any]:
    """All lists and objects in `value`, itself included, level by level."""
    level = [value]
    for _ in range(DEEPEST):
        below = list[Any]()
        for held in level:
            yield held
            below += [
                entry
                for entry in (held.values() if isinstance(held, dict) else held)
                if isinstance(entry, (dict, list))
            ]
        if not below:
            return
        level = below
    raise Malformed(f"the JSON is nested more than {DEEPEST} levels deep")


def clean(text: str) -> str:
    """`text` without halves of surrogate pairs, which JSON can spell, but no file and no server would take back."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def text(value: Any, where: str) -> str:
    """A text at the place `where`, `clean`; `Malformed` if it is none."""
    if not isinstance(value, str):
        raise Malformed(f"{where} is a text, got {told(value)}", where)
    return clean(value)


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A JSON object at the place `where`; `Malformed` if it is none."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is an object, got {told(value)}", where)
    return value


def objects(value: Any, where: str) -> list[dict[str, Any]]:
    """A list of JSON objects; `Malformed` if it is none."""
    if not isinstance(value, list):
        raise Malformed(f"{where} is a list, got {told(value)}", where)
    return [mapping(entry, f"{where}.{i}") for i, entry in enumerate(value)]


def count(value: Any, where: str) -> int:
    """A whole number >= 0; `Malformed` if it is none."""
    if not is_whole(value) or value < 0:
        raise Malformed(f"{where} is a whole number >= 0, got {told(value)}", where)
    return int(value)


@contextmanager
def refusing(where: str | None = None) -> Iterator[None]:
    """What our own values refuse of a request is `Malformed`."""
    try:
        yield
    except ConfigError as error:
        raise Malformed(str(error), where) from None


class Fields:
    """The fields of a request, taken one by one. What is left is `rest`: what none of our values carries.

    null is as good as missing. A value of another kind is `Malformed`; one of the right kind that our values do not
    take (top_p=0) is left, and the default is given.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._left = {key: value for key, value in body.items() if value is not None}

    @property
    def rest(self) -> dict[str, Any]:
        return self._left

    def take(self, key: str) -> Any:
        """The field as it is, and off the list; None if it is missing."""
        return self._left.pop(key, None)

    def needed(self, key: str) -> Any:
        if key not in self._left:
            raise Malformed(f"the request has no {key!r}", key)
        return self._left.pop(key)

    def flag(self, key: str) -> bool:
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            raise Malformed(f"{key} is true or false, got {told(value)}", key)
        return bool(value)

    def whole(self, key: str, least: int | None = None) -> int | None:
        """A whole number; None if it is missing, or left because it is less than `least`."""
        value = self._left.get(key)
        if value is not None and not is_whole(value):
            raise Malformed(f"{key} is a whole number, got {told(value)}", key)
        if value is None or (least is not None and value < least):
            return None
        return int(self.take(key))

    def number(self, key: str, default: float, holds: Callable[[float], bool]) -> float:
        value = self._left.get(key, default)
        if not is_number(value):
            raise Malformed(f"{key} is a number, got {told(value)}", key)
        if abs(value) > 1e300 or not holds(value):
            return default
        self.take(key)
        return float(value)

    def choices(self) -> int:
        n = self.whole("n", 1)
        if "n" in self._left or (n or 1) > MOST_CHOICES:
            raise Malformed(f"n is 1 to {MOST_CHOICES}", "n")
        return n or 1

    def generated(self, n: int) -> int:
        """How many choices are generated where `n` are sent: the best of more, if that is asked for."""
        best = self.whole("best_of", 1) or 1
        if best > MOST_CHOICES:
            raise Malformed(f"best_of is 1 to {MOST_CHOICES}", "best_of")
        return max(n, best)

    def texts(self, key: str) -> tuple[str, ...]:
        """Texts, none of them empty; a single one may stand for itself."""
        value = self.take(key)
        listed = [value] if isinstance(value, str) else [] if value is None else value
        if not isinstance(listed, list) or not all(isinstance(entry, str) and entry for entry in listed):
            raise Malformed(f"{key} is a text or a list of texts, none of them empty, got {told(value)}", key)
        return tuple(clean(entry) for entry in listed)

    def objects(self, key: str) -> list[dict[str, Any]]:
        """A list of JSON objects; none if the field is missing."""
        return objects(self.take(key), key) if key in self._left else []

    def params(self, max_tokens: int | None, stop: tuple[str, ...], logprobs: int | None) -> Params:
        """Sampling: the fields that all APIs call the same, and those that vLLM, SGLang and llama.cpp add."""
        top_k = self.whole("top_k")  # off is -1 for most, 0 for some
        with refusing():
            return Params(
                temperature=self.number("temperature", 1.0, lambda x: x >= 0),
                top_p=self.number("top_p", 1.0, lambda x: 0 < x <= 1),
                top_k=max(0, top_k or 0),
                min_p=self.number("min_p", 0.0, lambda x: 0 <= x < 1),
                max_tokens=max_tokens,
                stop=stop,
                logprobs=logprobs,
            )

    def tool_choice(self, read: Callable[[Any], ToolChoice | None]) -> ToolChoice | None:
        """`read` of the field; where that finds no common words for it, it is left."""
        found = read(self._left["tool_choice"]) if "tool_choice" in self._left else None
        if found is not None:
            self.take("tool_choice")
        return found
