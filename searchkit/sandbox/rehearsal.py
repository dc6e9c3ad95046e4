"""A program and its tests, run in the warm interpreter itself before it forks children for others.

What Python does the first times that code is run (adapting its instructions, filling caches, loading late), each child
would do for itself, on pages that it must copy first. Nothing of this program and of its tests is left behind.
Runs inside the sandbox.
"""

from __future__ import annotations

import contextlib
import gc
import linecache
import os
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

from searchkit.sandbox import judge, player

TESTS = 10  # Python adapts code that was run some eight times; some 30 ms in all
PROGRAM = """
def work(value, *more, key=None):
    if value is None:
        raise ValueError(f"no {key}")
    return value
"""
TEST = """
values = [0, 2**70, 0.5, "text", True, None, (1, 2), [1, [2.5]], {"a": [1]}, {1, 2}]
for value in values[:5] + values[6:]:
    assert _sk_held((work(value) == value))
assert _sk_held((work(3, [1], key="k") == 3))
try:
    work(None, key="value")
    assert _sk_held((False))
except ValueError:
    pass
"""
_JOB = {
    "texts": [PROGRAM], "setup": "", "given": [], "prelude": "", "empty": "", "taken": ["work"], "prompt": "",
    "entry_point": "work", "shapes": [],
}  # fmt: skip
_BRIEF = {
    "case": "", "first": True, "last": True, "ends": True, "moving": [], "own": [], "taken": ["work"], "modules": [],
    "unseen": "", "apart": [], "classes": [], "known": [], "due": [], "stored": ["values", "value"], "text": TEST,
    "code": "", "serial": False,
}  # fmt: skip


def rehearse() -> None:
    """Be the tests' process of a forked program, then the program's of forked tests."""
    tests = [_BRIEF] * TESTS + [{**_BRIEF, "text": "assert _sk_held((work(1) == 2))"}]
    for playing in (False, True):
        with _as_it_was():
            _run(playing, {**_JOB, "tests": tests})
    linecache.clearcache()
    gc.collect()


def _run(playing: bool, job: dict[str, Any]) -> None:
    mine, theirs = socket.socketpair()
    desk, _ = pair = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        mine.close()
        with contextlib.suppress(BaseException):
            _be(not playing, desk, theirs, job)
        os._exit(0)
    theirs.close()
    _be(playing, desk, mine, job)
    for one in (mine, *pair):
        one.close()
    os.waitpid(pid, 0)


def _be(playing: bool, desk: socket.socket, channel: socket.socket, job: dict[str, Any]) -> None:
    if playing:
        with contextlib.suppress(EOFError):
            player.play(channel, job)
    else:
        judge.judge(desk, channel, job)
        channel.close()


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a program and its tests have of their own in a process."""
    modules = {name: sys.modules.get(name) for name in ("__main__", "program")}
    hooks = threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        for name, module in modules.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
