"""What is read of a log: one sample after the other, each with its problem; and how its verdicts are to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from searchkit.answers.canonical import canonical
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.kinds import is_number, is_whole, told
from searchkit.logs.bounded import Advance
from searchkit.logs.fields import ROWS, FieldNames
from searchkit.types import Finish
from searchkit.wire.fields import clean

Key = Callable[[Any], Hashable | None]
LONGEST_WHY = 400  # characters of a verdict's reason


@dataclass(frozen=True)
class How:
    """How a log is read.

    - correct: which of its scores says what is right; None is the first one.
    - score: which of its scores methods go by (best@k); None is none of them.
    - threshold: from which score on a sample is right; Inspect's "C" is 1, "P" is 0.5, "I" and "N" are 0.
    - key: finds the answer in a text, in place of the answer that the log has.
    - filter: of lm-evaluation-harness, whose rows count; None is that of the first row.
    - problem: a regular expression with one group, which finds the problem's id in the log's.
    - prices: USD a million prompt and generated tokens, for samples of which the log has no price.
    - fields: of plain JSON lines, what they call things.
    """

    correct: str | None = None
    score: str | None = None
    threshold: float = 1.0
    key: Key | None = None
    filter: str | None = None
    problem: str | None = None
    prices: tuple[float, float] = (0.0, 0.0)
    fields: FieldNames = ROWS

    def __post_init__(self) -> None:
        if not is_number(self.threshold) or not math.isfinite(self.threshold):
            raise ConfigError(f"threshold is a number, got {told(self.threshold)}")
        if self.key is not None and not callable(self.key):
            raise ConfigError(f"key is a callable such as keys.boxed, got {told(self.key)}")
        if len(self.prices) != 2 or not all(is_number(p) and 0 <= p < math.inf for p in self.prices):
            raise ConfigError(
                f"prices are two numbers >= 0, USD a million prompt and generated tokens, got {told(self.prices)}"
            )


@dataclass(frozen=True, slots=True)
class Logged:
    """One sample of a log. prompt: a text or a list of messages; None if the log has none. reference: as the log has
    it."""

    problem: str
    entry: Entry
    prompt: Any = None
    reference: Any = None


@dataclass
class Notes:
    """What a reader tells besides samples, while it reads.

    - advance: called with the bytes of the file that have been read.
    - figures: what the log says of itself, such as its accuracy, by name.
    - left_out: rows that gave no sample, by the reason.
    - notes: what somebody who compares should know, by how many samples it is true of.
    - model: which model wrote the samples; "" where the log does not say.
    """

    advance: Advance = lambda _: None
    figures: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    model: str = ""


class LogForm(Protocol):
    """A module that reads one form of logs. NAME: what it is called. ABOUT: a line on what it carries over. USES: which
    settings of `How` mean something there."""

    NAME: str
    ABOUT: str
    USES: tuple[str, ...]

    def fits(self, path: Path, head: bytes) -> bool:
        """Whether the file, or the folder (then `head` is empty), is of this form, by how it begins."""
        ...

    def read(self, path: Path, how: How, told: Notes) -> Iterator[Logged]:
        """Its samples, one in memory at a time. Raises `ConfigError`, which names the row and the fix."""
        ...


@dataclass(frozen=True, slots=True)
class Graded:
    """What the log says of a sample. grade: None is unknown."""

    grade: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


def entry(
    value: Any,
    answer: Any,
    graded: Graded,
    how: How,
    *,
    tokens: tuple[int, int] = (0, 0),
    usd: float | None = None,
    finish: Finish = "stop",
) -> Entry:
    """An entry of what a log says.

    value: a text mostly. answer: what the log took for its answer, None or "" if it says none. tokens: prompt and
    generated. usd: None where the log has no price.
    """
    text = clean(value) if isinstance(value, str) else value
    key = None if finish == "length" else _key(text, answer, how)
    paid = usd if usd is not None else (tokens[0] * how.prices[0] + tokens[1] * how.prices[1]) / 1e6
    score = None if how.score is None else graded.scores.get(how.score)
    right = graded.grade is not None and graded.grade >= how.threshold
    return Entry(
        text, key, score, right, tokens[1], tokens[0], finish, paid, graded.scores, graded.grade is None,
        clean(graded.why[:LONGEST_WHY]),
    )  # fmt: skip


def failed(why: Any, tokens: tuple[int, int] = (0, 0), usd: float = 0.0) -> Entry:
    """The entry of a sample that ended in an error."""
    return Entry(None, None, None, False, tokens[1], tokens[0], "error", usd, {}, False, clean(str(why)[:LONGEST_WHY]))


def _key(value: Any, answer: Any, how: How) -> Hashable | None:
    if how.key is not None:
        return _found(how.key, value)
    if isinstance(answer, str):
        return canonical(clean(answer)) if answer.strip() else None
    return answer if isinstance(answer, (bool, int)) or (isinstance(answer, float) and math.isfinite(answer)) else None


def _found(key: Key, value: Any) -> Hashable | None:
    """What the key finds, as a file of JSON can hold it; one that raises abstains, as in a vote."""
    try:
        found = key(value)
    except Exception:  # it is code of others
        return None
    if found is None or isinstance(found, (str, bool, int)):
        return found
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return repr(found)


def count(value: Any, where: str) -> int:
    """A number of tokens; 0 where there is none."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not is_whole(value) or not 0 <= value < 2**53:
        raise ConfigError(f"{where}: tokens are a whole number >= 0, got {told(value)}: mend the row")
    return int(value)


def money(value: Any, where: str) -> float | None:
    """A price in USD; None where there is none."""
    if value is None:
        return None
    if not is_number(value) or not 0 <= value < math.inf:
        raise ConfigError(f"{where}: a cost is a number >= 0 in USD, got {told(value)}: mend the row")
    return float(value)


ENDS: Mapping[str, Finish] = {
    "length": "length", "max_tokens": "length", "model_length": "length", "tool_calls": "tool_calls",
    "tool_use": "tool_calls", "function_call": "tool_calls", "content_filter": "content_filter",
    "refusal": "content_filter",
}  # fmt: skip


def ended(reason: Any) -> Finish:
    """How a text ended, by any tool's word for it."""
    return ENDS.get(reason, "stop") if isinstance(reason, str) else "stop"
