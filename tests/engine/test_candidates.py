"""The candidates of a strategy, whichever of several items comes to one first."""

from __future__ import annotations

import itertools

from searchkit.engine.candidates import Frame
from searchkit.types import Sample, Scored, Verdict


def test_a_sample_that_several_items_offer_has_the_first_place_and_the_last_verdict() -> None:
    """In the order of the program, in whatever order they come: an item's own offers always come one after another."""
    shared, other = Sample("shared"), Sample("other")
    items = [
        [((1, 0, 1, 0), Scored(shared)), ((1, 0), Scored(shared, Verdict(0.25)))],  # drawn, and then judged above that
        [((1, 1), Scored(shared, Verdict(0.5))), ((1, 1, 2, 0), Scored(other, Verdict(0.1)))],
        [((1, 2), Scored(shared, Verdict(0.75)))],
    ]
    found = set()
    for order in itertools.permutations(items):
        frame = Frame()
        for place, scored in itertools.chain(*order):
            frame.offer(place, scored)
        found.add(tuple((one.sample.value, one.score) for one in frame.candidates()))
    assert found == {(("shared", 0.75), ("other", 0.1))}
