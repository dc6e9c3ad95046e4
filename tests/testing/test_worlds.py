"""Worlds as environments: draws by seed, fixed noise, answers, budgets; and what the reference page shows."""

from __future__ import annotations

import random
import re
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit import Budget, solve_sync
from searchkit.environments import Anytime
from searchkit.errors import ConfigError
from searchkit.strategies import ABMCTS, MCTS, BeamSearch, BestOfN, ParticleFilter
from searchkit.testing import worlds
from searchkit.testing.worlds import (
    WORLDS,
    Basins,
    Drift,
    Duplicates,
    Lock,
    NoisyLock,
    Place,
    SparseLock,
    Steps,
    TreeOfFour,
    UnequalCosts,
    World,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"
ALL = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


def walk(world: World, seed: int) -> Iterator[Place]:
    """The places of one random path of at most 40 draws, from the start."""
    rng, place = random.Random(seed), world.begin(seed)
    yield place
    for _ in range(40):
        if place.ended:
            return
        place = world.after(place, world.draw(place, rng))
        yield place


@ALL
def test_places_are_consistent(world: World) -> None:
    """Scores are within the range; what is right is an answer; what is worth something, too; what ended is one."""
    for seed in range(20):
        for place in walk(world, seed):
            assert place.score is None or world.range[0] <= place.score <= world.range[1]
            assert place.complete or not (place.right or place.worth or place.ended)
            assert world.opens_at is None or not place.complete or place.right == (place.score >= world.opens_at)


@ALL
def test_a_search_repeats_itself_by_its_seed(world: World) -> None:
    """Same seed, same draws and same answer; another seed, other ones."""
    search = ABMCTS(world.verifier, world, iterations=8)
    first, again, other = (solve_sync("go", search, seed=seed).tree for seed in (1, 1, 2))
    assert list(first.state) == list(again.state)
    assert list(first.state) != list(other.state)


@ALL
def test_each_draw_is_a_generation(world: World) -> None:
    """A tree with distinct draws has a node for each; equal draws leave fewer."""
    result = solve_sync("go", MCTS(world.verifier, environment=world, width=1), budget=Budget(generations=6))
    assert result.usage.generations <= 6
    assert len(result.tree) - 1 <= result.usage.generations


@ALL
def test_scores_scale_with_the_range(world: World) -> None:
    """The same draws, with every score moved."""
    moved = replace(world, range=(-1.0, 3.0))
    for place, other in zip(walk(world, 3), walk(moved, 3), strict=True):
        assert (place.path, place.right) == (other.path, other.right)
        if place.score is not None:
            assert other.score == pytest.approx(4 * place.score - 1)


@pytest.mark.parametrize(
    ("world", "distinct"), [(Steps(), True), (Drift(), True), (Lock(), False), (Duplicates(), False)]
)
def test_equal_digits_are_equal_actions_and_other_draws_distinct(world: World, distinct: bool) -> None:
    """Forty draws in the first state."""
    rng, begun = random.Random(0), world.begin(0)
    drawn = [repr(world.draw(begun, rng)) for _ in range(40)]
    assert (len(set(drawn)) == 40) == distinct
    assert distinct or len(set(drawn)) <= 10


def test_noise_is_drawn_once_for_each_state() -> None:
    """The same digits score the same, in a search with another seed differently; the end carries no noise."""
    lock = NoisyLock(noise=0.2)
    begun, other = lock.begin(1), lock.begin(2)
    assert lock.after(begun, 0) == lock.after(begun, 0)
    assert lock.after(begun, 0).score != lock.after(other, 0).score
    for _ in range(6):
        begun = lock.after(begun, 0)
    assert (begun.score, begun.right) == (1.0, True)


def test_only_drafts_are_answers_at_any_time() -> None:
    """And their start, which has no draft, is none and has no score."""
    anytime = {name for name, world in WORLDS.items() if isinstance(world, Anytime)}
    assert anytime == {"drift", "noisy drift", "tests", "basins"}
    assert not Drift().begin(0).complete
    assert Drift().begin(0).score is None


def test_starts_are_scored_as_they_are_defined() -> None:
    """0.5 where steps are judged, 0 for locks."""
    assert [WORLDS[name].begin(0).score for name in ("steps, weak", "tree of four", "lock", "growing")] == [
        0.5, 0.5, 0.0, 0.0,
    ]  # fmt: skip


def test_an_unfinished_answer_is_worth_nothing() -> None:
    """Three draws do not make six digits; a draft is worth its quality at once."""
    lock, basins = Lock(), Basins()
    cut = solve_sync("go", MCTS(lock.verifier, environment=lock), budget=Budget(generations=3))
    assert cut.sample.truncated
    assert lock.success(cut) == 0.0
    draft = solve_sync("go", BestOfN(4, basins.verifier, generator=basins))
    assert basins.success(draft) == draft.answer.score > 0


def test_whole_answers_succeed_as_often_as_the_closed_form_says() -> None:
    """Where the end is judged exactly, best of n is right with probability 1 - (1 - p)^n."""
    for world, p, n in ((SparseLock(2, 3), 1 / 9, 4), (TreeOfFour(2, 0.5), 1 / 4, 2), (Duplicates(1, 3), 0.09, 6)):
        chance = 1 - (1 - (world.chance if isinstance(world, Duplicates) else p)) ** n
        search = BestOfN(n, world.verifier, generator=world)
        rate = sum(world.success(solve_sync("go", search, seed=seed)) for seed in range(150)) / 150
        assert abs(rate - chance) < 4 * (chance * (1 - chance) / 150) ** 0.5


def test_tokens_of_steps_are_charged_and_limited() -> None:
    """Each draw costs the tokens of its road, and a budget of tokens holds."""
    world = UnequalCosts()
    result = solve_sync("go", BeamSearch(4, 4, world.verifier, world), budget=Budget(generated_tokens=30))
    assert result.usage.generations <= result.usage.generated_tokens <= 30
    tree = result.tree
    assert result.usage.generated_tokens == sum(world.tokens(tree.state[tree.parent[n]]) for n in range(1, len(tree)))


@ALL
def test_a_search_resumes_from_its_journal(world: World, tmp_path: Path) -> None:
    """Draws are stored by what they were drawn for, and not drawn again."""
    search = ParticleFilter(3, world.verifier, world, rounds=3)
    first, again = (solve_sync("go", search, seed=5, journal=tmp_path / "run.db") for _ in range(2))
    assert first.answer == again.answer
    assert again.paid.generations == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Lock(0), lambda: Lock(range=(1.0, 0.0)), lambda: Duplicates(temperature=0), lambda: Duplicates(rank=6),
        lambda: Steps(chance=0), lambda: Drift(spread=0), lambda: UnequalCosts(costs=(1,)),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong) -> None:
    """Before anything is drawn."""
    with pytest.raises(ConfigError):
        wrong()


def test_the_reference_runs_and_uses_every_name() -> None:
    """The Python blocks of the page, top to bottom, as a reader would type them in."""
    source = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = set(re.findall(r"\w+", "\n".join(source)))
    assert set(worlds.__all__) <= names
    module = types.ModuleType("page")
    for block in source:
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), vars(module))
