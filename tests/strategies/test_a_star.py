"""A*: Dijkstra, brute force and a textbook A* as oracles; ToolChain*'s costs by hand; the laws, and failures."""

from __future__ import annotations

import ast
import asyncio
import heapq
import itertools
import math
import pickle
import random
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import networkx
import pytest

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Function,
    Model,
    Params,
    Prompt,
    Result,
    Run,
    Sample,
    SearchWarning,
    solve,
    start,
)
from searchkit.environments.text_steps import TextSteps
from searchkit.protocols import Verifier
from searchkit.strategies.a_star.a_star import AStar
from searchkit.strategies.a_star.costs import Imagined, Judged, Path, lines, zero
from searchkit.strategies.a_star.toolchain import ToolChainG, ToolChainH, common, solved_plan
from searchkit.strategies.sampling.best_of_n import BestOfN
from searchkit.strategy import Strategy
from searchkit.testing import Counting
from searchkit.tree import ROOT
from searchkit.types import Scored, Transition, Usage, Verdict
from searchkit.verifiers.predicate import Predicate
from tests.helpers.known_tree import Known, run
from tests.helpers.steps import LEAVES, STEPS, Letters, OnLetters, Worth, worth, write

# --- the laws --------------------------------------------------------------------------------------------------------


class TestAStar(OnLetters):
    def strategy(self) -> Strategy:
        return AStar(STEPS, h=Judged(Worth(), scale=2.0), width=3)

    def narrow(self) -> Strategy:
        return AStar(STEPS, width=1)


class TestAStarInFlight(OnLetters):
    def strategy(self) -> Strategy:
        return AStar(STEPS, g=Judged(Worth()), width=3, in_flight=3, key=of_text)

    def over(self, environment: Any, verifier: Verifier) -> Strategy:
        return AStar(environment, g=Judged(verifier), width=3, in_flight=3, key=str)


class TestToolChain(OnLetters):
    def strategy(self) -> Strategy:
        return AStar.toolchain(STEPS, (("a", "b"), ("c",)), width=3, expansions=5)


class TestImagined(OnLetters):
    def strategy(self) -> Strategy:
        return AStar(STEPS, h=Imagined(), width=2, in_flight=2, expansions=6)


def of_text(state: Any) -> str:
    return str(state.text)


# --- graphs ----------------------------------------------------------------------------------------------------------

Edges = Mapping[tuple[Any, Any], float]


@dataclass(frozen=True)
class Roads:
    """States are towns, actions the towns that a road leads to. expanded: the towns whose roads were asked for."""

    roads: Edges
    start_at: Any = 0
    goals: frozenset[Any] = frozenset()
    expanded: list[Any] = field(default_factory=list)
    stepped: list[Any] = field(default_factory=list)

    async def start(self, prompt: Prompt, run: Run) -> Any:
        return self.start_at

    def prompt(self, state: Any) -> Prompt:
        raise AssertionError("nobody has to propose what can be listed")

    def step_params(self, run: Run) -> None:
        raise AssertionError("nobody has to propose what can be listed")

    def actions(self, state: Any) -> list[Any]:
        self.expanded.append(state)
        return [b for a, b in self.roads if a == state]

    async def step(self, state: Any, action: Sample[Any], run: Run) -> Transition[Any]:
        self.stepped.append(action.value)
        return Transition(action.value, terminal=action.value in self.goals)

    def candidate(self, state: Any) -> Sample[Any]:
        return Sample(state)

    def length(self, path: Path) -> float:
        return self.roads[path.states[-2], path.state]


def travel(world: Roads, h: Any = zero, **options: Any) -> Result[Any]:
    strategy = AStar(world, world.length, h, expansions=10_000, **options)
    return asyncio.run(solve("q", strategy))


def table(values: Mapping[Any, float]) -> Any:
    return lambda path: values[path.state]


def spent(result: Result[Any]) -> float:
    """g of the answer: its f, for h is 0 at goals."""
    tree = grown(result)
    [end] = [n for n in range(len(tree)) if tree.terminal[n] and tree.full[n]]
    return -float(tree.score[end])


def grown(result: Result[Any]) -> Any:
    assert result.tree is not None
    return result.tree


def distances(roads: Edges, goals: frozenset[Any]) -> dict[Any, float]:
    """Dijkstra, from the goals backwards; a goal has no way on."""
    best, heap = dict[Any, float](), [(0.0, goal) for goal in sorted(goals)]
    while heap:
        d, town = heapq.heappop(heap)
        if town in best:
            continue
        best[town] = d
        for (a, b), length in roads.items():
            if b == town and a not in goals:
                heapq.heappush(heap, (d + length, a))
    return best


