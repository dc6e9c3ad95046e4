"""Bandit: rules by hand, second implementations, allocation in closed form, simulated arms, laws, failures."""

from __future__ import annotations

import asyncio
import math
import random
import statistics
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Memory,
    Model,
    Params,
    Problem,
    Prompt,
    Result,
    Sample,
    Verdict,
    solve,
    solve_many,
    solve_sync,
)
from searchkit.calls import Request
from searchkit.generators import Simulated
from searchkit.memory import Note
from searchkit.protocols import Run, Verifier
from searchkit.strategies.common.thompson import Arm
from searchkit.strategies.sampling.bandit import Bandit
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.strategy import Strategy
from searchkit.testing import Scripted
from searchkit.testing.strategies import LengthScore
from searchkit.types import Usage
from searchkit.verifiers.predicate import Predicate
from tests.helpers.steps import OnLetters, Worth, write

PAIR = [None, BestOfN(2, LengthScore())]  # the given model, and a search over it


class TestThompson(OnLetters):
    def strategy(self) -> Strategy:
        return Bandit(PAIR, Worth(), 7)

    def narrow(self) -> Strategy:
        return Bandit([None], Worth(), 1)

    def judged(self, verifier: Verifier) -> Strategy:
        return Bandit([None, None], verifier, 7)


class TestUCB1InFlight(OnLetters):
    def strategy(self) -> Strategy:
        return Bandit(PAIR, Worth(), 7, rule="ucb1", in_flight=3)

    def judged(self, verifier: Verifier) -> Strategy:
        return Bandit([None, None], verifier, 7, rule="ucb1", in_flight=3)


class TestEpsilon(OnLetters):
    def strategy(self) -> Strategy:
        return Bandit(PAIR, Worth(), 7, rule="epsilon", epsilon=0.5, in_flight=2)


# --- the rules -------------------------------------------------------------------------------------------------------


def told(*rewards: float) -> Arm:
    arm = Arm()
    for reward in rewards:
        arm.tell(reward)
    return arm


def bandit(rule: Any, arms: int = 3, **options: Any) -> Bandit:
    return Bandit([None] * arms, LengthScore(), 1, rule=rule, **options)


@pytest.mark.parametrize(
    ("rewards", "started", "chosen"),
    [
        (((), (), ()), (0, 0, 0), 0),  # never pulled: in order
        (((), (), ()), (1, 0, 0), 1),
        (((0.9,), (), ()), (1, 1, 0), 2),
        # N = 4: 2/3 + sqrt(2 ln 4 / 3) = 1.628; 1/2 + sqrt(2 ln 4) = 2.165; N counts all
        (((1, 1, 0), (0.5,)), (3, 1), 1),
        # N = 12: 0.9 + sqrt(2 ln 12 / 10) = 1.605; 0 + sqrt(2 ln 12 / 2) = 1.576
        (((0.9,) * 10, (0, 0)), (10, 2), 0),
        # the same with one more pull of the first under way, N = 13: 0.9 + sqrt(2 ln 13 / 11) = 1.583; 1.602
        (((0.9,) * 10, (0, 0)), (11, 2), 1),
        # nothing has come back from either: 1/2 for both, the one started less often
        (((), ()), (2, 1), 1),
        (((0.3,), (0.3,)), (1, 1), 0),  # a tie
    ],
)
def test_ucb1_by_hand(rewards: Any, started: Sequence[int], chosen: int) -> None:
    """mean + sqrt(2 ln N / n), with n and N counting pulls in flight."""
    arms = [told(*row) for row in rewards]
    assert bandit("ucb1", len(arms)).choose(arms, started, random.Random(0)) == chosen


def test_epsilon_takes_the_best_mean_or_any_arm() -> None:
    """epsilon = 0 is greedy, with ties to the first; epsilon = 1 is uniform; every arm comes once before."""
    arms, rng = [told(0.2, 0.4), told(0.3), told(0.3)], random.Random(1)
    assert bandit("epsilon").choose([Arm(), Arm(), Arm()], (1, 1, 0), rng) == 2
    assert {bandit("epsilon", epsilon=0.0).choose(arms, (2, 1, 1), rng) for _ in range(50)} == {0}
    drawn = Counter(bandit("epsilon", epsilon=1.0).choose(arms, (2, 1, 1), rng) for _ in range(3000))
    assert all(abs(drawn[arm] / 3000 - 1 / 3) < 4 * math.sqrt(2 / 9 / 3000) for arm in range(3))


