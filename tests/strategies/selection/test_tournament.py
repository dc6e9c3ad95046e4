"""`Tournament`: the true best in every order, a noisy judge against its closed form, counts, ties, and budgets."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from searchkit import Model, Problem, solve
from searchkit.calls import CallError
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN, Tournament, TreeOfThoughts
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.strategies import LengthScore, StrategyTests
from searchkit.types import Budget, Choice, Prompt, Sample, Scored, Usage, Verdict
from searchkit.verifiers import PairwiseJudge, Predicate
from tests.helpers.judges import comparing, fences, greater, says

FORMS = ("knockout", "round-robin")


def played(tournament: Tournament, scored: Sequence[Scored], seed: int = 0) -> tuple[Choice, Usage, Search, Run]:
    """The choice among scored samples, through a real run."""

    async def go() -> Choice:
        return await tournament.select(search.problem.prompt, scored, run)

    search = Search(Problem("p", Prompt.of("q")))
    run = Run.root(search, seed, Budget())
    return asyncio.run(go()), search.usage, search, run


def candidates(*texts: Any) -> list[Scored]:
    return [Scored(Sample(str(text))) for text in texts]


def near(measured: float, exact: float, trials: int) -> bool:
    """Within 3 standard errors of the exact value."""
    return abs(measured - exact) <= 3 * (exact * (1 - exact) / trials) ** 0.5 + 1e-12


# ---------------------------------------------------------------- who wins


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", range(1, 7))
def test_a_judge_that_knows_the_order_finds_the_best_of_every_permutation(form, n):
    """All n! orders of n samples, of six every seventh; the winner won all its matches."""
    tournament = Tournament(PairwiseJudge(Model(comparing(greater))), form)

    async def main() -> None:
        for order in itertools.islice(itertools.permutations(range(n)), 0, None, 7 if n == 6 else 1):
            run = Run.root(Search(Problem("p", Prompt.of("q"))), 0, Budget())
            choice = await tournament.select(Prompt.of("q"), candidates(*order), run)
            assert choice == Choice(order.index(n - 1), 1.0 if n > 1 else None)

    asyncio.run(main())


def noisy(p: float) -> PairwiseJudge:
    """Names the worse answer with probability `p`, independently in every call."""

    def prefer(first: str, second: str, request: Any) -> str:
        right = greater(first, second, request)
        return right if random.Random(request.seed).random() >= p else "AB"["AB".index(right) - 1]

    return PairwiseJudge(Model(comparing(prefer)))


def found(p: float, n: int, place: int, trials: int) -> float:
    """How often a knockout of `n` finds the best, which is at `place`."""

    async def main() -> int:
        hits = 0
        for seed in range(trials):
            run = Run.root(Search(Problem(f"{n}/{place}", Prompt.of("q"))), seed, Budget())
            texts = [99 if i == place else i for i in range(n)]
            hits += (await Tournament(noisy(p)).select(Prompt.of("q"), candidates(*texts), run)).index == place
        return hits

    return asyncio.run(main()) / trials


@pytest.mark.parametrize(("p", "n"), [(0.1, 2), (0.3, 2), (0.1, 4), (0.3, 4), (0.2, 8)])
def test_a_knockout_with_a_noisy_judge_finds_the_best_as_often_as_the_closed_form_says(p, n):
    """(1 - p)^log2(n) over all places of the best: 0.9, 0.7, 0.81, 0.49 and 0.512.

    In each match both orders are right with (1 - p)^2, both wrong with p^2, else a tie, which goes to the first seen.
    So the best wins with 1 - p^2 where it was seen first, bit 0 of its place in that round, and with (1 - p)^2 where it
    was not: a product over the bits of its place, whose mean over all places is (1 - p)^log2(n).
    """
    trials = 400 // n
    measured = [found(p, n, place, trials) for place in range(n)]
    for place, rate in enumerate(measured):
        bits = [(place >> bit) & 1 for bit in range(n.bit_length() - 1)]
        assert near(rate, math.prod((1 - p) ** 2 if bit else 1 - p**2 for bit in bits), trials), place
    assert near(sum(measured) / n, (1 - p) ** math.log2(n), trials * n)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("word", ["A", "B", "tie"])
def test_a_judge_that_prefers_a_position_leaves_the_first_seen(form, word):
    """It ties always: half of every match, whatever the samples are."""
    judge = PairwiseJudge(Model(comparing(lambda first, second, request: word)))
    for n in range(2, 7):
        choice, *_ = played(Tournament(judge, form), candidates(*range(n)))
        assert choice == Choice(0, 0.5)


def test_a_round_robin_counts_points_and_ties_half():
    """Rock beats scissors beats paper beats rock, and all beat the lizard but rock, which ties with it: scissors and
    paper have 2 points, rock 1.5."""
    beats = {("r", "s"), ("s", "p"), ("p", "r"), ("s", "l"), ("p", "l")}

    def prefer(first, second, request):
        return "A" if (first, second) in beats else "B" if (second, first) in beats else "tie"

    judge = PairwiseJudge(Model(comparing(prefer)))
    for order in itertools.permutations("rpsl"):
        choice, *_ = played(Tournament(judge, "round-robin"), candidates(*order))
        assert choice == Choice(min(order.index("p"), order.index("s")), pytest.approx(2 / 3))


# ---------------------------------------------------------------- matches, rounds, counts


@pytest.mark.parametrize("n", range(1, 10))
def test_the_cost_is_exact(n):
    """n - 1 or n * (n - 1) / 2 matches of two calls and two verifications, no generation, no candidate."""
    for form, matches in (("knockout", n - 1), ("round-robin", n * (n - 1) // 2)):
        backend = Counting(comparing(greater))
        _, usage, _, run = played(Tournament(PairwiseJudge(Model(backend)), form), candidates(*range(n)))
        assert backend.calls == len(set(backend.seeds)) == usage.model_calls == 2 * matches
        assert (usage.verifications, usage.generations) == (2 * matches, 0)
        assert run.frame.candidates() == ()


def rounds(n: int, form: str) -> list[int]:
    """How many matches were played in each round; all that was done for them is verification."""
    *_, run = played(Tournament(PairwiseJudge(Model(comparing(greater))), form), candidates(*range(n)))
    [tournament] = [span for span in run.span.walk() if span.name == "tournament"]
    assert {span.role for span in tournament.walk()} == {"verify"}
    return [len(group.children) for group in tournament.children if group.name == "match"]


def test_a_knockout_has_log2_rounds_with_byes_for_the_first_seen():
    """Matches a round: a number of samples that is no power of two is brought to one in the first round."""
    table = {2: [1], 3: [1, 1], 4: [2, 1], 5: [1, 2, 1], 6: [2, 2, 1], 7: [3, 2, 1], 8: [4, 2, 1], 9: [1, 4, 2, 1]}
    for n, matches in table.items():
        assert rounds(n, "knockout") == matches
        assert rounds(n, "round-robin") == [n * (n - 1) // 2]


def test_a_knockout_pairs_neighbours():
    """Of five the first three have a bye; of three the first. Calls of one round come in any order."""
    met = list[tuple[str, str]]()

    def prefer(first, second, request):
        met.append((first, second))
        return greater(first, second, request)

    for n, expected in (
        (3, [{("1", "2")}, {("0", "2")}]),
        (5, [{("3", "4")}, {("0", "1"), ("2", "4")}, {("1", "4")}]),
        (4, [{("0", "1"), ("2", "3")}, {("1", "3")}]),
    ):
        for order in range(5):
            met.clear()
            backend = Shuffled(comparing(prefer), order)
            played(Tournament(PairwiseJudge(Model(backend))), candidates(*range(n)))
            for matches in expected:  # a round is asked when the one before it is decided
                calls, met[:] = met[: 2 * len(matches)], met[2 * len(matches) :]
                assert sorted(calls) == sorted([*matches, *(pair[::-1] for pair in matches)])
            assert met == []


def test_matches_of_a_round_run_at_once():
    """Of eight samples, all eight calls of the first round are in flight together."""
    most = 0

    class Watched(Counting):
        async def complete(self, requests):
            nonlocal most
            task = super().complete(requests)
            most = max(most, self.in_flight + 1)
            return await task

    backend = Watched(Shuffled(comparing(greater)))
    played(Tournament(PairwiseJudge(Model(backend))), candidates(*range(8)))
    assert most == 8


# ---------------------------------------------------------------- who plays, and what is no verdict


@pytest.mark.parametrize("form", FORMS)
def test_truncated_and_failed_samples_do_not_play(form):
    """Unless all have failed; a truncated one never. Scores play no role."""
    tournament = Tournament(PairwiseJudge(Model(comparing(greater))), form)
    cut, failed = Scored(Sample("9", finish="length")), Scored(Sample("8"), Verdict(passed=False))
    low, high = Scored(Sample("3"), Verdict(0.9)), Scored(Sample("5"), Verdict(0.1))
    assert played(tournament, [cut, failed, low, high])[0] == Choice(3, 1.0)
    assert played(tournament, [cut, failed])[0] == Choice(1)
    assert played(tournament, [cut, Scored(Sample("7"), Verdict(passed=False)), failed])[0] == Choice(2, 1.0)
    assert played(tournament, [cut, cut])[0] == Choice(None)


@dataclass(frozen=True)
class Known(LengthScore):
    """A joint verifier that scores by a table; what is not in it abstains."""

    table: tuple[tuple[str, float], ...] = ()
    joint: bool = True
    range: tuple[float, float] = (0.0, 10.0)

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [Verdict(dict(self.table).get(sample.text)) for sample in samples]


@pytest.mark.parametrize("form", FORMS)
def test_an_abstaining_verdict_never_wins(form):
    """Against any score it loses; among nothing but abstentions nothing is chosen."""
    tournament = Tournament(Known(table=(("a", 0.0), ("b", 1.0))), form)
    assert played(tournament, candidates("x", "a", "y", "z"))[0].index == 1
    assert played(tournament, candidates("x", "b", "y", "a"))[0].index == 1
    assert played(tournament, candidates("x", "y", "z"))[0] == Choice(None)


@pytest.mark.parametrize("form", FORMS)
def test_a_judge_that_gives_no_verdict_leaves_the_first_complete_sample(form):
    """Unreadable, or down: nothing is chosen, the strategy returns what it would without a judge, errors are told."""

    def down(first, second, request):
        raise CallError("down")

    for prefer, errors in ((lambda first, second, request: "?", 0), (down, 1)):
        judge = PairwiseJudge(Model(comparing(prefer)), retries=0)
        strategy = BestOfN(4, Predicate(bool), select=Tournament(judge, form))
        result = asyncio.run(solve("q", strategy, generator=Recorded({"q": ["1", "2", "3", "4"]})))
        assert result.answer == "1"
        assert {str(error) for error in result.errors} == ({"down"} if errors else set())


def test_in_a_knockout_a_match_without_verdict_goes_to_who_won_more():
    """0 beats 1 and 3 beats 2: their match, unreadable, goes to the first seen; where only 3 had won, to 3."""

    def silent(*pairs):
        def prefer(first, second, request):
            return "?" if {first, second} in pairs else greater(first, second, request)

        return Tournament(PairwiseJudge(Model(comparing(prefer)), retries=0))

    assert played(silent({"9", "3"}), candidates(9, 1, 2, 3))[0] == Choice(0, 1.0)
    assert played(silent({"9", "1"}, {"9", "3"}), candidates(9, 1, 2, 3))[0] == Choice(3, 1.0)


def test_in_a_round_robin_a_match_without_verdict_is_half_a_point():
    """0 ties with all: 1.5 points. 3 ties with 0, beats 1, and its match with 2 has no verdict: 2 points."""

    def prefer(first, second, request):
        if "0" in (first, second):
            return "tie"
        return "?" if "2" in (first, second) else greater(first, second, request)

    judge = PairwiseJudge(Model(comparing(prefer)), retries=0)
    assert played(Tournament(judge, "round-robin"), candidates(0, 1, 2, 3))[0] == Choice(3, 0.75)


# ---------------------------------------------------------------- in a search


EIGHT = [str(i) for i in range(8)]


def test_when_the_budget_runs_out_the_one_that_had_won_most_is_chosen():
    """Eight samples, each better than the one before. After k matches: who is left, by wins, then first seen.

    1: 1 beat 0. 2 to 4: 1, 3, 5 and 7 have one win each. 5: 3 beat 1. 6: 3 and 7 have two wins each. 7: 7 beat 3.
    """
    expected = [0, 1, 1, 1, 1, 3, 3, 7]
    for calls in range(15):
        for order in range(3):
            backend = Counting(Shuffled(comparing(greater), order))
            strategy = BestOfN(8, Predicate(bool), select=Tournament(PairwiseJudge(Model(backend))))
            budget = Budget(model_calls=8 + calls)
            result = asyncio.run(solve("q", strategy, generator=Recorded({"q": EIGHT}), budget=budget))
            assert backend.calls == calls // 2 * 2
            assert result.answer == EIGHT[expected[calls // 2]]
            assert result.stopped == ("done" if calls == 14 else "budget")


def test_when_the_budget_runs_out_a_round_robin_counts_what_was_played():
    """Four samples, each better than the one before; matches 01, 02, 03, 12, 13, 23: 1 leads until 3 has beaten it."""
    expected = [0, 1, 1, 1, 2, 2, 3]
    for calls in range(13):
        for order in range(3):
            backend = Counting(Shuffled(comparing(greater), order))
            strategy = BestOfN(4, Predicate(bool), select=Tournament(PairwiseJudge(Model(backend)), "round-robin"))
            budget = Budget(model_calls=4 + calls)
            result = asyncio.run(solve("q", strategy, generator=Recorded({"q": EIGHT}), budget=budget))
            assert backend.calls == calls // 2 * 2
            assert result.answer == EIGHT[expected[calls // 2]]
            assert result.stopped == ("done" if calls == 12 else "budget")


@pytest.mark.parametrize("form", FORMS)
def test_a_budget_of_verifications_ends_a_tournament_too(form):
    """Two are left for one match, which "a" loses: its winner is the best that is known."""
    judge = Known(table=(("a", 1.0), ("b", 2.0), ("c", 3.0)))
    strategy = BestOfN(3, Predicate(bool), select=Tournament(judge, form))
    order, answer = (["c", "a", "b"], "b") if form == "knockout" else (["a", "b", "c"], "b")
    budget = Budget(verifications=3 + 2)
    result = asyncio.run(solve("q", strategy, generator=Recorded({"q": order}), budget=budget))
    assert (result.answer, result.stopped, result.usage.verifications) == (answer, "budget", 5)


def test_the_reference_never_reaches_the_judge():
    """The canary: in no request, from no form."""
    seen = []
    judge = PairwiseJudge(Model(Scripted(lambda request: seen.append(repr(request)) or says(better="A"))))
    problem = Problem("p", Prompt.of("q"), reference="canary-7421")
    for form in FORMS:
        strategy = BestOfN(3, Predicate(bool), select=Tournament(judge, form))
        asyncio.run(solve(problem, strategy, generator=lambda text, index: f"{index}"))
    assert len(seen) == 2 * 2 + 2 * 3
    assert not any("canary" in text for text in seen)


def test_it_chooses_wherever_a_selection_rule_does():
    """Among the finished answers of a tree of thoughts; the writing model judges."""

    def reply(request):
        question, found = fences(request.prompt.text)
        if "Which answer is better" in question:
            return says(better="A" if found[0] > found[1] else "B")
        return f"{request.seed % 9}"

    strategy = TreeOfThoughts(3, 3, Predicate(bool), depth=1, select=Tournament(PairwiseJudge()))
    result = asyncio.run(solve("q", strategy, generator=Model(Scripted(reply))))
    assert result.answer == max(c.sample.text for c in result.candidates)


def test_mistakes_name_the_fix():
    """A judge that scores samples alone needs no tournament."""
    with pytest.raises(ConfigError, match=r"use Argmax\(\)"):
        Tournament(Predicate(bool))
    with pytest.raises(ConfigError, match=r"such as PairwiseJudge\(\)"):
        Tournament("judge")
    with pytest.raises(ConfigError, match='"knockout" or "round-robin"'):
        Tournament(PairwiseJudge(), "swiss")


# ---------------------------------------------------------------- laws


def writes_and_compares(request):
    """Answers of one digit; as a judge it errs, ties and mumbles, by its seed."""
    question, found = fences(request.prompt.text)
    if "Which answer is better" not in question:
        return f"{request.seed % 7}"
    return ["?", says(better="tie"), says(better="A"), *[greater_says(*found)] * 4][request.seed % 7]


def greater_says(first, second):
    return says(better=greater(first, second, None))


class TestKnockout(StrategyTests):
    """The laws of strategies: best-of-N with a knockout by the model that writes."""

    form = "knockout"

    def backend(self):
        return Scripted(writes_and_compares)

    def strategy(self):
        return BestOfN(5, Predicate(bool), select=Tournament(PairwiseJudge(), self.form))

    def narrow(self):
        return BestOfN(1, Predicate(bool), select=Tournament(PairwiseJudge(), self.form))

    def judged(self, verifier):
        return BestOfN(6, verifier, select=Tournament(replace(verifier, joint=True), self.form))


class TestRoundRobin(TestKnockout):
    """The same laws."""

    form = "round-robin"


def test_the_laws_are_tried_on_a_judge_that_decides_something():
    """Not all of its matches are ties, and some are: else the laws above would say little."""
    results = [
        asyncio.run(solve("q", TestKnockout().strategy(), generator=Model(Scripted(writes_and_compares)), seed=seed))
        for seed in range(20)
    ]
    assert 0 < sum(r.answer == r.candidates[0].sample.text for r in results) < 20
