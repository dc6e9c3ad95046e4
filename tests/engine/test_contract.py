"""The calls of a run that plug-ins have instead of the engine's insides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from searchkit import Budget, BudgetExhausted, ConfigError, Model, Params, Prompt, Run, Sample
from searchkit.engine.run import Run as EngineRun
from searchkit.testing import Scripted
from searchkit.types import Outcome, Usage
from tests.engine.test_run import go

MODEL = Model(Scripted(lambda request: "x"), Params(max_tokens=4))


def test_the_engine_keeps_the_whole_contract() -> None:
    """Nothing that the abstract run declares is left undone, and it cannot be made itself."""
    assert issubclass(EngineRun, Run)
    assert EngineRun.__abstractmethods__ == frozenset()
    with pytest.raises(TypeError, match="abstract"):
        Run()  # type: ignore[abstract]


def test_survivors_are_what_did_not_fail_in_order() -> None:
    """Values in their order; a value of None is none."""

    async def body(prompt: Prompt, run: Run) -> Any:
        return run.survivors([Outcome(0, "x"), Outcome(1, None, ValueError()), Outcome(2, None), Outcome(3, "y")])

    assert go(body).answer == ["x", "y"]
    assert go(body).stopped == "done"


def test_without_survivors_the_first_failure_is_raised() -> None:
    """The very object; where nothing failed, nothing is raised."""
    first, later = ValueError("first"), KeyError("later")

    async def body(prompt: Prompt, run: Run) -> Any:
        with pytest.raises(ValueError, match="first") as raised:
            run.survivors([Outcome(0), Outcome(1, None, first), Outcome(2, None, later)])
        return raised.value is first, run.survivors([])

    assert go(body).answer == (True, [])


@pytest.mark.parametrize(("ceiling", "stopped"), [("generations", "budget"), ("seconds", "deadline")])
def test_a_survived_budget_is_why_the_search_stopped(ceiling: str, stopped: str) -> None:
    """Noted once; what is noted first stays."""

    async def body(prompt: Prompt, run: Run) -> Any:
        run.survivors([Outcome(0, None, BudgetExhausted(ceiling)), Outcome(1, "x")])
        run.note_failure(BudgetExhausted("seconds" if ceiling == "generations" else "usd"))
        run.note_failure(None)
        return "x"

    assert go(body).stopped == stopped


def test_used_is_what_the_position_and_all_below_it_have_cost() -> None:
    """Two samples here, one of them in a child; the child knows its own."""

    async def body(prompt: Prompt, run: Run) -> Any:
        await run.sample(MODEL, prompt)
        child = run.child("part")
        await child.sample(MODEL, prompt)
        return run.used.generations, child.used.generations

    assert go(body).answer == (2, 1)


def test_what_cannot_be_afforded_is_refused_and_nothing_is_set_aside() -> None:
    """Two of three model calls can be paid, again and again; four cannot, and then three still can."""

    async def body(prompt: Prompt, run: Run) -> Any:
        for _ in range(5):
            await run.afford(Usage(model_calls=2))
        with pytest.raises(BudgetExhausted, match="model_calls"):
            await run.afford(Usage(model_calls=4))
        return [sample.text for sample in await run.sample(MODEL, prompt, 3)]

    assert len(go(body, budget=Budget(model_calls=3)).answer) == 3


def test_the_worst_case_of_a_sample_is_read_off_its_parameters() -> None:
    """Four characters a token, the prefix included; as many generated tokens as may be."""

    async def body(prompt: Prompt, run: Run) -> Any:
        return run.worst_case(Prompt.of("x" * 40).continued("y" * 8), Params(max_tokens=7))

    assert go(body).answer == Usage(generations=1, model_calls=1, prompt_tokens=12, generated_tokens=7)


def test_children_share_what_is_left_with_their_parent() -> None:
    """Nine generations, two children: each of the three may have three; with at least five kept, two for each child."""

    async def body(prompt: Prompt, run: Run) -> Any:
        least = Usage(generations=5)
        return [run.children_budget(2, kept) for kept in (Usage(), least)], run.child("x").children_budget(2, least)

    bounded, _ = go(body, budget=Budget(generations=9)).answer
    assert bounded == [Budget(generations=6), Budget(generations=4)]
    assert go(body).answer[0] == [None, None]


def test_what_is_traced_has_a_span_and_its_end() -> None:
    """A call with a text; one that raises is an error; a child run as a context ends its own span."""

    async def body(prompt: Prompt, run: Run) -> Any:
        with run.traced("act") as span:
            span.text = "moved"
        with pytest.raises(ValueError, match="no"), run.traced("act", kind="item", index=3, role="plan"):
            raise ValueError("no")
        with run.child("part") as child:
            assert isinstance(child, Run)
        return "x"

    spans = go(body).trace.children[0].children
    told = [(s.name, s.kind, s.index, s.role, s.status, s.text) for s in spans]
    assert told == [
        ("act", "call", 0, "generate", "ok", "moved"),
        ("act", "item", 3, "plan", "error", ""),
        ("part", "item", 0, "generate", "ok", ""),
    ]


def test_the_clock_ends_what_runs_until_the_deadline() -> None:
    """It waits for what never comes, until the budget's seconds are over; without a deadline nothing is bounded."""

    async def body(prompt: Prompt, run: Run) -> Any:
        with pytest.raises(BudgetExhausted, match="seconds"):
            async with run.until_deadline():
                await asyncio.Event().wait()
        return Sample("x").text

    assert go(body, budget=Budget(seconds=0.05)).answer == "x"

    async def free(prompt: Prompt, run: Run) -> Any:
        async with run.until_deadline():
            return "x"

    assert go(free).answer == "x"


def test_after_the_deadline_nothing_can_be_afforded() -> None:
    """The clock is a ceiling like any other."""

    async def body(prompt: Prompt, run: Run) -> Any:
        with pytest.raises(BudgetExhausted):
            async with run.until_deadline():
                await asyncio.Event().wait()
        with pytest.raises(BudgetExhausted, match="seconds"):
            await run.afford(Usage())
        return "x"

    assert go(body, budget=Budget(seconds=0.05)).answer == "x"


def test_slips_are_named() -> None:
    """An outcome where its error is wanted; less than no children."""

    async def body(prompt: Prompt, run: Run) -> Any:
        with pytest.raises(ConfigError, match=r"outcome\.error"):
            run.note_failure(Outcome(0, None, ValueError()))  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="0 or more children"):
            run.children_budget(-1, Usage())
        return "x"

    assert go(body).answer == "x"
