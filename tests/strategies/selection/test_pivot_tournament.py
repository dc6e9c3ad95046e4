"""`PivotTournament`: the true best, exact costs, ties and no verdicts, permutations, and the round robin's winner."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from searchkit import Model, solve
from searchkit.engine.run import Run
from searchkit.errors import ConfigError
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN, PivotTournament, Tournament
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.strategies import StrategyTests
from searchkit.types import Budget, Choice, Prompt, Sample, Scored, Verdict
from searchkit.verifiers import Expected, PairwiseJudge, Predicate
from tests.helpers.judges import comparing, greater
from tests.strategies.selection.test_tournament import Known, candidates, played, writes_and_compares

PROMPT = Prompt.of("q")


@dataclass(frozen=True)
class Table(Known):
    """A joint verifier that knows what comes out of each pair of texts; None: no verdict."""

    results: dict[tuple[str, str], float | None] = field(default_factory=dict)
    met: list[tuple[str, str]] = field(default_factory=list)

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        one, other = (sample.text for sample in samples)
        self.met.append((one, other))
        back = self.results.get((other, one))
        result = self.results.get((one, other), None if back is None else 1 - back)
        return [Verdict(result), Verdict(None if result is None else 1 - result)]


def ranked(*scores: float | None) -> list[Scored]:
    """Candidates named by their place, with these scores."""
    return [Scored(Sample(str(i)), Verdict(score)) for i, score in enumerate(scores)]


# ---------------------------------------------------------------- who wins


@pytest.mark.parametrize("pivots", [1, 2, 3, 9])
@pytest.mark.parametrize("n", range(1, 6))
def test_a_judge_that_knows_the_order_finds_the_best_of_every_permutation(n, pivots):
    """With scores that put the best among the pivots, however wrong they are about the others."""
    tournament = PivotTournament(PairwiseJudge(Model(comparing(greater))), pivots)
    for order in itertools.islice(itertools.permutations(range(n)), 0, None, 5 if n == 5 else 1):
        scored = [Scored(Sample(str(rank)), Verdict(9.0 if rank == n - 1 else float(-rank))) for rank in order]
        assert played(tournament, scored)[0] == Choice(order.index(n - 1), 1.0 if n > 1 else None)


def test_of_those_who_beat_all_pivots_the_highest_score_wins():
    """They have not met: 1, 2 and 3 are better than the only pivot. This is what pivots lose to a round-robin."""
    judge = Table(results={(str(i), str(j)): 1.0 for i in range(4) for j in range(i)})
    assert played(PivotTournament(judge, 1), ranked(9, 1, 2, 0))[0] == Choice(2, 1.0)


def test_the_pivots_are_the_best_scores_and_each_meets_all():
    """Of six with two pivots: 3 and 1. Everybody else meets only them; what has no score is none before others."""
    judge = Table(results={(str(i), str(j)): 1.0 for i in range(6) for j in range(i)})
    played(PivotTournament(judge, 2), ranked(0.1, 0.7, None, 0.9, 0.2, -1.0))
    assert {frozenset(pair) for pair in judge.met} == {
        frozenset(map(str, pair)) for pair in [(3, 0), (3, 1), (3, 2), (3, 4), (3, 5), (1, 0), (1, 2), (1, 4), (1, 5)]
    }
    assert judge.met[:5] == [("3", other) for _, other in judge.met[:5]]  # the best pivot's matches come first


def test_the_winner_has_the_greatest_share_of_its_matches_not_the_most_wins():
    """One pivot, 0, beats 1 and 2 and loses to 3: two wins of three; 3 won all that it played, which is one."""
    judge = Table(results={("0", "1"): 1.0, ("0", "2"): 1.0, ("0", "3"): 0.0})
    assert played(PivotTournament(judge, 1), ranked(9, 0, 0, 0))[0] == Choice(3, 1.0)


def test_a_tie_is_half_a_win_for_each_and_no_verdict_nothing_for_either():
    """Pivots 0 and 1 of four. By hand, of three and of two matches:

    0: ties with 1, beats 2, no verdict with 3: 1.5 / 3. 1: tie, beats 2, loses to 3: 1.5 / 3. 2: 0 / 2.
    3: no verdict and a win: 1 / 2. Of the three equals the one with the highest score wins.
    """
    results = {("0", "1"): 0.5, ("0", "2"): 1.0, ("0", "3"): None, ("1", "2"): 1.0, ("1", "3"): 0.0}
    for scores, winner in (((9, 8, 0, 0), 0), ((8, 9, 0, 0), 1)):
        assert played(PivotTournament(Table(results=results), 2), ranked(*scores))[0] == Choice(winner, 0.5)
    unread = results | {("0", "3"): 1.0}  # then 0 has 2.5 of 3
    assert played(PivotTournament(Table(results=unread), 2), ranked(9, 8, 0, 0))[0] == Choice(0, pytest.approx(2.5 / 3))


def test_the_trace_ranks_all_by_their_shares():
    """The best first, by the places among the candidates; where no match has a verdict it says nothing of any."""
    judge = PairwiseJudge(Model(comparing(greater)))
    for rule, said in (
        (PivotTournament(judge, 1), "1 (1), 3 (0.667), 2 (0), 0 (0)"),
        (PivotTournament(judge, 2), "1 (1), 3 (0.667), 2 (0.333), 0 (0)"),
        (Tournament(judge, "round-robin"), "1 (1), 3 (0.667), 2 (0.333), 0 (0)"),
        (Tournament(judge), "1 (1), 3 (0.5), 0 (0), 2 (0)"),
    ):
        scored = [
            Scored(Sample(text), Verdict(score)) for text, score in zip("1927", (0.1, 0.2, 0.3, 0.9), strict=True)
        ]
        run = played(rule, scored)[3]
        assert [span.text for span in run.span.walk() if span.name == "standings"] == [said], rule
    nothing = Table(results={})
    run = played(PivotTournament(nothing, 1), ranked(1, 2))[3]
    assert [span.text for span in run.span.walk() if span.name == "standings"] == []


def test_one_readable_match_makes_no_winner():
    """1 won the only match of its two that could be read: half of what it was to win, less than 2 of 3."""
    results = {("0", "1"): None, ("3", "1"): 0.0, ("0", "2"): 1.0, ("0", "3"): 1.0, ("3", "2"): 1.0}
    assert played(PivotTournament(Table(results=results), 2), ranked(9, 0, 0, 8))[0] == Choice(0, pytest.approx(2 / 3))


def test_without_any_verdict_nothing_is_chosen():
    """The strategy returns what it would without a judge."""
    assert played(PivotTournament(Table()), ranked(1, 2, 3))[0] == Choice(None)
    strategy = BestOfN(3, Predicate(bool), select=PivotTournament(Table()))
    assert asyncio.run(solve("q", strategy, generator=Recorded({"q": ["a", "b", "c"]}))).answer == "a"


def test_truncated_and_failed_samples_do_not_play():
    """As in a tournament."""
    tournament = PivotTournament(PairwiseJudge(Model(comparing(greater))), 1)
    cut, failed = Scored(Sample("9", finish="length")), Scored(Sample("8"), Verdict(passed=False))
    low, high = Scored(Sample("3"), Verdict(0.9)), Scored(Sample("5"), Verdict(0.1))
    assert played(tournament, [cut, failed, low, high])[0] == Choice(3, 1.0)
    assert played(tournament, [cut, failed])[0] == Choice(1)
    assert played(tournament, [cut, cut])[0] == Choice(None)


# ---------------------------------------------------------------- costs


@pytest.mark.parametrize("k", [1, 2, 4, 7, 20])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_the_cost_is_exact(n, k):
    """2k(n - k) + k(k - 1) calls, in one round; no generation, no candidate. With k >= n a round-robin's n(n - 1)."""
    backend = Counting(Shuffled(comparing(greater)))
    _, usage, _, run = played(PivotTournament(PairwiseJudge(Model(backend)), k), candidates(*range(n)))
    most = min(k, n)
    calls = 2 * most * (n - most) + most * (most - 1)
    assert backend.calls == len(set(backend.seeds)) == usage.model_calls == calls
    assert (usage.verifications, usage.generations) == (calls, 0)
    assert run.frame.candidates() == ()