def network(seed: int, towns: int = 9, *, acyclic: bool = False) -> tuple[Roads, dict[Any, float]]:
    """A random graph in which town 0 can reach the last, and every town's true distance."""
    rng = random.Random(seed)
    while True:
        pairs = [p for p in itertools.permutations(range(towns), 2) if not acyclic or p[0] < p[1]]
        roads = {pair: float(rng.randint(1, 9)) for pair in rng.sample(pairs, len(pairs) // 3)}
        goals = frozenset({towns - 1})
        true = distances(roads, goals)
        if 0 in true:
            return Roads(roads, goals=goals), true


def consistent(roads: Edges, true: Mapping[Any, float], towns: int) -> dict[Any, float]:
    """Half of the true distance: it falls by at most the length of a road. Infinite where no road leads to the goal."""
    return {town: true.get(town, math.inf) / 2 for town in range(towns)}


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("keyed", [False, True])
def test_a_consistent_heuristic_gives_the_cost_that_dijkstra_gives(keyed: bool, in_flight: int) -> None:
    """40 random graphs, with and without a closed set, expanding one or several at once: the least cost."""
    for seed in range(40):
        world, true = network(seed, acyclic=not keyed)
        h = consistent(world.roads, true, 9)
        result = travel(world, table(h), key=int if keyed else None, in_flight=in_flight)
        assert result.answer == 8
        assert spent(result) == true[0]


def test_admissible_is_enough_because_states_are_opened_again() -> None:
    """Any h that never overestimates, consistent or not: the least cost, although states are merged."""
    reopened = 0
    for seed in range(60):
        world, true = network(seed, towns=14)
        rng = random.Random(seed)
        h = {town: rng.choice([0.0, true.get(town, 9.0)]) for town in range(14)}
        assert spent(travel(world, table(h), key=int)) == true[0]
        reopened += len(world.expanded) > len(set(world.expanded))
    assert reopened >= 5


def test_a_brute_force_over_all_simple_paths_finds_nothing_cheaper() -> None:
    """The second oracle: every way from 0 to the end of a graph of 6 towns, written out."""
    for seed in range(20):
        world, _ = network(seed, towns=6)
        ways = ((0, *middle, 5) for r in range(5) for middle in itertools.permutations(range(1, 5), r))
        lengths = [
            sum(world.roads[pair] for pair in itertools.pairwise(way))
            for way in ways
            if all(pair in world.roads for pair in itertools.pairwise(way))
        ]
        assert spent(travel(world, key=int)) == min(lengths)


def popped_costs(world: Roads, h: Mapping[Any, float], result: Result[Any]) -> list[float]:
    """f of the expanded nodes, in order. A town is expanded once in these worlds."""
    tree = grown(result)
    cheapest = {
        town: min(-tree.score[n] for n in range(1, len(tree)) if tree.state[n] == town) for town in world.expanded[1:]
    }
    return [h[0], *(cheapest[town] for town in world.expanded[1:])]


def test_pops_are_in_non_decreasing_f_if_h_is_consistent() -> None:
    for seed in range(40):
        world, true = network(seed)
        h = consistent(world.roads, true, 9)
        costs = popped_costs(world, h, travel(world, table(h), key=int))
        assert costs == sorted(costs)


def test_pops_can_fall_in_f_if_h_is_not_consistent() -> None:
    """f of S, A, B, the goal is 5, 5, 3, 3: from A to B, h falls by 3 along a road of 1."""
    roads = {("S", "A"): 1.0, ("A", "B"): 1.0, ("B", "G"): 1.0}
    h = {"S": 5.0, "A": 4.0, "B": 1.0, "G": 0.0}
    world = Roads(roads, "S", frozenset("G"))
    tree = grown(travel(world, table(h)))
    assert [-tree.score[n] for n in range(1, 4)] == [5.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("h_of_a", "answer", "cost", "expanded"),
    [
        # S-A-G costs 2, S-G costs 3. f(A) = 1 + h(A), f(G directly) = 3.
        (0.0, "SAG", 2.0, ["S", "A"]),  # f(A) = 1 < 3: expanded, G costs 2
        (1.0, "SAG", 2.0, ["S", "A"]),  # the true distance
        (1.9, "SAG", 2.0, ["S", "A"]),  # too much, but f(A) = 2.9 < 3 still
        (2.0, "SG", 3.0, ["S"]),  # f(A) = 3 = f(G): the tie goes to the lower h, the goal
        (5.0, "SG", 3.0, ["S"]),  # f(A) = 6: the dear way is taken first
        (math.inf, "SG", 3.0, ["S"]),  # "no way from A", wrongly
    ],
)
def test_an_estimate_that_is_too_high_can_cost_the_optimum(
    h_of_a: float, answer: str, cost: float, expanded: Any
) -> None:
    world = Roads({("S", "A"): 1.0, ("A", "G"): 1.0, ("S", "G"): 3.0}, "S", frozenset("G"))
    result = travel(world, table({"A": h_of_a, "G": 0.0}))
    assert "S" + "".join(solved_plan(grown(result))).replace("'", "") == answer
    assert spent(result) == cost
    assert world.expanded == expanded


def test_a_perfect_heuristic_expands_the_answer_and_nothing_else() -> None:
    """Ties go to the lower h: as many expansions as the optimal path has steps, also where there are several."""
    for seed in range(40):
        world, true = network(seed)
        result = travel(world, table({town: true.get(town, math.inf) for town in range(9)}))
        assert len(world.expanded) == len(solved_plan(grown(result)))
        assert spent(result) == true[0]


def test_with_equal_steps_and_no_heuristic_it_is_breadth_first() -> None:
    """The defaults: nodes are expanded level by level, in the order in which they were made."""
    world = Known({"": "abc", "a": "xy", "b": "x", "c": "xyz", "ax": "p", "ay": "p", "bx": "p", "cx": "p", "cz": "p"})
    tree = grown(run(AStar(world, width=3, expansions=50), world))
    inner = sorted((n for n in range(len(tree)) if tree.expanded[n]), key=lambda n: tree.children(n)[0])
    assert [tree.state[n] for n in inner] == ["", "a", "b", "c", "ax", "ay", "bx", "cx"]  # then it is the turn of cy
    assert [n for n in range(len(tree)) if tree.full[n] and tree.terminal[n]] == [tree.state.index("cy")]
    order = [(tree.depth[n], n) for n in inner]
    assert order == sorted(order)


def test_costs_only_grow_along_a_path() -> None:
    """g never falls: f of a child is at least its parent's where h is 0."""
    for seed in range(20):
        world, _ = network(seed)
        tree = grown(travel(world, key=int))
        for node in range(1, len(tree)):
            above = 0.0 if tree.parent[node] == ROOT else -tree.score[tree.parent[node]]
            assert -tree.score[node] >= above


def textbook(world: Roads, h: Mapping[Any, float], keyed: bool) -> list[Any]:
    """The towns that a textbook A* expands, in order: least f, then least h, then made first."""
    made, heap, best, order = 0, [(0.0, 0.0, 0, world.start_at, 0.0)], {world.start_at: 0.0}, list[Any]()
    while heap:
        _, _, _, town, g = heapq.heappop(heap)
        if keyed and best[town] < g:
            continue
        if town in world.goals:
            break
        order.append(town)
        for (a, b), length in world.roads.items():
            if a == town:
                made, cost = made + 1, g + length
                if keyed and best.get(b, math.inf) <= cost:
                    continue
                best[b] = cost
                heapq.heappush(heap, (cost + h[b], h[b], made, b, cost))
    return order


@pytest.mark.parametrize("keyed", [False, True])
def test_one_in_flight_expands_what_a_textbook_a_star_expands(keyed: bool) -> None:
    """40 random graphs, any h, many ties: the same towns in the same order."""
    for seed in range(40):
        world, _ = network(seed, acyclic=not keyed)
        rng = random.Random(seed)
        h = {town: 0.0 if town == 8 else float(rng.randint(0, 6)) for town in range(9)}
        travel(world, table(h), key=int if keyed else None)
        assert world.expanded == textbook(world, h, keyed)


def test_several_in_flight_know_what_the_windows_let_them_know() -> None:
    """Two at once in a chain with a branch: the second selection has to do without the first one's outcome."""
    roads = {("S", "A"): 1.0, ("S", "B"): 2.0, ("A", "C"): 0.0, ("B", "D"): 0.0, ("C", "G"): 9.0, ("D", "G"): 9.0}
    orders = []
    for in_flight in (1, 2):
        world = Roads(roads, "S", frozenset("G"))
        travel(world, in_flight=in_flight)
        orders.append("".join(world.expanded))
    assert orders == ["SACBD", "SABCD"]  # A and B start together; C is known when the third starts


def test_an_end_waits_for_what_is_in_flight() -> None:
    """S-G costs 5 and comes up while A is in flight; A leads to B, and S-A-B-G costs 3."""
    roads = {("S", "A"): 1.0, ("S", "G"): 5.0, ("A", "B"): 1.0, ("B", "G"): 1.0}
    for in_flight in (1, 2, 9):
        world = Roads(roads, "S", frozenset("G"))
        assert spent(travel(world, in_flight=in_flight)) == 3.0
        assert world.expanded == ["S", "A", "B"]


def test_what_leads_nowhere_is_not_expanded() -> None:
    """An infinite h says that there is no way; so does an infinite step."""
    roads = {("S", "A"): 1.0, ("A", "G"): 1.0}
    for road, h in ((1.0, math.inf), (math.inf, 0.0)):
        world = Roads(roads | {("S", "A"): road}, "S", frozenset("G"))
        result = travel(world, table({"A": h, "G": 0.0}))
        assert world.expanded == ["S"]
        assert (result.answer, result.sample.finish) == ("A", "length")


# --- a puzzle --------------------------------------------------------------------------------------------------------

SOLVED = "12345678_"


def slides(board: str) -> list[str]:
    """The boards that one move leads to."""
    at = board.index("_")
    row, column, found = at // 3, at % 3, []
    for y, x in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
        if 0 <= y < 3 and 0 <= x < 3:
            tiles = list(board)
            tiles[at], tiles[3 * y + x] = tiles[3 * y + x], "_"
            found.append("".join(tiles))
    return found


def manhattan(path: Path) -> float:
    return sum(
        abs(i // 3 - SOLVED.index(tile) // 3) + abs(i % 3 - SOLVED.index(tile) % 3)
        for i, tile in enumerate(path.state)
        if tile != "_"
    )


@dataclass(frozen=True)
class Sliding:
    board: str

    async def start(self, prompt: Prompt, run: Run) -> str:
        return self.board

    def prompt(self, state: str) -> Prompt:
        return Prompt.of(state)

    def step_params(self, run: Run) -> None:
        return None

    def actions(self, state: str) -> list[str]:
        return slides(state)

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        return Transition(action.value, terminal=action.value == SOLVED)

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state)


def test_the_sliding_puzzle_is_solved_in_the_fewest_moves() -> None:
    """The true number of moves comes from a breadth-first search of the boards within 14 moves of the solved one."""
    moves, waiting = {SOLVED: 0}, deque([SOLVED])
    while waiting and moves[waiting[0]] < 14:
        board = waiting.popleft()
        for after in slides(board):
            if after not in moves:
                moves[after] = moves[board] + 1
                waiting.append(after)
    for board in random.Random(0).sample(sorted(b for b in moves if moves[b] > 7), 8):
        for h, in_flight in ((manhattan, 1), (manhattan, 4)):
            strategy = AStar(Sliding(board), h=h, key=str, expansions=3000, in_flight=in_flight)
            result = asyncio.run(solve("solve it", strategy))
            assert result.answer == SOLVED
            assert len(solved_plan(grown(result))) == moves[board]
            assert result.usage == replace(Usage(), cpu_seconds=result.usage.cpu_seconds)


# --- what is drawn ---------------------------------------------------------------------------------------------------


def test_equal_actions_are_merged_the_more_frequent_first_with_their_shares() -> None:
    """Drawn: b a c c b c. Children: c (3 of 6), b (2 of 6), a (1 of 6)."""
    world = Known({"": "baccbc", "a": "x", "b": "x", "c": "x"})
    tree = grown(run(AStar(world, width=6, expansions=1), world))
    assert [(tree.text[n], tree.prior[n]) for n in tree.children(ROOT)] == [("c", 0.5), ("b", 1 / 3), ("a", 1 / 6)]


def test_a_cost_sees_the_whole_path() -> None:
    """States, actions, names, share, end and reward, as the environment gave them."""
    seen = list[Path]()

    def look(path: Path) -> float:
        seen.append(path)
        return 1.0

    world = Known({"": "ab", "a": "x"}, rewards={"ax": 0.5})
    run(AStar(world, g=look, width=2, expansions=2, name=str.upper), world)
    last = seen[-1]
    assert (last.states, last.actions, last.names) == (("", "a", "ax"), ("a", "x"), ("A", "X"))
    assert (last.share, last.terminal, last.reward, last.sample) == (1.0, True, 0.5, Sample("ax"))
    assert [p.share for p in seen] == [0.5, 0.5, 1.0]
    assert last.prompt == Prompt.of("q")


CHAIN = {"": "ab", "a": "bcd", "ab": "c", "ac": "d", "ad": "c", "b": "acd", "ba": "c", "bc": "a", "bd": "a"}


def allowed() -> networkx.DiGraph[str]:
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from([("a", "c"), ("c", "d"), ("<start>", "a")])
    return graph


@pytest.mark.parametrize("graph", [{"<start>": "a", "a": ["c"], "c": {"d"}}, allowed()], ids=["mapping", "networkx"])
def test_actions_that_may_not_follow_are_dropped_before_they_are_stepped(graph: Any) -> None:
    """Only a, c, d may follow one another. The others are closed nodes without a state, and cost no step."""
    stepped = list[str]()

    @dataclass(frozen=True)
    class Watched(Known):
        async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
            stepped.append(state + action.value)
            return await super().step(state, action, run)

    world = Watched(CHAIN)
    result = run(AStar(world, width=3, graph=graph), world)
    tree = grown(result)
    assert result.answer == "acd"
    assert stepped == ["a", "ac", "acd"]
    dropped = [tree.text[n] for n in range(1, len(tree)) if tree.state[n] is None]
    assert dropped == ["b", "b", "d"]
    assert all(tree.closed[n] and not tree.visits[n] for n in range(1, len(tree)) if tree.state[n] is None)


def test_a_graph_without_a_start_lets_anything_come_first_and_names_can_be_shorter() -> None:
    """The graph knows functions, not their arguments: "find(x)" is known as "find". A missing entry allows nothing."""
    world = Known({"": "Ab", "A": "bc", "b": "Ac", "Ac": "d", "bc": "d"})
    result = run(AStar(world, width=2, graph={"a": "c", "c": "d"}, name=str.lower), world)
    tree = grown(result)
    assert result.answer == "Acd"
    assert {tree.text[n] for n in tree.children(ROOT) if tree.state[n] is not None} == {"A", "b"}
    assert [tree.text[n] for n in range(1, len(tree)) if tree.state[n] is None] == [
        "b",
        *"Ac",
        *"Ac",
    ]  # twice all after b


def test_a_node_from_which_nothing_may_follow_is_tried_again_and_then_closed() -> None:
    """Nothing may follow a: its draws are repeated once with new indices, then it is closed. b leads on."""
    world = Known({"": "ab", "a": "xyz", "b": "z"})
    result = run(AStar(world, width=2, graph={"b": "z"}, retries=1), world)
    tree = grown(result)
    assert result.answer == "bz"
    assert [tree.text[n] for n in tree.children(1)] == ["x", "y", "z", "x"]  # samples 0, 1, then 2, 3
    assert (tree.failures[1], tree.closed[1]) == (2, 1)


def test_an_action_that_cannot_be_named_is_dropped_and_the_error_kept() -> None:
    def picky(action: str) -> str:
        if action == "b":
            raise ValueError("cannot name b")
        return action

    world = Known({"": "ab", "a": "x"})
    result = run(AStar(world, width=2, name=picky), world)
    assert result.answer == "ax"
    assert grown(result).state[2] is None
    assert "cannot name b" in str(result.errors[0])


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_dead_end_is_never_an_answer() -> None:
    """a ends with the least reward, although it is first; where all ends are dead, the path before them comes back."""
    world = Known({"": "ab", "b": "xy"}, rewards={"a": 0.0, "bx": 0.0, "by": 1.0})
    result = run(AStar(world, width=2), world)
    assert result.answer == "by"
    assert [(c.sample.value, c.score) for c in result.candidates] == [("by", 1.0)]
    nowhere = replace(world, rewards={"a": 0.0, "bx": 0.0, "by": 0.0})
    result = run(AStar(nowhere, width=2), nowhere)
    assert (result.answer, result.sample.finish) == ("b", "length")
    below = replace(world, rewards={"a": -1.0, "bx": -1.0, "by": 0.0})
    assert run(AStar(below, width=2, least=-1.0), below).answer == "by"
    cut = Cut(world.children, rewards=nowhere.rewards, cut="by")
    assert run(AStar(cut, width=2), cut).answer == "b"
    hopeless = Cut({"": "a"}, rewards={"a": 0.0}, cut="a")
    assert run(AStar(hopeless), hopeless).answer == ""


@dataclass(frozen=True)
class Cut(Known):
    """The path `cut` ends by truncation."""

    cut: str = ""

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state, finish="length" if state == self.cut else "stop")


def test_an_end_that_is_cut_off_is_no_answer_unless_there_is_nothing_else() -> None:
    """Two steps are not enough for three letters: cut texts do not end the search, the nearest comes back."""
    result = write(AStar(TextSteps("/", max_steps=2), width=3, h=Judged(Worth())))
    tree = grown(result)
    assert sum(tree.expanded) == 1 + len(tree.children(ROOT))  # everything was tried
    assert result.sample.finish == "length"
    cut = [tree.state[n].text for n in range(1, len(tree))]
    assert result.answer == max(cut, key=worth)  # the least h of all
    world = Cut({"": "ab", "b": "x"}, cut="a")
    assert run(AStar(world, width=2), world).answer == "bx"
    assert run(AStar(world, width=1), world).answer == "a"


def test_an_end_made_but_not_first_is_the_answer_where_the_search_stops() -> None:
    """b ends at cost 5, c at 4: both wait behind a and ax. With two expansions they are all there is; c is better."""
    price = {"a": 1.0, "b": 5.0, "c": 4.0, "x": 1.0, "y": 1.0}
    world = Known({"": "abc", "a": "x", "ax": "y"})
    strategy = AStar(world, g=lambda path: price[path.actions[-1]], width=3, expansions=2)
    result = run(strategy, world)
    assert (result.answer, result.sample.finish) == ("c", "stop")
    assert solved_plan(grown(result)) == ("c",)
    assert run(replace(strategy, expansions=3), world).answer == "axy"


def test_the_number_of_expansions_is_exact_and_the_nearest_path_comes_back() -> None:
    """Without an end: the least h wins, of equals the longest, of equals the first; it is marked."""
    endless = Known({"".join(p): "ab" for r in range(6) for p in itertools.product("ab", repeat=r)})
    for n in (1, 2, 5):
        result = run(AStar(endless, width=2, expansions=n), endless)
        assert result.usage.generations == 2 * n
        assert sum(grown(result).expanded) == n
        assert result.sample.finish == "length"
    assert run(AStar(endless, width=2, expansions=4), endless).answer == "aaa"
    towards = AStar(endless, h=lambda path: 5.0 - path.state.count("b"), width=2, expansions=3)
    assert run(towards, endless).answer == "bbb"


def test_a_candidate_has_the_environments_reward_else_minus_f() -> None:
    world = Known({"": "abc", "c": "x"}, rewards={"a": 0.25})
    strategy = AStar(world, g=lambda path: 3.0, h=lambda path: 2.0, width=3, expansions=1)
    assert {c.sample.value: c.score for c in run(strategy, world).candidates} == {"a": 0.25, "b": -5.0}


# --- costs that ask --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "cost"), [(-1.0, 3.0), (0.0, 1.5), (0.5, 0.75), (1.0, 0.0), (None, None)])
def test_a_verifiers_score_becomes_a_cost(score: float | None, cost: float | None) -> None:
    """Range -1 to 1, scale 3: the least score costs 3, the highest nothing, linear between; abstaining is unknown."""
    world = Known({"": "ab", "a": "x"}, {"a": score})
    judge = Predicate(lambda value: Verdict(score), name="fixed", range=(-1.0, 1.0))
    result = run(AStar(world, h=Judged(judge, scale=3.0), width=1, expansions=1), world)
    found = -grown(result).score[1]
    assert math.isnan(found) if cost is None else found == 1.0 + cost


def test_of_step_scores_the_last_counts_and_a_reward_needs_no_verifier() -> None:
    world = Known({"": "ab", "b": "x"}, {"b": (0.5, 1.0, 0.75)}, {"a": 0.25})
    result = run(AStar(world, h=Judged(world.verifier), width=2, expansions=1), world)
    assert [-grown(result).score[n] for n in (1, 2)] == [1.75, 1.25]
    assert result.usage.verifications == 1


def test_a_perfect_verifier_as_heuristic_goes_straight_to_the_best_leaf() -> None:
    """h is how far the best leaf below is from the best of all: one expansion a letter, from the best first letter."""
    best = max(LEAVES, key=worth)

    def promise(text: str) -> bool:
        return best.startswith(text.rstrip("/"))

    result = write(AStar(STEPS, h=Judged(Predicate(promise, name="promise"), scale=99.0), width=40))
    assert result.answer == best
    assert sum(grown(result).expanded) == 3


def test_what_cannot_be_judged_comes_last_and_is_not_lost() -> None:
    """h fails on a, and is unknown for b: c is expanded first, then a, then b, in the order in which they were made."""

    def picky(path: Path) -> float | None:
        if path.state == "a":
            raise ValueError("cannot judge a")
        return None if path.state == "b" else 5.0

    world = Known({"": "abc", "a": "x", "b": "x", "c": "x", "ax": "p", "bx": "p", "cx": "p"}, rewards={"cxp": 0.0})
    result = run(AStar(world, h=picky, width=3), world)
    tree = grown(result)
    inner = sorted((n for n in range(len(tree)) if tree.expanded[n]), key=lambda n: tree.children(n)[0])
    assert [tree.state[n] for n in inner] == ["", "c", "cx", "a", "ax"]
    assert "cannot judge a" in str(result.errors[0])


def test_an_unknown_step_cost_stays_unknown_further_down() -> None:
    """g of a is unknown, so f of ax is too: b is followed to its end first, however dear."""
    world = Known({"": "ab", "a": "x", "b": "x", "bx": "y", "bxy": "z"})
    strategy = AStar(world, g=lambda path: None if path.state == "a" else 100.0, width=2)
    assert run(strategy, world).answer == "bxyz"


def test_imagined_plans_count_what_is_still_to_come() -> None:
    """The model imagines four actions: after one of them three are left, which cost f = 1 + 3. Ends ask nothing."""
    asked = list[str]()

    async def model(prompt: Prompt) -> str:
        asked.append(prompt.messages[-1].text)
        return " go\n\nstop\nturn\nhalt "

    world = Known({"": "a", "a": "x"})
    strategy = AStar(world, h=Imagined(), width=1, generator=world)
    result = asyncio.run(solve("drive home", strategy, generator=Function(model)))
    tree = grown(result)
    assert [-tree.score[n] for n in (1, 2)] == [4.0, 2.0]
    assert len(asked) == 1
    assert asked[0].startswith("drive home\n")
    assert "```\na\n```" in asked[0]
    assert lines(" go\n\nstop") == ("go", "stop")


def test_imagination_is_a_model_call_but_no_generation_and_no_candidate() -> None:
    """What the backend counted was paid; generations are the actions alone; candidates are finished texts alone."""
    backend = Counting(Letters())
    result = asyncio.run(solve("q", AStar(STEPS, h=Imagined(), width=3, expansions=4), generator=Model(backend)))
    tree = grown(result)
    asked = sum(not tree.terminal[n] for n in range(1, len(tree)))
    assert result.usage.generations == 3 * sum(tree.expanded)
    assert result.usage.model_calls == backend.calls == result.usage.generations + asked
    assert {c.sample.value for c in result.candidates} <= {*LEAVES, result.answer}


def test_imagination_that_fails_leaves_the_cost_unknown() -> None:
    def refuse(prompt: str) -> str:
        raise RuntimeError("no imagination")

    world = Known({"": "ab", "a": "x"})
    result = asyncio.run(solve("q", AStar(world, h=Imagined(Function(refuse)), width=2, generator=world)))
    assert math.isnan(grown(result).score[1])
    assert result.answer == "b"  # the end is known to cost nothing more
    assert "no imagination" in str(result.errors[0])


# --- ToolChain* ------------------------------------------------------------------------------------------------------

MEMORY = (("find", "open", "read", "close"), ("open", "write"))


def at(*names: str, share: float = 1.0, terminal: bool = False) -> Path:
    return Path(Prompt.of("q"), ("",), Sample(""), names, names, share, terminal)


@dataclass(frozen=True)
class Fixed:
    """An imagination that always imagines the same plan; `asked` counts."""

    imagined: tuple[str, ...]
    asked: list[Path] = field(default_factory=list)

    async def plan(self, path: Path, run: Run) -> Sequence[str]:
        self.asked.append(path)
        return self.imagined


@pytest.mark.parametrize(
    ("names", "share", "alpha", "cost"),
    [
        # g1 = max over plans of LCS / min(lengths): find: 1/1; g1 = 1 makes the step free for alpha > 0
        (("find",), 0.25, 0.5, 0.0),
        # find write: LCS 1 of 2 with either plan: (1/2) ** 0.5 * (3/4) ** 0.5
        (("find", "write"), 0.25, 0.5, 0.5**0.5 * 0.75**0.5),
        # open x y write: LCS (open write) 2 of min(4, 2) with the second plan: free
        (("open", "x", "y", "write"), 0.5, 0.5, 0.0),
        # find x close: LCS 2 of 3 with the first plan
        (("find", "x", "close"), 0.0, 0.25, (1 / 3) ** 0.25),
        # nothing in common
        (("x",), 0.75, 0.5, 0.25**0.5),
        # alpha = 0: only the share counts; alpha = 1: only memory
        (("find",), 0.25, 0.0, 0.75),
        (("find", "write"), 0.25, 1.0, 0.5),
        (("x",), 1.0, 1.0, 1.0),
    ],
)
def test_the_step_cost_by_hand(names: Any, share: float, alpha: float, cost: float) -> None:
    assert ToolChainG(MEMORY, alpha)(at(*names, share=share)) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("names", "beta", "imagined", "cost"),
    [
        # h1: "open" is 2nd of 4 and 1st of 2: mean of 1/2 and 1/2; h2: find, open of 5 imagined
        (("find", "open"), 0.5, ("find", "open", "read", "sort", "close"), (1 / 2) ** 0.5 * (3 / 5) ** 0.5),
        # "close" is 4th of 4 in the one plan that has it: nothing to come
        (("close",), 0.5, ("a", "b"), 0.0),
        # "sort" is in no plan: h1 = 0; not imagined either
        (("sort",), 0.5, ("a", "b"), 1.0),
        # beta = 0: only imagination: 1 of 4; a repeated action counts as often as it is imagined
        (("read", "read"), 0.0, ("read", "x", "y", "z"), 0.75),
        (("read", "read"), 0.0, ("read", "x", "read", "z"), 0.5),
        # an empty imagined plan says nothing
        (("read",), 0.0, (), 1.0),
        # beta = 1: only memory: "read" is 3rd of 4
        (("read",), 1.0, ("read",), 0.25),
    ],
)
def test_the_rest_cost_by_hand(names: Any, beta: float, imagined: Any, cost: float) -> None:
    fixed = Fixed(imagined)
    assert ask(ToolChainH(MEMORY, beta, fixed), at(*names)) == pytest.approx(cost)
    assert len(fixed.asked) == (beta < 1)


