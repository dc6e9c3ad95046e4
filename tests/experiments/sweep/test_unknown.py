"""Unknown verdicts in a sweep: told apart from wrong ones, bounded, explained; references checked before any call."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from searchkit.answers import keys
from searchkit.datasets.game24 import Game24
from searchkit.engine.journal import Journal
from searchkit.engine.sync import run_sync
from searchkit.errors import ConfigError, JournalError
from searchkit.experiments import draw, plot, table
from searchkit.experiments.sweep.results import SweepResults, difference, difference_bounds
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.function import Function
from searchkit.generators import Embedded, ProgramAnswer, Simulated
from searchkit.generators.embedded.checkpoint import shipped
from searchkit.model import Model
from searchkit.solve import solve_many, solve_sync
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted
from searchkit.types import Budget, Message, Problem, Prompt, Sample, Text, Verdict
from searchkit.verifiers import AllOf, DualAgreement, Exact, MathEqual, Predicate, UnitTests, Weighted

PROBLEMS = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(10)]
INTEGRAL = r"\boxed{\int_0^{75} \cos x \, dx}"
ANSWERS = {"4": 0.4, "5": 0.2, INTEGRAL: 0.2, "a story\nwithout an end": 0.2}
ONE, FOUR = SelfConsistency(1), SelfConsistency(4)


def sweep(backend=None, **changed):
    settings = {"problems": PROBLEMS, "strategies": {"one": ONE, "four": FOUR}, "seeds": (0, 1), "truth": MathEqual()}
    return Sweep(**settings | changed, endpoints=[Model(backend or Simulated(ANSWERS))])


# ---------------------------------------------------------------- counts and bounds


def test_rows_say_unknown_and_why(tmp_path):
    """Each of 40 searches against what its answer is: right, wrong, unreadable notation, or nothing to read."""
    results = sweep().run(tmp_path / "out")
    expected = {
        "4": (True, False, "equal: the same text"),
        "5": (False, False, "different: another value"),
        INTEGRAL: (False, True, r"unknown: '\\int_0^{75} \\cos x \\, dx' could not be read: '\\int' is not known"),
        "a story\nwithout an end": (False, True, "no answer was found"),
    }
    assert {row.answer for row in results.rows} == set(expected)
    for row in results.rows:
        right, unknown, feedback = expected[row.answer]
        assert (row.right, row.unknown, row.error, row.finish) == (right, unknown, "", "stop")
        assert row.feedback.split(":")[0] == feedback.split(":")[0]
    assert SweepResults.load(tmp_path / "out").rows == results.rows


def test_the_headline_counts_unknown_as_wrong_and_the_bounds_as_right_and_not_at_all(tmp_path):
    """Shares counted by hand; where all is known the bounds are the accuracy, and the table has no column for them."""
    results = sweep().run(tmp_path / "a")
    for cell in results.summaries():
        rows = [row for row in results.rows if row.strategy == cell.strategy]
        right, unknown = sum(row.right for row in rows), sum(row.unknown for row in rows)
        assert (cell.searches, cell.unknown) == (20, unknown)
        assert (cell.accuracy, cell.at_most) == pytest.approx((right / 20, (right + unknown) / 20))
        assert cell.of_known == pytest.approx(right / (20 - unknown))
        assert cell.unknown_share.sum() * 2 == unknown
    lines = results.table().splitlines()
    assert "at most (%)  of known (%)" in lines[0]
    assert lines[-2].startswith("unknown verdicts count as wrong in accuracy")
    known = sweep(Simulated({"4": 0.5, "5": 0.5})).run(tmp_path / "b")
    assert {(s.unknown, s.at_most == s.accuracy == s.of_known) for s in known.summaries()} == {(0, True)}
    assert (known.diagnosis, len(known.table().splitlines())) == ("", 3)
    assert "at most" not in known.table()


def test_curves_carry_the_bound(tmp_path):
    """A point for each budget, and the note that a figure shows; none where all is known."""
    budgets = (Budget(generations=1), Budget(generations=4))
    results = sweep(budgets=budgets).run(tmp_path / "out")
    for curve in results.curves():
        cells = sorted((s for s in results.summaries() if s.strategy == curve.name), key=lambda s: s.tokens)
        assert curve.at_most == tuple(cell.at_most for cell in cells)
        own = [row for row in results.rows if row.strategy == curve.name]
        unread = sum(row.feedback == "no answer was found" for row in own)
        assert curve.note.startswith(f"no answer could be read in {unread} of 40 replies")
        assert f"{sum(row.unknown for row in own) - unread} of 40 verdicts are unknown" in curve.note


def test_a_difference_is_bounded_by_every_way_in_which_the_unknown_turns_out(tmp_path):
    """Brute force over all that 2 x 3 searches may come to."""
    found = {"a": [True, None, False], "b": [None, None, True]}
    texts = {True: "4", False: "5", None: "no\nanswer"}
    strategies = {name: BestOfN(1, Predicate(len, name=name, range=(0, 99))) for name in found}
    asked = iter([])

    def reply(request):
        return texts[next(asked)]

    problems, rows = PROBLEMS[:3], []
    for name in found:
        asked = iter(found[name])
        one = sweep(Scripted(reply), problems=problems, strategies={name: strategies[name]}, seeds=(0,))
        rows += one.run(tmp_path / name, concurrency=1).summaries()
    a, b = rows
    assert (a.unknown, b.unknown) == (1, 2)

    def possible(column):
        return itertools.product(*([v] if v is not None else [False, True] for v in column))

    all_of_them = [np.mean(x) - np.mean(y) for x in possible(found["a"]) for y in possible(found["b"])]
    assert difference_bounds(a, b) == pytest.approx((min(all_of_them), max(all_of_them)))
    assert float(difference(a, b)[1].mean) == pytest.approx(0.0)


def test_a_truth_that_fails_is_unknown_and_can_be_asked_anew(tmp_path):
    """Not judged is unknown and failed; --retry-failed judges it, and the progress counts what is left."""
    down = [True]

    def moody(text):
        if down[0]:
            raise RuntimeError("no opinion")
        return text == "4"

    # with 20 of them nothing would be kept, and the sweep would end
    mine = sweep(truth=Predicate(moody, name="moody"), strategies={"one": ONE}, problems=PROBLEMS[:9])
    first = mine.run(tmp_path / "out")
    assert {(row.right, row.unknown, bool(row.error)) for row in first.rows} == {(False, True, True)}
    assert first.diagnosis.startswith("18 of 18 verdicts are unknown")
    assert "no opinion" in first.diagnosis
    down[0] = False
    again = mine.run(tmp_path / "out", retry_failed=True)
    assert {(row.unknown, row.error) for row in again.rows} == {(False, "")}
    assert again.diagnosis == ""


def test_a_disk_that_is_full_is_no_verdict(tmp_path, monkeypatch):
    """What the truth says cannot be kept: that ends the sweep, which goes on with the same once there is room."""
    put = Journal.put

    async def full(self, key, outcome, origin):
        if outcome.startswith("["):  # a verdict
            raise JournalError("database or disk is full")
        await put(self, key, outcome, origin)

    mine = Sweep(PROBLEMS, {"one": ONE}, truth=MathEqual(), endpoints=[Model(Simulated(ANSWERS))])
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "put", full)
        with pytest.raises(JournalError, match="disk is full"):
            mine.run(tmp_path / "out")
    assert mine.run(tmp_path / "out").rows == mine.run(tmp_path / "whole").rows


def test_a_search_that_failed_is_wrong_and_known(tmp_path):
    """Nothing was answered, so nothing can turn out right."""
    failing = Simulated({"4": 1.0}, failures=1.0)
    results = sweep(failing, strategies={"one": ONE}, problems=PROBLEMS[:9]).run(tmp_path / "out")
    assert {(row.right, row.unknown, row.finish, row.feedback) for row in results.rows} == {(False, False, "error", "")}
    assert results.diagnosis == ""


def test_the_progress_counts_unknown_verdicts(tmp_path, capsys):
    """The bar says so while the sweep runs, not only at its end."""
    sweep(Scripted(lambda request: "so\nit is 4")).run(tmp_path / "out", progress=True)
    assert "40 of 40 unknown" in capsys.readouterr().err


# ---------------------------------------------------------------- nothing could be read


def test_a_model_that_marks_no_answer_ends_with_the_diagnosis(tmp_path):
    """80 of 80 replies, an example, and the key that reads them; with that key all are judged."""
    model = Scripted(lambda request: f"We compute 3*6.\nSo there are {4 if request.index else 18} eggs left.")
    results = sweep(model, seeds=range(4)).run(tmp_path / "a")
    said = results.table().splitlines()[-1]
    assert said == (
        "no answer could be read in 80 of 80 replies, for example 'We compute 3*6.\\nSo there are 18 eggs left.'; "
        "try MathEqual(number), and give the same key to strategies that vote (key=keys.number)"
    )
    assert said in results._repr_html_().replace("&#x27;", "'")
    assert {(s.accuracy, s.at_most, s.unknown) for s in results.summaries()} == {(0.0, 1.0, 40)}
    assert all(np.isnan(s.of_known) for s in results.summaries())
    read = sweep(model, truth=MathEqual(keys.number), seeds=range(4)).run(tmp_path / "b")
    assert (read.diagnosis, {row.unknown for row in read.rows}) == ("", {False})


def test_the_embedded_model_on_two_steps(tmp_path):
    """`4*31+7` is worked out in two lines, of which no key but the last number finds the answer."""
    model = Embedded(shipped("arithmetic"))
    problems = [Problem(f"{a}*{b}+{c}", Prompt.of(f"{a}*{b}+{c}\n"), str(a * b + c)) for a, b, c in
                [(4, 31, 7), (3, 22, 5), (2, 41, 8), (5, 13, 6)]]  # fmt: skip
    results = sweep(model, problems=problems, strategies={"four": FOUR}).run(tmp_path / "a")
    assert {row.unknown for row in results.rows} == {True}
    assert results.diagnosis.startswith("no answer could be read in 8 of 8 replies, for example '")
    assert "; try MathEqual(number), and give the same key to strategies that vote" in results.diagnosis
    counted = sweep(model, problems=problems, strategies={"four": FOUR}, truth=MathEqual(keys.number))
    assert counted.run(tmp_path / "b").summaries()[0].accuracy > 0.2


# ---------------------------------------------------------------- what references are for


RECORD = {
    "prompt": 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """The sum."""\n',
    "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n",
    "entry_point": "total",
}


def test_dual_agreement_is_told_the_names_and_not_the_tests(tmp_path):
    """It scored every continuation 0.0, since it did not know how the program begins; no test reaches a search."""

    def reply(request):
        if "Write tests" in request.prompt.text:
            return "assert total([1, 2]) == 3\nassert total([5]) == 5"
        return "    return sum(xs)" if request.index % 2 else "    return 0"

    problem = Problem("HumanEval/x", Prompt.of("Complete total."), RECORD)
    best = {"dual": BestOfN(4, DualAgreement(sandbox="none"))}
    mine = sweep(Scripted(reply), problems=[problem], strategies=best, truth=UnitTests(sandbox="none"), seeds=(0,))
    [row] = mine.run(tmp_path / "out").rows
    assert (row.right, row.answer, row.score) == (True, "    return sum(xs)", pytest.approx(0.5**0.5))
    with pytest.raises(ConfigError, match=r"strategy 'tests', problem 'HumanEval/x': UnitTests needs tests"):
        replace(mine, strategies={"tests": BestOfN(2, UnitTests(sandbox="none"))}).run(tmp_path / "b")


@dataclass(frozen=True)
class Told(Predicate):
    """Notes what it is bound to."""

    seen: tuple[list, ...] = ([],)

    def bind(self, problem):
        self.seen[0].append((problem.reference, problem.withheld))
        return self


def test_a_reference_is_withheld_from_searches_and_given_to_the_truth(tmp_path):
    """In a search the reference is None, and stands where only verifiers look that take nothing but names of it."""
    inner, truth = (Told(lambda text: True, name=name, seen=([],)) for name in ("inner", "truth"))
    sweep(strategies={"best": BestOfN(2, inner)}, truth=truth).run(tmp_path / "out")
    assert set(inner.seen[0]) == {(None, "4")}
    assert set(truth.seen[0]) == {("4", None)}


def stubborn(value):
    raise KeyError(value)


BAD = [
    (Exact(), Problem("bare", Prompt.of("?")), "problem 'bare': Exact needs a reference"),
    (MathEqual(), Problem("none", Prompt.of("?"), {}), "problem 'none': there is no answer in the reference"),
    (MathEqual(), Problem("two", Prompt.of("?"), r"\boxed{1} or \boxed{2}"), "problem 'two': .*several answers"),
    (UnitTests(sandbox="none"), Problem("bare", Prompt.of("?")), "problem 'bare': UnitTests needs tests"),
    (
        Exact(stubborn),
        Problem("raised", Prompt.of("?"), "4"),
        "problem 'raised': the answer key stubborn raised",
    ),
    (AllOf((Predicate(len, name="l", range=(0, 9)), Exact())), Problem("in", Prompt.of("?")), "problem 'in': Exact"),
    (Game24(), Problem("24", Prompt.of("?"), "no numbers"), "problem '24': Game24 needs the numbers"),
]


@pytest.mark.parametrize(("verifier", "problem", "says"), BAD)
def test_an_unusable_reference_names_its_problem_before_anything_is_paid(tmp_path, verifier, problem, says):
    """As the truth of a sweep, and in `solve` and `solve_many`."""
    backend = Counting(Simulated({"4": 1.0}))
    with pytest.raises(ConfigError, match=says):
        sweep(backend, problems=[problem, *PROBLEMS[:2]], truth=verifier).run(tmp_path / "out")
    with pytest.raises(ConfigError, match=says):
        run_sync(solve_many([problem, *PROBLEMS[:2]], BestOfN(2, verifier), generator=Model(backend)))
    with pytest.raises(ConfigError, match=says):
        solve_sync(problem, SelfConsistency(2, verifier=verifier), generator=Model(backend))
    assert backend.calls == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "truth",
    [
        Predicate(lambda text: 0.5, name="half"),
        Predicate(lambda text: Verdict(step_scores=(0.5,)), name="steps"),
        Weighted((Exact(), Predicate(lambda text: 0.2, name="some")), (1.0, 1.0)),
    ],
)
def test_a_truth_that_only_scores_ends_with_one_sentence(tmp_path, truth):
    """It names the fix, and the fix works: a gate around it passes or fails."""
    with pytest.raises(ConfigError, match=r"truth=.* gives a score but does not say what is right: take a verifier"):
        sweep(truth=truth, strategies={"one": ONE}).run(tmp_path / "a")
    gated = sweep(truth=AllOf((truth,)), strategies={"one": ONE}).run(tmp_path / "b")
    assert {row.error for row in gated.rows} == {""}


def test_a_joint_truth_is_refused_at_once():
    """Alone, a sample agrees with itself."""
    with pytest.raises(ConfigError, match="truth must judge each answer by itself"):
        sweep(truth=DualAgreement(("assert f(1) == 1",), sandbox="none"))


def test_a_truth_that_always_abstains_is_told(tmp_path):
    """Nothing is right, nothing wrong, and the reason given is shown."""
    silent = Predicate(lambda text: Verdict(feedback="the rubric is empty"), name="silent")
    results = sweep(truth=silent).run(tmp_path / "out")
    assert results.diagnosis.endswith("the rubric is empty")
    assert {s.unknown for s in results.summaries()} == {20}
    written = (tmp_path / "out/results.jsonl").read_text().splitlines()[1:]
    assert {json.loads(line)["unknown"] for line in written} == {True}


def agent(prompt):
    return {"n": 4}


def test_samples_of_other_kinds_are_shown(tmp_path):
    """An agent's value is an example too."""
    truth = Predicate(lambda value: Verdict(), name="silent")
    mine = Sweep(PROBLEMS[:2], {"one": ONE}, truth=truth, endpoints=[agent])
    assert "for example on '{'n': 4}'" in mine.run(tmp_path / "out").diagnosis


