"""Programs that say the same to Python: one key for texts that differ in what Python does not read."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from searchkit.answers.programs.meant import is_program
from searchkit.answers.programs.program import program
from searchkit.answers.programs.scope import LONGEST
from searchkit.parsing import parse

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def syntax_key(value: Any) -> str | None:
    """A digest of the syntax tree of the program that a text holds, for votes and for finding duplicates.

    Comments, blank lines, the style of quotes and of numbers, brackets without meaning and docstrings do not count;
    names and the order of statements do. Docstrings count where the program looks at them (``__doc__``, ``getdoc``,
    ``doctest``). None, which is no answer, for a text without a program and for one that Python does not parse.

    value: a text, in which the program is found as in a reply; or a mapping from paths to texts, all files that a patch
    has changed: those that end in ``.py`` are compared so, others as they are. Files that are empty or missing count,
    too: give the same paths for all patches. A mapping without files, or with Python that does not parse, is None.

    Cost: time linear in the text. Source: Agentless (Xia et al. 2024), which compares normalised patches.

    >>> syntax_key("x = 'a'  # why") == syntax_key('x = "a"') != syntax_key("x = 'b'")
    True
    """
    if isinstance(value, Mapping):
        return _of_files(value)
    if not isinstance(value, str):
        return None
    found = program(value)
    return _digest(found) if is_program(found) else None


def _of_files(files: Mapping[Any, Any]) -> str | None:
    made = list[str]()
    for path in sorted(files, key=str):
        text = str(files[path])
        key = _digest(text) if str(path).endswith(".py") else repr(text)
        if key is None:
            return None
        made.append(f"{path!s:}\0{len(key)}\0{key}")
    return _hashed("\0".join(made)) if made else None


def _digest(text: str) -> str | None:
    if len(text) > LONGEST:
        return None
    try:
        tree = parse(text)
        if not any(word in text for word in ("__doc__", "getdoc", "doctest")):
            _without_docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant):
                node.kind = None  # u"a" is "a"
        return _hashed(ast.dump(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [ast.Pass()] if len(node.body) == 1 else []


def _hashed(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
