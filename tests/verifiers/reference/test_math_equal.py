r"""`MathEqual`: tables of pairs, verdicts, reasons, identities, and one clear sentence for every mistake."""

from __future__ import annotations

import asyncio
import pickle
from decimal import Decimal
from fractions import Fraction

import pytest

from searchkit import Problem, Prompt, solve_sync
from searchkit.answers import keys
from searchkit.errors import ConfigError, VerifierError
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Sample, Verdict
from searchkit.verifiers import Exact, MathEqual, math_key
from searchkit.verifiers.reference.maths.answer import judge, read
from searchkit.verifiers.reference.maths.worker import LIMIT, QUEUE
from tests.helpers.math_checks import PROMPT, outcome, verify
from tests.verifiers.reference.math_pairs import DIFFERENT, EQUAL, UNKNOWN

# ---------------------------------------------------------------- what is equal


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a, b):
    """Each line of the table, both ways round."""
    assert [outcome(a, b).equal, outcome(b, a).equal] == [True, True], outcome(a, b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a, b):
    """Each line of the table, both ways round: never equal, and no doubt either."""
    assert [outcome(a, b).equal, outcome(b, a).equal] == [False, False], outcome(a, b)


@pytest.mark.parametrize(("a", "b"), UNKNOWN)
def test_unknown(a, b):
    """Each line of the table, both ways round: the verifier does not guess, and says why."""
    assert [outcome(a, b).equal, outcome(b, a).equal] == [None, None], outcome(a, b)
    assert outcome(a, b).reason


def test_the_table_is_large_enough():
    """Pairs by hand, all different."""
    assert len({*EQUAL, *DIFFERENT, *UNKNOWN}) == len(EQUAL) + len(DIFFERENT) + len(UNKNOWN) >= 300


def test_every_answer_of_the_table_equals_itself():
    """Whatever it is, if it can be read at all."""
    texts = {text for pair in EQUAL + DIFFERENT + UNKNOWN for text in pair}
    assert [text for text in texts if judge(read(text), read(text)).equal is not True] == []


def test_a_key_for_votes_never_joins_what_is_different():
    """`math_key` proves equality: equal keys only where pairs are equal."""
    joined = [pair for pair in DIFFERENT + UNKNOWN if math_key(pair[0]) == math_key(pair[1])]
    assert joined == []


def test_a_key_for_votes_joins_most_of_what_is_equal():
    """All but roots of sums, trigonometry, logarithms, fractions of polynomials, and answers of two shapes."""
    apart = [pair for pair in EQUAL if math_key(pair[0]) != math_key(pair[1])]
    assert len(apart) / len(EQUAL) < 0.25
    for spellings in (
        ["1/2", "0.5", r"\frac12"],
        ["(x+1)^2", "x^2+2x+1"],
        ["1,2", "2, 1", r"\{1,2\}"],
        [r"\sqrt8", r"2\sqrt2"],
    ):
        assert len({math_key(rf"so \boxed{{{text}}}") for text in spellings}) == 1


@pytest.mark.parametrize("text", ["", "a long story\nof many lines", "{", "9" * 2000, None, "4:30", r"\foo x"])
def test_a_key_for_votes_is_the_canonical_form_where_maths_cannot_be_read(text):
    """No answer has no key; text that is no maths votes as it always did."""
    assert math_key(text) == keys.default(text)


# ---------------------------------------------------------------- the verifier


def test_verdicts_say_equal_different_unknown_and_why():
    """Passed, failed, abstains; and a text without an answer fails, as for `Exact`."""
    bound = MathEqual().bind(Problem("p", PROMPT, reference=r"\frac{\sqrt{2}}{2}"))
    right, wrong, unread, none = verify(
        bound, r"so \boxed{\sin 45^\circ}", r"\boxed{\frac12}", r"\boxed{\int_0^1 x}", "two\nlines"
    )
    assert right == Verdict(passed=True, feedback="equal: the difference is 0")
    assert wrong == Verdict(passed=False, feedback="different: another value")
    assert unread == Verdict(feedback=r"unknown: '\\int_0^1 x' could not be read: '\\int' is not known")
    assert none == Verdict(passed=False, feedback="no answer was found", unread=True)
    assert [verdict.value for verdict in (right, wrong, unread, none)] == [1.0, 0.0, None, 0.0]


