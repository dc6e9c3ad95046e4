"""Pools and entries: what contradicts itself is refused, what is joined stays in order."""

from __future__ import annotations

import pickle

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from tests.experiments.pool.pools import SMALL


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Entry("x", key=["a"]), "hashable"),
        (lambda: Entry("x", key=("a", [])), "hashable"),
        (lambda: Entry("x", score=float("nan")), "finite"),
        (lambda: Entry("x", correct=1), "True or False"),
        (lambda: Entry("x", generated_tokens=-1), "whole numbers"),
        (lambda: Entry("x", usd=-0.1), "usd must be"),
        (lambda: Entry("x", usd=float("inf")), "usd must be"),
        (lambda: Entry("x", scores={"prm": None}), "scores must be"),
        (lambda: Entry("x", scores={1: 0.5}), "scores must be"),
        (lambda: Entry("x", finish="maybe"), "finish must be one of"),
        (lambda: Entry("x", key="4", finish="length"), "never votes"),
        (lambda: Entry("x", correct=True, finish="error"), "not correct"),
        (lambda: Pool({}), "at least one problem"),
        (lambda: Pool({"p": ()}), "at least one sample"),
        (lambda: Pool({"p": ("text",)}), "only Entry"),
        (lambda: Pool({7: (Entry("x"),)}), "must be texts"),
    ],
)
def test_impossible_pools_are_refused(make, says):
    """Contradictions end at construction, not in a wrong curve."""
    with pytest.raises(ConfigError, match=says):
        make()


def test_a_pool_describes_itself():
    """Length, size, repr and the notebook table; text is escaped, pickles are equal, long pools are cut."""
    assert (len(SMALL), SMALL.size) == (2, 2)
    assert repr(SMALL) == "Pool(2 problems, 4 samples, 25.0 % correct)"
    html = SMALL._repr_html_()
    assert "q &lt;b&gt;</td><td>2</td><td>0</td><td>0</td><td>0</td><td>1</td><td>64</td></tr>" in html
    assert ">p</td><td>2</td><td>1</td><td>0</td><td>2</td><td>0</td><td>16</td></tr>" in html
    assert "2 more problems" in Pool({str(i): (Entry("x"),) for i in range(12)})._repr_html_()
    assert pickle.loads(pickle.dumps(SMALL)) == SMALL


def test_scores_are_the_entrys_own():
    """What the caller does to the dictionary afterwards changes nothing; entries stay hashable."""
    given = {"prm": 0.5}
    entry = Entry("x", scores=given)
    given["prm"] = 0.9
    assert entry.scores == {"prm": 0.5}
    assert len({entry, Entry("x", scores={"prm": 0.5})}) == 1


def test_a_pool_of_pairs_keeps_their_order():
    """Pairs of problem id and entry, as another tool's file gives them, in any mixture."""
    a, b, c = Entry("a"), Entry("b"), Entry("c")
    assert Pool.of([("p", a), ("q", b), ("p", c)]).entries == {"p": (a, c), "q": (b,)}
    with pytest.raises(ConfigError, match="at least one problem"):
        Pool.of([])


def test_extending_adds_problems_and_samples():
    """Known problems go on where they ended; the same samples once again are refused, whatever their scores."""
    a, b, c = (Pool.of([(p, Entry(v, score=1.0))]) for p, v in (("p", "1"), ("q", "2"), ("p", "3")))
    assert a.extend(b).extend(c).entries == {"p": a.entries["p"] + c.entries["p"], "q": b.entries["q"]}
    again = Pool.of([("p", Entry("1", score=2.0)), ("p", Entry("4")), ("q", Entry("2"))])
    with pytest.raises(ConfigError, match="in the pool already"):
        a.extend(again)
    assert a.extend(Pool.of([("p", Entry("1", generated_tokens=7))])).size == 2


def test_a_named_score_takes_the_place_of_the_score():
    """best@k then goes by it; a sample without it abstains; an unknown name is refused with those that there are."""
    good, bad = Entry("x", score=0.0, correct=True, scores={"prm": 1.0, "orm": 0.2}), Entry("y", score=1.0)
    pool = Pool({"p": (good, bad)})
    assert pool.curve("best@k", [2]).mean == (0.0,)
    assert pool.scored_by("prm").curve("best@k", [2]).mean == (1.0,)
    assert [entry.score for entry in pool.scored_by("orm").entries["p"]] == [0.2, None]
    with pytest.raises(ConfigError, match="there is orm, prm"):
        pool.scored_by("judge")
    with pytest.raises(ConfigError, match="there is none"):
        SMALL.scored_by("judge")
