"""What the tests of pools share: any pool there can be, and a small one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from searchkit.experiments import Entry, Pool

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
SCORES = st.dictionaries(st.text(max_size=4), st.floats(-1e9, 1e9), max_size=2)
ENTRIES = st.builds(
    Entry, VALUES, st.none() | st.text() | st.integers(), st.none() | st.floats(-1e9, 1e9), st.booleans(),
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["stop", "tool_calls", "content_filter"]),
    st.floats(0, 9), SCORES, st.just(False), st.text(),
) | st.builds(Entry, VALUES, unknown=st.just(True), feedback=st.text())  # fmt: skip
POOLS = st.dictionaries(st.text(), st.lists(ENTRIES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)

SMALL = Pool(
    {
        "p": (Entry("4", "4", 0.5, True, 7, 3), Entry("5", "5", -1.0, False, 9, 3)),
        "q <b>": (Entry("a timeout", finish="error"), Entry("cut", finish="length", generated_tokens=64)),
    }
)


def scored(pool, **scores):
    """The pool with the same further scores for every sample."""
    return Pool(
        {p: tuple(replace(e, scores={**e.scores, **scores}) for e in column) for p, column in pool.entries.items()}
    )