# ---------------------------------------------------------------- advice that mends the vote too

TOLD = Scripted(lambda request: f"We compute 3*6.\nSo there are {18 if request.index else 4} eggs left.")


def test_the_advice_taken_mends_the_vote():
    """Replies vote 18, 18, 18 against 4, 4 stands first: with the key in the truth alone the vote abstains."""
    problem = [Problem("eggs", Prompt.of("How many eggs?"), "18")]
    right = {}
    for name, key in (("default", keys.default), ("number", keys.number)):
        mine = sweep(TOLD, problems=problem, strategies={"v": SelfConsistency(4, key)}, truth=MathEqual(keys.number))
        found = solve_sync(problem[0], mine.strategies["v"], generator=mine.endpoints[0])
        right[name] = "18 eggs" in found.answer
    assert right == {"default": False, "number": True}


@pytest.mark.parametrize(
    ("strategy", "advised"),
    [
        (SelfConsistency(2), True),
        (SelfConsistency(2, keys.boxed), True),
        (SelfConsistency(2, str), True),
        (SelfConsistency(2, keys.number), False),
        (BestOfN(2, Predicate(len, name="len", range=(0, 99))), False),
        (BestOfN(2, Predicate(len, name="len", range=(0, 99)), generator=SelfConsistency(2)), True),
        (BestOfN(2, Predicate(len, name="len", range=(0, 99)), generator=SelfConsistency(2, keys.number)), False),
    ],
)
def test_the_vote_is_spoken_of_where_its_key_is_another(tmp_path, strategy, advised):
    """Also inside other strategies; when loaded the advice is the same, and each curve has that of its own strategy."""
    mine = sweep(TOLD, strategies={"mine": strategy, "plain": SelfConsistency(1, keys.number)})
    found = mine.run(tmp_path / "out")
    says = "give the same key to strategies that vote (key=keys.number)"
    assert "try MathEqual(number)" in found.diagnosis
    assert (says in found.diagnosis) is advised
    assert SweepResults.load(tmp_path / "out").diagnosis == found.diagnosis
    one, plain = found.curves()
    assert (says in one.note, says in plain.note) == (advised, False)


