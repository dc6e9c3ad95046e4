"""Verifiers: how good a sample is. One folder a family, one idea a file.

`base.py` is what all share and `predicate.py` the smallest: any function. `reference/` compares with a known answer,
`code/` runs programs, `judges/` ask a model, `reward_models/` read scores, `consensus/` needs neither, and `combining/`
makes verifiers of verifiers. Each folder's ``__init__.py`` says in which order to read its files.
"""

if __name__ != "searchkit.verifiers":
    raise ImportError("import searchkit.verifiers, not verifiers: the folder is installed inside the searchkit package")

from searchkit.answers import keys
from searchkit.answers.structured import json_key, tool_key
from searchkit.verifiers.code import Distinguish, DualAgreement, InFile, Reproduces, UnitTests
from searchkit.verifiers.combining import (
    AllOf,
    Calibrated,
    Cascade,
    Deduplicated,
    Isotonic,
    Jury,
    Platt,
    Temperature,
    Weighted,
)
from searchkit.verifiers.consensus import (
    Agreement,
    DeepConf,
    LogProb,
    MinimumBayesRisk,
    MutualConsistency,
    SelfCertainty,
    SemanticEntropy,
)
from searchkit.verifiers.judges import (
    Critic,
    Debate,
    Expected,
    FactCheck,
    Judge,
    ListwiseJudge,
    PairwiseJudge,
    PYes,
    UniversalConsistency,
)
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reference import (
    GSM8K_GRADER,
    MATH_GRADER,
    Absolute,
    Exact,
    MathEqual,
    Places,
    Relative,
    math_key,
)
from searchkit.verifiers.reward_models import OutcomeReward, ProcessReward

__all__ = [
    "GSM8K_GRADER",
    "MATH_GRADER",
    "Absolute",
    "Agreement",
    "AllOf",
    "Calibrated",
    "Cascade",
    "Critic",
    "Debate",
    "Deduplicated",
    "DeepConf",
    "Distinguish",
    "DualAgreement",
    "Exact",
    "Expected",
    "FactCheck",
    "InFile",
    "Isotonic",
    "Judge",
    "Jury",
    "ListwiseJudge",
    "LogProb",
    "MathEqual",
    "MinimumBayesRisk",
    "MutualConsistency",
    "OutcomeReward",
    "PYes",
    "PairwiseJudge",
    "Places",
    "Platt",
    "Predicate",
    "ProcessReward",
    "Relative",
    "Reproduces",
    "SelfCertainty",
    "SemanticEntropy",
    "Temperature",
    "UnitTests",
    "UniversalConsistency",
    "Weighted",
    "json_key",
    "keys",
    "math_key",
    "tool_key",
]
