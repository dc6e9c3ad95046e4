"""The program in a model's text: found wherever it stands, and mended where a chat has damaged it.

Read `program.py` first (which of the pieces are the program), then `pieces.py` (blocks and tags), `loose.py` (code in
prose), `lines.py` (strings and brackets over lines), `mending.py` (repairs), `sessions.py` (Python's prompt),
`wrapped.py` (JSON), `meant.py` (what is no program), `scope.py` (what a piece defines and needs), `typed.py` (whether
it reads what is typed) and `continuation.py` (text that goes on where a prompt ends). `syntax.py` says which programs
are the same to Python; `aside.py` keeps the reading of long texts off the event loop.
"""

from searchkit.answers.programs.aside import aside
from searchkit.answers.programs.continuation import goes_on
from searchkit.answers.programs.meant import NO_PROGRAM, is_program
from searchkit.answers.programs.mending import is_half_escaped
from searchkit.answers.programs.program import program
from searchkit.answers.programs.scope import LONGEST
from searchkit.answers.programs.syntax import syntax_key

__all__ = [
    "LONGEST",
    "NO_PROGRAM",
    "aside",
    "goes_on",
    "is_half_escaped",
    "is_program",
    "program",
    "syntax_key",
]