@dataclass(frozen=True)
class Hidden(Strategy):
    """Votes by a key that no field tells."""

    async def search(self, prompt, run):
        return await SelfConsistency(2).search(prompt, run)


def test_a_strategy_that_does_not_say_how_it_votes_is_spoken_of(tmp_path):
    """A function, and a class of somebody else's, may vote by any key; a plain model does not vote."""
    told = {"function": Function(lambda prompt: "so\nit is 4", name="mine"), "class": Hidden(), "model": Model(TOLD)}
    for name, one in told.items():
        found = sweep(TOLD, strategies={"mine": one}).run(tmp_path / name)
        assert ("strategies that vote (key=keys.number)" in found.diagnosis) is (name != "model")


def test_a_curve_has_no_note_of_another_strategy(tmp_path):
    """ "clear" is known in all it says: its curve has neither bound nor note, and tables name whose the other is."""
    clear, unclear = (BestOfN(1, Predicate(len, name="n", range=(0, 99)), generator=Model(Simulated({said: 1.0})))
                      for said in ("4", "so\nit is 5"))  # fmt: skip
    found = Sweep(PROBLEMS, {"clear": clear, "unclear": unclear}, truth=MathEqual()).run(tmp_path / "out")
    a, b = found.curves()
    assert (a.note, a.at_most) == ("", ())
    assert b.note.startswith("no answer could be read in 10 of 10 replies")
    assert table([a, b]).splitlines()[-1] == f"unclear: {b.note}"
    assert table([b]).splitlines()[-1] == b.note
    title = plot([a, b], "tokens").get_title(loc="left").replace("\n", " ")
    assert "unclear: no answer could be read in 10 of 10" in title


