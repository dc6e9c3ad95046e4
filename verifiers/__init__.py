"""searchkit.verifiers: import it by that name."""

if __name__ != "searchkit.verifiers":
    raise ImportError("import searchkit.verifiers, not verifiers: the folder is installed inside the searchkit package")

from searchkit.verifiers import keys
from searchkit.verifiers.agreement import Agreement, MinimumBayesRisk
from searchkit.verifiers.all_of import AllOf
from searchkit.verifiers.calibrated import Calibrated
from searchkit.verifiers.calibration import Isotonic, Platt, Temperature
from searchkit.verifiers.cascade import Cascade
from searchkit.verifiers.confidence import DeepConf, LogProb, SelfCertainty
from searchkit.verifiers.debate import Debate
from searchkit.verifiers.deduplicated import Deduplicated
from searchkit.verifiers.dual_agreement import DualAgreement
from searchkit.verifiers.exact import Exact
from searchkit.verifiers.generative import PYes
from searchkit.verifiers.judge import Judge
from searchkit.verifiers.jury import Jury
from searchkit.verifiers.math_equal import MathEqual
from searchkit.verifiers.maths.key import math_key
from searchkit.verifiers.pairwise import PairwiseJudge
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.rewards import OutcomeReward, ProcessReward
from searchkit.verifiers.structured import json_key, tool_key
from searchkit.verifiers.unit_tests import UnitTests
from searchkit.verifiers.universal import UniversalConsistency
from searchkit.verifiers.weighted import Weighted

__all__ = [
    "Agreement",
    "AllOf",
    "Calibrated",
    "Cascade",
    "Debate",
    "Deduplicated",
    "DeepConf",
    "DualAgreement",
    "Exact",
    "Isotonic",
    "Judge",
    "Jury",
    "LogProb",
    "MathEqual",
    "MinimumBayesRisk",
    "OutcomeReward",
    "PYes",
    "PairwiseJudge",
    "Platt",
    "Predicate",
    "ProcessReward",
    "SelfCertainty",
    "Temperature",
    "UnitTests",
    "UniversalConsistency",
    "Weighted",
    "json_key",
    "keys",
    "math_key",
    "tool_key",
]
