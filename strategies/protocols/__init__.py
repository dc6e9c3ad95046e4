"""Protocols: how spawn and join look to a model, one a file."""

from searchkit.strategies.protocols.apr import APRProtocol
from searchkit.strategies.protocols.base import SpawnProtocol
from searchkit.strategies.protocols.tag import TagProtocol
from searchkit.strategies.protocols.tool_call import ToolCallProtocol

__all__ = ["APRProtocol", "SpawnProtocol", "TagProtocol", "ToolCallProtocol"]
