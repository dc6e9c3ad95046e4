"""Material that the tests of export share: problems with right and wrong answers, and a tree with known values."""

from __future__ import annotations

from searchkit.export.reading import grown
from searchkit.export.trajectory import Material, Origin, Trajectory
from searchkit.tree import Tree
from searchkit.types import Problem, Prompt

PROBLEM = Problem("sum", Prompt.of("What is 2 + 3 + 4?"), "9")


def trajectory(text, right=None, score=None, steps=(), whole=True, problem="sum"):
    return Trajectory(
        text, steps, right, score, whole, Origin(problem, "result", "made", 7, "candidate 0", "m", "r", 5)
    )


def material(*trajectories, trees=(), problem=PROBLEM):
    return Material(problem.id, problem.prompt, trajectories, trees, problem.reference)


def known_tree() -> Tree:
    """Steps a (right below) and b (wrong), values backed up from four ends.

    ::

        root ─ a: 2+3=5 ─ aa: 5+4=9 (1)    Q(a) = 2/3
             │          ├ ab: 5+4=9. (1)
             │          └ ac: 5+4=8 (0)
             └ b: 2+3=6 ─ ba: 6+4=10 (0)   Q(b) = 0
    """
    tree = Tree()
    a, b = tree.add(0, "2+3=5"), tree.add(0, "2+3=6")
    for parent, text, value in ((a, "5+4=9", 1.0), (a, "5+4=9.", 1.0), (a, "5+4=8", 0.0), (b, "6+4=10", 0.0)):
        end = tree.add(parent, text, terminal=True, score=value)
        tree.backup(end, value)
    return tree


def known(problem=PROBLEM) -> Material:
    return material(trees=(grown(known_tree(), Origin(problem.id, "tree", "t1", licence="MIT")),), problem=problem)
