"""Particle filtering and particle Gibbs: exact enumeration of small worlds, tables by hand, the laws, and failures."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import Budget, CallError, ConfigError, Model, Params, Prompt, Result, Sample, solve
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, operations, problem
from searchkit.lab.countdown import Countdown, check, replay
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Run, Verifier
from searchkit.strategies.particles.particle_filter import ParticleFilter
from searchkit.strategies.particles.particle_gibbs import ParticleGibbs
from searchkit.strategies.particles.population import Particle, Sweep, owners, resampled, weighed
from searchkit.strategies.particles.potentials import FORMS, FRESH, Form, Potential
from searchkit.strategies.particles.resampling import log_mean, normalised, systematic
from searchkit.strategies.selection.rules import Vote
from searchkit.strategies.stepwise.steps import Grown
from searchkit.strategy import Strategy
from searchkit.tree import ROOT, Tree
from searchkit.types import Scored, Usage, Verdict
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, run
from tests.helpers.steps import DEPTH, STEPS, Letters, OnLetters, Worth, write

FK: tuple[Form, ...] = ("diff", "max", "add", "rt")
FACTOR: dict[str, Callable[[float], float]] = {"odds": lambda r: r / (1 - r), "softmax": math.exp, "prod": float}


class TestParticleFilter(OnLetters):
    def strategy(self) -> Strategy:
        return ParticleFilter(6, Worth(), environment=STEPS)

    def narrow(self) -> Strategy:
        return ParticleFilter(1, Worth(), environment=STEPS)

    def judged(self, verifier: Verifier) -> Strategy:
        return ParticleFilter(6, verifier, environment=STEPS)


class TestAdaptiveParticleFilter(OnLetters):
    def strategy(self) -> Strategy:
        return ParticleFilter(
            5, Worth(), environment=STEPS, weights="max", strength=3, ess=0.5, resampling="residual", final="draw"
        )


class TestParticleGibbs(OnLetters):
    def strategy(self) -> Strategy:
        return ParticleGibbs(3, Worth(), environment=STEPS, sweeps=3)

    def narrow(self) -> Strategy:
        return ParticleGibbs(1, Worth(), environment=STEPS, sweeps=1)

    def judged(self, verifier: Verifier) -> Strategy:
        return ParticleGibbs(3, verifier, environment=STEPS, sweeps=2)


# --- potentials ------------------------------------------------------------------------------------------------------


def factors(form: Form, scores: Sequence[float], strength: float = 1.0, ends: bool = True) -> list[float]:
    """The logarithms of the potentials along a path with these scores."""
    potential, past, logs = Potential(form, strength), FRESH, list[float]()
    for i, score in enumerate(scores):
        factor, past = potential.moved(score, past, terminal=ends and i == len(scores) - 1)
        logs.append(factor)
    return logs


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("odds", [math.log(0.2 / 0.8), math.log(0.7 / 0.3), math.log(0.4 / 0.6)]),
        ("softmax", [0.2, 0.7, 0.4]),
        ("prod", [math.log(0.2), math.log(0.7), math.log(0.4)]),
        ("diff", [0.2, 0.5, -0.3]),
        ("max", [0.2, 0.7, 0.4 - 0.9]),
        ("add", [0.2, 0.9, 0.4 - 1.1]),
        ("rt", [0.2, 0.7, 0.4 - 0.9]),
    ],
)
def test_potentials_by_hand(form: Form, expected: list[float]) -> None:
    """Scores 0.2, 0.7, then 0.4 at the end; strength multiplies the logarithms."""
    assert factors(form, [0.2, 0.7, 0.4]) == pytest.approx(expected)
    assert factors(form, [0.2, 0.7, 0.4], strength=2.5) == pytest.approx([2.5 * log for log in expected])


@given(st.sampled_from(FK), st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.floats(0, 5))
def test_the_product_of_potentials_along_a_path_is_what_its_end_is_worth(
    form: Form, scores: list[float], strength: float
) -> None:
    """exp(l * r_final) for "diff" from a first reward of 0, and for "max", "add" and "rt" after the last correction."""
    assert sum(factors(form, scores, strength)) == pytest.approx(strength * scores[-1], abs=1e-9)
    assert sum(factors("diff", scores, strength, ends=False)) == pytest.approx(strength * scores[-1], abs=1e-9)


def test_extreme_scores() -> None:
    """Odds are clipped, a score of 0 has no weight as a product, the greatest of negative scores is negative."""
    assert factors("odds", [0.0, 1.0, 7.0]) == pytest.approx([-16.118, 16.118, 16.118], abs=1e-3)
    assert factors("prod", [0.0, -1.0, 1.0]) == [-math.inf, -math.inf, 0.0]
    assert factors("max", [-3.0, -5.0, -1.0, -1.0]) == pytest.approx([-3.0, -3.0, -1.0, 6.0])


@pytest.mark.parametrize("form", FORMS)
def test_strength_zero_steers_nowhere(form: Form) -> None:
    """All factors are 1, whatever the scores, also for a path that stays."""
    assert factors(form, [0.0, 0.9, 1.0], strength=0) == [0.0, 0.0, 0.0]
    assert Potential(form, 0).stayed(0.0) == 0.0


@pytest.mark.parametrize("form", FORMS)
def test_a_score_of_minus_infinity_is_weight_zero_for_good(form: Form) -> None:
    """No later score makes it a number that is none, or brings the path back; without strength it means nothing.

    "odds" clips it, as it does all scores outside of [0, 1].
    """
    dead = -16.118 if form == "odds" else -math.inf
    logs = factors(form, [0.5, -math.inf, 0.5, -math.inf, 0.5])
    assert logs[1] == pytest.approx(dead, abs=1e-3)
    assert not any(math.isnan(log) or log == math.inf for log in logs)
    assert math.fsum(logs) == -math.inf or form == "odds"
    if form in FK:
        assert logs[1:] == [-math.inf] * 4
    assert Potential(form, 0).stayed(-math.inf) == 0.0
    assert factors(form, [0.5, -math.inf, 0.5], strength=0) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("form", ["softmax", *FK])
def test_a_search_outlives_scores_of_minus_infinity(form: Form, strength: float) -> None:
    world = Known({"": "ab", "a": "b", "ab": "c", "b": "b", "bb": "c"}, dict.fromkeys(("", "b", "bb", "bbc"), -1.0))
    lost = {"a": -math.inf, "ab": -math.inf, "abc": -1.0}
    judge = Predicate(lambda path: {**world.scores, **lost}[path], name="lost", range=(-math.inf, 0.0))
    result = run(ParticleFilter(2, judge, environment=world, weights=form, strength=strength, final="weight"), world)
    scores = {c.sample.value: c.score for c in result.candidates}
    assert result.answer in ("abc", "bbc")
    assert scores[result.answer] == -1.0
    assert strength == 0 or result.answer == "bbc"


def test_who_is_weighed_again() -> None:
    """A finished path counts in every round for the released forms, and once for the others."""
    again = {form: Potential(form, 2.0).stayed(0.8) for form in FORMS}
    assert again == pytest.approx(dict.fromkeys(FORMS, 0.0) | {"odds": 2 * math.log(4), "softmax": 1.6})


# --- populations -----------------------------------------------------------------------------------------------------


def at(node: int, score: float | None, *, terminal: bool = False) -> Grown:
    return Grown(node, Scored(Sample(f"at {node}"), Verdict(score)), terminal, False)


def test_weights_are_carried_where_no_one_is_resampled() -> None:
    """Two rounds of factors 0.5 and 0.75 without resampling: 0.375. With it: the mean weight for all."""
    potential, particles = Potential("prod"), [Particle(), Particle()]
    particles = weighed(particles, {0: at(1, 0.5), 1: at(2, 0.25)}, potential)
    assert resampled(particles, systematic, 0.5, random.Random(0)) == particles  # 1 / (4/9 + 1/9) = 1.8 of 2
    particles = weighed(particles, {0: at(3, 0.75), 1: at(4, 0.5)}, potential)
    assert [math.exp(p.log_weight) for p in particles] == pytest.approx([0.375, 0.125])
    after = resampled(particles, systematic, 1.0, random.Random(0))
    assert [math.exp(p.log_weight) for p in after] == pytest.approx([0.25, 0.25])
    assert [g.node for g in after[0].path] == [1, 3]


def test_the_threshold_is_a_share_of_the_particles() -> None:
    """Weights 3, 1, 1, 1: effective size 36 / 12 = 3 of 4."""
    particles = [Particle((at(i, 0.5),), math.log(w)) for i, w in enumerate((3, 1, 1, 1))]
    for ess, drawn in ((0.0, False), (0.74, False), (0.76, True), (1.0, True)):
        after = resampled(particles, systematic, ess, random.Random(0))
        assert (after != particles) is drawn
    equal = [replace(p, log_weight=-7.0) for p in particles]
    assert resampled(equal, systematic, 1.0, random.Random(0)) == equal


def test_an_abstention_weighs_as_much_as_the_mean_of_its_peers() -> None:
    """Unfinished scores 0.2, 0.6, none: 0.4. Finished 0.9, none: 0.9. Where no peer has a score: a factor of 1."""
    scores = [(0.2, False), (0.6, False), (None, False), (0.9, True), (None, True)]
    forms: tuple[Form, ...] = ("softmax", "rt")
    for form in forms:
        made = {i: at(i + 1, score, terminal=terminal) for i, (score, terminal) in enumerate(scores)}
        after = weighed([Particle()] * 5, made, Potential(form))
        assert [p.log_weight for p in after] == pytest.approx([0.2, 0.6, 0.4, 0.9, 0.9])
    silent = {0: at(1, None), 1: at(2, None), 2: at(3, 0.9, terminal=True)}
    after = weighed([Particle()] * 3, silent, Potential("odds"))
    assert [p.log_weight for p in after] == pytest.approx([0.0, 0.0, math.log(9)])


def test_a_path_that_did_not_move_is_weighed_again_or_not() -> None:
    """Particle 0 has finished with 0.8: odds of 4 in every round, but one factor in all for "diff"."""
    particles = [Particle((at(1, 0.8, terminal=True),), 1.0), Particle((at(2, 0.5),), 1.0)]
    logs: dict[Form, float] = {"odds": 1 + math.log(4), "diff": 1.0}
    for form, log in logs.items():
        after = weighed(particles, {1: at(3, 0.5)}, Potential(form))
        assert after[0].log_weight == pytest.approx(log)
        assert [g.node for g in after[1].path] == [2, 3]


def test_all_weights_zero_start_afresh() -> None:
    particles = [Particle((at(i, 0.0),), -math.inf) for i in range(3)]
    assert resampled(particles, systematic, 1.0, random.Random(0)) == [replace(p, log_weight=0.0) for p in particles]


def test_the_reference_stays_and_may_be_copied() -> None:
    """All the weight at the reference: the free places are copies of it. None there: it stays all the same."""
    for log, nodes in ((50.0, [0, 0, 0]), (-50.0, [0, 1, 1])):
        particles = [Particle((at(0, 0.5),), log), Particle((at(1, 0.5),)), Particle((at(2, 0.5),), -50.0)]
        after = resampled(particles, systematic, 1.0, random.Random(0), held=1)
        assert [p.node for p in after] == nodes


def test_steps_are_given_to_those_who_made_them() -> None:
    """Nodes 1 and 2 below the root. Of the steps from 1, 2, 1, 2 the second failed: the last 2 is taken for it."""
    tree = Tree()
    for parent in (ROOT, ROOT, 1, 1, 2):
        tree.add(parent, "")
    particles = [Particle((at(node, 0.5),)) for node in (1, 2, 1, 2)]
    whole = [at(3, 0.1), at(4, 0.2), at(5, 0.3)]
    assert owners(tree, particles, [0, 1, 2, 3], [whole[0], whole[2], whole[1]]) == {
        0: whole[0],
        1: whole[2],
        2: whole[1],
    }
    assert owners(tree, particles, [0, 1, 2, 3], [whole[0], whole[1]]) == {0: whole[0], 2: whole[1]}
    assert owners(tree, particles, [1, 2], [whole[0]]) == {2: whole[0]}
    assert owners(tree, particles, [1, 2], []) == {}


def test_copies_of_a_path_are_one_answer_with_their_weights_added() -> None:
    """Weights 1, 2 and 1 of 5 finished and unfinished: the unfinished one has no say."""
    a, b, c = at(1, 0.5, terminal=True), at(2, 0.5, terminal=True), at(3, 0.5)
    weights = [(a, 1.0), (b, 2.0), (a, 1.0), (c, 5.0)]
    sweep = Sweep([Particle((g,), math.log(w)) for g, w in weights], [], None)
    assert {p.node: w for p, w in sweep.weighted()} == pytest.approx({1: 0.5, 2: 0.5})
    assert Sweep([Particle(), Particle((c,))], [], None).weighted() == []


# --- small worlds with known probabilities ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Chance(Known):
    """`Known`, but each letter is drawn with its probability, and a step fails with probability `fails`."""

    odds: Mapping[str, float] = field(default_factory=dict)
    fails: float = 0.0

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        letters, rng = self.children[prompt.text.removeprefix("at ")], random.Random(run.seed)
        if rng.random() < self.fails:
            raise CallError("no answer here")
        return Sample(rng.choices(letters, [self.odds[letter] for letter in letters])[0])

    def leaves(self) -> dict[str, float]:
        """Each finished path with its probability."""
        found, waiting = dict[str, float](), [("", 1.0)]
        for path, p in waiting:
            if path not in self.children:
                found[path] = p
            total = sum(self.odds[letter] for letter in self.children.get(path, ""))
            waiting += [(path + letter, p * self.odds[letter] / total) for letter in self.children.get(path, "")]
        return found

    def score(self, path: str) -> float:
        return float(self.rewards[path] if path in self.rewards else self.scores[path])

    def masses(self, form: Form, strength: float) -> dict[str, float]:
        """Each finished path's probability times its potentials, by their definitions. They sum to the constant."""
        masses = {}
        for leaf, p in self.leaves().items():
            scores = [self.score(leaf[: i + 1]) for i in range(len(leaf))]
            if form in FK:
                masses[leaf] = p * math.exp(strength * scores[-1])
            else:
                masses[leaf] = p * math.prod(FACTOR[form](r) for r in scores) ** strength
        return masses