def test_expected_matches_cost_as_many_times_as_they_are_repeated():
    """2k(n - k) + k(k - 1) times repeats and criteria."""
    backend = Counting(Scripted(lambda request: "Score: B"))
    judge = PairwiseJudge(Model(backend), scores=Expected(5, 2, ("a", "b", "c")))
    _, usage, *_ = played(PivotTournament(judge, 2), candidates(*range(5)))
    assert backend.calls == usage.model_calls == (2 * 2 * 3 + 2 * 1) * 2 * 3


def test_32_candidates_and_4_pivots_take_a_share_of_0_238_of_a_round_robin():
    """118 of 496 matches."""
    judge = Table(results={(str(i), str(j)): 1.0 for i in range(32) for j in range(i)})
    played(PivotTournament(judge, 4), ranked(*range(32)))
    assert len(judge.met) == 118
    assert pytest.approx(0.238, abs=0.001) == 118 / 496


def test_when_the_budget_runs_out_the_best_pivot_has_played_first():
    """Four samples, each better than the one before, 3 and 2 are pivots. After m matches: who leads.

    3 beats all three, then 2 beats both others. From the first match on 3 leads.
    """
    for calls in range(11):
        for order in range(3):
            backend = Counting(Shuffled(comparing(greater), order))
            tournament = PivotTournament(PairwiseJudge(Model(backend)), 2)
            strategy = BestOfN(4, Predicate(float, "number", (0.0, 9.0)), select=tournament)
            budget = Budget(model_calls=4 + calls)
            result = asyncio.run(solve("q", strategy, generator=Recorded({"q": ["0", "1", "2", "3"]}), budget=budget))
            assert backend.calls == calls // 2 * 2
            assert result.answer == ("3" if calls >= 2 else "0")
            assert result.stopped == ("done" if calls == 10 else "budget")


