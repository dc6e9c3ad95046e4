"""Drawing pools: with known truths, through faults and budgets, again and deeper."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import pytest

from searchkit import SearchWarning
from searchkit.answers import keys
from searchkit.calls import CallError
from searchkit.errors import ConfigError, VerifierError
from searchkit.experiments import Entry, Pool, draw
from searchkit.function import Function
from searchkit.generators import Recorded, Simulated
from searchkit.model import Model
from searchkit.protocols import Run
from searchkit.strategy import Strategy
from searchkit.types import Budget, Params, Problem, Prompt, Sample, Token, Usage, Verdict
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reference.exact import Exact
from searchkit.verifiers.reference.math_equal import MathEqual


def problems(n, reference="right"):
    return [Problem(str(i), Prompt.of(f"question {i}"), reference) for i in range(n)]


def drawn(generator, n=8, count=20, verifier=None, **options):
    options.setdefault("key", str)
    return asyncio.run(draw(problems(count), generator, n, verifier=verifier or Exact(str), **options))


def coin(p, **options):
    return Model(Simulated.coin(p, **options))


def test_draw_measures_a_known_model():
    """Accuracy is within 4 standard errors of the truth; keys, scores, tokens and order of problems are as drawn."""
    pool = drawn(coin(0.3), n=32)
    entries = [entry for column in pool.entries.values() for entry in column]
    assert list(pool.entries) == [str(i) for i in range(20)]
    assert [len(column) for column in pool.entries.values()] == [32] * 20
    assert sum(e.correct for e in entries) / 640 == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 640) ** 0.5)
    assert {(e.value, e.key, e.score, e.correct) for e in entries} == {
        ("right", "right", 1.0, True), ("wrong", "wrong", 0.0, False)
    }  # fmt: skip
    assert {(e.generated_tokens, e.prompt_tokens, e.finish) for e in entries} == {(10, 2, "stop")}


def test_recorded_samples_are_drawn_once_and_in_order():
    """Entry i is recorded sample i; past the last one there are failures, never repeats."""
    stored = {f"question {i}": [f"answer {i}.{j}" for j in range(3)] for i in range(2)}
    pool = drawn(Recorded(stored), n=4, count=2)
    assert [[entry.value for entry in column[:3]] for column in pool.entries.values()] == [*stored.values()]
    assert [column[3].finish for column in pool.entries.values()] == ["error", "error"]


def test_draw_depends_on_the_seed_alone():
    """The same seed gives the same pool at any concurrency, another seed another pool."""
    pool = drawn(coin(0.5), seed=1, concurrency=1)
    assert drawn(coin(0.5), seed=1, concurrency=20) == pool
    assert drawn(coin(0.5), seed=2) != pool


def test_failed_samples_stay_in_the_denominator():
    """With 30 % failing calls every problem still has n entries; failures are wrong, do not vote, and say why."""
    pool = drawn(coin(0.9, failures=0.3), n=16)
    entries = [entry for column in pool.entries.values() for entry in column]
    failed = [entry for entry in entries if entry.finish == "error"]
    assert len(entries) == 320
    assert 0.2 < len(failed) / 320 < 0.4
    assert set(failed) == {Entry("a simulated failure", finish="error", prompt_tokens=2)}
    assert sum(e.correct for e in entries) / 320 == pytest.approx(0.63, abs=0.11)


def test_truncated_samples_never_vote():
    """A sample cut by max_tokens keeps its verdict but has no key."""
    pool = drawn(Model(Simulated.coin(1.0), params=Params(max_tokens=5)), n=2, count=1)
    assert pool.entries["0"] == (Entry("right", None, 1.0, True, 5, 2, "length"),) * 2


def test_what_the_budget_cuts_off_counts_as_failed():
    """A ceiling of 3 generations leaves 3 samples and 5 failures that name the ceiling."""
    pool = drawn(coin(1.0), n=8, count=2, budget=Budget(generations=3))
    for column in pool.entries.values():
        assert sum(entry.correct for entry in column) == 3
        assert {entry.value for entry in column if entry.finish == "error"} == {
            "the budget's ceiling on generations does not allow another call"
        }


def test_a_scorer_scores_and_the_verifier_tells_the_truth():
    """Scores come from the scorer, correctness from the verifier; a score without truth is refused."""
    scorer = Predicate(lambda value: -2.5 if value == "right" else 4.0, name="perverse", range=(-5, 5))
    pool = drawn(coin(0.5), scorer=scorer)
    found = {(e.correct, e.score) for column in pool.entries.values() for e in column}
    assert found == {(True, -2.5), (False, 4.0)}
    with pytest.raises(ConfigError, match="pass it as scorer="):
        drawn(coin(0.5), verifier=scorer)


def test_named_scorers_and_their_abstentions():
    """Each has its own column, in any order; an abstention and a failure leave a gap; truth and score are as before."""

    def fussy(value):
        if value == "wrong":
            raise RuntimeError("no opinion")
        return 0.25

    scorers = {
        "prm": Predicate(lambda value: 2.0 if value == "right" else Verdict(), name="prm", range=(0, 2)),
        "fussy": Predicate(fussy, name="fussy"),
    }
    main = Predicate(lambda value: 0.75, name="main")
    for scorer, score in ((None, lambda e: float(e.correct)), (main, lambda e: 0.75)):
        entries = [e for column in drawn(coin(0.5), scorer=scorer, scorers=scorers).entries.values() for e in column]
        assert {e.correct for e in entries} == {True, False}
        assert all(e.score == score(e) and e.correct is (e.value == "right") for e in entries)
        assert all(e.scores == ({"prm": 2.0, "fussy": 0.25} if e.correct else {}) for e in entries)


def test_log_probabilities_are_kept_as_scores():
    """Mean and sum, in nats, of the tokens that a sample carries; nothing where it carries none or a NaN."""
    logs = {"a": [-1.0, -3.0], "b": [-0.5], "c": [math.nan], "d": []}
    samples = [Sample(text, logprobs=tuple(Token("t", p) for p in found)) for text, found in logs.items()]
    pool = drawn(Recorded({"question 0": [*samples, Sample("e")]}), n=5, count=1)
    assert [entry.scores for entry in pool.entries["0"]] == [
        {"logprob_mean": -2.0, "logprob_sum": -4.0}, {"logprob_mean": -0.5, "logprob_sum": -0.5}, {}, {}, {}
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="logprob_sum"):
        drawn(coin(0.5), scorers={"logprob_sum": Exact(str)})


def test_money_is_kept():
    """What a sample cost, in usd, failed ones included."""
    pool = drawn(Recorded({"question 0": [Sample("a", usage=Usage(usd=0.5)), Sample("b")]}), n=2, count=1)
    assert [entry.usd for entry in pool.entries["0"]] == [0.5, 0.0]


def test_a_pool_deepened_is_the_pool_drawn_at_once():
    """Of 16 samples only those are drawn that the pool lacks, problem by problem; what it has beyond that stays."""
    asked = []

    async def model(text, index):
        asked.append(index)
        if index % 5 == 4:
            raise CallError("it broke")
        return f"{text} {index}"

    at_once = drawn(model, n=16)
    assert drawn(model, n=16, pool=drawn(model, n=8)) == at_once
    uneven = Pool({"3": at_once.entries["3"][:2], "7": at_once.entries["7"], "other": (Entry("x"),)})
    asked.clear()
    deeper = drawn(model, n=12, pool=uneven)
    assert [len(column) for column in deeper.entries.values()][:3] == [12, 16, 1]
    assert all(deeper.entries[str(i)][:12] == at_once.entries[str(i)][:12] for i in range(20))
    assert len(asked) == 18 * 12 + 10
    assert drawn(model, n=12, pool=deeper) == deeper
    assert len(asked) == 18 * 12 + 10


def test_deepening_spends_the_budget_on_what_is_new():
    """A ceiling of 3 generations a problem leaves 3 new samples behind the 8 that are there."""
    pool = drawn(coin(1.0), n=16, count=2, pool=drawn(coin(1.0), n=8, count=2), budget=Budget(generations=3))
    assert [[e.correct for e in column].count(True) for column in pool.entries.values()] == [11, 11]
    assert pool.size == 16


def test_problems_that_share_a_prompt_must_share_their_depth():
    """A strategy knows the prompt alone: which of two problems it is at, it could not tell."""
    twins = [Problem("a", Prompt.of("q"), "right"), Problem("b", Prompt.of("q"), "right")]
    pool = asyncio.run(draw(twins, coin(0.5), 2, verifier=Exact(str)))
    assert asyncio.run(draw(twins, coin(0.5), 4, verifier=Exact(str), pool=pool)).size == 4
    with pytest.raises(ConfigError, match="prompt of another problem"):
        asyncio.run(draw(twins, coin(0.5), 4, verifier=Exact(str), pool=Pool({"a": pool.entries["a"]})))


def test_keys_that_are_not_text_or_raise():
    """A tuple key becomes its repr, so that the pool can be saved; a key that raises abstains."""
    pool = drawn(coin(1.0), count=1, key=lambda value: (value, 1))
    assert {entry.key for entry in pool.entries["0"]} == {"('right', 1)"}
    pool = drawn(coin(1.0), count=1, key=lambda value: 1 / 0)
    assert {(entry.key, entry.correct) for entry in pool.entries["0"]} == {(None, True)}


def test_a_verifier_that_sometimes_fails_counts_as_wrong():
    """Samples that could not be judged have no score and are not correct; if none could be, the error is raised."""

    def grumpy(value):
        if value == "wrong":
            raise RuntimeError("no opinion")
        return True

    pool = drawn(coin(0.5), verifier=Predicate(grumpy, name="grumpy"))
    found = {(e.value, e.correct, e.score) for column in pool.entries.values() for e in column}
    assert found == {("right", True, 1.0), ("wrong", False, None)}
    with pytest.warns(SearchWarning, match="all verdicts failed"), pytest.raises(VerifierError, match="no opinion"):
        drawn(coin(0.0), verifier=Predicate(grumpy, name="grumpy"))


def test_a_set_up_in_which_nothing_works_is_an_error():
    """All calls failing, or a budget of nothing, is not an accuracy of 0."""
    failed = pytest.raises(CallError, match="a simulated failure")
    with pytest.warns(SearchWarning, match="8 of 8 attempts failed"), failed:
        drawn(coin(0.5, failures=1.0), count=2)
    with pytest.raises(ConfigError, match="raise the budget"):
        drawn(coin(0.5), count=2, budget=Budget(generations=0))


def test_mistakes_end_before_any_call_is_paid():
    """n < 1, a joint verifier, no problems, a problem without reference: refused, and the backend was never asked."""
    calls = []

    async def counted(text):
        calls.append(text)
        return "right"

    for options, says in (
        ({"n": 0}, "n must be >= 1"),
        ({"count": 0}, "at least one problem"),
        ({"verifier": Joint()}, r"^Joint\(\.\.\.\) judges samples together"),
        ({"verifier": Exact}, r"needs a verifier, an object and not its class: Exact\(\.\.\.\)"),
        ({"scorer": "exact"}, "needs a verifier"),
    ):
        with pytest.raises(ConfigError, match=says):
            drawn(counted, **options)
    with pytest.raises(ConfigError, match="reference"):
        asyncio.run(draw([*problems(1), *problems(1, None)], counted, 2, verifier=Exact(str)))
    for given, says in (
        (problems(1)[0], r"problems= takes a list, such as problems=\[Problem"),
        ([*problems(3), *problems(2)], "the same id, '0', '1'$"),
    ):
        with pytest.raises(ConfigError, match=says):
            asyncio.run(draw(given, counted, 2, verifier=Exact(str)))
    assert calls == []


@dataclass(frozen=True)
class Joint(Predicate):
    """A verifier that must see its samples together."""

    fn: object = bool
    joint = True


@dataclass(frozen=True)
class Twice(Strategy):
    """A nested search that pays for two samples and returns the first."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[str]:
        return (await run.sample(coin(0.5), prompt, 2))[0]


