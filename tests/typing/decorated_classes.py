"""What pyright must infer of class and static methods under `@search`; mypy gives up on them. Not run."""

from __future__ import annotations

from typing import assert_type

from searchkit import search
from searchkit.strategies import SelfConsistency


class Desk:
    @search(SelfConsistency(2))
    @classmethod
    def of_class(cls, to: str) -> int:
        return len(to)

    @search(SelfConsistency(2))
    @staticmethod
    def static(to: str) -> int:
        return len(to)

    @search(SelfConsistency(2))
    @staticmethod
    async def static_later(to: str) -> int:
        return len(to)


async def check(desk: Desk) -> None:
    """A class method through an object, static ones through the class: see `searchkit.wrap.Decorator`."""
    assert_type(desk.of_class("Oslo"), int)
    assert_type(desk.of_class.detailed("Oslo").answer, int)
    assert_type(Desk.static("Oslo"), int)
    assert_type(Desk.static.detailed("Oslo").answer, int)
    assert_type(await Desk.static_later("Oslo"), int)
