"""Guide pages as programs: their blocks, run in order in a namespace that tests can look into."""

from __future__ import annotations

import ast
import re
import sys
import types
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """(first line number, source) of each block."""
    text = page.read_text()
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in FENCE.finditer(text)]


def missing(page: Path) -> str:
    """A package that the page imports and that is not installed; empty if all are there."""
    for _, source in blocks(page):
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for root in {name.partition(".")[0] for name in names}:
                if find_spec(root) is None:
                    return root
    return ""


def run(page: Path, until: str = "", **given: Any) -> dict[str, Any]:
    """What the blocks of `page` define. until: the name whose definition ends the reading.

    given: names that stand before the first block; blocks that open a server are left out where URL is among them.
    """
    module = types.ModuleType(f"page_{page.stem}")
    sys.modules[module.__name__] = module
    names = vars(module)
    names.update(given)
    for line, source in blocks(page):
        if "URL" in given and "server.__enter__()" in source:
            continue
        exec(compile("\n" * (line - 1) + source, str(page), "exec"), names)
        if until and until in names:
            break
    return names