def ask(cost: ToolChainH, path: Path) -> float:
    async def main() -> float:
        found = list[float]()

        @dataclass(frozen=True)
        class Once(Strategy):
            async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
                found.append(await cost.cost(path, run))
                return Sample("")

        await solve("q", Once())
        return found[0]

    return asyncio.run(main())


def test_an_end_has_nothing_to_come_and_nothing_is_imagined_there() -> None:
    fixed = Fixed(("x", "y"))
    assert ask(ToolChainH(MEMORY, 0.5, fixed), at("x", terminal=True)) == 0.0
    assert not fixed.asked


def test_without_memory_and_imagination_only_the_shares_count() -> None:
    """Nothing is divided by zero; h is 1 before the end, the step costs the root of 1 - share."""
    assert ToolChainG()(at("x", share=0.75)) == 0.5
    assert ask(ToolChainH(imagine=None), at("x")) == 1.0


def test_alpha_and_beta_zero_drop_the_memory() -> None:
    """Whatever is in memory, the search is the same as without it."""
    world = Known({"": "aabc", "a": "xy", "b": "xy", "c": "xy", "ax": "p", "bx": "p", "cx": "p"})
    trees = [
        grown(run(AStar.toolchain(world, memory, 0.0, 0.0, Fixed(("c", "x", "p")), width=4), world)).to_json()
        for memory in ((), (("c", "x", "p"),), (("b", "y"), ("a",)))
    ]
    assert trees[0] == trees[1] == trees[2]
    other = AStar.toolchain(world, (("c", "x", "p"),), 0.5, 0.0, Fixed(("c", "x", "p")), width=4)
    assert grown(run(other, world)).to_json() != trees[0]


