"""Pieces of JSON put together, as the deltas of a stream bring them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from searchkit.kinds import is_whole
from searchkit.wire.errors import Malformed
from searchkit.wire.fields import DEEPEST

_WHOLE = ("id", "type", "role", "index", "object")  # said at once, and by some servers in every piece


class Joined:
    """An object in pieces. Texts are joined, objects too, lists are appended to, or joined by the index of their
    entries; of anything else the latest counts. What is null says nothing. Takes linear time.

    >>> joined = Joined()
    >>> joined.take({"call": {"name": "f", "arguments": "[1"}})
    >>> joined.take({"call": {"arguments": ", 2]"}, "at": 7})
    >>> joined.whole()
    {'call': {'name': 'f', 'arguments': '[1, 2]'}, 'at': 7}
    """

    def __init__(self, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise Malformed(f"the JSON is nested more than {DEEPEST} levels deep")
        self._depth = depth
        self._parts: dict[Any, Any] = {}

    def take(self, pieces: Mapping[Any, Any]) -> None:
        """The next piece."""
        for key, piece in pieces.items():
            if piece is None or (key in _WHOLE and self._parts.get(key)):
                self._parts.setdefault(key, None)
            elif key in _WHOLE or str(key).endswith("_reason"):
                self._parts[key] = piece
            else:
                self._parts[key] = self._added(self._parts.get(key), piece)

    def _added(self, held: Any, piece: Any) -> Any:
        if isinstance(piece, str):
            held = held if isinstance(held, _Text) else _Text()
            held.append(piece)
        elif isinstance(piece, dict):
            held = held if isinstance(held, Joined) and not isinstance(held, _Entries) else Joined(self._depth + 1)
            held.take(piece)
        elif isinstance(piece, list):
            held = held if isinstance(held, _Entries) else _Entries(self._depth + 1)
            held.extend(piece)
        else:
            held = piece
        return held

    def whole(self) -> Any:
        """The object."""
        return {key: _whole(part) for key, part in self._parts.items()}


class _Text(list[str]):
    """A text in pieces."""


class _Entries(Joined):
    """A list in pieces, whose entries with an index are joined."""

    def extend(self, entries: Sequence[Any]) -> None:
        for entry in entries:
            index = entry.get("index") if isinstance(entry, dict) else None
            key = ("at", index) if is_whole(index) else ("next", len(self._parts))
            self._parts[key] = self._added(self._parts.get(key), entry) if isinstance(entry, dict) else entry

    def whole(self) -> Any:
        return [_whole(part) for part in self._parts.values()]


def _whole(part: Any) -> Any:
    if isinstance(part, _Text):
        return "".join(part)
    return part.whole() if isinstance(part, Joined) else part
