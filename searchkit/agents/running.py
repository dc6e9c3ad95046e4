"""One program of others, run to its end: what it says is bounded, and its process group ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchkit.calls import CallError

TICK = 0.05  # seconds between two looks at a program that says nothing
LINGERING = 1.0  # seconds for what is left of it to let go of its output, once it was killed
COMPLAINTS = 2**16  # bytes of what it wrote to its standard error that are kept, the last ones
PIECE = 2**16


@dataclass(frozen=True)
class Program:
    """How it is started. environment: all of it. typed: its standard input. most: bytes that it may print."""

    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    typed: bytes = field(default=b"", repr=False)
    most: int = 2**24
    seconds: float | None = None


@dataclass(frozen=True)
class Said:
    """status: as of `subprocess`: what it returned, or minus the signal that ended it."""

    status: int
    printed: bytes
    complaints: bytes


class Running:
    """A program that runs once, on a thread of its own, in a session and a process group of its own."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = self._over = False
        self._lock = threading.Lock()

    async def said(self) -> Said:
        """Until it has ended, and nothing of its group is left; cancelled, it is killed, and that is waited for too.

        Raises `OSError` and `ValueError` where it cannot be started, and `CallError` where it was killed because it
        printed too much, or took too long.
        """
        loop, result = asyncio.get_running_loop(), list[Any]()
        ended = asyncio.Event()

        def work() -> None:
            try:
                result.append(self._run())
            except BaseException as error:
                result.append(error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=work, name="searchkit-command", daemon=True).start()
        cancelled: asyncio.CancelledError | None = None
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError as error:
                cancelled = error
                self.stop()
        if cancelled is not None:
            raise cancelled
        [found] = result
        if isinstance(found, BaseException):
            raise found
        said: Said = found
        return said

    def stop(self) -> None:
        """Kill it with its group, from any thread; if it has not begun, it never does."""
        with self._lock:
            self._stopped = True
            if self._process is not None and not self._over:
                with contextlib.suppress(OSError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    # ---------------------------------------------------------------- on its thread

    def _run(self) -> Said:
        program = self._program
        with self._lock:
            if self._stopped:
                raise CallError("it was cancelled before it began")
            process = self._process = subprocess.Popen(
                list(program.argv), cwd=program.folder, env=dict(program.environment), start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            )  # fmt: skip
        with process:  # closes its pipes
            try:
                return self._talk(process)
            finally:
                self.stop()
                process.wait()
                with self._lock:
                    self._over = True

    def _talk(self, process: subprocess.Popen[bytes]) -> Said:
        began, talk = time.monotonic(), _Talk(process, self._program)
        with talk:
            while not talk.silent and not self._has_ended(process):
                talk.turn(TICK)
                self._check(talk, began)
            while not self._has_ended(process):  # it has closed its output, and goes on
                time.sleep(TICK / 10)
                self._check(talk, began)
            self.stop()  # what it has left behind holds its output open
            end = time.monotonic() + LINGERING
            while not talk.silent and time.monotonic() < end:
                talk.turn(TICK)
                self._check(talk, began)
        return Said(process.wait(), bytes(talk.printed), bytes(talk.complaints))

    def _has_ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it has; its number stays its own until we wait for it, so that its group can still be killed."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return process.poll() is not None

    def _check(self, talk: _Talk, began: float) -> None:
        program = self._program
        if len(talk.printed) > program.most:
            raise CallError(f"it printed more than {program.most:,} bytes, and was ended")
        if program.seconds is not None and time.monotonic() - began > program.seconds:
            raise CallError(f"it took more than {program.seconds:g} s, and was ended", kind="timeout")


class _Talk:
    """What is typed and what is said, by turns. silent: it has closed both of its outputs."""

    def __init__(self, process: subprocess.Popen[bytes], program: Program) -> None:
        self.printed, self.complaints = bytearray(), bytearray()
        self._left, self._most = memoryview(program.typed), program.most
        self._in: Any = process.stdin
        self._pipes = (self._in, "in"), (process.stdout, "out"), (process.stderr, "err")
        self._selector = selectors.DefaultSelector()

    @property
    def silent(self) -> bool:
        return not any(key.data != "in" for key in self._selector.get_map().values())

    def __enter__(self) -> _Talk:
        for pipe, name in self._pipes:
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_WRITE if name == "in" else selectors.EVENT_READ, name)
        self._type()
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def turn(self, seconds: float) -> None:
        """Wait so long at most for something to be said, and take it."""
        for key, _ in self._selector.select(seconds):
            if key.data == "in":
                self._type()
                continue
            piece = os.read(key.fd, PIECE)
            if not piece:
                self._selector.unregister(key.fileobj)
            elif key.data == "out":
                self.printed += piece
            else:
                self.complaints += piece
                del self.complaints[:-COMPLAINTS]

    def _type(self) -> None:
        """As much as it takes; what it does not read is not missed."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self._left:
                    self._left = self._left[os.write(self._in.fileno(), self._left[:PIECE]) :]
            except BrokenPipeError:
                self._left = memoryview(b"")
            self._selector.unregister(self._in)
            self._in.close()
