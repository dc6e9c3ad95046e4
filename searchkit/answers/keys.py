r"""Answer keys: pure callables from a sample's value to a hashable key, or None.

Two samples have the same answer if their keys are equal; a sample whose key is None has no answer and never votes. Any
callable is a key; the ones here find the answer in a text and give it `canonical` form. Blocks of <think>...</think>
are removed first, also unclosed ones (a truncated thought) and ones whose opening tag stood in the prompt. Values that
are no text (an agent's number or dataclass) are not searched but brought into canonical form as they are.

All take linear time on any text, raise on none, pickle, and have a `repr` that is their source.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit.answers.canonical import MAX_ANSWER, canonical, rational
from searchkit.errors import ConfigError

__all__ = ["answer_is", "bare", "boxed", "default", "first_of", "hashes", "json_field", "number", "regex"]

Key = Callable[[Any], Hashable | None]

MAX_BARE = 200
"""Longest text in characters that `bare` takes for nothing but an answer."""

_THINK = re.compile(r"</?think>")
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])")
_OPENING, _TOKEN, _BRACE = re.compile(r"\s*\{"), re.compile(r"\s*([^\s{}$\\.,;]+)"), re.compile(r"\\.|[{}]", re.DOTALL)
_HASHES = re.compile(r"####([^\n]*)")
_ANSWER = re.compile(r"\banswer\b[*_ \t]*(?:is\b|[:=])[*_:]*\s*", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<!\\)[.!?](?=\s|$)")
_LAST_NUMBER = re.compile(
    r"(?:(?<![\w)}])[-+])?\$?(?:"
    r"\\[dtc]?frac\{[-+]?[0-9]+\}\{[0-9]+\}|\\[dtc]?frac[0-9][0-9]"
    r"|(?:[0-9]+ )?[0-9]+/[0-9]+"
    r"|(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?"
    r"|(?<![0-9])\.[0-9]+)"
)


def _last(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(matches, maxlen=1)), None)


def without_thoughts(text: str) -> str:
    """`text` without its <think> blocks."""
    kept: list[str] = []
    start, thinking = 0, False
    for tag in _THINK.finditer(text):
        if tag[0] == "</think>":
            if not thinking:
                kept.clear()  # the opening tag stood in the prompt: all before this was thought
            start, thinking = tag.end(), False
        elif not thinking:
            kept.append(text[start : tag.start()])
            thinking = True
    return "".join(kept) + ("" if thinking else text[start:])


class Extractor(ABC):
    """The part that all keys share: `extract` finds the answer's text, which is then brought into canonical form."""

    @abstractmethod
    def extract(self, text: str) -> Any:
        """The answer as it stands in `text`, or None."""

    def written(self, value: Any) -> Any:
        """The answer as it stands in `value`; a value that is no text is the answer itself."""
        return self.extract(without_thoughts(value)) if isinstance(value, str) else value

    def __call__(self, value: Any) -> Hashable | None:
        return canonical(self.written(value))


