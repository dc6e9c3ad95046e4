"""Which names of a test are the program's: those that it reads globally and nowhere stores. Runs inside the sandbox.

By the compiler's own table of symbols, so that a name stored in a branch, in a loop, by an import or as `global` counts
as the test's, wherever that stands.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_CHECKING = ("numpy.testing", "pandas.testing", "pytest", "unittest", "unittest.case", "nose.tools")
_ASSERTION = re.compile(r"assert_\w+|raises|warns|approx|fail|skip\w*|TestCase|IsolatedAsyncioTestCase|main")


@dataclass(frozen=True)
class Names:
    """The global names of a test. read: those it uses. stored: those it gives a meaning, at some place or other."""

    read: frozenset[str]
    stored: frozenset[str]


def names_of(text: str) -> Names:
    """Raises `SyntaxError` or `ValueError` for what is no Python."""
    read, stored = set[str](), set[str]()
    for table in _tables(symtable.symtable(text, "<test>", "exec")):
        whole = table.get_type() == "module"
        for symbol in table.get_symbols():
            if not (whole or symbol.is_global()):
                continue
            if symbol.is_assigned() or symbol.is_imported() or (whole and symbol.is_namespace()):
                stored.add(symbol.get_name())
            if symbol.is_referenced():
                read.add(symbol.get_name())
    return Names(frozenset(read), frozenset(stored))


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


@functools.lru_cache(100)  # a program is run against many tests
def variables(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of a program's variables at module level: those that its functions rebind, and those that they read.

    Raises `SyntaxError` or `ValueError` for what is no Python.
    """
    table = symtable.symtable(text, "<program>", "exec")
    own = {one.get_name() for one in table.get_symbols() if one.is_assigned() and not one.is_namespace()}
    rebound, read = set[str](), set[str]()
    for inner in _tables(table):
        for symbol in inner.get_symbols() if inner is not table else ():
            if symbol.is_global() and symbol.is_assigned():
                rebound.add(symbol.get_name())
            if symbol.is_global() and symbol.is_referenced():
                read.add(symbol.get_name())
    return frozenset(rebound), frozenset(read & (own | rebound))


def wanted(found: Names, nodes: list[ast.AST], entry_point: str = "") -> tuple[list[str], list[str]]:
    """What a test takes from the program, and which modules of the standard library it uses without importing them.

    found, nodes: those of its text. A name that one of Python's own functions has, or that is used like a module of the
    standard library, is that: a program must not redefine what it is measured with. With an entry point, that alone is
    taken.
    """
    free = sorted(name for name in found.read - found.stored if not _is_imported(name, nodes))
    unknown = [name for name in free if not hasattr(builtins, name) and name != entry_point]
    modules = [name for name in unknown if name in sys.stdlib_module_names and _is_base(name, nodes)]
    if entry_point:
        return [entry_point] if entry_point in free else [], modules
    return [name for name in unknown if name not in modules], modules


def _is_imported(name: str, nodes: list[ast.AST]) -> bool:
    """Whether it comes with all else of a module of assertions, as in `from numpy.testing import *`."""
    return bool(_ASSERTION.fullmatch(name)) and any(
        isinstance(node, ast.ImportFrom) and node.module in _CHECKING and node.names[0].name == "*" for node in nodes
    )


def _is_base(name: str, nodes: list[ast.AST]) -> bool:
    """Whether it is used for what it has, as in `math.pi`, and in no other way."""
    bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return all(id(node) in bases for node in nodes if isinstance(node, ast.Name) and node.id == name)
