"""`Verifier.oracle`: who sees what is right, and that results, tables and reports say so."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from searchkit import Model, Problem, Prompt, search, solve, solve_sync
from searchkit.cli import main
from searchkit.cli.solve import as_json, as_text
from searchkit.experiments import Sweep
from searchkit.experiments.report.page import report
from searchkit.generators import Recorded, Simulated
from searchkit.protocols import knows_reference
from searchkit.strategies import BestOfN, Rerank, SelfConsistency
from searchkit.testing import Scripted
from searchkit.testing.strategies import LengthScore
from searchkit.verifiers import (
    Agreement,
    AllOf,
    Calibrated,
    Cascade,
    Critic,
    Debate,
    Deduplicated,
    Distinguish,
    DualAgreement,
    Exact,
    Judge,
    Jury,
    MathEqual,
    OutcomeReward,
    PairwiseJudge,
    Predicate,
    ProcessReward,
    PYes,
    Reproduces,
    UnitTests,
    Weighted,
)
from searchkit.verifiers.judges.judge import SCORE_BY_REFERENCE

PROBLEM = Problem("p", Prompt.of("How much is 6 * 7?"), "42")
SAID = Model(Scripted(lambda request: '{"reasoning": "so", "score": 7}'))


SAID_TESTS = Model(Scripted(lambda request: "assert f(2) == 2"))


def right(value, reference):
    return value == reference


def longer(value):
    return len(value) / 10


def sure(value):
    return 0.5 if value == "4" else 0.9


def a_tenth(score):
    return score / 10


BY_REFERENCE = Judge(SAID, template=SCORE_BY_REFERENCE)
BLIND = Judge(SAID)
SEES = [
    (Exact(), {"Exact"}),
    (Exact(reference="42"), {"Exact"}),
    (MathEqual(), {"MathEqual"}),
    (Predicate(right), {"Predicate"}),
    (BY_REFERENCE, {"Judge"}),
    (Calibrated(Exact(), a_tenth), {"Calibrated", "Exact"}),
    (Weighted((BLIND, Exact()), (0.5, 0.5)), {"Weighted", "Exact"}),
    (AllOf((Predicate(bool), Exact())), {"AllOf", "Exact"}),
    (Jury((BLIND, BY_REFERENCE)), {"Jury", "Judge"}),
    (Deduplicated(Exact()), {"Deduplicated", "Exact"}),
    (Cascade(Predicate(longer), Exact(), 0.0, 1.0), {"Cascade", "Exact"}),
    (Debate(SAID, BY_REFERENCE), {"Debate", "Judge"}),
]
SEES_NOTHING = [
    Predicate(longer),
    BLIND,
    Judge(SAID, reference="42"),  # its template has no place for it
    LengthScore(),
    Agreement(),
    Calibrated(BLIND, a_tenth),
    Jury((BLIND, BLIND)),
    Debate(SAID, BLIND),
    OutcomeReward(lambda prompt, text: len(text), name="longer"),
    ProcessReward(lambda prompt, steps: [0.5] * len(steps), name="half"),
]


@dataclass(frozen=True)
class Silent(LengthScore):
    """A verifier of somebody's own: it binds to the reference, and declares nothing. Equal to what is not bound."""

    reference: Any = field(default=None, compare=False)

    def bind(self, problem: Problem) -> Silent:
        return self if problem.reference == self.reference else replace(self, reference=problem.reference)


