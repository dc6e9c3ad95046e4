"""A living program in its sandbox: cells are run in it one after the other, each in what those before it left."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import tempfile
import threading
from typing import IO

from searchkit.sandbox.limits import Limits
from searchkit.sandbox.process import Broken, Interpreter
from searchkit.sandbox.report import death
from searchkit.sandbox.wire import receive, send

ESCAPED = 6  # bytes of a character in a message, at most
NONCE = 16  # bytes, as twice as many characters
FORGED = "it wrote to the channel on which what it prints is sent"
PATIENCE = 1.0  # seconds for a program to end that has closed its channel


class Ended(Exception):
    """The program is no more: the text says why."""


class Session:
    """One program at a sandbox level. Blocks; one thread at a time, but `kill` may come from any."""

    def __init__(self, level: str, libraries: tuple[str, ...], limits: Limits) -> None:
        self._level, self._libraries, self._limits = level, libraries, limits
        self._interpreter: Interpreter | None = None
        self._channel: socket.socket | None = None
        self._printed: IO[bytes] | None = None
        self._kills, self._closed = 0, False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A new program, in which nothing was run. Raises `Broken`, also where it is killed meanwhile."""
        kills = self._kills
        self._end()
        interpreter = self._warm(kills)
        interpreter.ready()
        self._printed = printed = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_forget`)
        desk, inner = socket.socketpair()
        self._channel, theirs = socket.socketpair()
        with desk, inner, theirs:
            try:
                interpreter.begin("cells", self._limits, [inner.fileno(), printed.fileno(), theirs.fileno()])
            except Broken:
                self._forget()
                raise
            with contextlib.suppress(OSError):  # it died: the first cell says so
                send(desk, {"prelude": "", "most": self._limits.output})

    def _warm(self, kills: int) -> Interpreter:
        """The interpreter, which may still start, once whoever kills this session can see it.

        kills: how often that was done before; since nobody waits here, it may be done again at any moment.
        """
        known = self._interpreter
        made = known if known is not None else Interpreter(self._level, self._libraries)
        with self._lock:
            killed = self._closed or self._kills != kills
            if not killed:
                self._interpreter = made
        if killed:
            made.kill()
            raise Broken("it was killed")
        return made

    def run(self, text: str, seconds: float) -> str:
        """What a cell prints. Raises `TimeoutError`, and `Ended`; then nothing more can be run before `begin`.

        An answer begins with what only this request said, so that what an earlier cell wrote is never taken for it. A
        program that looks for it in the memory of its process can forge the answer of its own cell, and no other.
        """
        channel = self._channel
        if channel is None:
            raise Ended("it was not begun")
        late = threading.Event()

        def stop() -> None:  # a time-out of the socket would begin anew with each byte that the program sends
            late.set()
            self.kill()

        clock = threading.Timer(seconds, stop)
        clock.daemon = True
        clock.start()
        try:
            nonce = secrets.token_hex(NONCE)
            send(channel, nonce + text)
            said = receive(channel, ESCAPED * self._limits.output + 4 * NONCE)
        except (EOFError, OSError, ValueError, RecursionError):
            if late.is_set():
                raise TimeoutError from None
            raise Ended(self._why()) from None
        finally:
            clock.cancel()
        if late.is_set():
            raise TimeoutError
        if not isinstance(said, str) or not said.startswith(nonce) or _more(channel):
            self.kill()
            raise Ended(FORGED)
        return said[len(nonce) :][: self._limits.output]

    def kill(self) -> None:
        """End the program and its interpreter, whatever they do."""
        with self._lock:
            self._kills += 1
            interpreter, self._interpreter = self._interpreter, None
        if interpreter is not None:
            interpreter.kill()

    def close(self) -> None:
        """`kill`, for good: nothing is left, and nothing is begun any more."""
        self._closed = True
        self.kill()
        self._forget()

    def _end(self) -> None:
        """End the program, and keep the warm interpreter where the program has left nothing behind."""
        self._forget()
        with self._lock:
            interpreter = self._interpreter
        if interpreter is not None:
            try:
                ended = interpreter.end()
            except Broken:
                ended = None
            if ended is None or not ended.clean:
                self._let_go(interpreter)

    def _let_go(self, interpreter: Interpreter) -> None:
        """It is of no more use."""
        with self._lock:
            if self._interpreter is interpreter:
                self._interpreter = None
        interpreter.kill()

    def _forget(self) -> None:
        channel, self._channel = self._channel, None
        printed, self._printed = self._printed, None
        for one in (channel, printed):
            if one is not None:
                one.close()

    def _why(self) -> str:
        """Why the program ended by itself."""
        interpreter = self._interpreter
        try:
            return death(interpreter.end(PATIENCE) if interpreter is not None else None, 0, self._limits)
        except Broken:
            return "the sandbox ended"
        finally:
            self.kill()


def _more(channel: socket.socket) -> bool:
    """Whether something arrived that nobody asked for."""
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    return any(event & select.POLLIN for _, event in waiting.poll(0))
