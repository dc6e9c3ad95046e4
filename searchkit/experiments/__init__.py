"""Experiments: draw a pool of samples once, then estimate every method at every budget, with intervals."""

from searchkit.experiments.estimators.at_budget import Attempt, Spent, WithinBudget, accuracy_within, spent
from searchkit.experiments.estimators.axes import Axis, cost, flops
from searchkit.experiments.estimators.compute import Compute, compute
from searchkit.experiments.estimators.curves import Curve, estimate, table
from searchkit.experiments.estimators.estimators import best_at_k, budgets, maj_at_k, pass_at_k, weighted_at_k
from searchkit.experiments.estimators.greedy_first import greedy_first_best_at_k
from searchkit.experiments.estimators.intervals import Interval, bootstrap, paired_bootstrap
from searchkit.experiments.estimators.replaying import Adaptive, Confident, Method, Replayed, SoftBest, replay
from searchkit.experiments.plots import plot
from searchkit.experiments.pool.drawing import draw
from searchkit.experiments.pool.parquet import from_parquet, to_parquet
from searchkit.experiments.pool.pool import Entry, Pool
from searchkit.experiments.pool.scoring import score
from searchkit.experiments.statistics.allocation import Allocated, Allocation, allocate
from searchkit.experiments.statistics.calibration_error import calibration_error, hle_compat
from searchkit.experiments.statistics.coverage_law import CoverageLaw, coverage_law
from searchkit.experiments.statistics.difficulty import ComputeOptimal, compute_optimal, difficulty, quantile_bins
from searchkit.experiments.statistics.mcnemar import McNemar, mcnemar
from searchkit.experiments.statistics.ranking import auroc, auroc_pooled, auroc_within, labelled
from searchkit.experiments.statistics.regret import regret
from searchkit.experiments.statistics.reward_bench import found_among, reward_bench
from searchkit.experiments.statistics.score_model import ScoreModel
from searchkit.experiments.statistics.self_correction import SelfCorrection, self_correction
from searchkit.experiments.sweep.results import Summary, SweepResults, difference
from searchkit.experiments.sweep.rows import Finished, Lost, Row
from searchkit.experiments.sweep.sweep import Sweep

__all__ = [
    "Adaptive",
    "Allocated",
    "Allocation",
    "Attempt",
    "Axis",
    "Compute",
    "ComputeOptimal",
    "Confident",
    "CoverageLaw",
    "Curve",
    "Entry",
    "Finished",
    "Interval",
    "Lost",
    "McNemar",
    "Method",
    "Pool",
    "Replayed",
    "Row",
    "ScoreModel",
    "SelfCorrection",
    "SoftBest",
    "Spent",
    "Summary",
    "Sweep",
    "SweepResults",
    "WithinBudget",
    "accuracy_within",
    "allocate",
    "auroc",
    "auroc_pooled",
    "auroc_within",
    "best_at_k",
    "bootstrap",
    "budgets",
    "calibration_error",
    "compute",
    "compute_optimal",
    "cost",
    "coverage_law",
    "difference",
    "difficulty",
    "draw",
    "estimate",
    "flops",
    "found_among",
    "from_parquet",
    "greedy_first_best_at_k",
    "hle_compat",
    "labelled",
    "maj_at_k",
    "mcnemar",
    "paired_bootstrap",
    "pass_at_k",
    "plot",
    "quantile_bins",
    "regret",
    "replay",
    "reward_bench",
    "score",
    "self_correction",
    "spent",
    "table",
    "to_parquet",
    "weighted_at_k",
]
