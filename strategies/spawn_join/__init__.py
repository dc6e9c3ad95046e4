"""Spawn and join: a thread of text hands parts of its work to children that run side by side.

Read `spawn_join.py` first, then `protocols/`: how spawn and join look to a model.
"""

from searchkit.strategies.spawn_join.protocols import APRProtocol, TagProtocol, ToolCallProtocol
from searchkit.strategies.spawn_join.spawn_join import SpawnJoin

__all__ = [
    "APRProtocol",
    "SpawnJoin",
    "TagProtocol",
    "ToolCallProtocol",
]
