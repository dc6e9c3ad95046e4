"""Protocols: how spawn and join look to a model, one a file."""

from searchkit.strategies.spawn_join.protocols.apr import APRProtocol
from searchkit.strategies.spawn_join.protocols.base import SpawnProtocol
from searchkit.strategies.spawn_join.protocols.tag import TagProtocol
from searchkit.strategies.spawn_join.protocols.tool_call import ToolCallProtocol

__all__ = ["APRProtocol", "SpawnProtocol", "TagProtocol", "ToolCallProtocol"]