ODDS = {"a": 0.5, "b": 0.3, "c": 0.2}
# three letters deep, but paths through c end early; a looks good at first and turns out badly
UNEVEN = Chance(
    {"": "abc", "a": "ab", "b": "ab", "aa": "ab", "ab": "bc", "ba": "ab", "bb": "ac"},
    {"a": 0.8, "b": 0.4, "c": 0.45, "aa": 0.7, "ab": 0.3, "ba": 0.5, "bb": 0.6}
    | {"aaa": 0.1, "aab": 0.2, "abb": 0.25, "abc": 0.15, "baa": 0.9, "bab": 0.5, "bba": 0.95},
    rewards={"bbc": 0.35},  # where the environment knows better than the verifier
    odds=ODDS,
)
EVEN = Chance(
    {"": "ab", "a": "ab", "b": "ab"},
    {"a": 0.7, "b": 0.3, "aa": 0.2, "ab": 0.4, "ba": 0.3, "bb": 0.8},
    odds={"a": 0.6, "b": 0.4},
)


@dataclass(frozen=True)
class Probe(Strategy):
    """Runs sweeps of `inner` and keeps what they came to. kept: makes the reference of each."""

    inner: ParticleFilter
    times: int
    sweeps: list[Sweep]
    kept: Callable[[Tree, random.Random], Sequence[Grown]] = lambda tree, rng: ()

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        steps = self.inner._steps()
        for _ in range(self.times):
            tree = await steps.start(prompt, run)
            self.sweeps.append(await self.inner._sweep(steps, prompt, tree, run, 0, self.kept(tree, run.rng)))
        return Sample("done")


