"""The benchmark of crowds: debate as a Markov chain on counts, fusion, a sorter's errors: as computed, and found."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from searchkit.strategies import Rounds, SelfConsistency

FOLDER = Path(__file__).parents[2] / "benchmarks"
SEEDS = 300


@pytest.fixture
def crowds(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import crowds

    return crowds


def test_the_chain_on_counts_by_enumeration(crowds: Any) -> None:
    """Three agents and two rounds are 64 histories."""
    for then in crowds.FOLLOWS.values():
        expected = 0.0
        for first in itertools.product((0, 1), repeat=3):
            chance = math.prod(0.4 if one else 0.6 for one in first)
            p = then(sum(first), 3)
            for second in itertools.product((0, 1), repeat=3):
                expected += chance * math.prod(p if one else 1 - p for one in second) * (sum(second) > 1)
        assert crowds.debated(3, 2, 0.4, then) == pytest.approx(expected)
    assert crowds.debated(3, 1, 0.6, crowds.conforms) == pytest.approx(0.648) == crowds.majority(3, 0.6)
    assert crowds.mixed(4, 1, 0.3, crowds.recognises) == pytest.approx(0.8 * (1 - 0.7**4) + 0.25 * 0.7**4)
    assert crowds.mixed(4, 1, 0.3, crowds.proportional) == pytest.approx(0.3)


def test_who_says_what_most_say_loses_to_a_vote_of_as_many_samples(crowds: Any) -> None:
    """At any accuracy above a half; who recognises a right answer wins."""
    for first in (0.55, 0.65, 0.75, 0.85):
        votes = crowds.majority(9, first)
        assert crowds.debated(3, 3, first, crowds.conforms) < votes
        assert crowds.mixed(6, 1, first, crowds.proportional) < crowds.majority(7, first)
    for first in (0.2, 0.4):
        assert crowds.debated(3, 3, first, crowds.recognises) > crowds.majority(9, first) + 0.1
        assert crowds.mixed(4, 1, first, crowds.recognises) > crowds.majority(5, first) + 0.1


def test_the_errors_that_are_left_by_enumeration(crowds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of four: the least of two sorts, two halves and a merge, and drafts that are mended."""
    monkeypatch.setattr(crowds, "LENGTH", 4)
    sorter = crowds.Sorter({4: 0.3, 2: 0.2}, 0.1)
    each = [math.comb(4, e) * 0.3**e * 0.7 ** (4 - e) for e in range(5)]
    least = sum(min(a, b) * p * q for a, p in enumerate(each) for b, q in enumerate(each))
    assert sorter.best_of(2) == pytest.approx(least)
    halved = 4 * (1 - (1 - 0.2) * (1 - 0.1))
    assert crowds.mean(sorter.part(4, 1, 1, 1)) == pytest.approx(halved)
    again = [crowds.mending(e, 4) for e in range(5)]
    chain = sum(p * q * min(e, x) for e, p in enumerate(each) for x, q in enumerate(again[e]))
    assert sorter.tree(1, 2) == pytest.approx(chain)
    assert [sum(row) for row in again] == pytest.approx([1.0] * 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conforms", "recognises"])
def test_a_debate_and_a_mixture_are_as_computed(crowds: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "FOLLOWS", {name: crowds.FOLLOWS[name]})
    rows = [row for part in (crowds.debate, crowds.fusion) for row in itertools.islice(part(SEEDS, 0), 2)]
    for row in rows:
        p = row["computed"]
        assert abs(row["found"][0] - p) < 4 * math.sqrt(p * (1 - p) / SEEDS), row


@pytest.mark.slow
def test_sorting_is_as_computed(crowds: Any) -> None:
    rows = list(itertools.islice(crowds.sorting(60, 0), 6))
    assert {row["by"] for row in rows} == {"graph, 2 parts", "graph, 4 parts", "tree", "best of n"}
    assert [row["calls"] for row in rows] == [6] * 3 + [12] * 3
    for row in rows:
        low, high = row["errors"][1:]
        width = max(high - low, 0.1)
        assert low - width < row["computed"] < high + width, row
    json.dumps(rows)


@pytest.mark.slow
def test_one_round_of_votes_is_self_consistency(crowds: Any) -> None:
    model, problems = crowds.model(0.6, crowds.conforms), [crowds.Problem("q", crowds.Prompt.of("?"))] * SEEDS
    expected = crowds.majority(5, 0.6)
    for strategy in (Rounds((None,) * 5, 1, key=crowds.last_line), SelfConsistency(5, key=crowds.last_line)):
        results = crowds.asyncio.run(crowds.all_of(problems, strategy, model))
        right = sum(crowds.last_line(result.answer) == "right" for result in results) / SEEDS
        assert abs(right - expected) < 4 * math.sqrt(expected * (1 - expected) / SEEDS)


def test_what_answers_have_in_common(crowds: Any) -> None:
    """The lines that more than half begin with, never the last line of an answer."""
    assert crowds.agreed(["a\nb\nc", "a\nb\nd", "a\nx\ny"]) == "a\nb\n"
    assert crowds.agreed(["a\nb", "c\nd"]) == crowds.agreed(["a", "a"]) == crowds.agreed([]) == ""
    assert crowds.agreed(["a\nb\n"] * 3) == "a\n"