def test_costs_are_between_0_and_1() -> None:
    """Random paths, plans, shares and weights."""
    rng = random.Random(0)

    def plan(least: int) -> tuple[str, ...]:
        return tuple(rng.choice("abcd") for _ in range(rng.randint(least, 6)))

    for _ in range(300):
        memory, weight = tuple(plan(1) for _ in range(rng.randint(0, 3))), rng.choice([0.0, 0.3, 1.0, rng.random()])
        path = at(*plan(1), share=rng.choice([0.0, 1.0, rng.random()]))
        assert 0.0 <= ToolChainG(memory, weight)(path) <= 1.0
        assert 0.0 <= ask(ToolChainH(memory, weight, Fixed(plan(0))), path) <= 1.0


def test_common_subsequences_as_brute_force_finds_them() -> None:
    """All subsequences of one, looked for in the other."""

    def within(part: Sequence[str], whole: Sequence[str]) -> bool:
        rest = iter(whole)
        return all(x in rest for x in part)

    rng = random.Random(1)
    for _ in range(300):
        a, b = ("".join(rng.choice("abc") for _ in range(rng.randint(0, 7))) for _ in range(2))
        every = (part for r in range(len(a) + 1) for part in itertools.combinations(a, r))
        assert common(a, b) == max(len(part) for part in every if within(part, b))


