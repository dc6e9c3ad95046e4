"""What an endpoint may be asked in a minute, on a clock of the test's."""

from __future__ import annotations

import math
import random

import pytest

from searchkit.generators.wrappers.minute import LATE, MINUTE, Minute


def test_what_was_asked_counts_for_a_minute():
    """As of its end, which is known to be after its arrival."""
    minute = Minute(2)
    for begun, ended in ((0.0, 0.5), (1.0, 1.25)):
        assert minute.wait(1, begun) == 0
        minute.end(minute.begin(1, begun + LATE), 1, ended)
    assert minute.wait(1, 10.0) == 50.5
    assert minute.wait(2, 10.0) == 51.25
    assert minute.wait(1, 60.5) == 0
    assert minute.wait(2, 60.5) == 0.75


def test_what_goes_on_counts_as_of_its_latest_arrival():
    """However long it is answered."""
    minute = Minute(1)
    minute.begin(1, 0.0 + LATE)
    assert minute.wait(1, 1.0) == LATE + MINUTE - 1.0
    assert minute.wait(1, LATE + MINUTE) == 0


def test_amounts_that_go_on_hold_their_worst_case_until_they_end():
    """Then what they were, for a minute; others behind them are not kept back."""
    minute = Minute(100)
    long = minute.begin(60, math.inf)
    minute.end(minute.begin(30, math.inf), 20, 5.0)
    assert minute.wait(20, 6.0) == 0
    assert minute.wait(30, 6.0) == 59.0
    assert minute.wait(30, 65.0) == 0
    assert minute.wait(50, 1000.0) == math.inf
    minute.end(long, 10, 1000.0)
    assert minute.wait(90, 1000.0) == 0
    assert minute.wait(91, 1000.0) == MINUTE
    assert minute.wait(101, 1000.0) == math.inf


@pytest.mark.parametrize("seed", range(20))
def test_no_minute_of_a_servers_clock_has_more(seed):
    """Random starts, ways and answers: a brute-force look at every minute that begins with an arrival."""
    rng, now, limit = random.Random(seed), 0.0, 10
    minute, flying, arrivals = Minute(limit), [], []
    for _ in range(400):
        now += rng.expovariate(2.0)
        for ended, entry in [one for one in flying if one[0] <= now]:
            minute.end(entry, 1, ended)
            flying.remove((ended, entry))
        wait = minute.wait(1, now)
        if wait == 0:
            way = rng.uniform(0, LATE)
            arrivals.append(now + way)
            flying.append((now + way + rng.expovariate(0.1), minute.begin(1, now + LATE)))
    assert len(arrivals) > 2 * limit
    for first in arrivals:
        assert sum(first <= other < first + MINUTE for other in arrivals) <= limit
