"""Several generators in order, until the answer of one is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.sampling.best_of_n import drawn
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import worst_case
from searchkit.types import NO_USAGE, Outcome, Prompt, Sample, Scored, Usage, Verdict


def check_several(owner: str, several: Sequence[Any], verifier: Verifier | None) -> None:
    """Raises `ConfigError` for what are not at least two generators, and for no verifier."""
    if not isinstance(several, tuple) or len(several) < 2:
        raise ConfigError(f"{owner} needs a tuple of two or more generators, got {several!r:.80}")
    for one in several:
        if one is not None and (isinstance(one, type) or not hasattr(one, "generate")):
            raise ConfigError(f"{owner} takes models, strategies, or None for `generator`, got {one!r:.80}")
    if verifier is not None:
        check_verifier(owner, verifier)
        if verifier.joint:
            raise ConfigError(f"{owner} judges answers one by one: a joint verifier scores them together")


async def first_to_pass(
    several: Sequence[Generator | None], verifier: Verifier | None, window: int, prompt: Prompt, run: Run
) -> Sample[Any]:
    """The first answer, in the order of `several`, that passes; where none does, the one with the highest score.

    `window` of them search at once; those that search when one has passed are cancelled. Without a verifier an answer
    passes if there is one. Under a budget each has an equal part of it. Raises the first error if all have failed.
    """

    async def attempt(item: tuple[int, Generator | None], child: Run) -> Scored:
        index, generator = item
        if verifier is not None:
            return await drawn(generator, verifier, prompt, index, child)
        [sample] = await child.sample(generator, prompt, start=index)
        return Scored(sample, Verdict(passed=True))

    outcomes = list[Outcome[Scored]]()
    async with run.stream(attempt, list(enumerate(several)), window=window, name="attempt") as stream:
        async for outcome in stream:
            outcomes.append(outcome)
            if outcome.value is not None and outcome.value.verdict.passed:
                if len(outcomes) < len(several):
                    run.stop("threshold")
                return outcome.value.sample
    scored = run.survivors(outcomes)
    return scored[await choose(Argmax(), prompt, scored, run)].sample


def all_together(sources: Sequence[Generator | None], sample: Usage, checks: int) -> Usage | None:
    """The most that all of `sources` may cost, and so many verifications; None: no bound is known."""
    total = Usage(verifications=checks)
    for source in sources:
        cost = worst_case(source, sample)
        if cost is None:
            return None
        total += cost
    return NO_USAGE + total
