"""Value targets and revisions on trees small enough for a table by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from searchkit.errors import ConfigError
from searchkit.export import Revisions, StepLabels, Values
from searchkit.export.reading import grown
from searchkit.export.trajectory import Origin
from searchkit.export.values import targets
from searchkit.tree import Tree
from tests.export.made import known, material


def planted(*nodes):
    """A tree of (parent, value of an end or None): numbers from 1."""
    tree = Tree()
    for i, (parent, value) in enumerate(nodes, 1):
        tree.add(parent, f"s{i}", terminal=value is not None, score=value)
        if value is not None:
            tree.backup(i, value)
    return grown(tree, Origin("p", "tree"))


def test_three_right_steps_are_a_third_two_thirds_and_one():
    """The way to a right end grows evenly; a wrong second step takes 2/9 of it, the third after it all."""
    tree = planted((0, None), (1, None), (2, 1.0), (1, None), (4, 0.0))
    assert targets(tree) == pytest.approx([0, 1 / 3, 2 / 3, 1, 1 / 9, 0])


def test_the_nearest_right_end_counts():
    """Two steps by one way, three by the other: a half, then one."""
    tree = planted((0, None), (1, None), (2, 1.0), (1, 1.0))
    assert targets(tree) == pytest.approx([0, 1 / 2, 3 / 4, 1, 1])


def test_targets_lie_between_0_and_1_and_are_1_exactly_at_right_ends():
    """On all trees of chains and forks with up to five nodes."""
    count = 0
    for code in range(5**5):
        parents = [code // 5**i % 5 for i in range(5)]
        if any(parent > i for i, parent in enumerate(parents)):
            continue
        inner = set(parents)
        nodes = [(p, None if i + 1 in inner else float((code >> i) & 1)) for i, p in enumerate(parents)]
        tree = planted(*nodes)
        found = targets(tree)
        if found is None:
            assert 1.0 not in [value for _, value in nodes]
            continue
        count += 1
        assert all(0 <= value <= 1 for value in found)
        ends = {i for i, (_, value) in enumerate(nodes, 1) if value == 1.0}
        assert {i for i, value in enumerate(found) if value == 1.0} == ends
        for end in ends:
            way = [found[node] for node in tree.tree.path(end)]
            assert way == sorted(way)
            assert len(set(way)) == len(way)
    assert count > 100


def test_a_tree_without_a_right_end_has_no_targets():
    """It is counted: how many steps are left is unknown there."""
    dropped = Counter()
    assert list(Values().records(material(trees=(planted((0, 0.0)),)), dropped)) == []
    assert dropped == {"tree without a right end": 1}


def test_a_revision_is_a_bad_beginning_a_thought_and_the_good_end():
    """From the known tree: the widest gaps, cut after the first bad step."""
    found = list(Revisions(most=10).records(known(), Counter()))
    spliced = {tuple((p.text, p.learn) for p in one.pieces) for one in found}
    thought = (Revisions().thought, True)
    assert spliced == {
        (("2+3=5\n", False), ("5+4=8\n", False), thought, ("5+4=9\n", True)),
        (("2+3=5\n", False), ("5+4=8\n", False), thought, ("5+4=9.\n", True)),
        (("2+3=6\n", False), thought, ("2+3=5\n5+4=9\n", True)),
        (("2+3=6\n", False), thought, ("2+3=5\n5+4=9.\n", True)),
    }
    assert found[0].origin.path == "0/1/3 after 0/1/5"
    assert all(one.masked for one in found)


def test_a_gap_of_one_leaves_nothing():
    """The gap is to be exceeded."""
    assert list(Revisions(gap=1.0).records(known(), Counter())) == []
    with pytest.raises(ConfigError, match="thought"):
        Revisions(thought="")


def test_labels_are_hard_above_the_bar_and_soft_below():
    """At bar 0 one right end of three is enough, at 0.7 it is not; values outside [0, 1] are no shares."""
    assert next(one.labels for one in StepLabels().records(known(), Counter())) == (True, True)
    assert next(one.labels for one in StepLabels(0.7).records(known(), Counter())) == (False, True)
    dropped = Counter()
    assert list(StepLabels().records(material(trees=(planted((0, 2.0)),)), dropped)) == []
    assert dropped == {"tree with values outside [0, 1]": 1}
    with pytest.raises(ConfigError, match="bar"):
        StepLabels(1.0)


def test_a_path_ends_at_its_last_value():
    """Nodes that nothing was backed up through have none."""
    tree = planted((0, None), (1, 1.0))
    tree.tree.add(1, "never visited")
    late = grown(tree.tree, tree.origin)
    assert [one.steps for one in StepLabels().records(material(trees=(late,)), Counter())] == [("s1\n", "s2\n")]