# ---------------------------------------------------------------- permutations


class Noisy(Known):
    """A joint verifier that errs: the greater number wins with a chance that grows with the difference."""

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        one, other = (float(sample.text) for sample in samples)
        won = float(run.rng.random() < 1 / (1 + math.exp(other - one)))
        return [Verdict(won), Verdict(1 - won)]


@pytest.mark.parametrize("scores", [(0, 0, 0, 0, 0), (3, 3, 1, 1, 1)])
def test_a_permutation_of_the_candidates_changes_nothing_in_distribution(scores):
    """How often each of five wins, over 120 seeds, in two orders: a chi-square of 4 degrees of freedom, below 18.5.

    That is exceeded once in a thousand times by chance; seeds are fixed.
    """
    scored = [Scored(Sample(str(i)), Verdict(float(score))) for i, score in enumerate(scores)]

    def wins(order: Sequence[int]) -> Counter[int]:
        mixed = [scored[i] for i in order]
        tournament = PivotTournament(Noisy(), 2)
        return Counter(order[played(tournament, mixed, seed)[0].index] for seed in range(120))

    one, other = wins(range(5)), wins((4, 2, 0, 3, 1))
    assert sum((one[i] - other[i]) ** 2 / (one[i] + other[i]) for i in range(5) if one[i] + other[i]) < 18.5
    assert len(one) >= 3  # the noise is real


