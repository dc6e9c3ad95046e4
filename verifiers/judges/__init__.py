"""Judges: a language model is asked how good answers are.

Read `asking.py` first: how a judge asks, what it may see (`shown.py`: images, too) and what it costs. Then `judge.py`
(a grade for each), `p_yes.py` (the probability of "yes"), `pairwise.py` (two at a time), `listwise.py` (a ranking),
`universal_consistency.py` (which of all) and `debate.py` (two sides argue before the judge). `expected.py` and
`means.py`: how the first three score by expectation. `critic.py` says what is wrong, for whoever writes the next
answer, and `fact_check.py` asks questions about it.
"""

from searchkit.verifiers.judges.critic import Critic
from searchkit.verifiers.judges.debate import Debate
from searchkit.verifiers.judges.expected import Expected
from searchkit.verifiers.judges.fact_check import FactCheck
from searchkit.verifiers.judges.judge import Judge
from searchkit.verifiers.judges.listwise import ListwiseJudge
from searchkit.verifiers.judges.p_yes import PYes
from searchkit.verifiers.judges.pairwise import PairwiseJudge
from searchkit.verifiers.judges.universal_consistency import UniversalConsistency

__all__ = [
    "Critic",
    "Debate",
    "Expected",
    "FactCheck",
    "Judge",
    "ListwiseJudge",
    "PYes",
    "PairwiseJudge",
    "UniversalConsistency",
]
