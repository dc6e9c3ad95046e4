"""Curves and figures: built from pools, written as text, JSON and PNG, and equal to published figures on real data."""

from __future__ import annotations

import gzip
import json
import math
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Curve, Entry, Pool, maj_at_k, plot, table
from searchkit.experiments.plots import save

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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
        "tokens": (100.0, 1600.0), "problems": ("p", "q"), "per_problem": np.array([[0.1, 1.0], [0.0, 1.0]]),
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
    other = points("maj@k", ks=(1, 4), tokens=(50.0, 200.0), low=(math.nan, math.nan))
    assert table([points(), points("best@k"), other]) + "\n" == TABLE
    assert points().table() == table([points()])
    with pytest.raises(ConfigError, match="at least one curve"):
        table([])


def test_json_holds_every_field():
    """Undefined bounds are null, problems are named, and nothing is lost."""
    stored = json.loads(points(low=(math.nan, math.nan)).to_json())
    assert stored == {
        "name": "pass@k", "level": 0.95, "ks": [1, 16], "mean": [0.05, 1.0], "low": [None, None], "high": [0.125, 1.0],
        "tokens": [100.0, 1600.0], "per_problem": {"p": [0.1, 1.0], "q": [0.0, 1.0]},
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


def test_plots_show_points_in_percent_on_a_logarithmic_axis():
    """What is drawn is what the curve holds, on either axis, into given axes if there are any."""
    from matplotlib.figure import Figure

    given = Figure().subplots()
    assert plot(points(), ax=given) is given
    assert given.lines[0].get_xydata().tolist() == [[1, 5], [16, 100]]
    assert given.get_xscale() == "log"
    assert [tick.get_text() for tick in given.get_xticklabels()] == ["1", "16"]
    assert plot(points(), x="tokens").lines[0].get_xdata().tolist() == [100, 1600]


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
        (lambda: plot(points(), x="money"), "'samples' or 'tokens'"),
        (lambda: plot(points(tokens=(0.0, 0.0)), x="tokens"), "records none"),
        (lambda: save(points(), "curve.pdf"), r"ends in \.png"),
    ],
)
def test_impossible_figures_are_refused(call, says):
    """Every mistake gets a sentence that names the fix."""
    with pytest.raises(ConfigError, match=says):
        call()


# ---------------------------------------------------------------- recorded data


def recorded(pattern):
    """The JSON values of a gzipped file of recorded generations; skips where the folder is not there."""
    found = sorted(DATA.glob(pattern))
    if not found:
        pytest.skip(f"recorded generations ({pattern}) are not in ../shared/data")
    text = gzip.decompress(found[0].read_bytes()).decode()
    return json.loads(text) if found[0].suffixes[-2] == ".json" else [json.loads(line) for line in text.splitlines()]


def first_seen_majority(entries):
    """Whether the most frequent answer is right when the first of several wins: the tie rule of published tables."""
    votes = Counter(entry.key for entry in entries if entry.key is not None)
    winner = votes.most_common(1)[0][0]
    return next(entry.correct for entry in entries if entry.key == winner)


def test_game_of_24_answered_directly():
    """100 puzzles x 100 samples: 7.34 % each, 33 puzzles solved by the best of 100 (Tree of Thoughts: 7.3 / 33)."""
    records = recorded("game24/gpt-4_0.7_naive_standard_*.json.gz")
    pool = Pool(
        {str(r["idx"]): tuple(Entry(y, correct=a) for y, a in zip(r["ys"], r["accs"], strict=True)) for r in records}
    )
    curve = pool.curve("pass@k")
    assert (curve.ks[0], curve.ks[-1]) == (1, 100)
    assert curve.mean[0] == pytest.approx(0.0734)
    assert curve.mean[-1] == pytest.approx(0.33)


def test_game_of_24_with_chain_of_thought():
    """4.03 % each, best of 100: 49, majority of the answer texts: 9 (Tree of Thoughts: 4.0 / 49 / 9.0).

    One puzzle is tied between three answers and one between two, each with one right: the published 9 counts the tie
    that the right answer leads by order of appearance; splitting ties uniformly gives 8 + 1/2 + 1/3.
    """
    records = recorded("game24/gpt-4_0.7_naive_cot_*.json.gz")

    def entry(text, right):
        return Entry(text, text.split("Answer:")[1].strip() if "Answer:" in text else None, correct=bool(right))

    pool = Pool(
        {str(r["idx"]): tuple(entry(y, i["r"]) for y, i in zip(r["ys"], r["infos"], strict=True)) for r in records}
    )
    coverage, majority = pool.curve("pass@k"), pool.curve("maj@k", [1, 100])
    assert coverage.mean[0] == pytest.approx(0.0403)
    assert coverage.mean[-1] == pytest.approx(0.49)
    assert majority.mean == pytest.approx([0.0403, (8 + 1 / 2 + 1 / 3) / 100])
    assert sum(first_seen_majority(entries) for entries in pool.entries.values()) == 9


def test_qwen_math_with_its_reward_model():
    """100 problems x 8 samples: mean 91.0, pass@8 96, rm@8 94, sigmoid-weighted maj@8 94, maj@8 93.

    Three majorities are tied between a right and a wrong answer, of which order of appearance gets two right: 93
    published, 92.5 with ties split.
    """
    pool = Pool(
        {
            str(r["idx"]): tuple(
                Entry(text, key, 1 / (1 + math.exp(-logit)), right)
                for text, key, right, [logit] in zip(r["response"], r["pred"], r["score"], r["pred_score"], strict=True)
            )
            for r in recorded("qwen25_math_rm/*.jsonl.gz")
        }
    )
    at = {name: pool.curve(name, [1, 8]).mean for name in ("pass@k", "best@k", "maj@k", "weighted@k")}
    assert {name: mean[0] for name, mean in at.items()} == pytest.approx(dict.fromkeys(at, 0.91))
    assert {name: mean[1] for name, mean in at.items()} == pytest.approx(
        {"pass@k": 0.96, "best@k": 0.94, "maj@k": 0.925, "weighted@k": 0.94}
    )
    assert sum(first_seen_majority(entries) for entries in pool.entries.values()) == 93