@dataclass(frozen=True, repr=False)
class Named(Extractor):
    """A key without parameters: its name is its `repr`, and what it is pickled as."""

    function: Callable[[str], str | None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def extract(self, text: str) -> str | None:
        return self.function(text)

    def __repr__(self) -> str:
        return self.function.__name__

    def __reduce__(self) -> str:
        return self.function.__name__


@Named
def boxed(text: str) -> str | None:
    r"""The last `\boxed{...}` or `\fbox{...}`, braces nested at will; None if it is empty or never closed."""
    command = _last(_BOX.finditer(text))
    if command is None:
        return None
    opening = _OPENING.match(text, command.end())
    if opening is None:  # TeX allows \boxed 5
        token = _TOKEN.match(text, command.end())
        return token[1] if token else None
    depth = 1
    for brace in _BRACE.finditer(text, opening.end()):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[opening.end() : brace.start()]
    return None


@Named
def hashes(text: str) -> str | None:
    """The last "#### x" (GSM8K). x is a number or ends the text, because "#### Step 2" is a Markdown heading."""
    found, end = None, len(text.rstrip())
    for match in _HASHES.finditer(text):
        line = match[1].strip()
        if line and (match.end() >= end or (len(line) <= MAX_ANSWER and rational(line.removeprefix("$")) is not None)):
            found = line
    return found


@Named
def answer_is(text: str) -> str | None:
    """What follows the last "answer is" or "answer:", to the end of the sentence or line."""
    marker = _last(_ANSWER.finditer(text))
    if marker is None:
        return None
    line = text[marker.end() :].partition("\n")[0]
    return boxed.extract(line) or _SENTENCE.split(line, maxsplit=1)[0]


@Named
def number(text: str) -> str | None:
    r"""The last number: sign, thousands commas, decimals, exponent, `3/4`, `1 3/4`, `\frac{3}{4}`.

    Crude on purpose: in "x^2" it is 2, in "10-20" it is 20. None if the number has more than `MAX_ANSWER` characters.
    """
    end = 1 + max(text.rfind(digit) for digit in "0123456789")
    start = max(0, end - MAX_ANSWER)
    last = _last(_LAST_NUMBER.finditer(text, start, end + text.startswith("}", end)))
    if last is None or (start > 0 and last.start() == start):
        return None
    return last[0]


@Named
def bare(text: str) -> str | None:
    """The whole text, if it is one line of at most `MAX_BARE` characters; None for anything longer."""
    text = text.strip()
    return text if len(text) <= MAX_BARE and "\n" not in text else None


@dataclass(frozen=True)
class JsonField(Extractor):
    """The field `name` of a mapping, of a text that is one JSON object, or where a longer text last writes it.

    None if the value there does not parse (a truncated object).
    """

    name: str

    def written(self, value: Any) -> Any:
        return value.get(self.name) if isinstance(value, Mapping) else super().written(value)

    def extract(self, text: str) -> Any:
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            return self._last(text)
        return whole.get(self.name) if isinstance(whole, dict) else None

    def _last(self, text: str) -> Any:
        quoted = json.dumps(self.name, ensure_ascii=False)
        start = text.rfind(quoted)
        colon = re.compile(r"\s*:\s*").match(text, start + len(quoted)) if start >= 0 else None
        try:
            return json.JSONDecoder().raw_decode(text, colon.end())[0] if colon else None
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Regex(Extractor):
    """The last match of `pattern`: its first group, or all of it where there is none. The pattern's cost is yours."""

    pattern: str
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "compiled", re.compile(self.pattern))
        except re.error as error:
            raise ConfigError(f"regex({self.pattern!r}): not a regular expression, {error}") from None

    def extract(self, text: str) -> str | None:
        last = _last(self.compiled.finditer(text))
        return last[min(1, self.compiled.groups)] if last else None


@dataclass(frozen=True)
class FirstOf:
    """The first of several keys that finds an answer."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys or not all(callable(key) for key in self.keys):
            raise ConfigError(f"first_of needs one or more callables, got {self.keys!r}")

    def written(self, value: Any) -> Any:
        """The answer as it stands in `value`, by the first key that finds one."""
        return next((written(key, value) for key in self.keys if key(value) is not None), None)

    def __call__(self, value: Any) -> Hashable | None:
        return next((found for key in self.keys if (found := key(value)) is not None), None)


def written(key: Key, value: Any) -> Any:
    """What `key` finds before it is brought into canonical form; of other callables, what they return."""
    return key.written(value) if isinstance(key, Extractor | FirstOf) else key(value)


def json_field(name: str) -> JsonField:
    """The key `JsonField`: a field of a JSON answer."""
    return JsonField(name)


def regex(pattern: str) -> Regex:
    """The key `Regex`: the last match of a pattern."""
    return Regex(pattern)


def first_of(*keys: Key) -> FirstOf:
    """The key `FirstOf`: the first key that finds something."""
    return FirstOf(keys)


default: FirstOf = first_of(boxed, hashes, answer_is, bare)
"""What verifiers and votes use unless told otherwise. A long text without any marker has no answer: it abstains."""
