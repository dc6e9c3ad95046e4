"""A search tree as one HTML file that needs nothing else: no network, no library, no server."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.views.shown import Shown, most_visited, one_line

MOST_IN_FILE, MOST_IN_NOTEBOOK = 50_000, 5_000

# Only our own script and style may run, by their hashes; nothing may be loaded from anywhere.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{script_hash}'; \
style-src '{style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def html(tree: Tree, title: str = "", *, most: int = MOST_IN_FILE) -> str:
    """A page to pan, zoom, fold, search and colour; a click on a node shows its text, its numbers and its path.

    title: by default the root's text. most: nodes in the file, the most visited ones; the page says how many were left
    out. Texts are data, never markup: the page is safe to open whatever a model wrote. States are not in it. Cost:
    about 100 bytes a node besides the texts.
    """
    heading = one_line(" ".join((title or tree.text[ROOT])[:400].split()), 120) or "Search tree"
    script, style = _asset("tree.js"), _asset("tree.css")
    return PAGE.format(
        title=escape(heading), script=script, style=style, script_hash=_hash(script), style_hash=_hash(style),
        body=_asset("tree.html").replace("TITLE", escape(heading)), data=_data(tree, most_visited(tree, most)),
    )  # fmt: skip


def save(tree: Tree, path: str | os.PathLike[str], title: str = "") -> None:
    """Write `html(tree, title)` to `path`."""
    Path(path).write_text(html(tree, title), encoding="utf-8")


def iframe(tree: Tree, height: int = 560) -> str:
    """The page as a sandboxed inline frame, for a notebook's output. height: pixels. At most 5,000 nodes.

    The sandbox gives the page an origin of its own: it cannot reach the notebook around it.
    """
    page = escape(html(tree, most=MOST_IN_NOTEBOOK), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" title="Search tree" width="100%" height="{int(height)}" '
        f'style="border:1px solid #8884;border-radius:6px;box-sizing:border-box" srcdoc="{page}"></iframe>'
    )


def _data(tree: Tree, shown: Shown) -> str:
    """The nodes as columns, in JSON that cannot end the script element it stands in."""
    place = {node: i for i, node in enumerate(shown.nodes)} | {NO_PARENT: -1}
    floats = {name: [_finite(getattr(tree, name)[n]) for n in shown.nodes] for name in ("best", "prior", "score")}
    integers = {
        name: [int(getattr(tree, name)[n]) for n in shown.nodes]
        for name in ("depth", "visits", "in_flight", "failures", "tokens", "terminal", "expanded", "closed")
    }
    columns: dict[str, Any] = {
        "total": len(tree),
        "id": shown.nodes,
        "parent": [place[tree.parent[n]] for n in shown.nodes],
        "text": [tree.text[n] for n in shown.nodes],
        "mean": [_finite(tree.mean(n)) if tree.visits[n] else None for n in shown.nodes],
    }
    dumped = json.dumps({**columns, **floats, **integers}, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _finite(value: float) -> float | None:
    return float(f"{value:.9g}") if math.isfinite(value) else None


@cache
def _asset(name: str, beside: str = __file__) -> str:
    return Path(beside).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
