"""Who can end a text at its floor: asked before a call, so that nobody ignores one."""

from __future__ import annotations

from typing import Any

from searchkit.errors import CapabilityError
from searchkit.types import Params


def check_floor(params: Params | None, source: Any) -> None:
    """`CapabilityError` if `params` have a floor and `source`, or the backend that it wraps, cannot end a text at it.

    A backend says that it can with an attribute ``ends_at_floor = True``.
    """
    if params is None or params.floor is None:
        return
    inner = source
    while hasattr(inner, "backend"):
        inner = inner.backend
    if not getattr(inner, "ends_at_floor", False):
        raise CapabilityError(
            f"{type(inner).__name__} cannot end a text whose confidence falls: use Embedded, Transformers or OpenAI as "
            "the backend, or Params(floor=None)"
        )
