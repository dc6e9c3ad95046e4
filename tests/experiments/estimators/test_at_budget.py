"""Accuracy within a budget, and the published token counts, against sequences that are written out and counted."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from searchkit import Model, Params, Prompt, Sample, Strategy, solve
from searchkit.calls import Request
from searchkit.errors import ConfigError
from searchkit.experiments.estimators.at_budget import Attempt, Measure, Spent, accuracy_within, spent
from searchkit.protocols import Run
from searchkit.strategies import SpawnJoin
from searchkit.strategies.spawn_join.protocols import TagProtocol
from searchkit.testing import Shuffled
from searchkit.types import Usage

Texts = list[str]


def count(text: str) -> int:
    """Tokens are words."""
    return len(text.split())


@dataclass(frozen=True)
class Heard:
    """Says `reply(prompt)`; all words are tokens, those of the prefix included, as on a real server."""

    reply: Callable[[Prompt], str]
    name: str = "heard"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        return [self._one(request.prompt) for request in requests]

    def _one(self, prompt: Prompt) -> Sample[str]:
        made = self.reply(prompt)
        known, new = count(prompt.text + prompt.prefix), count(made)
        return Sample(made, usage=Usage(0, 0, 1, known, 0, new, longest_context=known + new))


def says(said: dict[str, str]) -> Heard:
    """A backend that says `said[what it has read]`."""
    return Heard(lambda prompt: said[prompt.text + prompt.prefix])


@dataclass(frozen=True)
class Family(Strategy):
    """A parent that writes `parts`, with a spawn of children (each a family) between any two of them.

    What a part says after a "|" is its spawn request, which the join takes the place of.
    """

    prompt: str
    parts: tuple[str, ...]
    joins: tuple[str, ...] = ()
    rounds: tuple[tuple[Family, ...], ...] = ()

    def sequences(self) -> Texts:
        """The parent's whole text each time that it stops."""
        texts, before = [], self.prompt
        for part, join in zip(self.parts, (*self.joins, ""), strict=True):
            texts.append(before + part)
            before = (before + part).partition("|")[0] + join
        return texts

    def script(self) -> dict[str, str]:
        said, before = dict[str, str](), self.prompt
        for part, join in zip(self.parts, (*self.joins, ""), strict=True):
            said[before] = part
            before = (before + part).partition("|")[0] + join
        for children in self.rounds:
            for child in children:
                said |= child.script()
        return said

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        thread = Prompt.of(self.prompt)
        for place, join in enumerate((*self.joins, "")):
            [part] = await run.sample(None, thread, partial=True)
            if place == len(self.joins):
                return part
            await run.map(lambda child, inner: child.search(prompt, inner), self.rounds[place], name="child")
            with run.span.add("join", "item", place) as span:
                span.text = join
            thread = thread.continued(part.text.partition("|")[0] + join)
        raise AssertionError

    def published(self) -> tuple[int, int, int]:
        """Total, context and sequential tokens, counted on whole sequences as the released script counts them."""
        texts = [text.split() for text in self.sequences()]
        common = [
            next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
            for a, b in pairwise(texts)
        ]
        own = sum(map(len, texts)) - sum(common)
        below = [[child.published() for child in children] for children in self.rounds]
        every = [counts for children in below for counts in children]
        return (
            own + sum(total for total, _, _ in every),
            max([*map(len, texts), *(context for _, context, _ in every)]),
            own + sum(max(sequential for _, _, sequential in children) for children in below),
        )


def told(family: Family, order: int = 0) -> Spent:
    backend = Shuffled(says(family.script()), order)
    return spent(asyncio.run(solve(family.prompt, family, generator=Model(backend, Params(max_tokens=99)))), count)


ALONE = Family("what is this ", ("it is that ",))
CHILDREN = tuple(Family(f"task {i} ", ("so " * (i + 1),)) for i in range(3))
TWICE = Family(
    "do it ",
    ("well first |spawn three ", "then |spawn one ", "done "),
    ("<one two three> ", "<four> "),
    (CHILDREN, (Family("task 3 ", ("yes ",)),)),
)
NESTED = Family("top ", ("a b |spawn ", "c "), ("<x> ",), ((TWICE, *CHILDREN),))


# ---------------------------------------------------------------- token counts


def test_without_spawns_all_three_are_the_length_of_the_sequence() -> None:
    """3 words given, 3 written: total = context = sequential = 6, wall time besides."""
    counted = told(ALONE)
    assert (counted.total, counted.context, counted.sequential) == (6, 6, 6)
    assert counted.seconds > 0