@pytest.mark.parametrize(
    "reference", [0.5, Fraction(1, 2), Decimal("0.5"), "1/2", "$0.5$", "x = 0.5", r"\boxed{\frac12}"]
)
@pytest.mark.parametrize("key", [keys.default, keys.boxed, keys.first_of(keys.hashes, keys.boxed)])
def test_the_reference_may_be_bare_a_number_or_worked_out(reference, key):
    """The marker that samples must carry may be missing in the reference."""
    assert [v.passed for v in verify(MathEqual(key, reference), r"thus \boxed{2^{-1}}")] == [True]


def test_values_that_are_no_text_are_compared_too():
    """An agent's numbers and tuples; what has no maths in it is no answer."""
    assert [v.passed for v in verify(MathEqual(reference=0.5), 0.5, "1/2", 2, True)] == [True, True, False, False]
    assert [v.passed for v in verify(MathEqual(reference=(1, 0.5)), (1, Fraction(1, 2)), "(1, 1/2)", (0.5, 1))] == [
        True,
        True,
        False,
    ]
    assert [v.passed for v in verify(MathEqual(abs, -3), 3, -3, 4)] == [True, True, False]
    assert [v.passed for v in verify(MathEqual(keys.json_field("a"), "1/2"), {"a": 0.5}, '{"a": "2/4"}')] == [
        True,
        True,
    ]
    [none] = verify(MathEqual(reference="1"), {"a": 1})
    assert none == Verdict(passed=False, feedback="no answer was found", unread=True)


def test_without_a_reference_it_says_what_to_pass():
    """At bind, before anything is paid, and when it is used without bind."""
    with pytest.raises(ConfigError, match=r"MathEqual needs a reference: pass Problem\(id, prompt, reference="):
        MathEqual().bind(Problem("p", PROMPT))
    with pytest.raises(VerifierError, match=r"or MathEqual\(reference=\.\.\.\)"):
        verify(MathEqual(), "42")


def test_the_problems_reference_wins_and_binding_changes_nothing_else():
    """A verifier is configuration: binding makes a new one."""
    general = MathEqual(keys.boxed, reference="1")
    bound = general.bind(Problem("p", PROMPT, reference="2"))
    assert (general.reference, bound.reference, bound.answer) == ("1", "2", keys.boxed)
    assert general.bind(Problem("q", PROMPT)) is general


def test_it_refuses_what_it_cannot_compare_with():
    """A key that is no callable, a reference without an answer, a key that raises."""
    with pytest.raises(ConfigError, match="must be a callable such as"):
        MathEqual("boxed")
    with pytest.raises(ConfigError, match="there is no answer in the reference"):
        MathEqual(reference="a story\nof many lines\n" * 100)
    with pytest.raises(VerifierError, match="the answer key len raised TypeError"):
        verify(MathEqual(len, "abc"), 5)


def test_its_identity_is_its_key_and_its_reference():
    """Other references and keys have other identities, `Exact` too; lambdas have none."""
    found = [
        MathEqual(reference="1"),
        MathEqual(reference="2"),
        MathEqual(keys.boxed, "1"),
        MathEqual(),
        Exact(reference="1"),
    ]
    assert len({verifier.key for verifier in found}) == 5
    with pytest.raises(ConfigError, match="has no lasting name"):
        _ = MathEqual(lambda value: value, "1").key


def test_it_pickles_and_its_repr_is_its_source():
    """Configuration only: no process travels."""
    verifier = MathEqual(keys.first_of(keys.boxed, keys.number), "1/2")
    again = pickle.loads(pickle.dumps(verifier))
    assert again == verifier
    assert again.key == verifier.key
    assert eval(repr(verifier), {**vars(keys), "MathEqual": MathEqual}) == verifier


