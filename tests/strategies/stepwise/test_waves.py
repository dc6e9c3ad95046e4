"""What a beam draws: fewer first steps, nothing more where draws agree, and steps that are shown to their siblings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from searchkit import BudgetExhausted, ConfigError, Model, Sample, solve
from searchkit.calls import Request
from searchkit.strategies.selection.rules import Vote
from searchkit.strategies.stepwise.beam import BeamSearch
from searchkit.strategy import Strategy
from searchkit.types import Budget, Message, Params, Prompt, ToolCall, Transition, Usage
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, full, run
from tests.helpers.steps import STEPS, Letters, OnLetters, Worth, write
from tests.strategies.stepwise.test_beam import FOUR, SCORES, paths


class TestFewFirst(OnLetters):
    def strategy(self) -> Strategy:
        return BeamSearch(6, 3, Worth(), environment=STEPS, first=2)


class TestAgreeing(OnLetters):
    def strategy(self) -> Strategy:
        return BeamSearch(6, 3, Worth(), environment=STEPS, agree=2)


class TestAware(OnLetters):
    def strategy(self) -> Strategy:
        return BeamSearch(6, 3, Worth(), environment=STEPS, aware=True)


# --- the first round ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "drawn"),
    [
        (1, "a | ax ay"),
        (2, "a b | bx by ax ay"),  # all are kept, the best first
        (3, "a b c | bx by cx cy"),
        (4, "a b c d | bx by dx dy"),
    ],
)
def test_first_steps_by_hand(first: int, drawn: str) -> None:
    """n = 4, m = 2. Scores of the first steps: a 0.1, b 0.9, c 0.6, d 0.7."""
    world = Known(FOUR, SCORES)
    assert paths(run(BeamSearch(4, 2, world.verifier, world, first=first), world)) == drawn.replace(" |", "").split()


@pytest.mark.parametrize("first", [1, 2, 3, 8])
def test_the_bound_counts_the_first_round_as_it_is(first: int) -> None:
    """Four rounds of unfinished text cost exactly the bound."""
    strategy = BeamSearch(8, 2, Worth(), environment=STEPS, rounds=4, first=first, agree=0)
    bound = strategy.worst_case(Usage(generations=1, model_calls=1))
    assert bound is not None
    used = write(strategy, Letters(depth=50)).usage
    least = first + sum(
        min(8, 2 * min(4, first * 2**i)) for i in range(3)
    )  # few first steps are few beams, for a while
    assert used.generations == least <= bound.generations
    assert bound.generations == first + 3 * 8


# --- agreeing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("children", "options", "drawn"),
    [
        # both first draws are a: no more, and a is followed once
        ({"": "a", "a": "xy"}, {}, "a a ax ay"),
        # the first two differ: the other two of four are drawn, each state is followed once
        ({"": "ab", "a": "x", "b": "y"}, {}, "a b a b by by ax ax"),
        # three are compared, the third is another
        ({"": "aab", "a": "x", "b": "y"}, {"m": 4, "agree": 3}, "a a b a by by by"),
        # what has ended and is equal is a candidate each time
        ({"": "a"}, {}, "a a"),
    ],
)
def test_agreement_by_hand(children: dict[str, str], options: dict[str, int], drawn: str) -> None:
    """n = 4 steps from the root at once, m = 2, two are compared, unless `options` say otherwise."""
    world = Known(children, {"a": 0.1, "b": 0.9, "ax": 0.2, "ay": 0.3, "bx": 0.4, "by": 0.8})
    strategy = BeamSearch(
        4, **{"m": 2, "verifier": world.verifier, "environment": world, "agree": 2} | options, first=4
    )  # type: ignore[arg-type]
    result = run(strategy, world)
    assert paths(result) == drawn.split()
    assert [c.sample.value for c in result.candidates] == [p for p in drawn.split() if p not in children]


def rounds(world: Known, n: int, m: int, first: int, agree: int) -> list[str]:
    """The same on plain lists: every path drawn, in order. Sample number i is letter i modulo their number."""
    drawn, share, places = list[str](), {"": first}, n
    while share:
        asked, found = 0, {path: list[str]() for path in share}
        for wave in (1, 2):
            now = list[str]()
            for path, number in share.items():
                same = len(found[path]) == agree and len(set(found[path])) == 1
                most = min(agree, number) if wave == 1 else 0 if same else number - len(found[path])
                now += [path] * most
            for i, path in enumerate(now):
                found[path].append(path + world.children[path][(asked + i) % len(world.children[path])])
                drawn.append(found[path][-1])
            asked += len(now)
        level = [path for paths in found.values() for path in paths]
        places -= sum(path not in world.children for path in level)
        alive = dict.fromkeys(sorted((p for p in level if p in world.children), key=lambda p: -world.scores[p]))
        share = {}
        for path in alive:
            if places - sum(share.values()) > 0:
                share[path] = min(m, places - sum(share.values()))
    return drawn


@pytest.mark.parametrize("seed", range(15))
def test_a_second_implementation_agrees(seed: int) -> None:
    """On random trees whose branches end at any depth; some states have one child only, so that draws agree."""
    world = full("ab", 5, seed, ends=0.2)
    world = replace(world, children={p: c if hash_of(p) % 3 else "a" for p, c in world.children.items()})
    for n, m, first, agree in ((4, 2, 4, 2), (8, 4, 2, 2), (8, 4, 8, 3), (9, 3, 3, 2), (8, 8, 8, 5)):
        result = run(BeamSearch(n, m, world.verifier, world, first=first, agree=agree), world)
        assert paths(result) == rounds(world, n, m, first, agree)


def hash_of(path: str) -> int:
    return sum(ord(c) * 31**i for i, c in enumerate(path))


def test_where_nothing_differs_a_beam_costs_two_chains() -> None:
    """One letter to choose from, three steps: 16 texts of one beam would be 48 draws, here it is 2 a round."""
    result = write(BeamSearch(16, 4, Worth(), environment=STEPS, agree=2), Letters("a"))
    assert result.answer == "a/a/a"
    assert result.usage.generations <= 2 * 3


def test_a_failed_draw_agrees_with_nothing() -> None:
    """The first of two draws fails: one step is no agreement, and the rest of the beam's draws are made."""
    world = Known({"": "a"}, {"a": 0.5}, broken=frozenset({"0"}))
    result = run(BeamSearch(4, 4, world.verifier, world, first=4, agree=2), world)
    assert paths(result) == ["a", "a", "a"]


