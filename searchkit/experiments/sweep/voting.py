"""By which keys the strategies of a sweep compare answers, read from their descriptions in its manifest.

A key that finds no answer abstains, so a vote may have none although the truth, with another key, reads every reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from searchkit.experiments.sweep.manifest import describe
from searchkit.experiments.unknown import KEYS
from searchkit.function import Function, label

OTHER = "another key"


def keys_of(told: Any) -> frozenset[str]:
    """The keys of a strategy that is described so: those of `searchkit.answers.keys` by their names, or `OTHER`.

    None where nothing in it has a field `key`: that is no vote, if it is ours. A function, and a class of somebody
    else's, may vote by any key.
    """
    known = {repr(key): describe(key) for key in KEYS}
    found = [next((name for name in known if known[name] == description), OTHER) for description in _keys(told)]
    return frozenset(found if found or _is_ours(told) else [OTHER])


def _is_ours(told: Any) -> bool:
    kind = str(told.get("type", "")) if isinstance(told, dict) else ""
    return kind.startswith("searchkit.") and kind != label(Function)


def _keys(told: Any) -> Iterator[Any]:
    """The field `key` of all that is described in `told`."""
    if isinstance(told, dict):
        if told.get("key") is not None:
            yield told["key"]
        for part in told.values():
            yield from _keys(part)
    elif isinstance(told, list):
        for part in told:
            yield from _keys(part)
