"""Stopping rules against their sources' tables, closed forms against simulation."""

from __future__ import annotations

import random
from math import comb

import pytest

from searchkit.errors import ConfigError
from searchkit.strategies.sampling.stopping import BetaStopping, Dirichlet, EarlyStopping, leads


def votes(*counts: int) -> list[str]:
    return [answer for answer, n in zip("abcdefgh", counts, strict=False) for _ in range(n)]


@pytest.mark.parametrize(
    ("a", "b", "stops"),
    [(3, 0, False), (4, 0, True), (5, 1, False), (6, 1, True), (7, 2, False), (8, 2, True)],
)
def test_beta_stops_where_the_card_says(a: int, b: int, stops: bool) -> None:
    """Unanimous at 4 (0.969), not 3 (0.9375); 5:1 no, 6:1 yes, 7:2 no, 8:2 yes."""
    assert (BetaStopping().decided(votes(a, b)) is not None) is stops


def test_beta_is_the_binomial_tail() -> None:
    """P(X > 1/2) for Beta(a + 1, b + 1) equals P(Binomial(a + b + 1, 1/2) <= a), here summed the other way round."""
    for a in range(6):
        for b in range(a + 1):
            tail = 1 - sum(comb(a + b + 1, j) for j in range(a + 1, a + b + 2)) / 2 ** (a + b + 1)
            assert BetaStopping(tail - 1e-12 if tail > 0.5 else 0.51).decided(votes(a, b)) == (
                a + b if tail >= 0.51 else None
            )


@pytest.mark.parametrize("counts", [(4, 1, 1), (3, 3, 2), (10, 4, 3, 2, 1), (0, 0, 0), (2, 0, 0)])
def test_leads_equals_simulation(counts: tuple[int, ...]) -> None:
    """The exact probability that the first class is the likeliest lies within 4 standard errors of 20,000 draws."""
    rng, n = random.Random(7), 20_000
    hits = 0
    for _ in range(n):
        first, *others = (rng.gammavariate(c + 1, 1) for c in counts)
        hits += first > max(others)
    p = leads(counts)
    assert abs(hits / n - p) < 4 * (p * (1 - p) / n) ** 0.5 + 1e-9


def test_leads_of_all_classes_sum_to_one() -> None:
    """Some class is the likeliest."""
    counts = (5, 3, 1, 0)
    assert sum(leads((counts[i], *counts[:i], *counts[i + 1 :])) for i in range(4)) == pytest.approx(1)


def test_dirichlet_with_two_classes_is_beta() -> None:
    """Fewer than three classes: the same decision at any counts."""
    for a in range(1, 12):
        for b in range(a + 1):
            assert Dirichlet().decided(votes(a, b)) == BetaStopping().decided(votes(a, b))
    assert leads((6, 2)) == pytest.approx(sum(comb(9, j) for j in range(7)) / 2**9)


@pytest.mark.parametrize(
    ("answers", "decided"),
    [
        (["a"] * 4, None),  # the window is not full
        (["a"] * 5, 5),
        (["a", "a", "b", "a", "a"], None),
        (["a", "b", "b", "b", "b", "b"], None),  # five in a row, but across two windows
        (["a", "b", "a", "a", "a", "c", "c", "c", "c", "c"], 5),  # the second window decides alone
        ([None] * 5, None),  # agreeing on nothing is no agreement
        (["a", "a", "a", "a", None], None),
    ],
)
def test_early_stopping_looks_at_one_whole_window(answers: list[str | None], decided: int | None) -> None:
    """The table above, with windows of 5."""
    assert EarlyStopping(5).decided(answers) == decided


def test_a_window_of_one_stops_at_once() -> None:
    assert EarlyStopping(1).decided(["a"]) == 1


@pytest.mark.parametrize("rule", [BetaStopping(1.01), Dirichlet(1.01)])
def test_a_threshold_above_one_never_stops(rule: BetaStopping | Dirichlet) -> None:
    assert rule.decided(votes(200, 1, 1)) is None


def test_impossible_rules_are_refused() -> None:
    """Thresholds that any vote passes, empty windows, one class to compare."""
    for make in (
        lambda: BetaStopping(0.5),
        lambda: Dirichlet(float("nan")),
        lambda: Dirichlet(top=1),
        lambda: EarlyStopping(0),
    ):
        with pytest.raises(ConfigError):
            make()
