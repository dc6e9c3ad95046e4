"""Selection rules: which of several scored samples is the answer.

Read `rules.py` first: argmax, a soft choice and the vote, and what all rules share. The others are one rule a file:
`borda_vote.py`, `complexity_vote.py`, `confident_vote.py`, `step_filter.py`, `hierarchical.py`, `of_messages.py`
(votes over tool calls), `patch_vote.py` (votes over programs), `rerank.py` (by a second verifier), `tournament.py` and
`pivot_tournament.py` (two at a time, by a judge; `matches.py` is what these two share).
"""

from searchkit.strategies.selection.borda_vote import BordaVote
from searchkit.strategies.selection.complexity_vote import ComplexityVote
from searchkit.strategies.selection.confident_vote import ConfidentVote
from searchkit.strategies.selection.hierarchical import Hierarchical
from searchkit.strategies.selection.of_messages import OfMessages
from searchkit.strategies.selection.patch_vote import PatchVote
from searchkit.strategies.selection.pivot_tournament import PivotTournament
from searchkit.strategies.selection.rerank import Rerank
from searchkit.strategies.selection.rules import Argmax, Soft, Vote
from searchkit.strategies.selection.step_filter import StepFilter
from searchkit.strategies.selection.tournament import Tournament

__all__ = [
    "Argmax",
    "BordaVote",
    "ComplexityVote",
    "ConfidentVote",
    "Hierarchical",
    "OfMessages",
    "PatchVote",
    "PivotTournament",
    "Rerank",
    "Soft",
    "StepFilter",
    "Tournament",
    "Vote",
]
