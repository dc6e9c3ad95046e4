"""The standing attack, `tools/attack.py`: finds nothing in what is right; what is wrong, and how little it takes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE / 'tools'}"}
WRONG = """
import sys
import attack
from searchkit.engine import candidates
{fault}
attack.MOST_SHRINKS = 8  # what is shrunk further is the same
sys.argv = ["attack.py", "--plans", "40", "--seconds", "600", "--seed", "{seed}"]
sys.exit(attack.main())
"""
FAULTS = {  # what is broken: what is said of it
    "a call in eight is not charged": (
        "charge, times = candidates.Search.charge, []\n"
        "def less(self, actual, *, paid):\n"
        "    times.append(1)\n"
        "    if len(times) % 8: charge(self, actual, paid=paid)\n"
        "candidates.Search.charge = less",
        "calls paid",
    ),
    "attempts before the last are not charged": (
        "from searchkit.engine.run import Run\nRun._charge_retries = lambda self, span, attempt, **how: None",
        "calls paid",
    ),
    "what is held for a call that fails is not given back": (
        "from searchkit.engine.ledger import Ledger\n"
        "settle = Ledger.settle\n"
        "def keeps(self, held, actual):\n"
        "    settle(self, [h / 2 for h in held] if sum(actual) == 0 else held, actual)\n"
        "Ledger.settle = keeps",
        "held when all has ended",
    ),
    "answers are not written": (
        "from searchkit.engine.journal import Journal\n"
        "put, times = Journal.put, []\n"
        "async def forgets(self, key, *rest):\n"
        "    times.append(1)\n"
        "    if len(times) % 2: await put(self, key, *rest)\n"
        "Journal.put = forgets",
        "were kept",
    ),
    "a call that is cancelled keeps its permit": (
        "import asyncio\n"
        "from searchkit.generators.wrappers.limited import Gate\n"
        "release = Gate.release\n"
        "def keeps(self, admitted, refused):\n"
        "    if not isinstance(sys.exc_info()[1], asyncio.CancelledError): release(self, admitted, refused)\n"
        "Gate.release = keeps",
        "permits are taken",
    ),
    "a process is left alive": (
        "import subprocess\n"
        "charge = candidates.Search.charge\n"
        "def begins(self, actual, *, paid):\n"
        "    subprocess.Popen(['sleep', '600'])\n"
        "    charge(self, actual, paid=paid)\n"
        "candidates.Search.charge = begins",
        "left alive",
    ),
}


@pytest.fixture(scope="module")
def attack() -> ModuleType:
    path = [*sys.path]
    spec = importlib.util.spec_from_file_location("attack", HERE / "tools" / "attack.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(made)
    finally:
        sys.path[:] = path
    return made


def test_a_seed_is_a_plan(attack: ModuleType) -> None:
    """The same each time, as JSON; other seeds are other plans, of all kinds."""
    plans = [attack.random_plan(seed) for seed in range(200)]
    assert plans == [attack.random_plan(seed) for seed in range(200)] == json.loads(json.dumps(plans))
    assert {plan["kind"] for plan in plans} == set(attack.KINDS)
    assert {event["what"] for plan in plans for event in plan["events"]} == set(attack.WHAT) - {"finish"}
    assert len({json.dumps(plan["strategy"]) for plan in plans}) > 150


def test_what_is_wrong_is_shrunk(attack: ModuleType) -> None:
    """To what alone is wrong with it: here a session that is stopped late, and a race."""

    class Looks:
        def violation(self, plan: dict[str, Any]) -> str:
            late = any(event["what"] == "stop" and event["at"] >= 7 for event in plan["events"])
            return "late" if late and "bandit" in json.dumps(plan["strategy"]) else ""

    race = ["bandit", 3, ["vote", 2], ["beam over", 1, ["vote", 1]]]
    plan = attack.random_plan(1) | {
        "kind": "agent", "strategy": ["best of", 5, race], "budget": {"generations": 4}, "fails": 0.4,
        "wrapped": ["limited"],
        "events": [{"what": "clock", "at": 5}, {"what": "stop", "at": 60}, {"what": "cancel", "at": 9}],
    }  # fmt: skip
    smallest, wrong = attack.shrunk(plan, Looks())
    assert wrong == "late"
    assert smallest["events"] == [{"what": "stop", "at": 7}]
    assert (smallest["kind"], smallest["budget"], smallest["fails"], smallest["wrapped"]) == ("search", {}, 0.0, [])
    assert smallest["strategy"][:2] == ["bandit", 0]
    assert attack.shrunk(attack.random_plan(2), type("Fine", (), {"violation": lambda self, plan: ""})()) == (
        attack.random_plan(2), "it did not happen again"
    )  # fmt: skip


@pytest.mark.slow
def test_nothing_is_wrong_with_the_package() -> None:
    command = [sys.executable, str(HERE / "tools" / "attack.py"), "--plans", "6", "--seconds", "600"]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(ended.stdout)
    assert (told["plans"], told["violations"]) == (6, 0)
    assert told["calls"] > 20


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """With a plan that shows it, which is shorter than that of the seed."""
    code, said = FAULTS[fault]
    ended = subprocess.run(
        [sys.executable, "-c", WRONG.format(fault=code, seed=0)], capture_output=True, text=True, env=ENVIRONMENT,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "VIOLATION with seed" in ended.stdout
    assert said in ended.stdout
    assert '"violations": 1' in ended.stdout
