"""What k samples, or a search, cost by each measure that two methods can be compared at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Sampled
from searchkit.experiments.estimators.estimators import tails

Column = tuple[float, ...]


@dataclass(frozen=True)
class Compute:
    """What a method takes for one problem, on average: one entry for each point of a curve, () where nobody knows.

    generated, prompt: tokens that are written and read. sequential: tokens written one after the other, because they
    waited for one another; of samples drawn all at once, those of the longest. seconds: of waiting. usd: as recorded.
    """

    generated: Column
    prompt: Column = ()
    sequential: Column = ()
    seconds: Column = ()
    usd: Column = ()

    @property
    def total(self) -> Column:
        """Tokens read and written."""
        return tuple(map(sum, zip(self.prompt, self.generated, strict=True))) if self.prompt else ()

    def flops(self, parameters: float) -> Column:
        """Floating-point operations of a dense model with so many (active) parameters: 2 a parameter and token.

        Without attention over the context, and as if every prompt were read anew for each sample.
        """
        return tuple(2.0 * parameters * tokens for tokens in self.total)

    def cost(self, prompt: float, generated: float) -> Column:
        """Money, from the prices of a million tokens that are read and that are written."""
        read = zip(self.prompt, self.generated, strict=True) if self.prompt else ()
        return tuple((prompt * tokens + generated * written) / 1e6 for tokens, written in read)


def compute(pool: Sampled, ks: Sequence[int]) -> Compute:
    """What k samples of a pool took, for each of `ks`. Exact means over all subsets; a pool records no seconds.

    ks: each from 1 to ``pool.size``. The prompt counts once for each sample, which is what a server without a prefix
    cache computes. Tokens that no sample recorded are not known.
    """
    if not ks or not all(1 <= k <= pool.size for k in ks):
        raise ConfigError(f"ks must be in [1, {pool.size}], the samples that every problem has, got {ks}")
    columns = list(pool.entries.values())
    prompt = float(np.mean([np.mean([entry.prompt_tokens for entry in column]) for column in columns]))
    generated = float(np.mean([np.mean([entry.generated_tokens for entry in column]) for column in columns]))
    ranked = [np.sort([float(entry.generated_tokens) for entry in column]) for column in columns] if generated else []
    longest = [float(np.mean([_longest(column, k) for column in ranked])) for k in ks] if generated else []
    return Compute(tuple(k * generated for k in ks), tuple(k * prompt for k in ks if prompt), tuple(longest))


def _longest(ranked: NDArray[np.float64], k: int) -> float:
    """The mean over all k-subsets of the most tokens that one has; ascending, rank i is it in C(i, k - 1) of them."""
    n = len(ranked)
    return float(ranked @ tails(n - 1, k - 1)[:n]) * k / n
