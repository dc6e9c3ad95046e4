"""Curves and figures: built from pools, compared, and written as text, JSON and PNG."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Compute, Curve, Entry, Pool, compute, cost, flops, maj_at_k, plot, table
from searchkit.experiments.plots import save


def toy(problems=12, samples=8, seed=0, tokens=10):
    """A pool with scores that help a little, four answers, and problems of different difficulty."""
    rng = random.Random(seed)
    entries = {}
    for i in range(problems):
        rights = [rng.random() < (i + 1) / (problems + 1) for _ in range(samples)]
        entries[f"p{i}"] = tuple(
            Entry("text", "right" if r else rng.choice("abc"), rng.gauss(r, 1), r, tokens * (i + 1)) for r in rights
        )
    return Pool(entries)


# ---------------------------------------------------------------- values


def test_a_curve_holds_each_problem_and_its_mean():
    """Rows are problems, columns ks; the mean is theirs, bounds surround it, tokens grow with k."""
    pool = toy()
    curve = pool.curve("maj@k")
    assert curve.ks == (1, 2, 4, 8)
    assert curve.problems == tuple(pool.entries)
    entries = pool.entries["p4"]
    want = [maj_at_k([e.key for e in entries], [e.correct for e in entries], k) for k in curve.ks]
    assert curve.per_problem[4].tolist() == want
    assert curve.mean == pytest.approx(curve.per_problem.mean(axis=0).tolist())
    assert all(low < mean < high for low, mean, high in zip(curve.low, curve.mean, curve.high, strict=True))
    assert curve.tokens == pytest.approx([65.0 * k for k in curve.ks])  # 10 ... 120 tokens a sample, 65 on average


def test_all_curves_start_at_the_mean_accuracy():
    """At k = 1 every method is plain sampling; nothing exceeds coverage."""
    pool = toy()
    curves = [*pool.curves(), pool.curve("weighted@k")]
    accuracy = np.mean([entry.correct for entries in pool.entries.values() for entry in entries])
    assert [curve.name for curve in curves] == ["pass@k", "best@k", "maj@k", "weighted@k"]
    for curve in curves:
        assert curve.mean[0] == pytest.approx(accuracy)
        assert (curve.per_problem <= curves[0].per_problem + 1e-12).all()


def test_curves_need_their_columns():
    """Without scores there is no best@k, without keys no majority: left out of `curves`, refused by name."""
    pool = Pool({"p": (Entry("a", correct=True), Entry("b"))})
    assert [curve.name for curve in pool.curves()] == ["pass@k"]
    for name, fix in (("best@k", "scores"), ("maj@k", "answer keys"), ("weighted@k", "key and score")):
        with pytest.raises(ConfigError, match=fix):
            pool.curve(name)
    with pytest.raises(ConfigError, match="choose one of pass@k"):
        pool.curve("top@k")


@pytest.mark.parametrize("ks", [[], [0, 1], [2, 1], [1, 1], [1, 9]])
def test_impossible_ks_are_refused(ks):
    """ks ascend within what every problem has."""
    with pytest.raises(ConfigError, match=r"ascend within \[1, 8\]"):
        toy().curve("pass@k", ks)


def test_unequal_problems_end_at_the_smallest():
    """A curve never reaches beyond the samples that every problem has."""
    pool = Pool({"p": (Entry("a", correct=True),) * 5, "q": (Entry("b"),) * 3})
    assert pool.curve("pass@k").ks == (1, 2, 3)


def test_difference_of_two_curves_is_paired():
    """The difference at each k is that of the means; curves over other problems or ks cannot be compared."""
    pool = toy()
    coverage, majority = pool.curve("pass@k"), pool.curve("maj@k")
    gap = coverage.minus(majority)
    assert gap.mean == pytest.approx(np.subtract(coverage.mean, majority.mean))
    assert (gap.low <= gap.mean).all()
    assert (gap.mean <= gap.high).all()
    assert coverage.minus(coverage).high == pytest.approx(np.zeros(4))
    for other in (toy(problems=11).curve("pass@k"), pool.curve("pass@k", [1, 2])):
        with pytest.raises(ConfigError, match="differ in problems or ks"):
            coverage.minus(other)


# ---------------------------------------------------------------- text


def points(name="pass@k", **changes):
    """A curve with round figures."""
    fields = {
        "name": name, "ks": (1, 16), "mean": (0.05, 1.0), "low": (0.0, 0.975), "high": (0.125, 1.0),
        "compute": Compute((100.0, 1600.0)), "problems": ("p", "q"), "per_problem": np.array([[0.1, 1.0], [0.0, 1.0]]),
    }  # fmt: skip
    return Curve(**(fields | changes))


TABLE = """\
 k  tokens           pass@k (%)           best@k (%)  tokens            maj@k (%)
 1     100     5.0 [ 0.0, 12.5]     5.0 [ 0.0, 12.5]      50    5.0 [no interval]
 4                                                       200  100.0 [no interval]
