"""The circuit breaker of an endpoint, on a clock of the test's."""

from __future__ import annotations

import pytest

from searchkit.generators.wrappers.circuit import FAILURES, LONGEST, REST, Circuit


def failed(circuit: Circuit, now: float, times: int = 1) -> None:
    for _ in range(times):
        circuit.end(circuit.begin(), False, now)


def test_it_opens_after_failures_in_a_row():
    """A success in between, and an end that says nothing, are no failures."""
    circuit = Circuit()
    failed(circuit, 0.0, FAILURES - 1)
    circuit.end(circuit.begin(), True, 0.0)
    failed(circuit, 0.0, FAILURES - 1)
    circuit.end(circuit.begin(), None, 0.0)
    assert circuit.lets(0.0)
    failed(circuit, 0.0)
    assert not circuit.lets(0.0)
    assert not circuit.closed


def test_one_failure_is_enough_where_it_is_sure():
    """As where nobody listens."""
    circuit = Circuit()
    circuit.end(circuit.begin(), False, 0.0, surely=True)
    assert not circuit.lets(0.0)


def test_it_is_tried_by_one_call_at_a_time():
    """After its rest; a success closes it."""
    circuit = Circuit()
    failed(circuit, 10.0, FAILURES)
    assert circuit.wait(10.0) == REST
    assert not circuit.lets(10.0 + 0.9 * REST)
    assert circuit.lets(10.0 + REST)
    turn = circuit.begin()
    assert not circuit.lets(10.0 + REST)
    circuit.end(turn, True, 11.0)
    assert circuit.lets(11.0)
    assert circuit.closed


def test_a_try_that_says_nothing_leaves_it_to_the_next():
    """It was cancelled, or refused for its own fault."""
    circuit = Circuit()
    failed(circuit, 0.0, FAILURES)
    circuit.end(circuit.begin(), None, 1.0)
    assert circuit.lets(1.0)
    assert not circuit.closed


def test_rests_grow_up_to_a_bound_and_start_anew():
    """Doubled by each try that fails."""
    circuit, now, rests = Circuit(), 0.0, []
    failed(circuit, now, FAILURES)
    for _ in range(12):
        rests.append(circuit.wait(now))
        now += circuit.wait(now)
        failed(circuit, now)
    assert rests == [min(LONGEST, REST * 2**n) for n in range(12)]
    now += LONGEST
    circuit.end(circuit.begin(), True, now)
    failed(circuit, now, FAILURES)
    assert circuit.wait(now) == REST


@pytest.mark.parametrize("good", [True, False, None])
def test_calls_from_before_it_opened_say_nothing(good):
    """There may be hundreds in flight when an endpoint dies: they lengthen no rest, and close nothing."""
    circuit = Circuit()
    old = [circuit.begin() for _ in range(100)]
    failed(circuit, 0.0, FAILURES)
    for turn in old:
        circuit.end(turn, good, 0.0)
    assert circuit.wait(0.0) == REST
    assert not circuit.lets(0.0)


def test_calls_from_before_it_closed_again_say_nothing():
    """They hung in the dead endpoint."""
    circuit = Circuit()
    old = [circuit.begin() for _ in range(100)]
    failed(circuit, 0.0, FAILURES)
    circuit.end(circuit.begin(), True, 1.0)
    for turn in old:
        circuit.end(turn, False, 1.0)
    assert circuit.lets(1.0)


def test_an_endpoint_that_asks_for_it_is_left_alone():
    """Whether it works or not; a shorter wish does not shorten a longer one."""
    circuit = Circuit()
    circuit.ask(5.0, 0.0)
    circuit.ask(1.0, 0.0)
    assert circuit.wait(2.0) == 3.0
    assert not circuit.lets(4.9)
    assert circuit.lets(5.0)
