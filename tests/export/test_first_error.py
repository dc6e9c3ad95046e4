"""First errors by bisection against labelling every step, on simulated chains and on recorded trees."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from searchkit.errors import ConfigError
from searchkit.export import Names, OmegaPRM, Siblings, StepLabels, of_dump
from searchkit.export.dumps import planted
from searchkit.export.first_error import Rollout, first_error
from searchkit.export.reading import grown
from searchkit.export.trajectory import Origin
from tests.export.made import material

OPENR = """{"question": "2+3+4?", "final_answer": "9",
"reasoning_steps": {"text": "2+3+4?", "mc_value": 0.5, "children": [
{"text": "2+3=5", "mc_value": 1.0, "children": [{"text": "5+4=9", "mc_value": 1.0, "children": []}]},
{"text": "2+3=6", "mc_value": 0.0, "children": []}]}}""".replace("\n", "")


def found(steps, shares):
    async def value(i):
        return shares[i - 1]

    return asyncio.run(first_error(steps, value))


@pytest.mark.parametrize("steps", range(1, 65))
def test_bisection_finds_every_first_error_in_log_many_estimates(steps):
    """A deterministic solver, all places of the error: exact, each state once, at most ceil(log2 n)."""
    for error in range(1, steps + 1):
        one = found(steps, [float(i < error) for i in range(1, steps + 1)])
        assert one.step == error
        assert len(one.asked) == len(set(one.asked)) <= math.ceil(math.log2(steps)) if steps > 1 else not one.asked
    with pytest.raises(ConfigError):
        found(0, [])


def test_agreement_with_exhaustive_labels_is_as_computed():
    """Noisy shares of k = 4: a state is missed with probability (1 - p)^k, and bisection asks states that agree or not.

    In closed form for 4 steps, error at the last, p the chance of a right rollout before it: it asks 2, then 3; it is
    right where both are seen alive.
    """
    p, k, rng, trials = 0.3, 4, random.Random(1), 4000
    alive = 1 - (1 - p) ** k
    right = 0
    for _ in range(trials):
        shares = [float(any(rng.random() < p for _ in range(k))) for _ in range(3)] + [0.0]
        right += found(4, shares).step == 4
    assert abs(right / trials - alive**2) < 4 * math.sqrt(alive**2 * (1 - alive**2) / trials)


def chain(steps, error, k, asked):
    """A solver of `steps` steps: half of its rollouts from a right beginning err at step `error`, none other does."""

    async def rollouts(given):
        asked.append(given)
        ends = []
        for i in range(k):
            wrong = any(step.startswith("bad") for step in given) or (i % 2 == 1 and len(given) < error)
            rest = [f"bad{n} " if wrong and n >= error else f"ok{n} " for n in range(len(given) + 1, steps + 1)]
            ends.append(Rollout(tuple(rest), not wrong))
        return ends

    return rollouts


@pytest.mark.parametrize(("steps", "error"), [(8, 1), (8, 5), (8, 8), (16, 9), (3, 2)])
def test_omega_finds_the_bad_step_and_saves_rollouts(steps, error):
    """The tree has the step with value 0 right after one above 0; one search costs k * ceil(log2 steps) at most."""
    asked, k = [], 4
    tree = asyncio.run(OmegaPRM(searches=1).grow(chain(steps, error, k, asked)))
    assert len(asked) == len(set(asked))
    assert k * (len(asked) - 1) <= k * math.ceil(math.log2(steps)) < k * steps
    values = {len("".join(tree.text[n] for n in tree.path(node)).split()): tree.mean(node) for node in range(len(tree))}
    assert all((value > 0) == (length < error) for length, value in values.items())
    if 1 < error < steps:
        assert {error - 1, error} <= set(values)


def test_omega_keeps_to_its_rollouts_and_estimates_no_state_twice():
    """Twenty searches on a chain, and a ceiling of 20 rollouts."""
    asked = []
    asyncio.run(OmegaPRM().grow(chain(16, 9, 4, asked)))
    assert len(asked) == len(set(asked))
    asked.clear()
    asyncio.run(OmegaPRM(most=20).grow(chain(16, 9, 4, asked)))
    assert len(asked) <= 5
    asked.clear()
    tree = asyncio.run(OmegaPRM().grow(chain(8, 99, 2, asked)))  # half err at no step: wrong, and no bad step to find
    assert len(tree) >= 1


def test_a_problem_without_mixed_rollouts_is_a_root():
    """All right: nothing to find."""

    async def right(given):
        return [Rollout(("a", "b"), True)] * 4

    assert len(asyncio.run(OmegaPRM().grow(right))) == 1

    async def none(given):
        return []

    with pytest.raises(ConfigError, match="no continuation"):
        asyncio.run(OmegaPRM().grow(none))


def test_a_tree_of_openrs_kind_becomes_material(tmp_path):
    """Prompt, answer, ends as trajectories, and values as labels."""
    path = tmp_path / "trees.jsonl"
    path.write_text(f"{OPENR}\n\n{OPENR}\n")
    one, other = of_dump(path, licence="MIT")
    assert (one.problem, other.problem) == ("trees/1", "trees/3")
    assert (one.prompt.text, one.reference, one.solved) == ("2+3+4?", "9", 0.5)
    assert [(t.text, t.right, t.origin.licence) for t in one.trajectories] == [
        ("2+3=5\n\n5+4=9\n\n", True, "MIT"), ("2+3=6\n\n", False, "MIT"),
    ]  # fmt: skip
    assert [row.values for row in StepLabels().records(one, Counter())] == [(1.0, 1.0), (0.0,)]
    [pair] = Siblings().records(one, Counter())
    assert (pair.chosen, pair.margin) == ("2+3=5\n\n", 1.0)


def test_a_flat_dump_is_read_by_its_names():
    """In any order; visits weigh the value."""
    names = Names(text="t", value="q", visits="n", id="i", parent="p")
    nodes = [
        {"i": 2, "p": 1, "t": "b", "q": 0.25, "n": 4},
        {"i": 0, "t": ""},
        {"i": 1, "p": 0, "t": "a", "q": 1, "n": 0},
    ]
    tree = planted(nodes[1:] + nodes[:1], names)
    assert (tree.text, list(tree.visits), tree.total[2]) == (["", "a", "b"], [0, 0, 4], 1.0)
    assert planted(nodes, names).text == tree.text


@pytest.mark.parametrize(
    "wrong",
    [
        "[]", "{}", "x", '{"question": "q"}', '{"question": "q", "reasoning_steps": 3}',
        '{"question": "q", "reasoning_steps": {"children": [{"text": 3}]}}',
        '{"question": "q", "reasoning_steps": {"children": {"a": 1}}}',
        '{"question": "q", "reasoning_steps": {"children": [{"text": "a", "mc_value": "high"}]}}',
        '{"question": "q", "reasoning_steps": {"children": [{"text": "a", "mc_value": NaN}]}}',
        '{"question": "", "reasoning_steps": {"children": []}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_such_tree_names_its_line(wrong, tmp_path):
    """Whatever a file says."""
    path = tmp_path / "x.jsonl"
    path.write_text(f"{OPENR}\n{wrong}\n")
    with pytest.raises(ConfigError):
        list(of_dump(path))
    with pytest.raises(ConfigError):
        list(of_dump(tmp_path / "none"))


def test_flat_dumps_without_a_parent_are_told():
    """A circle, or an orphan."""
    names = Names(text="t", id="i", parent="p")
    with pytest.raises(ConfigError, match="under no parent"):
        planted([{"i": 0, "t": ""}, {"i": 1, "p": 2, "t": "a"}, {"i": 2, "p": 1, "t": "b"}], names)
    with pytest.raises(ConfigError, match="list of nodes"):
        planted({}, names)


def test_a_deep_dump_is_read_without_recursion():
    """Five thousand steps one below the other."""
    node = {"text": "end", "mc_value": 1.0}
    for _ in range(5000):
        node = {"text": "s", "mc_value": 0.5, "children": [node]}
    assert len(planted(node)) == 5001


RECORDED = Path(__file__).parents[3] / "shared" / "data" / "openr_trees" / "samples_math-aps-tree.jsonl"


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded trees of openr lie beside the project, not in it")
def test_bisection_against_the_recorded_trees():
    """On every path with a wrong end: where shares never rise again from 0 the first 0 is found, with less."""
    saved = exhaustive = 0
    for one in of_dump(RECORDED):
        for node in range(1, len(one.trees[0].tree)):
            values = [one.trees[0].values[n] for n in one.trees[0].tree.path(node)[1:]]
            if one.trees[0].tree.children(node) or values[-1] != 0:
                continue
            first = next(i for i, value in enumerate(values, 1) if value == 0)
            answer = found(len(values), values)
            assert values[answer.step - 1] == 0
            assert answer.step == 1 or values[answer.step - 2] > 0
            if not any(values[first:]):
                assert answer.step == first
            exhaustive += len(values) - 1
            saved += len(values) - 1 - len(answer.asked)
    assert exhaustive > saved >= 0


def test_grown_trees_give_step_labels():
    """The tree of a bisection goes through the same recipes."""
    tree = asyncio.run(OmegaPRM().grow(chain(8, 5, 4, [])))
    one = material(trees=(grown(tree, Origin("p", "tree"), ""),))
    rows = list(StepLabels().records(one, Counter()))
    assert rows
    assert any(not row.labels[-1] for row in rows)