def sweeps(inner: ParticleFilter, times: int, seed: int = 0, **options: Any) -> list[Sweep]:
    found, world = list[Sweep](), cast(Chance, inner.environment)
    asyncio.run(solve("q", Probe(inner, times, found, **options), generator=world, seed=seed))
    return found


def filtered(world: Chance, n: int, **options: Any) -> ParticleFilter:
    return ParticleFilter(n, world.verifier, environment=world, **options)


def deviation(values: Sequence[float], exact: float) -> float:
    """How many standard errors the mean of `values` is away from `exact`."""
    mean = math.fsum(values) / len(values)
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values) / (len(values) - 1))
    return abs(mean - exact) / error if error else math.inf * (mean != exact)


@pytest.mark.parametrize(
    ("world", "form", "strength", "options"),
    [
        (UNEVEN, "prod", 1.0, {}),
        (UNEVEN, "prod", 1.0, {"ess": 0.6}),
        (UNEVEN, "diff", 4.0, {}),
        (UNEVEN, "diff", 4.0, {"ess": 0.6, "resampling": "residual"}),
        (UNEVEN, "max", 3.0, {"ess": 0.8}),
        (UNEVEN, "add", 2.0, {"resampling": "stratified"}),
        (UNEVEN, "rt", 2.0, {"resampling": "multinomial"}),
        (UNEVEN, "rt", 2.0, {"ess": 0.0}),
        (EVEN, "odds", 1.0, {}),
        (EVEN, "odds", 1.0, {"ess": 0.6}),
        (EVEN, "softmax", 3.0, {"ess": 0.9}),
    ],
)
def test_the_weights_estimate_the_target_without_bias(
    world: Chance, form: Form, strength: float, options: dict[str, Any]
) -> None:
    """200 filters of 5: the mean weight of all particles is the normalising constant, and that of those at a leaf its
    share of it, both within 4 standard errors of the sum over all paths.
    """
    exact = world.masses(form, strength)
    found = sweeps(filtered(world, 5, weights=form, strength=strength, **options), 200)
    assert all(p.terminal for sweep in found for p in sweep.particles)
    constants = [math.exp(log_mean([p.log_weight for p in sweep.particles])) for sweep in found]
    assert deviation(constants, sum(exact.values())) < 4
    for leaf, mass in exact.items():
        at_leaf = [
            sum(math.exp(p.log_weight) for p in sweep.particles if p.path[-1].scored.sample.value == leaf) / 5
            for sweep in found
        ]
        assert deviation(at_leaf, mass) < 4, leaf


