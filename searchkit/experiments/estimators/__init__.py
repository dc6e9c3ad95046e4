"""Estimators: accuracy against compute, from a pool, exactly, with intervals.

Read `estimators.py` first (pass@k, best@k, maj@k; `voting.py`: votes of many samples), then `curves.py` (one method at
every budget), `compute.py` and `axes.py` (what a budget is), `intervals.py`, `optimistic.py` (what unknown verdicts
leave open), `replaying.py` (methods that stop early), `greedy_first.py` and `at_budget.py` (searches within a token
budget).
"""

from searchkit.experiments.estimators.at_budget import Attempt, Spent, WithinBudget, accuracy_within, spent
from searchkit.experiments.estimators.axes import Axis, cost, flops
from searchkit.experiments.estimators.compute import Compute, compute
from searchkit.experiments.estimators.curves import Curve, Curves, estimate, table
from searchkit.experiments.estimators.estimators import (
    best_at_k,
    budgets,
    chosen_at_k,
    maj_at_k,
    pass_at_k,
    weighted_at_k,
)
from searchkit.experiments.estimators.greedy_first import greedy_first_best_at_k
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.estimators.replaying import Adaptive, Confident, Method, Replayed, SoftBest, replay

__all__ = [
    "Adaptive",
    "Attempt",
    "Axis",
    "Compute",
    "Confident",
    "Curve",
    "Curves",
    "Interval",
    "Method",
    "Replayed",
    "SoftBest",
    "Spent",
    "WithinBudget",
    "accuracy_within",
    "best_at_k",
    "bootstrap",
    "budgets",
    "chosen_at_k",
    "compute",
    "cost",
    "estimate",
    "flops",
    "greedy_first_best_at_k",
    "maj_at_k",
    "paired_bootstrap",
    "pass_at_k",
    "replay",
    "spent",
    "table",
    "weighted_at_k",
]
