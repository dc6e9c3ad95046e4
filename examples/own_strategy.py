"""Write a strategy of your own in a dozen lines: `python examples/own_strategy.py`.

Two rounds: sample a few answers, then spend the rest only if no answer passed. Seeds, budget, journal, trace and
cancellation come with `run`; so do the laws, if its tests inherit `searchkit.testing.StrategyTests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit import Budget, Model, Params, Prompt, Run, Sample, Strategy, solve_sync
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown
from searchkit.protocols import Generator, Verifier


@dataclass(frozen=True)
class TwoRounds(Strategy):
    """Draws `few` samples; only if none passes, `more` of them."""

    few: int
    more: int
    verifier: Verifier
    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        best = None
        for start, n in ((0, self.few), (self.few, self.more)):
            samples = await run.sample(self.generator, prompt, n, start=start)
            scored = await run.score(self.verifier, prompt, samples)
            best = max([*([best] if best else []), *scored], key=lambda c: c.score or 0.0)
            if best.verdict.passed:
                break
        assert best is not None
        return best.sample


if __name__ == "__main__":
    model = Model(Embedded(), Params(max_tokens=64))
    for puzzle in Countdown().puzzles(5, "test"):
        result = solve_sync(
            problem(puzzle), TwoRounds(4, 28, CHECKER), generator=model, budget=Budget(generated_tokens=1500)
        )
        solved = "solved" if any(c.verdict.passed for c in result.candidates) else "not solved"
        print(f"{puzzle.prompt.strip():<20} {solved:<10} {result.usage.generations:>2} samples")
