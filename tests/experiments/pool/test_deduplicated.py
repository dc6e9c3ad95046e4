"""`Deduplicated` in pools: the entries are those of the verifier inside it, and equal samples are judged once."""

from __future__ import annotations

import asyncio

import pytest

from searchkit import SearchWarning
from searchkit.errors import ConfigError, VerifierError
from searchkit.experiments import draw, score
from searchkit.generators import Recorded
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.types import Budget, Problem, Prompt
from searchkit.verifiers import Deduplicated, UnitTests
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reference.exact import Exact

LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
TEXTS = ["right", "wrong", "right", "right", "other", "wrong"]
PROBLEMS = [Problem(str(i), Prompt.of(f"question {i}"), "right") for i in range(3)]
MODEL = Recorded({problem.prompt.text: TEXTS for problem in PROBLEMS})


def drawn(verifier, n=6, problems=PROBLEMS, generator=MODEL, **options):
    return asyncio.run(draw(problems, generator, n, verifier=verifier, **options))


def counting(asked, fn=len):
    def count(text):
        asked.append(text)
        return fn(text) % 2 == 1

    return Predicate(count, name="counting")


def test_the_pool_is_that_of_the_verifier_inside():
    """Entry for entry, as verifier, as scorer and under a name, beside others."""
    plain = drawn(Exact(str), scorer=Predicate(len, range=(0, 9)), scorers={"odd": counting([])}, key=str)
    odd, length = counting([]), Predicate(len, range=(0, 9))
    for options in (
        {"verifier": Deduplicated(Exact(str)), "scorer": length, "scorers": {"odd": odd}},
        {"verifier": Exact(str), "scorer": Deduplicated(length), "scorers": {"odd": odd}},
        {"verifier": Deduplicated(Exact(str)), "scorer": length, "scorers": {"odd": Deduplicated(odd)}},
    ):
        assert drawn(**options, key=str) == plain


def test_equal_samples_are_judged_once():
    """Of six samples three texts; so are those of a stored pool."""
    asked = []
    pool = drawn(Deduplicated(counting(asked)), problems=PROBLEMS[:1])
    assert (asked, len(pool.entries["0"])) == (["right", "wrong", "other"], 6)
    asked.clear()
    again, usage = asyncio.run(score(pool, PROBLEMS[:1], Deduplicated(counting(asked)), "again"))
    assert asked == ["right", "wrong", "other"]
    assert [entry.scores["again"] for entry in again.entries["0"]] == [1.0] * 6
    assert usage.verifications == 6 + 3


def test_programs_are_run_once_each():
    """`Deduplicated(UnitTests())`, as the issue has it."""
    programs = ["def sq(x): return x + x", "def sq(x): return x * x"] * 2
    problem = Problem("sq", Prompt.of("Write sq."), ["assert sq(2) == 4", "assert sq(3) == 9"])
    tests = UnitTests(sandbox=LEVEL, limits=Limits(cpu=30, wall=120.0))
    model = Recorded({problem.prompt.text: programs})
    pools = [drawn(verifier, 4, [problem], model) for verifier in (tests, Deduplicated(tests))]
    assert pools[0] == pools[1]
    assert [(e.score, e.correct) for e in pools[1].entries["sq"]] == [(0.5, False), (1.0, True)] * 2


def test_a_pool_that_grows_is_that_of_one_drawing():
    """The later samples are judged among themselves."""
    asked = []
    verifier = Deduplicated(counting(asked))
    first = drawn(verifier, 3, PROBLEMS[:1])
    assert drawn(verifier, 6, PROBLEMS[:1], pool=first) == drawn(Deduplicated(counting([])), 6, PROBLEMS[:1])
    assert asked == ["right", "wrong", "right", "other", "wrong"]


def test_a_drawing_goes_on_from_its_journal(tmp_path):
    """Nothing is judged twice."""
    asked = []
    journal = tmp_path / "run.db"
    pools = [drawn(Deduplicated(counting(asked)), problems=PROBLEMS[:1], journal=journal) for _ in range(2)]
    assert pools[0] == pools[1]
    assert asked == ["right", "wrong", "other"]


def test_a_verifier_that_fails_leaves_its_samples_unknown():
    """Those of one text, if the others are judged; for all it is the error of the drawing."""

    def broken(text):
        if text == "wrong":
            raise VerifierError("no opinion")
        return True

    pool = drawn(Deduplicated(Predicate(broken, name="broken")), problems=PROBLEMS[:1])
    assert [(e.correct, e.unknown) for e in pool.entries["0"]] == [(text != "wrong", text == "wrong") for text in TEXTS]
    failed = pytest.raises(VerifierError, match="no opinion")
    with pytest.warns(SearchWarning, match="all verdicts failed"), failed:
        drawn(Deduplicated(Predicate(lambda text: broken("wrong"), name="broken")), problems=PROBLEMS[:1])


def test_a_budget_has_to_pay_for_all_verdicts():
    """One verification a sample and one for each different text; with less nothing is judged, which is not wrong."""
    with pytest.raises(ConfigError, match="verifications does not allow another call"):
        drawn(Deduplicated(Exact(str)), problems=PROBLEMS[:1], budget=Budget(verifications=5))
    enough = Budget(verifications=6 + 3)
    assert drawn(Deduplicated(Exact(str)), budget=enough) == drawn(Exact(str))
