"""Which names tests take from the program: by them it is found in a reply."""

from __future__ import annotations

import builtins
import symtable
from collections.abc import Iterable, Iterator

from searchkit.verifiers.code.suite import Suite


def taken(suite: Suite) -> frozenset[str]:
    """The entry point (or the class that holds it, as some sites want it), else the names that the tests leave open."""
    if suite.entry_point:
        return frozenset((suite.entry_point.partition(".")[0].partition("(")[0], "Solution"))
    texts = [test for test in suite.tests if isinstance(test, str)]
    return frozenset(name for text in texts for name in _open(text) if not hasattr(builtins, name))


def _open(test: str) -> Iterable[str]:
    """The global names that a test uses and never stores."""
    used, stored = set[str](), set[str]()
    for table in _tables(symtable.symtable(test, "<test>", "exec")):
        whole = table.get_type() == "module"
        for symbol in table.get_symbols():
            if not (whole or symbol.is_global()):
                continue
            if symbol.is_assigned() or symbol.is_imported() or (whole and symbol.is_namespace()):
                stored.add(symbol.get_name())
            if symbol.is_referenced():
                used.add(symbol.get_name())
    return used - stored


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)
