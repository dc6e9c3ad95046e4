"""Reward models as verifiers: of each step of an answer, and of the whole."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from searchkit.errors import ConfigError, VerifierError
from searchkit.protocols import Backend, Run, Scale
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.base import Independent
from searchkit.verifiers.reward_models.reading import identity_of, read, reward_model

Aggregate = Literal["last", "min", "prod", "mean"]
_BREAK, _EMPTY = r"(?>\r\n|\r|\n)", r"[^\S\r\n]*"
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "prod": math.prod,
    "mean": lambda scores: math.fsum(scores) / len(scores),
}


@dataclass(frozen=True)
class ProcessReward(Independent):
    """Scores every step of a sample (`Verdict.step_scores`), and the sample by one number made of them.

    model: a backend such as `Pooling`, or a callable `fn(prompt, steps)`, sync or async, that is given the `Prompt` and
    the list of the steps' texts and returns one number a step. aggregate: "last", "min", "prod" (of scores within
    [0, 1]) or "mean". Snell et al. 2024 found the last best between whole answers, for a model trained on the chance of
    success from each step. separator: where a text that carries no steps of its own is cut; each step ends with it; a
    line break in it stands for those of any system, and a line with nothing but blanks is an empty one. range: of the
    scores. name: what a journal knows a callable by; needed for lambdas, to be changed with the callable.

    A whole path is read in one call, and once a search: a text that was read costs no second call. A callable that
    also takes `known` (`fn(prompt, steps, known)`: the scores of the first steps) returns those of the steps after them
    alone; the scores of every beginning are kept for it, so that a growing path pays for what is new. A sync callable
    is called on the event loop: make a slow one async. A sample without text has no steps: it abstains.

    Cost: one model call a sample. A text that is found in the search's memory is charged like any other, because what a
    budget allows must not depend on which call was faster, but not paid. Raises `VerifierError` if there is not one
    score a step, or one is outside the range, `CallError` if the model fails.
    """

    model: Backend | Callable[..., Any]
    aggregate: Aggregate = "last"
    separator: str = "\n\n"
    range: tuple[float, float] = (0.0, 1.0)
    name: str | None = None

    def __post_init__(self) -> None:
        if self.aggregate not in _AGGREGATES:
            raise ConfigError(f'aggregate is "last", "min", "prod" or "mean", got {self.aggregate!r}')
        if not self.separator:
            raise ConfigError('ProcessReward needs a separator between steps, such as "\\n\\n"')
        low, high = _checked(self.range)
        if self.aggregate == "prod" and not 0 <= low < high <= 1:
            raise ConfigError(f'aggregate="prod" needs scores in [0, 1], but the range is {self.range}')
        reward_model(self.model, self.name, "steps")

    @property
    def scale(self) -> Scale:
        """The chance of a right answer, where scores lie in [0, 1]."""
        return "chance" if tuple(self.range) == (0.0, 1.0) else "quality"

    @property
    def calls(self) -> int:
        return 1

    @property
    def key(self) -> str:
        model = identity_of(self.model, self.name)
        return f"process:{model}:{self.aggregate}:{self.separator!r}:{self.range}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [await self._judge(prompt, sample, run) for sample in samples]

    async def _judge(self, prompt: Prompt, sample: Sample[Any], run: Run) -> Verdict:
        steps = _steps(sample, self.separator)
        if not steps:
            return Verdict(feedback="an empty text has no steps")
        model = reward_model(self.model, self.name, "steps")
        rows = await read(self, model, prompt, steps, run)
        if len(rows) != len(steps):
            raise VerifierError(
                f"the reward model {model.name} returned {len(rows)} rows for {len(steps)} steps: it must give one for "
                "each, and a step must not contain what marks the end of one"
            )
        for row in rows:
            _within(row, self.range, model.name)
        return Verdict(_AGGREGATES[self.aggregate](rows), step_scores=tuple(rows))


@dataclass(frozen=True)
class OutcomeReward(Independent):
    """Scores a whole sample by one number.

    model: a backend such as `Pooling`, or a callable `fn(prompt, text)`, sync or async, that returns a number. range:
    of its numbers; by default anything, since most reward models give logits. sigmoid: the score is 1 / (1 + exp(-r)),
    within [0, 1], for what needs finite or non-negative scores: a weighted vote, a tree policy. It changes no order.
    name: what a journal knows a callable by; needed for lambdas, to be changed with the callable.

    Cost: one model call a sample; the same text is read once a search, see `ProcessReward`. Raises `VerifierError` if
    there is not one number, or it is outside the range, `CallError` if the model fails.
    """

    model: Backend | Callable[..., Any]
    range: tuple[float, float] = (-math.inf, math.inf)
    sigmoid: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        if self.sigmoid and self.range not in ((-math.inf, math.inf), (0.0, 1.0)):
            raise ConfigError("with sigmoid=True the range is [0, 1]: leave range= out")
        if self.sigmoid:
            object.__setattr__(self, "range", (0.0, 1.0))
        _checked(self.range)
        reward_model(self.model, self.name, "whole")

    @property
    def scale(self) -> Scale:
        """The chance of a right answer, where scores lie in [0, 1]."""
        return "chance" if tuple(self.range) == (0.0, 1.0) else "quality"

    @property
    def calls(self) -> int:
        return 1

    @property
    def key(self) -> str:
        return f"outcome:{identity_of(self.model, self.name)}:{self.sigmoid}:{self.range}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [Verdict(await self._score(prompt, sample.text, run)) for sample in samples]

    async def _score(self, prompt: Prompt, text: str, run: Run) -> float:
        model = reward_model(self.model, self.name, "whole")
        rows = await read(self, model, prompt, [text], run)
        if len(rows) != 1:
            raise VerifierError(
                f"the reward model {model.name} returned {len(rows)} rows for one text: use ProcessReward for a model "
                "that scores steps"
            )
        return _sigmoid(rows[0]) if self.sigmoid else _within(rows[0], self.range, model.name)


def _steps(sample: Sample[Any], separator: str) -> list[str]:
    """The texts of the sample's steps, all of its text together."""
    text = sample.text
    if not sample.step_spans:
        return _cut(text, separator)
    # From cut to cut, because what stands before the first step or after the last is part of the answer too.
    cuts = [0, *(step.end for step in sample.step_spans[:-1]), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _cut(text: str, separator: str) -> list[str]:
    """`text` after each separator; a part that is blank belongs to the step before it."""
    steps, start = list[str](), 0
    for end in [*(found.end() for found in _border(separator).finditer(text)), len(text)]:
        part, start = text[start:end], end
        if steps and not (part.strip() and steps[-1].strip()):
            steps[-1] += part
        else:
            steps.append(part)
    return [step for step in steps if step.strip()]


@cache
def _border(separator: str) -> re.Pattern[str]:
    """A separator as texts have it: line breaks of any system, and blanks in a line that is empty to the eye."""
    literal = re.escape(separator.replace("\r\n", "\n"))
    return re.compile(re.sub(r"(?:\\\n)+", lambda found: _EMPTY.join([_BREAK] * (len(found[0]) // 2)), literal))


def _checked(range: tuple[float, float]) -> tuple[float, float]:
    low, high = range
    if not low < high:
        raise ConfigError(f"range={range}: the first number must be less than the second")
    return low, high


def _within(score: float, range: tuple[float, float], name: str) -> float:
    low, high = range
    if not low <= score <= high:
        raise VerifierError(
            f"the reward model {name} gave the score {score}, outside the range {low} to {high}: declare the right one "
            "with range=(low, high)"
        )
    return score


def _sigmoid(r: float) -> float:
    """1 / (1 + exp(-r)) without overflow."""
    return 1 / (1 + math.exp(-r)) if r >= 0 else math.exp(r) / (1 + math.exp(r))
