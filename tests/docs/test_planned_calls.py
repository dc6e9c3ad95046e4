"""LLMCompiler as an example: what its plans may be, when each call begins, and that each is made once."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit import Function, solve_sync

EXAMPLE = Path(__file__).parents[2] / "examples" / "planned_calls.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("planned_calls", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "planned_calls", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "plan",
    [
        "1. add($1)", "1. add($2)\n2. add(3)", "1. add($7)", "1. add(1)\n1. add(2)", "1. run(rm)", "add(1)", "1. add(1",
        "1. add($10)\n10. add(1)",
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_followed_is_turned_down_before_it_starts(example: Any, plan: str) -> None:
    with pytest.raises(ValueError, match="call"):
        example.read(plan)


def run(example: Any, monkeypatch: pytest.MonkeyPatch, plan: str) -> tuple[Any, list[str]]:
    """The result of a plan over a tool that says what it is given, and what it was given, in order."""
    given = list[str]()

    async def say(argument: str) -> str:
        given.append(argument)
        await asyncio.sleep(0)
        if "bad" in argument:
            raise LookupError(argument)
        return f"<{argument}>"

    async def write(asked: str) -> str:
        return plan

    async def join(asked: str) -> str:
        return "ANSWER: " + asked.splitlines()[-1]

    monkeypatch.setattr(example, "TOOLS", {"say": say})
    return solve_sync("q", example.Compiler(planner=Function(write), joiner=Function(join))), given


def test_references_are_whole_numbers(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """$1 is no part of $10, and what a tool has found is not searched for references."""
    plan = "\n".join([f"{n}. say(x{n})" for n in range(1, 11)] + ["11. say($10 $1)", "12. say($11)"])
    result, given = run(example, monkeypatch, plan)
    assert given[10:] == ["<x10> <x1>", "<<x10> <x1>>"]
    assert len(given) == 12  # each once
    assert result.answer == "12. say: <<<x10> <x1>>>"


def test_a_call_that_fails_has_ended(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that need it fail too, nobody waits for ever, and others are made."""
    result, given = run(example, monkeypatch, "1. say(bad)\n2. say($1)\n3. say($2)\n4. say(good)")
    assert sorted(given) == ["bad", "good"]
    assert result.answer == "4. say: <good>"
    assert len(result.errors) == 3


def test_what_needs_nothing_begins_at_once(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the trace: the first level has those without references, and as many levels as the longest path."""
    result, _ = run(example, monkeypatch, "1. say(a)\n2. say(b)\n3. say($1)\n4. say($3 $2)\n5. say(c)")
    levels = [span for span in result.trace.walk() if span.kind == "group" and span.name == "spawn"]
    assert [[item.index for item in level.children] for level in levels] == [[0, 1, 4], [2], [3]]