WRAPPED: dict[str, Any] = {
    "AllOf": lambda one: AllOf((Predicate(bool), one)),
    "Calibrated": lambda one: Calibrated(one, a_tenth),
    "Cascade": lambda one: Cascade(Predicate(longer), one, 0.0, 1.0),
    "Critic": lambda one: Critic(SAID, grounds=one),
    "Debate": lambda one: Debate(SAID, one),
    "Deduplicated": Deduplicated,
    "Distinguish": lambda one: Distinguish(one, SAID, sandbox="none"),
    "Jury": lambda one: Jury((one, one)),
    "Weighted": lambda one: Weighted((BLIND, one), (0.5, 0.5)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_made_of_one_that_declares_nothing_is_taken_for_an_oracle_where_that_is(name: str) -> None:
    """By whether it is another object for the problem; and what is made of blind ones is blind."""
    made = WRAPPED[name]
    assert found(made(Silent())) == {name}
    assert name in found(made(Calibrated(Silent(), a_tenth)))
    assert found(made(LengthScore())) == set()
    blind = made(LengthScore())
    assert blind.bind(PROBLEM) is blind


def test_names_of_a_reference_are_no_tests() -> None:
    """What takes an entry point from a record does not see what is right."""
    record = Problem("p", PROBLEM.prompt, {"tests": "assert f(1) == 1", "entry_point": "f", "prompt": ""})
    for verifier in (
        Distinguish(UnitTests("assert f(2) == 2", sandbox="none"), SAID, sandbox="none"),
        Distinguish(DualAgreement(generator=SAID_TESTS, sandbox="none"), SAID, sandbox="none"),
        Reproduces("def f(x): return 0", SAID, sandbox="none"),
    ):
        assert found(verifier, record) == set()
    assert found(Distinguish(UnitTests(sandbox="none"), SAID, sandbox="none"), record) == {"Distinguish", "UnitTests"}


def found(verifier: Any, problem: Problem = PROBLEM) -> set[str]:
    result = solve_sync(problem, BestOfN(2, verifier), generator=Recorded({PROBLEM.prompt.text: ["41", "42"]}))
    return set(result.oracle)


@pytest.mark.parametrize(("verifier", "names"), SEES, ids=range(len(SEES)))
def test_a_verifier_that_sees_the_reference_is_named(verifier, names):
    """Those that are made of one, too."""
    assert verifier.bind(PROBLEM).oracle
    assert found(verifier) == names


@pytest.mark.parametrize("verifier", SEES_NOTHING, ids=range(len(SEES_NOTHING)))
def test_a_verifier_that_does_not_is_not(verifier):
    """Though the problem has a reference."""
    assert not getattr(verifier, "oracle", False)
    assert found(verifier) == set()
    assert found(verifier, replace(PROBLEM, reference=None)) == set()


@pytest.mark.parametrize("verifier", [PairwiseJudge(), PYes(), DualAgreement()], ids=["pairs", "p-yes", "dual"])
def test_judges_of_two_and_agreement_of_tests_are_none(verifier):
    """As they say themselves, bound or not."""
    assert not getattr(verifier, "oracle", False)
    assert not getattr(verifier.bind(PROBLEM), "oracle", False)


PROGRAM = "```python\ndef double(x):\n    return 2 * x\n```"
TESTS = "assert double(2) == 4"


@pytest.mark.slow
def test_tests_are_an_oracle_if_they_come_from_the_reference():
    """Public tests, given by hand for a problem without a reference, are none."""
    problem = Problem("p", Prompt.of("Write double."), TESTS)
    writer = Recorded({"Write double.": [PROGRAM]})
    hidden = solve_sync(problem, BestOfN(1, UnitTests()), generator=writer)
    assert (hidden.oracle, hidden.candidates[0].verdict.passed) == (("UnitTests",), True)
    inside = solve_sync(problem, BestOfN(1, AllOf((UnitTests(),))), generator=writer)
    assert "UnitTests" in inside.oracle
    public = solve_sync("Write double.", BestOfN(1, UnitTests(TESTS)), generator=writer)
    assert public.oracle == ()


@dataclass(frozen=True)
class Foreign(LengthScore):
    """Somebody else's verifier, which declares nothing."""

    known: Any = field(default=None)

    def bind(self, problem: Problem) -> Foreign:
        return replace(self, known=problem.reference)


@dataclass(frozen=True)
class Declared(Foreign):
    """It says that what it takes of the reference tells nothing."""

    oracle: bool = False


def test_an_undeclared_verifier_that_binding_changes_is_taken_for_one():
    """A mark too many is mended by declaring; one too few would be believed."""
    assert found(Foreign()) == {"Foreign"}
    assert found(Foreign(), replace(PROBLEM, reference=None)) == set()
    assert found(Declared()) == set()


@dataclass(frozen=True)
class Once(LengthScore):
    """As `Foreign`, but what knows the reference already stays as it is: asked as a member it looks like any other."""

    known: Any = field(default=None)

    def bind(self, problem: Problem) -> Once:
        return self if self.known == problem.reference else replace(self, known=problem.reference)


NAMES = {"entry_point": "f", "prompt": "", "test": "assert f(1) == 1"}  # of which some verifiers take the names alone
SPEAKS = Model(Scripted(lambda request: "so"))


def made_of(member: Any) -> list[Any]:
    """All that is made of verifiers."""
    other = Predicate(longer)
    return [
        Calibrated(member, a_tenth),
        Weighted((other, member), (0.5, 0.5)),
        AllOf((other, member)),
        Jury((other, PYes(), member)),
        Deduplicated(member),
        Cascade(other, member, 0.0, 1.0),
        Cascade(member, other, 0.0, 1.0),
        Debate(SPEAKS, member),
        Critic(SPEAKS, grounds=member),
        Distinguish(member),
        AllOf((DualAgreement(), member)),
        Deduplicated(AllOf((other, Jury((member,))))),
    ]


@pytest.mark.parametrize("at", range(len(made_of(Once()))))
def test_what_is_made_of_an_undeclared_verifier_is_marked_as_that_is(at):
    """And what is made of one that binding does not change is not, whatever else takes names from the reference."""
    problem = Problem("p", Prompt.of("Write f."), NAMES)
    for member, expected in (
        (Once(), True),
        (Foreign(), True),
        (PYes(), False),
        (LengthScore(), False),
        (Declared(), False),
    ):
        verifier = made_of(member)[at]
        assert knows_reference(verifier.bind(problem), verifier, problem) is expected, member
        assert not knows_reference(
            verifier.bind(replace(problem, reference=None)), verifier, replace(problem, reference=None)
        )


def test_names_of_a_reference_are_no_oracle():
    """Neither for tests of what a model wrote, nor for those that reproduce a fault."""
    problem = Problem("p", Prompt.of("Write f."), NAMES)
    for verifier in (DualAgreement(), Reproduces("def f(x):\n    return 2"), Distinguish(Predicate(longer))):
        assert not knows_reference(verifier.bind(problem), verifier, problem)


def test_a_member_that_does_not_declare_is_told_of_by_the_result_also_when_resumed(tmp_path):
    """Members are not asked where the journal has the verdict of the whole."""
    generator = Model(Scripted(lambda request: ["41", "42"][request.index]))
    for _ in range(2):
        strategy = BestOfN(2, Deduplicated(AllOf((Predicate(longer), Once()))))
        result = solve_sync(PROBLEM, strategy, generator=generator, journal=tmp_path / "journal.db")
        assert "Deduplicated" in result.oracle


def test_a_second_verifier_and_an_inner_search_are_counted():
    """Whoever asks it, in whatever part of the search."""
    assert found_by(BestOfN(2, Predicate(longer), select=Rerank(Exact()))) == ("Exact",)
    assert found_by(SelfConsistency(2, generator=BestOfN(1, Exact()))) == ("Exact",)
    assert found_by(SelfConsistency(2)) == ()


def found_by(strategy):
    return solve_sync(PROBLEM, strategy, generator=Recorded({PROBLEM.prompt.text: ["41", "42"]})).oracle


@search(BestOfN(2, Exact(reference="42")))
def inner(topic: str, index: int) -> str:
    return f"{index}"


def outer(topic: str) -> str:
    return inner(topic)


def test_a_search_inside_an_agent_marks_the_one_around_it():
    """What was told to a part was told to the whole."""
    assert solve_sync("q", BestOfN(2, Predicate(longer)), generator=outer).oracle == ("Exact",)


def test_a_resumed_search_says_it_again(tmp_path):
    """Verdicts that come from the journal were made with the reference, too."""
    generator = Model(Scripted(lambda request: ["41", "42"][request.index]))
    for _ in range(2):
        result = solve_sync(PROBLEM, BestOfN(2, Exact()), generator=generator, journal=tmp_path / "journal.db")
        assert result.oracle == ("Exact",)


def test_the_result_says_so_on_a_page_and_on_the_command_line():
    """In words; and nothing where there is nothing to say."""
    generator = Recorded({PROBLEM.prompt.text: ["41", "42"]})
    told, blind = (
        asyncio.run(solve(PROBLEM, BestOfN(2, v), generator=generator)) for v in (Exact(), Predicate(longer))
    )
    assert "Exact saw the reference" in told._repr_html_()
    assert "! a verifier saw the reference: Exact" in as_text(told, trace=False)
    assert as_json(told)["oracle"] == ["Exact"]
    assert "reference" not in blind._repr_html_() + as_text(blind, trace=False)
    assert as_json(blind)["oracle"] == []


def test_the_tables_the_curves_and_the_report_of_a_sweep_say_so(tmp_path):
    """A sweep withholds references: only a verifier that brings its own can cheat in it."""
    problems = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(3)]
    strategies = {"told": BestOfN(2, Exact(reference="4")), "blind": BestOfN(2, Predicate(longer))}
    sweep = Sweep(problems, strategies, truth=Exact(), endpoints=[Model(Simulated({"4": 0.5, "5": 0.5}))])
    results = sweep.run(tmp_path / "out")
    said = "oracle: verifiers saw what is right while these searched: told (Exact)"
    assert {row.strategy: row.oracle for row in results.rows} == {"told": "Exact", "blind": ""}
    assert results.oracle == said
    assert results.table().splitlines()[-1] == said
    assert said in results._repr_html_()
    assert said in results.diagnosis
    notes = {curve.name: curve.note for curve in results.curves()}
    assert (notes["told"], notes["blind"]) == (said, "")
    page = report(tmp_path / "out", tmp_path / "page.html")
    assert said in page.read_text()
    again = type(results).load(tmp_path / "out")
    assert again.oracle == said
    honest = replace(results, finished=[one for one in results.finished if not one.row.oracle])
    assert honest.oracle == ""
    assert "oracle" not in honest.table()
    assert {one.strategy: one.oracle for one in results.summaries()} == {"told": "Exact", "blind": ""}
    assert said in results.summaries()._repr_html_()
    assert "oracle" not in honest.summaries()._repr_html_()


def test_the_comparison_of_two_sweeps_says_so(tmp_path, capsys):
    """It is the difference that gets believed."""
    problems = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(3)]
    strategies = {"told": BestOfN(2, Exact(reference="4")), "blind": BestOfN(2, Predicate(longer))}
    endpoints = [Model(Simulated({"4": 0.5, "5": 0.5}))]
    Sweep(problems, strategies, truth=Exact(), endpoints=endpoints).run(tmp_path / "out")
    told, blind = (str(tmp_path / f"out:{name}") for name in strategies)
    for pair, name in ((told, blind), "A told"), ((blind, told), "B told"), ((blind, blind), ""):
        assert main(["compare", *pair]) == 0
        out = capsys.readouterr().out
        assert ("oracle: verifiers saw what is right while these searched: " in out) is bool(name)
        assert f"searched: {name} (Exact)\n" in out or not name
        assert main(["compare", *pair, "--json"]) == 0
        [one] = json.loads(capsys.readouterr().out)
        assert [one["a"]["oracle"], one["b"]["oracle"]] == ["Exact" if side == told else "" for side in pair]


def test_all_that_saw_it_are_named_whichever_search_was_the_last(tmp_path):
    """A cascade asks its dear member about some answers only."""
    problems = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(6)]
    cascade = Cascade(Predicate(sure), Exact(reference="4"), 0.3, 0.7)
    model = Model(Scripted(lambda request: "4" if "3" in request.prompt.text else "55555"))
    results = Sweep(problems, {"c": BestOfN(1, cascade)}, truth=Exact(), endpoints=[model]).run(tmp_path / "out")
    assert [row.oracle for row in results.rows] == [*["Cascade"] * 3, "Cascade, Exact", *["Cascade"] * 2]
    assert results.oracle.endswith(": c (Cascade, Exact)")
