"""Looking at search trees: in a terminal or notebook, live, as one HTML file, as Mermaid or DOT, two side by side."""

from searchkit.markup.trees import html, iframe, save
from searchkit.views.compare import compare
from searchkit.views.graph import dot, mermaid
from searchkit.views.live import Live
from searchkit.views.text import text

__all__ = [
    "Live",
    "compare",
    "dot",
    "html",
    "iframe",
    "mermaid",
    "save",
    "text",
]
