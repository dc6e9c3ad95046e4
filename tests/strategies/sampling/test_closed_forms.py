"""Both strategies against closed forms, on a simulated model whose answer distribution is known."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import product
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Model, Params, Problem, Prompt, Result, solve, solve_many
from searchkit.generators import Recorded, Simulated
from searchkit.strategies import BestOfN, BetaStopping, EarlyStopping, SelfConsistency, Soft, Vote
from searchkit.testing import Counting
from searchkit.types import Sample, Verdict
from searchkit.verifiers.predicate import Predicate


def right(value: str) -> bool:
    return value == "right"


def length(value: str) -> float:
    return len(value) / 10


def itself(value: str) -> str | None:
    return value if value != "none" else None


TRIALS = 400


def accuracy(strategy: Any, backend: Simulated, answer: str = "right") -> float:
    """Share of independent problems that the strategy answers with `answer`."""
    problems = [Problem(str(i), Prompt.of("q")) for i in range(TRIALS)]
    outcomes = asyncio.run(solve_many(problems, strategy, generator=Model(backend)))
    return sum(o.unwrap().answer == answer for o in outcomes) / TRIALS


def replay(strategy: Any, *values: Any, **options: Any) -> Result[Any]:
    return asyncio.run(solve("q", strategy, generator=Recorded({"q": values}), **options))


def near(measured: float, exact: float) -> bool:
    """Within 3 standard errors of the exact value."""
    return abs(measured - exact) <= 3 * (exact * (1 - exact) / TRIALS) ** 0.5 + 1e-12


@pytest.mark.parametrize(("p", "n"), [(0.1, 1), (0.1, 8), (0.3, 4), pytest.param(0.02, 32, marks=pytest.mark.slow)])
def test_best_of_n_with_an_exact_verifier_is_pass_at_n(p: float, n: int) -> None:
    """Accuracy is 1 - (1 - p)^N: 0.1/1 -> 0.100, 0.1/8 -> 0.570, 0.3/4 -> 0.760, 0.02/32 -> 0.476."""
    assert near(accuracy(BestOfN(n, Predicate(right)), Simulated.coin(p)), 1 - (1 - p) ** n)


def majority(p: dict[str, float], n: int, answer: str) -> float:
    """P(majority is `answer`) with ties to the class seen first, by enumerating all sequences."""
    total = 0.0
    for sequence in product(p, repeat=n):
        counts = Counter(sequence)  # insertion order is order of appearance
        if max(counts, key=lambda c: counts[c]) == answer:
            weight = 1.0
            for one in sequence:
                weight *= p[one]
            total += weight
    return total


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_majority_voting_is_the_exact_multinomial_value(n: int) -> None:
    """Three answers with 0.45, 0.35 and 0.2: the vote's accuracy equals the enumeration of all 3^n sequences."""
    p = {"right": 0.45, "wrong": 0.35, "other": 0.2}
    assert near(accuracy(SelfConsistency(n, itself), Simulated(p)), majority(p, n, "right"))


def test_soft_best_of_n_draws_from_the_softmax() -> None:
    """Scores 0 and ln 3 with tau 1: the second of two samples is chosen three times out of four."""
    strategy = BestOfN(2, Predicate(itself, range=(0.0, 2.0)), select=Soft(1.0))
    chosen = [replay(strategy, 0.0, 1.0986122886681098, seed=seed).answer for seed in range(TRIALS)]
    assert near(sum(c > 0 for c in chosen) / TRIALS, 0.75)


def test_first_pass_stops_and_really_cancels() -> None:
    """Stops at the first verdict that passed; beyond it only what was in flight was paid, as the backend counted."""
    for seed in range(20):
        backend = Counting(Simulated.coin(0.3, latency=0.001))
        strategy = BestOfN(64, Predicate(right), first_pass=True, window=4)
        result = asyncio.run(solve("q", strategy, generator=Model(backend), seed=seed))
        firsts = [c.sample.value for c in result.candidates]
        assert result.stopped == "threshold"
        assert result.answer == "right"
        assert backend.calls <= firsts.index("right") + 4
        assert backend.in_flight == 0


def test_threshold_stops_at_the_first_score_that_reaches_it() -> None:
    """Scores 0.1, 0.5, 0.9: a threshold of 0.5 takes the second, one of 0.9 the third, none the best of all."""
    values = ("a", "a" * 5, "a" * 9, "b" * 10)
    assert len(replay(BestOfN(4, Predicate(length), threshold=0.5, window=1), *values).answer) == 5
    assert len(replay(BestOfN(4, Predicate(length), threshold=0.9, window=1), *values).answer) == 9
    assert len(replay(BestOfN(4, Predicate(length)), *values).answer) == 10


def test_weighted_vote_sums_scores_by_class_and_returns_its_best_member() -> None:
    """Classes by first letter: a has 0.6 + 0.6, b has 0.9; the vote takes a's best, the argmax takes b."""
    values = ("aaaaaa", "bbbbbbbbb", "aaaaaa")
    assert replay(BestOfN(3, Predicate(length), select=Vote(first, weighted=True)), *values).answer == "aaaaaa"
    assert replay(BestOfN(3, Predicate(length)), *values).answer == "bbbbbbbbb"
    assert replay(SelfConsistency(3, first, verifier=Predicate(length)), *values).answer == "aaaaaa"


