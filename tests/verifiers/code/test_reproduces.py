"""`Reproduces`: tests that fail without a patch, and what patches make of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from searchkit import Model, Problem, Prompt, solve_sync
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError
from searchkit.generators import Recorded
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.strategies import BestOfN, PatchVote
from searchkit.testing import Scripted
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Sample
from searchkit.verifiers import Reproduces, UnitTests

LEVEL: Any = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
EACH = Limits(cpu=30, wall=120.0)
PROMPT = Prompt.of("middle([]) raises; it should return None. And middle of an even number of items is the left one.")
BASE = "def middle(items):\n    return items[len(items) // 2]"
EMPTY = "def middle(items):\n    return items[len(items) // 2] if items else None"
BOTH = "def middle(items):\n    return items[(len(items) - 1) // 2] if items else None"
LEFT = "def middle(items):\n    return items[(len(items) - 1) // 2]"
TESTS = (
    "assert middle([]) == None\nassert middle([1, 2]) == 1\nassert middle([1, 2, 3]) == 2"  # the last one shows nothing
)


def of(reply: Any = TESTS, **options: Any) -> Reproduces:
    model = Model(Scripted(reply if callable(reply) else lambda request: reply))
    return Reproduces(BASE, model, sandbox=LEVEL, limits=EACH, **options)


def judged(verifier: Any, *samples: Any) -> tuple[list[Any], Search]:
    search = Search(Problem("p", PROMPT))

    async def go() -> list[Any]:
        given = [one if isinstance(one, Sample) else Sample(one) for one in samples]
        scored = await Run.root(search, 0, Budget()).score(verifier, PROMPT, given)
        return [one.verdict for one in scored]

    return asyncio.run(go()), search


def test_only_tests_that_fail_without_a_patch_count():
    """Two of three do; the program as it was passes none of them."""
    verdicts, _ = judged(of(), BASE, EMPTY, LEFT, BOTH)
    assert [(v.score, v.passed) for v in verdicts] == [(0.0, False), (0.5, False), (0.5, False), (1.0, True)]
    assert verdicts[1].feedback == "passes 1 of 2 tests that fail without a patch"


def test_the_model_sees_the_task_and_the_program_fenced():
    """And is asked once for all candidates."""
    asked = []

    def writes(request: Any) -> str:
        asked.append(request.prompt.text)
        return TESTS

    judged(of(writes), EMPTY, BOTH)
    [question] = asked
    assert PROMPT.text in question
    assert f"```\n{BASE}\n```" in question


@pytest.mark.parametrize(
    ("reply", "why"),
    [("I cannot.", "no test was found"), ("assert middle([1, 2, 3]) == 2", "none of 1 tests fails"), ("", "empty text"),
     ("import os\nassert os.getcwd() == 1", "no test was found")],
)  # fmt: skip
def test_where_nothing_is_reproduced_all_abstain(reply, why):
    """So a filter by these scores leaves all in."""
    verdicts, _ = judged(of(reply), EMPTY, BOTH)
    assert [v.score for v in verdicts] == [None, None]
    assert why in verdicts[0].feedback


def test_a_test_of_something_else_fails_for_all():
    """A name that no program defines: it counts, and nobody passes it."""
    verdicts, _ = judged(of(f"{TESTS}\nassert median([1]) == 1"), EMPTY, BOTH)
    assert [v.score for v in verdicts] == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


def test_what_is_written_twice_counts_twice():
    """Over several replies; a model call each and a verification a program are all that is charged."""
    replies = ["assert middle([]) == None", "assert middle([]) == None\nassert middle([1, 2]) == 1"]
    verdicts, search = judged(of(lambda request: replies[request.index], samples=2), EMPTY, LEFT)
    assert [v.score for v in verdicts] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert (search.usage.model_calls, search.usage.verifications, search.usage.generations) == (2, 2, 0)


def test_what_is_no_program_and_what_is_truncated():
    """Unread and 0; abstains."""
    verdicts, _ = judged(of(), "I cannot.", Sample(BOTH, finish="length"), f"Mended:\n```python\n{BOTH}\n```")
    assert [(v.score, v.unread) for v in verdicts] == [(0.0, True), (None, False), (1.0, False)]


def test_agentless_as_a_setting():
    """Regression tests, then reproduction, then the vote: 8 verifications, and one model call beside the samples."""
    breaks = "def middle(items):\n    return None"
    spelt = f"# mended\n{BOTH}"
    drafts = [EMPTY, breaks, BOTH, EMPTY, spelt]
    regression = UnitTests(["assert middle([1, 2, 3]) == 2", "assert middle([7]) == 7"], LEVEL, EACH)
    search = BestOfN(5, regression, select=PatchVote(of()))
    result = solve_sync(Problem("p", PROMPT), search, generator=Recorded({PROMPT.text: drafts}))
    assert result.answer == BOTH
    assert result.usage.verifications == 5 + 4  # one broke what had passed
    assert result.usage.model_calls - result.usage.generations == 1


def test_it_takes_the_entry_point_of_a_reference_and_nothing_else():
    """Withheld or not."""
    record = {"entry_point": "middle", "tests": "secret"}
    for problem in (Problem("p", PROMPT, record), Problem("p", PROMPT, withheld=record)):
        bound = of().bind(problem)
        assert bound.entry_point == "middle"
        assert "secret" not in repr(bound)


class TestLaws(VerifierTests):
    problem = Problem("p", PROMPT)
    samples = (Sample(BOTH), Sample(EMPTY), Sample("no"), Sample(LEFT, finish="length"))

    def verifier(self) -> Reproduces:
        return Reproduces(BASE, Model(Scripted(writes)), sandbox=LEVEL, limits=EACH)


def writes(request: Any) -> str:
    return TESTS


def test_mistakes_are_named():
    """One clear sentence each."""
    for make, word in (
        (lambda: Reproduces("I cannot."), "base"),
        (lambda: Reproduces(None), "base"),
        (lambda: Reproduces(BASE, samples=0), "samples >= 1"),
        (lambda: Reproduces(BASE, template="{task}"), "base"),
        (lambda: Reproduces(BASE, "gpt"), "generator"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
