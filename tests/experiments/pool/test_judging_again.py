"""Judging a pool again: verdicts come from another truth, all else stays."""

from __future__ import annotations

import asyncio

import pytest

from searchkit import Budget, Problem, Prompt
from searchkit.errors import ConfigError, SearchWarning
from searchkit.experiments import Entry, Pool, judge_again
from searchkit.verifiers import Exact, Predicate

PROBLEMS = [Problem(name, Prompt.of("the same question"), right) for name, right in (("a", "4"), ("b", "5"))]
FAILED = Entry(None, finish="error", feedback="no server")
POOL = Pool({
    "a": (Entry("4", "4", 0.5, unknown=True, generated_tokens=7), Entry("5", correct=True, feedback="old"), FAILED),
    "b": (Entry("5", "5"), Entry("nothing", unknown=True), Entry("", correct=True)),
})  # fmt: skip


def test_verdicts_are_replaced_and_nothing_else():
    """Failed samples stay; two problems may ask the same."""
    judged, usage = asyncio.run(judge_again(POOL, PROBLEMS, Exact()))
    assert [[(e.correct, e.unknown) for e in column] for column in judged.entries.values()] == [
        [(True, False), (False, False), (False, False)],
        [(True, False), (False, False), (False, True)],
    ]
    assert judged.entries["a"][0].generated_tokens == 7
    assert judged.entries["a"][0].score == 0.5
    assert judged.entries["a"][1].feedback == "the answer is wrong"
    assert judged.entries["a"][2] == FAILED
    assert usage.verifications == 5


def test_a_pool_of_failed_samples_is_not_judged():
    """Nothing is asked of the truth."""
    judged, usage = asyncio.run(judge_again(Pool({"a": (FAILED,)}), PROBLEMS, Exact()))
    assert (judged.entries["a"], usage.verifications) == ((FAILED,), 0)


def test_a_truth_that_fails_leaves_the_sample_unknown():
    """And says why."""
    with pytest.warns(SearchWarning, match="all verdicts failed"):
        judged, _ = asyncio.run(judge_again(POOL, PROBLEMS, Predicate(lambda value: value.nothing)))
    assert all(e.unknown and "not judged" in e.feedback for _, e in judged.samples() if e.finish != "error")


def test_mistakes_cost_no_verdict():
    """A problem that is missing, or has no reference; a judge that sees all together; one that only scores."""
    for problems, truth, said in [
        (PROBLEMS[:1], Exact(), "'b' of the pool is not among problems"),
        ([PROBLEMS[0], Problem("b", Prompt.of("?"))], Exact(), "problem 'b': Exact needs a reference"),
        (PROBLEMS, Exact, "an object and not its class"),
        ([*PROBLEMS[:1], "b"], Exact(), "problems are Problem objects, got 'b'"),
    ]:
        with pytest.raises(ConfigError, match=said):
            asyncio.run(judge_again(POOL, problems, truth))
    judged, usage = asyncio.run(judge_again(POOL, PROBLEMS, Exact(), budget=Budget(verifications=9)))
    assert usage.verifications == 5
    assert judged.entries["a"][0].correct
