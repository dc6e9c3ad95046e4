"""Curves as pictures: where the points lie, what is drawn of what is missing, and texts that are only texts."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from searchkit.experiments import Entry, Pool, estimate, plot
from searchkit.experiments.estimators.curves import Curves
from searchkit.markup.charts import BOTTOM, GAP, LEFT, RIGHT, TOP, Line, chart
from tests.helpers.pages import Page
from tests.views.test_views import HOSTILE

LINE = Line("rises", (1, 2, 4), (0.0, 0.5, 1.0), (0.0, 0.4, 0.9), (0.1, 0.6, 1.0))


def circles(svg):
    return [(float(at["cx"]), float(at["cy"])) for tag, at in Page(svg).elements if tag == "circle"]


def test_points_lie_where_their_values_are():
    """Powers of two are as far apart as one another; 0 is the bottom, 1 the top."""
    (a, low), (b, middle), (c, high) = circles(chart([LINE], "samples", "solved"))
    assert b - a == pytest.approx(c - b, abs=0.15)
    assert LEFT < a < c < RIGHT
    assert (low, middle, high) == (BOTTOM, (BOTTOM + TOP) / 2, TOP)


def test_what_is_not_known_is_left_out():
    """No band without bounds, a bar where one point has them, a dotted line where something is open."""
    bare = Line("bare", (3.0,), (0.5,), (math.nan,), (math.nan,))
    assert chart([bare], "x", "y").count("<path") == 1
    assert chart([Line("one", (3.0,), (0.5,), (0.4,), (0.6,))], "x", "y").count("<path") == 2
    assert 'stroke-dasharray="1 3"' not in chart([LINE], "x", "y")
    open_ = Line("open", LINE.places, LINE.mean, LINE.low, LINE.high, (1.0, 1.0, 1.0))
    assert 'stroke-dasharray="1 3"' in chart([open_], "x", "y")
    assert "nan" not in chart([bare, LINE, open_], "x", "y")


@pytest.mark.parametrize("ends", [[0.5] * 5, [0.0] * 7, [1.0] * 7, [0.2, 0.21, 0.9, 0.91, 0.22]])
def test_names_do_not_touch(ends):
    """However close the curves end, and at the edges; all of them within the picture."""
    svg = chart([Line(f"line {i}", (1, 2), (0.3, end), (0, 0), (1, 1)) for i, end in enumerate(ends)], "x", "y")
    places = sorted(float(at["y"]) for tag, at in Page(svg).elements if tag == "text" and at.get("font-weight"))
    assert len(places) == len(ends)
    assert all(b - a >= GAP - 0.2 for a, b in pairwise(places))
    assert places[0] >= TOP
    assert places[-1] <= BOTTOM + GAP


def test_texts_are_texts():
    """As a curve's name and as those of the axes."""
    for text in HOSTILE:
        svg = chart([Line(text, (1, 2), (0.5, 0.5), (0.4, 0.4), (0.6, 0.6))], text, text)
        assert {tag for tag, _ in Page(svg).elements} == {"svg", "line", "text", "path", "circle"}
        svg.encode()


def test_curves_show_a_picture_and_a_table():
    """One, or several in one picture; against tokens where they are known; notes below."""
    column = (Entry("a", "a", 0.5, True, 10), Entry("b", "b", 0.7, False, 30))
    pool = Pool({"p": column, "q": column[::-1]})
    curve, both = estimate(pool, "pass@k"), pool.curves()
    assert isinstance(both, Curves)
    for shown, lines in ((curve, 1), (both, 3)):
        html = shown._repr_html_()
        assert html.startswith("<svg ")
        assert len(circles(html)) == 2 * lines
        assert "generated tokens per problem" in html
        assert html.count("<table>") == 1
    assert Curves()._repr_html_() == ""
    unpaid = Pool({"p": (Entry("a", correct=True), Entry("b", unknown=True, feedback="<b>"))})
    html = estimate(unpaid, "pass@k")._repr_html_()
    assert "samples per problem" in html
    assert "<p>1 of 2 verdicts are unknown" in html
    assert "<b>" not in html


def test_a_plot_shows_itself():
    """As PNG, without pyplot; axes that were handed in stay what they are."""
    pool = Pool({"p": (Entry("a", correct=True), Entry("b")), "q": (Entry("a"), Entry("b"))})
    axes = plot(pool.curve("pass@k"))
    assert axes._repr_png_().startswith(b"\x89PNG\r\n")
    axes.set_title("mine")
    assert re.search(rb"IHDR", axes._repr_png_())
    assert plot(pool.curve("pass@k"), ax=axes) is axes
