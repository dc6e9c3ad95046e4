"""What a total saves against equal budgets: the share of their cost that its accuracy takes, with an interval."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchkit.experiments.sweep.rows import Finished
from searchkit.experiments.sweep.summary import LEVEL

RESAMPLED = 1000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Saving:
    """One strategy under one total, against the same strategy under equal budgets.

    - strategy, total: their names in the sweep.
    - accuracy: what the total comes to.
    - share: what it costs, as a share of what equal budgets need for that accuracy, between two of them in proportion.
    - low, high: its 95 % interval, a bootstrap over problems (NaN for a single problem).
    - reached: whether equal budgets reach that accuracy at all; else the greatest one stands in, and the share is what
      it is at most. So it does in those resampled sets of problems where they do not.
    - measure: what cost is counted in: tokens, or calls where one of the budgets generated none.
    """

    strategy: str
    total: str
    accuracy: float
    share: float
    low: float
    high: float
    reached: bool
    measure: str

    def __str__(self) -> str:
        """``best with total generations=800 takes 0.71 [0.62, 0.83] of the tokens of equal budgets as accurate``."""
        most = "" if self.reached else "at most "
        end = "equal budgets as accurate" if self.reached else "the greatest equal budget, which is less accurate"
        spread = f"[{self.low:.2f}, {self.high:.2f}]" if self.low == self.low else "[no interval]"
        return f"{self.strategy} with {self.total} takes {most}{self.share:.2f} {spread} of the {self.measure} of {end}"


def savings(
    finished: Sequence[Finished], strategies: Sequence[str], budgets: Sequence[str], totals: Sequence[str]
) -> list[Saving]:
    """For each strategy and total, where the strategy has run under equal budgets, too, on the same problems."""
    groups: dict[tuple[str, str], dict[str, list[Finished]]] = {}
    for one in finished:
        groups.setdefault((one.row.strategy, one.row.budget), {}).setdefault(one.row.problem, []).append(one)
    found = []
    for strategy in strategies:
        for total in totals:
            own = groups.get((strategy, total), {})
            equal = [groups[strategy, b] for b in budgets if groups.get((strategy, b), {}).keys() == own.keys()]
            if own and equal:
                found.append(_saving(strategy, total, own, equal))
    return found


def _saving(
    strategy: str, total: str, own: Mapping[str, list[Finished]], equal: Sequence[Mapping[str, list[Finished]]]
) -> Saving:
    names = sorted(own)
    calls = not all(any(map(_tokens, itertools.chain(*group.values()))) for group in (own, *equal))
    columns = [_columns(group, names, calls) for group in (own, *equal)]
    right, cost = (np.array([column[i] for column in columns]) for i in range(2))  # [1 + budgets, problems]
    even = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(0).multinomial(len(names), even, RESAMPLED) / len(names)
    shares = [_share(*means)[0] for means in zip(drawn @ right.T, drawn @ cost.T, strict=True)]
    share, reached = _share(right @ even, cost @ even)
    known = [one for one in shares if np.isfinite(one)] if len(names) > 1 else []
    low, high = np.quantile(known or [np.nan], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    measure = "model calls" if calls else "generated tokens"
    return Saving(strategy, total, float(right[0].mean()), share, float(low), float(high), reached, measure)


def _columns(group: Mapping[str, list[Finished]], names: Sequence[str], calls: bool) -> tuple[list[float], list[float]]:
    """[problems] the share of right answers, and the mean cost."""
    right = [float(np.mean([one.row.right for one in group[name]])) for name in names]
    cost = [float(np.mean([_cost(one, calls) for one in group[name]])) for name in names]
    return right, cost


def _cost(one: Finished, calls: bool) -> int:
    return one.row.model_calls + one.lost.model_calls if calls else _tokens(one)


def _tokens(one: Finished) -> int:
    return one.row.generated_tokens + one.lost.generated_tokens


def _share(accuracies: Array, costs: Array) -> tuple[float, bool]:
    """The first one's cost over what the others need for its accuracy, and whether they reach it."""
    wanted, spent = accuracies[0], costs[0]
    order = np.argsort(costs[1:], kind="stable")
    reached, paid = np.maximum.accumulate(accuracies[1:][order]), costs[1:][order]
    first = int(np.searchsorted(reached, wanted, side="left"))
    if first in (0, len(reached)):
        end = paid[min(first, len(reached) - 1)]
        return float(spent / end) if end else float("nan"), first == 0
    part = (wanted - reached[first - 1]) / (reached[first] - reached[first - 1])
    return float(spent / (paid[first - 1] + part * (paid[first] - paid[first - 1]))), True
