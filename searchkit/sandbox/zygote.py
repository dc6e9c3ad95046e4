"""A warm interpreter: has imported what programs import, and forks a confined child for each of them.

It never reads a program: what it is sent is a kind and limits, and the ends of sockets that the child talks through. It
waits for the child, and says how that ended. It ends when its parent does, and takes the child with it. Runs inside
the sandbox.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from searchkit.sandbox import cells, judge, landlock, libraries, limits, measured, player, rehearsal, script, seccomp
from searchkit.sandbox.wire import BORN, receive

COMMON = (
    "abc", "array", "bisect", "calendar", "cmath", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "heapq", "io", "itertools", "json", "math", "numbers",
    "operator", "queue", "random", "re", "statistics", "string", "struct", "textwrap", "threading", "time", "typing",
)  # fmt: skip
DESK, CHANNEL, FIRST_FREE = 3, 4, 5  # the child's descriptors: its job comes through one, calls through the other
LONGEST_JOB = 2**26  # bytes
TICK = 0.02  # seconds between two looks at the scratch folder
SET_PDEATHSIG, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38


def main() -> None:
    """Serve until the parent closes the control socket, which is stdin."""
    control = socket.socket(fileno=os.dup(0))
    config = receive(control, LONGEST_JOB)
    sys.argv = sys.orig_argv = ["program.py"]  # what a program sees of how it was started
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(null, 2)
    for name in COMMON:
        importlib.import_module(name)
    libraries.preload(config["libraries"])
    libraries.guard(config["libraries"])
    confined = None if config["level"] == "none" else seccomp.Filter()
    os.chdir(config["scratch"])
    if confined is not None:
        _give_up_privileges()
    if config["level"] == "landlock":
        landlock.restrict(config["read"], [config["scratch"], os.devnull])
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    rehearsal.rehearse()
    gc.freeze()  # a child that collects need not copy what was here before it
    control.sendall(b"!")
    while True:
        request, handles, *_ = socket.recv_fds(control, 4096, 3)
        if not request:
            return
        job = json.loads(request)
        pid = os.fork()
        if pid == 0:
            control.sendall(BORN)  # so that the parent learns its number
            signal.set_wakeup_fd(-1)
            _child(job, handles, confined)
        for handle in handles:
            os.close(handle)
        control.sendall(json.dumps(_wait(pid, control, woken, config)).encode())


def _wait(pid: int, control: socket.socket, woken: int, config: dict[str, Any]) -> dict[str, Any]:
    """How the child ended: its status, its CPU seconds, what its scratch folder had too much of, if it is empty now."""
    full = ""
    while True:
        waited: list[Any] = [woken, control]
        ready, _, _ = select.select(waited, [], [], TICK)
        if woken in ready:
            os.read(woken, 4096)
        elif control in ready:  # the parent is gone, or gives up: both mean the end
            os.kill(pid, signal.SIGKILL)
            os._exit(1)
        elif full := full or measured.too_much(config["scratch"]):
            os.kill(pid, signal.SIGKILL)
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            clean = _is_empty(config["scratch"])
            return {"status": status, "cpu": used.ru_utime + used.ru_stime, "full": full, "clean": clean}


def _is_empty(folder: str) -> bool:
    """Whether a program has left nothing; not where that cannot be seen."""
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _child(job: dict[str, Any], handles: list[int], confined: seccomp.Filter | None) -> NoReturn:
    """Confine this process, then be a program or its tests. Never returns to the loop of the zygote."""
    moved = [fcntl.fcntl(handle, fcntl.F_DUPFD, 64) for handle in handles]  # out of the way of the numbers they get
    targets = (DESK, 1, 0) if job["kind"] == "script" else (DESK, 1, CHANNEL)
    for handle, target in zip(moved, targets, strict=True):
        os.dup2(handle, target, inheritable=False)
    os.closerange(FIRST_FREE - (job["kind"] == "script"), 1024)
    desk = socket.socket(fileno=DESK)
    channel = None if job["kind"] == "script" else socket.socket(fileno=CHANNEL)
    code = 0
    try:
        limits.apply(limits.Limits(**job["limits"]))
        if sys.platform == "linux":
            seccomp.LIBC.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if confined is not None:
            confined.install()
        for seed in _generators():  # the program's own: the same program does the same each time
            seed(0)
        _work(job["kind"], desk, channel, receive(desk, LONGEST_JOB))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        code = 1
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(code & 255)


def _work(kind: str, desk: socket.socket, channel: socket.socket | None, job: dict[str, Any]) -> None:
    if channel is None:
        script.script(desk, job)
    elif kind == "cells":
        cells.cells(channel, job)
    else:
        judge.judge(desk, channel, job) if kind == "judge" else player.play(channel, job)


def _generators() -> Iterator[Callable[[int], None]]:
    """What seeds the generators of random numbers that are loaded."""
    yield sys.modules["random"].seed
    if "numpy.random" in sys.modules:
        yield sys.modules["numpy.random"].seed


def _give_up_privileges() -> None:
    """Root's too: without capabilities root is a user who owns files, and is bound to its limits.

    Nor is this process one whose links in /proc other processes of its user may follow, as its programs are.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SET_DUMPABLE, 0, 0, 0, 0) or libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "cannot give up privileges")
