"""A search tree as Mermaid (drawn by GitHub and by documentation tools) or as DOT (drawn by Graphviz)."""

from __future__ import annotations

from collections.abc import Iterator

from searchkit.markup.cut import most_visited
from searchkit.markup.words import number, one_line
from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.views.shown import flags, mean

COLUMNS = 40
PLAIN = frozenset(" .,:=+-*/()?!'")


def mermaid(tree: Tree, most: int = 60) -> str:
    """A Mermaid flowchart of the `most` most visited nodes; ends of episodes are rounded, what is cut is counted."""
    shown = most_visited(tree, most)
    lines = ["flowchart LR"]
    for node in shown.nodes:
        label = "<br/>".join(_entities(part) for part in _label(tree, node))
        lines.append(f'    n{node}(["{label}"])' if tree.terminal[node] else f'    n{node}["{label}"]')
    lines += [f"    n{parent} --> n{node}" for parent, node in _edges(tree, shown.nodes)]
    lines += [f"    n{other} --> n{node}" for other, node in _joined(tree, shown.nodes)]
    for node, more in shown.cut.items():
        lines += [f'    m{node}["... {more} more"]', f"    n{node} -.-> m{node}"]
    return "\n".join(lines) + "\n"


def dot(tree: Tree, most: int = 200) -> str:
    """A Graphviz digraph of the `most` most visited nodes; ends of episodes have a double border."""
    shown = most_visited(tree, most)
    lines = ["digraph tree {", '    graph [rankdir="LR"];', '    node [shape="box", fontname="sans-serif"];']
    for node in shown.nodes:
        label = "\\n".join(_quoted(part) for part in _label(tree, node))
        lines.append(f'    n{node} [label="{label}"{", peripheries=2" if tree.terminal[node] else ""}];')
    lines += [f"    n{parent} -> n{node};" for parent, node in _edges(tree, shown.nodes)]
    lines += [f"    n{other} -> n{node} [constraint=false];" for other, node in _joined(tree, shown.nodes)]
    for node, more in shown.cut.items():
        lines.append(f'    m{node} [label="... {more} more", shape="plaintext"];')
        lines.append(f'    n{node} -> m{node} [style="dashed"];')
    return "\n".join([*lines, "}", ""])


def _edges(tree: Tree, nodes: list[int]) -> Iterator[tuple[int, int]]:
    return ((tree.parent[node], node) for node in nodes if tree.parent[node] != NO_PARENT)


def _joined(tree: Tree, nodes: list[int]) -> Iterator[tuple[int, int]]:
    """What else nodes were made from, where both are shown."""
    there = set(nodes)
    return ((other, node) for node in nodes for other in tree.joined.get(node, ()) if other in there)


def _label(tree: Tree, node: int) -> list[str]:
    words = one_line(tree.text[node], COLUMNS) or ("(root)" if node == ROOT else "(empty)")
    return [words, ", ".join([f"{number(mean(tree, node))} ({tree.visits[node]})", *flags(tree, node)])]


def _entities(text: str) -> str:
    """Mermaid's own numeric entities for all that could end a label, be Markdown, a tag, or an entity."""
    return "".join(c if c.isalnum() or c in PLAIN else f"#{ord(c)};" for c in text)


def _quoted(text: str) -> str:
    """Inside a DOT string backslashes start escapes, and Graphviz reads HTML entities even there."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