def test_a_solved_plan_makes_the_next_search_cheaper() -> None:
    """Memory is a value that the caller passes on: the second search follows the first one's plan and no other."""
    world = Known(
        {"": "aabc", "a": "xxyz", "b": "xxyz", "c": "xxyz", "cz": "p", "ax": "p", "ay": "q"} | DEAD, rewards=LOST
    )
    first = run(AStar.toolchain(world, imagine=None, width=4), world)
    plan = solved_plan(grown(first))
    assert (first.answer, plan) == ("czp", ("c", "z", "p"))
    second = run(AStar.toolchain(world, (plan,), imagine=None, width=4), world)
    assert second.answer == "czp"
    assert sum(grown(second).expanded) == 3 < sum(grown(first).expanded)


def test_a_memory_with_an_empty_plan_is_one_without_it() -> None:
    """What `solved_plan` gives where nothing was solved can be added as it is."""
    unsolved = run(AStar(Known({"": "ab"}, rewards={"a": 0.0, "b": 0.0})), Known({"": "ab"}))
    plan = solved_plan(grown(unsolved))
    assert plan == ()
    assert ToolChainG((*MEMORY, plan))(at("find", "write", share=0.25)) == pytest.approx(0.5**0.5 * 0.75**0.5)
    assert ask(ToolChainH((plan, *MEMORY), 1.0), at("read")) == 0.25


