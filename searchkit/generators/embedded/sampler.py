"""Sampling without hidden state: the noise of a token is a hash of (request seed, position, token id).

So a request's text depends on its own logits and seed alone: not on what it was batched with, on the order of steps, or
on which engine computed the logits. Letters: N rows, V vocabulary. All functions are vectorised over rows, and every
operation treats a row the same whatever stands in the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection in which every input bit changes half of the output bits on average."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def gumbel(seeds: NDArray[np.uint64], positions: NDArray[Any], vocabulary: int) -> Floats:
    """Standard Gumbel noise [N, V] for request seeds [N] and positions in the text [N] (the begin token's is 0)."""
    stream = _mix(_mix(seeds + np.uint64(_GOLDEN)) + positions.astype(np.uint64) * np.uint64(_GOLDEN))
    token = np.arange(1, vocabulary + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mix(stream[:, None] + token)
    uniform = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52  # 52 bits: never 0, never 1
    return -np.log(-np.log(uniform))


def allowed(
    logits: Floats, temperature: Floats, top_k: NDArray[np.int64], top_p: Floats, min_p: Floats
) -> NDArray[np.bool_]:
    """Which tokens [N, V] survive top_k (0 is off), then top_p, then min_p; always the first most likely one.

    All three look at the distribution after temperature; top_p at what top_k left, rescaled to one. Tokens are ranked
    by logit, equal ones by id; the token that crosses top_p stays.
    """
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, axis=1)
    with np.errstate(over="ignore"):  # a tiny temperature drives everything but the best to -inf, as it should
        p = np.exp((ranked - ranked[:, :1]) / np.where(temperature > 0, temperature, 1.0)[:, None])
    p[np.arange(p.shape[1]) >= np.where(top_k > 0, top_k, p.shape[1])[:, None]] = 0.0
    mass = np.cumsum(p, axis=1)
    # What stands before a token decides about it; at 1 rounding must not drop the tail.
    inside = (mass - p < top_p[:, None] * mass[:, -1:]) | (top_p >= 1)[:, None]
    keep = inside & (p >= min_p[:, None] * p[:, :1]) & (p > 0)
    keep[:, 0] = True
    found = np.empty(keep.shape, np.bool_)
    np.put_along_axis(found, order, keep, axis=1)
    return found


def choose(logits: Floats, noise: Floats, temperature: Floats) -> NDArray[np.int64]:
    """The sampled token ids [N]: argmax of logits + temperature * noise, the lowest id on ties.

    The usual Gumbel-max trick divides logits by the temperature; multiplying the noise instead chooses the same token
    and makes temperature 0 greedy without a special case.
    """
    tokens: NDArray[np.int64] = (logits + temperature[:, None] * noise).argmax(axis=1)
    return tokens


def log_softmax(logits: Floats) -> Floats:
    """Natural logarithms of the probabilities [N, V], before temperature."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
