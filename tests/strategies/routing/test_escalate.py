"""Cascades: who is asked, what that costs, against the closed form on the ROC of a confidence, and the laws."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from searchkit import (
    Budget,
    BudgetExhausted,
    CallError,
    ConfigError,
    Model,
    Params,
    Result,
    Sample,
    SearchWarning,
    solve,
    solve_sync,
)
from searchkit.experiments import choices
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, Budgeted, Escalate, Fallback, SelfConsistency
from searchkit.strategies.routing.bars import best_bars
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Usage
from searchkit.verifiers import Agreement, Calibrated, Isotonic, Predicate, PYes
from tests.helpers.unsure import SURE, Unsure
from tests.strategies.routing.test_routing import BROKEN, much

INF = math.inf


MUCH = Predicate(much)


def says(*texts: str) -> Counting:
    """A backend that says these, by index, and the last one from then on, and counts its calls."""
    return Counting(Scripted(lambda request: texts[min(request.index, len(texts) - 1)]))


# ---------------------------------------------------------------- who is asked


@pytest.mark.parametrize(
    ("cheap", "bars", "hopeless", "dear"),
    [
        ("0.8", 0.8, -INF, 0), ("0.79", 0.8, -INF, 1), ("0", 0.0, -INF, 0), ("1", 1.0, -INF, 0), ("1", INF, -INF, 1),
        ("0.1", 0.8, 0.2, 0), ("0.2", 0.8, 0.2, 1), ("0.5", 0.5, 0.5, 0), ("0.4", 0.5, 0.5, 0), ("0.9", INF, INF, 0),
        ("odd", 0.0, -INF, 1), ("odd", 0.5, 0.5, 1),
    ],
)  # fmt: skip
def test_the_next_one_is_asked_between_the_bars_and_where_nobody_can_tell(
    cheap: str, bars: float, hopeless: float, dear: int
) -> None:
    """A verifier that fails, as on "odd", is no reason to take an answer: it is told, and the next one is asked."""
    if cheap == "odd":
        with pytest.warns(SearchWarning, match="all verdicts failed"):
            assert solve_sync("q", Escalate((Model(says(cheap)), Model(says("0.6"))), MUCH, bars)).answer == "0.6"
        return
    backends = [says(cheap), says("0.6")]
    result = solve_sync("q", Escalate(tuple(map(Model, backends)), MUCH, bars, hopeless))
    assert [one.calls for one in backends] == [1, dear]
    assert result.answer == ("0.6" if dear else cheap)
    assert result.usage.verifications == 1  # the last answer is taken as it is
    assert result.stopped == ("done" if dear else "threshold")
    assert choices([result])[0] == {str(dear): 1}


def test_a_truncated_answer_is_never_enough() -> None:
    small = Model(Simulated({"1": 1.0}, tokens=9), Params(max_tokens=5))
    assert solve_sync("q", Escalate((small, Model(says("0.3"))), MUCH, 0.5)).answer == "0.3"


def test_a_step_that_fails_is_passed_over_and_a_last_one_that_fails_leaves_the_best() -> None:
    """Both failures are told."""
    result = solve_sync("q", Escalate((BROKEN, Model(says("0.6"))), MUCH, 0.5))
    assert (result.answer, [str(e) for e in result.errors]) == ("0.6", ["no server"])
    result = solve_sync("q", Escalate((Model(says("0.3")), Model(says("0.2")), BROKEN), MUCH, 0.5))
    assert (result.answer, [str(e) for e in result.errors]) == ("0.3", ["no server"])
    with pytest.raises(CallError, match="no server"):
        solve_sync("q", Escalate((BROKEN, BROKEN), MUCH, 0.5))


def test_agreement_decides_over_several_draws() -> None:
    """Three of four agree: 2 of 3 others."""
    for bar, wanted in ((2 / 3, "42"), (0.7, "43")):
        cheap, dear = says("42", "41", "42", "42"), says("43")
        result = solve_sync("q", Escalate((Model(cheap), Model(dear)), Agreement(), bar, draws=(4, 1)))
        assert (result.answer, cheap.calls, result.usage.verifications) == (wanted, 4, 4)


def test_a_last_step_with_several_draws_takes_the_best_of_them() -> None:
    result = solve_sync("q", Escalate((Model(says("0.1")), Model(says("0.3", "0.7"))), MUCH, 0.9, draws=2))
    assert (result.answer, result.usage.generations, result.usage.verifications) == ("0.7", 4, 4)


def test_steps_of_the_same_generator_draw_further_samples() -> None:
    """And those of others begin with their own first one."""
    model = Model(says("0.1", "0.2", "0.3", "0.4"))
    assert solve_sync("q", Escalate((None, None, None), MUCH, 0.9), generator=model).answer == "0.3"
    other = Model(says("0.5", "0.6"))
    assert solve_sync("q", Escalate((model, other), MUCH, 0.9)).answer == "0.5"


def test_nested_steps_have_a_verifier_of_their_own() -> None:
    """FrugalGPT's one scorer a model."""
    inner = Escalate((Model(says("0.4")), Model(says("0.5"))), Predicate(above), 1.0)
    result = solve_sync("q", Escalate((Model(says("0.1")), inner), MUCH, 0.2))
    assert result.answer == "0.4"
    assert choices([result])[0] == {"1": 1}


