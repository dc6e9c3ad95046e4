"""A small world for the tests of step-wise searches: texts such as "a/c/b", three letters deep, each with a value."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit import Model, Params, Result, solve
from searchkit.calls import Request
from searchkit.environments.text_steps import TextSteps
from searchkit.protocols import Backend, Run
from searchkit.testing import StrategyTests
from searchkit.types import Problem, Prompt, Sample, Usage, Verdict

DEPTH, LETTERS = 3, "abc"
STEPS = TextSteps(separator="/")
LEAVES = ["/".join(path) for path in itertools.product(LETTERS, repeat=DEPTH)]


def worth(text: str) -> float:
    """The value of a text in [0, 1], finished or not: fixed, and different for all 27 leaves."""
    return (sum((i + 1) * 7 ** (i + 2) * ord(c) for i, c in enumerate(text)) % 997) / 997


BEST = max(LEAVES, key=worth)


@dataclass(frozen=True)
class Letters:
    """A backend that adds one letter a step, chosen by the seed; the third ends the text. Honours stop strings."""

    letters: str = LETTERS
    depth: int = DEPTH
    name: str = "letters"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str]:
        done, n = request.prompt.prefix.count("/"), len(self.letters)
        seed = request.seed if request.params.temperature else 0
        goes_on = "/" in request.params.stop and done < self.depth - 1
        tokens = 1 if goes_on else self.depth - done
        text = "/".join(self.letters[seed // n**i % n] for i in range(tokens))
        usage = Usage(model_calls=1, prompt_tokens=done + 1, generated_tokens=tokens)
        return Sample(text, stop_reason="/" if goes_on else None, usage=usage)


@dataclass(frozen=True)
class Worth:
    """The verifier that knows `worth`. `factor` rescales it; `finished` makes it abstain on unfinished texts."""

    factor: float = 1.0
    finished: bool = False
    constant: float | None = None
    key: str = "worth"
    joint: bool = False

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, max(1.0, self.factor)

    def bind(self, problem: Problem) -> Worth:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [self._judge(sample.text) for sample in samples]

    def _judge(self, text: str) -> Verdict:
        if self.finished and text.count("/") < DEPTH - 1:
            return Verdict()
        return Verdict(self.factor * worth(text) if self.constant is None else self.constant)


def letters() -> Backend:
    return Letters()


def write(strategy: Any, backend: Any = None, **options: Any) -> Result[Any]:
    """A search for three letters."""
    return asyncio.run(solve("q", strategy, generator=Model(backend or Letters()), **options))


class OnLetters(StrategyTests):
    """The laws in this world; inherit and override `strategy`."""

    prompt = "write three letters"
    params = Params(max_tokens=4)

    def backend(self) -> Backend:
        return letters()