def misfit(found: Sequence[str], exact: Mapping[str, float]) -> float:
    """Pearson's statistic of answers against the distribution proportional to `exact`, in standard deviations.

    About N(0, 1) if they come from it: the statistic has k - 1 degrees of freedom for k possible answers.
    """
    counts, total, n = Counter(found), math.fsum(exact.values()), len(found)
    assert set(counts) <= set(exact)
    statistic = sum((counts[leaf] - n * m / total) ** 2 / (n * m / total) for leaf, m in exact.items())
    return (statistic - (len(exact) - 1)) / math.sqrt(2 * (len(exact) - 1))


def answers(strategy: ParticleFilter, times: int) -> list[str]:
    """The answers at the seeds 0, 1, 2 ..."""

    world = cast(Chance, strategy.environment)

    async def main() -> list[str]:
        return [(await solve("q", strategy, generator=world, seed=s)).answer for s in range(times)]

    return asyncio.run(main())


@pytest.mark.parametrize("form", ["diff", "rt"])
def test_a_draw_comes_from_the_posterior(form: Form) -> None:
    """exp(2 r) times the prior, up to what is left of the bias with 20 particles; the prior itself is far away."""
    drawn = answers(filtered(UNEVEN, 20, weights=form, strength=2.0, final="draw"), 200)
    assert misfit(drawn, UNEVEN.masses(form, 2.0)) < 4
    assert misfit(drawn, UNEVEN.leaves()) > 12


