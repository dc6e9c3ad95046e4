"""One session of an attack: a search in a process of its own, what is done to it, and whether its books are right."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import resource
import signal
import sqlite3
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from attack_worlds import (
    ANSWERED,
    CALLS,
    IN_FLIGHT,
    PARAMS,
    TURNS,
    Counters,
    W,
    backend_of,
    made,
    thinking,
    usage_counts,
)

from searchkit import Model, Problem, Prompt
from searchkit.engine.journal import file
from searchkit.events import Answered, Event
from searchkit.experiments import Sweep
from searchkit.generators import Limited
from searchkit.searching import Searching, start
from searchkit.types import Budget
from searchkit.verifiers import Predicate

WHAT = ("finish", "cancel", "stop", "kill at a call", "kill at a turn", "disk full", "file too big", "clock")
HARD = ("generations", "verifications", "model_calls", "generated_tokens")
PR_SET_CHILD_SUBREAPER = 36
LIMIT = 60.0  # seconds for a session, which takes a tenth of one
Plan = dict[str, Any]


class Violation(Exception):
    """The books of a session are wrong."""


def forked(plan: Plan, event: dict[str, Any], folder: Path, counters: Counters, order: int) -> dict[str, Any] | None:
    """What a session tells, in a process of its own; None if it was killed, as it was to be. Raises `Violation`."""
    counters.clear()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a session leaves becomes our child
    others = _children()
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(plan, event, folder, counters, order, writes)
    os.close(writes)
    try:
        with os.fdopen(reads, "rb") as pipe:
            said = _read(pipe.fileno(), pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        left = _ended(_children() - others)
    if left:
        raise Violation(f"{left} processes are left alive")
    if status == -signal.SIGKILL and event["what"].startswith("kill"):
        return None
    if status != 0 or not said:
        raise Violation(f"the process ended with status {status}: {said.decode(errors='replace')}")
    told: dict[str, Any] = json.loads(said)
    if told["wrong"]:
        raise Violation("; ".join(told["wrong"]))
    return told


def _children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def _ended(pids: set[int]) -> int:
    """End these children; how many of them were alive."""
    alive = [pid for pid in pids if os.waitpid(pid, os.WNOHANG)[0] == 0]
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(alive)


def _read(pipe: int, pid: int) -> bytes:
    """All that it says until it ends. Raises `Violation` where it does not."""
    import select

    said, end = b"", time.monotonic() + LIMIT
    while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(pipe, 2**20)
        if not part:
            return said
        said += part
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Violation("it hangs")


def _child(plan: Plan, event: dict[str, Any], folder: Path, counters: Counters, order: int, pipe: int) -> None:
    code = 1
    try:
        warnings.simplefilter("ignore")
        _prepare(event, folder)
        told = (_sweep if plan["kind"] == "sweep" else _searched)(plan, event, folder, counters, order)
        os.write(pipe, json.dumps(told).encode())
        code = 0
    except BaseException as error:
        os.write(pipe, f"{traceback.format_exc()[-1500:]}\n{type(error).__name__}".encode())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _prepare(event: dict[str, Any], folder: Path) -> None:
    """Faults of the disk and of the clock, from the start of a session."""
    what, at = event["what"], event["at"]
    if what == "disk full":
        connected = file.connected

        def little(path: Path) -> sqlite3.Connection:
            db = connected(path)
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {max(1, pages + at % 4)}")
            return db

        file.connected = little
    elif what == "file too big":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = max((path.stat().st_size for path in folder.iterdir()), default=0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096 * (at % 8), resource.RLIM_INFINITY))
    elif what == "clock":
        rng, now = random.Random(at), time.time
        time.time = lambda: now() + rng.choice((-1e9, -3600.0, 0.0, 3600.0, 1e8))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _model(plan: Plan, event: dict[str, Any], counters: Counters, order: int) -> Model:
    def at(number: int) -> None:
        if event["what"] == "kill at a call" and number == 1 + event["at"]:
            _kill()

    return Model(backend_of(plan, counters, order, at), PARAMS)


# ---------------------------------------------------------------- searches


def _searched(plan: Plan, event: dict[str, Any], folder: Path, counters: Counters, order: int) -> dict[str, Any]:
    return asyncio.run(_search(plan, event, folder, counters, order))


async def _search(plan: Plan, event: dict[str, Any], folder: Path, counters: Counters, order: int) -> dict[str, Any]:
    model = _model(plan, event, counters, order)
    generator: Any = thinking(model) if plan["kind"] == "agent" else model
    budget, journal = Budget(**plan["budget"]), None if event.get("bare") else folder / "run.db"

    def listen(event: Event) -> None:
        if isinstance(event, Answered) and event.sample.origin == "model":
            counters.add(ANSWERED)

    search = start(
        "q",
        made(plan["strategy"]),
        generator=generator,
        budget=budget,
        seed=plan["seed"],
        journal=journal,
        listen=listen,
    )
    waiting = asyncio.ensure_future(search._ended())
    await _until(event, search, waiting, counters)
    wrong, final, outcome, why = list[str](), None, "cancelled", ""
    if not waiting.cancelled():
        error = waiting.exception()
        if error is None:
            result = waiting.result()
            outcome = result.stopped
            final = [
                result.answer, [[c.sample.text, c.score] for c in result.candidates], result.trace.canonical(),
                usage_counts(result.usage), result.stopped, [str(one) for one in result.errors],
            ]  # fmt: skip
        else:
            outcome, why = type(error).__name__, str(error)
            final = [outcome, why] if outcome not in ("JournalError", "OSError") else None
    wrong += _books(search, budget, counters, plan["kind"] == "agent") + _taken(model)
    await asyncio.sleep(0)
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        wrong.append(f"{len(left)} tasks are left")
    paid = search._search.paid.model_calls
    return {"outcome": outcome, "why": why, "final": final, "wrong": wrong, "calls": counters.get(CALLS), "paid": paid}


async def _until(event: dict[str, Any], search: Searching[Any], waiting: asyncio.Task[Any], counters: Counters) -> None:
    """Let it run until it has ended, or until what is to happen."""
    what, turns = event["what"], event["at"] + 1  # in the first one, who waits begins
    if what in ("cancel", "stop", "kill at a turn"):
        while turns > 0 and not waiting.done():
            turns -= 1
            counters.add(TURNS)
            await asyncio.sleep(0)
        if what == "kill at a turn":
            _kill()
        waiting.cancel() if what == "cancel" else search.stop()
    await asyncio.wait([waiting])


def _books(search: Searching[Any], budget: Budget, counters: Counters, agent: bool) -> list[str]:
    """What is wrong with the books of a search that has ended."""
    wrong, charged, run = list[str](), search._search, search._run
    if counters.get(IN_FLIGHT):
        wrong.append(f"{counters.get(IN_FLIGHT)} calls are in flight")
    if charged.paid.model_calls != counters.get(CALLS):
        wrong.append(f"{charged.paid.model_calls} calls paid, {counters.get(CALLS)} arrived")
    total = run.span.total()
    if usage_counts(total) != usage_counts(charged.usage):
        wrong.append(f"the trace says {usage_counts(total)}, the totals {usage_counts(charged.usage)}")
    for name in HARD:
        ceiling = getattr(budget, name)
        if ceiling is not None and getattr(charged.usage, name) > ceiling:
            wrong.append(f"{getattr(charged.usage, name)} {name} where {ceiling} were allowed")
    if any(held for held in run.ledger.held):
        wrong.append(f"held when all has ended: {run.ledger.held}")
    if open_ones := [span.name for span in run.span.walk() if span.status == "open"]:
        wrong.append(f"open spans: {open_ones[:5]}")
    return wrong


def _taken(model: Model) -> list[str]:
    """What is wrong with the permits of a limited backend once all has ended."""
    taken = model.backend.gate.active if isinstance(model.backend, Limited) else 0
    return [f"{taken} permits are taken when all has ended"] if taken else []


# ---------------------------------------------------------------- sweeps


def _sweep(plan: Plan, event: dict[str, Any], folder: Path, counters: Counters, order: int) -> dict[str, Any]:
    """A sweep of two strategies over three problems; killed by its calls, or its disk is full."""
    model = _model(plan, event, counters, order)
    problems = [Problem(f"p{i}", Prompt.of(f"q{i}")) for i in range(3)]
    truth = Predicate(lambda text: (W._judge(text).value or 0) > 0.5, name="good", version="1")
    strategies = {"one": made(plan["strategy"]), "other": made(["best of n", 2])}
    sweep = Sweep(problems, strategies, [Budget(**plan["budget"])], [plan["seed"]], truth=truth, endpoints=[model])
    out = folder / ("bare" if event.get("bare") else "sweep")
    try:
        rows = sorted(sweep.run(out).rows, key=lambda row: (row.strategy, row.problem))
    except Exception as error:
        if event["what"] not in ("disk full", "file too big"):
            raise
        return {"outcome": type(error).__name__, "final": None, "wrong": [], "calls": counters.get(CALLS), "paid": None}
    final = [
        [row.strategy, row.problem, row.answer, row.right, row.score, row.generated_tokens, row.stopped, row.error]
        for row in rows
    ]  # fmt: skip
    wrong = [f"{counters.get(IN_FLIGHT)} calls are in flight"] if counters.get(IN_FLIGHT) else []
    wrong += _taken(model)
    return {"outcome": "done", "final": final, "wrong": wrong, "calls": counters.get(CALLS), "paid": None}
