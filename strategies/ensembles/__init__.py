"""Ensembles: several agents answer, read what others answered, and one answer is made of it.

Read `rounds.py` first (who answers when, sees whom, and what ends it), with `seats.py` (who takes part in a round),
`turns.py` (what they are asked) and `table.py` (what was said); then `fuse.py` (an answer that is written from all) and
`importance.py` (whom to keep).
"""

from searchkit.strategies.ensembles.fuse import Fuse
from searchkit.strategies.ensembles.importance import importance
from searchkit.strategies.ensembles.rounds import Rounds

__all__ = ["Fuse", "Rounds", "importance"]
