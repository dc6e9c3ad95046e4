"""What a piece of Python defines and what it needs from elsewhere; parsed, never compiled, never run.

A parser is the one exact judge of what is Python. It takes linear time and refuses deep nesting by itself; compiling
would not be safe here (nested `finally` blocks double the code).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import re
import symtable
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.answers.programs.typed import reads
from searchkit.parsing import parse

LONGEST = 100_000
"""Characters of a program; a longer one is neither parsed nor run."""

_LOCK = threading.Lock()
_STAR = re.compile(r"import[\s\\]*\*")
_INERT = (
    ast.Name, ast.Constant, ast.Attribute, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp, ast.Compare,
    ast.BoolOp, ast.Subscript, ast.Slice, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip


def _forget() -> None:
    """In a forked child, where no other thread is there to give the lock back."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@dataclass(frozen=True)
class Scope:
    """The names of one piece.

    - made: names that it binds by `def`, `class` or an assignment.
    - functions: those of them that are functions and classes.
    - stubs: those of them that only stand for a body: a signature that is shown, not a version.
    - imported: names that it imports; "*" where it imports all of a module.
    - changed: names into which it stores (`memo[0] = 1`) without binding them.
    - needed: names that it uses and neither binds nor imports.
    - used: all global names that its functions use, its own too.
    - sets: it imports, and sets a limit of the interpreter, and does nothing else.
    - reads: it reads what is typed.
    - acts: some statement does more than bind names.
    - says: some statement is more than a name, a number or a display of some, as what a program printed is.
    - clean: all are, but for texts.
    """

    made: frozenset[str]
    functions: frozenset[str]
    stubs: frozenset[str]
    imported: frozenset[str]
    changed: frozenset[str]
    needed: frozenset[str]
    used: frozenset[str]
    sets: bool
    reads: bool
    acts: bool
    says: bool
    clean: bool


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Python's warnings about a text that is only looked at; one thread at a time, since filters are global."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


SHORT = 5000  # characters; a tree has some hundred bytes for each
MOST_FIELDS = 5000  # braces of a text with f-strings: Python's parser takes time that is quadratic in their fields
_FORMATTED = re.compile(r"\b(?:[fF][rR]?|[rR][fF])[\"']")


def parsed(text: str) -> ast.Module | None:
    """The tree of a text; None if it is no Python, too long, or has more fields in f-strings than Python can read.

    A short text is looked at again and again by those who read it: its tree is kept for a while. Nobody may change it.
    """
    return _kept(text) if len(text) <= SHORT else _parsed(text)


def _parsed(text: str) -> ast.Module | None:
    if len(text) > LONGEST or (text.count("{") > MOST_FIELDS and _FORMATTED.search(text)):
        return None
    try:
        return parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_kept = functools.lru_cache(16)(_parsed)


def scope(text: str, tree: ast.Module) -> Scope | None:
    """What the text, whose tree this is, binds and needs; None if Python finds its scopes at fault."""
    try:
        table = symtable.symtable(text, "program.py", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    symbols = table.get_symbols()
    imported = {one.get_name() for one in symbols if one.is_imported()}
    made = {one.get_name() for one in symbols if one.is_assigned() and not one.is_imported()}
    functions = {one.get_name() for one in symbols if one.is_namespace()}
    used = frozenset(_used_inside(table))
    loose = {one.get_name() for one in symbols if one.is_referenced()}
    if _STAR.search(text) and any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)
    ):
        imported.add("*")
    made |= functions
    return Scope(
        made=frozenset(made),
        functions=frozenset(functions),
        stubs=frozenset(_stubs(tree)),
        imported=frozenset(imported),
        changed=frozenset(_changed(tree)) - made,
        needed=(used | loose) - made - imported,
        used=used,
        sets=_sets(tree),
        reads=reads(text, tree, table),
        acts=any(_acts(node) for node in tree.body),
        says=any(says(node) for node in tree.body),
        clean=all(says(node) or _is_text(node) for node in tree.body),
    )


def says(node: ast.stmt) -> bool:
    """Whether a statement can be meant as one: a word, a number or a list of them may be prose or output."""
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    if not isinstance(node, ast.Expr):
        return True
    return not all(isinstance(one, _INERT) and not _fails(one) for one in ast.walk(node.value))


def _fails(node: ast.AST) -> bool:
    """Whether it divides by the number 0, which no output does."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
        and isinstance(node.right, ast.Constant)
        and node.right.value == 0
    )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def returns_outside(tree: ast.Module) -> bool:
    """Whether there is a `return` in no function: what the parser lets pass and Python does not."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            return True
        if not isinstance(node, ast.expr | ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _used_inside(table: symtable.SymbolTable) -> Iterator[str]:
    """The global names that functions and classes use."""
    waiting = list(table.get_children())
    while waiting:
        inner = waiting.pop()
        waiting.extend(inner.get_children())
        for one in inner.get_symbols():
            if one.is_declared_global() or (one.is_global() and one.is_referenced()):
                yield one.get_name()


def _changed(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign):
            targets = [node.target]
        for target in targets:
            while isinstance(target, ast.Attribute | ast.Subscript):
                target = target.value
            if isinstance(target, ast.Name):
                yield target.id


def _stubs(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and all(map(_is_nothing, node.body)):
            yield node.name


def _is_nothing(node: ast.stmt) -> bool:
    """`pass`, `...`, a docstring, `raise NotImplementedError`."""
    if isinstance(node, ast.Raise):
        return isinstance(node.exc, ast.Name | ast.Call) and "NotImplemented" in ast.unparse(node.exc)[:40]
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _sets(tree: ast.Module) -> bool:
    others = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return bool(others) and all(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in ("setrecursionlimit", "stack_size", "set_int_max_str_digits")
        for node in others
    )


def _acts(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return says(node)
    return isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Assert | ast.Raise | ast.Match)