def first(value: str) -> str:
    return value[0]


def abstain(value: str) -> Verdict:
    return Verdict()


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["x", "y", "y", "x"], "x"),  # a tie goes to the class seen first
        (["none", "none", "none", "y", "x", "x"], "x"),  # abstentions never vote, however many
        (["none", "none"], "none"),  # nobody votes: the first complete sample
        (["y", "x", "x"], "x"),
    ],
)
def test_votes(answers: list[str], winner: str) -> None:
    """The table above."""
    assert replay(SelfConsistency(len(answers), itself), *answers).answer == winner


def test_truncated_samples_never_vote() -> None:
    """Two truncated votes for x lose against one complete vote for y."""
    cut = Sample("x", finish="length")
    assert replay(SelfConsistency(3, itself), cut, Sample("y"), cut).answer == "y"


def test_a_key_that_raises_abstains_and_is_reported() -> None:
    """One hostile sample does not end the vote, and does not vanish either."""

    def key(value: str) -> str:
        if value == "boom":
            raise RuntimeError("bad answer")
        return value

    result = replay(SelfConsistency(3, key), "boom", "boom", "x")
    assert result.answer == "x"
    assert "bad answer" in str(result.errors[0])


def test_adaptive_stopping_never_exceeds_the_cap_and_stops_when_unanimous() -> None:
    """Unanimous answers stop BetaStopping at 4 samples and ESC at its window; a threshold above 1 equals fixed N."""
    assert len(replay(SelfConsistency(40, itself, stop=BetaStopping(), window=1), *["x"] * 40).candidates) == 4
    assert len(replay(SelfConsistency(40, itself, stop=EarlyStopping(5)), *["x"] * 40).candidates) == 5
    answers = random.Random(1).choices("xyz", k=12)
    fixed = replay(SelfConsistency(12, itself), *answers)
    never = replay(SelfConsistency(12, itself, stop=BetaStopping(1.1)), *answers)
    assert never.answer == fixed.answer
    assert len(never.candidates) == 12


def test_early_stopping_answers_with_its_window() -> None:
    """Three early x, then a window of z: ESC answers z although x has as many votes and came first."""
    answers = ["x", "x", "y", "z", "z", "z"]
    assert replay(SelfConsistency(9, itself, stop=EarlyStopping(3)), *answers).answer == "z"


def test_an_abstaining_verifier_returns_the_first_complete_sample() -> None:
    """No score at all: not the truncated first sample, but the first that is whole."""
    verifier = Predicate(abstain)
    assert replay(BestOfN(3, verifier), Sample("cut", finish="length"), "whole", "later").answer == "whole"


def test_a_failing_verifier_leaves_the_other_candidates() -> None:
    """A verifier that raises on one sample: the rest compete, the failure is in errors, the sample stays unscored."""

    def picky(value: str) -> float:
        if value == "bad":
            raise ValueError("cannot judge this")
        return len(value) / 10

    result = replay(BestOfN(3, Predicate(picky)), "bad", "xx", "xxx")
    assert result.answer == "xxx"
    assert [c.score for c in result.candidates] == [None, 0.2, 0.3]
    assert "cannot judge this" in str(result.errors[0])


def test_one_failing_generation_of_n_leaves_the_others() -> None:
    """A simulated model that fails 40 % of its calls: survivors are scored, failures are errors, nothing is lost."""
    result = asyncio.run(
        solve("q", BestOfN(20, Predicate(right)), generator=Model(Simulated({"right": 1.0}, failures=0.4)))
    )
    assert len(result.candidates) + len(result.errors) == 20
    assert 0 < len(result.errors) < 20
    assert result.usage.model_calls == 20


def test_impossible_parameters_are_refused_before_anything_is_paid() -> None:
    """One clear sentence each."""
    ok = Predicate(right)
    for make, word in (
        (lambda: BestOfN(0, ok), "n >= 1"),
        (lambda: BestOfN(3, right), "Predicate"),  # type: ignore[arg-type]
        (lambda: BestOfN(3, ok, threshold=1.5), "range"),
        (lambda: BestOfN(3, ok, threshold=float("nan")), "range"),
        (lambda: BestOfN(3, ok, window=0), "window"),
        (lambda: SelfConsistency(0), "n >= 1"),
        (lambda: SelfConsistency(3, key="boxed"), "callable"),  # type: ignore[arg-type]
        (lambda: SelfConsistency(3, verifier=Predicate(right, range=(-1.0, 1.0))), ">= 0"),
        (lambda: Soft(0), "Argmax"),
        (lambda: asyncio.run(solve("q", BestOfN(3, ok))), "generator"),
        (lambda: asyncio.run(solve("  ", BestOfN(3, ok), generator=Model(Simulated.coin(0.5)))), "empty"),
        (
            lambda: asyncio.run(
                solve("q", BestOfN(3, ok), generator=Model(Simulated.coin(0.5)), budget=Budget(generated_tokens=9))
            ),
            "max_tokens",
        ),
        (lambda: Params(temperature=-1), "temperature"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
