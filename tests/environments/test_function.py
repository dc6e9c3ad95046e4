"""FunctionEnvironment: the laws over a function that draws, every search over it, and what it says of mistakes."""

from __future__ import annotations

import asyncio
import random
import re
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Model, Params, Prompt, Sample, Usage, solve, solve_sync
from searchkit.calls import CallError, Request
from searchkit.codec import Codec
from searchkit.environments import FunctionEnvironment, Guarded
from searchkit.environments.function import OwnScore, Rated
from searchkit.environments.protocols import Anytime, Environment, Proposing
from searchkit.protocols import Backend, Verifier
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    UCT,
    AStar,
    BeamSearch,
    BestFirst,
    BestOfN,
    Children,
    ParticleFilter,
    Rollout,
)
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, Shuffled, StrategyTests, VerifierTests
from searchkit.testing.strategies import LengthScore
from searchkit.verifiers import Predicate

BACKEND: ContextVar[Backend] = ContextVar("BACKEND")


async def ask(parent: Any, prompt: Prompt, seed: int, index: int) -> Any:
    """A user's own code: it asks the model that a test has chosen, not through the run, and rates what that said."""
    request = Request(Prompt.of(f"{prompt.text} {parent}"), Params(max_tokens=12), seed, index)
    [answer] = await BACKEND.get().complete([request])
    if isinstance(answer, CallError):
        raise answer
    path = answer.text if parent is None else f"{parent} {answer.text}"
    return path, sum(map(ord, path)) % 97 / 97, len(path) > 20


WORLD = FunctionEnvironment(ask)


class FunctionLaws(StrategyTests):
    """The laws, with the function's model instead of the search's generator."""

    def model(self, backend: Backend | None = None) -> Model:
        model = super().model(backend)
        BACKEND.set(model.backend)
        return model

    def test_law_06_nests_both_ways(self) -> None:
        """Inside best-of-N: all calls are counted, latencies change nothing. It has no generator to be replaced."""
        around = BestOfN(2, LengthScore(), generator=self.strategy())
        backend = Counting(self.backend())
        result = self.run(around, backend)
        assert result.paid.model_calls == backend.calls > 1
        assert self.run(around, Shuffled(self.backend(), 1)).trace.canonical() == result.trace.canonical()


class TestMCTSOverAFunction(FunctionLaws):
    def strategy(self) -> Strategy:
        return MCTS(WORLD.verifier, environment=WORLD, iterations=4, width=2, evaluation=Children(), in_flight=2)


class TestABMCTSOverAFunction(FunctionLaws):
    def strategy(self) -> Strategy:
        return ABMCTS(WORLD.verifier, environment=WORLD, iterations=6, in_flight=2)


class TestBeamSearchOverAFunction(FunctionLaws):
    def strategy(self) -> Strategy:
        return BeamSearch(4, 2, WORLD.verifier, environment=WORLD, rounds=3)


class TestPathsOfAFunction(FunctionLaws):
    def strategy(self) -> Strategy:
        return BestOfN(4, WORLD.verifier, generator=WORLD)

    def judged(self, verifier: Verifier) -> Strategy:
        return BestOfN(4, verifier, generator=WORLD)


class TestOwnScore(VerifierTests):
    samples = (Rated("a", score=0.5), Rated("b", score=1.0), Rated("c"), Sample("d"))

    def verifier(self) -> Verifier:
        return OwnScore()

    def test_it_repeats_scores_and_abstains_without(self) -> None:
        """The score that the function gave, and none where it gave none."""
        assert [v.score for v in self.judge(self.samples)] == [0.5, 1.0, None, None]


# ------------------------------------------------------------------------------------------------ searches

WORD = "ox"


def spell(parent: str | None, index: int) -> tuple[str, float | None, bool]:
    """Adds a letter, another one each time; only a word of two letters is an answer."""
    text = (parent or "") + "oxyz"[index % 4]
    right = sum(a == b for a, b in zip(text, WORD, strict=False))
    return text, right / 2 if len(text) == 2 else None, len(text) == 2


def climb(parent: float | None, seed: int) -> tuple[float, float, bool]:
    """A draft a call, each an answer: never done."""
    draft = random.Random(seed).gauss(parent or 0.0, 0.2)
    return draft, max(0.0, 1 - abs(draft - 1)), False


