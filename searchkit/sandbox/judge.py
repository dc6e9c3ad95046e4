"""The tests' process: executes the tests, in which the program's functions are calls to another process.

No code of the program ever runs here: what it answers are plain values and numbers of objects. Whatever it does to its
own process, an assertion of the tests is evaluated by this one. Runs inside the sandbox, since tests may be generated.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import socket
import sys
import traceback
from typing import Any

from searchkit.sandbox.channel import Channel, Gone, Opaque, Remote
from searchkit.sandbox.player import preamble
from searchkit.sandbox.wire import send

LONGEST_REASON = 300  # characters


def judge(desk: socket.socket, stream: socket.socket, job: dict[str, Any]) -> None:
    """Run each test; send [passed, reason] for each as it ends, then "end"."""
    channel = Channel(stream, job["most"])
    base: dict[str, Any] = {"__name__": "tests"}
    trouble = _prepared(job["prompt"], base) or _started(channel)
    for test in job["tests"]:
        reason = trouble or _run(channel, test, dict(base), job["entry_point"])
        send(desk, [not reason, "".join(c if c.isprintable() else " " for c in reason[:LONGEST_REASON])])
    send(desk, "end")


def _prepared(prompt: str, names: dict[str, Any]) -> str:
    """Why the prompt cannot be executed; "" if it was. It is trusted, so that its helpers are not the program's."""
    try:
        exec(compile(preamble(prompt), "<prompt>", "exec"), names)
    except BaseException as error:
        return f"the prompt raised {type(error).__name__}"
    return ""


def _started(channel: Channel) -> str:
    """Why the program cannot be called; "" if it can."""
    try:
        channel.reply()
    except BaseException as error:
        return reason_of(error, "")
    return ""


def _run(channel: Channel, test: str, names: dict[str, Any], entry_point: str) -> str:
    """Why the test failed; "" if it passed, which is: it ran to its end, and so did every call that it made."""
    try:
        tree = ast.parse(test)
        _bind(channel, tree, names, entry_point)
        exec(compile(tree, "<test>", "exec"), names)
    except BaseException as error:
        return reason_of(error, "<test>")
    return channel.trouble


def _bind(channel: Channel, tree: ast.Module, names: dict[str, Any], entry_point: str) -> None:
    """Give the test what it uses of the program: `entry_point`, or where none is named each name without a meaning.

    The prompt's and Python's own names have one, and a module of the standard library is that and not what the program
    calls so: a program must not redefine what it is measured with.
    """
    nodes = list(ast.walk(tree))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    bases = [id(node.value) for node in nodes if isinstance(node, ast.Attribute)]
    bare = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in bases}
    root = Remote(channel, 0)
    for name in sorted(used):
        if name != entry_point and (name in names or hasattr(builtins, name)):
            continue
        if name != entry_point and name not in bare and name in sys.stdlib_module_names:
            names[name] = __import__(name)
        elif name == entry_point or not entry_point:
            with contextlib.suppress(AttributeError):
                names.pop(name, None)  # the prompt's empty function is not the program's
                names[name] = channel.ask("get", root, name)


def reason_of(error: BaseException, file: str) -> str:
    """Where a test failed and by what. It quotes the program and no test: feedback must not give answers away."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"line {lines[-1]}: " if lines else ""
    if isinstance(error, Gone):
        return where + str(error)
    notes = getattr(error, "__notes__", [])
    if notes:
        return f"{where}{notes[0]}"
    said = f": {error}" if isinstance(error, NameError | Opaque) else ""
    return f"{where}{type(error).__name__}{said}"
