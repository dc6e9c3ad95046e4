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
    """Raises `ConfigError` unless `verifier` scores each sample by itself, and `threshold` is a score of its."""
    check_verifier(owner, verifier)
    if verifier.joint:
        raise ConfigError(f"a joint verifier scores all samples together: {owner} needs one that scores each")
    low, high = verifier.range
    if threshold is not None and not low <= threshold <= high:
        raise ConfigError(f"the threshold {threshold} is outside the verifier's range [{low}, {high}]")


def reward_of(score: float, verifier: Verifier) -> float:
    """`score` in [0, 1]: rescaled from the range of `verifier`, or bent where that has no end.

    A score x above a range's only end becomes x / (1 + x), one x below it 1 / (1 + x), and where there is neither end
    the score counts as the logarithm of odds.
    """
    low, high = verifier.range
    if not low <= score <= high:
        raise ConfigError(
            f"the environment's reward {score} is outside the verifier's range [{low}, {high}]: give the verifier a "
            "range that holds both"
        )
    if low == -math.inf and high == math.inf:
        return 1 / (1 + math.exp(-score)) if score > -700 else 0.0  # exp would overflow
    if high == math.inf:
        return 1.0 if score == math.inf else (score - low) / (1 + score - low)
    return 1 / (1 + high - score) if low == -math.inf else (score - low) / (high - low)
