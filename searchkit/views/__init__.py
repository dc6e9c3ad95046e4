"""Looking at searches while they run, and at search trees: as text, as a page, as Mermaid or DOT, two side by side.

Of trees: `text.py` first, then `graph.py` and `compare.py`; `shown.py` is what they say of a node, and `agents.py` says
more of an agent's. Of what runs: `live.py`, with `progress.py` (how far it is), `panel.py` (the lines that say so) and
`screens.py` (where they are drawn). The page is made in `searchkit/markup/trees.py`, below, so that a tree can show
itself. `runs/` are pages of searches that grow while they run.
"""

from searchkit.markup.trees import html, iframe, save
from searchkit.views.agents import agent_tree
from searchkit.views.compare import compare
from searchkit.views.graph import dot, mermaid
from searchkit.views.live import Live
from searchkit.views.text import text

__all__ = [
    "Live",
    "agent_tree",
    "compare",
    "dot",
    "html",
    "iframe",
    "mermaid",
    "save",
    "text",
]