def test_nested_searches_are_charged_whole():
    """An entry drawn from a strategy costs all tokens of that search, not those of the chosen sample alone."""
    pool = drawn(Twice(), n=3, count=1)
    assert [entry.generated_tokens for entry in pool.entries["0"]] == [20, 20, 20]


def test_a_journal_makes_drawing_resumable(tmp_path):
    """Drawn again with the journal: the same pool, and not one further call is made."""
    answers = []

    async def agent(text, seed):
        answers.append(seed)
        return Sample(str(len(answers)), usage=Usage(generated_tokens=len(answers)))

    options = {"n": 4, "count": 3, "verifier": Exact(str, reference="1"), "journal": tmp_path / "journal.db"}
    pool = drawn(Function(agent, name="agent"), **options)
    assert len(answers) == 12
    assert drawn(Function(agent, name="agent"), **options) == pool
    assert len(answers) == 12


# ---------------------------------------------------------------- unknown verdicts

STORY = "a story\nwithout an end"
SAID = {"\\boxed{4}": 1, "\\boxed{5}": 1, "\\boxed{\\int x}": 1, STORY: 1}


def recorded(texts, **options):
    """One problem of which these texts are the samples, judged by `MathEqual`."""
    model = Recorded({"question 0": list(texts)})
    options.setdefault("verifier", MathEqual())
    return asyncio.run(draw(problems(1, "4"), model, len(texts), **options))