@dataclass(frozen=True)
class Tools:
    """Each sample calls a tool, under an id of its own; `spelling` says with which arguments."""

    spelling: tuple[str, ...]

    async def start(self, prompt: Prompt, run: Any) -> str:
        return ""

    def prompt(self, state: str) -> Prompt:
        return Prompt.of("call it")

    def step_params(self, run: Any) -> Params | None:
        return None

    async def step(self, state: str, action: Sample[Any], run: Any) -> Transition[str]:
        return Transition("done", terminal=True)

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state)

    async def generate(self, prompt: Prompt, run: Any, *, params: Any = None) -> Sample[Any]:
        call = ToolCall(f"id{run.index}", "look", self.spelling[run.index % len(self.spelling)])
        return Sample("", Message("assistant", (), tool_calls=(call,)))


@pytest.mark.parametrize(
    ("spelling", "drawn"),
    [
        (('{"x": 1, "y": 2}', '{"y":2,"x":1}'), 2),  # the same call
        (('{"x": 1}', '{"x": "1"}'), 4),  # a number is no text
        (('{"x": 1, "x": 2}', '{"x": 2}'), 4),  # a key twice can be read in two ways
        (("{", "}"), 4),
    ],
)
def test_only_the_same_calls_agree(spelling: tuple[str, ...], drawn: int) -> None:
    """Their ids do not matter, their arguments do."""
    world = Tools(spelling)
    result = asyncio.run(
        solve("q", BeamSearch(4, 4, Predicate(lambda _: 1.0), world, first=4, agree=2), generator=world)
    )
    assert len(result.candidates) == drawn


