"""Agreement with the other samples as a score: how many give the same answer, and minimum Bayes risk."""

from __future__ import annotations

import inspect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError, SearchkitError, VerifierError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.base import Together, identity, label

ALONE = Verdict(feedback="there is no other sample")
ANSWERLESS = Verdict(feedback="no answer was found")
TRUNCATED = Verdict(feedback="a truncated sample is not compared")


class Consensus(Together):
    """What they share: they judge samples together, and never look at the reference."""

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)


@dataclass(frozen=True)
class Agreement(Consensus):
    """The share of the other samples that have the same answer: 0 for an answer that nobody else gives, 1 for all.

    answer: value -> canonical answer, see `searchkit.answers.keys`. A sample without an answer (None, or the key
    raises, which is recorded) abstains and agrees with nobody, but is one of the others. Truncated samples abstain and
    are left out altogether. A sample alone abstains. The highest score, of equals the first, is the answer that a
    majority vote gives.

    Range: [0, 1]. Cost: one call of `answer` a sample, no model call. Trusts the samples: a mistake that most of them
    make has the best score.
    """

    answer: keys.Key = keys.default

    def __post_init__(self) -> None:
        if not callable(self.answer):
            raise ConfigError(f"Agreement needs an answer key such as keys.boxed, got {self.answer!r}")

    @property
    def key(self) -> str:
        return f"agreement:{identity(self.answer)}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        answers = [None if sample.truncated else answer_of(self.answer, sample, run) for sample in samples]
        sizes, others = Counter(answers), sum(not sample.truncated for sample in samples) - 1
        verdicts = [ANSWERLESS if answer is None else _share(sizes[answer] - 1, others) for answer in answers]
        return [TRUNCATED if s.truncated else verdict for s, verdict in zip(samples, verdicts, strict=True)]


def answer_of(key: keys.Key, sample: Sample[Any], run: Run) -> Hashable | None:
    """What `key` finds in a sample; None where it raises, which is recorded."""
    try:
        answer = key(sample.value)
        hash(answer)
    except Exception as error:
        run.fail(VerifierError(f"the answer key {label(key)} raised {type(error).__name__}: {error}"))
        return None
    return answer


def _share(agreeing: int, others: int) -> Verdict:
    return Verdict(agreeing / others, feedback=f"{agreeing} of {others} others agree") if others else ALONE


@dataclass(frozen=True)
class MinimumBayesRisk(Consensus):
    """The mean similarity of a sample to the others; 1 minus that is the risk in answering with it, were one right.

    similarity: `fn(a, b)` of two samples' values, any plain callable that returns a number in [0, 1]: an overlap of
    words, the distance of two numbers, agreement on tests. symmetric: `fn(a, b)` equals `fn(b, a)`, so each pair is
    compared once, the earlier sample first; if not, a sample's score is its mean `fn(sample, other)`. Truncated samples
    abstain and are left out altogether; a sample alone abstains. name: what a journal knows `fn` by; needed for
    lambdas, to be changed when `fn` changes.

    Range: [0, 1]. Cost: n * (n - 1) / 2 calls of `similarity` for n samples, twice as many if it is not symmetric, on
    the event loop; no model call. Raises `VerifierError`, naming `fn`, if it raises or returns anything else.
    """

    similarity: Callable[[Any, Any], float]
    symmetric: bool = True
    name: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.similarity) or inspect.iscoroutinefunction(self.similarity):
            raise ConfigError(
                f"MinimumBayesRisk needs a plain callable fn(a, b) that returns a number, got {self.similarity!r}"
            )

    @property
    def key(self) -> str:
        return f"minimum bayes risk:{self.name or identity(self.similarity)}:{self.symmetric}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        whole = [i for i, sample in enumerate(samples) if not sample.truncated]
        found: dict[int, list[float]] = {i: [] for i in whole}
        for i, j in itertools.combinations(whole, 2):
            a, b = samples[i].value, samples[j].value
            found[i].append(self._compare(a, b))
            found[j].append(found[i][-1] if self.symmetric else self._compare(b, a))
        return [_mean(found[i]) if i in found else TRUNCATED for i in range(len(samples))]

    def _compare(self, a: Any, b: Any) -> float:
        called = f"the similarity {self.name or label(self.similarity)}"
        try:
            value: Any = self.similarity(a, b)
        except SearchkitError:
            raise
        except Exception as error:
            raise VerifierError(f"{called} raised {type(error).__name__}: {error}") from error
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
            value = value.item()
        number = float(value) if isinstance(value, Real) else math.nan
        if not 0 <= number <= 1:
            raise VerifierError(f"{called} returned {value!r:.80}: return a number from 0 (unlike) to 1 (alike)")
        return number


def _mean(similarities: Sequence[float]) -> Verdict:
    if not similarities:
        return ALONE
    mean = math.fsum(similarities) / len(similarities)
    # a rounded mean stays between them
    return Verdict(min(max(similarities), max(min(similarities), mean)), feedback=f"mean of {len(similarities)} others")
