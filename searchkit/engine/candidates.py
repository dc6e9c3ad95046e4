"""What the runs of one search share, and what one strategy has found so far."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from searchkit import codec
from searchkit.engine.aside import chosen
from searchkit.engine.feed import Feed
from searchkit.engine.journal import Journal
from searchkit.errors import VerifierError
from searchkit.protocols import Generator, Rule, Slots, Verifier
from searchkit.tally import Tally
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Params, Problem, Prompt, Scored, Stopped, Usage

Order = tuple[int, ...]


@dataclass(eq=False)
class Search:
    """What all runs of one search share.

    feed: where events go; one for all searches inside of one. outer: the search in one of whose calls this one was
    opened, if it was. mistakes: verifications that returned no verdicts, one entry a sample. diverged: the places of
    resumed attempts that asked otherwise than they had. turned: when items last started in the loop's next turn, on
    `time.perf_counter`; beginning: those that are being begun now, one inside of the other. seen: the agents one of
    whose attempts ended by itself and made calls that were counted. stopping: it was asked to end. closing: what was
    opened for it is being closed; all else is done. silent: agents and the spans of their attempts that failed or were
    cancelled before any. left_out: fields that requests were answered without, because the server refused them.
    oracles: verifiers that saw what is right. abandoned: calls that were given up and went on in their threads.
    """

    problem: Problem
    generator: Generator | None = None
    journal: Journal | None = None
    feed: Feed = field(default_factory=Feed)
    outer: Search | None = None
    charged: Tally = field(default_factory=Tally)
    consumed: Tally = field(init=False)
    errors: list[tuple[tuple[int, ...], Exception]] = field(default_factory=list)
    mistakes: list[tuple[tuple[int, ...], VerifierError]] = field(default_factory=list)
    abandoned: int = 0
    stopping: bool = False
    closing: bool = False
    turned: float = 0.0
    beginning: int = 0
    diverged: list[tuple[int, ...]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    silent: list[tuple[str, Span]] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    oracles: set[str] = field(default_factory=set)
    slots: dict[str, Slots] = field(default_factory=dict)
    bound: dict[int, tuple[Verifier, Verifier]] = field(default_factory=dict)
    resources: dict[int, tuple[object, Any]] = field(default_factory=dict)
    requests: dict[str, tuple[Prompt, Params, bytes, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.consumed = self.charged  # one sum, until something is not paid for

    def charge(self, actual: Usage, *, paid: bool) -> None:
        """Add to the totals, here and in the searches around this one."""
        if not paid and self.consumed is self.charged:
            self.consumed = copy(self.charged)
        self.charged.add(actual)
        if paid and self.consumed is not self.charged:
            self.consumed.add(actual)
        if self.outer is not None:
            self.outer.charge(actual, paid=paid)

    def abandon(self) -> None:
        """Count a thread that goes on, here and in the searches around this one."""
        self.abandoned += 1
        if self.outer is not None:
            self.outer.abandon()

    def count_silent(self) -> None:
        """Once nothing runs any more: attempts that ended before their first call made none, if such calls are seen.

        Only now is it known, however fast each attempt was. Ledgers keep what they charged.
        """
        for name, span in self.silent:
            if name in self.seen and span.usage.model_calls:
                span.usage = replace(span.usage, model_calls=span.usage.model_calls - 1)
                self.charge(Usage(model_calls=-1), paid=True)
        self.silent.clear()

    @property
    def usage(self) -> Usage:
        """All that was charged so far."""
        return self.charged.usage

    @property
    def paid(self) -> Usage:
        """What of it this process consumed itself."""
        return self.consumed.usage

    @property
    def depth(self) -> int:
        """How many searches this one is inside of."""
        return 0 if self.outer is None else self.outer.depth + 1

    def request(self, use: str, prompt: Prompt, params: Params) -> tuple[bytes, str]:
        """The digest of a request, and the request as text; the last one for each use is remembered, because many
        samples are asked for the same."""
        known = self.requests.get(use)
        if known is None or known[0] is not prompt or known[1] is not params:
            asked = codec.dump_request(prompt, params)
            known = self.requests[use] = prompt, params, codec.digest_of(asked), asked
        return known[2], known[3]

    @property
    def outermost(self) -> Search:
        """The search that all others are inside of."""
        return self if self.outer is None else self.outer.outermost

    async def close(self) -> None:
        """Close what was opened for this search, last first; all of it, even if closing something fails."""
        async with AsyncExitStack() as stack:
            for _, opened in self.resources.values():
                stack.push_async_callback(_close, opened)
        self.resources.clear()


async def _close(opened: Any) -> None:
    closed = opened.close()
    if inspect.isawaitable(closed):
        await closed


@dataclass(eq=False)
class Frame:
    """The candidates of one strategy, in program order, and why it stopped early if it did.

    seen: by the sample, the first and the last place in program order where it was offered, whichever of several items
    came to it first, what was said of it at the last one, and by which verifier if it was one. depth: 0 of
    the search itself, 1 of its strategy, 2 and more of those inside. rule: how that chooses.
    """

    seen: dict[int, tuple[Order, Order, Scored, Verifier | None]] = field(default_factory=dict)
    stopped: Stopped = "done"
    order: tuple[int, ...] = ()
    depth: int = 0
    rule: Rule | None = None
    inner: list[Frame] = field(default_factory=list)
    tree: Tree | None = None

    def offer(self, order: Order, scored: Scored, judge: Verifier | None = None) -> None:
        known = self.seen.get(id(scored.sample))
        if known is None:
            self.seen[id(scored.sample)] = order, order, scored, judge
        else:
            first, last, before, by = known
            if order < first[: len(order)]:  # not only above it
                first = order
            if order >= last[: len(order)]:
                last, before, by = order, scored, judge
            self.seen[id(scored.sample)] = first, last, before, by

    def forget(self, beyond: Callable[[tuple[int, ...]], bool]) -> None:
        """Drop what was found at places that are `beyond` what the strategy took."""
        self.seen = {key: entry for key, entry in self.seen.items() if not beyond(entry[0])}
        self.inner = [frame for frame in self.inner if not beyond(frame.order)]

    def candidates(self) -> tuple[Scored, ...]:
        return tuple([entry[2] for entry in sorted(self.seen.values(), key=itemgetter(0))])

    @property
    def outermost(self) -> Frame:
        """That of the strategy that was asked, in the frame of a whole search."""
        return self.inner[0] if self.inner else self

    def best(self) -> Scored | None:
        """The best so far: what the strategy's rule chooses.

        Where it has none, or none that can do so without asking anybody: the highest score, then the first; without
        scores the first that is complete, else the first. What strategies inside that still go on have found counts
        if the same verifier has judged it that judges here. Without candidates of its own, the same of the strategies
        inside: their best with the highest score.
        """
        candidates = self.candidates()
        if self.rule is not None and candidates and (found := chosen(self.rule, candidates)) is not None:
            return found
        scored = [c for c in candidates if c.score is not None]
        if scored:
            scored += self._by_the_same() if self.inner and self.rule is None else []
            return max(scored, key=lambda c: c.score if c.score is not None else 0.0)
        whole = [c for c in candidates if not c.sample.truncated]
        first = next(iter(whole or candidates), None)
        if first is not None:
            return first
        inner = (best for frame in self.inner if (best := frame.best()) is not None)
        return max(inner, key=lambda best: -math.inf if best.score is None else best.score, default=None)

    def _by_the_same(self) -> list[Scored]:
        """What parts have found whose answer is not judged yet, and the only verifier has judged that judges here."""
        own, depth = [entry for entry in self.seen.values() if entry[2].score is not None], len(self.order) + 2
        judge = own[0][3]
        if judge is None or not all(_same(judge, entry[3]) for entry in own):
            return []
        judged = {order[:depth] for entry in own for order in entry[:2]}
        found, parts = list[tuple[Order, Order, Scored, Verifier | None]](), list(self.inner)
        while parts:
            part = parts.pop()
            if part.order[:depth] not in judged:
                found += part.seen.values()
                parts += part.inner
        return [e[2] for e in sorted(found, key=itemgetter(0)) if e[2].score is not None and _same(judge, e[3])]


def _same(one: Verifier, other: Verifier | None) -> bool:
    """Whether two verifiers are surely the same: what they are made of may compare in any way, or not at all."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and (one == other) is True
    except Exception:
        return False
