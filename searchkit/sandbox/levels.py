"""Which sandbox there is: found by trying, once a process, with a program that tries to get out."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.sandbox import landlock, seccomp
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import Pool
from searchkit.sandbox.process import Broken
from searchkit.sandbox.report import Case

Level = Literal["auto", "bubblewrap", "landlock", "none"]
LEVELS = ("bubblewrap", "landlock")
"""The levels that protect, best first."""

LEAST_MEMORY, LEAST_OUTPUT = 2**27, 2**12  # bytes; Python itself needs most of the former
_LONG = Limits(cpu=30, wall=60.0)  # for a machine that is busy; the probe needs milliseconds
_PROBE = """
import os, socket

def escapes():
    found = []
    for number, attempt in enumerate((
        os.fork,
        socket.socket,
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.listdir("/proc"),
        lambda: open("/etc/passwd"),
        lambda: open("/tmp/searchkit-probe", "w"),
        lambda: os.chmod("/usr", 0o755),
        lambda: os.open("as-its-owner", os.O_CREAT | os.O_WRONLY, 0o4755),
    )):
        try:
            attempt()
        except OSError:
            continue
        found.append(number)
    with open("scratch", "w") as file:
        file.write("this is allowed")
    os.remove("scratch")
    return found
"""


def choose(sandbox: str) -> str:
    """The level that `sandbox` means here. Raises `ConfigError`, naming the fix, where there is none such."""
    if not hasattr(os, "fork"):
        raise ConfigError("programs run in forked processes, which this system lacks: use Linux, for instance in WSL")
    if sandbox == "none":
        return sandbox
    if sandbox not in ("auto", *LEVELS):
        raise ConfigError(f'sandbox is "auto", "bubblewrap", "landlock" or "none", got {sandbox!r}')
    wanted = LEVELS if sandbox == "auto" else (sandbox,)
    for level in wanted:
        if not trouble(level):
            return level
    reasons = "; ".join(f"{level}: {trouble(level)}" for level in wanted)
    raise ConfigError(
        f"there is no sandbox for programs ({reasons}). Install bubblewrap, or use Linux 6.2 or later with Landlock, "
        'or pass sandbox="none" to run them with nothing but limits, as a user of this machine'
    )


def check(limits: Limits) -> None:
    """Raises `ConfigError` for what is no `Limits`, and for limits under which no program could run."""
    if not isinstance(limits, Limits):
        raise ConfigError(f"limits are Limits(cpu=5, wall=20.0, memory=2**30, output=2**20), got {limits!r:.80}")
    if not isinstance(limits.cpu, int) or limits.cpu < 1 or not limits.wall > 0:
        raise ConfigError(f"limits need whole seconds of cpu >= 1, and wall > 0, got {limits}")
    if limits.memory < LEAST_MEMORY or limits.output < LEAST_OUTPUT:
        raise ConfigError(f"limits need memory >= {LEAST_MEMORY:,} and output >= {LEAST_OUTPUT:,} bytes, got {limits}")


def installed(libraries: tuple[str, ...], what: str, fix: str = "install it") -> tuple[str, ...]:
    """The same names. fix: what to do where one is missing.

    Raises `ConfigError` for packages that are not here, and for what is no tuple of their names.
    """
    if not isinstance(libraries, tuple):
        one = libraries if isinstance(libraries, str) and libraries.isidentifier() else "numpy"
        raise ConfigError(f'{what} packages in a tuple, such as libraries=("{one}",), got {libraries!r:.80}')
    for name in libraries:
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{what} {name!r}: name a package as it is imported, such as 'numpy'")
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise ConfigError(f"{what} {name!r}, which is not installed here: {fix}")
    return libraries


@functools.cache
def trouble(level: str) -> str:
    """Why a level does not work here; "" if it does. Takes a tenth of a second, the first time."""
    if not seccomp.supported():
        return "it needs Linux on a 64-bit x86 or ARM processor, whose system calls it can filter"
    if level == "landlock" and landlock.version() < landlock.LEAST:
        return f"the kernel has version {landlock.version()} of Landlock, and {landlock.LEAST} is needed"
    pool = Pool(1)
    try:
        report = pool.wait(level, Case(_PROBE, ("assert escapes() == []",)), _LONG)
        if report.passed == (True,) and not pool.seen():
            return "its processes cannot be seen in /proc, so that the threads of a program cannot be counted"
    except Broken as error:
        return str(error)
    finally:
        pool.end()
    return "" if report.passed == (True,) else f"a program could get out of it, or not run in it ({report.reason})"