@dataclass(frozen=True)
class Calls(Known):
    """`Known` whose actions are no texts: the letter "a" is the call {"tool": "a"}."""

    async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
        return await super().step(state, Sample(action.value["tool"]), run)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        drawn = await super().generate(prompt, run, params=params)
        return replace(drawn, value={"tool": drawn.value})


@pytest.mark.parametrize("named", ["by value", "by a function"])
def test_a_solved_plan_of_actions_that_are_no_texts_is_recognised(named: str) -> None:
    """As in the test above: by what a value is written as, or by a name, which solved_plan is told to read there."""
    children = {"": "aabc", "a": "xxyz", "b": "xxyz", "c": "xxyz", "cz": "p", "ax": "p", "ay": "q"} | DEAD
    world = Calls(children, rewards=LOST)
    options: dict[str, Any] = {"imagine": None, "width": 4, "name": repr}
    if named == "by a function":
        options["name"] = lambda value: value["tool"]
    first = run(AStar.toolchain(world, **options), world)
    tree = grown(first)
    plan = solved_plan(tree, lambda text: ast.literal_eval(text)["tool"]) if named != "by value" else solved_plan(tree)
    assert plan == (("c", "z", "p") if named != "by value" else ("{'tool': 'c'}", "{'tool': 'z'}", "{'tool': 'p'}"))
    second = run(AStar.toolchain(world, (plan,), **options), world)
    assert second.answer == "czp"
    assert sum(grown(second).expanded) == 3 < sum(tree.expanded)


