"""Events: program order, and what beats what, against sets that can be read."""

from __future__ import annotations

import random
from dataclasses import fields

import pytest

from searchkit.events import (
    Began,
    Dropped,
    Ended,
    Event,
    Found,
    Lost,
    Opened,
    Over,
    Planted,
    Stopping,
    beats,
    in_order,
)
from searchkit.strategies import SelfConsistency
from searchkit.tree import Tree
from searchkit.types import Budget, Problem, Prompt, Role, Sample, Scored, Usage, Verdict

GENERATE: Role = "generate"
TREE = Tree()
A, B, C = (Scored(Sample(text), Verdict(score)) for text, score in (("a", 0.5), ("b", 0.4), ("c", 0.6)))


def began(*at: int) -> Began:
    return Began(at, 0.0, "x", "item", 0, GENERATE)


def ended(*at: int, status: str = "ok", usage: Usage = Usage()) -> Ended:
    return Ended(at, 0.0, "x", "item", 0, GENERATE, status, usage=usage)  # type: ignore[arg-type]


OPENED = Opened((), 0.0, Problem("p", Prompt.of("q")), SelfConsistency(1), Budget(), 0, lambda: None)
IN_ORDER: list[Event] = [
    OPENED, began(0), began(0, 0), began(0, 0, 0), Found((0, 0, 0), 0.0, A, True), ended(0, 0, 0), began(0, 0, 1),
    Found((0, 0, 1), 0.0, B, False), ended(0, 0, 1), began(0, 0, 10), Found((0, 0, 10), 0.0, C, True), ended(0, 0, 10),
    ended(0, 0), Planted((0,), 0.0, TREE), Stopping((0,), 0.0, "threshold"), ended(0), Over((), 0.0, "threshold"),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_arrival_comes_to_program_order(seed: int) -> None:
    """Whatever came first: a span stands around its children, these by number, and `best` is said of that order."""
    found, rest = IN_ORDER[-4:-2], IN_ORDER[:-4] + IN_ORDER[-2:]  # two in one span keep the order in which they came
    random.Random(seed).shuffle(rest)
    arrived = [e if not isinstance(e, Found) else Found(e.at, 0.0, e.scored, seed % 2 == 0) for e in rest]
    assert in_order([*found, *arrived]) == IN_ORDER


def test_times_and_what_depends_on_latencies_are_left_out() -> None:
    """Times, CPU seconds, retries, tokens read before, what was lost, what was cancelled or dropped and all below."""
    slow = Usage(model_calls=1, generated_tokens=5, cached_tokens=3, cpu_seconds=0.7)
    came = [
        OPENED, Began((0,), 9.0, "x", "item", 0, GENERATE), began(1), began(1, 0), ended(1, 0), began(2),
        Found((1, 0), 0.0, A, True), ended(1), Dropped((1,), 0.0), ended(2, status="cancelled"), Lost((), 0.0, 7),
        Ended((0,), 8.0, "x", "item", 0, GENERATE, "ok", usage=slow, retried=Usage(model_calls=2)),
        Over((), 1.0, "done"),
    ]  # fmt: skip
    steady = ended(0, usage=Usage(model_calls=1, generated_tokens=5))
    assert in_order(came) == [OPENED, began(0), steady, Over((), 0.0, "done")]


def asked(*at: int, place: str, status: str = "ok") -> Ended:
    return Ended(at, 0.0, "x", "call", 0, "plan", status, place=place)  # type: ignore[arg-type]


def test_calls_of_an_agent_that_overtake_one_another_are_numbered_by_what_they_ask() -> None:
    """Also below another one; one that failed and was made again counts once, as it went the last time."""
    one = [began(0), began(0, 0), asked(0, 0, place="a"), began(0, 1), asked(0, 1, place="b"), ended(0)]
    other = [
        began(0), began(0, 0), began(0, 1), asked(0, 0, place="b", status="error"), began(0, 2),
        asked(0, 2, place="b"), asked(0, 1, place="a"), ended(0),
    ]  # fmt: skip
    numbers = {(0, 0): (0, 1), (0, 1): (0, 2)}  # of the two that are left
    wanted = [type(e)(numbers.get(e.at, e.at), *list(vars_of(e))) for e in in_order(one)]
    assert in_order(other) == wanted
    assert [e.place for e in in_order(other) if isinstance(e, Ended)] == ["a", "b", ""]


def vars_of(event: Event) -> list[object]:
    """All fields of `event` but the first."""
    return [getattr(event, f.name) for f in fields(event)][1:]


def scored(score: float | None, *, cut: bool = False) -> Scored:
    return Scored(Sample("x", finish="length" if cut else "stop"), Verdict(score))


@pytest.mark.parametrize(
    ("new", "best", "wins"),
    [
        (scored(0.1), None, True), (scored(None, cut=True), None, True), (scored(0.1), scored(None), True),
        (scored(None), scored(0.0), False), (scored(0.2), scored(0.1), True), (scored(0.1), scored(0.1), False),
        (scored(None), scored(None), False), (scored(None), scored(None, cut=True), True),
        (scored(None, cut=True), scored(None, cut=True), False), (scored(-1.0), scored(None, cut=True), True),
    ],
)  # fmt: skip
def test_what_beats_what(new: Scored, best: Scored | None, wins: bool) -> None:
    """A score beats none, more beats less, of those without the first whole one; of equals the first."""
    assert beats(new, best) is wins


def test_a_verdict_takes_the_place_of_the_bare_sample() -> None:
    """What was best without a score is so with one, since it is the same answer."""
    sample = Sample("a")
    assert beats(Scored(sample, Verdict(0.0)), Scored(sample))
