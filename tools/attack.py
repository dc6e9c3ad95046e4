"""A standing attack: random searches, killed, cancelled and starved at random, again and again; are the books right?

    PYTHONPATH=. python tools/attack.py [--seconds 60] [--seed 0] [--plans N] [--only KIND] [--plan JSON]

A plan is a random nested strategy (or an agent that asks a model by itself, or a sweep of two strategies) over a
backend whose calls fail, break and come late by their seeds, under a random budget, with a random sequence of things
that are done to it. Each happens to a session of its own, a process with the same journal:

    cancel, stop      after so many turns of the event loop
    kill              SIGKILL at a call, or at a turn of the loop
    disk full         the journal may grow by no more than a few pages (`max_page_count`)
    file too big      no file may grow by more than so many bytes (RLIMIT_FSIZE)
    clock             the wall clock jumps back and forth by hours and years

In each session the calls that are charged must be those that the backend counted, in shared memory; the trace must add
up to them; no ceiling may be exceeded; nothing may be left in flight, held, open or alive (calls, budget, permits of a
limited backend, spans, tasks, processes); what was returned must have been kept. The last session is left alone: it
must come to what a search comes to that nobody attacked, and ask for no call whose answer the journal has.

A violation prints the seed and the shortest plan that was found for it, which --plan runs again, and the exit status is
1. A line of JSON at the end: plans, sessions, calls, faults, what was done how often, violations. One seed gives the
same plans in the same order; how many, depends on --seconds. Linux.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from attack_sessions import WHAT, Plan, Violation, forked  # noqa: E402
from attack_worlds import ANSWERED, CALLS, FAULTS, Counters, depends_on_latency, random_spec  # noqa: E402

KINDS = ("search", "agent", "sweep")
CEILINGS = ("generations", "verifications", "model_calls", "generated_tokens", "total_tokens")
MOST_SHRINKS = 60
FINISH = {"what": "finish", "at": 0}


def random_plan(seed: int, only: str = "") -> Plan:
    rng = random.Random(seed)
    kind = only or rng.choices(KINDS, (6, 2, 1))[0]
    ceiling = rng.choice(CEILINGS[: 3 if kind == "agent" else 5])  # nobody knows how many tokens an agent will need
    return {
        "seed": seed, "kind": kind, "strategy": random_spec(rng),
        "budget": {ceiling: rng.randrange(1, 60)} if rng.random() < 0.5 else {},
        "fails": rng.choice((0.0, 0.0, 0.1, 0.4)), "breaks": rng.choice((0.0, 0.0, 0.05, 0.2)),
        "wrapped": [name for name in ("retrying", "limited") if rng.random() < 0.3],
        "events": [_random_event(rng, kind) for _ in range(rng.randrange(1, 5))],
    }  # fmt: skip


def _random_event(rng: random.Random, kind: str) -> dict[str, Any]:
    what = rng.choice(WHAT[1:] if kind != "sweep" else ("kill at a call", "disk full", "file too big", "clock"))
    most = 12 if "call" in what else 150
    return {"what": what, "at": int(most ** rng.random()) - 1}


class Attacks:
    """Runs plans, and counts what was done."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.done: Counter[str] = Counter()

    def run(self, plan: Plan) -> None:
        """Raises `Violation`, with what is wrong and in which session."""
        with tempfile.TemporaryDirectory(prefix="searchkit-attack-") as name:
            folder = Path(name)
            clean = self._session(plan, {**FINISH, "bare": True}, folder, 0, "left alone")
            assert clean is not None
            for number, event in enumerate(plan["events"]):
                before = _stored(folder)
                told = self._session(plan, event, folder, number + 1, f"session {number}, {event['what']}")
                if plan["kind"] == "search" and (kept := _stored(folder) - before) < self.counters.get(ANSWERED):
                    raise Violation(
                        f"session {number}, {event['what']}: {self.counters.get(ANSWERED)} answers were returned, and "
                        f"{kept} were kept"
                    )
                whole = told is not None and told["final"] is not None and told["outcome"] not in ("cancelled",)
                if whole and event["what"] in ("clock", "disk full", "file too big"):
                    self._same(plan, told, clean, f"session {number}, {event['what']}")
            stored = _stored(folder)
            last = self._session(plan, FINISH, folder, 99, "the last session")
            assert last is not None
            self._same(plan, last, clean, "the last session")
            plain = plan["kind"] == "search" and not plan["fails"] + plan["breaks"]
            if plain and not depends_on_latency(plan["strategy"]) and last["calls"] > clean["calls"] - stored:
                raise Violation(
                    f"the last session: {last['calls']} calls where {stored} of {clean['calls']} were stored"
                )
        self.done["plans"] += 1

    def _session(self, plan: Plan, event: dict[str, Any], folder: Path, order: int, what: str) -> dict[str, Any] | None:
        self.done["sessions"] += 1
        self.done[event["what"]] += 1
        try:
            told = forked(plan, event, folder, self.counters, order)
        except Violation as error:
            raise Violation(f"{what}: {error}") from None
        self.done["calls"] += self.counters.get(CALLS)
        self.done["faults"] += self.counters.get(FAULTS)
        if told is None:
            self.done["killed"] += 1
        else:
            self.done[f"ended: {told['outcome']}"] += 1
        return told

    @staticmethod
    def _same(plan: Plan, told: dict[str, Any], clean: dict[str, Any], what: str) -> None:
        if not depends_on_latency(plan["strategy"]) and told["final"] != clean["final"]:
            raise Violation(f"{what}: it came to something else: {_difference(told['final'], clean['final'])}")

    def violation(self, plan: Plan) -> str:
        """What is wrong with a plan; "" for nothing."""
        try:
            self.run(plan)
        except Violation as error:
            return str(error)
        return ""