def test_names_that_are_no_texts_are_compared_as_the_tree_spells_them() -> None:
    """The numbers 1 and 2 were proposed, "1" and "2" stand in the tree."""
    path = Path(Prompt.of("q"), ("",), Sample(""), (1, 2), (1, 2), 0.5)
    for plan in (("1", "2"), (1, 2)):
        assert ToolChainG((plan,), 1.0)(path) == 0.0
        assert ask(ToolChainH((plan,), 1.0), path) == 0.0
        assert ask(ToolChainH((), 0.0, Fixed(plan)), path) == 0.0  # type: ignore[arg-type]


DEAD = {"az": "p", "bx": "p", "by": "p", "bz": "p", "cx": "p", "cy": "p"}
LOST = dict.fromkeys(("axp", "ayq", "azp", "bxp", "byp", "bzp", "cxp", "cyp"), 0.0)


# --- failures and budgets --------------------------------------------------------------------------------------------


def test_a_failing_expansion_is_tried_again_and_then_given_up() -> None:
    """a fails for good: `retries` more attempts in its turn, then it is closed and b leads on."""
    for retries in (0, 1, 3):
        world = Known({"": "ab", "a": "x", "b": "x"}, broken=frozenset("a"))
        said = pytest.warns(SearchWarning, match="8 of 12 attempts failed") if retries == 3 else nullcontext()
        with said:
            result = run(AStar(world, width=2, retries=retries), world)
        tree = grown(result)
        assert result.answer == "bx"
        assert (tree.failures[1], tree.closed[1]) == (retries + 1, 1)
        assert result.usage.generations == 2 * (1 + retries + 1 + 1)
        assert not any(tree.in_flight)


def test_a_failing_draw_or_step_leaves_the_others() -> None:
    world = Known({"": "abc", "a": "x", "c": "x"}, broken=frozenset("1"))
    result = run(AStar(world, width=3, expansions=1), world)
    assert [grown(result).text[n] for n in (1, 2)] == ["a", "c"]

    @dataclass(frozen=True)
    class Slippery(Known):
        async def step(self, state: str, action: Sample[Any], run: Run) -> Transition[str]:
            if action.value == "b":
                raise CallError("slipped on b")
            return await super().step(state, action, run)

    slippery = Slippery(world.children)
    result = run(AStar(slippery, width=3, expansions=1), slippery)
    assert [grown(result).text[n] for n in (1, 2)] == ["a", "c"]
    assert "slipped on b" in str(result.errors[0])


def test_nothing_but_failures_raises_the_first() -> None:
    world = Known({"": "ab"}, broken=frozenset({""}))
    with pytest.raises(CallError):
        run(AStar(world), world)


def test_where_nothing_is_legal_the_beginning_comes_back_marked() -> None:
    result = travel(Roads({}, "S"))
    assert (result.answer, result.sample.finish) == ("S", "length")
    assert grown(result).closed[ROOT]


