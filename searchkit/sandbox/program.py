"""A program as a module: its text, perhaps behind a prompt, executed in its own process. Runs inside the sandbox."""

from __future__ import annotations
import __future__

import ast
import builtins
import sys
import types
from typing import Any

FILE = "program.py"
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
    for source in job["texts"]:
        exec(compile(source, FILE, "exec", dont_inherit=True), made.__dict__)


def execute(job: dict[str, Any], made: types.ModuleType) -> BaseException | None:
    """Execute the program for what it defines; the first thing that it raised meanwhile.

    A statement that raises is left out, with no harm to the functions around it: programs show how they are used, and
    read what nobody types.
    """
    _execute([job["setup"]] if job["setup"] else [], made)
    given = {name: made.__dict__[name] for name in job["given"] if name in made.__dict__}
    trouble = _execute(job["texts"], made)
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
