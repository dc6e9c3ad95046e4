"""What a run page is told of a search, as plain values: its spans, its tree, what it cost, its best so far.

Everything is bounded: a page of a search of any size has at most so many spans and nodes, and texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from searchkit.events import Began, Dropped, Ended, Event, Lost, Opened, Over, Place
from searchkit.kinds import described, printable
from searchkit.markup import trees
from searchkit.markup.cut import most_visited
from searchkit.markup.page import finite
from searchkit.searching import Searching
from searchkit.trace import Span
from searchkit.types import NO_USAGE, Usage

SPANS, NODES = 4000, 400
TEXT, ANSWER, TITLE = 2000, 20_000, 200
"""Characters of a span or node, of an answer, and of a title."""
COSTS = ("generations", "verifications", "model_calls", "generated_tokens", "prompt_tokens", "total_tokens", "usd")


class Told:
    """What one page has not been told yet. Made while nothing else runs, it misses nothing.

    over: whether it was told the end.
    """

    def __init__(self, searching: Searching[Any]) -> None:
        self._searching = searching
        self._rows: dict[Place, list[Any]] = {}
        self._known: set[Place] = set()
        self._left_out = 0
        self._opened: Opened | None = None
        self._over: Over | None = None
        self._drawn: tuple[int, int] | None = None
        self._fresh, self._titled = True, False
        self.over: bool = False
        self._walk()
        self.events = aiter(searching)

    def take(self, event: Event) -> None:
        """One more event."""
        if isinstance(event, Began):
            self._row(event.at, [event.name, event.kind, "open", "", "", 0, 0.0, False])
        elif isinstance(event, Ended):
            tokens, usd = _cost(event.usage, event.retried)
            row = [event.name, event.kind, event.status, _cut(event.text, TEXT), _cut(event.error, TEXT), tokens, usd]
            self._row(event.at, [*row, event.replayed])
        elif isinstance(event, Dropped):
            self._row(event.at, ["", "", "cancelled", "", "", 0, 0.0, False])
        elif isinstance(event, Opened):
            self._opened = event
        elif isinstance(event, Over):
            self._over = event
        elif isinstance(event, Lost):  # we were too slow: begin again
            self._fresh, self._left_out = True, 0
            self._rows.clear()
            self._known.clear()
            self._walk()

    def news(self) -> dict[str, Any]:
        """What is to be told now."""
        said: dict[str, Any] = {"cost": self._costs(), "seconds": round(self._seconds(), 2), "best": self._best()}
        if self._fresh:
            self._fresh, said["fresh"] = False, True
        if self._opened is not None and not self._titled:
            self._titled = True
            problem, strategy = self._opened.problem, self._opened.strategy
            said |= {"title": _cut(problem.id, TITLE), "prompt": _cut(problem.prompt.text, TEXT)}
            said |= {"strategy": type(strategy).__name__}
        if self._rows:
            said["spans"] = [[list(at), *row] for at, row in self._rows.items()]
            self._rows = {}
        if self._left_out:
            said["more"] = self._left_out
        if (drawn := self._tree()) is not None:
            said["tree"] = drawn
        if self._over is not None:
            self.over = True
            error = self._over.error
            said |= {
                "stopped": self._over.stopped or "error",
                "error": "" if error is None else _cut(described(error), TEXT),
            }
        return said

    # ---------------------------------------------------------------- spans

    def _row(self, at: Place, row: list[Any]) -> None:
        if at in self._known or len(self._known) < SPANS:
            self._known.add(at)
            self._rows[at] = row
        elif row[2] == "open":
            self._left_out += 1

    def _walk(self) -> None:
        """All spans so far; those that go on are told again by the events."""
        for at, span in _spans(self._searching.trace):
            tokens, usd = _cost(span.usage, span.retried)
            texts = [_cut(span.text, TEXT), _cut(span.error, TEXT)]
            self._row(at, [span.name, span.kind, span.status, *texts, tokens, usd, span.replayed])

    # ---------------------------------------------------------------- the rest

    def _seconds(self) -> float:
        if self._opened is None:
            return 0.0
        return (perf_counter() if self._over is None else self._over.time) - self._opened.time

    def _costs(self) -> list[list[Any]]:
        """Each kind of cost with its ceiling, if it has one."""
        usage = self._searching.usage
        ceilings = {} if self._opened is None else dict(self._opened.budget.ceilings())
        costs: list[list[Any]] = [
            [name, getattr(usage, name), finite(ceilings.get(name, float("inf")))]
            for name in COSTS
            if getattr(usage, name) or name in ceilings
        ]
        return (
            [*costs, ["seconds", round(self._seconds(), 1), finite(ceilings["seconds"])]]
            if "seconds" in ceilings
            else costs
        )

    def _best(self) -> dict[str, Any] | None:
        try:
            best = self._searching.best()
        except Exception:  # a rule of others, asked for a picture
            return None
        if best is None:
            return None
        return {"text": _cut(best.sample.text, ANSWER), "score": None if best.score is None else finite(best.score)}

    def _tree(self) -> dict[str, Any] | None:
        """The most visited nodes, where they are others than those told last."""
        tree = self._searching.tree
        if tree is None:
            return None
        state = len(tree), tree.visits[0]
        if state == self._drawn:
            return None
        self._drawn = state
        said = trees.data(tree, most_visited(tree, NODES))
        said["text"] = [_cut(text, TEXT) for text in said["text"]]
        return {
            name: said[name]
            for name in ("total", "id", "parent", "depth", "text", "mean", "score", "visits", "terminal")
        }


def _spans(root: Span) -> Iterator[tuple[Place, Span]]:
    """All spans below `root`, in program order."""
    stack: list[tuple[Place, Span]] = [((i,), child) for i, child in reversed(list(enumerate(root.children)))]
    while stack:
        at, span = stack.pop()
        yield at, span
        stack += [((*at, i), child) for i, child in reversed(list(enumerate(span.children)))]


def _cost(usage: Usage, retried: Usage) -> tuple[int, float]:
    both = usage if retried is NO_USAGE else usage + retried
    return both.generated_tokens, both.usd


def _cut(text: str, longest: int) -> str:
    """`text`, not longer than is bounded, and with what turns lines around or cannot be sent as escapes."""
    return printable(text if len(text) <= longest else text[: longest - 1] + "…")