def test_with_all_scores_equal_every_sample_is_a_pivot_equally_often():
    """The first seen has no advantage: 1 of 4 in 400 seeds, within 4 standard errors."""
    pivots = Counter[str]()
    for seed in range(400):
        judge = Table(results={(str(i), str(j)): 1.0 for i in range(4) for j in range(i)})
        played(PivotTournament(judge, 1), ranked(1, 1, 1, 1), seed)
        pivots[judge.met[0][0]] += 1
    assert all(abs(pivots[str(i)] - 100) < 4 * math.sqrt(400 * 0.25 * 0.75) for i in range(4))


# ---------------------------------------------------------------- against the round robin


def drawn(rng: random.Random, n: int, noise: float, sharp: float) -> tuple[list[float], Table]:
    """Scores of n samples of true worth N(0, 1), and what comes out of each match.

    A score is the worth with normal noise of this standard deviation. In a match each order is right with the chance
    1 / (1 + exp(-sharp * difference)); where the two orders disagree it is a tie.
    """
    worth = [rng.gauss(0, 1) for _ in range(n)]
    results = dict[tuple[str, str], float | None]()
    for i, j in itertools.combinations(range(n), 2):
        chance = 1 / (1 + math.exp(-sharp * (worth[i] - worth[j])))
        results[str(i), str(j)] = (int(rng.random() < chance) + int(rng.random() < chance)) / 2
    return [one + rng.gauss(0, noise) for one in worth], Table(results=results)


def round_robin(judge: Table, n: int, scores: Sequence[float]) -> int:
    """Most points, of equals the higher score: as by the tournament, from the table alone."""
    points = [0.0] * n
    for (i, j), result in judge.results.items():
        points[int(i)] += result or 0.0
        points[int(j)] += 1 - (result or 0.0)
    return max(range(n), key=lambda i: (points[i], scores[i]))


@pytest.mark.slow
def test_pivots_find_the_round_robins_winner():
    """n = 32, k = 4, 150 draws of scores with noise 0.3 and of matches with sharpness 4: at least 95 %.

    23.8 % of its matches. (benchmarks/tournaments.py has other noises, and what they cost in accuracy.)
    """
    rng, found = random.Random(25), 0
    for trial in range(150):
        scores, judge = drawn(rng, 32, 0.3, 4.0)
        choice, *_ = played(PivotTournament(judge, 4), ranked(*scores), trial)
        found += choice.index == round_robin(judge, 32, scores)
        assert len(judge.met) == 118
    assert found / 150 >= 0.95


def test_all_pivots_are_the_round_robin():
    """The same winner as `Tournament`, where neither has ties to break."""
    rng = random.Random(3)
    for trial in range(20):
        scores, judge = drawn(rng, 6, 0.5, 4.0)
        one = played(PivotTournament(judge, 6), ranked(*scores), trial)[0]
        other = played(Tournament(judge, "round-robin"), ranked(*scores), trial)[0]
        assert one.score == pytest.approx(other.score)


# ---------------------------------------------------------------- laws and mistakes


def test_mistakes_name_the_fix():
    """A judge that scores samples alone needs no matches."""
    with pytest.raises(ConfigError, match=r"use Argmax\(\)"):
        PivotTournament(Predicate(bool))
    with pytest.raises(ConfigError, match=r"such as PairwiseJudge\(\)"):
        PivotTournament("judge")
    for pivots in (0, -1, 1.5, None):
        with pytest.raises(ConfigError, match="pivots >= 1"):
            PivotTournament(PairwiseJudge(), pivots)


class TestPivots(StrategyTests):
    """The laws of strategies: best-of-N with pivots, judged by the model that writes."""

    def backend(self):
        return Scripted(writes_and_compares)

    def strategy(self):
        return BestOfN(5, Predicate(bool), select=PivotTournament(PairwiseJudge(), 2))

    def narrow(self):
        return BestOfN(1, Predicate(bool), select=PivotTournament(PairwiseJudge(), 2))
