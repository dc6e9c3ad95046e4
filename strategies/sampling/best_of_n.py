"""Best-of-N: draw N samples, keep the one that the verifier likes best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.kinds import is_whole
from searchkit.mistakes import check_selector, check_verifier
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import Strategy
from searchkit.types import Outcome, Prompt, Sample, Scored, Verdict


@dataclass(frozen=True)
class BestOfN(Strategy):
    """Draws `n` samples, scores each as it arrives, and returns the one that `select` chooses.

    - n: samples.
    - verifier: scores them; ties go to the first, an abstaining verdict never wins, and if no sample has a score the
      first complete one is returned.
    - select: `Argmax()`, `Soft(tau)` or `Vote(key, weighted=True)`.
    - threshold: stop as soon as a score reaches it. What is in flight then is cancelled.
    - first_pass: stop, likewise, at the first verdict that passed (True; a number never passes). First by index, not
      by time, or the answer would depend on latency: a sample that passed waits for those drawn before it.
    - window: samples in flight at once; by default all, or 8 where it may stop early.
    - generator: what is sampled; None is the one given to `solve`.

    Cost: at most `n` generations and `n` verifications; with early stop up to `window - 1` cancelled ones beyond the
    sample that ended it. With an exact verifier its accuracy is pass@n.
    """

    INDEPENDENT: ClassVar[bool] = True

    n: int
    verifier: Verifier
    select: Selector = Argmax()
    threshold: float | None = None
    first_pass: bool = False
    window: int | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.n) or self.n < 1:
            raise ConfigError(f"BestOfN needs a whole n >= 1, got {self.n!r}")
        if self.window is not None and self.window < 1:
            raise ConfigError(f"BestOfN needs window >= 1, got {self.window}")
        check_verifier("BestOfN", self.verifier)
        check_selector("select= of BestOfN", self.select)
        low, high = self.verifier.range
        if self.threshold is not None and not low <= self.threshold <= high:
            raise ConfigError(f"the threshold {self.threshold} is outside the verifier's range [{low}, {high}]")
        if self.verifier.joint and (self.threshold is not None or self.first_pass):
            raise ConfigError("a joint verifier scores all samples together: it cannot stop the search early")

    def counts(self) -> tuple[int, int] | None:
        return self.n, self.n

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        scored = await (self._together if self.verifier.joint else self._one_by_one)(prompt, run)
        return scored[await choose(self.select, prompt, scored, run)].sample

    async def _together(self, prompt: Prompt, run: Run) -> list[Scored]:
        async def draw(index: int, child: Run) -> Sample[Any]:
            [sample] = await child.sample(self.generator, prompt, start=index)
            return sample

        # Drawn where `_one_by_one` draws: sample j is the same under every verifier, so a journal serves them all.
        samples = run.survivors(await run.map(draw, range(self.n), name="draw"))
        return await run.score(self.verifier, prompt, samples)

    async def _one_by_one(self, prompt: Prompt, run: Run) -> list[Scored]:
        """Scored samples in index order, up to the first that is good enough."""
        early = self.threshold is not None or self.first_pass
        window, outcomes = self.window or (min(self.n, 8) if early else self.n), list[Outcome[Scored]]()

        async def draw(index: int, child: Run) -> Scored:
            return await drawn(self.generator, self.verifier, prompt, index, child)

        async with run.stream(draw, range(self.n), window=window, name="draw") as stream:
            async for outcome in stream:
                outcomes.append(outcome)
                run.note_failure(outcome.error)
                if outcome.value is not None and self._good_enough(outcome.value):
                    run.stop("threshold")
                    break
        return run.survivors(outcomes)

    def _good_enough(self, scored: Scored) -> bool:
        if self.first_pass and scored.verdict.passed:
            return True
        return self.threshold is not None and scored.score is not None and scored.score >= self.threshold


async def drawn(generator: Generator | None, verifier: Verifier, prompt: Prompt, index: int, run: Run) -> Scored:
    """Sample number `index` of `prompt`, judged; where the verifier fails, kept without a score: it is paid for."""
    [sample] = await run.sample(generator, prompt, start=index)
    try:
        [scored] = await run.score(verifier, prompt, [sample])
    except (BudgetExhausted, ConfigError):
        raise
    except Exception as error:
        run.fail(error)
        return Scored(sample, Verdict(feedback=f"not verified: {error}"))
    return scored
