"""A program that reads and prints, as `python program.py` would run it, from its start to its last output.

Runs inside the sandbox, in the program's process.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import io
import os
import socket
import sys
import threading
from typing import Any

from searchkit.sandbox import libraries
from searchkit.sandbox.errors import LONGEST_MESSAGE
from searchkit.sandbox.program import run
from searchkit.sandbox.wire import send

# Names of what a program reads and prints: the sandbox shows no such files, but the descriptors are there.
STREAMS = {
    f"{folder}{name}": number
    for number, word in enumerate(("stdin", "stdout", "stderr"))
    for folder, name in (("/dev/", word), ("/dev/fd/", str(number)), ("/proc/self/fd/", str(number)))
}


def script(desk: socket.socket, job: dict[str, Any]) -> None:
    """Run the program; leaves by what it raises, and says what that was, or which library it lacked."""
    atexit._clear()  # what was here before the program
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    builtins.open = io.open = _opened
    try:
        run(job, "__main__")
    except SystemExit:
        raise
    except BaseException as error:
        text = ""
        with contextlib.suppress(BaseException):
            text = f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
        send(desk, [libraries.lacking(error), text])
        raise
    finally:
        _leave()


def _leave() -> None:
    """As Python does at its end: threads, functions registered for it, and then files that nobody closed."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    with contextlib.suppress(BaseException):
        vars(sys.modules["__main__"]).clear()
        gc.collect()


_open = builtins.open


def _opened(file: Any, *args: Any, **kwargs: Any) -> Any:
    """As `open`, for the names of what is read and printed, too."""
    number = STREAMS.get(os.fspath(file)) if isinstance(file, str | os.PathLike) else None
    if number is None:
        return _open(file, *args, **kwargs)
    return _open(os.dup(number), *args, **kwargs)