def above(text: str) -> bool:
    return float(text) > 0.3


# ---------------------------------------------------------------- the closed form


def answers(world: Unsure, n: int, bars: float = 1.0) -> list[Result[Any]]:
    strategy = Escalate(world.models(), SURE, bars)

    async def go() -> list[Result[Any]]:
        return [await solve("q", strategy, seed=seed) for seed in range(n)]

    return asyncio.run(go())


def right(results: Sequence[Result[Any]]) -> float:
    return sum(result.answer.startswith("right") for result in results) / len(results)


def near(measured: float, expected: float, n: int) -> bool:
    """Within four standard errors."""
    return abs(measured - expected) <= 4 * math.sqrt(max(expected * (1 - expected), 1e-4) / n)


GOOD = Unsure(0.6, 0.9, caught=0.8, fooled=0.1)
NOTHING = Unsure(0.6, 0.7, caught=0.1, fooled=0.1)  # sure at random, and seldom
INVERTED = Unsure(0.6, 0.9, caught=0.2, fooled=0.8)


@pytest.mark.slow
@pytest.mark.parametrize("world", [GOOD, NOTHING, INVERTED], ids=["good", "nothing", "inverted"])
def test_accuracy_and_cost_are_those_of_the_roc(world: Unsure) -> None:
    """And the tokens are exactly those of the calls that were made."""
    n = 400
    found = answers(world, n)
    arms, deciding = choices(found)
    assert near(right(found), world.accuracy, n)
    assert near(arms.get("1", 0) / n, world.escalated, n)
    assert sum(r.usage.generated_tokens for r in found) == 10 * n + 50 * arms.get("1", 0)
    assert deciding.verifications == sum(r.usage.verifications for r in found) == n


def test_where_a_cascade_hurts_at_equal_tokens() -> None:
    """By closed form: a confidence that tells nothing loses to a lot at the same tokens, and to the dear model alone,
    which is cheaper then; one that is inverted loses to the cheap model alone at a higher price."""
    assert GOOD.accuracy > GOOD.by_lot + 0.05
    assert GOOD.accuracy > GOOD.dear - 0.02
    assert GOOD.cost < 0.8 * GOOD.tokens[1]
    assert NOTHING.cost > NOTHING.tokens[1]
    assert NOTHING.accuracy < NOTHING.dear
    assert INVERTED.accuracy < INVERTED.by_lot - 0.1
    for share in (0.2, 0.5, 0.8):  # sure by lot: what a lot saves are the cheap answers that are thrown away
        lot = Unsure(0.6, 0.9, share, share)
        assert math.isclose(lot.by_lot - lot.accuracy, (1 - share) * (0.9 - 0.6) * 10 / 40)


def test_raising_a_bar_never_lowers_the_cost() -> None:
    """With the same seeds, since the cheap answers are the same."""
    spent = [sum(r.usage.generated_tokens for r in answers(GOOD, 40, bar)) for bar in (0.0, 0.5, 1.0, INF)]
    assert spent == sorted(spent)
    assert spent[0] == 40 * 10
    assert spent[-1] == 40 * 60


# ---------------------------------------------------------------- fitted bars


Row = tuple[str, str, bool, float, float | None]


