"""Simulated: a model whose answer distribution is known, so that a strategy can be compared with a closed form."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.types import Params, Sample, Usage

Answers = Mapping[str, float]


@dataclass(frozen=True)
class Simulated:
    """A backend that answers from a known distribution, decided by the request's seed alone.

    answers: answer -> probability (they sum to 1), or a function of the prompt's text that returns such a mapping.
    tokens: generated tokens of each answer; a smaller `max_tokens` truncates it. latency: seconds a call; with
    `jitter` each call takes a uniform factor in [1 - jitter, 1 + jitter] of it. failures: the probability that a call
    fails.
    """

    answers: Answers | Callable[[str], Answers]
    tokens: int = 10
    latency: float = 0.0
    jitter: float = 0.0
    failures: float = 0.0
    name: str = "simulated"

    def __post_init__(self) -> None:
        if not callable(self.answers):
            _check(self.answers)
        if not (0 <= self.failures <= 1 and 0 <= self.jitter <= 1 and self.latency >= 0 and self.tokens >= 0):
            raise ConfigError("Simulated needs failures and jitter in [0, 1], latency >= 0 and tokens >= 0")

    @classmethod
    def coin(cls, p: float, *, latency: float = 0.0, failures: float = 0.0) -> Simulated:
        """Answers "right" with probability `p`, else "wrong"."""
        return cls({"right": p, "wrong": 1 - p}, latency=latency, failures=failures)

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        answers = [self._answer(request) for request in requests]
        if self.latency:
            rng = random.Random(requests[0].seed ^ 0x6A17)
            await asyncio.sleep(self.latency * (1 + self.jitter * rng.uniform(-1, 1)))
        return answers

    def _answer(self, request: Request) -> Sample[str] | CallError:
        rng, prompt = random.Random(request.seed), request.prompt.text
        used = Usage(model_calls=1, prompt_tokens=len(prompt) // 4)
        if rng.random() < self.failures:
            return CallError("a simulated failure", kind="server", request=request, usage=used)
        answers = self.answers(prompt) if callable(self.answers) else self.answers
        draw, answer = rng.random(), ""
        for answer, p in answers.items():  # noqa: B007
            draw -= p
            if draw < 0:
                break
        return _sample(answer, self.tokens, request.params, used)


def _sample(answer: str, tokens: int, params: Params, used: Usage) -> Sample[str]:
    cut = params.max_tokens is not None and params.max_tokens < tokens
    made = params.max_tokens if cut and params.max_tokens is not None else tokens
    usage = Usage(model_calls=1, prompt_tokens=used.prompt_tokens, generated_tokens=made)
    return Sample(answer, finish="length" if cut else "stop", usage=usage)


def _check(answers: Answers) -> None:
    if (
        not all(value >= 0 for value in answers.values()) or not abs(sum(answers.values()) - 1) <= 1e-9
    ):  # NaN is neither
        raise ConfigError(f"the probabilities of simulated answers must be >= 0 and sum to 1, got {dict(answers)}")
