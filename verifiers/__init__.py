"""searchkit.verifiers: import it by that name."""

if __name__ != "searchkit.verifiers":
    raise ImportError("import searchkit.verifiers, not verifiers: the folder is installed inside the searchkit package")

from searchkit.verifiers import keys
from searchkit.verifiers.confidence import DeepConf, LogProb, SelfCertainty
from searchkit.verifiers.debate import Debate
from searchkit.verifiers.exact import Exact
from searchkit.verifiers.generative import PYes
from searchkit.verifiers.judge import Judge
from searchkit.verifiers.jury import Jury
from searchkit.verifiers.math_equal import MathEqual
from searchkit.verifiers.maths.key import math_key
from searchkit.verifiers.pairwise import PairwiseJudge
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.rewards import OutcomeReward, ProcessReward

__all__ = [
    "Debate",
    "DeepConf",
    "Exact",
    "Judge",
    "Jury",
    "LogProb",
    "MathEqual",
    "OutcomeReward",
    "PYes",
    "PairwiseJudge",
    "Predicate",
    "ProcessReward",
    "SelfCertainty",
    "keys",
    "math_key",
]
