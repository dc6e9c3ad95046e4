"""Two search trees side by side: what only one of them has, and where visits or values differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from searchkit.errors import ConfigError
from searchkit.markup.cut import subtree_sizes
from searchkit.markup.words import columns_of, counted, number, one_line
from searchkit.tree import ROOT, Tree
from searchkit.views.shown import mean

LEAST_WIDTH = 60
SAME = 1e-9


def compare(a: Tree, b: Tree, *, most: int = 20, width: int = 100) -> str:
    """A summary, then what only `a` has, what only `b` has, and what changed: at most `most` lines of each.

    Nodes are the same if the texts on their paths are (equal texts among siblings: the first with the first, and so
    on); the roots always are. A branch that one tree lacks is one line, the most visited first; changed nodes come with
    the greatest change of visits first, then of mean value. Cost: linear in both trees. Raises `ConfigError` if `most`
    < 1 or `width` < 60.
    """
    if most < 1 or width < LEAST_WIDTH:
        raise ConfigError(f"compare needs most >= 1 and width >= {LEAST_WIDTH}, got most={most}, width={width}")
    pairs, only_a, only_b = _match(a, b)
    changed = [pair for pair in pairs if _differs(a, b, *pair)]
    changed.sort(key=lambda pair: _change(a, b, *pair), reverse=True)
    lines = [_summary(a, b, len(pairs), len(changed))]
    if a.text[ROOT] != b.text[ROOT]:
        lines.append("the roots differ in their text")
    lines += _section("only in a:", _branches(a, only_a, width), len(only_a), most)
    lines += _section("only in b:", _branches(b, only_b, width), len(only_b), most)
    lines += _section("changed, a -> b:", (_changed(a, b, *pair, width) for pair in changed), len(changed), most)
    return "\n".join(lines)


def _match(a: Tree, b: Tree) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of equal nodes, and the topmost nodes that only one tree has."""
    pairs, only_a, only_b = [], [], []
    stack = [(ROOT, ROOT)]
    while stack:
        pairs.append(pair := stack.pop())
        waiting: dict[str, list[int]] = defaultdict(list)
        for node in reversed(b.children(pair[1])):
            waiting[b.text[node]].append(node)
        for node in a.children(pair[0]):
            partners = waiting.get(a.text[node])
            if partners:
                stack.append((node, partners.pop()))
            else:
                only_a.append(node)
        only_b += [node for partners in waiting.values() for node in partners]
    return pairs, only_a, only_b


def _differs(a: Tree, b: Tree, i: int, j: int) -> bool:
    return a.visits[i] != b.visits[j] or not abs(a.mean(i) - b.mean(j)) <= SAME * max(1.0, abs(a.mean(i)))


def _change(a: Tree, b: Tree, i: int, j: int) -> tuple[int, float, int]:
    return abs(a.visits[i] - b.visits[j]), abs(a.mean(i) - b.mean(j)), -i


def _summary(a: Tree, b: Tree, both: int, changed: int) -> str:
    return (
        f"a: {counted(len(a), 'node')}, b: {counted(len(b), 'node')}; {both:,} in both ({changed:,} changed), "
        f"{len(a) - both:,} only in a, {len(b) - both:,} only in b"
    )


def _section(title: str, lines: Iterator[str], count: int, most: int) -> list[str]:
    if not count:
        return []
    shown = [f"  {next(lines)}" for _ in range(min(count, most))]
    return [title, *shown, *([f"  ... {count - most:,} more"] if count > most else [])]


def _branches(tree: Tree, tops: list[int], width: int) -> Iterator[str]:
    sizes = subtree_sizes(tree)
    for node in sorted(tops, key=lambda node: (-tree.visits[node], node)):
        numbers = f"{number(mean(tree, node))} ({tree.visits[node]:,}), {counted(sizes[node], 'node')}: "
        yield numbers + _path(tree, node, width - len(numbers) - 2)


def _changed(a: Tree, b: Tree, i: int, j: int, width: int) -> str:
    numbers = f"{number(mean(a, i))} ({a.visits[i]:,}) -> {number(mean(b, j))} ({b.visits[j]:,}): "
    return numbers + _path(a, i, width - len(numbers) - 2)


def _path(tree: Tree, node: int, columns: int) -> str:
    """The texts from below the root to `node`; of a long path its end."""
    if node == ROOT:
        return "(root)"
    steps: list[str] = []
    columns -= 4  # for the mark of what is left out
    while node != ROOT and columns > 0:
        step = one_line(tree.text[node], columns) or "(empty)"
        columns -= columns_of(step) + 3
        if steps and columns < 3:
            return " > ".join(["…", *reversed(steps)])
        steps.append(step)
        node = tree.parent[node]
    return " > ".join(["…", *reversed(steps)] if node != ROOT else reversed(steps))
