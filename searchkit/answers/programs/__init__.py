"""The program in a model's text: found wherever it stands, and mended where a chat has damaged it.

Read `program.py` first (which of the pieces are the program), then `pieces.py` (blocks and tags), `loose.py` (code in
prose), `mending.py` (repairs), `scope.py` (what a piece defines and needs) and `continuation.py` (text that goes on
where a prompt ends).
"""

from searchkit.answers.programs.program import program
from searchkit.answers.programs.scope import LONGEST

__all__ = [
    "LONGEST",
    "program",
]
