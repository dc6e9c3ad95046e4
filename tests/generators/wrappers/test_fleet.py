"""Which endpoint the next call goes to, on a clock of the test's."""

from __future__ import annotations

import math

import pytest

from searchkit import Prompt
from searchkit.calls import CallError
from searchkit.generators.wrappers import fleet as fleets
from searchkit.generators.wrappers.circuit import FAILURES, REST
from searchkit.generators.wrappers.fleet import SLACK, Fleet, Flight, elsewhere, problem_of

DEAD = CallError("nobody listens", kind="connection", lasting=True)


def fleet(count: int = 2, requests: int | None = None, tokens: int | None = None) -> Fleet:
    return Fleet([requests] * count, [tokens] * count)


def went(fleet: Fleet, problem: str, tried: set[int] | None = None, now: float = 0.0, tokens: float = 0) -> Flight:
    flight = fleet.begin(problem.encode(), tokens, tried or set(), now)
    assert isinstance(flight, Flight), flight
    return flight


def test_new_problems_go_to_the_least_loaded():
    """And, where all have the same to do, to that which was asked least so far."""
    ours = fleet(3)
    flights = [went(ours, str(n)) for n in range(5)]
    assert [f.endpoint.number for f in flights] == [0, 1, 2, 0, 1]
    ours.end(flights[1], None, 1, 0.0)
    ours.end(flights[4], None, 1, 0.0)
    assert went(ours, "5").endpoint.number == 1
    for flight in flights[0], flights[2], flights[3]:
        ours.end(flight, None, 1, 0.0)


def test_a_problem_stays_where_it_is_known():
    """Up to a slack, beyond which its calls go elsewhere, without moving it."""
    ours = fleet(2)
    numbers = [went(ours, "long").endpoint.number for _ in range(SLACK + 3)]
    assert numbers == [0] * (SLACK + 1) + [1, 0]
    went(ours, "other")
    for endpoint in ours.endpoints:
        endpoint.flying = 0
    assert went(ours, "long").endpoint.number == 0


def test_a_dead_endpoints_problems_move_and_stay():
    """When it is back, they are known elsewhere, and new ones come to it."""
    ours = fleet(2)
    first = went(ours, "a")
    ours.end(first, DEAD, 0, 0.0)
    assert [went(ours, "a").endpoint.number for _ in range(3)] == [1] * 3
    back = went(ours, "new", now=REST)
    assert back.endpoint.number == 0
    assert went(ours, "newer", now=REST).endpoint.number == 1  # one call tries it
    ours.end(back, None, 1, REST)
    assert went(ours, "newest", now=REST).endpoint.number == 0
    assert went(ours, "a", now=REST).endpoint.number == 1


def test_where_all_rest_the_shortest_rest_is_told():
    """As a negative number; of those that were not tried."""
    ours = fleet(2)
    ours.end(went(ours, "a", {1}), DEAD, 0, 10.0)
    ours.end(went(ours, "a", {0}), DEAD, 0, 10.2)
    assert ours.begin(b"a", 0, set(), 10.3) == pytest.approx(-(REST - 0.3))
    assert ours.begin(b"a", 0, {0}, 10.3) == pytest.approx(-(REST - 0.1))
    assert ours.why == "nobody listens"


def test_three_failures_in_a_row_rest_an_endpoint_and_a_refused_request_does_not():
    """A request that is at fault says nothing of whom it was asked."""
    ours = fleet(1)
    for kind in ("bad_request", "failed", "rate_limit"):
        for _ in range(FAILURES):
            ours.end(went(ours, "a"), CallError("no", kind=kind), None, 0.0)
    for _ in range(FAILURES):
        ours.end(went(ours, "a"), CallError("no", kind="server"), None, 0.0)
    assert ours.begin(b"a", 0, set(), 0.0) == -REST


def test_what_an_endpoint_asks_for_is_kept():
    """Up to a minute: others are asked meanwhile."""
    ours = fleet(2)
    busy = CallError("slow down", kind="rate_limit", retry_after=3600.0)
    ours.end(went(ours, "a"), busy, 0, 0.0)
    assert went(ours, "a").endpoint.number == 1
    assert went(ours, "b").endpoint.number == 1
    assert went(ours, "c", now=61.0).endpoint.number == 0


def test_a_minute_that_is_full_sends_calls_elsewhere_and_then_makes_them_wait():
    """Until the first minute is over; a problem stays known where it was."""
    ours = fleet(2, requests=2)
    for n in range(4):
        flight = went(ours, "a", now=float(n))
        assert flight.endpoint.number == n // 2
        ours.end(flight, None, 1, n + 0.5)
    assert ours.begin(b"a", 0, set(), 10.0) == 50.5
    assert went(ours, "a", now=60.5).endpoint.number == 0


def test_tokens_are_held_at_their_worst_and_counted_as_they_were():
    """What nobody knows the tokens of stays at its worst."""
    ours = fleet(1, tokens=100)
    first = went(ours, "a", tokens=60)
    assert ours.begin(b"a", 60, set(), 0.0) == math.inf
    ours.end(first, None, 40, 1.0)
    second = went(ours, "a", tokens=60, now=1.0)
    ours.end(second, CallError("cut", kind="connection"), None, 2.0)
    assert ours.begin(b"a", 1, set(), 3.0) == 58.0


def test_no_more_problems_are_remembered_than_are_bounded(monkeypatch):
    """The longest unused goes first."""
    monkeypatch.setattr(fleets, "KNOWN", 20)
    ours = fleet(1)
    for n in range(30):
        ours.end(went(ours, str(n)), None, 1, 0.0)
        ours.end(went(ours, "first"), None, 1, 0.0)
    assert len(ours._homes) == 20
    assert b"first" in ours._homes


def test_a_problem_is_told_by_what_its_user_says_first():
    """Samples, steps and turns of one are the same; another system text, question, tool or image is another."""
    ask = {"role": "user", "content": "How much?"}
    system, other = {"role": "system", "content": "Be short."}, {"role": "system", "content": "Be long."}
    turns = [system, ask, {"role": "assistant", "content": "What?"}, {"role": "user", "content": "That."}]
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]}
    base = Prompt.of([system, ask])
    same = [base.continued("4"), Prompt.of(turns)]
    others = [Prompt.of([ask]), Prompt.of([other, ask]), Prompt.of([image])]
    others += [Prompt((*base.messages,), tools=("{}",)), Prompt.of("How much? "), Prompt.of("\ud800")]
    assert {problem_of(prompt) for prompt in same} == {problem_of(base)}
    assert len({problem_of(prompt) for prompt in (base, *others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("kind", "lasting", "expected"),
    [(kind, False, True) for kind in ("rate_limit", "server", "timeout", "connection", "malformed", "auth", "quota")]
    + [("bad_request", False, False), ("failed", False, False), ("connection", True, True)],
)
def test_what_another_endpoint_may_answer(kind, lasting, expected):
    """All but what is the request's own fault."""
    assert elsewhere(CallError("no", kind=kind, lasting=lasting)) is expected
