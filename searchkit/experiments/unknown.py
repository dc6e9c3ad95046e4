"""Unknown verdicts: which ones they are, what accuracy they leave open, and a sentence that says why there are any.

What the truth says of an answer is right, wrong or unknown. It is unknown where the truth abstains, where it finds no
answer to compare (`Verdict.unread`), and where it fails. A headline accuracy counts unknown ones as not right; the
bounds beside it count them as right, and leave them out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Sampled
from searchkit.markup.words import one_line
from searchkit.protocols import Verifier
from searchkit.types import Verdict
from searchkit.verifiers.reference.referenced import NO_ANSWER

LONGEST = 400  # characters of a feedback that is kept
EXAMPLE, REASON = 60, 120  # columns of what is shown
TRIED, LONGEST_TRIED = 50, 20_000  # replies that other keys are tried on, and characters of each
UNREAD = NO_ANSWER.feedback  # what verifiers with a reference say where they find nothing to compare
NOT_JUDGED = "not judged: "  # how the feedback begins where the truth failed
KEYS: tuple[keys.Extractor, ...] = (keys.default, keys.boxed, keys.hashes, keys.number)  # the surest first


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one answer: `unknown` ones are not `correct`, `feedback` says why."""

    correct: bool
    unknown: bool
    feedback: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An answer of which nobody knows whether it is right. cut: it ended because it had become too long."""

    value: Any
    feedback: str
    cut: bool


def truth(verdict: Verdict, judge: Verifier, option: str, fix: str = "take") -> Truth:
    """The verdict, as right, wrong or unknown. option: by which name the caller was given `judge`; fix: what to do.

    Raises `ConfigError` for a verdict that has a score and does not say passed or failed: it cannot be the truth.
    """
    if verdict.passed is None and verdict.value is not None:
        raise ConfigError(
            f"{option}={one_line(repr(judge), 200)} gives a score but does not say what is right: {fix} a verifier "
            "that passes or fails, such as Exact(); AllOf((verifier,)) passes what scores above the middle of its range"
        )
    unknown = verdict.passed is None or (verdict.unread and not verdict.passed)
    said = verdict.feedback[:LONGEST].encode("utf-8", "backslashreplace").decode()
    return Truth(verdict.passed is True, unknown, said)


def among_known(right: int, unknown: int, of: int) -> float:
    """Of `of` answers, the share of right ones among those that are not unknown; NaN if all are."""
    return right / (of - unknown) if of > unknown else math.nan


def of_pool(pool: Sampled) -> str:
    """The diagnosis of all samples of a pool."""
    entries = [entry for column in pool.entries.values() for entry in column]
    return diagnosis((Unknown(e.value, e.feedback, e.finish == "length") for e in entries if e.unknown), len(entries))


def diagnosis(unknown: Iterable[Unknown], of: int) -> str:
    """Sentences on what is unknown among `of` replies, and what may help; "" if all is known.

    Texts of models in it stand on one line, escaped and cut. Cost: a few keys are tried on at most 50 replies.
    """
    unread, others = list[Unknown](), list[Unknown]()
    for one in unknown:
        (unread if one.feedback == UNREAD else others).append(one)
    return ". ".join(filter(None, ("; ".join(_unread(unread, of)), _others(others, of))))


def _unread(unread: Sequence[Unknown], of: int) -> Iterable[str]:
    if not unread:
        return
    cut = sum(one.cut for one in unread)
    whole = [one for one in unread if not one.cut and not _blank(one)]
    empty = sum(not one.cut and _blank(one) for one in unread)
    example = f", for example {_example((whole or unread)[0])}" if empty < len(unread) else ""
    yield f"no answer could be read in {len(unread):,} of {of:,} replies{example}"
    if cut:
        yield f"{cut:,} of them were cut off: raise max_tokens"
    if empty:
        yield f"{empty:,} of them are empty"
    if whole:
        yield _advice([one.value for one in whole[:TRIED]])


def _others(others: Sequence[Unknown], of: int) -> str:
    if not others:
        return ""
    why, times = Counter(one.feedback for one in others).most_common(1)[0]
    first = next(one for one in others if one.feedback == why)
    often = "" if times == len(others) else f" ({times:,} times)"
    reason = one_line(why, REASON) or "the truth abstains without a reason"
    return f"{len(others):,} of {of:,} verdicts are unknown, for example on {_example(first)}: {reason}{often}"


def _blank(one: Unknown) -> bool:
    return one.value is None or (isinstance(one.value, str) and not one.value.strip())


def _example(one: Unknown) -> str:
    """The end of the reply, where an answer would stand."""
    text = one.value if isinstance(one.value, str) else repr(one.value)
    text = text.strip()
    shown = one_line(text[-EXAMPLE:], EXAMPLE)
    return f"'{'…' if len(text) > EXAMPLE else ''}{shown}'"


def _advice(values: Sequence[Any]) -> str:
    """The surest key that reads more than half of these replies."""
    tried = [value for value in values if not isinstance(value, str) or len(value) <= LONGEST_TRIED]
    for key in KEYS:
        if 2 * sum(key(value) is not None for value in tried) > len(tried):
            return f"try MathEqual({'' if key is keys.default else key})"
    return "have the prompt ask for \\boxed{...}, or give a key of your own: MathEqual(key)"
