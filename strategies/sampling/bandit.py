"""Bandit: several generators, and each sample is drawn from the one that looks best by now."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.kinds import is_number, is_whole
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.sources import Sources, check_rewards, reward_of, sources_of
from searchkit.strategies.common.thompson import Arm, Prior, prior_of, thompson
from searchkit.strategies.sampling.best_of_n import drawn
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import Strategy
from searchkit.types import Outcome, Prompt, Sample, Scored

Rule = Literal["thompson", "ucb1", "epsilon"]
Brought = tuple[int, float, float]  # rewards, their sum, the sum of their squares


@dataclass(frozen=True)
class Bandit(Strategy):
    """Draws `pulls` samples of the prompt, each from one of `generators`, and returns the one that `select` chooses.

    - generators: the arms: models of different price, or strategies; None among them stands for `generator`.
    - verifier: scores each sample. The reward of a pull is the score, rescaled from the verifier's range to [0, 1];
      what brings no score (a failed call, a failed or abstaining verifier) counts as 0, else an arm that never answers
      would stay unknown for ever.
    - pulls: samples, at most.
    - rule: "thompson" draws each arm's mean reward from its posterior under `prior` and takes the greatest: the
      default, since it has nothing to tune and spreads by itself where pulls are in flight. "ucb1":
      mean + sqrt(2 ln N / n), arms not yet pulled first; the constant is that of the released code of treequest; it
      uses no random numbers. "epsilon": every arm once, then the best mean with probability 1 - `epsilon`, else any
      arm, all alike; the plain baseline, whose regret grows linearly.
    - prior: "beta", "gaussian", or one with constants of your own.
    - epsilon: how often any arm is pulled; the default, 0.1, is ours.
    - in_flight: pulls at once; pull j knows the outcomes 0 ... j - in_flight, whatever the latencies.
    - threshold: stop as soon as a score is that high.
    - select: chooses among the samples.
    - generator: what None among `generators` stands for; None is the one given to `solve`.
    - before: what each arm has brought already, as (rewards, their sum, the sum of their squares): a posterior to begin
      with. `solve_many(memory=...)` fills it in where its strategy is a Bandit (not a part of one): the rewards of each
      problem go into the notes (`Note.arms`), also where no text is written, and posteriors carry over.

    N and n count pulls in flight too; an arm from which nothing has come back yet counts as 1/2. Ties go to the first.
    In the trace what generator i did lies under spans named "generator i".

    Cost: at most `pulls` samples and `pulls` verifications.
    """

    generators: Sequence[Generator | None]
    verifier: Verifier
    pulls: int
    rule: Rule = "thompson"
    prior: Prior = "beta"
    epsilon: float = 0.1
    in_flight: int = 1
    threshold: float | None = None
    select: Selector = Argmax()
    generator: Generator | None = None
    before: Sequence[Brought] = ()
    told: list[Brought] | None = field(
        default=None, init=False, compare=False, repr=False
    )  # where the rewards go in the end

    def __post_init__(self) -> None:
        object.__setattr__(self, "generators", tuple(self.generators))
        object.__setattr__(self, "before", tuple(map(tuple, self.before)))
        if not self.generators:
            raise ConfigError("Bandit needs generators to choose from: a list of models or strategies")
        check_counts(self, pulls=1, in_flight=1)
        if self.rule not in ("thompson", "ucb1", "epsilon"):
            raise ConfigError(f'rule is "thompson", "ucb1" or "epsilon", got {self.rule!r}')
        if not 0 <= self.epsilon <= 1:
            raise ConfigError(f"epsilon is a probability, got {self.epsilon}")
        prior_of(self.prior, "mean")
        check_rewards("Bandit", self.verifier, self.threshold)
        sources_of(self.generators, self.generator)
        if self.before and (len(self.before) != len(self.generators) or not all(map(_is_brought, self.before))):
            raise ConfigError(
                f"before has (rewards, their sum, the sum of their squares) of each of {len(self.generators)} arms, "
                f"with rewards in [0, 1], got {self.before!r:.80}"
            )

    def taught(self, brought: Sequence[Sequence[Brought]]) -> tuple[Bandit, list[Brought]]:
        """The same strategy after what its arms brought on other problems, and where it will write what they bring.

        What was brought by another number of arms is not ours, and does not count.
        """
        known = [one for one in brought if len(one) == len(self.generators)]
        sums = [
            tuple(map(sum, zip(*arm, strict=True)))
            for arm in zip(*(known + [self.before] * bool(self.before)), strict=True)
        ]
        taught = replace(self, before=sums)  # type: ignore[arg-type]  # whole, and two numbers
        object.__setattr__(taught, "told", written := list[Brought]())
        return taught, written

    def counts(self) -> tuple[int, int] | None:
        return self.pulls, self.pulls

    def sources(self) -> Sources:
        return sources_of(self.generators, self.generator)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        sources = self.sources()
        arms = [Arm(*one) for one in self.before] or [Arm() for _ in sources]
        before, started = [(arm.n, arm.total, arm.squares) for arm in arms], [arm.n for arm in arms]
        outcomes, under_way, spent = list[Outcome[Scored]](), deque[int](), False

        def pulls() -> Iterator[tuple[int, int]]:
            """(arm, which of its samples), asked for just when the pull is to start."""
            while not spent:
                arm = self.choose(arms, started, run.rng)
                under_way.append(arm)
                started[arm] += 1
                yield arm, started[arm] - 1 - before[arm][0]

        async def pull(item: tuple[int, int], child: Run) -> Scored:
            arm, index = item
            with child.child(f"generator {arm}") as inner:
                return await drawn(sources[arm], self.verifier, prompt, index, inner)

        async with run.stream(pull, pulls(), window=self.in_flight, most=self.pulls, name="pull") as stream:
            async for outcome in stream:
                arm, scored = under_way.popleft(), outcome.value
                outcomes.append(outcome)
                run.note_failure(outcome.error)
                score = None if scored is None else scored.score
                if isinstance(outcome.error, BudgetExhausted):
                    spent = True  # which says nothing of the arm
                else:
                    arms[arm].tell(0.0 if score is None else reward_of(score, self.verifier))
                if self.threshold is not None and score is not None and score >= self.threshold:
                    run.stop("threshold")
                    break
        if self.told is not None:
            self.told[:] = [
                (arm.n - n, arm.total - total, arm.squares - squares)
                for arm, (n, total, squares) in zip(arms, before, strict=True)
            ]
        found = run.survivors(outcomes)
        return found[await choose(self.select, prompt, found, run)].sample

    def choose(self, arms: Sequence[Arm], started: Sequence[int], rng: random.Random) -> int:
        """The arm to pull next, given what the arms have brought and how often each was started. Pure."""
        if self.rule == "thompson":
            return thompson(arms, prior_of(self.prior, "mean"), "mean", rng)
        if 0 in started:
            return started.index(0)
        if self.rule == "epsilon" and rng.random() < self.epsilon:
            return rng.randrange(len(arms))
        ratings = [arm.mean if arm.n else 0.5 for arm in arms]
        if self.rule == "ucb1":
            log = math.log(sum(started))
            ratings = [r + math.sqrt(2 * log / n) for r, n in zip(ratings, started, strict=True)]
        return ratings.index(max(ratings))


def _is_brought(one: tuple[object, ...]) -> bool:
    if len(one) != 3 or not all(map(is_number, one)):
        return False
    n, total, squares = one
    return is_whole(n) and 0 <= squares <= total <= n  # type: ignore[operator]