# ---------------------------------------------------------------- replies without a value


def without_value(*replies):
    """A generator whose samples have no value, and these replies."""

    def reply(prompt, index):
        return Sample("", message=Message("assistant", (Text(replies[index % len(replies)]),)))

    return Function(reply, name="without value")


@pytest.mark.parametrize("value", ["", "  \n", None])
def test_a_reply_without_a_value_is_told_with_its_end(tmp_path, value):
    """A program that failed leaves its reply in the message alone: it is not empty. So in a pool of the same."""

    def reply(prompt):
        return Sample(value, message=Message("assistant", (Text("```python\nprint(1/0)\n```\n"),)))

    agent = Function(reply, name="crashes")
    found = Sweep(PROBLEMS, {"one": ONE}, truth=MathEqual(), endpoints=[agent]).run(tmp_path / "out")
    pool = run_sync(draw(PROBLEMS, agent, 1, verifier=MathEqual()))
    for said in (found.diagnosis, SweepResults.load(tmp_path / "out").diagnosis, pool.diagnosis):
        assert said == (
            "no answer could be read in 10 of 10 replies, for example '```python\\nprint(1/0)\\n```'; "
            "10 of them have a reply without a value, as a program that failed leaves it"
        )
    assert {row.feedback for row in found.rows} == {
        "no answer was found [a reply without a value, its end:] ```python\nprint(1/0)\n```"
    }


