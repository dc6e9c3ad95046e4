"""DeepConf, online: a few whole answers say how sure is sure enough; answers that fall below it are not finished."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from searchkit.answers import keys
from searchkit.confidence import least
from searchkit.errors import CapabilityError, ConfigError
from searchkit.protocols import Generator, Run, Selector
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.sampling.stopping import StoppingRule
from searchkit.strategies.selection.confident_vote import percentile
from searchkit.strategies.selection.rules import Key, Vote, ballot
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import ConfidenceFloor, Outcome, Prompt, Sample, Scored, Verdict

RIVALS = 20  # log-probabilities asked for a token where the parameters ask for none: as the authors do
AT_ONCE = 4  # later answers in flight where a rule may stop early: they are wasted then


@dataclass(frozen=True)
class DeepConfOnline(Strategy):
    """The weighted vote of up to `n` answers, which are given up as soon as the model is too unsure.

    - n: answers, at most.
    - eta: the bar is the (100 - eta)th percentile of the warm-up answers' scores: so eta percent of them reach it, 10
      and 90 being the authors' choices; at 100 there is none.
    - window: an answer's score is the mean confidence of its least sure `window` neighbouring tokens (as
      `DeepConf(window)`; one window where it is shorter).
    - warmup: so many answers are written whole. Of the others, each ends where a full window falls below the bar
      (`Params.floor`); one shorter than a window never does.
    - key: finds the answer of a sample, for the vote.
    - stop: `BetaStopping()`, `Dirichlet()` or `EarlyStopping()` ends the sampling once the votes, unweighted, are
      decided; what was given up counts as an abstention.
    - generator: what is sampled; None is the one given to `solve`.

    Answers that end by themselves vote with their score as weight, and so do the warm-up answers at or above the bar.
    Where nobody votes, the first complete answer is returned.

    Parameters without rivals (`logprobs`) are given 20. Raises `CapabilityError`, before the first call, if the
    generator's backend cannot end a text at a floor; `Embedded`, `Transformers` and `OpenAI` can.

    Cost: at most `n` generations, shorter where they are given up; no verification. With `stop` up to 3 of them are
    cancelled ones beyond the answer that decided.
    Source: DeepConf, released code (``wrapper.py``, ``processors.py``), which stops at `n` only.
    """

    ANSWER: ClassVar[AnswerRule] = "voted"

    n: int
    eta: float = 90.0
    window: int = 2048
    warmup: int = 16
    key: Key = keys.default
    stop: StoppingRule | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or self.warmup not in range(1, self.n + 1):
            raise ConfigError(f"DeepConfOnline needs whole numbers 1 <= warmup <= n, got {self.warmup} and {self.n!r}")
        if not 0 < self.eta <= 100:
            raise ConfigError(f"eta is the percentage of samples to keep, above 0 and at most 100, got {self.eta}")
        if self.window < 1:
            raise ConfigError(f"window must be >= 1 tokens, got {self.window}")
        if not callable(self.key):
            raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {self.key!r}")
        if self.stop is not None and not callable(getattr(self.stop, "decided", None)):
            raise ConfigError(
                f"stop is a rule such as BetaStopping(), Dirichlet() or EarlyStopping(), got {self.stop!r}"
            )

    def counts(self) -> tuple[int, int] | None:
        return self.n, 0

    def selector(self) -> Selector:
        return Vote(self.key, weighted=True)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        outcomes = await self._warm_up(prompt, run)
        voting, bar = self._voting(outcomes)
        votes = [self._vote(one, run) for one in voting]
        if self._decided(votes) is None and self.warmup < self.n:
            outcomes = await self._later(prompt, bar, voting, votes, run) + outcomes
        run.survivors(outcomes)  # raises if there are none: what failed last first
        deciding = self._decided(votes)
        if deciding is not None and len(voting) < self.n:
            run.stop("threshold")
        voting = voting[-(deciding or len(voting)) :]
        return voting[await choose(self.selector(), prompt, voting, run)].sample

    async def _warm_up(self, prompt: Prompt, run: Run) -> list[Outcome[Scored]]:
        async def draw(index: int, child: Run) -> Scored:
            return await self._draw(prompt, -math.inf, index, child)

        outcomes = await run.map(draw, range(self.warmup), name="warm-up")
        for outcome in outcomes:
            run.note_failure(outcome.error)
        return outcomes

    def _voting(self, outcomes: Sequence[Outcome[Scored]]) -> tuple[list[Scored], float]:
        """The first answers, unscored where they do not reach the bar; and the bar."""
        drawn = [outcome.value for outcome in outcomes if outcome.value is not None]
        scores = [one.score for one in drawn if one.score is not None]
        bar = percentile(scores, 100 - self.eta) if scores and self.eta < 100 else -math.inf
        return [one if one.score is not None and one.score >= bar else Scored(one.sample) for one in drawn], bar

    async def _later(
        self, prompt: Prompt, bar: float, voting: list[Scored], votes: list[Hashable | None], run: Run
    ) -> list[Outcome[Scored]]:
        """Draw the other answers, in order, onto `voting` and `votes`, until these are decided."""

        async def draw(index: int, child: Run) -> Scored:
            return await self._draw(prompt, bar, index, child)

        indices, outcomes = range(self.warmup, self.n), list[Outcome[Scored]]()
        window = len(indices) if self.stop is None else min(AT_ONCE, len(indices))
        async with run.stream(draw, indices, window=window, name="draw") as stream:
            async for outcome in stream:
                outcomes.append(outcome)
                run.note_failure(outcome.error)
                if outcome.value is not None:
                    voting.append(outcome.value)
                    votes.append(self._vote(outcome.value, run))
                    if self._decided(votes) is not None:
                        break
        return outcomes

    async def _draw(self, prompt: Prompt, bar: float, index: int, run: Run) -> Scored:
        """Answer number `index` with its score, given up where it falls below `bar`."""
        base = run.base_params(self.generator)
        params = replace(base, logprobs=base.logprobs or RIVALS, floor=ConfidenceFloor(self.window, bar))
        [sample] = await run.sample(self.generator, prompt, params=params, start=index)
        if sample.logprobs is None or not all(token.top for token in sample.logprobs):
            raise CapabilityError(
                "DeepConfOnline needs log-probabilities with rivals, and a sample has none: the paths of step-wise "
                "searches carry none; samples of a model do"
            )
        scored = Scored(sample, Verdict(least(sample.logprobs, self.window)))
        run.offer(sample, scored.verdict)
        return scored

    def _vote(self, one: Scored, run: Run) -> Hashable | None:
        return None if one.score is None else ballot(self.key, one.sample, run)

    def _decided(self, votes: Sequence[Hashable | None]) -> int | None:
        return None if self.stop is None else self.stop.decided(votes)
