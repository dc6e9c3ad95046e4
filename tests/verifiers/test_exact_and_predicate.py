"""`Exact` and `Predicate`: verdicts, identities, and one clear sentence for every mistake."""

from __future__ import annotations

import asyncio
import functools
import math
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.answers import keys
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError, VerifierError
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Problem, Prompt, Sample, Verdict
from searchkit.verifiers import Exact, Predicate

PROMPT = Prompt.of("What is 6 * 7?")


def verify(verifier, *values):
    """The verdicts on samples with these values."""

    async def go():
        run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
        return await verifier.verify(PROMPT, [Sample(value) for value in values], run)

    return asyncio.run(go())


def is_even(value):
    return int(value) % 2 == 0


async def shorter_is_better(prompt, value):
    await asyncio.sleep(0)
    return len(prompt.text) / (len(prompt.text) + len(value))


@dataclass(frozen=True)
class AtLeast:
    """A predicate with configuration."""

    low: int

    def __call__(self, value):
        return int(value) >= self.low


class Nameless:
    """A predicate whose `repr` is an address."""

    def __call__(self, value):
        return True


# ---------------------------------------------------------------- Exact


def test_exact_compares_keys_and_fails_samples_without_an_answer():
    """Right in any spelling, wrong, and no answer at all (which fails instead of abstaining)."""
    bound = Exact().bind(Problem("p", PROMPT, reference="42"))
    right, spelled, wrong, none = verify(bound, r"so \boxed{42}", "The answer is 42.0.", r"\boxed{41}", "two\nlines")
    assert right == spelled == Verdict(passed=True)
    assert wrong == Verdict(passed=False, feedback="the answer is wrong")
    assert none == Verdict(passed=False, feedback="no answer was found", unread=True)
    assert [v.value for v in (right, wrong, none)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("reference", [42, 42.0, "42", "$42$", "x = 42", r"\boxed{42}"])
@pytest.mark.parametrize("key", [keys.default, keys.boxed, keys.number, keys.first_of(keys.hashes, keys.boxed)])
def test_the_reference_may_be_bare_or_worked_out(reference, key):
    """The marker that samples must carry may be missing in the reference."""
    assert verify(Exact(key, reference), r"thus \boxed{42}") == [Verdict(passed=True)]


def test_exact_works_on_values_that_are_no_text():
    """Any callable is a key; an agent's value is compared as it is."""
    assert [v.passed for v in verify(Exact(reference=0.5), 0.5, "1/2", 2)] == [True, True, False]
    assert [v.passed for v in verify(Exact(abs, -3), 3, -3, 4)] == [True, True, False]


def test_exact_without_a_reference_says_what_to_pass():
    """At bind, before anything is paid, and when it is used without bind."""
    with pytest.raises(ConfigError, match=r"Exact needs a reference: pass Problem\(id, prompt, reference="):
        Exact().bind(Problem("p", PROMPT))
    with pytest.raises(VerifierError, match=r"or Exact\(reference=\.\.\.\)"):
        verify(Exact(), "42")


def test_the_problems_reference_wins_and_binding_changes_nothing_else():
    """A verifier is configuration: binding makes a new one."""
    general = Exact(keys.boxed, reference="1")
    bound = general.bind(Problem("p", PROMPT, reference="2"))
    assert (general.reference, bound.reference, bound.answer) == ("1", "2", keys.boxed)
    assert general.bind(Problem("q", PROMPT)) is general


def test_exact_refuses_what_it_cannot_compare_with():
    """A key that is no callable, a reference without an answer, a key that raises."""
    with pytest.raises(ConfigError, match="must be a callable such as"):
        Exact("boxed")
    with pytest.raises(ConfigError, match="there is no answer in the reference"):
        Exact(reference="a story\nof many lines\n" * 100)
    with pytest.raises(VerifierError, match="the answer key len raised TypeError"):
        verify(Exact(len, "abc"), 5)


def test_the_identity_of_exact_is_its_key_and_its_reference():
    """Equal for spellings of one answer, different for other answers and other keys, and refused for lambdas."""
    identities = [Exact(reference=r).key for r in ("1/2", r"\frac12", 0.5)]
    assert len(set(identities)) == 1
    others = [Exact().key, Exact(reference="2").key, Exact(keys.boxed, "1/2").key, Exact(keys.regex("(.)"), "1/2").key]
    assert len({*identities, *others}) == 5
    with pytest.raises(ConfigError, match="has no lasting name"):
        _ = Exact(lambda value: value, "1").key


def test_exact_pickles_and_its_repr_is_its_source():
    """Configuration only."""
    exact = Exact(keys.first_of(keys.boxed, keys.number), "1/2")
    again = pickle.loads(pickle.dumps(exact))
    assert again == exact
    assert again.key == exact.key
    assert eval(repr(exact), {**vars(keys), "Exact": Exact}) == exact


# ---------------------------------------------------------------- Predicate


@pytest.mark.parametrize(
    ("returned", "verdict"),
    [
        (True, Verdict(passed=True)),
        (False, Verdict(passed=False)),
        (0.25, Verdict(0.25)),
        (1, Verdict(1.0)),
        (np.bool_(True), Verdict(passed=True)),
        (np.float32(0.5), Verdict(0.5)),
        (np.array(0.5), Verdict(0.5)),
        (Verdict(), Verdict()),
        (Verdict(0.5, True, (0.1, 1.0), "good"), Verdict(0.5, True, (0.1, 1.0), "good")),
    ],
)
def test_what_a_predicate_may_return(returned, verdict):
    """Passed or failed, a score, or a whole verdict; sync and async alike."""

    async def later(value):
        return returned

    assert verify(Predicate(lambda value: returned), "x") == verify(Predicate(later), "x") == [verdict]


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (math.nan, r"the predicate judge returned NaN: return Verdict\(\) to abstain"),
        (1.5, r"returned 1\.5, outside its range 0\.0 to 1\.0: declare the right one with Predicate\(fn, range="),
        (math.inf, "outside its range"),
        (Verdict(-1.0), r"returned -1\.0, outside its range"),
        (Verdict(0.5, step_scores=(0.5, math.nan)), "returned NaN"),
        (None, "returned None: return True, False, a number, or a Verdict"),
        ("0.9", "returned '0.9': return True, False"),
        ([True], r"returned \[True\]: return True, False"),
        (1j, "return True, False, a number"),
    ],
)
def test_what_a_predicate_must_not_return(returned, sentence):
    """Each mistake names the callable, what it returned and the fix."""

    def judge(value):
        return returned

    with pytest.raises(VerifierError, match=sentence) as caught:
        verify(Predicate(judge, name="judge"), "x")
    assert "\n" not in str(caught.value)