16   1,600  100.0 [97.5, 100.0]  100.0 [97.5, 100.0]
"""


def test_table_of_two_pools():
    """Curves that cost the same share a column of tokens; others have their own, and gaps where they have no point."""
    other = points("maj@k", ks=(1, 4), compute=Compute((50.0, 200.0)), low=(math.nan, math.nan))
    assert table([points(), points("best@k"), other]) + "\n" == TABLE
    assert points().table() == table([points()])
    with pytest.raises(ConfigError, match="at least one curve"):
        table([])


def test_json_holds_every_field():
    """Undefined bounds are null, problems are named, and nothing is lost."""
    stored = json.loads(points(low=(math.nan, math.nan)).to_json())
    assert stored == {
        "name": "pass@k", "level": 0.95, "ks": [1, 16], "mean": [0.05, 1.0], "low": [None, None], "high": [0.125, 1.0],
        "compute": {"generated": [100.0, 1600.0]}, "per_problem": {"p": [0.1, 1.0], "q": [0.0, 1.0]},
        "at_most": [], "note": "",
    }  # fmt: skip


def test_notebook_table_is_escaped():
    """The HTML view has one row a point and survives any name."""
    html = points("<8B>")._repr_html_()
    assert "<th>&lt;8B&gt; (%)</th>" in html
    assert html.count("<tr>") == 3


# ---------------------------------------------------------------- figures


def test_names_of_curves_do_not_touch():
    """Even where all curves end at the same height: at the bottom, at the top, or in between."""
    for end in (0.0, 0.5, 1.0):
        axes = plot([points(name, mean=(0.05, end)) for name in ("pass@k", "best@k", "maj@k", "weighted@k")])
        axes.figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert [text.get_text() for text in axes.texts] == ["pass@k", "best@k", "maj@k", "weighted@k"]
        assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
        assert boxes[-1].y0 >= axes.bbox.y0
        whole = axes.figure.bbox
        assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)


@pytest.mark.parametrize("name", ["pay $5$", r"$\frac{$", "_beam"])
def test_the_name_of_a_curve_is_no_formula(name):
    axes = plot(points(name))
    axes.figure.draw_without_rendering()
    assert [(text.get_text(), text.get_parse_math()) for text in axes.texts] == [(name, False)]


def test_plots_show_points_in_percent_on_a_logarithmic_axis():
    """What is drawn is what the curve holds, on either axis, into given axes if there are any."""
    from matplotlib.figure import Figure

    given = Figure().subplots()
    assert plot(points(), ax=given) is given
    assert given.lines[0].get_xydata().tolist() == [[1, 5], [16, 100]]
    assert given.get_xscale() == "log"
    assert [tick.get_text() for tick in given.get_xticklabels()] == ["1", "16"]
    assert plot(points(), x="tokens").lines[0].get_xdata().tolist() == [100, 1600]


KNOWN = Compute(generated=(100.0, 1600.0), prompt=(20.0, 320.0), sequential=(100.0, 180.0), seconds=(2.0, 5.0))


@pytest.mark.parametrize(
    ("x", "places", "label"),
    [
        ("total", (120, 1920), "read and generated"),
        ("sequential", (100, 180), "in sequence"),
        ("seconds", (2, 5), "seconds per problem"),
        (flops(8e9), (120 * 16e9, 1920 * 16e9), "FLOPs per problem, 8e+09 parameters"),
        (cost(prompt=1, generated=10), (1020e-6, 16320e-6), "price per problem"),
    ],
)
def test_every_measure_of_compute_is_an_axis(x, places, label):
    """Places by hand; a curve that did not record the measure is named, and what can be drawn instead."""
    axes = plot(points(compute=KNOWN), x=x)
    assert axes.lines[0].get_xdata().tolist() == pytest.approx(places)
    assert label in axes.get_xlabel()
    with pytest.raises(ConfigError, match=r"'maj@k' has no .*use x='samples'"):
        plot([points(compute=KNOWN), points("maj@k")], x=x)


def test_ticks_of_great_and_small_places_are_short():
    """FLOPs in binary units, prices in full."""
    far = replace(KNOWN, generated=(2.0**36, 2.0**44), prompt=(0.0, 0.0))
    ticks = plot(points(compute=far), x=flops(0.5)).get_xticklabels()
    assert {"64G", "16T"} <= {tick.get_text() for tick in ticks}
    cheap = plot(points(compute=KNOWN), x=cost(0.15, 0.6)).get_xticklabels()
    assert "0.00024" in {tick.get_text() for tick in cheap}
    assert all(len(tick.get_text()) <= 7 for tick in [*ticks, *cheap])


def test_a_narrow_axis_has_ticks_too():
    """Where the longest of k samples is hardly longer than one, no power of two lies between them."""
    axes = plot(points(compute=replace(KNOWN, sequential=(40.2, 46.1))), x="sequential")
    inside = [tick for tick in axes.get_xticks() if 40.2 <= tick <= 46.1]
    assert len(inside) >= 3
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{tick:g}" for tick in axes.get_xticks()]


def test_curves_of_a_pool_know_what_was_read():
    """What `compute` says of the pool, which has tests of its own; prompts that nobody recorded are not known."""
    read = Pool({"p": tuple(Entry("", correct=True, generated_tokens=9, prompt_tokens=5) for _ in range(4))})
    curve = read.curve("pass@k")
    assert curve.compute == compute(read, curve.ks)
    assert (curve.compute.total, curve.compute.sequential) == ((14, 28, 56), (9, 9, 9))
    assert toy().curve("pass@k").compute.total == ()


def test_figures_are_written_without_pyplot(tmp_path):
    """A PNG with two panels, or one where no tokens are known; no pyplot, hence no window and no global state."""
    script = f"""
