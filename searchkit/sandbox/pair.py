"""Runs a program against tests: in two warm interpreters, each in a sandbox of its own, one program at a time.

Whatever is not as it should be afterwards (a time out, files in the scratch folder, a child that goes on) ends both
interpreters by killing their process groups, and the next program gets new ones. So nothing is ever left behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import IO, Any

from searchkit.sandbox.brief import Brief, brief
from searchkit.sandbox.endings import printable
from searchkit.sandbox.libraries import unnamed
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.names import variables
from searchkit.sandbox.process import Broken, Interpreter
from searchkit.sandbox.report import Case, Report, death, overtime
from searchkit.sandbox.surroundings import WORDS, concerns
from searchkit.sandbox.whole import defined, job, of_use, shapes
from searchkit.sandbox.wire import STARTED, receive, send

LONGEST_NAME = 200  # characters of the name of a library
LONGEST_SAID = 2**15  # bytes of what a script says of its end
LONGEST_REPORT = 2**20  # bytes of a message of the tests' process


class Pair:
    """Two interpreters at one level, with the same libraries; started when they are needed."""

    def __init__(self, level: str, libraries: tuple[str, ...] = ()) -> None:
        self.level: str = level
        self.libraries: tuple[str, ...] = libraries
        self.player: Interpreter | None = None
        self.judge: Interpreter | None = None
        self._lock: threading.Lock = threading.Lock()
        self._stopped: bool = False

    def run(self, case: Case, limits: Limits) -> Report:
        """Blocks, for at most `limits.wall` seconds a test and some more. Raises `Broken`; then the pair is closed."""
        try:
            if case.tests and not isinstance(case.tests[0], str):
                return self._scripts(case, limits)
            return self._calls(case, limits)
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End what runs, without waiting for that, and let nothing start any more: `run` raises. From any thread."""
        with self._lock:
            self._stopped = True
            both = self.player, self.judge
        for one in both:
            if one is not None:
                one.signal()

    def close(self) -> None:
        """Kill both; safe from another thread, where it ends the `run` that waits for them."""
        with self._lock:
            both, self.player, self.judge = (self.player, self.judge), None, None
        for one in both:
            if one is not None:
                one.kill()

    def forget(self) -> None:
        """In a forked child: the interpreters are the parent's."""
        for one in (self.player, self.judge):
            if one is not None:
                one.forget()

    def _ready(self) -> tuple[Interpreter, Interpreter]:
        player = self.player = self.player or self._begun()
        judge = self.judge = self.judge or self._begun()
        if self._stopped:  # whoever stopped it meanwhile may not have seen them
            raise Broken("it was stopped")
        player.ready()
        judge.ready()
        return player, judge

    def _begun(self) -> Interpreter:
        """A new interpreter that starts."""
        if self._stopped:
            raise Broken("it was stopped")
        return Interpreter(self.level, self.libraries)

    # ---------------------------------------------------------------- tests in Python

    def _calls(self, case: Case, limits: Limits) -> Report:
        player, judge = self._ready()
        jobs = job(case), _of_tests(case)
        with tempfile.TemporaryFile() as printed, open(os.devnull, "wb") as unseen, contextlib.ExitStack() as stack:
            ours, theirs = _sockets(stack)
            desk, inner = _sockets(stack)
            one, other = _sockets(stack)
            player.begin("play", limits, [theirs.fileno(), printed.fileno(), one.fileno()])
            judge.begin("judge", limits, [inner.fileno(), unseen.fileno(), other.fileno()])
            for handle in (theirs, inner, one, other):
                handle.close()
            deadline = time.monotonic() + limits.wall
            for end, message in zip((ours, desk), jobs, strict=True):
                with contextlib.suppress(OSError):  # it died: the report says so
                    send(end, message)
            started, rows, trouble = _rows(desk, len(case.tests), deadline)
            return replace(self._report(rows, trouble, len(case.tests), _size(printed), limits), started=started)

    def _report(self, rows: list[Any], trouble: str, tests: int, printed: int, limits: Limits) -> Report:
        """What the tests' process said, and where a process was ended: why."""
        known = [row[0] if isinstance(row[0], bool) else None for row in rows]
        passed = known + [False] * (tests - len(rows))
        reason = next((f"test {i + 1}, {row[1]}" for i, row in enumerate(rows) if row[0] is not True), "")
        if trouble == "timeout":
            self.close()
            return Report(tuple(passed), reason or f"test {len(rows) + 1}, {overtime(limits)}")
        if self.player is None or self.judge is None:
            raise Broken("it was closed")
        player, judge = self.player.end(), self.judge.end()
        if player is None or judge is None or not player.clean or not judge.clean:
            self.close()
        if trouble:
            reason = reason or f"test {len(rows) + 1}, the tests' process ended: {death(judge, 0, limits)}"
        elif reason.endswith("the program ended"):
            reason = f"{reason}: {death(player, printed, limits)}"
        return Report(tuple(passed), reason)

    # ---------------------------------------------------------------- scripts

    def _scripts(self, case: Case, limits: Limits) -> Report:
        """Each pair in a process of its own; the first that fails says why."""
        ran = [self._script(case, test[0], test[1], limits) for test in case.tests]
        first = next((f"test {i + 1}, {reason}" for i, (_, reason) in enumerate(ran) if reason), "")
        return Report(tuple(passed for passed, _ in ran), first)

    def _script(self, case: Case, typed: str, expected: str, limits: Limits) -> tuple[bool | None, str]:
        """Whether the program passed, and why it did not."""
        player, _ = self._ready()
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as keyed, contextlib.ExitStack() as stack:
            keyed.write(typed.encode("utf-8", "surrogatepass"))
            keyed.seek(0)
            ours, theirs = _sockets(stack)
            player.begin("script", limits, [theirs.fileno(), printed.fileno(), keyed.fileno()])
            theirs.close()
            with contextlib.suppress(OSError):
                send(ours, job(case))
            ended = player.end(limits.wall)
            if ended is None or not ended.clean:
                self.close()
            if ended is None:
                return False, overtime(limits)
            lacking, raised = _said(ours)
            if lacking:
                return None, unnamed(lacking)
            size = _size(printed)
            if raised and ended.status != 0 and not ended.full and size < limits.output:
                return False, f"the program raised {raised}"
            if ended.status != 0 or size >= limits.output:
                return False, f"the program ended: {death(ended, size, limits)}"
            printed.seek(0)
            said = printed.read(limits.output).decode(errors="replace")
            try:
                right = bool(case.accept(typed, said, expected))
            except (Exception, SystemExit) as error:  # the user's own code, with a text of the program's
                return None, f"the checker raised {type(error).__name__}: {error}"
            return right, "" if right else "it printed something else"


