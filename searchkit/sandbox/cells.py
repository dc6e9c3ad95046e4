"""Cells: pieces of a program, run one after the other in one process, as a notebook does.

Runs inside the sandbox, in the program's process. What is used here between cells was taken hold of before the first
of them, and is written in C where it matters: a cell may put anything in the place of any name of any module.
"""

from __future__ import annotations

import ast
import builtins
import io
import linecache
import sys
import traceback
import types
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

from searchkit.sandbox.program import module
from searchkit.sandbox.wire import HEADER

if TYPE_CHECKING:
    import socket

LINKS = 10  # exceptions in a chain
NONCE = 32  # characters of a request that come again in its answer

# Those of all functions below, whatever becomes of the module.
__builtins__ = {**vars(builtins)}  # type: ignore[assignment]
_LINES, _TREE = linecache.cache, ast.PyCF_ONLY_AST
_Expr, _Expression, _Traceback, _Stack = ast.Expr, ast.Expression, traceback.TracebackException, traceback.StackSummary


def cells(channel: socket.socket, job: dict[str, Any]) -> None:
    """Answer each cell with what it printed, and the value of its last expression, until the channel ends."""
    made = module("__main__", job["prelude"])
    recv, send, unpack, pack = channel.recv, channel.sendall, HEADER.unpack, HEADER.pack
    scan, quoted = scanstring, encode_basestring_ascii
    number = 0
    while head := _exactly(recv, HEADER.size):
        asked, _ = scan(_exactly(recv, unpack(head)[0]).decode(), 1)
        number += 1
        said = _printed(asked[NONCE:], f"<cell {number}>", made, job["most"])
        body = quoted(asked[:NONCE] + said).encode()
        send(pack(len(body)) + body)


def _exactly(recv: Callable[[int], bytes], length: int) -> bytes:
    """So many bytes; none at the end of the channel."""
    found = b""
    while len(found) < length:
        part = recv(length - len(found))
        if not part:
            return b""
        found += part
    return found


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
        _run(text, file, made, tape)
    except BaseException as error:
        tape.write(_told(error))
    finally:
        sys.stdout, sys.stderr = before
    return tape.getvalue()


def _run(text: str, file: str, made: types.ModuleType, tape: _Tape) -> None:
    names = made.__dict__
    names.setdefault("__builtins__", builtins)  # else it would be given ours
    _LINES[file] = (len(text), None, text.splitlines(keepends=True), file)
    tree: ast.Module = compile(text, file, "exec", _TREE, dont_inherit=True)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, _Expr):
        tree.body.pop()
    exec(compile(tree, file, "exec", dont_inherit=True), names)
    if isinstance(last, _Expr):
        value = eval(compile(_Expression(last.value), file, "eval", dont_inherit=True), names)
        if value is not None:
            tape.write(f"{value!r}\n")


def _told(error: BaseException) -> str:
    """The traceback, with the lines of cells alone: where libraries lie is another matter on each machine."""
    try:
        told = link = _Traceback.from_exception(error)
        for _ in range(LINKS):
            kept = [frame for frame in link.stack if frame.filename.startswith("<cell ")]
            link.stack = _Stack.from_list(kept)
            further = link.__cause__ or link.__context__
            if further is None:
                break
            link = further
        return "".join(told.format())
    except BaseException:  # the program's own exception may refuse to be shown
        return f"{type(error).__name__}\n"