def outcome(rows: Sequence[Row], names: Sequence[str], bars: Sequence[float]) -> tuple[float, float]:
    """Accuracy and mean cost of a cascade, a problem after the other."""
    table = {(prompt, arm): (ok, cost, score) for prompt, arm, ok, cost, score in rows}
    prompts, total, spent = sorted({row[0] for row in rows}), 0.0, 0.0
    for prompt in prompts:
        for j, arm in enumerate(names):
            ok, cost, score = table[prompt, arm]
            spent += cost
            if j == len(names) - 1 or (score is not None and score >= bars[j]):
                total += ok
                break
    return total / len(prompts), spent / len(prompts)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_fitted_bars_are_those_of_brute_force(names: tuple[str, ...]) -> None:
    """Two and three arms, ties and abstentions among them, every budget that tells cascades apart."""
    rows = list[Row]()
    for i, (j, arm) in itertools.product(range(24), enumerate(("a", "b", "c"))):
        score = None if (i + j) % 7 == 0 else (i * 5 + j * 3) % 8 / 8
        rows.append((f"q{i}", arm, (i * 7 + j * 5) % (5 - j) != 0, float(1 + 4 * j + i % 2), score))
    grids = [[*sorted({s for _, a, _, _, s in rows if a == arm and s is not None}), INF] for arm in names[:-1]]
    everything = [(*outcome(rows, names, bars), bars) for bars in itertools.product(*grids)]
    for budget in sorted({cost for _, cost, _ in everything}):
        best = max((accuracy, -cost) for accuracy, cost, _ in everything if cost <= budget + 1e-9)
        accuracy, cost = outcome(rows, names, best_bars(rows, names, budget))
        assert math.isclose(accuracy, best[0])
        assert math.isclose(cost, -best[1])
    with pytest.raises(ConfigError, match="more than the budget"):
        best_bars(rows, names, min(cost for _, cost, _ in everything) - 0.1)


def test_fit_gives_a_cascade_with_its_bars() -> None:
    """One model answers the easy ones surely: the bar between."""
    rows = [("e", "s", True, 1, 0.9), ("e", "l", True, 9, None), ("h", "s", False, 1, 0.2), ("h", "l", True, 9, None)]
    fitted = Escalate.fit((None, None), MUCH, rows, ("s", "l"), budget=6)
    assert fitted.bars == (0.9,)
    assert Escalate.fit((None, None), MUCH, rows, ("s", "l"), budget=1).bars == (0.2,)
    calibrated = Calibrated(MUCH, Isotonic((0.0, 1.0), (0.1, 0.9)))
    assert Escalate((None, None), calibrated, 0.5).verifier is calibrated


def test_many_steps_are_fitted_on_quantiles() -> None:
    """So that no more than 4,096 cascades are tried."""
    arms = tuple("abcdefg")
    rows = [
        (f"q{i}", arm, (i + j) % 3 > 0, 1.0 + j, (i * 13 + j) % 101 / 101)
        for i in range(101) for j, arm in enumerate(arms)
    ]  # fmt: skip
    assert len(best_bars(rows, arms, 100.0)) == 6


def test_of_two_steps_every_score_is_tried() -> None:
    """However many rows: one bar alone is right for all, and no quantile of a grid need hit it."""
    n = 5000
    for best in (1, 2, 1233, 2500, 4998):
        small = [(str(i), "small", i >= best, 1, i / n) for i in range(n)]
        large = [(str(i), "large", i < best, 9, None) for i in range(n)]
        assert best_bars([*small, *large], ("small", "large"), 10.0) == (best / n,)


# ---------------------------------------------------------------- costs and mistakes


def test_the_worst_case_is_that_of_the_calls_where_nothing_is_enough() -> None:
    """Counted; of a part of unknown cost nobody knows."""
    one = Usage(generations=1, model_calls=1, generated_tokens=3, prompt_tokens=1, longest_context=4)
    for strategy in (
        Escalate((None, None), MUCH, INF),
        Escalate((None, BestOfN(5, MUCH), None), MUCH, (INF, INF), draws=(2, 1, 3)),
        Escalate((SelfConsistency(3), SelfConsistency(2)), Agreement(), INF, draws=2),
    ):
        worst = strategy.worst_case(one)
        assert worst is not None
        result = solve_sync("abcd", strategy, generator=Model(Simulated({"0.5": 1.0}, tokens=3)))
        assert result.usage.generations == worst.generations
        assert result.usage.verifications == worst.verifications
        assert result.usage.generated_tokens == worst.generated_tokens

    class Unknown(Strategy):
        async def search(self, prompt: Any, run: Any) -> Sample[Any]:
            raise NotImplementedError

    assert Escalate((None, Unknown()), MUCH, 0.5).worst_case(one) is None


