"""The outside of a warm interpreter: starts it in its sandbox, hands it children to fork, kills it with all of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from searchkit.sandbox import bubblewrap
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.wire import send

START = 60.0
"""Seconds for an interpreter to start; ordinarily a tenth of one."""
PATIENCE = 10.0
"""Seconds for a child to end that has nothing more to do."""

HERE = Path(__file__).resolve().parent
# Modules of this folder under their own names, without the packages above: nothing else of ours is there to import.
_BOOT = """
import sys, types
name = ""
for part in ("searchkit", "sandbox"):
    name = (name + "." + part).lstrip(".")
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
sys.modules[name].__path__ = [sys.argv.pop(1)]
from searchkit.sandbox.zygote import main
main()
"""
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache")


class Broken(Exception):
    """The sandbox itself failed, which says nothing about the program."""


@dataclass(frozen=True)
class Ended:
    """How a child ended. status: as of `os.wait`. cpu: seconds. full: it was killed for filling its scratch folder.

    clean: the scratch folder is empty.
    """

    status: int
    cpu: float
    full: bool
    clean: bool


class Interpreter:
    """One warm interpreter at a sandbox level, with at most one child at a time."""

    def __init__(self, level: str, libraries: tuple[str, ...] = ()) -> None:
        """Start it, with these packages imported. Raises `Broken`, with what it said."""
        if level == "bubblewrap" and bubblewrap.available() is None:
            raise Broken("it is not installed")
        self.folder: str | None = None if level == "bubblewrap" else tempfile.mkdtemp(prefix="searchkit-code-")
        self.control, inner = socket.socketpair()
        with tempfile.TemporaryFile() as said:
            try:
                self.process: subprocess.Popen[bytes] = subprocess.Popen(
                    _command(level), stdin=inner.fileno(), stdout=subprocess.DEVNULL,
                    stderr=said, env=_environment(self.folder or bubblewrap.HOME), cwd="/", start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                self._forget()
                raise Broken(str(error)) from error
            finally:
                inner.close()
            self.control.settimeout(START)
            self._configure(level, libraries)
            if self._said() != b"!":
                self.kill()
                said.seek(0)
                lines = said.read(10_000).decode(errors="replace").strip().splitlines()
                raise Broken(lines[-1] if lines else "it does not start")

    def _configure(self, level: str, libraries: tuple[str, ...]) -> None:
        """Over the socket: what stands on a command line, a program could read."""
        shown = [*_readable(), *bubblewrap.DEVICES]
        scratch = self.folder or bubblewrap.HOME
        with contextlib.suppress(OSError):  # it died: what it said is read next
            send(self.control, {"level": level, "scratch": scratch, "read": shown, "libraries": libraries})

    def begin(self, kind: str, limits: Limits, handles: list[int]) -> None:
        """Fork a child of that kind with these descriptors. Raises `Broken`."""
        try:
            socket.send_fds(self.control, [json.dumps({"kind": kind, "limits": vars(limits)}).encode()], handles)
        except OSError as error:
            raise Broken("the interpreter is gone") from error

    def end(self, seconds: float = PATIENCE) -> Ended | None:
        """How the child ended; None if it goes on after `seconds`. Raises `Broken` if the interpreter is gone."""
        self.control.settimeout(seconds)
        try:
            said = self.control.recv(4096)
        except TimeoutError:
            return None
        except OSError:
            said = b""
        if not said:
            raise Broken("the interpreter is gone")
        return Ended(**json.loads(said))

    def kill(self) -> None:
        """End it and its child, whatever they do, and remove what they left. May be called from another thread."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._forget()

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        self.control.close()
        self.process.returncode = 0

    def _said(self) -> bytes:
        try:
            return self.control.recv(1)
        except OSError:
            return b""

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        self.control.close()
        if self.folder is not None:  # `rm` can remove deeper trees than shutil
            subprocess.run(["rm", "-rf", "--", self.folder], stderr=subprocess.DEVNULL, check=False)


def _command(level: str) -> list[str]:
    python = [sys.executable, "-s", "-P", "-X", "utf8", "-c", _BOOT, str(HERE)]
    return [*bubblewrap.command(_readable()), *python] if level == "bubblewrap" else python


def _readable() -> list[str]:
    """The folders of the system, of this Python and of its packages."""
    real = Path(sys.executable).resolve().parents[1]
    python = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(real)}
    return [*_SYSTEM, *sorted(python), str(HERE)]


def _environment(scratch: str) -> dict[str, str]:
    """Nothing of ours. One order of sets and one thread for numerics, so that a program does the same each time."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch, "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
