"""How a prompt and a program go together: what is executed, read once and outside, not by each process that runs it."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterable
from typing import Any

from searchkit.answers.programs.scope import parsed, quiet
from searchkit.parsing import parse
from searchkit.sandbox.brief import Brief
from searchkit.sandbox.report import Case

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def job(case: Case) -> dict[str, Any]:
    """What the program's process is told.

    texts: what is executed, in this order. setup, given: what of the tests is executed before, and the names that it
    defines. empty: the entry point, where what is called so is the prompt's empty function. taken: what the tests ask
    for first. shapes: see `shapes`.
    """
    text, prompt, name = case.text, case.prompt, case.entry_point
    with quiet():
        return {
            "texts": sources(text, prompt, name),
            "setup": case.setup,
            "given": sorted(defined(case.setup)) if case.setup else [],
            "prelude": case.prelude,
            "empty": name if lacks(text, prompt, name) else "",
            "taken": [name] if name else [],
            "shapes": shapes(prompt, case.setup),
        }


@functools.lru_cache(1000)
def shapes(prompt: str, setup: str) -> list[str]:
    """The classes that the prompt and the setup define, which both processes have."""
    texts = [text for text in (prompt and preamble(prompt), setup) if "class " in text]
    trees = [tree for text in texts if (tree := parsed(text)) is not None]
    return sorted({node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)})


def sources(text: str, prompt: str, entry_point: str) -> list[str]:
    """What is executed, in this order: the prompt and a whole program, or the prompt as the program continues it."""
    if not prompt:
        return [text]
    whole = entry_point in defined(text) or (parsed(text) is not None and lacks(text, prompt, entry_point))
    return [preamble(prompt), text] if whole else [prompt + text]


def lacks(text: str, prompt: str, entry_point: str) -> bool:
    """Whether a program does not define the entry point by itself, and does not go on from the prompt that begins it.

    What it then has of that name is a method of its class `Solution`, or nothing: the prompt's function is empty.
    """
    if not prompt or not entry_point or entry_point in defined(text):
        return False
    tree, whole = parsed(text), parsed(prompt + text)
    if tree is not None and any(_is_solution(node, entry_point) for node in tree.body):
        return True
    if whole is None:
        return tree is not None and entry_point in defined(preamble(prompt))  # it has no body, and this is none
    functions = [node for node in whole.body if isinstance(node, _FUNCTIONS) and node.name == entry_point]
    return bool(functions) and all(map(_is_nothing, functions[-1].body))


def defined(text: str) -> set[str]:
    """The functions, classes and variables of a text; none where it is no Python."""
    tree = parsed(text)
    return set() if tree is None else {name for node in tree.body for name in _defined(node)}


@functools.lru_cache(1000)
def preamble(prompt: str) -> str:
    """The beginning of a program as a program: a function whose body is missing does nothing."""
    try:
        parse(prompt)
    except SyntaxError:
        last = prompt.rstrip().rpartition("\n")[2]
        margin = last[: len(last) - len(last.lstrip())] + "    " * last.endswith(":")
        return f"{prompt.rstrip()}\n{margin or '    '}pass\n"
    return prompt


def of_use(prompt: str, entry_point: str, tests: Iterable[Brief]) -> str:
    """What of a prompt its tests must execute: nothing, where it does no more than define what none of them reads.

    What is called as the entry point is the program's.
    """
    made = _definitions(prompt) if prompt else frozenset[str]()
    used = made is None or any(not made.isdisjoint({*test.read} - {entry_point}) for test in tests)
    return preamble(prompt) if used else ""


@functools.lru_cache(1000)
def _definitions(prompt: str) -> frozenset[str] | None:
    """The names that a prompt imports and defines; None where it may do more than that, or raise."""
    tree = parsed(preamble(prompt))
    if tree is None:
        return None
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    known = {*dir(builtins), *(one.asname or one.name.partition(".")[0] for node in imports for one in node.names)}
    made = set[str]()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and _reads(node) <= known:
            made.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node):
            return None
    return None if "*" in known else frozenset(made | known - {*dir(builtins)})


def _reads(node: ast.FunctionDef) -> set[str]:
    """The names that a definition evaluates; "?" where it evaluates more than names and what is in them."""
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    parts = [one.annotation for one in every if one is not None]
    nodes = [
        one for part in (*parts, node.returns, *given.defaults, *given.kw_defaults) if part for one in ast.walk(part)
    ]
    plain = all(isinstance(one, ast.Name | ast.Subscript | ast.Tuple | ast.Constant | ast.Load) for one in nodes)
    return {one.id for one in nodes if isinstance(one, ast.Name)} if plain else {"?"}


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_solution(node: ast.stmt, name: str) -> bool:
    """Whether it is a class `Solution` with that method."""
    if not isinstance(node, ast.ClassDef) or node.name != "Solution":
        return False
    return any(isinstance(one, _FUNCTIONS) and one.name == name for one in node.body)


def _is_nothing(node: ast.stmt) -> bool:
    """`pass`, `...`, a docstring, `raise NotImplementedError`, a definition that nothing uses."""
    if isinstance(node, ast.Raise):
        return node.exc is not None and ast.unparse(node.exc).startswith("NotImplementedError")
    nothing = isinstance(node, ast.Pass | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return nothing or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
