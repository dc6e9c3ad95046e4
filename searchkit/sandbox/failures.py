"""What became of a test's assertions: a test that ends without an exception has passed only if none of them failed.

One that fails where something catches it (a handler, a context, a thread, a task) leaves no trace in how the test ends.
Runs inside the sandbox, in the tests' process.
"""

from __future__ import annotations

import functools
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.endings import said

HELD, CHECKED = "_sk_held", "_sk_checked"  # what marks in a test's text call
LATER = {"submit", "create_task", "ensure_future", "run_in_executor", "run_coroutine_threadsafe"}
SWALLOWED = "an assertion of the test failed, and the test went on: what that means, it does not say"
LOST = "an exception was lost in a thread, a task or a finalizer of the test"
RUNNING = "the test ended before its threads or tasks did"
UNREACHED = "the test ended without reaching an assertion"
PATIENCE = 1.0  # seconds for threads to end that nobody waits for
CALLABLE = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)


class Failures:
    """Watches one test. reached: how many assertions were evaluated. failed: those that failed, and were not to."""

    def __init__(self) -> None:
        self.begin()
        threading.excepthook = sys.unraisablehook = self._note_lost

    def begin(self) -> None:
        """Forget what became of the case before: functions that are watched may outlive it."""
        self.reached: int = 0
        self.failed: list[BaseException | None] = []
        self.lost: bool = False
        self.tasks: list[Any] = []
        self.retrieved: set[int] = set()
        self.threads: set[threading.Thread] = set(threading.enumerate())

    def names(self) -> dict[str, Any]:
        """What the marks in a test's text call."""
        return {HELD: self.held, CHECKED: self.checked}

    def held(self, value: Any) -> bool:
        """Whether an asserted value is true."""
        self.reached += 1
        if value:
            return True
        self.failed.append(None)
        return False

    def checked(self, function: Any) -> Any:
        """A function that asserts something or starts something, watched; anything else as it is."""
        if type(function) not in CALLABLE:
            return function
        return functools.wraps(function)(functools.partial(self._call, function))

    def trouble(self) -> str:
        """Why a test that ended without an exception has not passed; "" if it has."""
        own = [
            one for one in threading.enumerate() if one not in self.threads and one is not threading.current_thread()
        ]
        waiting = [one for one in own if one not in _workers()]
        for thread in waiting:
            thread.join(PATIENCE)
        ends = [self._end(one) for one in self.tasks]
        if self.failed:
            return SWALLOWED
        if self.lost or LOST in ends:
            return LOST
        return RUNNING if RUNNING in ends or any(one.is_alive() for one in waiting) else ""

    def noted(self) -> bool:
        """Whether something failed, or is still to end."""
        return bool(self.failed or self.lost or self.tasks)

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = getattr(function, "__name__", "")
        self.reached += name not in LATER and name != "fail"
        before = len(self.failed)
        try:
            made = function(*args, **kwargs)
        except BaseException as error:
            self._note(error)
            raise
        if name in LATER:
            self._keep(made)
        elif "aises" in name:
            del self.failed[before:]  # it was to fail
            return Expecting(made, self) if hasattr(made, "__exit__") else made
        return made

    def _note(self, error: BaseException) -> None:
        """An exception that a checking function raised. The program's own are no assertions of the test."""
        fails = isinstance(error, AssertionError) or type(error).__name__ == "Failed"  # as pytest calls its own
        if fails and not said(error):
            self.failed.append(error)

    def _note_lost(self, *_: Any) -> None:
        self.lost = True

    def _keep(self, task: Any) -> None:
        """Remember a future, and whether its outcome is looked at."""
        self.tasks.append(task)
        if type(task).__module__.startswith("concurrent"):
            for name in ("result", "exception"):
                setattr(task, name, functools.partial(self._look, task, getattr(task, name)))

    def _look(self, task: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.retrieved.add(id(task))
        return function(*args, **kwargs)

    def _end(self, task: Any) -> str:
        """What is wrong with how a task ended."""
        if type(task).__module__.startswith("concurrent"):
            futures = sys.modules["concurrent.futures"]
            if futures.wait([task], PATIENCE).not_done:
                return RUNNING
            bad = not task.cancelled() and type(task).exception(task) is not None
            return LOST if bad and id(task) not in self.retrieved else ""
        if not task.done() or task.cancelled():
            return RUNNING
        return LOST if getattr(task, "_log_traceback", False) else ""


class Expecting:
    """A context that expects an exception: what failed inside of it was to fail, and it can fail itself."""

    def __init__(self, inner: Any, failures: Failures) -> None:
        self._sk_inner, self._sk_failures, self._sk_before = inner, failures, 0

    def __enter__(self) -> Any:
        self._sk_before = len(self._sk_failures.failed)
        return self._sk_inner.__enter__()

    def __exit__(self, *error: Any) -> Any:
        try:
            expected = self._sk_inner.__exit__(*error)
        except BaseException as failure:
            self._sk_failures._note(failure)
            raise
        if expected:
            del self._sk_failures.failed[self._sk_before :]
        return expected

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sk_inner, name)


def _workers() -> Any:
    """Threads of pools, which wait for more work when there is none."""
    module = sys.modules.get("concurrent.futures.thread")
    return getattr(module, "_threads_queues", ())
