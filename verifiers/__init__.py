"""searchkit.verifiers: import it by that name."""

if __name__ != "searchkit.verifiers":
    raise ImportError("import searchkit.verifiers, not verifiers: the folder is installed inside the searchkit package")

from searchkit.answers import keys
from searchkit.answers.structured import json_key, tool_key
from searchkit.verifiers.code.dual_agreement import DualAgreement
from searchkit.verifiers.code.unit_tests import UnitTests
from searchkit.verifiers.combining.all_of import AllOf
from searchkit.verifiers.combining.calibrated import Calibrated
from searchkit.verifiers.combining.calibration import Isotonic, Platt, Temperature
from searchkit.verifiers.combining.cascade import Cascade
from searchkit.verifiers.combining.deduplicated import Deduplicated
from searchkit.verifiers.combining.jury import Jury
from searchkit.verifiers.combining.weighted import Weighted
from searchkit.verifiers.consensus.agreement import Agreement, MinimumBayesRisk
from searchkit.verifiers.consensus.confidence import DeepConf, LogProb, SelfCertainty
from searchkit.verifiers.judges.debate import Debate
from searchkit.verifiers.judges.judge import Judge
from searchkit.verifiers.judges.p_yes import PYes
from searchkit.verifiers.judges.pairwise import PairwiseJudge
from searchkit.verifiers.judges.universal import UniversalConsistency
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reference.exact import Exact
from searchkit.verifiers.reference.math_equal import MathEqual
from searchkit.verifiers.reference.maths.key import math_key
from searchkit.verifiers.reward_models.rewards import OutcomeReward, ProcessReward

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
