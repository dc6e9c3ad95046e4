"""OmegaPRM as a search: its calls are those of every search, and its labels those of the rollouts."""

from __future__ import annotations

import pytest

from searchkit import Budget, Model, Params, solve_sync
from searchkit.errors import ConfigError
from searchkit.export import OmegaPRM, StepLabelling, StepLabels, export, of_journal, of_result
from searchkit.generators import Embedded, shipped
from searchkit.lab.arithmetic import Arithmetic
from searchkit.lab.checker import ARITHMETIC, problem
from searchkit.tree import ROOT

MODEL = Model(Embedded(shipped("arithmetic")), Params(max_tokens=112))
EXPRESSIONS = [problem(one) for one in Arithmetic().expressions(12, "train")]
LABELLING = StepLabelling(ARITHMETIC, k=6, omega=OmegaPRM(most=60))


def labelled(asked, **options):
    return solve_sync(asked, LABELLING, generator=MODEL, seed=1, **options)


@pytest.fixture(scope="module")
def grown():
    """The first problem whose rollouts are mixed."""
    found = ((asked, labelled(asked)) for asked in EXPRESSIONS)
    return next(pair for pair in found if len(pair[1].tree) > 2)


def test_every_rollout_is_counted_and_judged(grown):
    """A share is of k rollouts, and the calls of the search are those of all shares."""
    _, result = grown
    tree = result.tree
    estimated = [node for node in range(len(tree)) if tree.visits[node]]
    assert len(estimated) == len(tree)
    drawn = sum(tree.visits[node] for node in estimated)
    assert result.usage.verifications == result.usage.model_calls >= drawn
    assert drawn <= 60
    right = sum(round(tree.mean(node) * tree.visits[node]) for node in estimated)
    assert right == sum(one.verdict.passed is True and not one.sample.truncated for one in result.candidates)


def test_the_tree_gives_rows_whose_steps_join_to_what_was_asked(grown, tmp_path):
    """Each node's text is the one that was continued, byte for byte."""
    asked, result = grown
    material = of_result(asked, result)
    [one] = material.trees
    for node in range(1, len(one.tree)):
        assert one.prefix(node) == one.tree.state[node].text
        assert one.texts[node]
    assert one.tree.mean(ROOT) not in (0.0, 1.0)
    done = export(material, tmp_path / "steps.jsonl", "trl-prm", recipe=StepLabels())
    assert done.problems == 1


def test_a_journal_pays_nothing_twice(tmp_path, grown):
    """The same search again makes no call, and comes to the same tree."""
    asked, first = grown
    labelled(asked, journal=tmp_path / "run.db")
    again = labelled(asked, journal=tmp_path / "run.db")
    assert again.tree.to_json() == first.tree.to_json()
    [one] = of_journal(tmp_path / "run.db")
    assert len(one.trajectories) == first.usage.model_calls
    assert {(t.text, t.right) for t in one.trajectories} == {
        (c.sample.text, c.verdict.passed) for c in first.candidates
    }


def test_a_budget_ends_it_with_the_tree_by_then(grown):
    """Out of budget, not out of order."""
    asked, whole = grown
    cut = labelled(asked, budget=Budget(generations=8))
    assert cut.usage.model_calls <= 8
    assert cut.tree is not None
    assert len(cut.tree) <= len(whole.tree)


@pytest.mark.parametrize("k", [1, 0, 2.5, True])
def test_a_share_needs_two_rollouts(k):
    """One is right or wrong, and nothing is mixed."""
    with pytest.raises(ConfigError, match="k >= 2"):
        StepLabelling(ARITHMETIC, k=k)
