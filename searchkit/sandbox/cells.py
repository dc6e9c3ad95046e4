"""Cells: pieces of a program, run one after the other in one process, as a notebook does.

Runs inside the sandbox, in the program's process.
"""

from __future__ import annotations

import ast
import io
import linecache
import socket
import sys
import traceback
import types
from typing import Any

from searchkit.sandbox.program import module
from searchkit.sandbox.wire import receive, send

LINKS = 10  # exceptions in a chain


def cells(channel: socket.socket, job: dict[str, Any]) -> None:
    """Answer each cell with what it printed, and the value of its last expression, until the channel ends."""
    made = module("__main__", job["prelude"])
    number = 0
    while True:
        try:
            text = receive(channel, sys.maxsize)
        except EOFError:
            return
        number += 1
        send(channel, _printed(text, f"<cell {number}>", made, job["most"]))


class _Tape(io.StringIO):
    """Keeps what is printed, and of very much only the beginning."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left: int = most

    def write(self, text: str) -> int:
        kept = text[: self.left]
        self.left -= len(kept)
        super().write(kept)
        return len(text)


def _printed(text: str, file: str, made: types.ModuleType, most: int) -> str:
    """What a cell prints; at its end the value of its last expression, or what it raised."""
    tape = _Tape(most)
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = tape
    try:
        _run(text, file, made)
    except BaseException as error:
        tape.write(_told(error))
    finally:
        sys.stdout, sys.stderr = before
    return tape.getvalue()


def _run(text: str, file: str, made: types.ModuleType) -> None:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    tree = ast.parse(text, file)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, file, "exec", dont_inherit=True), made.__dict__)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), made.__dict__)
        if value is not None:
            print(repr(value))


def _told(error: BaseException) -> str:
    """The traceback, with the lines of cells alone: where libraries lie is another matter on each machine."""
    try:
        told = link = traceback.TracebackException.from_exception(error)
        for _ in range(LINKS):
            kept = [frame for frame in link.stack if frame.filename.startswith("<cell ")]
            link.stack = traceback.StackSummary.from_list(kept)
            further = link.__cause__ or link.__context__
            if further is None:
                break
            link = further
        return "".join(told.format())
    except BaseException:  # the program's own exception may refuse to be shown
        return f"{type(error).__name__}\n"
