"""Which names tests take from the program: by them it is found in a reply."""

from __future__ import annotations

import ast

from searchkit.parsing import parse
from searchkit.sandbox.names import names_of, wanted
from searchkit.sandbox.whole import preamble
from searchkit.verifiers.code.suite import Suite


def taken(suite: Suite) -> frozenset[str]:
    """The entry point (or the class that holds it, as some sites want it), else the names that the tests leave open."""
    if suite.entry_point:
        return frozenset((suite.entry_point.partition(".")[0].partition("(")[0], "Solution"))
    texts = dict.fromkeys(test for test in suite.tests if isinstance(test, str))
    found = {name for text in texts for name in wanted(names_of(text), list(ast.walk(parse(text))))[0]}
    return frozenset(found - names_of(preamble(suite.prompt)).stored)
