"""Unknown verdicts: which ones they are, what accuracy they leave open, and a sentence that says why there are any.

What the truth says of an answer is right, wrong or unknown. It is unknown where the truth abstains, where it finds no
answer to compare (`Verdict.unread`), and where it fails. A headline accuracy counts unknown ones as not right; the
bounds beside it count them as right, and leave them out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Sampled
from searchkit.markup.words import one_line
from searchkit.protocols import Verifier
from searchkit.types import Sample, Verdict
from searchkit.verifiers.reference.referenced import NO_ANSWER

LONGEST = 400  # characters of a feedback that is kept
EXAMPLE, REASON = 60, 120  # columns of what is shown
TRIED, LONGEST_TRIED = 50, 20_000  # replies that other keys are tried on, and characters of each
UNREAD = NO_ANSWER.feedback  # what verifiers with a reference say where they find nothing to compare
NOT_JUDGED = "not judged: "  # how the feedback begins where the truth failed
NO_VALUE = "[a reply without a value, its end:] "  # what follows in a feedback is the end of the reply
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

    @property
    def why(self) -> str:
        """What the truth said."""
        return self.feedback.partition(NO_VALUE)[0].rstrip()

    @property
    def reply(self) -> str:
        """How the reply ends, where it has no value; else ""."""
        return self.feedback.partition(NO_VALUE)[2]

    @property
    def text(self) -> str:
        """The reply as a text, or as much of it as is known."""
        if _blank(self.value):
            return self.reply.strip()
        return (self.value if isinstance(self.value, str) else repr(self.value)).strip()


def truth(
    verdict: Verdict, judge: Verifier, option: str, fix: str = "take", sample: Sample[Any] | None = None
) -> Truth:
    """The verdict, as right, wrong or unknown.

    option: by which name the caller was given `judge`. fix: what to do. sample: what was judged; where its value is
    empty and its message is not, the feedback of an unknown verdict tells how the reply ends.

    Raises `ConfigError` for a verdict that has a score and does not say passed or failed: it cannot be the truth.
    """
    if verdict.passed is None and verdict.value is not None:
        raise ConfigError(
            f"{option}={called(judge)} gives a score but does not say what is right: {fix} a verifier "
            "that passes or fails, such as Exact(); AllOf((verifier,)) passes what scores above the middle of its range"
        )
    unknown = verdict.passed is None or (verdict.unread and not verdict.passed)
    said, reply = verdict.feedback[:LONGEST], _reply(sample) if unknown and sample is not None else ""
    if reply:
        told = f"{NO_VALUE}{reply[-EXAMPLE:]}"
        said = f"{said[: LONGEST - len(told) - 1]} {told}".lstrip()
    return Truth(verdict.passed is True, unknown, said.encode("utf-8", "backslashreplace").decode())


def called(judge: Verifier) -> str:
    """A verifier by its class, and by its name if it has one: its `repr` may be long, and show addresses."""
    name = getattr(judge, "name", None)
    return f"{type(judge).__name__}({f'name={one_line(name, 60)!r}' if isinstance(name, str) and name else '...'})"


def _reply(sample: Sample[Any]) -> str:
    """What was said by a sample whose value is empty, as that of a program that failed (`ProgramAnswer`)."""
    return sample.message.text.strip() if _blank(sample.value) and sample.message is not None else ""


def among_known(right: int, unknown: int, of: int) -> float:
    """Of `of` answers, the share of right ones among those that are not unknown; NaN if all are."""
    return right / (of - unknown) if of > unknown else math.nan


def of_pool(pool: Sampled) -> str:
    """The diagnosis of all samples of a pool."""
    entries = [entry for column in pool.entries.values() for entry in column]
    unknown = [entry for entry in entries if entry.unknown]
    keyless = any(entry.key is None and entry.finish != "length" for entry in unknown)
    said = (Unknown(entry.value, entry.feedback, entry.finish == "length") for entry in unknown)
    return diagnosis(said, len(entries), votes=("no key",) if keyless else (), voters="draw, for votes")


def diagnosis(
    unknown: Iterable[Unknown], of: int, *, votes: Collection[str] = (), voters: str = "strategies that vote"
) -> str:
    """Sentences on what is unknown among `of` replies, and what may help; "" if all is known.

    votes: the names of the keys by which these replies vote; where one is another than what reads them, `voters` should
    be given the same key as the truth. Texts of models in it stand on one line, escaped and cut. Cost: a few keys are
    tried on at most 50 replies.
    """
    unread, others = list[Unknown](), list[Unknown]()
    for one in unknown:
        (unread if one.why == UNREAD else others).append(one)
    return ". ".join(filter(None, ("; ".join(_unread(unread, of, votes, voters)), _others(others, of))))


def _unread(unread: Sequence[Unknown], of: int, votes: Collection[str], voters: str) -> Iterable[str]:
    if not unread:
        return
    cut = sum(one.cut for one in unread)
    whole = [one for one in unread if not one.cut and not _blank(one.value)]
    unvalued = [one for one in unread if not one.cut and _blank(one.value) and one.reply]
    empty = len(unread) - cut - len(whole) - len(unvalued)
    shown = next((one for one in (*whole, *unread) if one.text), None)
    yield f"no answer could be read in {len(unread):,} of {of:,} replies" + _such_as(shown)
    if cut:
        yield f"{cut:,} of them were cut off: raise max_tokens"
    if unvalued:
        example = "" if shown is unvalued[0] else _such_as(unvalued[0])
        yield f"{len(unvalued):,} of them have a reply without a value, as a program that failed leaves it{example}"
    if empty:
        yield f"{empty:,} of them are empty"
    if whole:
        yield _advice([one.value for one in whole[:TRIED]], votes, voters)


def _others(others: Sequence[Unknown], of: int) -> str:
    if not others:
        return ""
    why, times = Counter(one.why for one in others).most_common(1)[0]
    first = next(one for one in others if one.why == why)
    often = "" if times == len(others) else f" ({times:,} times)"
    reason = one_line(why, REASON) or "the truth abstains without a reason"
    kind = " a reply without a value," if _blank(first.value) and first.reply else ""
    return f"{len(others):,} of {of:,} verdicts are unknown, for example on{kind} {_example(first)}: {reason}{often}"


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _such_as(one: Unknown | None) -> str:
    return "" if one is None else f", for example {_example(one)}"


def _example(one: Unknown) -> str:
    """The end of the reply, where an answer would stand."""
    shown = one_line(one.text[-EXAMPLE:], EXAMPLE)
    return f"'{'…' if len(one.text) > EXAMPLE else ''}{shown}'"


def _advice(values: Sequence[Any], votes: Collection[str], voters: str) -> str:
    """The surest key that reads more than half of these replies."""
    tried = [value for value in values if not isinstance(value, str) or len(value) <= LONGEST_TRIED]
    for key in KEYS:
        if 2 * sum(key(value) is not None for value in tried) > len(tried):
            name = "default" if key is keys.default else repr(key)
            also = f", and give the same key to {voters} (key=keys.{name})" if set(votes) - {repr(key)} else ""
            return f"try MathEqual({'' if key is keys.default else key}){also}"
    also = f", and the same to {voters} (key=key)" if votes else ""
    return f"have the prompt ask for \\boxed{{...}}, or give a key of your own: MathEqual(key){also}"