def _difference(one: Any, other: Any, where: str = "") -> str:
    """The first place in which two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(key, one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return f"{where}: {one!r:.300} and not {other!r:.300}"
    return next((_difference(a, b, f"{where}/{key}") for key, a, b in pairs if a != b), "")


def _stored(folder: Path) -> int:
    """How many answers of the model the journal has. Of a copy: SQLite would mend what a kill has left."""
    with tempfile.TemporaryDirectory(prefix="searchkit-attack-") as name:
        for path in folder.glob("run.db*"):
            shutil.copyfile(path, Path(name, path.name))
        with closing(sqlite3.connect(Path(name, "run.db"))) as db:
            try:
                return int(db.execute("SELECT count(*) FROM call WHERE outcome LIKE '{%'").fetchone()[0])
            except sqlite3.Error:  # it was not begun
                return 0


# ---------------------------------------------------------------- shrinking


def shrunk(plan: Plan, attacks: Attacks) -> tuple[Plan, str]:
    """The smallest plan that is found to be wrong, too, and what is wrong with it."""
    wrong, tried = attacks.violation(plan), 0
    if not wrong:
        return plan, "it did not happen again"
    smaller = True
    while smaller and tried < MOST_SHRINKS:
        smaller = False
        for candidate in _smaller(plan):
            tried += 1
            if found := attacks.violation(candidate):
                plan, wrong, smaller = candidate, found, True
                break
            if tried >= MOST_SHRINKS:
                break
    return plan, wrong


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that do less, by one thing."""
    events = plan["events"]
    for i in range(len(events)):
        yield plan | {"events": events[:i] + events[i + 1 :]}
    for name, plain in (("budget", {}), ("fails", 0.0), ("breaks", 0.0), ("wrapped", [])):
        if plan[name] != plain:
            yield plan | {name: plain}
    if plan["kind"] != "search":
        yield plan | {"kind": "search"}
    for spec in _smaller_specs(plan["strategy"]):
        yield plan | {"strategy": spec}
    for i, event in enumerate(events):
        for at in sorted({0, event["at"] // 2, event["at"] - 1} - {event["at"], -1}):
            yield plan | {"events": [*events[:i], event | {"at": at}, *events[i + 1 :]]}


def _smaller_specs(spec: list[Any]) -> Iterator[list[Any]]:
    name, n, *parts = spec
    yield from parts
    if n:
        yield [name, n - 1, *parts]
    for i, part in enumerate(parts):
        for smaller in _smaller_specs(part):
            yield [name, n, *parts[:i], smaller, *parts[i + 1 :]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--plans", type=int, default=10**9, help="at most so many")
    parser.add_argument("--seed", type=int, default=0, help="of the first plan; the next one has the next number")
    parser.add_argument("--only", choices=KINDS, default="")
    parser.add_argument("--plan", default="", help="run this one and no other")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation, to count them")
    options = parser.parse_args()
    attacks, violations, end = Attacks(), 0, time.monotonic() + options.seconds
    if options.plan:
        print(wrong := attacks.violation(json.loads(options.plan)) or "nothing is wrong")
        return int(wrong != "nothing is wrong")
    seed = options.seed
    while time.monotonic() < end and seed < options.seed + options.plans:
        plan = random_plan(seed, options.only)
        if wrong := attacks.violation(plan):
            violations += 1
            print(f"VIOLATION with seed {seed}: {wrong}", flush=True)
            smallest, still = shrunk(plan, attacks)
            print(f"shrunk: {still}\n  --plan '{json.dumps(smallest)}'", flush=True)
            if not options.keep_going:
                break
        seed += 1
    told = dict(sorted(attacks.done.items())) | {"seeds": [options.seed, seed], "violations": violations}
    print(json.dumps(told))
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