def test_the_reference_reaches_neither_a_generator_nor_a_prompt_nor_the_trace():
    """A canary in the reference is in nothing that a generator is given, and in nothing that the search records."""
    canary, seen = "9021031337", []

    def agent(prompt: Prompt):
        seen.append(repr(prompt))
        return r"\boxed{5}"

    problem = Problem("p", Prompt.of("How much?"), reference=canary)
    result = solve_sync(problem, BestOfN(2, MathEqual()), generator=Function(agent))
    assert [scored.verdict.passed for scored in result.candidates] == [False, False]
    assert len(seen) == 2
    assert canary not in "".join(seen) + result.trace.to_json() + repr(result.candidates)


@pytest.mark.parametrize(
    "canary", ["31337", r"\sin 31337", "31337:00", r"\canary_{31337}", "31337/2x", "31337 cents", "(1,31337"]
)
def test_no_reason_quotes_the_reference(canary):
    """Feedback may be put into the next prompt: for every kind of answer and outcome, the canary is not in it."""
    answers = sorted({text for pair in EQUAL + DIFFERENT + UNKNOWN for text in pair})
    feedback = [verdict.feedback for verdict in verify(MathEqual(reference=canary), *answers, "no answer\nat all")]
    assert len(feedback) > 500
    assert [text for text in feedback if "1337" in text or "canary" in text] == []


def test_it_costs_verifications_and_no_model_call():
    """Of the two samples' usage, the verifier adds two verifications."""
    result = solve_sync(Problem("p", PROMPT, "2"), BestOfN(2, MathEqual()), generator=lambda text: r"\boxed{\sqrt 4}")
    assert (result.usage.verifications, result.usage.model_calls) == (2, 2)


# ---------------------------------------------------------------- hostile text

