"""Spawn and join: a thread of text hands parts of its work to children that run side by side.

Read `spawn_join.py` first, then `protocols/`: how spawn and join look to a model. In a graph of thoughts a program says
what is split and joined: `graph_of_thoughts.py`, with its operations as values (`operations.py`) and how they are done
(`working.py`).
"""

from searchkit.strategies.spawn_join.graph_of_thoughts import GraphOfThoughts
from searchkit.strategies.spawn_join.protocols import APRProtocol, TagProtocol, ToolCallProtocol
from searchkit.strategies.spawn_join.spawn_join import SpawnJoin

__all__ = [
    "APRProtocol",
    "GraphOfThoughts",
    "SpawnJoin",
    "TagProtocol",
    "ToolCallProtocol",
]