def test_a_budget_that_ends_in_the_middle_leaves_the_cheap_answer() -> None:
    """Each step has an equal part of what is left."""
    cheap, dear = Model(says("0.3")), Budgeted(Model(says("0.9")), Budget(generations=0))
    result = solve_sync("q", Escalate((cheap, dear), MUCH, 0.5))
    assert (result.answer, result.stopped) == ("0.3", "budget")
    result = solve_sync("q", Escalate((None, None), MUCH, 0.5), generator=cheap, budget=Budget(generations=1))
    assert (result.answer, result.stopped) == ("0.3", "budget")
    with pytest.raises(BudgetExhausted):
        solve_sync("q", Escalate((dear, dear), MUCH, 0.5))


def test_what_deciding_costs_is_counted() -> None:
    """A judge's calls are in the usage, and are the cost of deciding."""
    judge = Model(Simulated({"Verdict: No": 1.0}, tokens=7, name="judge"))
    result = solve_sync("q", Escalate((Model(says("41")), Model(says("42"))), PYes(judge, chains=3), 0.5))
    arms, deciding = choices([result])
    assert (result.answer, arms) == ("42", {"1": 1})
    assert (deciding.model_calls, deciding.generated_tokens, deciding.generations) == (3, 21, 0)
    assert choices([solve_sync("q", Fallback((Model(says("1")), Model(says("2")))))]) == ({}, Usage())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Escalate((None,), MUCH, 0.5), "two or more"),
        (lambda: Escalate((None, "model"), MUCH, 0.5), "models, strategies"),  # type: ignore[arg-type]
        (lambda: Escalate((None, None), much, 0.5), "verifier"),  # type: ignore[arg-type]
        (lambda: Escalate((None, None), MUCH, (0.5, 0.6)), "judges 1 of its steps"),
        (lambda: Escalate((None, None, None), MUCH, (0.5,)), "judges 2 of its steps"),
        (lambda: Escalate((None, None), MUCH, 1.5), "outside the verifier's range"),
        (lambda: Escalate((None, None), MUCH, math.nan), "outside the verifier's range"),
        (lambda: Escalate((None, None), MUCH, "0.5"), "are scores"),  # type: ignore[arg-type]
        (lambda: Escalate((None, None), MUCH, True), "are scores"),
        (lambda: Escalate((None, None), MUCH, 0.5, 0.6), "below the bar"),
        (lambda: Escalate((None, None), MUCH, 0.5, draws=0), "draws >= 1"),
        (lambda: Escalate((None, None), MUCH, 0.5, draws=(1, 2, 3)), "one for each step"),
        (lambda: Escalate((None, None), MUCH, 0.5, draws=1.5), "draws >= 1"),  # type: ignore[arg-type]
        (lambda: Escalate((None, None), Agreement(), 0.5), "draws >= 2"),
        (lambda: Escalate.fit((None, None), MUCH, [], ("a", "b"), budget=1), "no row"),
        (lambda: Escalate.fit((None, None), MUCH, [("q", "a", True, 1, 0.5)], ("a", "b"), budget=1), "no try of b"),
        (lambda: Escalate.fit((None, None), MUCH, [("q", "a", True)], ("a", "b"), budget=1), "a row is"),
        (lambda: Escalate.fit((None, None), MUCH, [("q", "a", 2, 1)], ("a", "b"), budget=1), "right is"),
        (lambda: Escalate.fit((None, None), MUCH, [("q", "a", True, -1)], ("a", "b"), budget=1), "a cost is"),
        (lambda: Escalate.fit((None, None), MUCH, [("q", "a", True, 1)], ("a", "a"), budget=1), "by their names"),
    ],
    ids=range(20),
)  # fmt: skip
def test_mistakes_are_said_where_they_are_made(make: Callable[[], Strategy], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


# ---------------------------------------------------------------- the laws


class Own(StrategyTests):
    def elections(self, result: Result[Any]) -> list[Any]:
        return []


class TestEscalate(Own):
    def strategy(self) -> Strategy:
        return Escalate((None, BestOfN(3, LengthScore()), SelfConsistency(3)), LengthScore(), 0.9)


class TestEscalateByAgreement(Own):
    def strategy(self) -> Strategy:
        return Escalate((None, BestOfN(2, LengthScore())), Agreement(), 0.6, draws=(4, 2))
