"""Leaving out candidates: by their worst step, before and after they are written; and the best of each group first."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Prompt, Result
from searchkit.calls import CallError
from searchkit.errors import VerifierError
from searchkit.protocols import Verifier
from searchkit.strategies import Argmax, BestOfN, Soft, Tournament, Vote
from searchkit.strategies.selection.hierarchical import Hierarchical
from searchkit.strategies.selection.step_filter import StepFilter
from searchkit.strategies.stepwise.filtered_best_of_n import FilteredBestOfN
from searchkit.strategy import Strategy
from searchkit.testing import Shuffled, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Scored, Verdict
from searchkit.verifiers.base import Independent
from searchkit.verifiers.judges.pairwise import PairwiseJudge
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, run
from tests.helpers.selecting import candidate, select, selecting
from tests.helpers.steps import DEPTH, STEPS, Letters, OnLetters, Worth, worth, write

# ---------------------------------------------------------------- whole candidates


def test_a_candidate_with_one_bad_step_is_left_out():
    """By hand: the best score has a step of 0.1; skipping the first step lets it in again; a bar of 0 lets all in."""
    scored = [candidate("a", (0.1, 0.9)), candidate("b", (0.6, 0.5)), candidate("c", (0.7, 0.4))]
    assert [select(StepFilter(tau), *scored).index for tau in (0.0, 0.3, 0.45, 0.5)] == [0, 1, 1, 1]
    assert select(StepFilter(0.3, skip=1), *scored).index == 0
    assert select(StepFilter(0.45, skip=1), *scored).index == 0
    assert select(StepFilter(0.99, skip=2), *scored).index == 0  # nothing is judged


def test_if_all_are_dropped_all_are_used():
    """A bar that nobody reaches is no bar."""
    scored = [candidate("a", (0.1, 0.3)), candidate("b", (0.6, 0.5))]
    assert select(StepFilter(0.9), *scored) == select(Argmax(), *scored)


def test_the_inner_rule_sees_only_what_is_left():
    """Two y are dropped, so x wins the vote, and its share is of what is left; the index counts all candidates."""
    scored = [candidate("y", (0.1,)), candidate("y", (0.2,)), candidate("x", (0.8,)), candidate("z", (0.8,))]
    choice = select(StepFilter(0.5, inner=Vote()), *scored)
    assert (choice.index, choice.score) == (2, 1 / 2)
    assert select(StepFilter(0.0, inner=Vote()), *scored).index == 0


def test_who_has_no_step_scores_stays_out():
    """An abstaining verdict never wins; if there is no other, the inner rule abstains; scores alone are a mistake."""
    scored = [candidate("a"), candidate("b", (0.6,))]
    assert select(StepFilter(0.5, inner=Vote()), *scored).index == 1
    assert select(StepFilter(0.5), candidate("a")).index is None
    with pytest.raises(VerifierError, match="ProcessReward"):
        select(StepFilter(0.5), candidate("a", 0.7))


# ---------------------------------------------------------------- while they are written


@dataclass(frozen=True)
class Rows(Independent):
    """A process verifier in the world of letters: every step's worth, and the last one as score."""

    key: str = "rows"
    range: tuple[float, float] = (0.0, 1.0)

    async def verify(self, prompt: Prompt, samples: Any, run: Any) -> list[Verdict]:
        rows = [worths(sample.text) for sample in samples]
        return [Verdict(row[-1], step_scores=row) for row in rows]


def worths(text: str) -> tuple[float, ...]:
    """The worth of each beginning of a text, which ends with the separator if it is not whole."""
    parts = text.removesuffix("/").split("/")
    return tuple(worth("/".join(parts[: i + 1]) + ("/" if i + 1 < DEPTH else "")) for i in range(len(parts)))


