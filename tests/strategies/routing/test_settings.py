"""Published methods as settings, on simulated models: what they ask and what they cost, by their formulas."""

from __future__ import annotations

import pytest

from searchkit import Model, Result, solve_sync
from searchkit.experiments import choices
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, Escalate, Router, SelfConsistency, asking
from searchkit.testing import Counting
from searchkit.verifiers import Agreement, Calibrated, Platt, Predicate, PYes


def model(answers: dict[str, float], tokens: int, name: str) -> Model:
    return Model(Counting(Simulated(answers, tokens=tokens, name=name)))


def calls(one: Model) -> int:
    backend = one.backend
    assert isinstance(backend, Counting)
    return backend.calls


@pytest.mark.parametrize(("yes", "escalates"), [(1.0, False), (0.5, True), (0.0, False)])
def test_automix_sends_on_what_lies_between_its_two_thresholds(yes: float, escalates: bool) -> None:
    """1 + 8 calls of the small model, which verifies itself, and one of the large one in the band."""
    small = model({"41": 1.0}, 10, "small")
    judge = model({"Verdict: Yes": yes, "Verdict: No": 1 - yes}, 5, "itself")
    large = model({"42": 1.0}, 50, "large")
    automix = Escalate((small, large), PYes(judge, chains=8), bars=0.9, hopeless=0.1)
    result = solve_sync("19 + 23?", automix)
    assert (calls(small), calls(judge), calls(large)) == (1, 8, int(escalates))
    assert result.answer == ("42" if escalates else "41")
    assert result.usage.generated_tokens == 10 + 8 * 5 + 50 * escalates
    _, deciding = choices([result])
    assert (deciding.generated_tokens, deciding.model_calls) == (40, 8)


def says(text: str) -> bool:
    return text != "unanswerable"


@pytest.mark.parametrize("said", ["42", "unanswerable"])
def test_self_route_reads_the_long_context_only_where_the_short_one_says_nothing(said: str) -> None:
    short, long = model({said: 1.0}, 10, "short"), model({"42": 1.0}, 50, "long")
    result = solve_sync("q", Escalate((short, long), Predicate(says), 1.0))
    assert (result.answer, calls(short), calls(long)) == ("42", 1, int(said == "unanswerable"))


@pytest.mark.parametrize("satisfied", [True, False])
def test_fast_and_slow_by_a_judge_of_the_fast_answer(satisfied: bool) -> None:
    """HDFlow: the slow way is a search; 1 + 1 calls, and 3 more of the search where the judge says no."""
    judge = model({"Verdict: Yes" if satisfied else "Verdict: No": 1.0}, 5, "judge")
    thinker = model({"42": 1.0}, 10, "thinker")
    result = solve_sync("q", Escalate((None, SelfConsistency(3)), PYes(judge, chains=1), 1.0), generator=thinker)
    assert (calls(thinker), calls(judge)) == (1 if satisfied else 4, 1)
    assert result.usage.model_calls == (2 if satisfied else 5)


def length(text: str) -> float:
    return float(len(text))


def test_frugalgpt_has_a_calibrated_scorer_for_each_model() -> None:
    """Nested: each with a map and a bar of its own; the last accepts all."""
    scorer = Predicate(length, range=(0.0, 10.0))
    first, second = (Calibrated(scorer, Platt(1.0, -middle)) for middle in (3.0, 5.0))

    def cascade(a: str, b: str, c: str) -> Result[str]:
        models = [model({text: 1.0}, 10, text) for text in (a, b, c)]
        inner = Escalate((models[1], models[2]), second, 0.5)
        return solve_sync("q", Escalate((models[0], inner), first, 0.5))

    assert [cascade(*texts).answer for texts in (("four", "b", "c"), ("a", "longer", "c"), ("a", "four", "c"))] == [
        "four", "longer", "c",
    ]  # fmt: skip


def test_agreement_first_as_in_a_cascade_of_votes() -> None:
    """n draws and no verdict of a model; a dear one where fewer than the bar agree."""
    cheap, dear = model({"1": 0.5, "2": 0.5}, 10, "cheap"), model({"3": 1.0}, 50, "dear")
    found = [solve_sync("q", Escalate((cheap, dear), Agreement(), 1.0, draws=(3, 1)), seed=seed) for seed in range(60)]
    arms, deciding = choices(found)
    assert calls(cheap) == 180
    assert calls(dear) == arms["1"] == sum(result.answer == "3" for result in found)
    assert 30 <= arms["1"] <= 58  # all three agree with the chance 1/4
    assert deciding.model_calls == 0


def test_dots_lets_the_model_say_which_way_a_question_takes() -> None:
    """One call of the planner, then the way that it named: 1 + 4 here."""
    planner, thinker = model({"programs": 1.0}, 3, "planner"), model({"42": 1.0}, 10, "thinker")
    ways = {"at once": None, "by steps": SelfConsistency(2), "programs": BestOfN(4, Predicate(says))}
    described = {"at once": "it is plain", "by steps": "it takes thought", "programs": "it takes reckoning"}
    result = solve_sync("q", Router(ways, asking(described, generator=planner)), generator=thinker)
    assert (calls(planner), calls(thinker), result.usage.generations) == (1, 4, 4)
