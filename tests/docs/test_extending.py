"""The laws that the page on writing your own inherits hold for what it writes: they are collected here as tests."""

from __future__ import annotations

import ast
import sys
import types

from tests.docs.test_guide import ROOT, blocks

PAGE = ROOT / "docs" / "guide" / "engine" / "extending.md"
MODULE = types.ModuleType("written")  # in which classes pickle, as in a file of the reader's
PARTS = {"Rounds": "TestRounds", "Agrees": "TestAgrees", "Reach": "TestReach", "Babble": "TestBabble"}

sys.modules[MODULE.__name__] = MODULE
for _line, _source in blocks(PAGE):
    exec(compile(_source, str(PAGE), "exec"), vars(MODULE))
globals().update({name: vars(MODULE)[name] for name in PARTS.values()})


def test_all_laws_of_the_page_are_collected() -> None:
    """A class of laws for each part, and no other."""
    laws = {name for name in vars(MODULE) if name.startswith("Test")}
    assert laws == set(PARTS.values())


def test_each_part_is_under_40_lines_with_its_laws() -> None:
    """The class, its laws, and what stands at the top of its block for it, imports aside."""
    lengths = {}
    for _, source in blocks(PAGE):
        lines, names = source.splitlines(), set()
        for node in ast.parse(source).body:
            names |= {node.name} & set(PARTS) if isinstance(node, ast.ClassDef) else set()
        kept = [line for line in lines if line.strip() and not line.startswith(("import ", "from "))]
        lengths |= {name: len(kept) for name in names}
    assert set(lengths) == set(PARTS)
    assert max(lengths.values()) < 40, lengths