def test_a_program_that_crashed_is_not_called_empty(tmp_path):
    """The real thing: `ProgramAnswer`, one reply in two of which has a program that divides by zero."""
    model = Scripted(lambda request: f"```python\nanswer = 4 / {request.seed % 2}\n```")
    programs = ProgramAnswer(Model(model), sandbox="none")
    said = Sweep(PROBLEMS, {"one": SelfConsistency(1, generator=programs)}, truth=MathEqual()).run(tmp_path / "o")
    crashed = sum(row.answer == "" for row in said.rows)
    assert 0 < crashed < 10
    assert f"{crashed} of them have a reply without a value, as a program that failed leaves it" in said.diagnosis
    assert "answer = 4 / 0" in said.diagnosis
    assert "empty" not in said.diagnosis


def test_an_abstention_on_a_reply_without_a_value_says_so(tmp_path):
    """Other truths than those with a reference give other reasons; they are counted as one each, whatever replied."""
    silent = Predicate(lambda value: Verdict(feedback="no opinion"), name="silent")
    agent = without_value("first", "second", "third")
    found = Sweep(PROBLEMS, {"one": ONE}, truth=silent, endpoints=[agent], seeds=(0, 1)).run(tmp_path / "out")
    assert found.diagnosis == (
        "20 of 20 verdicts are unknown, for example on a reply without a value, 'first': no opinion"
    )
