"""A program as a module: its text, perhaps behind a prompt, executed in its own process. Runs inside the sandbox."""

from __future__ import annotations
import __future__

import ast
import builtins
import sys
import types
from collections.abc import Callable
from typing import Any

FILE = "program.py"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag


def module(name: str, prelude: str = "") -> types.ModuleType:
    """An empty module of that name, of a file as a program has one.

    prelude: imports that the program need not make. What they bind is known as Python's own names are, and is nothing
    that the program defines; Python's own come first.
    """
    made = sys.modules[name] = types.ModuleType(name)
    made.__file__ = FILE
    if prelude:
        given: dict[str, Any] = {}
        exec(compile(prelude, "<prelude>", "exec", dont_inherit=True), given)
        made.__dict__["__builtins__"] = {**given, **vars(builtins)}
    return made


def run(job: dict[str, Any], name: str) -> None:
    """Execute the program from its first line to its last. Raises what it raises."""
    made = module(name, job["prelude"])
    for source in sources(job["text"], job["prompt"], job["entry_point"]):
        exec(compile(source, FILE, "exec", dont_inherit=True), made.__dict__)


def execute(job: dict[str, Any], made: types.ModuleType) -> BaseException | None:
    """Execute the program for what it defines; the first thing that it raised meanwhile.

    A statement that raises is left out, with no harm to the functions around it: programs show how they are used, and
    read what nobody types.
    """
    _execute([job["setup"]] if job["setup"] else [], made)
    given = {name: made.__dict__[name] for name in defined(job["setup"]) if name in made.__dict__}
    trouble = _execute(sources(job["text"], job["prompt"], job["entry_point"]), made)
    made.__dict__.update(given)  # as in a file in which the tests stand behind the program
    return trouble


def _execute(texts: list[str], made: types.ModuleType) -> BaseException | None:
    trouble: BaseException | None = None
    for source in texts:
        flags, rest = 0, None
        try:
            code = compile(source, FILE, "exec", dont_inherit=True)
        except BaseException as error:
            trouble = trouble or error
            continue
        while True:
            try:
                exec(code, made.__dict__)
                break
            except BaseException as error:
                trouble = trouble or error
                rest = ast.parse(source).body if rest is None else rest
                flags, rest = code.co_flags & _FUTURE, _after(rest, error)
            code = compile(ast.Module(rest, []), FILE, "exec", flags, dont_inherit=True)
    return trouble


def _after(statements: list[ast.stmt], error: BaseException) -> list[ast.stmt]:
    """The statements after the one that raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE:
        trace = trace.tb_next
    line = sys.maxsize if trace is None else trace.tb_lineno
    return [one for one in statements if min(n.lineno for n in (one, *getattr(one, "decorator_list", ()))) > line]


def sources(text: str, prompt: str, entry_point: str) -> list[str]:
    """What is executed, in this order: the prompt and a whole program, or the prompt as the program continues it."""
    if not prompt:
        return [text]
    whole = entry_point in defined(text) or (_parsed(text) is not None and lacks(text, prompt, entry_point))
    return [preamble(prompt), text] if whole else [prompt + text]


def lacks(text: str, prompt: str, entry_point: str) -> bool:
    """Whether a program does not define the entry point by itself, and does not go on from the prompt that begins it.

    What it then has of that name is a method of its class `Solution`, or nothing: the prompt's function is empty.
    """
    tree, whole = _parsed(text), _parsed(prompt + text)
    if not prompt or not entry_point or entry_point in defined(text):
        return False
    if tree is not None and any(_is_solution(node, entry_point) for node in tree.body):
        return True
    if whole is None:
        return tree is not None and entry_point in defined(preamble(prompt))  # it has no body, and this is none
    functions = [node for node in whole.body if isinstance(node, _FUNCTIONS) and node.name == entry_point]
    return bool(functions) and all(map(_is_nothing, functions[-1].body))


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


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


def defined(text: str) -> set[str]:
    """The functions, classes and variables of a text; none where it is no Python."""
    tree = _parsed(text)
    return set() if tree is None else {name for node in tree.body for name in _defined(node)}


def preamble(prompt: str, parse: Callable[[str], ast.Module] = ast.parse) -> str:
    """The beginning of a program as a program: a function whose body is missing does nothing.

    parse: Python's parser; outside the sandbox, where several threads use it, the one of `searchkit.parsing`.
    """
    try:
        parse(prompt)
    except SyntaxError:
        last = prompt.rstrip().rpartition("\n")[2]
        margin = last[: len(last) - len(last.lstrip())] + "    " * last.endswith(":")
        return f"{prompt.rstrip()}\n{margin or '    '}pass\n"
    return prompt


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