def _of_tests(case: Case) -> dict[str, Any]:
    """What the tests' process is told: of the program no more than what it may depend on."""
    parts = case.cases or [""] * len(case.tests)
    moving = sorted(_variables(case)[0]) if "global" in case.text else []
    briefs = [
        brief(str(text), case.entry_point, part, case.setup) for text, part in zip(case.tests, parts, strict=True)
    ]
    tests = [
        {
            **vars(one),
            "case": part,
            "first": text not in case.tests[:i],
            "apart": _apart(one, case),
            "ends": _of_class(case.tests, parts, i) != _of_class(case.tests, parts, i + 1),
            "own": sorted({*one.taken} & defined(case.text)) if _imports_all(one.text) else [],
            "last": text not in case.tests[i + 1 :],
            "moving": moving,
        }
        for i, (text, part, one) in enumerate(zip(case.tests, parts, briefs, strict=True))
    ]
    prompt = of_use(case.prompt, case.entry_point, briefs)
    known = shapes(case.prompt, case.setup)
    return {"prompt": prompt, "entry_point": case.entry_point, "shapes": known, "tests": tests}


def _imports_all(text: str) -> bool:
    return "*" in text and "import" in text


def _of_class(tests: Sequence[Any], parts: Sequence[str], i: int) -> tuple[Any, ...]:
    """The text of a test, and the class of its case."""
    return (tests[i], parts[i].rpartition(".")[0]) if i < len(tests) else ()


def _apart(one: Brief, case: Case) -> list[list[str]]:
    """What the test has and the program has not, without what the program's text shows that it does not need."""
    found = list[list[str]]()
    if one.apart:
        program = "\n".join((case.prompt, case.setup, case.text))
        asked = [(question, said) for question, said in one.apart if concerns(question, program)]
        found = [["" if question in WORDS else question, said] for question, said in asked]
    if any(name in case.text for name in one.stored) and (both := sorted({*one.stored} & _variables(case)[1])):
        found.append(["", f"the test sets {both[0]}, which functions of the program read, and these do not see it"])
    return found


def _variables(case: Case) -> tuple[frozenset[str], frozenset[str]]:
    """See `names.variables`; none of what is no Python by itself."""
    try:
        return variables(case.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset(), frozenset()


def _said(desk: socket.socket) -> tuple[str, str]:
    """The library for want of which a script ended, and what it raised, as far as it says so."""
    desk.settimeout(0.0)
    try:
        lacking, raised = receive(desk, LONGEST_SAID)
    except (EOFError, OSError, ValueError, TypeError, RecursionError):
        return "", ""
    known = isinstance(lacking, str) and lacking.isidentifier()
    return lacking[:LONGEST_NAME] if known else "", printable(raised) if isinstance(raised, str) else ""


def _sockets(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair()
    return stack.enter_context(one), stack.enter_context(other)


def _rows(desk: socket.socket, tests: int, deadline: float) -> tuple[bool, list[Any], str]:
    """Whether the program was executed, what the tests' process said of each test, and whether it broke off.

    The last is "timeout", "ended", or "" for neither.
    """
    started, rows = False, list[Any]()
    try:
        while len(rows) < tests:
            desk.settimeout(max(0.001, deadline - time.monotonic()))
            row = receive(desk, LONGEST_REPORT)
            if row == STARTED:
                started = True
            else:
                rows.append(row)
    except TimeoutError:
        return started, rows, "timeout"
    except (EOFError, OSError, ValueError, RecursionError):
        return started, rows, "ended"
    return started, rows, ""


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
