"""Reward models: outcome and process scores from a trained scorer.

Read `rewards.py` first (one score a text, one a step), then `reading.py`: how texts and steps are given to a scorer,
and its rows checked.
"""

from searchkit.verifiers.reward_models.rewards import OutcomeReward, ProcessReward

__all__ = [
    "OutcomeReward",
    "ProcessReward",
]
