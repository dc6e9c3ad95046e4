"""Experiments: draw a pool of samples once, then estimate every method at every budget, with intervals."""

from searchkit.experiments.at_budget import Attempt, Spent, WithinBudget, accuracy_within, spent
from searchkit.experiments.curves import Curve, estimate, table
from searchkit.experiments.drawing import draw
from searchkit.experiments.estimators import best_at_k, budgets, maj_at_k, pass_at_k, weighted_at_k
from searchkit.experiments.greedy_first import greedy_first_best_at_k
from searchkit.experiments.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.plots import plot
from searchkit.experiments.pool import Entry, Pool
from searchkit.experiments.sweep import Sweep
from searchkit.experiments.sweep_results import Summary, SweepResults, difference
from searchkit.experiments.sweep_rows import Finished, Lost, Row

__all__ = [
    "Attempt",
    "Curve",
    "Entry",
    "Finished",
    "Interval",
    "Lost",
    "Pool",
    "Row",
    "Spent",
    "Summary",
    "Sweep",
    "SweepResults",
    "WithinBudget",
    "accuracy_within",
    "best_at_k",
    "bootstrap",
    "budgets",
    "difference",
    "draw",
    "estimate",
    "greedy_first_best_at_k",
    "maj_at_k",
    "paired_bootstrap",
    "pass_at_k",
    "plot",
    "spent",
    "table",
    "weighted_at_k",
]