def test_out_of_budget_the_best_end_so_far_comes_back() -> None:
    """Generations for some expansions only: nothing beyond is paid, and an end that was found is the answer."""
    for n in range(1, 14):
        result = write(AStar(STEPS, h=Judged(Worth()), width=3), budget=Budget(generations=n))
        assert result.usage.generations <= n
        ends = [c.sample.value for c in result.candidates if not c.sample.truncated]
        assert result.answer in ends if ends else result.sample.truncated
        assert not any(grown(result).failures)


def test_out_of_verifications_the_search_does_not_go_on_blindly() -> None:
    result = write(AStar(STEPS, h=Judged(Worth()), width=9), budget=Budget(verifications=2))
    tree = grown(result)
    assert result.stopped == "budget"
    assert sum(tree.expanded) == 1
    assert len(tree) == 4
    assert sum(tree.score[n] == tree.score[n] for n in range(1, len(tree))) == 2


def test_the_worst_case_is_never_exceeded_and_can_be_reached() -> None:
    one, endless = Usage(generations=1, model_calls=1), Letters("abcdefghij", depth=50)
    strategy = AStar(STEPS, g=Judged(Worth()), h=Judged(Worth()), width=1, expansions=7)
    bound = strategy.worst_case(one)
    used = write(strategy, endless).usage
    assert bound is not None
    assert (used.generations, used.model_calls, used.verifications) == (7, 7, 14)
    assert (bound.generations, bound.model_calls, bound.verifications) == (7, 7, 14)
    assert AStar(STEPS).worst_case(one) == one.times(64 * 4)
    assert AStar(STEPS, h=Imagined()).worst_case(one) is None
    assert AStar(Roads({}), h=Judged(Worth())).worst_case(one) is None


def test_a_search_over_best_of_two_steps() -> None:
    """Each action is the better of two: a nested strategy as the generator, with all calls counted."""
    backend = Counting(Letters())
    strategy = AStar(STEPS, width=2, expansions=3, generator=BestOfN(2, Worth(), generator=Model(backend, Params())))
    result = asyncio.run(solve("q", strategy))
    assert result.usage.generations == backend.calls == 2 * 2 * sum(grown(result).expanded)
    assert all(isinstance(c, Scored) for c in result.candidates)


def test_a_configured_search_pickles() -> None:
    strategy = AStar.toolchain(STEPS, MEMORY, graph={"a": ("b",)}, key=of_text)
    assert pickle.loads(pickle.dumps(strategy)) == strategy


@dataclass(frozen=True)
class Joint(Worth):
    joint: bool = True


@dataclass(frozen=True)
class Endless(Worth):
    @property
    def range(self) -> tuple[float, float]:
        return 0.0, math.inf


def test_mistakes_are_named() -> None:
    """One sentence each; costs that are none are found as soon as they are given."""
    world = Known({"": "ab"})
    for make, said in (
        (lambda: AStar(width=0), "width >= 1"),
        (lambda: AStar(expansions=0), "expansions >= 1"),
        (lambda: AStar(in_flight=0), "in_flight >= 1"),
        (lambda: AStar(retries=-1), "retries >= 0"),
        (lambda: AStar(h=Worth()), "Judged"),  # type: ignore[arg-type]
        (lambda: AStar(g=1.0), "function of a Path"),  # type: ignore[arg-type]
        (lambda: Judged(worth), "Predicate"),  # type: ignore[arg-type]
        (lambda: Judged(Joint()), "joint"),
        (lambda: Judged(Endless()), "finite range"),
        (lambda: Judged(Worth(), scale=-1.0), "scale"),
        (lambda: Imagined(template="what now?"), "plan"),
        (lambda: ToolChainG(alpha=1.5), "alpha"),
        (lambda: ToolChainH(beta=-0.1), "beta"),
        (lambda: ToolChainG(("find", "open")), "tuple of plans"),  # type: ignore[arg-type]
        (lambda: ToolChainG(("find", "open")), "tuple of names"),  # type: ignore[arg-type]
        (lambda: run(AStar(world, g=lambda path: -1.0), world), "0 or more"),
        (lambda: run(AStar(world, h=lambda path: math.nan), world), "None for unknown"),
        (lambda: run(AStar(world, h=lambda path: -math.inf), world), "None for unknown"),
        (lambda: run(AStar(world, h=lambda path: "far"), world), "None for unknown"),  # type: ignore[arg-type,return-value]
        (lambda: asyncio.run(solve("q", AStar())), "generator"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()


@dataclass(frozen=True)
class Paying(Roads):
    """Goals pay; from a town without roads nothing comes back."""

    pays: Mapping[Any, float] = field(default_factory=dict)

    async def step(self, state: Any, action: Sample[Any], run: Run) -> Transition[Any]:
        if action.value == "nowhere":
            await asyncio.Event().wait()
        return Transition(action.value, reward=self.pays.get(action.value), terminal=action.value in self.goals)


def test_stopped_it_answers_with_the_cheapest_end_as_it_does_at_the_end() -> None:
    """Not with the one that pays most: what an end pays is its score, and no part of A*'s rule."""
    roads = {(0, "near"): 3.0, (0, "rich"): 5.0, (0, 1): 1.0, (1, "nowhere"): 1.0, (0, "far"): 9.0}
    world = Paying(roads, goals=frozenset({"near", "rich", "far"}), pays={"near": 0.3, "rich": 1.0, "far": 0.5})

    async def main() -> None:
        search = start("q", AStar(world, world.length))
        for _ in range(100):
            await asyncio.sleep(0)
        best = search.best()
        assert best is not None
        assert (best.sample.value, best.score) == ("near", 0.3)
        search.stop()
        result = await search
        assert (result.answer, result.stopped, len(result.candidates)) == ("near", "cancelled", 3)

    asyncio.run(main())
    world = replace(world, roads={road: length for road, length in roads.items() if road[1] != "nowhere"})
    assert asyncio.run(solve("q", AStar(world, world.length))).answer == "near"
