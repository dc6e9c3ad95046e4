"""What is set aside for one call, and what the agent that it called does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from searchkit.calls import Request
from searchkit.engine.ledger import Ledger, cost_of
from searchkit.errors import ConfigError, JournalError
from searchkit.trace import Span
from searchkit.types import NO_USAGE, Params, Prompt, Role, Usage
from searchkit.wire import estimates


class Asked:
    """The calls of one attempt that ask the same. taken: their numbers; flying: of those that are not answered yet."""

    __slots__ = ("_failed", "_moved", "flying", "taken")

    def __init__(self) -> None:
        self.taken: set[int] = set()
        self.flying: set[int] = set()
        self._failed = 0  # numbers that were given back, and not taken again
        self._moved = asyncio.Event()

    def take(self) -> int:
        """A new call's number, from 0: the least that is free."""
        number = next(i for i in range(len(self.taken) + 1) if i not in self.taken)
        self.taken.add(number)
        self.flying.add(number)
        self._failed = max(self._failed - 1, 0)
        return number

    def land(self, number: int, failed: bool) -> None:
        """A call has ended. One that got no answer leaves its number to the next that asks the same."""
        self.flying.discard(number)
        if failed:
            self.taken.discard(number)
            self._failed += 1
        self._moved.set()

    async def failure(self) -> None:
        """Wait until a call that is given up has ended: its client may ask again before that."""
        while self.flying and not self._failed:
            self._moved.clear()
            await self._moved.wait()


class Held:
    """The worst case of a call, and the calls that an agent makes inside of it.

    over: a search inside has taken over: nothing is set aside for the call itself any more. counts_itself: it counts as
    a model call, because none inside was seen. exhausted: the ceiling for which a call inside was refused, "" for none.
    damaged: what a journal could not give back of a call inside.
    inside: the calls inside, and what was set aside for each, in the order in which they began; a journal keeps them
    with the call. whole: they are all that it did through its run, and none was refused. asked: the places of those
    that an agent made by itself. usd: what the worst case costs, as far as its price is known. span, ledger, params: of
    the call.
    """

    __slots__ = (
        "_call",
        "_numbers",
        "_worst",
        "asked",
        "counts_itself",
        "damaged",
        "exhausted",
        "inside",
        "ledger",
        "over",
        "params",
        "span",
        "usd",
        "whole",
    )

    def __init__(
        self,
        worst: Usage | Request,
        ledger: Ledger,
        span: Span,
        params: Params | None = None,
        usd: float = 0.0,
    ) -> None:
        """worst: the worst case, or the request of which it is to be reckoned where somebody asks for it."""
        self._worst: Usage | None = None if isinstance(worst, Request) else worst
        self._call: Request | None = worst if isinstance(worst, Request) else None
        self.usd: float = usd
        self.ledger: Ledger = ledger
        self.span: Span = span
        self.params: Params | None = params
        self.over: bool = False
        self.counts_itself: bool = True
        self.exhausted: str = ""
        self.damaged: JournalError | None = None
        self.inside: list[tuple[Span, Held]] = []
        self.whole: bool = True
        self.asked: set[bytes] = set()
        self._numbers: dict[bytes, Asked] = {}

    @property
    def worst(self) -> Usage:
        if self._worst is None:
            assert self._call is not None
            self._worst = worst_case(self._call.prompt, self._call.params, self.span.role, self.ledger)
        return self._worst

    @worst.setter
    def worst(self, worst: Usage) -> None:
        self._worst = worst

    @property
    def generations(self) -> int:
        """How many samples it counts as."""
        return self._worst.generations if self._worst is not None else int(self.span.role == "generate")

    def hand_over(self) -> None:
        """Give back what is set aside: a search inside is charged instead of the call."""
        if not self.over:
            self._give_back(self.worst)
            self.worst, self.over = NO_USAGE, True

    def count_inside(self) -> None:
        """A model call inside is counted from now on, so that the call itself is none."""
        if self.counts_itself and not self.over:
            self.counts_itself = False
            self._give_back(Usage(model_calls=self.worst.model_calls))
            self.worst = replace(self.worst, model_calls=0)

    @property
    def alone(self) -> bool:
        """What it costs is what the agent says: no call inside was charged."""
        return self.counts_itself and not self.over

    @property
    def lost(self) -> Usage:
        """What it is charged where nobody knows what it cost: the worst case, marked as an estimate."""
        return replace(self.worst, estimated_tokens=self.worst.total_tokens, usd=self.usd)

    def share_numbers(self, other: Held) -> None:
        """Number calls inside together with those of `other`, whose agent was given the same run."""
        self._numbers = other._numbers

    def _give_back(self, amount: Usage) -> None:
        if self.ledger.bounded:
            self.ledger.settle(cost_of(amount), cost_of(NO_USAGE))

    def same(self, content: bytes) -> Asked:
        """The calls inside that ask `content`."""
        return self._numbers.setdefault(content, Asked())

    @property
    def storable(self) -> bool:
        """Whether a journal can replay the call with all that it contained."""
        return self.whole and all(span.status != "open" for span, _ in self.inside)

    def stored(self) -> list[dict[str, Any]]:
        """The calls inside, as JSON."""
        return [
            {"span": span.dumped(), "worst": asdict(held.worst), "below": span in self.span.children}
            for span, held in self.inside
        ]


def load_leaves(stored: Sequence[Mapping[str, Any]]) -> list[tuple[Span, Usage, bool]]:
    """What `Held.stored` made: each span, its worst case, and whether it stands below the call's."""
    return [(Span.load(one["span"]), Usage(**one["worst"]), one["below"]) for one in stored]


def worst_case(prompt: Prompt, params: Params, role: Role, ledger: Ledger) -> Usage:
    """What one sample may cost at most. The prompt's length is a guess (4 characters a token): see `Budget`."""
    most = params.max_tokens
    if most is None and ledger.bounded:
        for name in ("generated_tokens", "total_tokens"):
            if ledger.has_ceiling(name):
                raise ConfigError(
                    f"Budget({name}=...) needs Params(max_tokens=...): without it no call has a worst case"
                )
    read = estimates.read(prompt.text + prompt.prefix)
    return Usage(
        generations=1 if role == "generate" else 0, model_calls=1, prompt_tokens=read, generated_tokens=most or 0
    )
