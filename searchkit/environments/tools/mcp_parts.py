"""What the tools of an MCP server say, as text, whatever kinds of parts it is made of.

The client refuses a whole answer for one part that it does not know, or that is not as it should be. So parts are put
into words before it sees them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.client._transport import Transport

_LONGEST = 40  # characters of a kind's name


@contextlib.asynccontextmanager
async def in_words(transport: Transport) -> AsyncIterator[Any]:
    """`transport`, whose answers of tools have parts of text alone."""
    async with transport as (reading, writing):
        yield _Worded(reading), writing


class _Worded:
    """A stream of what a server says."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _Worded:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        left: bool | None = await self._stream.__aexit__(*error)
        return left

    def __aiter__(self) -> _Worded:
        return self

    async def __anext__(self) -> Any:
        said = await self._stream.__anext__()
        message: Any = getattr(said, "message", None)
        result = getattr(message, "result", None)
        if not isinstance(result, Mapping):
            return said
        return replace(said, message=message.model_copy(update={"result": worded(result)}))


def worded(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a request, its parts as texts where it has any.

    >>> worded({"content": [{"type": "hologram"}]})
    {'content': [{'type': 'text', 'text': '[hologram, not shown]'}]}
    """
    parts = result.get("content")
    if not isinstance(parts, list):
        return dict(result)
    return {**result, "content": [{"type": "text", "text": _words(part)} for part in parts]}


def _words(part: Any) -> str:
    """Text as it is, of anything else what it is."""
    said = part if isinstance(part, dict) else {}
    inside = said.get("resource")
    text = said.get("text", inside.get("text") if isinstance(inside, dict) else None)
    kind = said.get("type")
    name = kind[:_LONGEST] if isinstance(kind, str) and kind else "something else"
    return text if isinstance(text, str) else f"[{name}, not shown]"
