"""The outside of a warm interpreter: starts it in its sandbox, hands it children to fork, kills it with all of them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from searchkit.sandbox import bubblewrap
from searchkit.sandbox.crowd import WATCH
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.scratch import Scratch
from searchkit.sandbox.wire import BORN, send

START = 60.0
"""Seconds for an interpreter to start; ordinarily a tenth of one."""
CREDENTIALS: int = getattr(socket, "SO_PASSCRED", 0)  # of Linux: messages say who wrote them
CREDENTIAL = struct.Struct("3i")  # process, user, group
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
    """How a child ended. status: as of `os.wait`. cpu: seconds. full: what it had too much of, if it was killed for it.

    clean: the scratch folder is empty.
    """

    status: int
    cpu: float
    full: str
    clean: bool


class Interpreter:
    """One warm interpreter at a sandbox level, with at most one child at a time.

    group: of all its processes. Starting one takes two steps, so that another thread can end it at any moment.
    """

    def __init__(self, level: str, libraries: tuple[str, ...] = ()) -> None:
        """Begin to start it, with these packages imported; `ready` waits for it. Raises `Broken`."""
        if level == "bubblewrap" and bubblewrap.available() is None:
            raise Broken("it is not installed")
        self.grows: bool = level == "none"
        self._crowded: str = ""
        self._over: bool = False
        self._lock: threading.Lock = threading.Lock()
        self._child: int = 0
        self._said: IO[bytes] = io.BytesIO()
        self._heard: bytes = b""
        self._scratch: Scratch | None = None
        self.control, inner = socket.socketpair()
        self._looks: socket.socket = self.control.dup()
        self._looks.settimeout(0)
        try:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `ready` or `kill`)
            self._scratch = None if level == "bubblewrap" else Scratch()
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                _command(level), stdin=inner.fileno(), stdout=subprocess.DEVNULL,
                stderr=self._said, env=_environment(self.folder or bubblewrap.HOME), cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._forget()
            raise Broken(str(error)) from error
        finally:
            inner.close()
        self.group: int = self.process.pid
        if CREDENTIALS:
            self.control.setsockopt(socket.SOL_SOCKET, CREDENTIALS, 1)
        self._configure(level, libraries)

    @property
    def folder(self) -> str | None:
        """Its scratch folder, if that is one of this system."""
        return None if self._scratch is None else self._scratch.path

    def ready(self) -> None:
        """Wait until it has started. Raises `Broken`, with what it said; then it is no more."""
        if self._said.closed:
            return
        self.control.settimeout(START)
        if self._first() != b"!":
            self.kill()
            lines = self._heard.decode(errors="replace").strip().splitlines()
            raise Broken(lines[-1] if lines else "it does not start")
        self._said.close()

    def _configure(self, level: str, libraries: tuple[str, ...]) -> None:
        """Over the socket: what stands on a command line, a program could read."""
        shown = [*_readable(), *bubblewrap.DEVICES]
        scratch = self.folder or bubblewrap.HOME
        with contextlib.suppress(OSError):  # it died: what it said is read next
            send(self.control, {"level": level, "scratch": scratch, "read": shown, "libraries": libraries})

    def begin(self, kind: str, limits: Limits, handles: list[int]) -> None:
        """Fork a child of that kind with these descriptors. Raises `Broken`."""
        self._crowded, self._child = "", 0
        try:
            socket.send_fds(self.control, [json.dumps({"kind": kind, "limits": vars(limits)}).encode()], handles)
        except OSError as error:
            raise Broken("the interpreter is gone") from error
        WATCH.add(self)

    def end(self, seconds: float = PATIENCE) -> Ended | None:
        """How the child ended; None if it goes on after `seconds`. Raises `Broken` if the interpreter is gone."""
        until, said = time.monotonic() + seconds, BORN
        try:
            while said == BORN:
                self.control.settimeout(max(0.001, until - time.monotonic()))
                said, writer = _received(self.control)
                if said[:1] == BORN:
                    self._child, said = writer, said[1:] or BORN
        except TimeoutError:
            return None
        except OSError:
            said = b""
        WATCH.remove(self)
        if not said:
            raise Broken(self._crowded or "the interpreter is gone")
        ended = Ended(**json.loads(said))
        return replace(ended, full=self._crowded) if self._crowded else ended

    def program(self) -> int:
        """The process of its child; 0 while nobody knows. From any thread: looks, and takes nothing away."""
        if not self._child:
            with contextlib.suppress(OSError):
                said, writer = _received(self._looks, socket.MSG_PEEK)
                return writer if said[:1] == BORN else 0
        return self._child

    def crowded(self, reason: str) -> None:
        """Its child was ended, for having too many threads."""
        self._crowded = reason

    def signal(self) -> None:
        """End it and its child, whatever they do, without waiting for that. From any thread, at any moment."""
        with self._lock:
            self._signal()

    def kill(self) -> None:
        """The same, and wait until they have ended; remove what they left. From any thread, at any moment."""
        with self._lock:
            if self._over:
                return
            self._signal()
            self.process.wait()
            self._over = True
        WATCH.remove(self)
        self._forget()

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        self.control.close()
        self._looks.close()
        self.process.returncode = 0
        if self._scratch is not None:
            self._scratch.let_go()

    def _signal(self) -> None:
        if not self._over:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)

    def _first(self) -> bytes:
        try:
            return self.control.recv(1)
        except OSError:
            return b""

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        self.control.close()
        self._looks.close()
        if not self._said.closed:
            self._said.seek(0)
            self._heard = self._said.read(10_000)
            self._said.close()
        if self._scratch is not None:
            self._scratch.remove()


def _received(control: socket.socket, flags: int = 0) -> tuple[bytes, int]:
    """The next message, and the number of the process that wrote it, as it is called here."""
    said, more, *_ = control.recvmsg(4096, socket.CMSG_SPACE(CREDENTIAL.size), flags)
    writers = [CREDENTIAL.unpack(data)[0] for _, kind, data in more if kind == getattr(socket, "SCM_CREDENTIALS", None)]
    return said, writers[0] if writers and said else 0


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
