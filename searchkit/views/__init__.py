"""Looking at search trees: in a terminal or notebook, live, as one HTML file, as Mermaid or DOT, two side by side.

`text.py` first, then `live.py`, `graph.py` and `compare.py`; `shown.py` is what they say of a node, and
`agents.py` says more of an agent's. The page is made in
`searchkit/markup/trees.py`, below, so that a tree can show itself.
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