def test_a_declared_range_admits_its_scores():
    """Bounds included, also infinite ones."""
    assert verify(Predicate(float, range=(-5, 5)), "-5", "5") == [Verdict(-5.0), Verdict(5.0)]
    assert verify(Predicate(float, range=(-math.inf, math.inf)), "1e9") == [Verdict(1e9)]
    for bad in [(1.0, 1.0), (1.0, 0.0), (math.nan, 1.0)]:
        with pytest.raises(ConfigError, match="must be less than"):
            Predicate(is_even, range=bad)


@given(st.floats(allow_nan=True) | st.integers() | st.booleans() | st.none() | st.text(max_size=5))
def test_a_predicate_gives_a_verdict_in_range_or_a_verifier_error(returned):
    """Nothing else comes out, whatever goes in."""
    try:
        [verdict] = verify(Predicate(lambda value: returned), "x")
    except VerifierError:
        return
    assert verdict.value is not None
    assert 0 <= verdict.value <= 1


def test_the_signature_decides_whether_the_prompt_is_passed():
    """One required argument is the value, two are prompt and value; built-ins that do not tell take the value."""
    assert verify(Predicate(shorter_is_better), "x" * len(PROMPT.text)) == [Verdict(0.5)]
    assert verify(Predicate(lambda value, strict=True: strict), "x") == [Verdict(passed=True)]
    assert verify(Predicate(lambda *values: len(values) == 1), "x") == [Verdict(passed=True)]
    assert verify(Predicate(functools.partial(lambda limit, value: len(value) < limit, 3)), "ab") == [
        Verdict(passed=True)
    ]
    assert verify(Predicate(bool), "") == [Verdict(passed=False)]
    assert verify(Predicate(str.isdigit), "12", "x") == [Verdict(passed=True), Verdict(passed=False)]
    assert verify(Predicate(AtLeast(3)), "4", "2") == [Verdict(passed=True), Verdict(passed=False)]


