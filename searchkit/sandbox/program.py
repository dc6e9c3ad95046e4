"""A program as a module: its text, perhaps behind a prompt, executed in its own process. Runs inside the sandbox."""

from __future__ import annotations
import __future__

import ast
import sys
import types
from typing import Any

FILE = "program.py"
_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag


def module(name: str) -> types.ModuleType:
    """An empty module of that name, of a file as a program has one."""
    made = sys.modules[name] = types.ModuleType(name)
    made.__file__ = FILE
    return made


def run(job: dict[str, Any], name: str) -> None:
    """Execute the program from its first line to its last. Raises what it raises."""
    made = module(name)
    for source in sources(job["text"], job["prompt"], job["entry_point"]):
        exec(compile(source, FILE, "exec", dont_inherit=True), made.__dict__)


def execute(job: dict[str, Any], made: types.ModuleType) -> BaseException | None:
    """Execute the program for what it defines; the first thing that it raised meanwhile.

    A statement that raises is left out, with no harm to the functions around it: programs show how they are used, and
    read what nobody types.
    """
    trouble: BaseException | None = None
    for source in sources(job["text"], job["prompt"], job["entry_point"]):
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
    try:
        found = {name for node in ast.parse(text).body for name in _defined(node)}
    except (SyntaxError, ValueError):
        found = set()
    return [preamble(prompt), text] if entry_point in found else [prompt + text]


def preamble(prompt: str) -> str:
    """The beginning of a program as a program: a function whose body is missing does nothing."""
    try:
        ast.parse(prompt)
    except SyntaxError:
        return prompt.rstrip() + "\n    pass\n"
    return prompt


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
