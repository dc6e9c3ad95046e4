"""best@k where the first sample is always among the k: the curve of agents whose rollout 0 is greedy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from searchkit.errors import ConfigError


def greedy_first_best_at_k(scores: Sequence[float | None], correct: Sequence[bool], k: int) -> float:
    """Accuracy of choosing the highest score among sample 0 and a uniform (k-1)-subset of the others. O(n log n).

    Where sample 0 was drawn greedily and the others at random they are not exchangeable, and `best_at_k` would estimate
    something else. The rules are those of `estimators.py`: exact, ties are split uniformly, a sample
    without a score cannot be chosen, a subset in which nothing can be chosen counts as wrong. Within [0, 1]. At k = 1
    it is whether sample 0 is right (if it has a score), at k = n it equals `best_at_k`. Source: SWE-Gym's curves, which
    are means over 100 random subsets.
    """
    n = len(correct)
    if not 1 <= k <= n:
        raise ConfigError(f"k must be in [1, {n}], the number of samples in the pool, got {k}")
    if len(scores) != n:
        raise ConfigError(f"every sample needs one score (or None): got {len(scores)} scores for {n} samples")
    if not all(score is None or math.isfinite(score) for score in scores):
        raise ConfigError("scores must be finite numbers, or None for a verifier that abstained")
    groups = defaultdict[float, list[bool]](list)  # the others, by score
    for score, right in zip(scores[1:], correct[1:], strict=True):
        if score is not None:
            groups[score].append(right)
    subsets, below, total = math.comb(n - 1, k - 1), n - 1, 0.0
    for score in sorted(groups, reverse=True):
        if scores[0] is not None and score <= scores[0]:
            break
        members = groups[score]
        below -= len(members)  # the group wins if it is drawn from and nothing above it is
        drawn = math.comb(below + len(members), k - 1) - math.comb(below, k - 1)
        total += drawn / subsets * (sum(members) / len(members))
    if scores[0] is None:
        return total
    tied = groups.get(scores[0], [])
    share = sum(tied) / len(tied) if tied else 0.0
    for j in range(min(len(tied), k - 1) + 1):  # of those tied with sample 0 are drawn, and each is as likely as it
        drawn = math.comb(len(tied), j) * math.comb(below - len(tied), k - 1 - j)
        total += drawn / subsets * (bool(correct[0]) + j * share) / (j + 1)
    return total
