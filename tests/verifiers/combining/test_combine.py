"""`Weighted`, `AllOf` and `Cascade`: hand tables, who is asked about what, counts, references, and mistakes."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit import Model, Problem, solve
from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Verdict
from searchkit.verifiers import (
    Agreement,
    AllOf,
    Cascade,
    Exact,
    Judge,
    Jury,
    OutcomeReward,
    PairwiseJudge,
    Predicate,
    ProcessReward,
    Weighted,
)
from tests.helpers.judges import PROMPT, judged, says


def giving(verdicts, range=(0.0, 1.0), name="given", asked=None):
    """A verifier that gives the answer "i" the verdict number i: True, False, a number, None (abstains), an error."""

    def fn(value):
        if asked is not None:
            asked.append(value)
        verdict = verdicts[int(value)]
        if isinstance(verdict, Exception):
            raise verdict
        return Verdict() if verdict is None else verdict

    return Predicate(fn, name=name, range=range)


def answers(n):
    return [str(i) for i in range(n)]


def scores(verifier, *values, **options):
    return [verdict.value for verdict in judged(verifier, *values, **options)[0]]


# ---------------------------------------------------------------- weighted


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        (10, 1.0, 1.0),
        (0, 1.0, 0.25),  # (3 * 0 + 1 * 1) / 4
        (10, -1.0, 0.75),  # (3 * 1 + 1 * 0) / 4
        (5, 0.0, 0.5),  # both in the middle of their ranges
        (True, False, 0.75),  # passed is the best there is, failed the worst, in any range
        (None, 0.5, 0.75),  # who abstains has no weight
        (2, None, 0.2),
        (ValueError("no"), 0.5, 0.75),  # nor has who fails
        (None, None, None),
    ],
)
def test_a_weighted_mean_of_scores_mapped_to_the_unit_interval(first, second, score):
    """Weights 3 and 1, ranges [0, 10] and [-1, 1]: every row can be checked by hand."""
    members = (giving([first], (0.0, 10.0)), giving([second], (-1.0, 1.0), "other"))
    [verdict], usage, _ = judged(Weighted(members, (3, 1)), "0")
    assert (verdict.value, verdict.passed) == (score, None)
    assert (usage.verifications, usage.model_calls) == (3, 0)


@settings(max_examples=30)
@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=5), st.floats(1e-300, 1e300))
def test_equal_weights_are_the_mean_of_a_jury(votes, weight):
    """A second implementation, `Jury`, agrees to rounding, whatever the weights add up to."""
    members = tuple(giving([vote], name=str(i)) for i, vote in enumerate(votes))
    [mine], [juror] = scores(Weighted(members, (weight,) * len(votes)), "0"), scores(Jury(members), "0")
    assert mine == juror if juror is None else math.isclose(mine, juror, rel_tol=1e-12, abs_tol=1e-300)


def test_weights_count_as_repetition():
    """Weights 2 and 1 are a jury in which the first member sits twice."""
    a, b = giving([0.9, 0.1, 0.4], name="a"), giving([0.3, 0.8, 0.4], name="b")
    twice = scores(Jury((a, a, b)), *answers(3))
    assert scores(Weighted((a, b), (2, 1)), *answers(3)) == pytest.approx(twice, abs=1e-15)


def test_what_fails_is_told_and_if_all_fail_it_is_raised():
    """The others' mean stands, and the error is in the result's errors."""
    members = (giving([ValueError("no")]), giving([0.25], name="other"))
    [verdict], _, search = judged(Weighted(members, (1, 1)), "0")
    assert verdict == Verdict(0.25, feedback="1 of 2 members: 0.25 x 1")
    assert ["ValueError: no" in str(error) for _, error in search.errors] == [True]
    with pytest.raises(VerifierError, match="ValueError: no"):
        judged(Weighted(members[:1], (1,)), "0")


def test_a_joint_member_makes_a_joint_mean():
    """Shares of agreement 1/2, 1/2 and 0, and 0, 1, 1 from the other member."""
    mean = Weighted((Agreement(), Exact(reference="8")), (1, 1))
    assert mean.joint
    assert scores(mean, "7", "7", "8") == [0.25, 0.25, 0.5]
    assert not Weighted((Exact(),), (1,)).joint


# ---------------------------------------------------------------- the gate


@pytest.mark.parametrize(
    ("verdicts", "expected", "asked"),
    [
        ((True, True, 8), Verdict(0.8, True), 3),
        ((False, True, 8), Verdict(0.0, False, feedback="member 1 of 3 fails it"), 1),
        ((True, False, 8), Verdict(0.0, False, feedback="member 2 of 3 fails it"), 2),
        ((True, True, 5), Verdict(0.5, False, feedback="member 3 of 3 fails it"), 3),  # not above the middle of [0, 10]
        ((0.75, True, 9), Verdict(0.75, True), 3),
        ((0.25, True, 9), Verdict(0.25, False, feedback="member 1 of 3 fails it"), 1),
        ((True, None, 9), Verdict(feedback="member 2 of 3 abstains"), 2),
        ((None, False, 9), Verdict(feedback="member 1 of 3 abstains"), 1),
        ((Verdict(0.9, False, feedback="9 of 10 tests"), True, 9),
         Verdict(0.0, False, feedback="member 1 of 3 fails it: 9 of 10 tests"), 1),
        ((Verdict(0.125, True), True, 9), Verdict(0.125, True), 3),
    ],
)  # fmt: skip
def test_a_gate_lets_through_what_every_member_does(verdicts, expected, asked):
    """The least score of those asked; nobody is asked after the first who does not let the sample through."""
    ranges = ((0.0, 1.0), (0.0, 1.0), (0.0, 10.0))
    gate = AllOf(tuple(giving([v], r, f"{i}") for i, (v, r) in enumerate(zip(verdicts, ranges, strict=True))))
    [verdict], usage, _ = judged(gate, "0")
    assert verdict == expected
    assert usage.verifications == 1 + asked


def test_each_member_is_asked_exactly_about_what_passed_those_before():
    """All eight patterns of three members that pass or fail: 8, 4 and 2 samples are seen."""
    patterns = list(itertools.product((True, False), repeat=3))
    seen = [[], [], []]
    gate = AllOf(tuple(giving([p[i] for p in patterns], name=f"{i}", asked=seen[i]) for i in range(3)))
    verdicts, usage, _ = judged(gate, *answers(8))
    assert [v.passed for v in verdicts] == [all(pattern) for pattern in patterns]
    reached = [[str(i) for i, p in enumerate(patterns) if all(p[:place])] for place in range(3)]
    assert [sorted(of_one) for of_one in seen] == reached
    assert usage.verifications == 8 + 8 + 4 + 2


def test_a_gate_spares_the_models_what_the_checks_before_refuse():
    """Three of six samples are asked about, at any latencies; a resumed search asks nothing and sees the same."""

    def reply(request):
        return says(score=9) if "Score the answer" in request.prompt.text else str(request.index)

    for order in range(3):
        writer, judge = (Counting(Shuffled(Scripted(reply, name), order)) for name in ("writer", "judge"))
        gate = AllOf((Predicate(lambda value: int(value) % 2 == 1, name="odd"), Judge(Model(judge))))
        result = asyncio.run(solve("q", BestOfN(6, gate), generator=Model(writer)))
        assert [c.score for c in result.candidates] == [0, 0.9, 0, 0.9, 0, 0.9]
        assert (result.answer, writer.calls, judge.calls) == ("1", 6, 3)
        assert (result.usage.model_calls, result.usage.verifications) == (6 + 3, 6 + 6 + 3)


def test_a_resumed_gate_asks_nothing_again(tmp_path):
    """With a journal the judge's calls and the check's verdicts are found; another judge is another verifier."""
    path, calls = tmp_path / "journal.db", []
    for score in (9, 9, 2):
        judge = Counting(Scripted(lambda request, score=score: says(score=score), f"judge {score}"))
        gate = AllOf((Predicate(str.isdigit, name="digits"), Judge(Model(judge))))
        result = asyncio.run(solve("q", BestOfN(2, gate), generator=Recorded({"q": ["x", "1"]}), journal=path))
        assert [c.score for c in result.candidates] == [0, score / 10]
        calls.append(judge.calls)
    assert calls == [1, 0, 1]
    with Journal(path) as journal:
        assert len(journal) > 0


def test_passed_samples_rank_above_failed_ones():
    """A sample with nine tests of ten passed does not beat one that passes all of them and is liked less."""
    tests = giving([Verdict(0.9, False), Verdict(1.0, True)], name="tests")
    assert scores(AllOf((tests, giving([0.95, 0.6], name="taste"))), "0", "1") == [0, 0.6]


def test_a_member_that_fails_leaves_the_gate_undecided():
    """Its error is recorded, other samples keep their verdicts; nothing decided, it is raised."""
    gate = AllOf((Agreement(), giving([True, ValueError("no"), True])))
    verdicts, _, search = judged(gate, "1", "1", "2", "1")
    assert [v.passed for v in verdicts] == [None, None, False, None]
    assert all("ValueError: no" in str(error) for _, error in search.errors)
    with pytest.raises(VerifierError, match="ValueError: no"):
        judged(AllOf((giving([ValueError("no")]),)), "0")


def test_a_joint_member_comes_first_and_sees_all():
    """A judge is asked only about answers that more than half of the others give."""
    seen = []
    gate = AllOf((Agreement(), giving(dict.fromkeys((7, 8), 0.75), asked=seen)))
    assert gate.joint
    verdicts = judged(gate, "7", "8", "7", "7")[0]
    assert [(v.value, v.passed) for v in verdicts] == [(2 / 3, True), (0, False), (2 / 3, True), (2 / 3, True)]
    assert seen == ["7"] * 3
    with pytest.raises(ConfigError, match="a later member of AllOf it would see only some of them: put it first"):
        AllOf((Exact(), Agreement()))


# ---------------------------------------------------------------- the cascade


@pytest.mark.parametrize(
    ("cheap", "expected", "dear"),
    [
        (1.9, 0.19, 0),
        (2.0, 0.75, 1),
        (5.0, 0.75, 1),
        (8.0, 0.75, 1),
        (8.1, 0.81, 0),
        (None, 0.75, 1),
        (ValueError("no"), 0.75, 1),
        (True, 1.0, 0),
        (False, 0.0, 0),
    ],
)
def test_the_dear_verifier_judges_what_lies_between(cheap, expected, dear):
    """From 2 to 8 of [0, 10], both included, and abstentions; the dear one gives 0.5 of [-1, 1] to everything."""
    cascade = Cascade(giving([cheap], (0.0, 10.0), "cheap"), giving([0.5], (-1.0, 1.0), "dear"), 2, 8)
    [verdict], usage, _ = judged(cascade, "0")
    assert verdict.value == pytest.approx(expected)
    assert usage.verifications == 2 + dear


def test_a_cascade_calls_the_model_exactly_for_those_between():
    """Cheap scores 0 to 1 in tenths, bounds 0.3 and 0.6: four calls of the judge, whatever the latencies."""
    for order in range(3):
        judge = Counting(Shuffled(Scripted(lambda request: says(score=10)), order))
        cascade = Cascade(giving([i / 10 for i in range(11)]), Judge(Model(judge)), 0.3, 0.6)
        verdicts, usage, _ = judged(cascade, *answers(11))
        assert [v.score for v in verdicts] == [0, 0.1, 0.2, 1, 1, 1, 1, 0.7, 0.8, 0.9, 1]
        assert judge.calls == usage.model_calls == 4
        assert usage.verifications == 11 + 11 + 4


def test_the_ends_of_the_range_and_equal_bounds():
    """From end to end all are dear; with equal bounds between failed and passed only abstentions are."""
    cheap, dear = giving([True, False, None]), giving([0.25, 0.25, 0.25], name="dear")
    assert scores(Cascade(cheap, dear, 0, 1), *answers(3)) == [0.25, 0.25, 0.25]
    assert scores(Cascade(cheap, dear, 0.5, 0.5), *answers(3)) == [1, 0, 0.25]


def test_the_verdict_is_whole():
    """Passed, feedback and steps are those of whoever decided, the steps on the same scale as the score."""
    cheap = giving([Verdict(-1.0, False, (0.0, -1.0), "bad"), Verdict(0.0)], (-1.0, 1.0))
    dear = giving([None, Verdict(5.0, True, (10.0, 5.0), "good")], (0.0, 10.0), "dear")
    verdicts, _, _ = judged(Cascade(cheap, dear, -0.5, 0.5), "0", "1")
    assert verdicts == [Verdict(0.0, False, (0.5, 0.0), "bad"), Verdict(0.5, True, (1.0, 0.5), "good")]


def test_where_samples_agree_no_judge_is_asked():
    """A joint cheap member sees all samples; a joint dear one is refused."""
    seen = []
    cascade = Cascade(Agreement(), giving({7: 0.9, 8: 0.1}, asked=seen), 0.3, 0.4)
    assert cascade.joint
    assert scores(cascade, "7", "8", "7", "9") == [0.9, 0, 0.9, 0]
    assert seen == ["7", "7"]
    with pytest.raises(ConfigError, match="make it the cheap one, or select by it"):
        Cascade(Exact(), PairwiseJudge(), 0.5, 0.5)


def test_a_budget_that_ends_before_the_dear_one_leaves_the_cheap_verdicts():
    """Besides the four samples one call is affordable, three are needed: the search says so."""
    judge = Counting(Scripted(lambda request: says(score=9)))
    cascade = Cascade(giving([0.5, 0.75, 0.5, 0.5]), Judge(Model(judge)), 0.4, 0.6)
    generator = Recorded({"q": answers(4)})
    result = asyncio.run(solve("q", BestOfN(4, cascade), generator=generator, budget=Budget(model_calls=4 + 1)))
    assert (result.stopped, judge.calls, result.usage.model_calls) == ("budget", 1, 4 + 1)
    found = [c.score for c in result.candidates]
    assert found[1] == 0.75
    assert sorted(map(str, found)) == ["0.75", "0.9", "None", "None"]


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Curious:
    """Fails a test if it meets the reference outside of `bind`, and notes what it was bound to."""

    bound: list = field(default_factory=list)
    key, range, joint = "curious", (0.0, 1.0), False

    def bind(self, problem):
        self.bound.append(problem.reference)
        return self

    async def verify(self, prompt, samples, run):
        assert "canary" not in repr((prompt, samples))
        return [Verdict(0.5)] * len(samples)


def combined(*members):
    """One of each kind, with two members."""
    return [Weighted(members, (1, 1)), AllOf(members), Cascade(*members, 0, 1)]


def test_the_reference_reaches_members_only_through_bind():
    """The canary is what each member is bound to, and stands in no prompt and no sample that one of them is shown."""
    for place in range(3):
        curious, prompts = Curious(), []
        judge = Judge(Model(Scripted(lambda request, prompts=prompts: prompts.append(repr(request)) or says(score=9))))
        verifier = combined(judge, curious)[place]
        judged(verifier, "42", reference="canary-7421")
        assert set(curious.bound) == {"canary-7421"}
        assert prompts != []
        assert "canary" not in "".join(prompts)


def test_a_bound_member_knows_its_reference():
    """Binding changes the key, and makes `Exact` inside work."""
    for verifier in combined(Exact(), Exact()):
        bound = [verifier.bind(Problem("p", PROMPT, reference)) for reference in ("1", "2")]
        assert len({v.key for v in bound}) == 2
        assert scores(verifier, "1", "2", reference="2") == [0, 1]


def test_identities_tell_members_their_order_and_options_apart():
    """Everything that changes a verdict is in the key."""
    a, b = Exact(reference="1"), Exact(reference="2")
    variants = [
        *combined(a, b), *combined(b, a), Weighted((a, b), (1, 2)), Weighted((a,), (1,)), AllOf((a,)),
        Cascade(a, b, 0, 0.5), Cascade(a, b, 0.5, 1),
    ]  # fmt: skip
    assert len({v.key for v in variants}) == len(variants)
    assert Weighted((a, b), (1, 2)).key == Weighted((a, b), (1, 2)).key
    assert all(v.range == (0.0, 1.0) for v in variants)


def test_mistakes_name_the_fix():
    """No members, no verifiers, weights and bounds that cannot be, ranges without end."""
    a, logits = Exact(reference="1"), OutcomeReward(len)
    for make, sentence in (
        (lambda: Weighted((), ()), "needs a tuple of verifiers"),
        (lambda: AllOf([a]), "needs a tuple of verifiers"),
        (lambda: AllOf((Exact,)), "an object and not its class"),
        (lambda: Cascade(a, len, 0, 1), r"wrap a callable as Predicate\(fn\)"),
        (lambda: Weighted((a, a), (1,)), "a tuple of 2 weights"),
        (lambda: Weighted((a,), [1]), "a tuple of 1 weights"),
        (lambda: Weighted((a, a), (1, 0)), "leave out a member"),
        (lambda: Weighted((a,), (math.nan,)), "finite numbers > 0"),
        (lambda: Weighted((logits,), (1,)), r"OutcomeReward\(sigmoid=True\)"),
        (lambda: AllOf((a, logits)), r"Calibrated\(verifier, Platt\.fit"),
        (lambda: Cascade(logits, a, 0, 1), "has the range"),
        (lambda: Cascade(a, a, 0.6, 0.4), "give low <= high"),
        (lambda: Cascade(a, a, -1, 0.4), r"within the range of the cheap verifier, \[0.0, 1.0\]"),
        (lambda: Cascade(a, a, 0, math.nan), "give low <= high"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make()


def test_no_samples_have_no_verdicts():
    """Nothing is asked, not even of a joint member."""
    for verifier in combined(Agreement(), Exact(reference="1")):
        assert judged(verifier)[0] == []


def long(value):
    return len(value) / 20


def by_length(request):
    return says(score=len(request.prompt.text) % 11)


class TestWeighted(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return Weighted((Exact(), Judge(Model(Scripted(by_length))), Predicate(long)), (2, 1, 0.5))


class TestAllOf(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return AllOf((Exact(), Judge(Model(Scripted(by_length)))))


class TestCascade(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return Cascade(Predicate(long), Judge(Model(Scripted(by_length))), 0.03, 0.1)


class TestJointCascade(VerifierTests):
    """The laws of verifiers, of one that judges samples together and has steps."""

    def verifier(self):
        return Cascade(Agreement(), ProcessReward(step_lengths, range=(0, 100), separator=" "), 0, 0.5)


def step_lengths(prompt, steps):
    return [len(step) for step in steps]