def test_a_spawn_by_hand() -> None:
    """Two joins, four children, every number counted by hand."""
    # parent: do it | well first |spawn three -> 6; joined 3, then |spawn one -> 6; joined 1, done -> 2: 2 + 4+6+2 = 14
    # children: 2+1, 2+2, 2+3 and 2+1 -> 15; longest child of each round: 5 and 3
    # longest sequence: do it well first <one two three> then |spawn one -> 10
    counted = told(TWICE)
    assert (counted.total, counted.context, counted.sequential) == (29, 10, 22)


@pytest.mark.parametrize("family", [ALONE, TWICE, NESTED])
def test_counts_equal_those_of_the_whole_sequences(family: Family) -> None:
    """Read from the trace, at any latencies, they are what the released script's method finds on the full texts."""
    for order in range(3):
        counted = told(family, order)
        assert (counted.total, counted.context, counted.sequential) == family.published()
        assert counted.context <= counted.total
        assert counted.sequential <= counted.total


def test_random_families() -> None:
    """The same for families that nobody chose."""
    rng = random.Random(5)

    def words(most: int) -> str:
        return "".join(f"w{rng.randrange(10**6)} " for _ in range(rng.randint(1, most)))

    def family(depth: int) -> Family:
        spawns = rng.randint(0, 2) if depth else 0
        parts = (*(words(5) + "|" + words(3) for _ in range(spawns)), words(5))
        rounds = tuple(tuple(family(depth - 1) for _ in range(rng.randint(1, 3))) for _ in range(spawns))
        return Family(words(4), parts, tuple(words(4) for _ in range(spawns)), rounds)

    for _ in range(25):
        made = family(2)
        counted = told(made)
        assert (counted.total, counted.context, counted.sequential) == made.published()


def test_what_is_billed_counts_the_text_so_far_again() -> None:
    """`Usage` has every prompt as it was sent: more than the published total by what the parent's texts share."""
    model = Model(says(TWICE.script()), Params(max_tokens=99))
    result = asyncio.run(solve(TWICE.prompt, TWICE, generator=model))
    shared = count("do it well first ") + count("do it well first <one two three> then ")
    assert result.usage.total_tokens == spent(result, count).total + shared
    assert result.usage.longest_context == spent(result, count).context


def test_a_search_by_spawn_join_is_counted_like_its_sequences() -> None:
    """The same for `SpawnJoin` itself: the texts that the model saw and wrote, thread by thread, against the trace."""
    said = {
        "sum up ": "first <spawn> <task> part one </task> <task> part two </task> </spawn>",
        "part one": " found it here",
        "part two": " nothing at all to be found",
        "sum up first <join>": "so <spawn> <task> part three </task> </spawn>",
        "part three": " yes",
        "sum up first <join> so <join>": "all done",
    }
    seen: dict[str, list[list[str]]] = {}

    def reply(prompt: Prompt) -> str:
        read = prompt.text + prompt.prefix
        made = said[re.sub(r"<join>.*?</join>\n", "<join> ", read, flags=re.DOTALL).strip() if prompt.prefix else read]
        seen.setdefault(prompt.text, []).append((read + made).split())
        return made

    strategy = SpawnJoin(TagProtocol(instructions=""))
    result = asyncio.run(solve("sum up ", strategy, generator=Model(Heard(reply), Params(max_tokens=99))))
    parent, children = seen.pop("sum up "), {text: len(threads[0]) for text, threads in seen.items()}
    common = [next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y) for a, b in pairwise(parent)]
    own = sum(map(len, parent)) - sum(common)
    counted = spent(result, count)
    assert len(parent) == 3
    assert counted.total == own + sum(children.values())
    assert counted.sequential == own + children["part two"] + children["part three"]
    assert counted.context == max([*map(len, parent), *children.values()])


@dataclass(frozen=True)
class Joiners(Strategy):
    """Two concurrent samples, by items that happen to be called "join"."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        drawn = await run.map(lambda _, child: child.sample(None, prompt), range(2), name="join")
        return drawn[0].unwrap()[0]


def test_items_of_another_strategy_may_be_called_join() -> None:
    """What they spent counts: two sequences of six words, side by side."""
    counted = spent(asyncio.run(solve(ALONE.prompt, Joiners(), generator=Model(says(ALONE.script())))), count)
    assert (counted.total, counted.context, counted.sequential) == (12, 6, 6)


@dataclass(frozen=True)
class Aside(Strategy):
    """A text that is continued after a join, then a question of its own."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        await run.sample(None, prompt)
        with run.span.add("join", "item") as span:
            span.text = "joined "
        await run.sample(None, prompt.continued("one two joined "))
        [answer] = await run.sample(None, Prompt.of("another thing "))
        return answer


