"""Patch votes: two filters that never leave nothing, and a majority over syntax trees."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from searchkit import ConfigError, Prompt, solve_sync
from searchkit.protocols import Run
from searchkit.strategies import Argmax, BestOfN, PatchVote, Vote
from searchkit.strategy import Strategy
from searchkit.testing import StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Problem, Sample, Scored, Verdict
from searchkit.verifiers import Predicate
from tests.helpers.selecting import candidate, select, selecting

A, B = "def f(x):\n    return x + 1", "def f(x):\n    return x - 1"
A2, A3 = "# mended\ndef f(x):\n\n    return x + 1  # one more", 'def f(x):\n    "Adds."\n    return (x + 0x1)'


@dataclass(frozen=True)
class Told:
    """A verifier that knows the scores of texts; it keeps what it was asked."""

    scores: dict[str, Any]
    asked: list[str] = field(default_factory=list)
    fails: bool = False
    joint: bool = True
    key: str = "told"
    range: tuple[float, float] = (0.0, 1.0)

    def bind(self, problem: Problem) -> Told:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        self.asked.extend(sample.text for sample in samples)
        if self.fails:
            raise ValueError("no tests")
        return [Verdict(self.scores[sample.text]) for sample in samples]


# ---------------------------------------------------------------- the vote


def test_edits_that_python_does_not_read_split_no_vote():
    """Three spellings of one patch beat two equal texts of another; by texts they would not."""
    scored = [candidate(text, 1.0) for text in (B, A, A2, B, A3)]
    choice = select(PatchVote(), *scored)
    assert (choice.index, choice.score) == (1, 3 / 5)
    assert select(PatchVote(key=str), *scored).index == 0


def test_patches_of_several_files():
    """Values that are mappings from paths to texts."""
    one, same, other = {"a.py": "x = 'a'"}, {"a.py": 'x = "a"  # a'}, {"a.py": "x = 'b'"}
    assert select(PatchVote(), *(candidate(files, 1.0) for files in (other, one, same))).index == 1


def test_ties_go_to_the_first_seen_and_the_empty_are_ignored():
    """A reply without a program, one that does not parse, a truncated one: no votes, whatever their scores."""
    scored = [candidate("I cannot.", 1.0), candidate("def f(:", 1.0), candidate(A, 1.0, "length"), candidate(B, 0.1),
              candidate(A, 0.1)]  # fmt: skip
    assert select(PatchVote(), *scored).index == 3
    assert select(PatchVote(), *scored[:3]).index is None
    assert select(PatchVote()).index is None


# ---------------------------------------------------------------- the filters


def test_the_fewest_broken_tests_first():
    """Two that break fewest are left, though the majority breaks more; all break something."""
    scored = [candidate(A, 0.5), candidate(A2, 0.5), candidate(B, 0.75)]
    assert select(PatchVote(), *scored).index == 2
    assert select(Vote(PatchVote().key), *scored).index == 0


def test_a_missing_result_is_no_failure_and_no_pass():
    """Left out where another has one; where none has one nothing is filtered."""
    assert select(PatchVote(), candidate(A), candidate(A2), candidate(B, 0.0)).index == 2
    assert select(PatchVote(), candidate(B), candidate(A), candidate(A2)).index == 1


def test_reproduction_is_asked_about_what_is_left_and_only_if_it_matters():
    """Not about those that break more; and about none where one patch is left."""
    tests = Told({A: 0.0, B: 1.0})
    scored = [candidate(A, 1.0), candidate(A, 1.0), candidate(B, 1.0), candidate(A2, 0.5)]
    assert select(PatchVote(tests), *scored).index == 2
    assert tests.asked == [A, A, B]
    alone = Told({})
    assert select(PatchVote(alone), candidate(A, 1.0), candidate(A2, 1.0), candidate(B, 0.2)).index == 0
    assert alone.asked == []


@pytest.mark.parametrize("scores", [{A: None, B: None}, {A: 0.0, B: 0.0}, {A: 1.0, B: 1.0}])
def test_a_filter_that_tells_nothing_apart_filters_nothing(scores):
    """No test was found, all fail, all pass."""
    scored = [candidate(B, 1.0), candidate(A, 1.0), candidate(A, 1.0)]
    assert select(PatchVote(Told(scores)), *scored).index == 1


def test_where_reproduction_fails_the_first_filter_stands():
    """And the error is recorded; alone among verifiers a mistake in the configuration is raised."""
    scored = [candidate(B, 1.0), candidate(A, 1.0), candidate(A, 1.0), candidate(A, 0.0)]
    choice, search = selecting(PatchVote(Told({}, fails=True)), *scored)
    assert choice.index == 1
    assert search.errors


def _left(among: list[int], scores: list[Any]) -> list[int]:
    known = [scores[i] for i in among if scores[i] is not None]
    return [i for i in among if scores[i] == max(known)] if known else among


def test_random_candidates():
    """150 sets, against the three steps written out: the choice is never empty where somebody has a key."""
    rng = random.Random(0)
    texts = (A, A2, A3, B, "def g(): pass", "no program", "def f(:")
    same = {A: "a", A2: "a", A3: "a", B: "b", "def g(): pass": "g"}
    for _ in range(150):
        values = [rng.choice(texts) for _ in range(rng.randint(1, 7))]
        scored = [candidate(value, rng.choice([None, 0.0, 0.5, 1.0])) for value in values]
        second = {text: rng.choice([None, 0.0, 1.0]) for text in texts}
        choice = select(PatchVote(Told(second)), *scored)
        left = _left([i for i, value in enumerate(values) if value in same], [one.score for one in scored])
        left = _left(left, [second[value] for value in values])
        if not left:
            assert choice.index is None
            continue
        votes = [same[values[i]] for i in left]
        most = max(votes, key=lambda name: (votes.count(name), -votes.index(name)))
        assert same[values[choice.index]] == most


# ---------------------------------------------------------------- in a search


def test_cost_is_the_formula():
    """n draws and n verifications of the search's verifier, and one by the second for each that is left."""
    drafts = [A, B, A2, B, "no program"]
    tests = Told(dict.fromkeys(drafts, 1.0))
    search = BestOfN(5, Predicate(bool), select=PatchVote(tests))
    result = solve_sync("q", search, generator=lambda text, index: drafts[index])
    assert result.usage.verifications == 5 + 4
    assert result.answer == A
    plain = solve_sync(
        "q", BestOfN(5, Predicate(bool), select=PatchVote()), generator=lambda text, index: drafts[index]
    )
    assert plain.usage.verifications == 5


class TestLaws(StrategyTests):
    def strategy(self) -> Strategy:
        return BestOfN(6, LengthScore(), select=PatchVote(LengthScore(), key=str))


def test_mistakes_are_named():
    """One clear sentence each; configuration pickles."""
    for make, word in (
        (lambda: PatchVote(bool), "verifier"),
        (lambda: PatchVote(key="syntax"), "callable"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    rule = PatchVote(Predicate(bool))
    assert pickle.loads(pickle.dumps(rule)) == rule != Argmax()
    assert isinstance(candidate(A, 1.0), Scored)