@pytest.mark.parametrize("form", FORMS)
def test_strength_zero_is_sampling(form: Form) -> None:
    """No path is ever copied, none dies; answers are distributed as the model draws them."""
    found = sweeps(filtered(UNEVEN, 4, weights=form, strength=0, resampling="multinomial"), 100)
    for sweep in found:
        assert len({p.path[0].node for p in sweep.particles}) == 4
        assert {p.log_weight for p in sweep.particles} == {0.0}
    drawn = [str(p.path[-1].scored.sample.value) for sweep in found for p in sweep.particles]
    assert misfit(drawn, UNEVEN.leaves()) < 4


@pytest.mark.parametrize("form", ["odds", "diff"])
def test_one_particle_is_one_sample(form: Form) -> None:
    """Whatever the scores: a single chain, and the distribution of plain sampling."""
    strategy = filtered(UNEVEN, 1, weights=form, strength=5.0)
    result = run(strategy, UNEVEN)
    assert result.tree is not None
    assert result.answer == result.tree.state[-1]
    assert all(len(result.tree.children(node)) <= 1 for node in range(len(result.tree)))
    assert misfit(answers(strategy, 400), UNEVEN.leaves()) < 4


@pytest.mark.parametrize("form", ["diff", "rt", "prod"])
def test_along_every_path_that_is_left_the_potentials_make_up_what_it_is_worth(form: Form) -> None:
    """A weight is the path's potentials since the last resampling times the mean weight then: with no resampling, all
    of them. exp(l * r_final), or for "prod" the product of its scores.
    """
    for sweep in sweeps(filtered(UNEVEN, 6, weights=form, strength=1.5, ess=0), 10):
        for p in sweep.particles:
            scores = [UNEVEN.score(str(g.scored.sample.value)) for g in p.path]
            assert p.log_weight == pytest.approx(1.5 * (math.log(math.prod(scores)) if form == "prod" else scores[-1]))


# --- particle Gibbs --------------------------------------------------------------------------------------------------


def gibbs(world: Chance, n: int, sweeps: int, **options: Any) -> ParticleGibbs:
    return ParticleGibbs(n, world.verifier, environment=world, sweeps=sweeps, **options)


def planted(world: Chance, leaf: str, tree: Tree) -> list[Grown]:
    """The path to `leaf`, as an earlier sweep would have left it in the tree."""
    path, node = list[Grown](), ROOT
    for i in range(len(leaf)):
        state = leaf[: i + 1]
        node = tree.add(node, leaf[i], state, terminal=state not in world.children)
        scored = Scored(Sample(state), Verdict(world.score(state)))
        path.append(Grown(node, scored, state not in world.children, False))
    return path


@pytest.mark.parametrize(
    ("world", "form", "strength", "ess"),
    [(UNEVEN, "diff", 6.0, 1.0), (UNEVEN, "rt", 3.0, 0.7), (UNEVEN, "prod", 2.0, 1.0), (EVEN, "odds", 1.0, 1.0)],
)
@pytest.mark.slow
def test_a_sweep_leaves_the_posterior_as_it_is(world: Chance, form: Form, strength: float, ess: float) -> None:
    """A reference drawn from the exact posterior, one sweep of 3 particles, a draw by weight: the posterior again.

    A filter of 3 particles without a reference is measurably away from it.
    """
    exact, inner, rng = world.masses(form, strength), gibbs(world, 3, 1), random.Random(1)
    inner = replace(inner, weights=form, strength=strength, ess=ess)

    def kept(tree: Tree, rng: random.Random) -> Sequence[Grown]:
        [leaf] = rng.choices(list(exact), list(exact.values()))
        return planted(world, leaf, tree)

    def ends(**options: Any) -> list[str]:
        found = list[str]()
        for sweep in (s for seed in range(8) for s in sweeps(inner, 50, seed, **options)):
            [particle] = rng.choices(sweep.particles, normalised([p.log_weight for p in sweep.particles]))
            found.append(str(particle.path[-1].scored.sample.value))
        return found

    assert misfit(ends(kept=kept), exact) < 4
    assert misfit(ends(), exact) > 12


