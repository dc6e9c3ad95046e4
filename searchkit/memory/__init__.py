"""Memory: what is kept of solved problems for those that come after. All else is forgotten between problems.

Read `memory.py` first: what a note is, how it is written, and which notes a problem is shown. `similarity.py` is how
close two tasks are by default; `passing.py` hands the memory from problem to problem in `solve_many`.
"""

from searchkit.memory.memory import FAILED, KEEP, SUCCEEDED, Memory, Note
from searchkit.memory.similarity import ngrams

__all__ = ["FAILED", "KEEP", "SUCCEEDED", "Memory", "Note", "ngrams"]
