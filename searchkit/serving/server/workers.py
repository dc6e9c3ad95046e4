"""Several processes that serve one socket, and one above them that replaces those that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from searchkit.serving.server.running import LEAVING, stopped_by

_LOOK = 0.2
_AGAIN = 1.0
"""Seconds before a process that died is replaced."""


def run(work: Callable[..., object], arguments: tuple[Any, ...], count: int, grace: float) -> None:
    """`work(number, *arguments)` in `count` processes, until SIGINT or SIGTERM. They are told to stop, too.

    grace: seconds that they are given before they are killed. work, arguments: can be pickled.
    """
    context = multiprocessing.get_context("spawn")

    def begun(number: int) -> BaseProcess:
        process = context.Process(target=_followed, args=(work, number, *arguments), name=f"searchkit-worker-{number}")
        process.start()
        return process

    stopping = threading.Event()
    with stopped_by(lambda *_: stopping.set()):
        processes = [begun(number) for number in range(count)]
        while not stopping.wait(_LOOK):
            for number, process in enumerate(processes):
                if not process.is_alive() and not stopping.wait(_AGAIN):
                    processes[number] = begun(number)
        _end(processes, grace)


def _followed(work: Callable[..., object], *arguments: Any) -> None:
    """One worker. It stops as if told to when the one above it dies, by kill -9 too, or it would keep the port."""
    threading.Thread(target=_follow, name="searchkit-parent", daemon=True).start()
    work(*arguments)


def _follow() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end(processes: list[BaseProcess], grace: float) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(grace + 2 * LEAVING)
        if process.is_alive():
            process.kill()
            process.join()
