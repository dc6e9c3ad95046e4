"""A search tree as one HTML file that needs nothing else: no network, no library, no server."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from searchkit.markup.cut import Columns, Shown, most_visited
from searchkit.markup.page import asset, finite, page
from searchkit.markup.words import one_line

MOST_IN_FILE, MOST_IN_NOTEBOOK = 50_000, 5_000
MOST_SAID = 2_000  # characters of a verdict's words
HERE = Path(__file__).parent
SCRIPT, STYLE, BODY = HERE / "tree.js", HERE / "tree.css", HERE / "tree.html"


def html(tree: Columns, title: str = "", *, most: int = MOST_IN_FILE) -> str:
    """A page to pan, zoom, fold, search and colour, with the prompt at the root and the answer's path marked; a click
    on a node shows the prompt, its text, its verdict, its numbers and its path.

    title: by default the root's text. most: nodes in the file, the most visited ones; the page says how many were left
    out. Texts are data, never markup: the page is safe to open whatever a model wrote. States are not in it. Cost:
    about 100 bytes a node besides the texts.
    """
    shown = most_visited(tree, most)
    heading = one_line(" ".join((title or tree.text[0])[:400].split()), 120) or "Search tree"
    body = asset(BODY).replace("TITLE", escape(heading))
    return page(heading, body, data(tree, shown), asset(SCRIPT), asset(STYLE))


def save(tree: Columns, path: str | os.PathLike[str], title: str = "") -> None:
    """Write `html(tree, title)` to `path`."""
    Path(path).write_text(html(tree, title), encoding="utf-8")


def iframe(tree: Columns, height: int = 560) -> str:
    """The page as a sandboxed inline frame, for a notebook's output. height: pixels. At most 5,000 nodes.

    The sandbox gives the page an origin of its own: it cannot reach the notebook around it.
    """
    shown = escape(html(tree, most=MOST_IN_NOTEBOOK), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" title="Search tree" width="100%" height="{int(height)}" '
        f'style="border:1px solid #8884;border-radius:6px;box-sizing:border-box" srcdoc="{shown}"></iframe>'
    )


def data(tree: Columns, shown: Shown) -> dict[str, Any]:
    """The nodes as columns of plain values, as the page's script reads them."""
    place = {node: i for i, node in enumerate(shown.nodes)} | {-1: -1}
    floats = {name: [finite(getattr(tree, name)[n]) for n in shown.nodes] for name in ("best", "prior", "score")}
    integers = {
        name: [int(getattr(tree, name)[n]) for n in shown.nodes]
        for name in ("depth", "visits", "in_flight", "failures", "tokens", "terminal", "expanded", "closed")
    }
    columns: dict[str, Any] = {
        "total": len(tree),
        "answer": place.get(tree.answer, -1),
        "feedback": {str(place[n]): said[:MOST_SAID] for n, said in tree.feedback.items() if n in place},
        "id": shown.nodes,
        "parent": [place[tree.parent[n]] for n in shown.nodes],
        "text": [tree.text[n] for n in shown.nodes],
        "mean": [finite(tree.mean(n)) if tree.visits[n] else None for n in shown.nodes],
    }
    return {**columns, **floats, **integers}
