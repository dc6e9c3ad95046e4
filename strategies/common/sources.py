"""What strategies share that choose between several generators by the scores of their samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from searchkit.errors import ConfigError
from searchkit.mistakes import check_generator, check_verifier
from searchkit.protocols import Generator, Verifier

Sources = tuple[Generator | None, ...]


def sources_of(generators: Sequence[Generator | None], generator: Generator | None) -> Sources:
    """The generators to choose from: None among them stands for `generator`; without any that is the only one."""
    for one in generators:
        if one is not None:
            check_generator("each of generators=", one)
    if generators and generator is not None and None not in generators:
        raise ConfigError("generator= is what None among generators= stands for, but there is no None: add one")
    return tuple(generator if one is None else one for one in generators) or (generator,)


def check_rewards(owner: str, verifier: Verifier, threshold: float | None) -> None:
    """Raises `ConfigError` unless each score of `verifier` can be made a reward in [0, 1]."""
    check_verifier(owner, verifier)
    if verifier.joint:
        raise ConfigError(f"a joint verifier scores all samples together: {owner} needs one that scores each")
    low, high = verifier.range
    if not -math.inf < low < high < math.inf:
        raise ConfigError(
            f"{owner} rescales scores to [0, 1], which needs a finite range, got [{low}, {high}]: clip the scores, or "
            "map them, and declare their range"
        )
    if threshold is not None and not low <= threshold <= high:
        raise ConfigError(f"the threshold {threshold} is outside the verifier's range [{low}, {high}]")


def reward_of(score: float, verifier: Verifier) -> float:
    """`score` rescaled from the range of `verifier` to [0, 1]."""
    low, high = verifier.range
    if not low <= score <= high:
        raise ConfigError(
            f"the environment's reward {score} is outside the verifier's range [{low}, {high}]: give the verifier a "
            "range that holds both"
        )
    return (score - low) / (high - low)
