"""An agent that edits files in a sandbox, with the tests as verifier: `python examples/file_agent.py`.

A small module has three bugs. The agent proposes edits: another operator or another number at some place. It stands for
your model, and knows nothing: it picks one of all such edits at random. Two searches may run the tests equally often:
best-of-N writes N whole attempts of three edits each; tree search has every edit tested, and goes on from the state
that passes most tests. That is a good case for a tree: each bug that is mended makes more tests pass. Each edit is
applied to a copy of the folder; the folder itself is changed by nobody.

No code is run that a model wrote: all that can be made from the edits of this agent is harmless arithmetic. With a real
model the tests execute a stranger's code: run them in a sandbox, such as a container without network.
"""

from __future__ import annotations

import asyncio
import difflib
import random
import re
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from searchkit import Budget, Prompt, Result, solve
from searchkit.environments import FolderEnvironment
from searchkit.strategies import BestFirst, BestOfN, Children
from searchkit.types import Verdict
from searchkit.verifiers import Predicate

MODULE = """\
def fahrenheit(celsius):
    return celsius * 9 / 5 - 32


def leap(year):
    return year % 4 == 0 and (year % 100 == 0 or year % 400 == 0)


def mean(values):
    return sum(values) / (len(values) + 1)
"""
TESTS = """\
from module import fahrenheit, leap, mean

CHECKS = [
    lambda: fahrenheit(0) == 32,
    lambda: fahrenheit(100) == 212,
    lambda: fahrenheit(-40) == -40,
    lambda: leap(2024),
    lambda: not leap(1900),
    lambda: leap(2000),
    lambda: not leap(2023),
    lambda: mean([1, 2, 3]) == 2,
    lambda: mean([5]) == 5,
]


def passes(check):
    try:
        return bool(check())
    except Exception:
        return False


if __name__ == "__main__":
    print(sum(map(passes, CHECKS)), len(CHECKS))
"""
SWAPS = {"+": "-", "-": "+", "*": "/", "/": "*", "==": "!=", "!=": "==", "and": "or", "or": "and", "0": "1", "1": "0"}
PLACES = re.compile(r"==|!=|[+\-*/]|\band\b|\bor\b|\b[01]\b")
BUGS, RUNS = 3, 60  # edits that an attempt makes; how often a search may run the tests


def edits(source: str) -> list[str]:
    """All that the agent can do to a text: "NUMBER OF THE PLACE: OLD -> NEW"."""
    return [f"{i}: {found[0]} -> {SWAPS[found[0]]}" for i, found in enumerate(PLACES.finditer(source))]


def edited(source: str, edit: str) -> str:
    """The text after an edit; one that does not fit is an error, and costs its step."""
    place, _, swap = edit.partition(": ")
    old, _, new = swap.partition(" -> ")
    found = list(PLACES.finditer(source))[int(place)]
    if found[0] != old or SWAPS[old] != new:
        raise ValueError(f"there is no such edit: {edit}")
    return source[: found.start()] + new + source[found.end() :]


def propose(prompt: Prompt, seed: int) -> str:
    """The agent: one edit of the module that it is shown."""
    return random.Random(seed).choice(edits(prompt.text))


def attempt(prompt: Prompt, seed: int) -> str:
    """The agent left to itself: a module after as many edits as there are bugs."""
    chance, source = random.Random(seed), prompt.text
    for _ in range(BUGS):
        source = edited(source, chance.choice(edits(source)))
    return source


def act(folder: Path, edit: str) -> str:
    """How an edit is carried out in a copy of the project."""
    module = folder / "module.py"
    module.write_text(edited(module.read_text(), edit))
    return "edited"


def read(folder: Path) -> str:
    """What of a project is judged, and shown to the agent."""
    return (folder / "module.py").read_text()


async def share(source: str) -> Verdict:
    """The verifier: which share of the tests passes, in a process of their own, with ten seconds to go."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), source)
        command = [sys.executable, "-S", "-B", "tests.py"]
        tests = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=DEVNULL)
        try:
            said, _ = await asyncio.wait_for(tests.communicate(), timeout=10)
        except TimeoutError:
            return Verdict(0.0, feedback="timed out")
        finally:  # also if the search is cancelled
            if tests.returncode is None:
                tests.kill()
                await tests.wait()
    passed, _, total = said.decode().partition(" ")  # nothing was said where the module does not even load
    return Verdict(int(passed) / int(total) if total else 0.0)


def write(folder: Path, source: str) -> None:
    (folder / "module.py").write_text(source)
    (folder / "tests.py").write_text(TESTS)


def shown(result: Result[str]) -> str:
    best = max(c.score or 0.0 for c in result.candidates)
    return f"{best:.0%} of the tests after {result.usage.verifications} runs"


async def main() -> None:
    verifier, budget = Predicate(share), Budget(verifications=RUNS)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), MODULE)
        environment = FolderEnvironment(folder, act, render=read, prompt=lambda state: Prompt.of(state.answer))
        tree = BestFirst(verifier, environment=environment, evaluation=Children(), width=12, threshold=1.0)
        plain = BestOfN(RUNS, verifier, window=4)
        for seed in range(3):
            many = await solve(MODULE, plain, generator=attempt, budget=budget, seed=seed)
            found = await solve(MODULE, tree, generator=propose, budget=budget, seed=seed)
            print(f"seed {seed}: best-of-N passes {shown(many)}, tree search {shown(found)}")
    before, after = MODULE.splitlines(keepends=True), found.answer.splitlines(keepends=True)
    print("\n" + "".join(difflib.unified_diff(before, after, "a/module.py", "b/module.py")))


if __name__ == "__main__":
    asyncio.run(main())
