"""Where a strategy of a sweep gets worse with a greater budget, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from searchkit.experiments.statistics.falling import fall
from searchkit.experiments.sweep.summary import LEVEL, Summary, interval


def falls(summaries: Sequence[Summary], strategies: Sequence[str], totals: Collection[str]) -> Iterator[str]:
    """A sentence for each strategy that surely falls, by `FallingCurve.sure`: nobody asked, and there may be many.
    Budgets are ordered by the tokens that they took, totals apart.

    Only where the problems were the same under all budgets: a sweep that is not finished says nothing yet.
    """
    for name in strategies:
        own = sorted((s for s in summaries if s.strategy == name and s.budget not in totals), key=lambda s: s.tokens)
        if len(own) < 2 or any(set(s.problems) != set(own[0].problems) for s in own):
            continue
        columns = [dict(zip(s.problems, s.per_problem.tolist(), strict=True)) for s in own]
        values = np.array([[column[problem] for column in columns] for problem in own[0].problems])
        found = fall(range(len(own)), values, level=LEVEL)
        if found is not None and found.sure:
            under, since = own[found.last].budget, own[found.peak].budget
            drop, looked = (interval(-one.mean, -one.high, -one.low) for one in (found.difference, found.of_all))
            yield (
                f"{name} falls from {since} on: under {under} its accuracy is lower by {drop} points, "
                f"{looked.partition(' ')[2]} for all pairs of budgets at once"
            )