SEARCHES = {
    "MCTS": lambda world: MCTS(world.verifier, environment=world, iterations=12),
    "Rollout": lambda world: MCTS(world.verifier, environment=world, iterations=24, evaluation=Rollout()),
    "BestFirst": lambda world: BestFirst(world.verifier, environment=world, iterations=60),
    "ABMCTS": lambda world: ABMCTS(world.verifier, environment=world, iterations=60),
    "BeamSearch": lambda world: BeamSearch(16, 4, world.verifier, environment=world, rounds=2),
    "DVTS": lambda world: DVTS(16, 4, world.verifier, environment=world, rounds=2),
    "AStar": lambda world: AStar(world, least=0.5),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_finds_the_answer_without_a_generator(name: str) -> None:
    """Two steps, of which only the second has a score; the answer is the value itself."""
    result = solve_sync("spell", SEARCHES[name](FunctionEnvironment(spell)))
    assert (result.answer, result.stopped) == (WORD, "done")
    assert result.usage.generations == result.usage.model_calls > 0


def test_drafts_are_answers_although_the_search_can_go_on() -> None:
    """No draft is ever done: the best that was seen is the answer, and drafts grow from drafts."""
    world = FunctionEnvironment(climb)
    search = ABMCTS(world.verifier, environment=world, iterations=40)
    result = solve_sync("climb", search)
    best = max(c.score or 0.0 for c in result.candidates)
    assert (len(result.candidates), result.usage.generations) == (40, 40)
    assert 1 - abs(result.answer - 1) == best > 0.8
    assert result.tree is not None
    assert max(result.tree.depth) > 1


def test_a_sample_is_a_path_to_the_first_answer() -> None:
    """As a generator it draws until there is an answer; the index of the sample reaches every step."""
    result = solve_sync("spell", BestOfN(4, OwnScore(), generator=FunctionEnvironment(spell)))
    assert [c.sample.value for c in result.candidates] == ["oo", "xx", "yy", "zz"]
    assert result.usage.generations == 8


def test_budgets_hold() -> None:
    """Each call of the function is a generation, and none is made too many."""
    calls = []

    def counted(parent: Any, seed: int) -> Any:
        calls.append(parent)
        return climb(parent, seed)

    world = FunctionEnvironment(counted)
    search = MCTS(world.verifier, environment=world, evaluation=Children(), iterations=50)
    result = solve_sync("climb", search, budget=Budget(generations=9))
    assert (len(calls), result.usage.generations, result.stopped) == (9, 9, "budget")
    assert result.answer in [c.sample.value for c in result.candidates]


def test_a_dead_end_is_the_least_score_at_an_end() -> None:
    """What came to nothing is the answer only where there is nothing else."""

    def dead(parent: int | None, index: int) -> tuple[int, float, bool]:
        return index, -1.0, index > 0

    world = FunctionEnvironment(dead, range=(-1.0, 1.0))
    search = MCTS(world.verifier, environment=world, iterations=1, width=4, evaluation=Children())
    result = solve_sync("go", search)
    assert result.tree is not None
    assert sum(result.tree.terminal) == 3
    assert result.answer == 0


def test_it_is_an_environment_that_proposes() -> None:
    """All that a strategy asks for; another verifier does, too; a guard around it lets it propose."""
    world: Environment[Any] = FunctionEnvironment(spell)
    assert isinstance(world, Proposing)
    assert isinstance(world, Anytime)
    judge = Predicate(lambda text: text == "xo")
    assert (
        solve_sync("spell", BeamSearch(16, 4, judge, environment=FunctionEnvironment(letters), rounds=2)).answer == "xo"
    )
    guarded = Guarded(FunctionEnvironment(spell), lambda state, action: "pure")
    assert solve_sync("spell", MCTS(OwnScore(), environment=guarded, iterations=12)).answer == WORD


def letters(parent: str | None, index: int) -> tuple[str, None, bool]:
    """As `spell`, but without a score."""
    text, _, done = spell(parent, index)
    return text, None, done


def test_a_particle_filter_moves_over_it() -> None:
    """Scores as potentials."""
    world = FunctionEnvironment(climb)
    assert solve_sync("climb", ParticleFilter(8, world.verifier, environment=world, rounds=4)).answer is not None


# ------------------------------------------------------------------------------------------------ what it gets


def test_it_is_given_the_task_the_seed_and_the_run_where_it_asks() -> None:
    """`prompt`, `seed`, `index`, `run`, `params` by name; a model inside is drawn from through the run."""
    seen = []

    async def grow(parent: Any, prompt: Prompt, run: Any, seed: int, params: Params) -> Any:
        [sample] = await run.sample(None, Prompt.of(f"{prompt.text}, after {parent}"), partial=True)
        seen.append((prompt.text, params.temperature, seed))
        return sample.text, 1.0, True

    backend = Counting(Scripted(lambda request: request.prompt.text))
    world = FunctionEnvironment(grow)
    search = MCTS(world.verifier, environment=world, iterations=1, width=3)
    result = solve_sync("task", search, generator=Model(backend), params=Params(temperature=0.3))
    assert (result.answer, backend.calls) == ("task, after None", 3)
    assert {(task, t) for task, t, _ in seen} == {("task", 0.3)}
    assert len({seed for *_, seed in seen}) == 3


def test_the_parent_comes_first_whatever_it_is_called() -> None:
    """Even by a name that is supplied to others."""
    for fn in (lambda prompt: (f"after {prompt}", 1.0, True), lambda seed: (f"after {seed}", 1.0, True)):
        world = FunctionEnvironment(fn)
        assert solve_sync("q", BeamSearch(1, 1, world.verifier, environment=world)).answer == "after None"


def test_a_sample_says_what_the_call_cost() -> None:
    """Tokens that the function knows of are charged."""

    def grow(parent: Any) -> Sample[Any]:
        return Sample(("x", 1.0, True), usage=Usage(model_calls=2, generated_tokens=30))

    world = FunctionEnvironment(grow)
    result = solve_sync("q", BeamSearch(1, 1, world.verifier, environment=world))
    assert (result.usage.generated_tokens, result.usage.model_calls, result.answer) == (30, 2, "x")


# ------------------------------------------------------------------------------------------------ journals


@dataclass(frozen=True)
class Board:
    """A state that is not JSON."""

    cells: tuple[int, ...]


CALLS: list[Any] = []


def play(parent: Board | None, index: int) -> tuple[Board, float, bool]:
    CALLS.append(parent)
    board = Board((*(parent.cells if parent else ()), index))
    return board, min(1.0, sum(board.cells) / 10), len(board.cells) == 3


def test_values_that_are_not_json_need_a_codec_with_a_journal(tmp_path: Any) -> None:
    """With one, a search goes on where it was without a call; without, the mistake is named."""
    world = FunctionEnvironment(play, codec=Codec(lambda board: list(board.cells), lambda cells: Board(tuple(cells))))
    search = ABMCTS(world.verifier, environment=world, iterations=8)
    CALLS.clear()
    first = solve_sync("play", search, journal=tmp_path / "run.db")
    assert len(CALLS) == 8
    again = solve_sync("play", search, journal=tmp_path / "run.db")
    assert (len(CALLS), again.paid.model_calls) == (8, 0)
    assert again.answer == first.answer
    assert again.trace.canonical() == first.trace.canonical()
    bare = FunctionEnvironment(play)
    with pytest.raises(ConfigError, match="pass codec="):
        solve_sync("play", ABMCTS(bare.verifier, environment=bare, iterations=8), journal=tmp_path / "bare.db")


def test_a_function_without_a_lasting_name_needs_one_with_a_journal(tmp_path: Any) -> None:
    """As for any callable."""
    world = FunctionEnvironment(lambda parent: ("x", 1.0, True))
    search = BeamSearch(1, 1, world.verifier, environment=world)
    with pytest.raises(ConfigError, match="lasting identity"):
        solve_sync("q", search, journal=tmp_path / "run.db")
    named = replace(world, name="x")
    assert solve_sync("q", replace(search, environment=named), journal=tmp_path / "run.db").answer == "x"


# ------------------------------------------------------------------------------------------------ mistakes


def searched(fn: Any, **options: Any) -> Any:
    world = FunctionEnvironment(fn, **options)
    return asyncio.run(solve("q", MCTS(world.verifier, UCT(), world, iterations=2, width=2)))


@pytest.mark.parametrize(
    ("fn", "error", "says"),
    [
        (lambda parent: "a text", ConfigError, "must return (state, score or None, done), got 'a text'"),
        (lambda parent: ("x", "high", True), ConfigError, "must return (state, score or None, done)"),
        (lambda parent: ("x", 7, True), CallError, "declare the right ones with FunctionEnvironment(fn, range="),
        (lambda parent: ("x", float("nan"), True), CallError, "return None where there is none"),
        (lambda parent: 1 / 0, CallError, "raised ZeroDivisionError"),
    ],
)
def test_mistakes_are_named(fn: Any, error: type[Exception], says: str) -> None:
    """One sentence each; what happens at some calls only leaves the others alone."""
    with pytest.raises(error, match=re.escape(says)):
        searched(fn)


def test_one_bad_call_leaves_the_others() -> None:
    """A failed call costs its generation, and no more."""
    result = searched(lambda parent, index: ("x", 7.0 if index else 0.5, True))
    assert (result.answer, result.usage.generations) == ("x", 2)


def test_what_cannot_be_is_refused_before_anything_is_called() -> None:
    """No callable, no range, and a generator that would not be asked."""
    with pytest.raises(ConfigError, match="needs a callable"):
        FunctionEnvironment("x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the least and the greatest score"):
        FunctionEnvironment(spell, range=(1.0, 0.0))
    world = FunctionEnvironment(spell)
    with pytest.raises(ConfigError, match="leave out the strategy's generator"):
        solve_sync("q", MCTS(world.verifier, environment=world, generator=Model(Scripted(lambda request: "x"))))
