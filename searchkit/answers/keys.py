r"""Answer keys: pure callables from a sample's value to a hashable key, or None.

Two samples have the same answer if their keys are equal; a sample whose key is None has no answer and never votes. Any
callable is a key; the ones here find the answer in a text and give it `canonical` form. Thoughts are removed first,
also unclosed ones (cut off) and ones whose opening tag stood in the prompt, and so is what stands behind an end token
or runs on with another question. Values that are no text (an agent's number or dataclass) are not searched but brought
into canonical form as they are. Where in a text the answer stands is decided in `ladder.py`.

All take linear time on any text, raise on none, pickle, and have a `repr` that is their source.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.answers import ladder as rungs
from searchkit.answers.canonical import MAX_ANSWER
from searchkit.answers.choices import choice
from searchkit.answers.extractor import Extractor, Key
from searchkit.answers.retractions import retracted
from searchkit.errors import ConfigError

__all__ = [
    "Extractor", "FirstOf", "Key",
    "answer_is", "bare", "boxed", "choice", "default", "first_of", "hashes", "json_field", "ladder", "number", "regex",
]  # fmt: skip

MAX_BARE = 200
"""Longest text in characters that `bare` takes for nothing but an answer."""

_FENCED = re.compile(r"```[a-z]{0,10}\n([^\n`]*)\n```")
_LAST_NUMBER = re.compile(
    r"(?:(?<![\w)}])[-+])?\$?(?:"
    r"\\[dtc]?frac\{[-+]?[0-9]+\}\{[0-9]+\}|\\[dtc]?frac[0-9][0-9]"
    r"|(?:[0-9]+ )?[0-9]+/[0-9]+"
    r"|(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?"
    r"|(?<![0-9])\.[0-9]+)"
)


def _last(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(matches, maxlen=1)), None)


@dataclass(frozen=True, repr=False)
class Named(Extractor):
    """A key without parameters: its name is its `repr`, and what it is pickled as."""

    function: Callable[[str], rungs.Found]

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def extract(self, text: str) -> rungs.Found:
        return self.function(text)

    def __repr__(self) -> str:
        return self.function.__name__

    def __reduce__(self) -> str:
        return self.function.__name__


@Named
def boxed(text: str) -> rungs.Found:
    r"""The `\\boxed{...}` or `\\fbox{...}`, several as one answer unless they are equal; None if it is never closed."""
    return rungs.boxed(text)


@Named
def hashes(text: str) -> rungs.Found:
    """The last "#### x" (GSM8K). x is a number or ends the text, because "#### Step 2" is a Markdown heading."""
    return rungs.hashed(text)


@Named
def answer_is(text: str) -> rungs.Found:
    """What follows the last "answer is", "Answer:" or heading that is no talk, to the end of the sentence or line."""
    return rungs.marked(text)


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
    """The whole text, if it is one line of at most `MAX_BARE` characters that takes nothing back; else None."""
    text = text.strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1]
    return text if len(text) <= MAX_BARE and "\n" not in text and not retracted(text, 1) else None


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
class Ladder(Extractor):
    """What a reply marks as its answer, in whichever way (`ladder.py`); else what `otherwise` finds.

    markers: words of your own that stand before an answer, beside those that are known. otherwise: the key for texts
    that mark nothing.
    """

    markers: tuple[str, ...] = ()
    otherwise: Extractor = bare

    def extract(self, text: str) -> Any:
        found = rungs.find(text, self.markers)
        return self.otherwise.extract(text) if found is None or found == "" else found


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


def ladder(markers: Sequence[str] = (), otherwise: Extractor = bare) -> Ladder:
    """The key `Ladder`: `default` with markers of your own, or with another key for texts that mark nothing."""
    if isinstance(markers, str) or not all(isinstance(word, str) and word.strip() for word in markers):
        raise ConfigError(f'ladder(markers=...) takes a list of words such as ["Risposta:"], got {markers!r:.80}')
    if not isinstance(otherwise, Extractor):
        raise ConfigError(f"ladder(otherwise=...) takes a key such as keys.number, got {otherwise!r:.80}")
    return Ladder(tuple(markers), otherwise)


default: Ladder = ladder()
"""What verifiers and votes use unless told otherwise. A long text without any marker has no answer: it abstains."""
