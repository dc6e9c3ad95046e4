"""What results, traces and intervals show of themselves in a notebook: figures by hand, hostile texts, bounds."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from searchkit import Model, SearchWarning, solve_sync
from searchkit.calls import CallError
from searchkit.experiments import Interval, bootstrap
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.types import Sample, Scored, Usage, Verdict
from searchkit.verifiers import Predicate
from tests.helpers.pages import Page

LENGTH = Predicate(lambda text: len(text) / 10, name="length")
OURS = {"pre", "p", "details", "summary", "table", "tr", "th", "td"}
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)> &amp; \ud800"


def found(answers, n=4):
    return solve_sync("a question", BestOfN(n, LENGTH), generator=Model(Simulated(answers)))


def test_a_result_shows_answer_cost_candidates_and_trace():
    """Longest answer first; what four samples and verdicts took; the trace as `render` has it."""
    result = found({"four": 0.5, "seventeen": 0.5})
    html = result._repr_html_()
    assert re.match("<pre[^>]*>seventeen</pre><p>score 0.9, stopped: done, 4 samples, 4 verifications, ", html)
    assert f"{result.usage.generated_tokens} tokens generated ({result.sequential_tokens} in sequence)" in html
    rows = [f"<td>{c.score:.3g}</td>" for c in sorted(result.candidates, key=lambda c: -c.score)]
    assert [html.count(row) for row in rows] == [rows.count(row) for row in rows]
    assert html.index(rows[0]) < html.index(rows[-1])
    assert result.trace.render().splitlines()[1] in html
    assert {tag for tag, _ in Page(html).elements} == OURS


def test_a_result_is_short_in_a_terminal():
    """The answer and what it cost; samples and trace have views of their own."""
    result = found({"seventeen": 1.0}, n=64)
    assert repr(result).startswith(
        "Result(answer='seventeen', errors=(), usage=Usage(generations=64, verifications=64, m"
    )
    assert len(repr(result)) < 500
    assert eval(repr(result.usage)) == result.usage  # ours: no model wrote it
    assert repr(Usage()) == "Usage()"


def test_what_a_model_wrote_is_text_and_can_be_stored():
    """As answer, candidate, error and in the trace: no element of its own, nothing that UTF-8 cannot hold."""
    with pytest.warns(SearchWarning, match="all verdicts failed"):  # it is longer than a score may be
        result = found({HOSTILE: 1.0})
    failed = replace(result, errors=(CallError(HOSTILE),))
    for html in (failed._repr_html_(), failed.trace._repr_html_()):
        html.encode()
        assert {tag for tag, _ in Page(html).elements} <= OURS
        assert "&lt;script&gt;" in html
    assert "1 failure, the first: CallError" in failed._repr_html_()


def test_a_long_result_is_cut():
    """Answers, candidates and their number are bounded, and say how much is missing."""
    result = found({"x": 1.0})
    long = Sample("y" * 20_000, usage=Usage(generated_tokens=5))
    many = replace(result, sample=long, candidates=tuple(Scored(long, Verdict(float(i))) for i in range(1000)))
    html = many._repr_html_()
    assert len(html) < 12_000
    assert "16,000 more characters" in html
    assert "1,000 candidates" in html
    assert "990 more" in html
    assert "<td>999</td>" in html


def test_what_was_never_judged_comes_last():
    """An abstaining verdict has no score, and no candidates at all are no table."""
    result = found({"x": 1.0})
    judged, unjudged = Scored(Sample("judged"), Verdict(-3.0)), Scored(Sample("unjudged"))
    html = replace(result, candidates=(unjudged, judged))._repr_html_()
    assert html.index(">judged</td>") < html.index(">unjudged</td>")
    assert "<table>" not in replace(result, candidates=())._repr_html_()


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        (bootstrap([1.0] * 4), "1.000 [1.000, 1.000]"),
        (bootstrap([0.25]), "0.250 [no interval]"),
        (
            Interval(np.array([0.5, -1e-9]), np.array([0.4, -0.5]), np.array([0.6, 0.1])),
            "0.500 [0.400, 0.600]\n0.000 [-0.500, 0.100]",
        ),
    ],
)
def test_an_interval_reads_like_one(interval, shown):
    """A line for each point."""
    assert str(interval) == shown
    assert re.fullmatch(f"<pre[^>]*>{re.escape(shown)}</pre>", interval._repr_html_())