import sys
from searchkit.experiments import Entry, Pool
assert "matplotlib" not in sys.modules
from searchkit.experiments.plots import save
for tokens in (0, 9):
    pool = Pool({{"p": (Entry("a", "a", correct=True, generated_tokens=tokens), Entry("b", "b"))}})
    save(pool.curves(), {str(tmp_path)!r} + f"/{{tokens}}.png")
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    widths = []
    for name in ("0.png", "9.png"):
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        widths.append(int.from_bytes(content[16:20], "big"))
    assert widths[1] == 2 * widths[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: plot([]), "at least one curve"),
        (lambda: plot(points(), x="money"), "x is one of samples, tokens, total"),
        (lambda: plot(points(compute=Compute((0.0, 0.0))), x="tokens"), "nothing recorded them"),
        (lambda: flops(0), "above 0"),
        (lambda: cost(0, 0), "not both 0"),
        (lambda: save(points(), "curve.pdf"), r"ends in \.png"),
    ],
)
def test_impossible_figures_are_refused(call, says):
    """Every mistake gets a sentence that names the fix."""
    with pytest.raises(ConfigError, match=says):
        call()


def test_curves_that_are_equal_at_one_sample_differ_by_nothing():
    """pass@1, best@1 and maj@1 are the same share, summed in other orders; the paired interval holds 0 exactly."""
    rng = random.Random(3)
    for size in (3, 7, 8, 13):
        keys = {f"p{i}": [rng.choice("abc") for _ in range(size)] for i in range(20)}
        columns = {
            name: tuple(Entry("", key, rng.random(), key == "a") for key in column) for name, column in keys.items()
        }
        one, two, three = (Pool(columns).curve(name, [1]) for name in ("pass@k", "best@k", "maj@k"))
        for a, b in ((one, two), (one, three), (two, three)):
            gain = a.minus(b)
            assert (gain.mean.tolist(), gain.low.tolist(), gain.high.tolist()) == ([0.0], [0.0], [0.0])


@pytest.mark.parametrize("ks", [4, "4", {1: 2}])
def test_ks_are_a_list(ks):
    """The sentence names the argument."""
    pool = Pool({"p": (Entry("", "a", 0.5, True),) * 4})
    with pytest.raises(ConfigError, match=r"ks= takes a list, such as ks=\[1, 2, 4\]"):
        pool.curve("pass@k", ks)
