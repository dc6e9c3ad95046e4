"""Semantic entropy: into how many answers the samples fall, and so how sure the model is of any of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from searchkit.answers import keys
from searchkit.confidence import MASKED, MOST
from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.base import identity
from searchkit.verifiers.consensus.agreement import ALONE, ANSWERLESS, TRUNCATED, Consensus, answer_of

Weights = Literal["count", "mean", "sum"]


@dataclass(frozen=True)
class SemanticEntropy(Consensus):
    """exp(-H), with H the entropy of the samples' answers: 1 where all are the same, 1/k for k equally likely ones.

    H is -sum p_c ln p_c over the answer classes c, in nats; exp(H) is the number of answers in effect. All samples have
    the same score, so it chooses none of them: it says whether an answer should be given at all, and to whom a harder
    search should be given. The verdict's feedback has H.

    answer: value -> canonical answer, see `searchkit.answers.keys`; what has no answer (None, or the key raises, which
    is recorded) is a class of its own, and abstains. Truncated samples abstain and are left out. A sample alone
    abstains.
    weights: "count": p_c is the share of the samples. "sum": the share of the probability that the model gave the
    different texts of the class, each once: exact where the samples are all texts that there are. "mean": the same with
    the mean log-probability a token, as published, which makes long texts as likely as short ones. Both need
    `Params(logprobs=1)`.

    Range: [0, 1]. Cost: one call of `answer` a sample, no model call. H of few samples is too low on average: by about
    (classes - 1) / (2 n) with "count". Raises `ConfigError` where weights are wanted and a sample carries no
    log-probabilities. Source: Kuhn et al. 2023; Farquhar et al. 2024, whose released code counts a text as often as it
    was drawn, and finds classes by asking a model whether one text entails another: a key is that judgement here.

        from searchkit.strategies import BestOfN, SelfConsistency
        from searchkit.verifiers import SemanticEntropy

        BestOfN(8, SemanticEntropy())  # the first sample, and in each verdict how sure the model was
    """

    answer: keys.Key = keys.default
    weights: Weights = "count"

    def __post_init__(self) -> None:
        if not callable(self.answer):
            raise ConfigError(f"SemanticEntropy needs an answer key such as keys.boxed, got {self.answer!r}")
        if self.weights not in ("count", "mean", "sum"):
            raise ConfigError(f'weights is "count", "mean" or "sum", got {self.weights!r}')

    @property
    def key(self) -> str:
        return f"semantic entropy:{identity(self.answer)}:{self.weights}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        whole = [i for i, sample in enumerate(samples) if not sample.truncated]
        answers = {i: answer_of(self.answer, samples[i], run) for i in whole}
        classes = {i: ("none", i) if answer is None else ("answer", answer) for i, answer in answers.items()}
        masses = self._masses(samples, classes)
        if len(whole) < 2 or masses is None:
            said = ALONE if len(whole) < 2 else Verdict(feedback="nothing is known of a sample's tokens")
        else:
            h = entropy(masses)
            told = f"semantic entropy {h:.3g} nats: {len(masses)} classes of {len(whole)} samples, {math.exp(h):.3g}"
            said = Verdict(math.exp(-h), feedback=f"{told} in effect")
        return [
            TRUNCATED if i not in answers else ANSWERLESS if answers[i] is None and said is not ALONE else said
            for i in range(len(samples))
        ]

    def _masses(self, samples: Sequence[Sample[Any]], classes: Mapping[int, Hashable]) -> list[float] | None:
        """The mass of each class, up to a constant factor; None if that of a sample is not known."""
        masses = defaultdict[Hashable, float](float)
        if self.weights == "count":
            for name in classes.values():
                masses[name] += 1.0
            return list(masses.values())
        logs = {i: self._log(samples[i]) for i in classes}
        known = [log for log in logs.values() if log is not None]
        if len(known) < len(logs):
            return None
        seen, top = set[tuple[Hashable, str]](), max(known, default=0.0)  # subtracted so that not all underflow
        for i, name in classes.items():
            text, log = (name, samples[i].text), logs[i]
            masses[name] += math.exp(log - top) if text not in seen and log is not None else 0.0
            seen.add(text)
        return list(masses.values())

    def _log(self, sample: Sample[Any]) -> float | None:
        """The log-probability of a text, or its mean a token; None where that is not known."""
        if sample.logprobs is None:
            raise ConfigError(
                f'SemanticEntropy(weights="{self.weights}") needs log-probabilities, and a sample has none: generate '
                "with Params(logprobs=1)"
            )
        logs = [token.logprob for token in sample.logprobs]
        if not logs or not all(MASKED < log <= MOST for log in logs):
            return None
        return math.fsum(min(log, 0.0) for log in logs) / (len(logs) if self.weights == "mean" else 1)


def entropy(masses: Iterable[float]) -> float:
    """The entropy, in nats, of what is distributed as `masses`, which are >= 0 and not all 0.

    >>> round(entropy([1, 1, 2]), 3)
    1.04
    """
    known = [mass for mass in masses if mass > 0]
    total = math.fsum(known)
    return max(0.0, -math.fsum(mass / total * math.log(mass / total) for mass in known))
