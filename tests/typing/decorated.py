"""What type checkers must infer of functions under `@search`; read by mypy and pyright in `test_types.py`, not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from searchkit import Result, Run, Sample, search
from searchkit.strategies import SelfConsistency


@dataclass(frozen=True)
class Flight:
    price: int


@search(SelfConsistency(2))
def book(to: str, days: int = 3, run: Run | None = None) -> Flight:
    return Flight(len(to) + days)


@search(SelfConsistency(2))
async def book_later(to: str, *, days: int = 3) -> Flight:
    return Flight(len(to) + days)


class Desk:
    @search(SelfConsistency(2))
    def book(self, to: str) -> Flight:
        return Flight(len(to))

    @search(SelfConsistency(2))
    async def book_later(self, to: str) -> list[Flight]:
        return [Flight(len(to))]


async def check(desk: Desk, result: Result[bool], sample: Sample[bool]) -> None:
    """Answers have the type that the function returns; arguments are those of the function, without self."""
    assert_type(book("Oslo", days=7), Flight)
    assert_type(book.detailed("Oslo"), Result[Flight])
    assert_type(book.detailed("Oslo").answer, Flight)
    assert_type(await book_later("Oslo", days=7), Flight)
    assert_type((await book_later.detailed("Oslo")).answer, Flight)
    assert_type(desk.book("Oslo"), Flight)
    assert_type(desk.book.detailed("Oslo").answer, Flight)
    assert_type(await desk.book_later("Oslo"), list[Flight])
    assert_type((await desk.book_later.detailed("Oslo")).answer, list[Flight])
    wider: Result[int] = result  # frozen values are covariant
    said: Sample[Any] = sample
    print(wider, said)


def wrong(desk: Desk) -> None:
    """Calls that must be errors: an ignored one that is none would be reported as unused."""
    book(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    book.detailed()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    desk.book("Oslo", 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    desk.book.detailed(to=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
