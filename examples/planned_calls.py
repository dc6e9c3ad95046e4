"""A plan of tool calls that need one another, each begun as soon as it can be. `python examples/planned_calls.py`.

What LLMCompiler does, written with `run.spawn` and `run.join`: a planner writes numbered calls with references ("$1"
is what call 1 has found), those that do not wait for one another run side by side, and a joiner answers or asks for
another plan. Three mistakes of released code cannot be made here: a call that fails has ended, so that nothing waits
for it for ever; references are read as whole numbers, so that "$1" is no part of "$10"; and a plan that refers to
what it does not have, to itself or to what comes later is turned down before anything starts. Functions stand in for
the models, so that this runs offline.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from searchkit import Function, Prompt, Sample, Strategy, solve_sync
from searchkit.calls import CallError
from searchkit.protocols import Generator, Run
from searchkit.types import Outcome

QUESTION = "How many people live in the three largest cities of Freedonia together?"
PEOPLE = {"Fredville": 410_000, "Port Marx": 260_000, "Hucksbury": 90_000}
WAIT = 0.02  # seconds that a look-up takes
LINE = re.compile(r"^(\d{1,3})\. (\w+)\((.*)\)$")
REFERENCE = re.compile(r"\$(\d+)")


async def look_up(city: str) -> str:
    await asyncio.sleep(WAIT)
    return str(PEOPLE[city])


async def add(terms: str) -> str:
    return str(sum(int(term) for term in terms.split("+")))


TOOLS: dict[str, Callable[[str], Any]] = {"look_up": look_up, "add": add}


async def plan(asked: str) -> str:
    """The planner; its first plan looks for a city that is not in the book."""
    third = "Hucksbury" if "failed" in asked else "Duck Bay"
    return f"1. look_up(Fredville)\n2. look_up(Port Marx)\n3. look_up({third})\n4. add($1 + $2 + $3)"


async def join(asked: str) -> str:
    """The joiner: an answer, or what to plan for."""
    last = asked.splitlines()[-1]
    return f"REPLAN: {last}" if "failed" in last else f"ANSWER: {last.rpartition(': ')[2]}"


@dataclass(frozen=True)
class Call:
    """One call of a plan. needs: the numbers of the calls that it waits for."""

    number: int
    tool: str
    argument: str
    needs: tuple[int, ...]


def read(written: str) -> list[Call]:
    """The calls of a plan. Raises `ValueError` for a plan that cannot be followed."""
    calls = dict[int, Call]()
    for line in filter(None, map(str.strip, written.splitlines())):
        found = LINE.match(line)
        if found is None or found[2] not in TOOLS:
            raise ValueError(f"no call of a known tool: {line!r:.80}")
        number, needs = int(found[1]), tuple(sorted({int(n) for n in REFERENCE.findall(found[3])}))
        if number in calls or any(need not in calls for need in needs):
            raise ValueError(f"call {number} is there twice, or needs what does not stand before it: {line!r:.80}")
        calls[number] = Call(number, found[2], found[3], needs)
    return list(calls.values())


@dataclass(frozen=True)
class Compiler(Strategy):
    """Plans tool calls, has them made, and joins what they found; at most `plans` times, the last time for an answer.

    Cost: two generations and the calls of the tools for each plan.
    """

    plans: int = 3
    planner: Generator = field(default_factory=lambda: Function(plan))
    joiner: Generator = field(default_factory=lambda: Function(join))

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        asked = prompt.text
        for number in range(self.plans):
            [written] = await run.sample(self.planner, Prompt.of(asked), partial=True)
            found = await self._made(read(written.text), run)
            last = "" if number < self.plans - 1 else "\nThere is no time for another plan."
            [joined] = await run.sample(self.joiner, Prompt.of(f"{prompt.text}{last}\n{found}"), partial=True)
            if joined.text.startswith("ANSWER: ") or last:
                return Sample(joined.text.removeprefix("ANSWER: "))
            asked = f"{prompt.text}\n{joined.text}"
        raise AssertionError("the last plan is followed by an answer")

    async def _made(self, calls: list[Call], run: Run) -> str:
        """What each call has found, a line each; a failed one says so, and so do those that need it."""

        async def make(call: Call, child: Run, *before: Outcome[str]) -> str:
            known = dict(zip(call.needs, before, strict=True))
            if not all(outcome.ok for outcome in before):
                raise CallError("what it needs has failed")
            argument = REFERENCE.sub(lambda match: str(known[int(match[1])].value), call.argument)
            return await child.once(call.tool, lambda: TOOLS[call.tool](argument), harmless=True)

        handles = dict[int, Any]()
        for call in calls:
            handles[call.number] = await run.spawn(make, call, after=[handles[n] for n in call.needs], name=call.tool)
        outcomes = await run.join(*handles.values())
        return "\n".join(
            f"{call.number}. {call.tool}: {outcome.value if outcome.ok else 'failed'}"
            for call, outcome in zip(calls, outcomes, strict=True)
        )


if __name__ == "__main__":
    for wrong in ("1. add($2)\n2. look_up(Fredville)", "1. add($1)", "1. erase(all)"):
        try:
            read(wrong)
        except ValueError as error:
            print("turned down:", error)
    result = solve_sync(QUESTION, Compiler())
    print(result.answer, "people;", len(result.errors), "calls failed in the first plan")
    assert result.answer == str(sum(PEOPLE.values()))