def test_unknown_verdicts_are_kept_apart_with_their_feedback():
    """Right, wrong, unreadable notation, nothing to read: scored as in a search, and the pool says how many."""
    pool = recorded(SAID)
    column = pool.entries["0"]
    assert [(e.correct, e.unknown, e.score) for e in column] == [
        (True, False, 1.0), (False, False, 0.0), (False, True, None), (False, True, 0.0)
    ]  # fmt: skip
    assert [e.feedback.split(":")[0] for e in column] == ["equal", "different", "unknown", "no answer was found"]
    first, said = repr(pool).split("\n")
    assert first == "Pool(1 problems, 4 samples, 25.0 % correct; 2 unknown: 75.0 % at most, 50.0 % of the others)"
    assert said == pool.diagnosis
    assert said.startswith("no answer could be read in 1 of 4 replies, for example 'a story\\nwithout an end'")
    assert "<p>no answer could be read in 1 of 4" in pool._repr_html_()
    assert pool.curve("pass@k").note == said
    for name in ("pass@k", "best@k"):
        assert pool.curve(name).at_most == pytest.approx((0.75, 1.0, 1.0))


def test_a_pool_of_which_nothing_could_be_read_says_so_first():
    """0 % correct, 100 % at most."""
    pool = recorded([f"We compute\n{n} eggs" for n in range(8)])
    assert repr(pool).startswith("Pool(1 problems, 8 samples, 0.0 % correct; 8 unknown: 100.0 % at most)\n")
    said = "for example 'We compute\\n0 eggs'; try MathEqual(number)"
    assert pool.diagnosis.endswith(f"{said}, and give the same key to draw, for votes (key=keys.number)")
    assert recorded([f"We compute\n{n} eggs" for n in range(8)], key=keys.number).diagnosis.endswith(said)
    assert recorded([f"We compute\n{n} eggs" for n in range(8)], verifier=MathEqual(keys.number)).diagnosis == ""


