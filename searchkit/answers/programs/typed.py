"""Whether a piece of Python reads what is typed: by Python's own functions, not by names that look like them."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

_OPENING = {"open", "fdopen", "FileIO"}
_INPUT = {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}
_STREAMS = {"stdin", "__stdin__"}
_BUILTINS = ("builtins", "__builtins__")
_WORDS = ("input", "stdin", "open", "Path", "FileIO", "read")  # one of which each way needs


def reads(text: str, tree: ast.Module, table: symtable.SymbolTable) -> bool:
    """Whether some place of a text reads standard input: `input` as Python's own, `sys.stdin`, `open(0)`, `fileinput`.

    tree, table: of that text.
    """
    if text.isascii() and not any(word in text for word in _WORDS):
        return False
    modules = dict(_modules(tree))
    streams = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "sys"
        for alias in node.names
        if alias.name in _STREAMS
    }
    if any(
        isinstance(node, ast.ImportFrom) and node.module == "sys" and node.names[0].name == "*" for node in tree.body
    ):
        streams.add("stdin")
    return _uses_own(table, "input") or any(_reads(node, modules, streams) for node in ast.walk(tree))


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names of imported modules, with the modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom) and node.module == "fileinput":
            yield from ((alias.asname or alias.name, "fileinput") for alias in node.names)


def _reads(node: ast.AST, modules: dict[str, str], streams: set[str]) -> bool:
    if isinstance(node, ast.Name):
        read = isinstance(node.ctx, ast.Load)
        return read and (node.id in streams or modules.get(node.id) == "fileinput")
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
        module = modules.get(node.value.id, node.value.id)
        return (module == "sys" and node.attr in _STREAMS) or (module in _BUILTINS and node.attr == "input")
    if not isinstance(node, ast.Call) or not node.args:
        return False
    first = node.args[0]
    if not isinstance(first, ast.Constant) or not (
        first.value in _INPUT or (first.value == 0 and first.value is not False)
    ):
        return False
    if isinstance(node.func, ast.Attribute):
        is_read = node.func.attr == "read" and isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
        return is_read or node.func.attr in _OPENING
    return isinstance(node.func, ast.Name) and node.func.id in _OPENING | {"Path"}


def _uses_own(table: symtable.SymbolTable, name: str) -> bool:
    """Whether it is used where it is Python's own: bound neither there, nor around, nor in the module."""
    top = _symbol(table, name)
    if top is not None and (top.is_assigned() or top.is_imported() or top.is_namespace()):
        return False
    waiting, used = [table], False
    while waiting:
        inner = waiting.pop()
        waiting.extend(inner.get_children())
        one = _symbol(inner, name)
        if one is None:
            continue
        if inner is not table and one.is_declared_global() and one.is_assigned():
            return False
        used = used or (one.is_referenced() and (inner is table or one.is_global()))
    return used


def _symbol(table: symtable.SymbolTable, name: str) -> symtable.Symbol | None:
    try:
        return table.lookup(name)
    except KeyError:
        return None
