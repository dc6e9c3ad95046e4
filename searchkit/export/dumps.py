"""Trees of other systems: nested JSON of openr's kind, flat lists of nodes, with a mapping of their names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.export.reading import grown
from searchkit.export.trajectory import Grown, Material, Origin, Trajectory
from searchkit.kinds import is_number, is_whole, told
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt

MOST = 1_000_000  # nodes of one tree
DEEPEST = 10_000


@dataclass(frozen=True)
class Names:
    """What a dump calls things. "" stands for what it does not have.

    - question, answer, tree: of a line; with tree="" the line itself is the root.
    - text, value: of a node: what it adds, and how good it is, in [0, 1] for step labels.
    - visits: how often it was evaluated; 1 where a value stands without it.
    - children: a list of nodes; or, with parent and id, the tree is a flat list, and children is not used.
    - id, parent: of a node in a flat list; the root's parent is null or absent.
    """

    question: str = "question"
    answer: str = "final_answer"
    tree: str = "reasoning_steps"
    text: str = "text"
    value: str = "mc_value"
    visits: str = ""
    children: str = "children"
    id: str = ""
    parent: str = ""


OPENR = Names()


def of_dump(
    path: str | Path, names: Names = OPENR, *, separator: str = "\n\n", licence: str = ""
) -> Iterator[Material]:
    """The trees of a file of JSON lines, one a line, with each path from the root to an end as a trajectory.

    An end is a node without children; it is right where its value is 1, wrong at 0, and unknown between. The root's
    text is the question, and no step. separator: what stands between steps, as dumps leave it out. Problems are called
    by the file's name and the line's number.

    Raises `ConfigError`, naming the line, for what is no such tree. Cost: linear; a million nodes a tree at most.
    """
    source = Path(path)
    try:
        file = source.open(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error
    with file:
        for number, line in enumerate(_lines(file, source), 1):
            if line.strip():
                yield _material(line, f"{source.stem}/{number}", f"{source}, line {number}", names, separator, licence)


def _lines(file: Iterable[str], source: Path) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source} is not UTF-8 text ({error}): convert it") from error


def _material(line: str, problem: str, where: str, names: Names, separator: str, licence: str) -> Material:
    try:
        stored = json.loads(line)
        question = stored[names.question]
        tree = planted(stored[names.tree] if names.tree else stored, names)
        prompt = Prompt.of(str(question))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{where} is no tree with these names ({error!r}): pass Names(...) that fit") from error
    one = grown(tree, Origin(problem, "dump", problem, licence=licence), separator)
    return Material(problem, prompt, list(_ends(one, licence)), (one,), stored.get(names.answer))


def _ends(one: Grown, licence: str) -> Iterator[Trajectory]:
    for node in range(1, len(one.tree)):
        if not one.tree.children(node):
            steps = tuple(one.texts[n] for n in one.tree.path(node)[1:] if one.texts[n])
            value = one.values[node]
            right = {1.0: True, 0.0: False}.get(value) if value is not None else None
            origin = Origin(one.origin.problem, "dump", one.origin.name, path=f"node {node}", licence=licence)
            yield Trajectory("".join(steps), steps, right, value, True, origin)


def planted(root: Any, names: Names = OPENR) -> Tree:
    """A tree from nested nodes, or from a flat list of them where `names` has id and parent.

    Raises `ConfigError` for what is none: no text, a value that is no number, a node under no parent, too many.
    """
    tree = Tree()
    if names.id:
        return _flat(root, names, tree)
    _count(tree, ROOT, _node(root), names)
    stack = [(ROOT, child) for child in reversed(_children(root, names))]
    while stack:
        parent, node = stack.pop()
        place = _add(tree, parent, node, names)
        stack.extend((place, child) for child in reversed(_children(node, names)))
    return _closed(tree)


def _flat(nodes: Any, names: Names, tree: Tree) -> Tree:
    if not isinstance(nodes, list):
        raise ConfigError(f"a flat dump is a list of nodes, got {told(nodes)}")
    places, left = dict[Any, int](), [_node(node) for node in nodes]
    while left:
        waiting = []
        for node in left:
            above = node.get(names.parent)
            if above is None and not places:
                _count(tree, ROOT, node, names)
                places[node[names.id]] = ROOT
            elif above in places:
                places[node[names.id]] = _add(tree, places[above], node, names)
            else:
                waiting.append(node)
        if len(waiting) == len(left):
            raise ConfigError(f"{len(left)} nodes stand under no parent, the first is {told(left[0])}")
        left = waiting
    return _closed(tree)


def _node(node: Any) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        raise ConfigError(f"a node is an object, got {told(node)}")
    return node


def _children(node: Any, names: Names) -> list[Any]:
    found = node.get(names.children) or []
    if not isinstance(found, list):
        raise ConfigError(f"{names.children} is a list of nodes, got {told(found)}")
    return found


def _add(tree: Tree, parent: int, node: Any, names: Names) -> int:
    text = _node(node)[names.text]
    if not isinstance(text, str):
        raise ConfigError(f"{names.text} is a text, got {told(text)}")
    if len(tree) >= MOST or tree.depth[parent] >= DEEPEST:
        raise ConfigError(f"a tree has at most {MOST:,} nodes, {DEEPEST:,} deep")
    place = tree.add(parent, text)
    _count(tree, place, node, names)
    return place


def _count(tree: Tree, place: int, node: Mapping[str, Any], names: Names) -> None:
    value, visits = node.get(names.value), node.get(names.visits, 1) if names.visits else 1
    if value is None:
        return
    if not is_number(value) or not math.isfinite(value) or not is_whole(visits) or visits < 0:
        raise ConfigError(f"{names.value} is a number and visits are counted, got {told(value)} and {told(visits)}")
    for _ in range(min(visits, 1)):
        tree.count(place, float(value))
    if visits > 1:
        tree.visits[place], tree.total[place] = visits, float(value) * visits


def _closed(tree: Tree) -> Tree:
    """The same with ends that are ends."""
    for node in range(1, len(tree)):
        if not tree.children(node):
            tree.terminal[node] = True
            if tree.visits[node]:
                tree.score[node] = tree.mean(node)
    return tree
