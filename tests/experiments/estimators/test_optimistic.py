"""The upper bound of a curve, against every way in which what is unknown may turn out."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.experiments import Adaptive, Entry, Pool, estimate, plot, replay, table
from searchkit.experiments.estimators.optimistic import optimistic
from searchkit.experiments.statistics import labelled
from searchkit.strategies.sampling.stopping import BetaStopping

KEYS = ("a", "b", None)


def known(key, score):
    return Entry("", key, score, key == "a")


SURE = st.builds(known, st.sampled_from(KEYS), st.none() | st.integers(0, 3).map(float))
UNSURE = st.builds(
    lambda key, score: Entry("", key, score, unknown=True),
    st.sampled_from([None, None, "a", "c", "d"]), st.none() | st.integers(0, 3).map(float),
)  # fmt: skip
COLUMNS = st.tuples(st.lists(SURE, max_size=3), st.lists(UNSURE, min_size=1, max_size=2)).map(
    lambda two: two[0] + two[1]
)


def readings(entry, answer):
    """All that an unknown sample may turn out to be where `answer` is right: with any key and score that it lacks."""
    if not entry.unknown:
        return [entry]
    scores = [entry.score] if entry.score else [None, 0.0, 9.0]  # a truth that reads it scores it anew
    keys = [entry.key] if entry.key is not None else ["b", answer, None]
    pairs = product(keys, scores)
    return [replace(entry, key=key, score=score, correct=key == answer, unknown=False) for key, score in pairs]


@settings(max_examples=60, deadline=None)
@given(COLUMNS)
def test_no_reading_is_better_and_one_is_as_good_for_pass_at_k(column):
    """Enumeration: pass@k, best@k and maj@k of every reading lie within the curve and its bound, at every k."""
    pool = Pool({"p": tuple(column)})
    for name in ("pass@k", "best@k", "maj@k"):
        if name == "best@k" and all(entry.score is None for entry in column):
            continue
        if name == "maj@k" and all(entry.key is None for entry in column):
            continue
        curve = estimate(pool, name)
        found = []
        answers = ("a",) if any(entry.correct for entry in column) else ("a", "c", "d", "e")
        possible = (product(*(readings(entry, answer) for entry in column)) for answer in answers)
        for reading in chain.from_iterable(possible):
            other = Pool({"p": reading})
            if name == "pass@k" or any((e.score if name == "best@k" else e.key) is not None for e in reading):
                found.append(estimate(other, name).mean)
        for low, values, high in zip(curve.mean, zip(*found, strict=True), curve.at_most, strict=True):
            assert max(values) <= high + 1e-9
            assert low <= high + 1e-9
        keyless = all(entry.key is None for entry in column if entry.unknown)
        if name == "pass@k" and keyless:
            assert max(values) == pytest.approx(curve.at_most[-1])
            assert min(values) == pytest.approx(curve.mean[-1])


def test_by_hand():
    """One right of four and one unread: pass@1 is 1/4, at most 2/4; the vote a, b, b is lost, and a tie at most."""
    entries = (known("a", 1.0), known("b", 0.5), known("b", 0.5), Entry("?", None, None, unknown=True))
    pool = Pool({"p": entries})
    assert (estimate(pool, "pass@k").mean[0], estimate(pool, "pass@k").at_most[0]) == pytest.approx((0.25, 0.5))
    assert (estimate(pool, "maj@k").mean[-1], estimate(pool, "maj@k").at_most[-1]) == pytest.approx((0.0, 0.5))


def test_where_all_is_known_nothing_changes():
    """No bound, no note, and the very same curve as before there were bounds."""
    pool = Pool({"p": (known("a", 1.0), known("b", 0.5))})
    assert optimistic(pool) is None
    assert (estimate(pool, "pass@k").at_most, estimate(pool, "pass@k").note) == ((), "")
    assert table([estimate(pool, "pass@k")]).splitlines()[0].split() == ["k", "pass@k", "(%)"]


def test_what_was_cut_off_never_votes():
    """A truncated sample may have been right, but a vote would not have counted it."""
    pool = Pool({"p": (known("b", 1.0), Entry("1 +", finish="length", unknown=True))})
    assert (estimate(pool, "pass@k").at_most, estimate(pool, "maj@k").at_most) == ((0.5, 1.0), (0.0, 0.0))


def test_replayed_methods_have_bounds_too():
    """A vote that stops early: none right as it was read; with two of three unread, right where these lead."""
    pool = Pool({"p": (known("b", 1.0), *[Entry("?", unknown=True)] * 2)})
    curve = replay(pool, Adaptive(BetaStopping(0.99)))
    assert (curve.mean[-1], curve.at_most[-1]) == (0.0, 1.0)
    assert "no reason" not in curve.note
    assert curve.note.startswith("2 of 3 verdicts are unknown")


def test_the_table_the_notebook_and_the_figure_say_so():
    """A column, a line below it, and a dotted line with a title that no mathematics is read from."""
    pool = Pool({"p": (known("a", 1.0), Entry("$x_1\n<b>", None, None, unknown=True, feedback="no answer was found"))})
    curve = estimate(pool, "pass@k")
    head, first, _, note = table([curve, curve]).splitlines()
    assert head.split() == ["k", *["pass@k", "(%)", "at", "most"] * 2]
    assert first.split() == ["1", *["50.0", "[no", "interval]", "100.0"] * 2]
    assert note.startswith("no answer could be read in 1 of 2 replies, for example '$x_1\\n<b>'")
    assert "&lt;b&gt;" in curve._repr_html_()
    axes = plot([curve])
    axes.figure.draw_without_rendering()
    assert [line.get_linestyle() for line in axes.lines] == ["-", ":"]
    assert list(axes.lines[1].get_ydata()) == [100.0, 100.0]
    assert "$x_1" in axes.get_title(loc="left")


def test_what_is_unknown_is_no_label():
    """AUROC and calibration are fitted on right and wrong samples; an unknown one is neither."""
    pool = Pool({"p": (known("a", 1.0), known("b", 0.0), Entry("?", None, 0.5, unknown=True))})
    assert labelled(pool) == ([[1.0, 0.0]], [[True, False]])