@pytest.mark.slow
def test_more_sweeps_come_closer_to_the_posterior() -> None:
    """Three particles: one sweep is far away from exp(2 r) times the prior, after 12 the difference does not show."""
    exact = UNEVEN.masses("diff", 2.0)
    one, many = (
        misfit(answers(gibbs(UNEVEN, 3, k, weights="diff", strength=2.0, final="draw"), 200), exact) for k in (1, 12)
    )
    assert one > 12
    assert many < 4


@pytest.mark.parametrize(
    ("first", "other", "copied"),
    [
        (0.0, 1.0, False),  # it ends well but begins badly: nobody copies it, its end does not count yet
        (1.0, 0.0, True),  # it begins well: all copy its beginning, and go on with steps of their own
    ],
)
def test_a_reference_counts_by_where_the_others_are(first: float, other: float, copied: bool) -> None:
    """Odds of 1e7 to 1e-7. The reference is "ax" and ends with score 1; the two others begin with "b"."""
    world = Chance(
        {"": "b", "a": "y", "b": "z"},
        {"a": first, "b": other, "ax": 1.0, "ay": 0.5, "bz": 0.5},
        odds=dict.fromkeys("byz", 1.0),
    )
    for seed in range(5):
        [sweep] = sweeps(gibbs(world, 3, 1), 1, seed, kept=lambda tree, rng: planted(world, "ax", tree))
        ends = [p.path[-1].scored.sample.value for p in sweep.particles]
        assert ends == ["ax", *(["ay", "ay"] if copied else ["bz", "bz"])]
        assert [g.scored.sample.value for g in sweep.seen if g.terminal] == ends[1:]  # it was paid for before


def test_a_long_reference_is_waited_for() -> None:
    """The others have ended after one step; the reference goes on to its end, and costs nothing."""
    world = Chance({"": "c", "a": "b", "ab": "b"}, {"a": 0.5, "ab": 0.5, "abb": 0.9, "c": 0.5}, odds={"c": 1, "b": 1})
    [sweep] = sweeps(gibbs(world, 3, 1), 1, kept=lambda tree, rng: planted(world, "abb", tree))
    assert sweep.particles[0].path[-1].scored.sample.value == "abb"
    assert all(p.terminal for p in sweep.particles)


def test_every_sweep_has_the_reference_of_the_one_before() -> None:
    """Five sweeps of 4: the first draws 4 first steps, the others 3; the tree holds them all."""
    result = run(gibbs(EVEN, 4, 5), EVEN)
    tree = result.tree
    assert tree is not None
    assert len(tree.children(ROOT)) == 4 + 4 * 3
    assert result.usage.verifications == len(tree) - 1 == 2 * (4 + 4 * 3)
    finished = [n for n in range(len(tree)) if tree.terminal[n]]
    assert result.answer == tree.state[max(finished, key=lambda n: tree.score[n])]  # of all sweeps
    assert len(result.candidates) == len(finished) == 16


def test_no_sample_is_asked_for_twice() -> None:
    """Two particles: the first sweep takes the samples 0 and 1 of the root, the second sample 2, the third sample 4."""
    world = Known({"": "abcdef"}, dict.fromkeys("abcdef", 0.5))
    result = run(ParticleGibbs(2, world.verifier, environment=world, sweeps=3), world)
    assert result.tree is not None
    assert result.tree.state[1:] == ["a", "b", "c", "e"]


# --- the filter by hand ----------------------------------------------------------------------------------------------

SCORES = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0, "ax": 0.6, "ay": 0.9, "bx": 0.1, "by": 0.1, "cx": 0.1, "cy": 0.1}
WORLD = Known({"": "abcd", "a": "xy", "b": "xy", "c": "xy"}, SCORES)


def particles(n: int, world: Known = WORLD, **options: Any) -> ParticleFilter:
    return ParticleFilter(n, world.verifier, environment=world, **options)


def states(result: Result[Any]) -> list[str]:
    """The states of the tree in the order in which they were drawn."""
    assert result.tree is not None
    return result.tree.state[1:]


def test_copies_share_a_state_and_draw_steps_of_their_own() -> None:
    """a has odds of 10 million to 1: all four particles go on from it, with samples 0 to 3 of its two letters."""
    result = run(particles(4), WORLD)
    assert states(result) == ["a", "b", "c", "d", "ax", "ay", "ax", "ay"]
    assert result.tree is not None
    assert list(result.tree.parent)[5:] == [1, 1, 1, 1]
    assert [bool(t) for t in result.tree.terminal][1:] == [False, False, False, True, True, True, True, True]
    assert result.answer == "ay"
    assert [c.sample.value for c in result.candidates] == ["d", "ax", "ay", "ax", "ay"]


