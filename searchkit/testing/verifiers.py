"""The laws of verifiers, as a test class to inherit from."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.protocols import Run, Verifier, calls_of, scale_of
from searchkit.solve import solve
from searchkit.types import Params, Problem, Prompt, Sample, Verdict


class VerifierTests:
    """Inherit and override `verifier`; `problem` and `samples` too, where it wants others."""

    problem: Problem = Problem("p", Prompt.of("how much is 2 + 3?"), "5")
    samples: Sequence[Sample[Any]] = (Sample("5"), Sample("6"), Sample(""), Sample("the answer is 5", finish="length"))

    def verifier(self) -> Verifier:
        raise NotImplementedError

    def judge(self, samples: Sequence[Sample[Any]], verifier: Verifier | None = None) -> list[Verdict]:
        """Verdicts on `samples`, through a real run."""
        probe = _Judge(verifier or self.verifier(), tuple(samples))
        return [c.verdict for c in asyncio.run(solve(self.problem, probe)).sample.candidates]

    def test_one_verdict_a_sample_in_order(self) -> None:
        """As many verdicts as samples; unless it is joint, each is what the sample gets alone, in any order."""
        verdicts = self.judge(self.samples)
        assert len(verdicts) == len(self.samples)
        if not self.verifier().joint:
            assert verdicts == [self.judge([s])[0] for s in self.samples]
            assert verdicts[::-1] == self.judge(self.samples[::-1])

    def test_scores_are_within_the_declared_range(self) -> None:
        """Every score lies within `range`; abstaining is allowed."""
        low, high = self.verifier().range
        assert low < high
        assert all(v.value is None or low <= v.value <= high for v in self.judge(self.samples))

    def test_what_is_declared_is_so(self) -> None:
        """`scale` is one of the three words, a chance lies within [0, 1], and `calls` says whether models are asked."""
        verifier = self.verifier()
        assert scale_of(verifier) in ("chance", "progress", "quality")
        calls, probe = calls_of(verifier), _Judge(verifier, tuple(self.samples))
        counted = asyncio.run(solve(self.problem, probe)).usage.model_calls
        assert calls is None or calls > 0 or (calls == 0 and counted == 0)

    def test_pickles_with_the_same_key_and_verdicts(self) -> None:
        """A pickled verifier has the same key, before and after binding, and judges alike."""
        verifier = self.verifier()
        copy = pickle.loads(pickle.dumps(verifier))
        assert copy.bind(self.problem).key == verifier.bind(self.problem).key != ""
        assert self.judge(self.samples, copy) == self.judge(self.samples, verifier)


@dataclass(frozen=True)
class _Judge:
    verifier: Verifier
    samples: tuple[Sample[Any], ...]

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        return Sample("", candidates=tuple(await run.score(self.verifier, prompt, self.samples)))
