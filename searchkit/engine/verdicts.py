"""Verdicts: how a verifier is asked, what it says checked, and what of it stands in a trace."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Iterable, Sequence
from types import CoroutineType
from typing import Any

from searchkit.errors import SearchkitError, VerifierError
from searchkit.kinds import forgotten, told
from searchkit.mistakes import lacking_await
from searchkit.protocols import Run, Verifier
from searchkit.types import Prompt, Sample, Verdict


async def verify(judge: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
    """The judge's verdicts, checked; whatever goes wrong is a `VerifierError` that names the judge and the fix."""
    try:
        verdicts = _listed(await _asked(judge, prompt, samples, run), judge)
    except SearchkitError:
        raise
    except (Exception, SystemExit) as error:
        mistake = lacking_await(error)
        raise VerifierError(
            f"{told(judge)} raised {type(error).__name__}: {mistake or error}", mistake=mistake is not None
        ) from error
    if len(verdicts) != len(samples):
        raise VerifierError(
            f"{told(judge)} returned {len(verdicts)} verdicts for {len(samples)} samples; return one for each",
            mistake=True,
        )
    low, high = judge.range
    for verdict in verdicts:
        usual = type(verdict) is Verdict and type(verdict.score) is float and verdict.step_scores is None
        if usual and low <= verdict.score <= high:  # type: ignore[operator]  # NaN is not
            continue
        if not isinstance(verdict, Verdict) or not _has_numbers(verdict):
            raise VerifierError(
                f"{told(judge)} returned {verdict!r:.80}: give scores as numbers; Verdict() abstains",
                mistake=not isinstance(verdict, Verdict),
            )
        value = verdict.value
        if value is not None and not low <= value <= high:
            raise VerifierError(f"{told(judge)} returned the score {value}, but its range is [{low}, {high}]")
    return verdicts


def _asked(judge: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> Awaitable[Any]:
    """The judge's answer, to be awaited; a mistake if it is not."""
    answer = judge.verify(prompt, samples, run)
    if type(answer) is not CoroutineType and not inspect.isawaitable(answer):
        raise VerifierError(f"{told(judge)} answers at once: make it `async def verify(...)`", mistake=True)
    return answer


def _listed(verdicts: Any, judge: Verifier) -> list[Verdict]:
    if type(verdicts) is list:  # by far the most
        return verdicts
    if forgotten(verdicts):
        raise VerifierError(f"{told(judge)} returned a coroutine: it lacks an `await` where it returns", mistake=True)
    if isinstance(verdicts, (Verdict, str, bytes)) or not isinstance(verdicts, Iterable):
        raise VerifierError(
            f"{told(judge)} returned {told(verdicts)}: return a list of Verdict(score), one a sample, in order",
            mistake=True,
        )
    return list(verdicts)


def _has_numbers(verdict: Verdict) -> bool:
    return _is_number(verdict.score) and (verdict.step_scores is None or all(map(_is_number, verdict.step_scores)))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not math.isnan(value))


def describe(verdicts: list[Verdict]) -> str:
    """Verdicts in a few characters, for the trace."""
    if len(verdicts) == 1 and (value := verdicts[0].value) is not None:
        return f"{value:g}"
    values = [v.value for v in verdicts]
    return " ".join("abstains" if v is None else f"{v:g}" for v in values[:8]) + (" ..." if len(values) > 8 else "")
