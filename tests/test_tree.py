"""The tree: columns against a second, linked implementation; depth and size without recursion; memory."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import sys
import tracemalloc

import networkx
import pytest

from searchkit.tree import NO_PARENT, ROOT, Tree

COLUMNS = ("parent", "depth", "visits", "in_flight", "failures", "tokens", "total", "best", "prior", "score",
           "terminal", "expanded", "closed", "text")  # fmt: skip


def columns(tree):
    """All columns as lists that compare equal, with NaN as None."""

    def plain(value):
        return None if isinstance(value, float) and math.isnan(value) else value

    found = {name: [plain(v) for v in getattr(tree, name)] for name in COLUMNS}
    return found | {"children": [list(tree.children(node)) for node in range(len(tree))]}


class Linked:
    """A node with links, the way everybody writes it: the oracle."""

    def __init__(self, parent=None):
        self.parent, self.children = parent, []
        self.values, self.flying = [], 0

    def above(self):
        node = self
        while node is not None:
            yield node
            node = node.parent


def grown(seed, nodes=200):
    """A random tree with random backups and starts, and the same as linked nodes."""
    rng = random.Random(seed)
    tree, linked = Tree("state", "prompt"), [Linked()]
    while len(tree) < nodes:
        parent = rng.randrange(len(tree))
        node = tree.add(parent, f"step {len(tree)}", len(tree), prior=rng.random(), tokens=rng.randrange(9))
        linked.append(Linked(linked[parent]))
        linked[parent].children.append(node)
        for act in rng.choices(("backup", "start", "nothing"), k=2):
            at = rng.randrange(len(tree))
            if act == "backup":
                value = rng.uniform(-1, 1)
                tree.backup(at, value)
                for above in linked[at].above():
                    above.values.append(value)
            elif act == "start":
                tree.start(at)
                for above in linked[at].above():
                    above.flying += 1
    return tree, linked


def chain(depth):
    tree = Tree(text="root")
    node = ROOT
    for i in range(depth):
        node = tree.add(node, str(i), tokens=1)
    return tree, node


@pytest.mark.parametrize("seed", range(5))
def test_columns_are_what_linked_nodes_would_hold(seed):
    """Visits, totals, bests, means, in-flight counts, depths, paths and children."""
    tree, linked = grown(seed)
    for node, other in enumerate(linked):
        assert tree.visits[node] == len(other.values)
        assert tree.total[node] == pytest.approx(math.fsum(other.values))
        assert tree.best[node] == max(other.values, default=-math.inf)
        assert tree.mean(node) == pytest.approx(math.fsum(other.values) / max(1, len(other.values)))
        assert tree.in_flight[node] == other.flying
        assert tree.depth[node] == len(list(other.above())) - 1
        assert [linked[n] for n in tree.path(node)] == list(other.above())[::-1]
        assert list(tree.children(node)) == other.children
        assert bool(tree.expanded[node]) == bool(other.children)


def test_a_new_row_has_the_documented_defaults():
    """The root and a child, column by column."""
    tree = Tree("s", "prompt")
    child = tree.add(ROOT, "a", "t", prior=0.25, terminal=True, tokens=7)
    want = {
        "parent": [NO_PARENT, ROOT], "depth": [0, 1], "visits": [0, 0], "in_flight": [0, 0], "failures": [0, 0],
        "tokens": [0, 7], "total": [0, 0], "best": [-math.inf, -math.inf], "prior": [1, 0.25], "score": [None, None],
        "terminal": [0, 1], "expanded": [1, 0], "closed": [0, 0], "text": ["prompt", "a"], "children": [[child], []],
    }  # fmt: skip
    assert columns(tree) == want
    assert tree.state == ["s", "t"]
    assert (len(tree), tree.mean(child), tree.path(child)) == (2, 0.0, [ROOT, child])


def test_backup_reaches_every_ancestor_and_nothing_else():
    """A table to check by hand: root with children a and b, a with child c."""
    tree = Tree()
    a, b = tree.add(ROOT, "a"), tree.add(ROOT, "b")
    c = tree.add(a, "c")
    tree.backup(c, 1.0)
    tree.backup(b, 0.5)
    tree.backup(a, -2.0)
    #                                    root   a     b    c
    assert list(tree.visits) == [3, 2, 1, 1]
    assert list(tree.total) == [-0.5, -1.0, 0.5, 1.0]
    assert list(tree.best) == [1.0, 1.0, 0.5, 1.0]


def test_every_start_is_taken_back_by_one_finish():
    """In any order, in-flight counts return to zero."""
    tree, _ = grown(1)
    rng, before = random.Random(3), list(tree.in_flight)
    nodes = [rng.randrange(len(tree)) for _ in range(100)]
    for node in nodes:
        tree.start(node)
    assert tree.in_flight[ROOT] == before[ROOT] + 100
    rng.shuffle(nodes)
    for node in nodes:
        tree.finish(node)
    assert list(tree.in_flight) == before


def test_close_goes_up_only_where_a_full_node_has_nothing_open():
    """Root with a (c, d) and b: closing c changes nothing above, d then closes a, b then the root.

    A node that may get more children stays open; once it is full, it closes by itself.
    """
    tree = Tree()
    a, b = tree.add(ROOT, "a"), tree.add(ROOT, "b")
    c, d = tree.add(a, "c"), tree.add(a, "d")
    seen = []
    for node in (c, d, b):
        tree.close(node)
        seen.append([n for n in range(len(tree)) if tree.closed[n]])
    assert seen == [[c], [c, d], [b, c, d]]
    tree.fill(a)
    assert [n for n in range(len(tree)) if tree.closed[n]] == [a, b, c, d]
    tree.fill(ROOT)
    assert tree.closed[ROOT]
    tree = Tree()
    a, b = tree.add(ROOT, "a"), tree.add(ROOT, "b")
    c, d = tree.add(a, "c"), tree.add(a, "d")
    tree.fill(ROOT)
    tree.fill(a)
    seen = []
    for node in (c, d, b):
        tree.close(node)
        seen.append([n for n in range(len(tree)) if tree.closed[n]])
    assert seen == [[c], [a, c, d], [ROOT, a, b, c, d]]


def test_walk_is_the_recursive_preorder():
    """Of the whole tree and of every subtree."""
    tree, _ = grown(2)

    def preorder(node):
        return [node, *(below for child in tree.children(node) for below in preorder(child))]

    assert all(list(tree.walk(node)) == preorder(node) for node in range(len(tree)))


@pytest.mark.parametrize("seed", range(3))
def test_json_round_trip_keeps_all_but_states(seed):
    """Columns, children and texts are equal; the copy can be grown further."""
    tree, _ = grown(seed)
    tree.score[3], tree.failures[4] = 0.5, 2
    tree.close(len(tree) - 1)
    stored = tree.to_json()
    copied = Tree.from_json(stored)
    assert columns(copied) == columns(tree)
    assert copied.state == [None] * len(tree)
    assert copied.to_json() == stored
    assert copied.add(5, "more") == len(tree)
    assert list(copied.children(5))[:-1] == list(tree.children(5))


def test_json_has_no_values_that_other_languages_refuse():
    """NaN and infinity are null, and come back as what they were."""
    tree = Tree(text='"\u2028\ud800')
    stored = tree.to_json()

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(stored, parse_constant=refuse)
    assert columns(Tree.from_json(stored)) == columns(tree)


@pytest.mark.parametrize("copier", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))],
                         ids=["deepcopy", "copy", "pickle"])  # fmt: skip
def test_copies_are_equal_with_their_states(copier):
    """And a deep one grows on its own."""
    tree, _ = grown(0, 50)
    other = copier(tree)
    assert columns(other) == columns(tree)
    assert other.state == tree.state
    if copier is not copy.copy:
        other.backup(other.add(40, "x"), 1.0)
        assert (len(tree), len(other)) == (50, 51)
        assert other.visits[ROOT] == tree.visits[ROOT] + 1


def test_a_chain_of_5000_needs_no_recursion():
    """Pickle, deepcopy, JSON, walk, path, backup and close, far below the interpreter's recursion limit."""
    depth, limit = 5000, sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        tree, end = chain(depth)
        tree.start(end)
        tree.backup(end, 0.5)
        tree.finish(end)
        copies = [pickle.loads(pickle.dumps(tree)), copy.deepcopy(tree), Tree.from_json(tree.to_json())]
        for node in range(depth):
            tree.fill(node)
        tree.close(end)
    finally:
        sys.setrecursionlimit(limit)
    assert tree.depth[end] == depth
    assert tree.path(end) == list(tree.walk()) == list(range(depth + 1))
    assert tree.closed[ROOT] == 1
    assert set(tree.visits) == {1}
    assert set(tree.in_flight) == {0}
    for other in copies:
        assert columns(other) == columns(copies[0])
        assert (other.depth[end], other.mean(ROOT)) == (depth, 0.5)


