"""One worker process for comparisons with sympy, shared by all threads and event loops of this process.

Another one serves those that may ask math-verify. Each is started with the first comparison that needs it, and killed
and replaced when one overruns. A process of our own and not of `multiprocessing`: no start method, no pickles, no
import of the user's main module, in notebooks too.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from searchkit import errors
from searchkit.answers.boxes import Several
from searchkit.errors import VerifierError
from searchkit.verifiers.reference.maths.outcome import Outcome
from searchkit.verifiers.reference.maths.server import receive, send

LIMIT = 2.0
"""Seconds of wall time for a comparison, once the worker is warm and free; then it is killed."""
START_LIMIT = 120.0
"""Seconds for a worker to import sympy; ordinarily one to three."""

_COMMAND = ("-P", "-m", "searchkit.verifiers.reference.maths.server")  # -P: nothing is imported from the working folder


class Worker:
    """Compares one pair at a time; further callers wait for their turn. Safe from several threads."""

    def __init__(self, limit: float = LIMIT, math_verify: bool = False) -> None:
        self.limit: float = limit
        self.math_verify: bool = math_verify
        self._lock: threading.Lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._warm: bool = False

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        return None if self._process is None else self._process.pid

    def compare(self, a: str | Several, b: str | Several) -> Outcome:
        """The outcome for two answers, unknown after `limit` seconds. Blocks.

        Raises `VerifierError` if no worker can be started.
        """
        with self._lock:
            process = self._ready()
            try:
                send(_pipe(process.stdin), (a, b))
                reply, killed = self._receive(process, self.limit)
            except OSError:  # it died before it could read
                reply, killed = None, False
            except BaseException:  # Ctrl-C: a reply that comes now would be taken for the next one
                self._stop()
                raise
            if reply is None or killed:
                self._stop()
                self._start()  # imports sympy while the caller goes on
            if reply is None:
                return Outcome(None, f"no answer within {self.limit:g} seconds" if killed else "the worker died")
            equal, reason = reply
            return Outcome(equal, reason)

    def close(self) -> None:
        """Kill the process and wait for it; the next comparison starts another one."""
        with self._lock:
            self._stop()

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and must see its pipes end when the parent does."""
        process, self._process, self._lock, self._warm = self._process, None, threading.Lock(), False
        if process is not None:
            _close(process)
            process.returncode = 0  # nothing for us to wait for

    # ---------------------------------------------------------------- the process

    def _ready(self) -> subprocess.Popen[bytes]:
        """A process that has imported sympy."""
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        process = self._process or self._start()
        if not self._warm:
            ready, _ = self._receive(process, START_LIMIT)
            if ready != "ready":
                self._stop()
                package = "math_verify" if self.math_verify else "sympy"
                raise VerifierError(
                    f"the maths worker did not start: check that `{sys.executable} -c 'import {package}'` works"
                )
            self._warm = True
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        home, path = str(Path(errors.__file__).parents[1]), os.environ.get("PYTHONPATH")
        environment = os.environ | {
            "PYTHONPATH": home if not path else os.pathsep.join([home, path]),
            "PYTHONHASHSEED": "0",  # sympy orders some of its work by hashes
        }
        options = ["--math-verify"] if self.math_verify else []
        try:
            self._process = subprocess.Popen(
                [sys.executable, *_COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise VerifierError(f"the maths worker did not start: {error}") from error
        return self._process

    def _receive(self, process: subprocess.Popen[bytes], seconds: float) -> tuple[Any, bool]:
        """(the next message, whether the process was killed for being late). A message of None is no message."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            message = receive(_pipe(process.stdout))
        finally:
            timer.cancel()
            timer.join()
        return message, late.is_set()

    def _stop(self) -> None:
        process, self._process, self._warm = self._process, None, False
        if process is not None:
            process.kill()
            process.wait()
            _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what could not be written is lost
            _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


class Queue:
    """The worker for event loops, several at once: one thread waits for it, so that no loop has to."""

    def __init__(self, worker: Worker) -> None:
        self.worker: Worker = worker
        self._thread: ThreadPoolExecutor = ThreadPoolExecutor(1, "searchkit-maths")

    async def compare(self, a: str | Several, b: str | Several) -> Outcome:
        """As `Worker.compare`, without blocking the loop; first come, first served."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.worker.compare, a, b)

    def forget(self) -> None:
        """In a forked child, which has neither the thread nor a worker of its own."""
        self.worker.forget()
        self._thread = ThreadPoolExecutor(1, "searchkit-maths")


QUEUE = Queue(Worker())
WITH_MATH_VERIFY = Queue(Worker(math_verify=True))
for _queue in (QUEUE, WITH_MATH_VERIFY):
    atexit.register(_queue.worker.close)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_queue.forget)