@pytest.mark.parametrize("fn", [lambda: True, lambda a, b, c: True, lambda value, *, strict: True, lambda **k: True])
def test_signatures_that_cannot_be_called_are_refused_at_construction(fn):
    """Before anything is paid."""
    with pytest.raises(ConfigError, match=r"fn\(value\) or fn\(prompt, value\)"):
        Predicate(fn)
    with pytest.raises(ConfigError, match="needs a callable, got 'is_even'"):
        Predicate("is_even")


def test_an_exception_inside_a_predicate_is_wrapped_with_its_cause():
    """The sentence names the callable and the original error, which stays attached."""
    with pytest.raises(VerifierError, match="the predicate is_even raised ValueError: invalid literal") as caught:
        verify(Predicate(is_even), "no number")
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_verifier_error_raised_by_a_predicate_stays_as_it_is():
    """Those who write their own sentence keep it."""

    def judge(value):
        raise VerifierError("my own words")

    with pytest.raises(VerifierError, match=r"^my own words$"):
        verify(Predicate(judge), "x")


def test_the_identity_of_a_predicate():
    """Module and name, configured objects by their repr; the version and the range belong to it."""
    assert Predicate(is_even).key == f"predicate:{__name__}.is_even::(0.0, 1.0)"
    assert Predicate(AtLeast(3)).key != Predicate(AtLeast(4)).key
    versions = [Predicate(is_even), Predicate(is_even, version="2"), Predicate(is_even, range=(0, 2))]
    assert len({p.key for p in versions}) == 3
    assert Predicate(lambda v: True, name="always").key == "predicate:always::(0.0, 1.0)"
    assert Predicate(str.isdigit).key == "predicate:builtins.str.isdigit::(0.0, 1.0)"
    with pytest.raises(ConfigError, match="name="):
        _ = Predicate("-".join).key  # of one text among many


def test_a_lambda_needs_a_name_only_where_one_is_needed():
    """It works as it is; its identity, which journals ask for, says what to do."""

    def inner(value):
        return True

    for fn in (
        lambda value: True,
        inner,
        functools.partial(is_even),
        Nameless(),
    ):
        assert verify(Predicate(fn), "2") == [Verdict(passed=True)]
        with pytest.raises(ConfigError, match=r"has no lasting name.* or give the verifier name="):
            _ = Predicate(fn).key


def test_a_predicate_pickles():
    """With a function that can be found by its name."""
    predicate = Predicate(AtLeast(3), version="2")
    assert pickle.loads(pickle.dumps(predicate)) == predicate
    assert replace(predicate, fn=shorter_is_better).takes_prompt


class TestExact(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return Exact()


class TestPredicate(VerifierTests):
    """The laws of verifiers, for a predicate that waits."""

    def verifier(self):
        return Predicate(shorter_is_better)


@pytest.mark.parametrize("verifier", [Exact(reference="1"), Predicate(is_even)])
def test_both_judge_each_sample_by_itself(verifier):
    """Range, jointness and bind as the engine expects them; one verdict a sample, none for none."""
    assert (verifier.range, verifier.joint) == ((0.0, 1.0), False)
    assert verifier.bind(Problem("p", PROMPT, reference="1")).key == verifier.key
    assert [v.passed for v in verify(verifier, "1", "2", "1")] in ([True, False, True], [False, True, False])
    assert verify(verifier) == []
