"""`Rerank`: products by hand, what two opinions are worth by simulation, and a second one that fails."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from searchkit import Budget, solve_sync
from searchkit.errors import ConfigError, VerifierError
from searchkit.strategies import Argmax, BestFirst, BestOfN, Rerank, Vote
from searchkit.testing.worlds import WORLDS
from searchkit.verifiers import Predicate
from tests.helpers.selecting import candidate, select, selecting

WORDS = ["a", "bb", "ccc", "dddd"]


def table(scores: dict[Any, Any], **options: Any) -> Predicate:
    """A verifier that knows the score of each value; one that it does not know makes it fail."""
    return Predicate(scores.__getitem__, name="table", **options)


def test_the_product_chooses_by_hand() -> None:
    """First scores .9, .6, .5; second .1, .5, .7: the products are .09, .3, .35."""
    scored = [candidate("a", 0.9), candidate("b", 0.6), candidate("c", 0.5)]
    second = table({"a": 0.1, "b": 0.5, "c": 0.7})
    choice = select(Rerank(second), *scored)
    assert (choice.index, choice.score) == (2, pytest.approx(0.35))


def test_a_vote_weighs_by_products() -> None:
    """Two x of .4 * .5 outvote a y of .6 * .6, and three samples that one stands for are three."""
    scored = [candidate("x1", 0.4), candidate("y1", 0.6), candidate("x2", 0.4)]
    second = table({"x1": 0.5, "x2": 0.5, "y1": 0.6})
    choice = select(Rerank(second, Vote(lambda value: value[0], weighted=True)), *scored)
    assert scored[choice.index or 0].sample.value.startswith("x")
    assert choice.score == pytest.approx(0.4 / 0.76)


@pytest.mark.parametrize("inner", [Argmax(), Vote(weighted=True)])
def test_a_constant_second_opinion_changes_nothing(inner: Any) -> None:
    """50 random sets of candidates, some of which abstain or are cut off."""
    rng, second = random.Random(1), Predicate(lambda value: 0.5)
    for _ in range(50):
        scored = [
            candidate(rng.choice("abc"), rng.choice([None, rng.random()]), rng.choice(["stop", "stop", "length"]))
            for _ in range(6)
        ]
        assert select(Rerank(second, inner), *scored).index == select(inner, *scored).index


def test_two_opinions_find_more_than_either() -> None:
    """One of eight answers is right; each verifier says sigmoid(+-1 + z), with noise of its own.

    In 2,000 problems the product of the odds is Bayes' rule, and the product of chances is close: it must find at least
    5 points more than either alone.
    """
    rng, n, found = random.Random(3), 2000, [0, 0, 0]
    for _ in range(n):
        scores = [[1 / (1 + math.exp(-((1 if i == 0 else -1) + rng.gauss(0, 1)))) for i in range(8)] for _ in range(2)]
        one, other = ([candidate(i, s) for i, s in enumerate(row)] for row in scores)
        for k, choice in enumerate((
            select(Argmax(), *one), select(Argmax(), *other), select(Rerank(table(dict(enumerate(scores[1])))), *one)
        )):  # fmt: skip
            found[k] += choice.index == 0
    assert found[2] > max(found[:2]) + 0.05 * n


def test_of_what_has_no_score_nothing_is_asked() -> None:
    """It costs no verification either."""
    asked = list[str]()

    def second(value: str) -> float:
        asked.append(value)
        return 0.5

    choice, search = selecting(Rerank(Predicate(second)), candidate("a"), candidate("b", 0.1))
    assert (choice.index, asked, search.usage.verifications) == (1, ["b"], 1)


def test_who_abstains_twice_or_once_abstains() -> None:
    """Without a first or a second score there is no product; what is left chooses."""
    second = table({"a": None, "b": 0.2, "c": 0.9})
    assert select(Rerank(second), candidate("a", 0.9), candidate("b", 0.5), candidate("c")).index == 1


def test_where_the_second_fails_the_first_chooses() -> None:
    """At all answers: as if it were not there, and the failure is told. At one: that one abstains."""
    scored = [candidate("a", 0.2), candidate("b", 0.9), candidate("c", 0.5)]
    choice, search = selecting(Rerank(table({})), *scored)
    assert choice.index == 1
    assert search.errors
    assert select(Rerank(table({"a": 0.5, "c": 0.9})), *scored).index == 2


@pytest.mark.parametrize("second", [-0.5, 0.5])
def test_negative_scores_are_refused(second: float) -> None:
    """Of either verifier: the product of two bad ones would be good."""
    first = -0.5 if second > 0 else 0.5
    with pytest.raises(VerifierError, match="multiplies"):
        select(Rerank(table({"a": second}, range=(-1, 1))), candidate("a", first))


def test_mistakes_are_named() -> None:
    """A class instead of an object, a rule that is none."""
    with pytest.raises(ConfigError, match="Rerank"):
        Rerank(Predicate)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="inner rule"):
        Rerank(Predicate(len), "argmax")  # type: ignore[arg-type]


def test_in_a_search_it_costs_a_verification_an_answer() -> None:
    """Four samples, judged twice; each is one candidate, with its first verdict; the product chooses."""
    first, second = Predicate(lambda t: len(t) / 10, name="long"), Predicate(lambda t: 1 / len(t) ** 2, name="short")
    search = BestOfN(4, first, select=Rerank(second))
    result = solve_sync("q", search, generator=lambda prompt, index: WORDS[index])
    assert result.answer == "a"
    assert result.usage.verifications == 8
    assert sorted(c.score for c in result.candidates if c.score is not None) == [0.1, 0.2, 0.3, 0.4]


def test_a_budget_that_ends_leaves_the_first_scores() -> None:
    """Of six verifications the search takes four: the two that are left would judge half of the answers."""
    first, second = Predicate(lambda t: len(t) / 10, name="long"), Predicate(lambda t: 1 / len(t) ** 2, name="short")
    search = BestOfN(4, first, select=Rerank(second))
    result = solve_sync("q", search, generator=lambda prompt, index: WORDS[index], budget=Budget(verifications=6))
    assert result.answer == "dddd"


def test_a_tree_search_is_reranked_under_a_budget_of_draws() -> None:
    """Drafts that score with noise, judged again by one who knows: never worse, and better in some of ten searches."""
    world = WORLDS["noisy drift"]
    exact = Predicate(lambda place: place.hidden, name="exact")
    worth = [
        [
            solve_sync("q", BestFirst(world.verifier, environment=world, select=rule), budget=world.budget, seed=seed)
            .answer.hidden
            for rule in (Argmax(), Rerank(exact))
        ]
        for seed in range(10)
    ]  # fmt: skip
    assert sum(better for _, better in worth) > sum(plain for plain, _ in worth)