def test_only_the_call_behind_a_join_goes_on_from_it() -> None:
    """2 given and 2 written; 1 joined and 2 written; 2 given and 2 written, whatever came before."""
    model = Model(Heard(lambda prompt: "one two "))
    counted = spent(asyncio.run(solve("what now ", Aside(), generator=model)), count)
    assert (counted.total, counted.context, counted.sequential) == (11, 7, 11)


# ---------------------------------------------------------------- accuracy

TABLE: list[tuple[str, bool, int, int, int, float]] = [  # problem, right, total, context, sequential, seconds
    ("a", True, 100, 40, 60, 1.0),
    ("a", False, 10, 10, 10, 0.1),
    ("b", True, 200, 90, 80, 0.5),
    ("c", False, 50, 50, 50, 2.0),
    ("d", True, 30, 30, 30, 3.0),
]
ATTEMPTS = [Attempt(row[0], row[1], Spent(*row[2:])) for row in TABLE]


def test_accuracy_by_hand() -> None:
    """A right answer counts within the limit; the attempts of a problem are averaged, then the problems."""
    # within 30 tokens: d; within 100: half of a and d; within 200: half of a, b and d
    curve = accuracy_within(ATTEMPTS, "total", [29, 30, 100, 200])
    assert curve.mean == (0.0, 0.25, 0.375, 0.625)
    assert curve.problems == ("a", "b", "c", "d")
    assert curve.per_problem.tolist() == [[0, 0, 0.5, 0.5], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]]
    assert accuracy_within(ATTEMPTS, "context", [40, 90]).mean == (0.375, 0.625)
    assert accuracy_within(ATTEMPTS, "sequential", [30, 60, 80]).mean == (0.25, 0.375, 0.625)
    assert accuracy_within(ATTEMPTS, "seconds", [0.5, 1, 3]).mean == (0.25, 0.375, 0.625)


@pytest.mark.parametrize("measure", ["total", "context", "sequential", "seconds"])
def test_accuracy_rises_with_the_limit_to_plain_accuracy(measure: Measure) -> None:
    """A larger budget never hurts; without a limit it is the mean over problems; bounds surround the mean."""
    rng = random.Random(1)
    drawn = [rng.choices(range(1, 99), k=4) for _ in range(60)]
    attempts = [Attempt(f"p{i % 12}", a < 50, Spent(a, b, c, d / 7)) for i, (a, b, c, d) in enumerate(drawn)]
    curve = accuracy_within(attempts, measure, [*range(0, 100, 9), math.inf])
    assert list(curve.mean) == sorted(curve.mean)
    assert curve.mean[0] == 0.0
    assert curve.mean[-1] == pytest.approx(np.mean([a.correct for a in attempts]))  # 5 attempts a problem
    assert all(low <= mean <= high for low, mean, high in zip(curve.low, curve.mean, curve.high, strict=True))
    assert np.allclose(curve.minus(curve).mean, 0)
    assert len(curve.table().splitlines()) == len(curve.limits) + 1


def test_mistakes_are_named() -> None:
    """No attempts, no limits, limits out of order, an unknown measure, other problems."""
    curve = accuracy_within(ATTEMPTS, "total", [10, 20])
    other = accuracy_within(ATTEMPTS[:2], "total", [10, 20])
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: accuracy_within([], "total", [1]), "no attempts"),
        (lambda: accuracy_within(ATTEMPTS, "total", []), "one at least"),
        (lambda: accuracy_within(ATTEMPTS, "total", [2, 2]), "ascend"),
        (lambda: accuracy_within(ATTEMPTS, "total", [math.nan]), "ascend"),
        (lambda: accuracy_within(ATTEMPTS, "tokens", [1]), "measure is one of"),  # type: ignore[arg-type]
        (lambda: curve.minus(other), "share all three"),
    ]
    for mistake, said in mistakes:
        with pytest.raises(ConfigError, match=said):
            mistake()
    assert "no interval" in other.table()
