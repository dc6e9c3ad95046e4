"""Protocols: how spawn and join look to a model, one a file.

`base.py` says what a protocol is, and what those share that stand in the text: `tag.py` (explained by the prompt) and
`apr.py` (models that were trained on it). `tool_call.py` is for chat models with tools.
"""

from searchkit.strategies.spawn_join.protocols.apr import APRProtocol
from searchkit.strategies.spawn_join.protocols.base import SpawnProtocol
from searchkit.strategies.spawn_join.protocols.tag import TagProtocol
from searchkit.strategies.spawn_join.protocols.tool_call import ToolCallProtocol

__all__ = ["APRProtocol", "SpawnProtocol", "TagProtocol", "ToolCallProtocol"]