HOSTILE = {
    "tower": r"9^{9^{9^9}}",
    "tower of products": r"(9^9)^{(9^9)^{9^9}}",
    "factorial": "1000000!",
    "factorial of a factorial": "((10!)!)!",
    "binomial": r"\binom{10^{9}}{10^{8}}",
    "digits": "9" * 999,
    "exponent in digits": "2^{" + "9" * 900 + "}",
    "root of digits": r"\sqrt{" + "7" * 900 + "}",
    "power of a sum": "(a+b+c+d+f)^{" + "9" * 50 + "}",
    "powers of sums": "(a+b+c)^{12}" * 80,
    "nested powers": "(" * 38 + "a+b" + ")^2" * 38,
    "nested fractions": r"\frac{1}{x+" * 30 + "1" + "}" * 30,
    "mixed numbers": r"1\frac{" * 38 + "1" + "}{2}" * 38,
    "sets in tuples": r"\{" * 30 + "1" + r",2\}" * 30,
    "unions": ",".join([r"[(a+b)^{30},1]\cup[2,3]"] * 40),
    "heavy members": ",".join(["(a+b+c)^{12}"] * 70),
    "a unit behind spaces": "5 m" + " " * 900 + "&",
    "deep fractions": r"\frac" * 190,
    "roots": r"\sqrt" * 190 + "2",
    "members": ",".join("abcdfghjk"[n % 9] for n in range(490)),
    "sets of sets": r"\{" + ",".join(r"\{" + ",".join("abcd") + r"\}" for _ in range(60)) + r"\}",
    "minus": "-" * 900 + "1",
    "in": r"x\in " * 190 + "[0,1]",
    "functions": r"\sin" * 200 + "x",
    "tiny difference": r"\sin(10^{-999})",
    "huge sine": r"\sin(10^{999})",
    "exponential": r"e^{e^{e^{e^{9}}}}",
    "floor": r"\lfloor e^{e^{e^{9}}} \rfloor",
    "python": "__import__('os').system('true')",
    "command": r"\input{/etc/passwd}",
    "braces": "{" * 100_000,
    "closed braces": "{" * 50_000 + "}" * 50_000,
    "boxed braces": r"\boxed{" + "{" * 50_000 + "}" * 50_000 + "}",
    "ten thousand fractions": r"\frac{1}{" * 10_000 + "2" + "}" * 10_000,
    "zero bytes": "\x00" * 500,
    "names": "x_1=" * 240 + "1",
    "systems": r"\begin{cases}" + r"x=1\\" * 180 + r"\end{cases}",
    "powers of matrices": r"\begin{pmatrix}a&b\\c&d\end{pmatrix}^6+" * 20 + r"\begin{pmatrix}a&b\\c&d\end{pmatrix}^6",
    "a chain": "=".join(["(a+b+c)^{12}"] * 60),
    "ratios": ":".join(["(a+b+c)^{9}"] * 70),
    "sets by conditions": r"\{x \mid " * 30 + "x>1" + r"\}" * 30,
    "an inequality": r"|(a+b)^{30}| \le 5",
    "a congruence": r"x \equiv 9^{9^9} \pmod{9^{9^9}}",
    "sums": r"\sum_{k=1}^{9^9}" * 20 + "k",
    "a note": "min at $9^{9^9}$ " * 50,
    "rounded": r"9^{9^9} \approx 5",
    "restated": r"x>1:(1,\infty)" * 40,
    "scripts": "٣²½𝟙ⅷ",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_never_passes_and_the_next_comparison_works(text):
    """Different, unknown or no answer, from a worker that is still there or was replaced."""
    hostile, next_one = verify(MathEqual(reference="5"), rf"\boxed{{{text}}}", r"\sin^2 x + \cos^2 x + 4")
    assert hostile.passed is not True
    assert next_one.passed is True
    assert len(hostile.feedback) < 300


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_references_do_no_harm_either(text):
    """Refused as no answer, or compared with themselves (equal) and with 5 (never equal)."""
    try:
        verifier = MathEqual(reference=rf"\boxed{{{text}}}")
    except ConfigError:
        return
    itself, other = verify(verifier, rf"\boxed{{{text}}}", "5")
    assert itself.passed is True
    assert other.passed is not True
    assert isinstance(math_key(rf"\boxed{{{text}}}"), str)


@pytest.mark.slow
def test_what_takes_too_long_is_unknown_and_its_process_is_gone(monkeypatch):
    """An expansion into 135,751 terms is killed after two seconds; another process answers the next pair."""
    long, rest = "(a+b+c+d+f)^{40}", "(a+b+c+d+f)^{39}"
    assert outcome("\\sin x", "\\cos x").equal is False
    before = QUEUE.worker.pid
    monkeypatch.setattr(QUEUE.worker, "limit", LIMIT)
    [verdict] = verify(MathEqual(reference=f"{long}"), f"a{rest}+(b+c+d+f){rest}")
    assert verdict == Verdict(feedback="unknown: no answer within 2 seconds")
    monkeypatch.undo()
    assert outcome("\\sin x", "\\cos x").equal is False
    assert QUEUE.worker.pid != before


class TestMathEqual(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return MathEqual()


class TestMathEqualInTheWorker(VerifierTests):
    """The laws of verifiers, on samples that need sympy."""

    problem = Problem("p", Prompt.of("Simplify."), r"2\sin x\cos x")
    samples = tuple(
        map(Sample, (r"\boxed{\sin 2x}", r"\boxed{\cos 2x}", r"\boxed{\sin x/2}", "", r"\boxed{9^{9^{9^9}}}"))
    )

    def verifier(self):
        return MathEqual()

    def test_the_samples_cover_all_outcomes(self):
        """Else these laws would test less than they say."""
        assert [v.passed for v in self.judge(self.samples)] == [True, False, None, False, None]


def test_one_run_judges_many_samples_at_once():
    """Fifty concurrent verdicts through one worker, each its own."""
    texts = [rf"\boxed{{\sin({n}x)}}" for n in range(50)]
    problem = Problem("p", PROMPT, r"2\sin x\cos x")
    answers = iter(texts)
    result = solve_sync(problem, BestOfN(50, MathEqual()), generator=lambda text: next(answers))
    assert [texts.index(c.sample.value) for c in result.candidates if c.verdict.passed] == [2]


def test_the_event_loop_goes_on_while_the_worker_computes():
    """A coroutine beside the comparison takes many turns before it ends."""

    async def go():
        turns, done = 0, asyncio.ensure_future(QUEUE.compare(r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"))
        while not done.done():
            await asyncio.sleep(0)
            turns += 1
        return turns, (await done).equal

    turns, equal = asyncio.run(go())
    assert equal is True
    assert turns > 10