def test_a_scorer_scores_what_the_truth_leaves_unknown():
    """Two verifiers, two opinions: the score is the scorer's, and what is unknown stays so."""
    pool = recorded(SAID, scorer=Predicate(lambda text: 0.5, name="half"))
    assert [e.score for e in pool.entries["0"]] == [0.5] * 4
    assert sum(e.unknown for e in pool.entries["0"]) == 2


@pytest.mark.parametrize("verdict", [Verdict(0.5), Verdict(step_scores=(0.5,))])
def test_a_verifier_that_only_scores_is_refused_with_the_fix(verdict):
    """Steps alone are scores too: they counted as wrong."""
    with pytest.raises(ConfigError, match=r"verifier=.*: pass it as scorer=, and as verifier= a verifier that passes"):
        recorded(SAID, verifier=Predicate(lambda text: verdict, name="scores"))


def test_a_failed_verification_is_unknown_and_says_why():
    """It is no wrong answer, and no abstention without a reason."""

    def moody(text):
        if text == STORY:
            raise RuntimeError("no opinion")
        return text == "\\boxed{4}"

    entry = recorded(SAID, verifier=Predicate(moody, name="moody")).entries["0"][3]
    assert (entry.correct, entry.unknown, entry.score) == (False, True, None)
    assert entry.feedback.startswith("not judged: ")
    assert "no opinion" in entry.feedback


def test_an_unusable_reference_names_its_problem():
    """Before any sample is drawn, for scorers too."""
    bad = [Problem("one", Prompt.of("?"), "4"), Problem("two", Prompt.of("?!"), {})]
    never = Function(lambda prompt: pytest.fail("paid"), name="never")
    for options in ({"verifier": MathEqual()}, {"verifier": Exact(str), "scorers": {"maths": MathEqual()}}):
        with pytest.raises(ConfigError, match="problem 'two': there is no answer in the reference"):
            asyncio.run(draw(bad, never, 2, **options))