def test_finished_ones_are_resampled_too() -> None:
    """d is an answer and far better than all else: the other three become copies of it, and the search is over."""
    world = Known(WORLD.children, SCORES | {"a": 0.0, "d": 1.0})
    result = run(particles(4, world), world)
    assert states(result) == ["a", "b", "c", "d"]
    assert result.answer == "d"


def test_an_answer_that_has_died_out_is_still_an_answer() -> None:
    """By odds, b with 0.99 is a hundred times worse than a with 0.9999; but nothing that comes of a is as good as b."""
    scores = {"a": 0.999999, "b": 0.99, "ax": 0.5, "ay": 0.6}
    world = Known({"": "ab", "a": "xy"}, scores)
    assert states(run(particles(2, world), world)) == ["a", "b", "ax", "ay"]
    assert run(particles(2, world), world).answer == "b"
    assert run(particles(2, world, final="weight"), world).answer == "ay"


def test_what_selects_at_the_end() -> None:
    """Four answers with scores 0.5 a, 0.6 b, 0.5 a, 0.1 c: b by score; a by the weights of both, exp(r), in a vote."""
    world = Known({"": "abac"}, {"a": 0.5, "b": 0.6, "c": 0.1})

    def answer(**options: Any) -> Any:
        return run(particles(4, world, weights="softmax", **options), world).answer

    assert answer() == "b"
    assert answer(final="weight") == "b"
    assert answer(final="weight", select=Vote(weighted=True)) == "a"
    assert answer(final="weight", select=Vote(weighted=True), strength=50) == "b"
    drawn = {
        run(particles(4, world, weights="softmax", strength=50, final="draw"), world, seed=s).answer for s in range(9)
    }
    assert drawn == {"b"}


@pytest.mark.parametrize("final", ["score", "weight"])
def test_an_abstaining_verdict_has_weight_but_does_not_win(final: Any) -> None:
    """Scores none and 0.2: equal weights, but b wins though a is first. All abstain: the first answer."""
    world = Known({"": "ab"}, {"a": None, "b": 0.2})
    assert run(particles(2, world, final=final), world).answer == "b"
    world = Known({"": "abc"}, dict.fromkeys("abc"))
    assert run(particles(3, world, final=final), world).answer == "a"


@pytest.mark.parametrize(
    ("d", "drawn", "answer"),
    [
        (None, "a b c d ax by cx", "ax"),  # nobody knows anything: no steering
        (0.0, "a b c d ax ay bx cy", "ay"),  # d is wrong: its place goes to a copy of a
        (1.0, "a b c d", "d"),  # d is right: it takes all places
    ],
)
def test_a_verifier_that_knows_answers_only(d: float | None, drawn: str, answer: str) -> None:
    """It abstains on a, b and c, which stay as they are: odds of 1."""
    scores = SCORES | dict.fromkeys("abc") | {"d": d}
    world = Known(WORLD.children, scores)
    result = run(particles(4, world), world)
    assert states(result) == drawn.split()
    assert result.answer == answer


def test_unfinished_paths_are_marked_and_no_candidates() -> None:
    result = write(ParticleFilter(4, Worth(), environment=STEPS, rounds=2, final="draw"))
    tree = result.tree
    assert tree is not None
    assert max(tree.depth) == 2
    assert result.sample.truncated
    assert result.answer in {tree.state[n].text for n in range(len(tree)) if tree.depth[n] == 2}


# --- failures and budgets --------------------------------------------------------------------------------------------


def test_a_failed_step_is_tried_again() -> None:
    """A third of all steps fail. Particles catch up: some first step is drawn after a second one; most get finished."""
    world = replace(UNEVEN, fails=0.33)
    result = run(filtered(world, 8), world, seed=1)
    tree = result.tree
    assert tree is not None
    assert result.errors
    firsts = [n for n in range(len(tree)) if tree.depth[n] == 1]
    assert max(firsts) > min(n for n in range(len(tree)) if tree.depth[n] == 2)
    assert len(firsts) <= 8
    assert result.candidates


def test_failures_by_hand() -> None:
    """Sample 1 of the root fails. Whose it was is a matter of naming: the last particle stays there, and tries again.

    Where every step from b fails, the others come to their ends, then nothing moves any more.
    """
    equal = dict.fromkeys(SCORES, 0.5)
    world = Known(WORLD.children, equal, broken=frozenset({"1"}))
    result = run(particles(3, world), world)
    assert states(result) == ["a", "c", "ax", "cy", "c", "cx"]
    assert len(result.errors) == 1
    world = Known(WORLD.children, equal, broken=frozenset({"b"}))
    result = run(particles(3, world), world)
    assert states(result) == ["a", "b", "c", "ax", "cx"]
    assert result.answer == "ax"
    assert len(result.errors) == 2


def test_nothing_but_failures_raises_the_first() -> None:
    world = Known(WORLD.children, SCORES, broken=frozenset({""}))
    for strategy in (particles(4, world), ParticleGibbs(3, world.verifier, environment=world)):
        with pytest.raises(CallError):
            run(strategy, world)


