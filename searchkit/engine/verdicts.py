"""Verdicts: how a verifier is asked, what it says checked, and what of it stands in a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from searchkit.errors import SearchkitError, VerifierError
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Verdict


async def verify(judge: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
    """The judge's verdicts, checked; whatever goes wrong is a `VerifierError` that names the judge and the fix."""
    try:
        verdicts = list(await judge.verify(prompt, samples, run))
    except SearchkitError:
        raise
    except (Exception, SystemExit) as error:
        raise VerifierError(f"{judge!r} raised {type(error).__name__}: {error}") from error
    if len(verdicts) != len(samples):
        raise VerifierError(
            f"{judge!r} returned {len(verdicts)} verdicts for {len(samples)} samples; return one for each"
        )
    low, high = judge.range
    for verdict in verdicts:
        if not isinstance(verdict, Verdict) or not all(map(_is_number, (verdict.score, *(verdict.step_scores or ())))):
            raise VerifierError(f"{judge!r} returned {verdict!r:.80}: give scores as numbers; Verdict() abstains")
        if verdict.value is not None and not low <= verdict.value <= high:
            raise VerifierError(f"{judge!r} returned the score {verdict.value}, but its range is [{low}, {high}]")
    return verdicts


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not math.isnan(value))


def describe(verdicts: list[Verdict]) -> str:
    """Verdicts in a few characters, for the trace."""
    values = [v.value for v in verdicts]
    return " ".join("abstains" if v is None else f"{v:g}" for v in values[:8]) + (" ..." if len(values) > 8 else "")
