"""What a run page is told, against the result of the search."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from searchkit import Budget, Params
from searchkit.calls import Request
from searchkit.engine import reader
from searchkit.testing import Scripted
from searchkit.trace import Span
from searchkit.views.runs import told
from searchkit.views.runs.told import Told
from tests.helpers.run_pages import HOSTILE, PROBLEM, drawn, grown, said


class Page:
    """What a page knows after all that it was told, as run.js keeps it."""

    def __init__(self) -> None:
        self.spans: dict[tuple[int, ...], list[Any]] = {}
        self.last: dict[str, Any] = {}
        self.tree: dict[str, Any] | None = None

    def show(self, news: dict[str, Any]) -> None:
        if news.get("fresh"):
            self.spans = {}
        for at, name, *row in news.get("spans", []):
            known = self.spans.get(tuple(at))
            self.spans[tuple(at)] = [*known[:2], row[1], *known[3:]] if known and not name else [name, *row]
        self.tree = news.get("tree", self.tree)
        self.last |= news


async def viewed(searching: Any, opened: int) -> tuple[Page, Any]:
    """A page that is opened after so many turns of the loop, and looks again every few turns, to the end."""
    for _ in range(opened):
        await asyncio.sleep(0.0005)
    page, it = Page(), Told(searching)

    async def feed() -> None:
        async for event in it.events:
            it.take(event)

    fed = asyncio.ensure_future(feed())
    while not it.over:
        await asyncio.sleep(0.001)
        page.show(it.news())
    await fed
    return page, await searching


def expected(root: Span) -> dict[tuple[int, ...], list[Any]]:
    found: dict[tuple[int, ...], list[Any]] = {}

    def walk(span: Span, at: tuple[int, ...]) -> None:
        for i, child in enumerate(span.children):
            both = child.usage + child.retried
            text = told._cut(child.text, told.TEXT)
            found[*at, i] = [child.name, child.kind, child.status, text, child.error, both.generated_tokens, both.usd,
                             child.replayed]  # fmt: skip
            walk(child, (*at, i))

    walk(root, ())
    return found


@pytest.mark.parametrize("opened", [0, 1, 3, 8, 30, 400])
@pytest.mark.parametrize("kind", [grown, drawn])
def test_a_page_knows_in_the_end_what_the_trace_says(kind, opened):
    """Whenever it is opened: before, during or after the search; its tree, cost and answer likewise."""

    async def main() -> tuple[Page, Any]:
        return await viewed(kind(), opened)

    page, result = asyncio.run(main())
    assert page.spans == expected(result.trace)
    assert {name: spent for name, spent, _ in page.last["cost"]} == {
        name: getattr(result.usage, name) for name in told.COSTS if getattr(result.usage, name)
    }
    assert page.last["stopped"] == result.stopped
    assert page.last["best"]["text"] == told._cut(result.sample.text, told.ANSWER)
    if result.tree is None:
        assert page.tree is None
    else:
        assert page.tree["text"] == [told._cut(text, told.TEXT) for text in result.tree.text]
        assert page.tree["visits"] == list(result.tree.visits)


@pytest.mark.filterwarnings("ignore::searchkit.SearchWarning")
def test_ceilings_stand_beside_what_was_spent():
    """Also those of which nothing was spent yet."""

    async def main() -> Page:
        return (await viewed(grown(budget=Budget(generations=40, usd=1.0, seconds=60.0)), 0))[0]

    costs = {name: (spent, ceiling) for name, spent, ceiling in asyncio.run(main()).last["cost"]}
    assert costs["usd"] == (0.0, 1.0)
    assert costs["generations"][1] == 40
    assert costs["seconds"][1] == 60
    assert costs["verifications"][1] is None


def test_a_search_that_fails_says_so():
    """With its error."""

    def fails(request: Any) -> str:
        raise RuntimeError(f"no {HOSTILE}")

    async def main() -> Page:
        searching = drawn(Scripted(fails), n=1)
        page = Page()
        it = Told(searching)
        with pytest.raises(RuntimeError):
            await searching
        async for event in it.events:
            it.take(event)
        page.show(it.news())
        return page

    last = asyncio.run(main()).last
    assert last["stopped"] == "error"
    assert "RuntimeError" in last["error"]
    assert "\u202e" not in last["error"]


def test_a_page_is_bounded(monkeypatch):
    """In its spans, its nodes and its texts; it says how many spans are not on it."""
    monkeypatch.setattr(told, "SPANS", 10)
    monkeypatch.setattr(told, "NODES", 5)
    monkeypatch.setattr(told, "TEXT", 20)

    async def main() -> tuple[Page, Any]:
        return await viewed(grown(), 0)

    page, result = asyncio.run(main())
    total = sum(1 for _ in result.trace.walk()) - 1
    assert len(page.spans) == 10
    assert page.last["more"] == total - 10
    assert len(page.tree["id"]) == 5
    assert page.tree["total"] == len(result.tree)
    assert all(len(text) <= 20 + len("\\u202e") - 1 for text in page.tree["text"])


def test_what_was_lost_is_told_anew(monkeypatch):
    """A page that was too slow begins again with what the trace says."""
    monkeypatch.setattr(reader, "MOST", 5)

    async def main() -> tuple[Page, Any]:
        searching = drawn()
        page, it = Page(), Told(searching)
        await searching
        async for event in it.events:
            it.take(event)
        page.show(it.news())
        return page, searching

    page, searching = asyncio.run(main())
    assert page.spans == expected(searching.trace)
    assert page.last["fresh"]


def test_texts_are_data():
    """Nothing in them turns a line around, and their markup is as it was."""
    assert told._cut(said(Request(PROBLEM.prompt, Params(), 0)), told.TEXT).startswith(
        HOSTILE.replace("\u202e", "\\u202e")
    )
    assert told._cut("a" * 3000, told.TEXT) == "a" * (told.TEXT - 1) + "…"
    assert PROBLEM.id.endswith("7")