def test_out_of_budget_the_best_answer_returns() -> None:
    """Four particles, three steps each: with 14 steps the second sweep gets two, and a round in which all fail."""
    strategy = ParticleGibbs(4, Worth(), environment=STEPS, sweeps=9)
    result = write(strategy, budget=Budget(generations=14))
    assert result.stopped == "budget"
    assert result.usage.generations == 14
    assert len(result.candidates) == 4
    rounds = [span for span in result.trace.walk() if (span.name, span.kind) == ("step", "group")]
    assert len(rounds) == 3 + 2  # and no further sweep is begun
    result = write(strategy, budget=Budget(generations=6))
    assert result.usage.generations == 6
    assert result.sample.truncated
    result = write(ParticleFilter(4, Worth(), environment=STEPS), budget=Budget(verifications=4))
    assert result.stopped == "budget"
    assert result.usage.verifications == 4


def test_the_worst_case_is_never_exceeded_and_can_be_reached() -> None:
    """Four rounds of unfinished text cost exactly the bound; no sweep has a reference then."""
    for strategy in (
        ParticleFilter(4, Worth(), environment=STEPS, rounds=4),
        ParticleGibbs(3, Worth(), environment=STEPS, rounds=4, sweeps=2),
    ):
        bound = strategy.worst_case(Usage(generations=1, model_calls=1))
        assert bound is not None
        used = write(strategy, Letters(depth=50)).usage
        assert (used.generations, used.verifications) == (bound.generations, bound.verifications)


def test_the_shown_tree_is_the_search() -> None:
    """Every node is one step of its parent, with its verdict, its tokens and its end."""
    for strategy in (ParticleFilter(5, Worth(), environment=STEPS), ParticleGibbs(3, Worth(), environment=STEPS)):
        result = write(strategy)
        tree = result.tree
        assert tree is not None
        for node in range(1, len(tree)):
            assert tree.state[node].text.startswith(tree.state[tree.parent[node]].text)
            assert tree.score[node] == Worth()._judge(tree.state[node].text).score
            assert bool(tree.terminal[node]) is tree.state[node].ended is (tree.depth[node] == DEPTH)
            assert tree.tokens[node] == 1
        assert Tree.from_json(tree.to_json()).to_json() == tree.to_json()


def test_countdown_on_the_embedded_model() -> None:
    """Real steps: every node is a legal line or ends there; the answer is right exactly if its score is 1."""
    model = Model(Embedded(), Params(max_tokens=64))
    for puzzle in Countdown().puzzles(2, "dev"):
        for strategy in (
            ParticleFilter(8, CHECKER, CountdownSteps()),
            ParticleGibbs(
                4, CHECKER, CountdownSteps(), sweeps=2, final="weight", select=Vote(operations, weighted=True)
            ),
        ):
            result = asyncio.run(solve(problem(puzzle), strategy, generator=model))
            tree = result.tree
            assert tree is not None
            for node in range(len(tree)):
                assert tree.terminal[node] or not replay(puzzle, tree.state[node].text).error
            assert result.candidates
            for candidate in result.candidates:
                assert (candidate.score == 1) is (check(puzzle, candidate.sample.text) == "")


@dataclass(frozen=True)
class Joint(Worth):
    joint: bool = True


def test_mistakes_are_named() -> None:
    """One sentence each, before anything is paid."""
    wide: Any = Predicate(len, range=(0.0, 9.0))
    for make, said in (
        (lambda: ParticleFilter(0, Worth()), "ParticleFilter needs n >= 1"),
        (lambda: ParticleFilter(4, Worth(), rounds=0), "rounds"),
        (lambda: ParticleFilter(4, Worth(), weights="odd"), '"?odds'),  # type: ignore[arg-type]
        (lambda: ParticleFilter(4, Worth(), strength=-1), "strength"),
        (lambda: ParticleFilter(4, Worth(), strength=math.inf), "strength"),
        (lambda: ParticleFilter(4, Worth(), resampling="best"), "resampling is one of"),  # type: ignore[arg-type]
        (lambda: ParticleFilter(4, Worth(), ess=2), "ess is a share"),
        (lambda: ParticleFilter(4, Worth(), final="best"), "final is"),  # type: ignore[arg-type]
        (lambda: ParticleFilter(4, len), "Predicate"),  # type: ignore[arg-type]
        (lambda: ParticleFilter(4, Joint()), "joint"),
        (lambda: ParticleGibbs(0, Worth()), "ParticleGibbs needs n >= 1"),
        (lambda: ParticleGibbs(4, Worth(), sweeps=0), "sweeps >= 1"),
        (lambda: ParticleGibbs(1, Worth()), "n >= 2"),
        (lambda: ParticleGibbs(4, Worth(), resampling="systematic"), "multinomial"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()
    ParticleFilter(4, wide)