@dataclass(frozen=True)
class Paying:
    """A generator whose sample number i is worth `rewards[i]`."""

    rewards: tuple[float, ...]

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        value = self.rewards[run.index]

        async def draw() -> Sample[float]:
            return Sample(value)

        return await run.call("paying", prompt, draw, params=params)


WORTH = Predicate(float, name="worth")


def pulled(result: Result[Any]) -> list[int]:
    """The arms in the order of the pulls."""
    return [int(s.name.split()[1]) for s in result.trace.walk() if s.name.startswith("generator ")]


KEYS: list[bytes] = []


class Watched(Bandit):
    """Says what its random numbers derive from."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        KEYS.append(run.key)
        return await super().search(prompt, run)


def reference(rule: str, table: Sequence[Sequence[float]], pulls: int, window: int, rng: random.Random) -> list[int]:
    """The arms that a rule pulls, with lists of rewards and explicit formulas."""
    got: list[list[float]] = [[] for _ in table]
    queue, started, order = deque[int](), [0] * len(table), list[int]()
    while len(order) < pulls or queue:
        while len(order) < pulls and len(queue) < window:
            n, k = len(order), len(table)
            means = [statistics.fmean(row) if row else 0.5 for row in got]
            if rule == "thompson":
                draws = [rng.betavariate(0.5 + sum(row), 0.5 + sum(1 - r for r in row)) for row in got]
                arm = max(range(k), key=draws.__getitem__)
            elif n < k:
                arm = n
            elif rule == "ucb1":
                arm = max(range(k), key=lambda a: means[a] + math.sqrt(2 * math.log(n) / started[a]))
            else:
                arm = rng.randrange(k) if rng.random() < 0.2 else max(range(k), key=means.__getitem__)
            order.append(arm)
            queue.append(arm)
            started[arm] += 1
        arm = queue.popleft()
        got[arm].append(table[arm][len(got[arm])])
    return order


@pytest.mark.parametrize("rule", ["thompson", "ucb1", "epsilon"])
@pytest.mark.parametrize("window", [1, 4])
def test_it_pulls_what_a_second_implementation_pulls(rule: Any, window: int) -> None:
    """Same random numbers, same rewards: the same arm every time; sample i of an arm is its i-th pull."""
    for seed in range(4):
        rng = random.Random(seed)
        table = [tuple(min(1.0, max(0.0, rng.gauss(m, 0.2))) for _ in range(60)) for m in (0.4, 0.6, 0.5)]
        strategy = Watched([Paying(row) for row in table], WORTH, 60, rule=rule, epsilon=0.2, in_flight=window)
        result = asyncio.run(solve("q", strategy, seed=seed))
        assert pulled(result) == reference(rule, table, 60, window, random.Random(KEYS[-1]))


# --- simulated arms --------------------------------------------------------------------------------------------------

RIGHT = Predicate("right".__eq__, name="right")


def shares(rule: Any, odds: Sequence[float], pulls: int, runs: int, **options: Any) -> list[float]:
    """The share of pulls that each arm gets, where arm i is right with probability odds[i]."""
    count = Counter[int]()
    for seed in range(runs):
        strategy = Bandit([Model(Simulated.coin(p)) for p in odds], RIGHT, pulls, rule=rule, **options)
        count.update(pulled(asyncio.run(solve("q", strategy, seed=seed))))
    return [count[arm] / pulls / runs for arm in range(len(odds))]


def test_epsilons_allocation_in_closed_form() -> None:
    """Arms that pay 1, 0 and 0: after one pull each the first gets 1 - e + e/3 of the rest, the others e/3."""
    epsilon, pulls, runs = 0.3, 60, 30
    expected = [(1 + (pulls - 3) * p) / pulls for p in (1 - epsilon * 2 / 3, epsilon / 3, epsilon / 3)]
    for share, p in zip(shares("epsilon", (1, 0, 0), pulls, runs, epsilon=epsilon), expected, strict=True):
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / pulls / runs)


@pytest.mark.parametrize(("rule", "least"), [("thompson", 0.8), ("ucb1", 0.5)])
def test_the_pulls_go_to_the_best_arm(rule: Any, least: float) -> None:
    """Right with 0.2, 0.4 and 0.8: the best arm gets most of 100 pulls, as often as in a bare simulation.

    Both are means of 30 runs, so they may differ by chance; three standard errors are allowed.
    """
    odds, pulls, runs = (0.2, 0.4, 0.8), 100, 30
    simulated = []
    for seed in range(runs):
        rng = random.Random(f"bare {seed}")
        table = [[float(rng.random() < p) for _ in range(pulls)] for p in odds]
        simulated.append(reference(rule, table, pulls, 1, rng).count(2) / pulls)
    share = shares(rule, odds, pulls, runs)[2]
    assert share > least
    assert abs(share - statistics.fmean(simulated)) < 3 * math.sqrt(2 * statistics.variance(simulated) / runs)


def test_thompsons_regret_grows_slowly_and_uniform_choice_linearly() -> None:
    """Right with 0.3 and 0.7: pulls of the worse arm in the second hundred are few; uniform choice has 100 of 200."""
    worse = []
    for seed in range(40):
        models = [Model(Simulated.coin(p)) for p in (0.3, 0.7)]
        arms = pulled(asyncio.run(solve("q", Bandit(models, RIGHT, 200), seed=seed)))
        worse.append((arms[:100].count(0), arms[100:].count(0)))
    first, second = (statistics.fmean(column) for column in zip(*worse, strict=True))
    assert second < first / 2
    assert first + second < 25
    [uniform, _] = shares("epsilon", (0.3, 0.7), 200, 10, epsilon=1.0)
    assert abs(uniform - 0.5) < 4 * 0.5 / math.sqrt(2000)


# --- samples, scores, costs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["thompson", "ucb1", "epsilon"])
def test_with_one_generator_it_is_best_of_n(rule: Any) -> None:
    """The same samples with the same indices, verdicts and answer."""
    source = Paying((0.3, 0.8, 0.1, 0.8, 0.5))
    one = asyncio.run(solve("q", Bandit([source], WORTH, 5, rule=rule, in_flight=2)))
    best = asyncio.run(solve("q", BestOfN(5, WORTH), generator=source))
    assert [(c.sample, c.verdict) for c in one.candidates] == [(c.sample, c.verdict) for c in best.candidates]
    assert one.answer == best.answer == 0.8


def test_scores_of_any_finite_range_are_rescaled() -> None:
    """Scores in [-5, 5] lead to the same pulls as the same scores in [0, 1]."""
    rows = [tuple(random.Random(i).random() for _ in range(40)) for i in range(3)]
    unit = asyncio.run(solve("q", Bandit([Paying(row) for row in rows], WORTH, 40)))
    wide = Predicate(float, name="worth", range=(-5.0, 5.0))
    stretched = [tuple(10 * r - 5 for r in row) for row in rows]
    scaled = asyncio.run(solve("q", Bandit([Paying(row) for row in stretched], wide, 40)))
    assert pulled(unit) == pulled(scaled)


def test_the_trace_tells_what_each_generator_cost() -> None:
    """The usage under spans "generator i" adds up to the whole, and is what that generator charges."""
    strategy = Bandit(PAIR, Worth(), 12, rule="epsilon", epsilon=1.0)
    result = write(strategy)
    used = [Usage(), Usage()]
    for span in result.trace.walk():
        if span.name.startswith("generator "):
            used[int(span.name.split()[1])] += span.total()
    assert replace(used[0] + used[1], cpu_seconds=0.0) == replace(result.usage, cpu_seconds=0.0)
    counts = Counter(pulled(result))
    assert (used[0].generations, used[1].generations) == (counts[0], 2 * counts[1])
    assert min(counts.values()) > 0


def test_it_stops_at_the_threshold() -> None:
    source = Paying((0.3, 0.6, 0.9, 0.95))
    result = asyncio.run(solve("q", Bandit([source], WORTH, 4, threshold=0.9)))
    assert (result.answer, result.stopped, len(result.candidates)) == (0.9, "threshold", 3)


# --- failures and budgets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "most"), [("thompson", 8), ("ucb1", 25), ("epsilon", 12)])
def test_a_generator_that_fails_or_is_never_scored_is_given_up(rule: Any, most: int) -> None:
    """Each such pull counts as 0, so the arm that answers gets most pulls."""

    def refuse(request: Request) -> str:
        raise CallError("down")

    def judge(value: str) -> Verdict | float:
        return Verdict() if value == "odd" else 0.7

    for other in (Scripted(refuse), Scripted(lambda _: "odd")):
        models = [Model(other), Model(Scripted(lambda _: "fine"))]
        result = asyncio.run(solve("q", Bandit(models, Predicate(judge, name="judge"), 80, rule=rule)))
        assert 0 < pulled(result).count(0) <= most
        assert result.answer == "fine"


def test_a_sample_that_could_not_be_judged_stays_a_candidate() -> None:
    def picky(value: float) -> float:
        if value == 0.9:
            raise ValueError("cannot judge this")
        return value

    result = asyncio.run(solve("q", Bandit([Paying((0.9, 0.2))], Predicate(picky, name="picky"), 2)))
    assert [c.score for c in result.candidates] == [None, 0.2]
    assert result.answer == 0.2
    assert "cannot judge this" in str(result.errors[0])


def test_nothing_but_failures_raises_the_first() -> None:
    def refuse(request: Request) -> str:
        raise CallError("down")

    with pytest.raises(CallError, match="down"):
        asyncio.run(solve("q", Bandit([Model(Scripted(refuse))], WORTH, 3)))


def test_out_of_budget_the_best_so_far_returns() -> None:
    """No pull is begun that cannot be paid."""
    result = write(Bandit([None, None], Worth(), 20, in_flight=2), budget=Budget(generations=5))
    assert result.stopped == "budget"
    assert result.usage.generations == len(result.candidates) == 5
    assert result.answer == max(result.candidates, key=lambda c: c.score or 0.0).sample.value
    assert len(pulled(result)) <= 7


def test_the_worst_case_is_that_of_the_dearest() -> None:
    """And it is reached where only that one is pulled."""
    one = Usage(generations=1, model_calls=1)
    strategy = Bandit(PAIR, Worth(), 6, rule="epsilon", epsilon=0.0)
    assert strategy.worst_case(one) == Usage(generations=12, model_calls=12, verifications=6 * 2 + 6)
    only = Bandit([PAIR[1]], Worth(), 6)
    used = write(only).usage
    assert only.worst_case(one) == Usage(used.generations, used.verifications, used.model_calls)
    assert Bandit([None, Unbounded()], Worth(), 6).worst_case(one) is None


class Unbounded(Strategy):
    async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
        raise NotImplementedError


def test_mistakes_are_named() -> None:
    for make, said in (
        (lambda: Bandit([], Worth(), 3), "generators to choose from"),
        (lambda: Bandit([len], Worth(), 3), "Function"),  # type: ignore[list-item]
        (lambda: Bandit([None], Worth(), 0), "pulls >= 1"),
        (lambda: Bandit([None], Worth(), 3, in_flight=0), "in_flight >= 1"),
        (lambda: Bandit([None], Worth(), 3, rule="best"), "rule is"),  # type: ignore[arg-type]
        (lambda: Bandit([None], Worth(), 3, prior="flat"), "prior is"),  # type: ignore[arg-type]
        (lambda: Bandit([None], Worth(), 3, epsilon=1.5), "epsilon is a probability"),
        (lambda: Bandit([None], Worth(), 3, threshold=-1.0), "threshold"),
        (lambda: Bandit([None], Worth(joint=True), 3), "joint"),
        (lambda: Bandit([None], len, 3), "Predicate"),  # type: ignore[arg-type]
        (lambda: Bandit([Paying(())], Worth(), 3, generator=Paying(())), "no None"),
        (lambda: asyncio.run(solve("q", Bandit([None], Worth(), 3))), "there is no generator"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()


# ---------------------------------------------------------------- over problems


def graded(text: str) -> float:
    return float(text)


GRADED = Predicate(graded)


def carried(lag: int, rule: Any = "thompson", problems: int = 40, concurrency: int = 8) -> tuple[list[int], list[Note]]:
    """Which arm each problem pulled; the second is right four times out of five, the first one time out of five."""
    arms = [Model(Simulated({"1": p, "0": 1 - p}, name=str(p))) for p in (0.2, 0.8)]
    memory = Memory(GRADED, success=None, failure=None)
    asked = [Problem(str(i), Prompt.of(f"problem {i}")) for i in range(problems)]
    outcomes = asyncio.run(
        solve_many(asked, Bandit(arms, GRADED, 1, rule=rule), memory=memory, lag=lag, concurrency=concurrency)
    )
    pulled = []
    for outcome in outcomes:
        assert outcome.value is not None
        pulled.append(int(next(s.name for s in outcome.value.trace.walk() if s.name.startswith("generator "))[-1]))
    return pulled, memory.notes


def test_posteriors_carry_over_problems() -> None:
    """With one pull a problem nothing can be learnt inside of one: the better arm is found over them, and the notes
    hold what each problem brought, also where no text is written."""
    pulled, notes = carried(lag=1)
    assert sum(pulled[20:]) >= 16
    assert [note.id for note in notes] == [str(i) for i in range(40)]
    assert all(note.text == "" for note in notes)
    assert [sum(n for n, _, _ in note.arms) for note in notes] == [1] * 40
    assert [[n for n, _, _ in note.arms].index(1) for note in notes] == pulled
    alone = [Bandit([None, None], GRADED, 1).choose([Arm(), Arm()], [0, 0], random.Random(i)) for i in range(40)]
    assert 8 <= sum(alone) <= 32


@pytest.mark.parametrize("rule", ["thompson", "ucb1", "epsilon"])
def test_the_number_in_flight_changes_nothing(rule: Any) -> None:
    """What a problem knows follows from the lag alone."""
    assert carried(5, rule, 20, 1) == carried(5, rule, 20, 5)


def test_what_a_problem_begins_with_is_the_sum_of_the_notes() -> None:
    """By hand; what another number of arms brought does not count, nor what the problem itself did."""
    bandit = Bandit([None, None], GRADED, 1, before=[(1, 1.0, 1.0), (0, 0, 0)])
    taught, told = bandit.taught([((2, 1.0, 0.5), (1, 0.0, 0.0)), ((1, 1.0, 1.0),), ((0, 0, 0), (1, 1.0, 1.0))])
    assert taught.before == ((3, 2.0, 1.5), (2, 1.0, 1.0))
    result = solve_sync("q", taught, generator=Model(Scripted(lambda request: "1")))
    assert (result.answer, sorted(told)) == ("1", [(0, 0.0, 0.0), (1, 1.0, 1.0)])
    fresh, _ = Bandit([None, None], GRADED, 1).taught([])
    assert fresh.before == ()
    memory = Memory(GRADED, success=None, notes=[Note("q", "", "", False, ((9, 9.0, 9.0), (9, 0.0, 0.0)))])
    asyncio.run(
        solve_many([Problem("q", Prompt.of("q"))], bandit, generator=Model(Scripted(lambda r: "1")), memory=memory)
    )
    assert sum(n for n, _, _ in memory.notes[-1].arms) == 1


def test_a_note_in_words_has_the_rewards_too_and_an_empty_one_is_not_shown() -> None:
    seen = list[str]()

    def reply(request: Request) -> str:
        seen.append(request.prompt.text)
        return "1" if "good" in request.prompt.text else "0"

    memory = Memory(GRADED, similar=None)
    asked = [Problem(name, Prompt.of(name)) for name in ("bad", "good", "last")]
    asyncio.run(solve_many(asked, Bandit([None, None], GRADED, 2), generator=Model(Scripted(reply)), memory=memory))
    assert [(note.id, note.text, sum(n for n, _, _ in note.arms)) for note in memory.notes] == [
        ("bad", "", 2), ("good", "1", 2), ("last", "1", 2),
    ]  # fmt: skip
    assert seen[2:4] == ["good", "good"]  # nothing to show yet
    assert "Note 1" in seen[4]
    assert "Note 2" not in seen[4]


def test_a_problem_without_an_answer_has_taught_that_much() -> None:
    """Every pull failed: rewards of 0."""

    def breaks(request: Request) -> str:
        raise CallError("no server")

    memory = Memory(GRADED, success=None)
    bandit = Bandit([Model(Scripted(breaks))], GRADED, 3)
    [outcome] = asyncio.run(solve_many([Problem("q", Prompt.of("q"))], bandit, memory=memory))
    assert isinstance(outcome.error, CallError)
    assert memory.notes == [Note("q", "q", "", False, ((3, 0.0, 0.0),))]


def test_a_budget_that_ends_says_nothing_of_an_arm() -> None:
    """The pull that it allowed counts, the one that it did not is no failure of its arm."""
    for generations, wanted in ((1, [1] * 4), (0, [])):
        memory = Memory(GRADED, success=None)
        asked = [Problem(str(i), Prompt.of(f"problem {i}")) for i in range(4)]
        arms = [Model(Simulated({"1": 1.0}, name=name)) for name in "ab"]
        asyncio.run(solve_many(asked, Bandit(arms, GRADED, 3), memory=memory, budget=Budget(generations=generations)))
        assert [sum(n for n, _, _ in note.arms) for note in memory.notes] == wanted
        assert all(total == n for note in memory.notes for n, total, _ in note.arms)


@pytest.mark.parametrize(
    "before",
    [[(1, 1.0, 1.0)], [(1, 2.0, 1.0), (0, 0, 0)], [(1, 0.5), (0, 0, 0)], [(1.5, 1, 1), (0, 0, 0)], [(0, 0, "0")] * 2],
)
def test_what_no_arm_can_have_brought_is_refused(before: Any) -> None:
    with pytest.raises(ConfigError, match="before has"):
        Bandit([None, None], GRADED, 1, before=before)
