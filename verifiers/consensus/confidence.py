"""Scores from the log-probabilities that a sample carries: how sure the model was of its own text. No call is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, Literal

from searchkit.confidence import MASKED, MOST, confidence, known
from searchkit.errors import ConfigError, VerifierError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Token, Verdict
from searchkit.verifiers.base import Independent

_EPSILON = 2.0**-52


class Confidence(Independent):
    """What the scores below share: a number made of a sample's tokens, of which there is at least one.

    Tokens, and rivals of a token, of which nothing is known are left out: those that a server masked (-inf, -9999 and
    the like), and those for which it gave no number.
    """

    rivals: ClassVar[bool] = True  # whether each token's best rivals are needed, or its own log-probability alone

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample[Any]) -> Verdict:
        tokens, asked = sample.logprobs, "logprobs=20" if self.rivals else "logprobs=1"
        if tokens is None:
            raise ConfigError(
                f"{type(self).__name__} needs log-probabilities, and a sample has none: generate with "
                f"Params({asked}). The paths of step-wise searches carry none; samples of a model do"
            )
        if not tokens:
            return Verdict(feedback="a sample without tokens")
        if self.rivals and not any(token.top for token in tokens):
            raise ConfigError(f"{type(self).__name__} needs each token's best rivals: generate with Params({asked})")
        found = self.score(tokens)
        return Verdict(feedback="nothing is known of its tokens") if found is None else Verdict(found)

    def score(self, tokens: Sequence[Token]) -> float | None:
        """The score of a text with these tokens; None if too little is known of them."""
        raise NotImplementedError


@dataclass(frozen=True)
class LogProb(Confidence):
    """The log-probability (nats, of the distribution before temperature) that the model gave the sample's tokens.

    mode: "mean" a token, "sum", which is log p(text | prompt), or "min", the least likely token's. Sums favour short
    texts; their argmax over samples is the likeliest text: the model sharpened by itself as verifier. probability: exp
    of it, within [0, 1], for what needs finite scores >= 0; a sum then is 0 for any text of more than a few hundred
    unlikely tokens.

    Range: (-inf, 0]. Every token in `Sample.logprobs` counts, the end token included; where one has no number, or one
    that no model gives (-9999, or more than 1), the text has no score. Cost: no model call. Raises `ConfigError` where
    a sample carries no log-probabilities.
    """

    mode: Literal["mean", "sum", "min"] = "mean"
    probability: bool = False

    rivals: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.mode not in ("mean", "sum", "min"):
            raise ConfigError(f'mode is "mean", "sum" or "min", got {self.mode!r}')

    @property
    def key(self) -> str:
        return f"logprob:{self.mode}:{self.probability}"

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.probability else (-math.inf, 0.0)

    def score(self, tokens: Sequence[Token]) -> float | None:
        if not all(MASKED < token.logprob <= MOST for token in tokens):
            return None  # of a text that has such a token nobody knows how likely it was
        logs = [min(token.logprob, 0.0) for token in tokens]  # servers round to a little above 0
        match self.mode:
            case "mean":
                found = math.fsum(logs) / len(logs)
            case "sum":
                found = math.fsum(logs)
            case "min":
                found = min(logs)
        return math.exp(found) if self.probability else found


@dataclass(frozen=True)
class SelfCertainty(Confidence):
    """How far the model's distributions are from uniform: the mean over the tokens of KL(U || p), in nats.

    KL(U || p) = -(1/V) * sum over the V tokens v of log(V * p_v) (Self-Certainty, released code). vocabulary: V.
    Servers list only the k likeliest tokens: what is left of the probability is taken to be spread evenly over the
    other V - k, which gives the least divergence that fits the list. The score is exact where all V are listed, as the
    embedded model can (`Params(logprobs=V)`), and a lower bound otherwise; compare only samples with the same k.

    Range: [0, inf), higher is surer. Cost: no model call. Raises `ConfigError` where a sample carries no rivals.
    """

    vocabulary: int

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def __post_init__(self) -> None:
        if not isinstance(self.vocabulary, int) or self.vocabulary < 2:
            raise ConfigError(f"vocabulary is the model's number of tokens, >= 2, got {self.vocabulary!r}")

    @property
    def key(self) -> str:
        return f"self-certainty:{self.vocabulary}"

    def score(self, tokens: Sequence[Token]) -> float | None:
        told = [logs for token in tokens if (logs := known(log for _, log in token.top))]
        return max(0.0, math.fsum(map(self._divergence, told)) / len(told)) if told else None

    def _divergence(self, listed: Sequence[float]) -> float:
        size = self.vocabulary
        others = size - len(listed)
        if others < 0:
            raise VerifierError(f"a token has {len(listed)} rivals and vocabulary={size}: pass the model's own size")
        total = math.fsum(listed)
        if others:
            left = max(1.0 - math.fsum(map(math.exp, listed)), _EPSILON)
            total += others * math.log(left / others)
        return -total / size - math.log(size)


@dataclass(frozen=True)
class DeepConf(Confidence):
    """The confidence of a trace where it is least sure (DeepConf, released code).

    A token's confidence is the mean of -log p over the rivals that are listed for it (20 in the release: generate with
    `Params(logprobs=20)`, and compare only samples with the same number); a group's is the mean over `window`
    neighbouring tokens. mode: "min", the least group's; "mean", over all tokens; "tail", over the last `window` tokens;
    "bottom", the mean of the least tenth of all groups. A shorter trace is one group.

    Range: [0, inf), higher is surer. Cost: no model call, time linear in the tokens. Raises `ConfigError` where a
    sample carries no rivals.
    """

    window: int = 2048
    mode: Literal["min", "mean", "tail", "bottom"] = "min"

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, math.inf)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ConfigError(f"window must be >= 1 tokens, got {self.window}")
        if self.mode not in _SUMMARIES:
            raise ConfigError(f'mode is "min", "mean", "tail" or "bottom", got {self.mode!r}')

    @property
    def key(self) -> str:
        return f"deepconf:{self.window}:{self.mode}"

    def score(self, tokens: Sequence[Token]) -> float | None:
        found = [confidence([log for _, log in token.top]) for token in tokens]
        sure = [one for one in found if one is not None]
        return None if not sure else max(0.0, _SUMMARIES[self.mode](sure, min(self.window, len(sure))))


def _groups(sure: Sequence[float], window: int) -> list[float]:
    """The mean of each `window` neighbours."""
    sums = [0.0, *accumulate(sure)]
    return [(sums[end] - sums[end - window]) / window for end in range(window, len(sums))]


def _bottom(sure: Sequence[float], window: int) -> float:
    groups = sorted(_groups(sure, window))
    least = groups[: max(1, len(groups) // 10)]
    return math.fsum(least) / len(least)


_SUMMARIES: Mapping[str, Callable[[Sequence[float], int], float]] = {
    "min": lambda sure, window: min(_groups(sure, window)),
    "mean": lambda sure, window: math.fsum(sure) / len(sure),
    "tail": lambda sure, window: math.fsum(sure[-window:]) / window,
    "bottom": _bottom,
}