class TestFiltered(OnLetters):
    def strategy(self) -> Strategy:
        return FilteredBestOfN(6, Rows(), 0.15, environment=STEPS)  # drops a third at once, a third at the end

    def narrow(self) -> Strategy:
        return FilteredBestOfN(1, Worth(), 0.5, environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return FilteredBestOfN(6, verifier, 0.0, environment=STEPS)


def filtered(tau: float, seed: int, **options: Any) -> Result[Any]:
    return write(FilteredBestOfN(5, Rows(), tau, environment=STEPS, **options), seed=seed)


def chains(result: Result[Any]) -> list[str]:
    """The text of each chain of the tree, as far as it was written."""
    tree = result.tree
    assert tree is not None
    return [tree.state[n].text for n in range(1, len(tree)) if not tree.children(n)]


@pytest.mark.parametrize(("tau", "skip"), [(0.15, 0), (0.35, 1)])
def test_it_chooses_what_the_filter_chooses_among_whole_texts(tau, skip):
    """20 seeds: the same five texts written out and then filtered give the same answer, and cost more."""
    survived, saved = 0, 0
    for seed in range(20):
        whole = filtered(0.0, seed)
        texts = chains(whole)
        assert len(texts) == 5
        rows = [worths(text) for text in texts]
        keeps = [all(step >= tau for step in row[skip:]) for row in rows]
        if not any(keeps):
            continue
        survived += 1
        offline = select(StepFilter(tau, skip), *map(candidate, texts, rows)).index
        online = filtered(tau, seed, skip=skip)
        assert online.answer == texts[offline]
        cut = [1 + next((i for i in range(skip, DEPTH) if row[i] < tau), DEPTH - 1) for row in rows]
        begun = ["/".join(t.split("/")[:n]) + "/" * (n < DEPTH) for t, n in zip(texts, cut, strict=True)]
        assert chains(online) == begun
        assert online.usage.generated_tokens == sum(cut)  # in this world a step is a token
        saved += whole.usage.generated_tokens - online.usage.generated_tokens
    assert survived >= 10
    assert saved > 0


def test_if_all_are_abandoned_all_are_finished():
    """A bar of 1 drops every text at its first step: they go on from there, so nothing is drawn twice."""
    result = filtered(1.0, 3)
    texts = chains(result)
    assert [text.count("/") for text in texts] == [DEPTH - 1] * 5
    assert result.answer == max(texts, key=worth)
    assert (result.usage.generations, result.usage.verifications) == (5 * DEPTH, 5 * DEPTH)
    shuffled = write(FilteredBestOfN(5, Rows(), 1.0, environment=STEPS), Shuffled(Letters(), 1), seed=3)
    assert shuffled.trace.canonical() == result.trace.canonical()


def test_scores_without_steps_and_abstentions():
    """Where a verifier gives one number, that is the step's; a step without a score is no reason to abandon."""
    world = Known({"": "abc", "a": "x", "b": "x", "c": "x"}, {"a": 0.2, "b": None, "c": 0.8, "bx": 0.5, "cx": 0.4})
    result = run(FilteredBestOfN(3, world.verifier, 0.3, environment=world), world)
    assert result.tree.state[1:] == ["a", "b", "bx", "c", "cx"]
    assert result.answer == "bx"
    again = run(FilteredBestOfN(3, world.verifier, 0.45, environment=world), world)  # cx ends below the bar: left out
    assert again.answer == "bx"


def test_failures_leave_the_other_texts():
    """One text fails at its first step, one at its second: the third is the answer, and only if all fail it raises."""
    children = {"": "abc", "a": "x", "b": "x", "c": "x"}
    scores = dict.fromkeys(["a", "b", "c", "ax", "bx", "cx"], 0.5)
    world = Known(children, scores, broken=frozenset({"0", "b"}))
    result = run(FilteredBestOfN(3, world.verifier, 0.1, environment=world), world)
    assert (result.answer, len(result.errors)) == ("cx", 2)
    low = Known({"": "ab", "a": "x", "b": "x"}, {"a": 0.1, "b": 0.9, "ax": 0.2}, broken=frozenset({"b"}))
    assert run(FilteredBestOfN(2, low.verifier, 0.15, environment=low), low).answer == "ax"  # b is no whole text
    lost = Known(children, scores, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(FilteredBestOfN(3, lost.verifier, 0.1, environment=lost), lost)


def test_a_text_that_is_not_finished_in_time_is_marked():
    """After two of three rounds the best unfinished text comes back as truncated."""
    result = filtered(0.0, 0, rounds=2)
    assert result.sample.truncated
    assert result.answer == max(chains(result), key=lambda text: worths(text)[-1])
    assert write(FilteredBestOfN(4, Rows(), 0.0, environment=STEPS), budget=Budget(generations=5)).stopped == "budget"


# ---------------------------------------------------------------- groups


def chain(value: str) -> str | None:
    if value == "lost":
        raise KeyError("no chain")
    return None if value == "none" else value[0]


def test_first_the_best_of_each_chain_then_the_best_of_those():
    """Chain a has 3 and 9, chain b has 5 and 4: flat and hierarchical argmax agree; a vote inside changes that."""
    scored = [candidate(*pair) for pair in (("a1", 3.0), ("b1", 5.0), ("a2", 9.0), ("b2", 4.0))]
    assert select(Hierarchical(chain), *scored).index == select(Argmax(), *scored).index == 2
    first = Hierarchical(chain, inner=Vote(), outer=Argmax())  # of each chain the first draft
    assert select(first, *scored).index == 1


def test_a_vote_among_chains_counts_each_chain_once():
    """Chain a says x three times, b and c say y once: flat x wins by 3 to 2, among the chains y by 2 to 1."""
    scored = [candidate(value, 1.0) for value in ("ax", "ax", "ax", "by", "cy")]
    last = Vote(lambda value: value[-1])
    assert select(last, *scored).index == 0
    choice = select(Hierarchical(chain, outer=last), *scored)
    assert (choice.index, choice.score) == (3, 2 / 3)


def test_who_is_in_no_group_takes_no_part():
    """None, a truncated sample, a key that raises (recorded), and a group whose inner rule chooses nothing."""
    scored = [candidate("none", 9.0), candidate("a1", 8.0, "length"), candidate("lost", 7.0), candidate("c1")]
    choice, search = selecting(Hierarchical(chain), *scored, candidate("b1", 1.0))
    assert choice.index == 4
    assert "no chain" in str(search.errors[0][1])
    assert select(Hierarchical(chain), *scored).index is None
    with pytest.raises(VerifierError, match=">= 0"):
        select(Hierarchical(chain, inner=Vote(weighted=True)), candidate("a1", -1.0))


class TestHierarchical(StrategyTests):
    """Groups are concurrent, and a random rule inside them is seeded by its place."""

    def strategy(self) -> Strategy:
        return BestOfN(6, LengthScore(), select=Hierarchical(parity, inner=Soft(0.3)))


def parity(value: str) -> str:
    return str(len(value) > 1)


def test_mistakes_are_named():
    """One clear sentence each; configuration pickles."""
    ok = Predicate(bool)
    for make, word in (
        (lambda: StepFilter(math.nan), "tau"),
        (lambda: StepFilter(0.1, skip=-1), "skip >= 0"),
        (lambda: StepFilter(0.1, inner=max), "Argmax"),
        (lambda: Hierarchical("chain"), "callable"),
        (lambda: Hierarchical(chain, inner=max), "inner rule"),
        (lambda: Hierarchical(chain, outer=Vote), "outer rule"),
        (lambda: FilteredBestOfN(0, ok, 0.1), "n >= 1"),
        (lambda: FilteredBestOfN(2, ok, 0.1, skip=-1), "skip >= 0"),
        (lambda: FilteredBestOfN(2, ok, 1.1), "range"),
        (lambda: FilteredBestOfN(2, bool, 0.1), "Predicate"),
        (lambda: FilteredBestOfN(2, PairwiseJudge(), 0.1), "joint"),
        (lambda: FilteredBestOfN(2, ok, 0.1, select=max), "Argmax"),
        (lambda: FilteredBestOfN(2, ok, 0.1, environment=str), "environment"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    for rule in (StepFilter(0.1, 2), Hierarchical(chain, Vote(), Tournament(PairwiseJudge()))):
        assert pickle.loads(pickle.dumps(rule)) == rule
    assert isinstance(candidate("a", (0.1,)), Scored)
