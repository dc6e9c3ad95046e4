"""No answer was found: failed in a search, and marked, so that an experiment can tell it from a wrong answer."""

from __future__ import annotations

import json

import pytest

from searchkit import Problem, Prompt, codec, solve_sync
from searchkit.answers import keys
from searchkit.datasets.game24 import Game24
from searchkit.strategies import BestOfN
from searchkit.types import Verdict
from searchkit.verifiers import (
    AllOf,
    Calibrated,
    Cascade,
    Deduplicated,
    Exact,
    Jury,
    MathEqual,
    Platt,
    Predicate,
    Weighted,
)

NOTHING = "a story\nwithout an end"
ANYTHING = Predicate(lambda text: True, name="anything")
PROBLEM = Problem("p", Prompt.of("?"), "4")


def verdicts(verifier, *texts, problem=PROBLEM):
    """What a best-of-n hears of these samples."""
    result = solve_sync(problem, BestOfN(len(texts), verifier), generator=lambda text, index: texts[index])
    return [candidate.verdict for candidate in result.candidates]


@pytest.mark.parametrize("verifier", [Exact(), MathEqual(), Exact(keys.boxed), MathEqual(keys.boxed)])
def test_what_has_no_answer_fails_unread(verifier):
    """A search takes it as failed, as ever; wrong and right answers are not marked."""
    nothing, wrong, right = verdicts(verifier, NOTHING, "\\boxed{5}", "\\boxed{4}")
    assert (nothing.passed, nothing.value, nothing.unread) == (False, 0.0, True)
    assert (wrong.passed, wrong.unread) == (False, False)
    assert (right.passed, right.unread) == (True, False)


def test_a_reply_without_an_expression_is_unread():
    """Game of 24: no expression at all, and one that is wrong."""
    nothing, wrong = verdicts(Game24(), NOTHING, "4 + 5 + 6 + 10", problem=Problem("g", Prompt.of("?"), "4 5 6 10"))
    assert (nothing.passed, nothing.unread, wrong.passed, wrong.unread) == (False, True, False, False)


@pytest.mark.parametrize(
    "verifier",
    [
        AllOf((Exact(),)),
        AllOf((ANYTHING, Exact())),
        AllOf((Exact(), ANYTHING)),
        Cascade(Exact(), ANYTHING, 0.5, 0.5),
        Deduplicated(Exact()),
        Calibrated(Exact(), Platt(1.0, 0.0)),
        Jury((Exact(), MathEqual())),
        Jury((Exact(), MathEqual()), "majority"),
    ],
)
def test_combinations_keep_the_mark(verifier):
    """Where the verdict rests on nothing but unread answers; never on a sample that was read."""
    nothing, wrong, right = verdicts(verifier, NOTHING, "5", "4")
    assert [one.unread for one in (nothing, wrong, right)] == [True, False, False]


@pytest.mark.parametrize(
    "verifier", [Jury((Exact(), ANYTHING), "majority"), Weighted((Exact(), ANYTHING), (1.0, 1.0)), AllOf((ANYTHING,))]
)
def test_what_another_member_judged_is_not_unread(verifier):
    """Somebody read it."""
    assert [one.unread for one in verdicts(verifier, NOTHING)] == [False]


def test_the_mark_survives_a_journal(tmp_path):
    """Replayed verdicts equal the first ones; verdicts stored before there was a mark still load."""
    stored = [Verdict(passed=False, feedback="none", unread=True), Verdict(0.5), Verdict(1.0, True, (0.5, 1.0), "all")]
    assert codec.load_verdicts(codec.dump_verdicts(stored)) == stored
    assert json.loads(codec.dump_verdicts(stored))[1] == [0.5, None, None, ""]
    asked = {"generator": named, "journal": tmp_path / "run.db"}
    first, second = (solve_sync(PROBLEM, BestOfN(2, Exact()), **asked) for _ in range(2))
    assert second.paid.verifications == 0
    assert [c.verdict for c in second.candidates] == [c.verdict for c in first.candidates]
    assert {c.verdict.unread for c in second.candidates} == {True}


def named(prompt):
    return NOTHING