@pytest.mark.parametrize("options", [{"agree": 2}, {"aware": True}, {"agree": 3, "aware": True}])
def test_a_spent_budget_ends_the_waves(options: dict[str, Any]) -> None:
    """At any ceiling: no draw too many, and what was drawn is kept."""
    for most in range(1, 30):
        strategy = BeamSearch(6, 3, Worth(), environment=STEPS, **options)
        try:
            result = write(strategy, budget=Budget(generations=most))
        except BudgetExhausted:
            assert most < 3
            continue
        assert result.usage.generations <= most


# --- siblings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """`Letters` that remembers what it was shown."""

    seen: list[Request] = field(default_factory=list)
    name: str = "recording"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        self.seen.extend(requests)
        return await Letters().complete(requests)


def test_each_draw_is_shown_the_ones_before_from_the_same_state() -> None:
    """n = m = 3, three rounds: of each state the second draw sees one step, the third two; the prefix stays."""
    backend = Recording()
    result = asyncio.run(
        solve("q", BeamSearch(3, 3, Worth(), STEPS, first=3, agree=0, aware=True), generator=Model(backend), seed=3)
    )
    tree = result.tree
    assert tree is not None
    at = 1
    for asked in (backend.seen[i : i + 3] for i in range(0, 9, 3)):
        children = tree.text[at : at + 3]
        for number, request in enumerate(asked):
            shown = request.prompt.messages[-1].text.split("```")[1::2]
            assert [text.strip() for text in shown] == children[:number]
        assert len({r.prompt.prefix for r in asked}) == 1
        at += 3


def test_votes_weigh_what_all_draws_would_have_brought() -> None:
    """a comes first in both draws of the root, and no more are drawn: whole chance. Below it x comes twice of three."""
    world = Known({"": "a", "a": "xxy"}, {"a": 0.5, "ax": 0.3, "ay": 0.5})
    key = {"ax": "x", "ay": "y"}.__getitem__
    result = run(BeamSearch(3, 3, world.verifier, world, agree=3, select=Vote(key, weighted=True)), world)
    assert paths(result) == ["a", "a", "a", "ax", "ax", "ay"]
    assert result.answer == "ax"  # 2/3 of 0.3 against 1/3 of 0.5
    merged = Known({"": "ab", "a": "x", "b": "y"}, {"a": 0.5, "b": 0.5, "ax": 0.6, "by": 0.5})
    world = replace(merged, children={"": "aab", "a": "x", "b": "y"})
    key = {"ax": "x", "by": "y"}.__getitem__
    result = run(BeamSearch(6, 3, world.verifier, world, first=3, agree=3, select=Vote(key, weighted=True)), world)
    tree = result.tree
    assert tree is not None
    shares = {tree.state[n]: tree.prior[n] for n in reversed(range(len(tree))) if tree.depth[n] == 1}
    assert shares["a"] == pytest.approx(2 / 3)  # the one that is followed stands for both
    assert result.answer == "ax"


def test_a_plain_beam_shows_nothing() -> None:
    backend = Recording()
    asyncio.run(solve("q", BeamSearch(6, 3, Worth(), STEPS, agree=2), generator=Model(backend)))
    assert {r.prompt.messages for r in backend.seen} == {Prompt.of("q").messages}


def test_mistakes_are_named() -> None:
    for options, said in (
        ({"first": 0}, "first"),
        ({"first": 9}, "first"),
        ({"agree": 1}, "agree"),
        ({"agree": -1}, "agree"),
    ):
        with pytest.raises(ConfigError, match=said):
            BeamSearch(8, 4, Worth(), **options)  # type: ignore[arg-type]
