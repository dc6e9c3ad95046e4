"""What k samples cost, by each measure that two methods can be compared at: the x axes beside the number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from searchkit.errors import ConfigError
from searchkit.experiments.pool import Entry, Pool


@dataclass(frozen=True)
class Compute:
    """What k samples of a problem take on average, one entry for each of `ks`.

    prompt, generated: tokens that are read and written. sequential: tokens written one after the other when all k
    samples are drawn at once, that is, those of the longest.
    """

    ks: tuple[int, ...]
    prompt: tuple[float, ...]
    generated: tuple[float, ...]
    sequential: tuple[float, ...]

    @property
    def total(self) -> tuple[float, ...]:
        """Tokens read and written."""
        return tuple(read + written for read, written in zip(self.prompt, self.generated, strict=True))

    def flops(self, parameters: float) -> tuple[float, ...]:
        """Floating-point operations of a dense model with so many (active) parameters: 2 a parameter and token.

        Without attention over the context, and as if every prompt were read anew for each sample.
        """
        return tuple(2.0 * parameters * tokens for tokens in self.total)

    def cost(self, prompt: float, generated: float) -> tuple[float, ...]:
        """Money, from the prices of a million tokens that are read and that are written."""
        pairs = zip(self.prompt, self.generated, strict=True)
        return tuple((prompt * read + generated * written) / 1e6 for read, written in pairs)


def compute(pool: Pool, ks: Sequence[int]) -> Compute:
    """What the samples of a pool took. Exact means over all subsets of k; a pool records no seconds.

    ks: each from 1 to ``pool.size``. The prompt counts once for each sample, which is what a server without a prefix
    cache computes.
    """
    if not ks or not all(1 <= k <= pool.size for k in ks):
        raise ConfigError(f"ks must be in [1, {pool.size}], the samples that every problem has, got {ks}")
    columns = list(pool.entries.values())
    prompt = float(np.mean([np.mean([entry.prompt_tokens for entry in column]) for column in columns]))
    generated = float(np.mean([np.mean([entry.generated_tokens for entry in column]) for column in columns]))
    longest = [float(np.mean([_longest(column, k) for column in columns])) for k in ks]
    return Compute(tuple(ks), tuple(k * prompt for k in ks), tuple(k * generated for k in ks), tuple(longest))


def _longest(entries: Sequence[Entry], k: int) -> float:
    """The mean over all k-subsets of the most tokens that one of them has: rank i is it in comb(i, k - 1) of them."""
    ranked = sorted(entry.generated_tokens for entry in entries)
    whole = comb(len(ranked), k)
    return sum(tokens * (comb(i, k - 1) / whole) for i, tokens in enumerate(ranked))
