"""Self-consistency: draw several answers, return the one that most of them agree on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.kinds import is_whole
from searchkit.mistakes import check_verifier
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.sampling.stopping import StoppingRule
from searchkit.strategies.selection.rules import Key, Vote, ballot
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Outcome, Prompt, Sample, Scored


@dataclass(frozen=True)
class SelfConsistency(Strategy):
    """Draws up to `n` samples and returns the first one of the answer class with the most votes.

    key: value -> canonical answer; None abstains. Truncated samples never vote. Ties go to the class seen first; where
    nobody votes, the first complete sample is returned. verifier: makes the vote weighted by its scores (>= 0). stop:
    `BetaStopping()`, `Dirichlet()` (Adaptive-Consistency) or `EarlyStopping()` (ESC) ends the sampling once the vote is
    decided; what is in flight then is cancelled. window: samples in flight at once; by default all, or with a stopping
    rule 4 (ESC: its own window), since what is in flight when it stops is wasted.

    Cost: at most `n` generations, and `n` verifications with a verifier. Sources of the stopping rules: the released
    code of Adaptive-Consistency (`stopping_criterias.py`) and ESC (`early_stop_gsm8k.py`).
    """

    ANSWER: ClassVar[AnswerRule] = "voted"
    INDEPENDENT: ClassVar[bool] = True

    n: int
    key: Key = keys.default
    stop: StoppingRule | None = None
    verifier: Verifier | None = None
    window: int | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.n) or self.n < 1:
            raise ConfigError(f"SelfConsistency needs a whole n >= 1, got {self.n!r}")
        if self.window is not None and self.window < 1:
            raise ConfigError(f"SelfConsistency needs window >= 1, got {self.window}")
        if not callable(self.key):
            raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {self.key!r}")
        if self.stop is not None and not callable(getattr(self.stop, "decided", None)):
            raise ConfigError(
                f"stop is a rule such as BetaStopping(), Dirichlet() or EarlyStopping(), got {self.stop!r}"
            )
        if self.verifier is not None:
            check_verifier("SelfConsistency", self.verifier)
        if self.verifier is not None and self.verifier.range[0] < 0:
            raise ConfigError(f"a weighted vote needs scores >= 0, but the verifier's range is {self.verifier.range}")

    def counts(self) -> tuple[int, int] | None:
        return self.n, self.n if self.verifier else 0

    def selector(self) -> Selector:
        return Vote(self.key, weighted=self.verifier is not None)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        samples, deciding = await self._draw(prompt, run)
        samples = samples[-deciding:]
        scored = (
            [Scored(s) for s in samples] if self.verifier is None else await run.score(self.verifier, prompt, samples)
        )
        return samples[await choose(self.selector(), prompt, scored, run)]

    async def _draw(self, prompt: Prompt, run: Run) -> tuple[list[Sample[Any]], int]:
        """The samples in index order, and how many of the latest of them decide."""
        if self.stop is None:
            samples = await run.sample(self.generator, prompt, self.n)
            return samples, len(samples)
        outcomes, votes = list[Outcome[Sample[Any]]](), list[Hashable | None]()

        async def draw(index: int, child: Run) -> Sample[Any]:
            [sample] = await child.sample(self.generator, prompt, start=index)
            return sample

        deciding = None
        window = self.window or int(getattr(self.stop, "window", min(4, self.n)))
        async with run.stream(draw, range(self.n), window=window, name="draw") as stream:
            async for outcome in stream:
                outcomes.append(outcome)
                run.note_failure(outcome.error)
                if outcome.value is None:
                    continue
                votes.append(ballot(self.key, outcome.value, run))
                if (deciding := self.stop.decided(votes)) is not None:
                    if len(votes) < self.n:
                        run.stop("threshold")
                    break
        return run.survivors(outcomes), deciding or len(votes)
