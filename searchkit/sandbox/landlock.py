"""Landlock: a process gives up access to all files but a few folders, for itself and all that it starts.

Needs no privilege and no helper. It governs opening, creating, renaming and removing; what it does not govern (modes,
owners, times, signals, sockets) is the filter's part, see `seccomp`. Runs inside the sandbox: imports nothing but the
standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable

LEAST = 3
"""The least version that is of use: before it, any file could be truncated. Linux 6.2 has it."""

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on all machines
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, REFER, TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14
ALL = (1 << 15) - 1  # whatever version 3 knows
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER
OF_FILES = EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE


def version() -> int:
    """The version of Landlock that the kernel has; 0 where it has none."""
    try:
        return max(0, int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))))
    except (AttributeError, OSError):  # no Linux
        return 0


def restrict(read: Iterable[str], write: Iterable[str]) -> None:
    """Leave this process the files below `read` and `write`, where they exist. Needs no_new_privs; raises `OSError`."""
    rights = struct.pack("Q", ALL)
    ruleset = _call(CREATE_RULESET, rights, ctypes.c_size_t(len(rights)), ctypes.c_uint(0))
    try:
        for paths, access in ((read, READ), (write, WRITE)):
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    _allow(ruleset, path, access)
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access if os.path.isdir(path) else access & OF_FILES, handle)
        _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0))
    finally:
        os.close(handle)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
