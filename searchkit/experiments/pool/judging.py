"""Which verifiers can judge a pool, and how its samples are judged.

The verdicts have to hold in every subset of the pool. `Deduplicated` is joint because it asks once for equal samples;
its verdict of one is that of the sample alone all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.calls import CallError
from searchkit.errors import ConfigError, VerifierError
from searchkit.experiments.unknown import NOT_JUDGED, called
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.combining.deduplicated import Deduplicated


def check_alone(judge: Verifier) -> None:
    """Raises `ConfigError` for a verifier whose verdicts depend on the samples beside, and for what is none."""
    check_verifier("a pool", judge)
    if judge.joint and not isinstance(judge, Deduplicated):
        raise ConfigError(
            f"{called(judge)} judges samples together, so its verdicts would not hold in subsets of the pool: take a "
            "verifier that judges each sample by itself"
        )


async def verdicts_of(verifier: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
    """The verdicts; abstaining ones if verification failed for good. Budgets and configurations still raise."""
    try:
        return [scored.verdict for scored in await run.score(verifier, prompt, samples)]
    except (CallError, VerifierError) as error:
        run.fail(error if isinstance(error, VerifierError) else VerifierError(f"{called(verifier)} failed: {error}"))
        return [Verdict(feedback=f"{NOT_JUDGED}{error}")] * len(samples)
