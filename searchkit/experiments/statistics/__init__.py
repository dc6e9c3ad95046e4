"""Statistics about methods, verifiers and problems: tests, rankings, calibration, laws, allocation.

What selection loses is `gap_report.py`, made of `chosen.py` (the samples that a score chooses) and `falling.py` (where
more samples make it worse). One question a file: `mcnemar.py` (do two methods differ?), `ranking.py` and
`reward_bench.py` (does a verifier rank?), `calibration_error.py`, `coverage_law.py`, `score_model.py`,
`self_correction.py`, `horizon.py` (how long may a task be?), `regret.py`, `difficulty.py` (which method for which
problems?), `allocation.py` (how many samples for which problem?) and `choosing.py` (is it worth to choose between a
cheap generator and a dear one?).
"""

from searchkit.experiments.statistics.allocation import Allocated, Allocation, allocate
from searchkit.experiments.statistics.calibration_error import calibration_error, hle_compat
from searchkit.experiments.statistics.choosing import ChoiceCurve, choice_curve, choices
from searchkit.experiments.statistics.chosen import Chosen
from searchkit.experiments.statistics.coverage_law import CoverageLaw, coverage_law
from searchkit.experiments.statistics.difficulty import ComputeOptimal, compute_optimal, difficulty, quantile_bins
from searchkit.experiments.statistics.falling import FallingCurve, fall
from searchkit.experiments.statistics.gap_report import GapReport, gap_report
from searchkit.experiments.statistics.horizon import Horizon, horizon
from searchkit.experiments.statistics.mcnemar import McNemar, mcnemar
from searchkit.experiments.statistics.ranking import auroc, auroc_pooled, auroc_within, labelled
from searchkit.experiments.statistics.regret import regret
from searchkit.experiments.statistics.reward_bench import found_among, reward_bench
from searchkit.experiments.statistics.score_model import ScoreModel
from searchkit.experiments.statistics.self_correction import SelfCorrection, self_correction

__all__ = [
    "Allocated",
    "Allocation",
    "ChoiceCurve",
    "Chosen",
    "ComputeOptimal",
    "CoverageLaw",
    "FallingCurve",
    "GapReport",
    "Horizon",
    "McNemar",
    "ScoreModel",
    "SelfCorrection",
    "allocate",
    "auroc",
    "auroc_pooled",
    "auroc_within",
    "calibration_error",
    "choice_curve",
    "choices",
    "compute_optimal",
    "coverage_law",
    "difficulty",
    "fall",
    "found_among",
    "gap_report",
    "hle_compat",
    "horizon",
    "labelled",
    "mcnemar",
    "quantile_bins",
    "regret",
    "reward_bench",
    "self_correction",
]
