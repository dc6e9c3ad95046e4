"""Scores without a reference and without a judge: how far samples agree, and how sure the model was.

`agreement.py`: with one another. `semantic_entropy.py`: into how many answers they fall. `mutual_consistency.py`:
with what another model makes of their beginnings. `confidence.py`: by the model's own log-probabilities.
"""

from searchkit.verifiers.consensus.agreement import Agreement, MinimumBayesRisk
from searchkit.verifiers.consensus.confidence import DeepConf, LogProb, SelfCertainty
from searchkit.verifiers.consensus.mutual_consistency import MutualConsistency
from searchkit.verifiers.consensus.semantic_entropy import SemanticEntropy

__all__ = [
    "Agreement",
    "DeepConf",
    "LogProb",
    "MinimumBayesRisk",
    "MutualConsistency",
    "SelfCertainty",
    "SemanticEntropy",
]
