"""What is read of a test before it is run: the names it takes from the program, and what it does that cannot be judged.

Read once for a test, outside the sandbox, and not by each process that runs it.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

from searchkit.sandbox.names import wanted
from searchkit.sandbox.surroundings import apart, unseen


@dataclass(frozen=True)
class Brief:
    """taken: names of the program. modules: of the standard library, used without an import.

    unseen: why the test cannot be judged. apart: what it has that the program has not, if it fails.
    """

    taken: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    unseen: str = ""
    apart: str = ""


@functools.lru_cache(1000)
def brief(text: str, entry_point: str) -> Brief:
    """An empty one for what is no Python: it fails where it is run."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
        taken, modules = wanted(text, nodes, entry_point)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Brief()
    return Brief(tuple(taken), tuple(modules), unseen(nodes), apart(nodes))
