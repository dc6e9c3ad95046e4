"""A search tree as indented text, for a terminal."""

from __future__ import annotations

import math
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.markup.cut import most_visited
from searchkit.markup.words import counted, number, one_line
from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.views.shown import flags, mean

LEAST_WIDTH = 60
MARKS: dict[str, str] = {"dim": "2", "red": "31", "green": "32", "yellow": "33"}
Mark = Literal["dim", "red", "green", "yellow"]


def text(tree: Tree, *, most: int = 60, width: int = 100, colour: bool = False) -> str:
    """One line a node: mean value, visits, what is special about it, its text; lines of at most `width` columns.

    At most `most` nodes are shown, the most visited ones; "... n more" counts those left out. Control characters are
    escaped. colour adds ANSI colours: green for the better half of the mean values shown, red for failures. Cost:
    linear in the tree, a few milliseconds at 100,000 nodes. Raises `ConfigError` if `most` < 1 or `width` < 60.
    """
    if width < LEAST_WIDTH:
        raise ConfigError(f"a tree needs at least {LEAST_WIDTH} columns: pass width >= {LEAST_WIDTH}, got {width}")
    shown = most_visited(tree, most)
    drawn: dict[int, list[int]] = {node: [] for node in shown.nodes}
    for node in shown.nodes[1:]:
        drawn[tree.parent[node]].append(node)
    paint = _Paint(tree, shown.nodes) if colour else None
    lines = [one_line(_summary(tree, len(shown.nodes)), width)]
    stack: list[tuple[int, str, str]] = [(ROOT, "", "")]
    while stack:
        node, lead, below = stack.pop()
        more = shown.cut.get(node, 0)
        if node < 0:  # the rest of a parent's children
            lines.append(f"{lead}... {-node:,} more")
            continue
        folded = f" ... {more:,} more" if more and not drawn[node] else ""
        lines.append(_line(tree, node, lead, width, folded, paint))
        rows = [*drawn[node], -more] if more and drawn[node] else drawn[node]
        for i in range(len(rows) - 1, -1, -1):
            branch, rest = ("└─ ", "   ") if i == len(rows) - 1 else ("├─ ", "│  ")
            stack.append((rows[i], _short(below + branch, width), _short(below + rest, width)))
    return "\n".join(lines)


def _summary(tree: Tree, shown: int) -> str:
    cut = f" ({shown:,} shown)" if shown < len(tree) else ""
    return f"{counted(len(tree), 'node')}{cut}, depth {max(tree.depth):,}, {counted(tree.visits[ROOT], 'visit')}"


def _short(lead: str, width: int) -> str:
    """Deep branches keep the right end of their indentation, so that most of the line is left for the node."""
    return lead if len(lead) <= width // 3 else "…" + lead[1 - width // 3 :]


class _Paint:
    """ANSI colours for a line's parts."""

    def __init__(self, tree: Tree, nodes: list[int]) -> None:
        means = [value for node in nodes if math.isfinite(value := mean(tree, node))]
        self.middle = (min(means) + max(means)) / 2 if means else math.inf

    def __call__(self, part: str, mark: Mark) -> str:
        return f"\x1b[{MARKS[mark]}m{part}\x1b[0m" if part else part


def _line(tree: Tree, node: int, lead: str, width: int, folded: str, paint: _Paint | None) -> str:
    value = mean(tree, node)
    score = "" if math.isnan(tree.score[node]) else f"score {number(tree.score[node])}"
    said = ", ".join([*([score] if score else []), *flags(tree, node)])
    numbers = f"{number(value)} ({tree.visits[node]:,})"
    room = width - len(lead) - len(numbers) - len(folded) - 2
    special = f" {one_line(f'[{said}]', room)}" if said else ""
    empty = "(root)" if tree.parent[node] == NO_PARENT else "(empty)"
    words = one_line(tree.text[node] if tree.text[node].strip() else empty, room - len(special) + 1)
    if paint is None:
        return f"{lead}{numbers}{special} {words}{folded}"
    if value > paint.middle:
        numbers = paint(numbers, "green")
    mark: Mark = "red" if tree.failures[node] else "yellow" if tree.in_flight[node] else "dim"
    return f"{paint(lead, 'dim')}{numbers}{paint(special, mark)} {words}{paint(folded, 'dim')}"