def test_100_000_nodes_pickle_save_and_load():
    """A tree with four children a node; the copies are equal, column by column."""
    tree = Tree()
    for i in range(100_000):
        tree.add(i // 4, "")
    for leaf in range(90_000, 100_000, 7):
        tree.backup(leaf, leaf / 100_000)
    for other in (pickle.loads(pickle.dumps(tree)), Tree.from_json(tree.to_json())):
        assert len(other) == 100_001
        assert (other.total, other.visits, other.parent) == (tree.total, tree.visits, tree.parent)
        assert list(other.walk()) == list(tree.walk())


def test_a_node_takes_less_than_1000_bytes_besides_its_text():
    """Traced allocations of 30,000 nodes with one shared text, grown in the worst way, an only child each."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tree = Tree()
        for node in range(30_000):
            tree.add(node, "")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    per_node = (after - before) / len(tree)
    assert 100 < per_node < 1000


def test_networkx_has_the_same_edges_and_numbers():
    """And networkx agrees that it is a tree."""
    tree, _ = grown(4)
    tree.score[7] = 0.25
    graph = tree.to_networkx()
    assert networkx.is_arborescence(graph)
    assert set(graph.edges) == {(tree.parent[n], n) for n in range(1, len(tree))}
    depths = networkx.single_source_shortest_path_length(graph, ROOT)
    for node, held in graph.nodes(data=True):
        assert held["depth"] == tree.depth[node] == depths[node]
        assert (held["text"], held["mean"], held["visits"]) == (tree.text[node], tree.mean(node), tree.visits[node])
        assert held["expanded"] is bool(tree.expanded[node])
    assert graph.nodes[7]["score"] == 0.25
