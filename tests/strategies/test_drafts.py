"""Drafts: where each state is a complete answer, the best of all is returned, not the best of the last level."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from searchkit import Model, Result, solve
from searchkit.environments import Rewrite
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    AlphaMathBeam,
    BeamSearch,
    BestFirst,
    FilteredBestOfN,
    ParticleFilter,
    ParticleGibbs,
    SuccessiveHalving,
    TreeOfThoughts,
)
from searchkit.testing import Scripted
from searchkit.verifiers import Predicate

SCORES = {"first": 0.2, "second": 0.8, "third": 0.5, "fourth": 0.4}
ORDER = list(SCORES)


def rewritten(request: Any) -> str:
    """The draft after the one that the prompt shows."""
    return ORDER[next((i + 1 for i, draft in enumerate(ORDER) if draft in request.prompt.text), 0)]


def revise(strategy: Any) -> Result[str]:
    return asyncio.run(solve("q", strategy, generator=Model(Scripted(rewritten))))


KNOWN = Predicate(SCORES.__getitem__)
CHAIN = Rewrite(max_drafts=4)
CHAINS = {
    "beam": BeamSearch(1, 1, KNOWN, CHAIN),
    "beam of two": BeamSearch(2, 1, KNOWN, CHAIN),
    "beam, looking ahead": BeamSearch(1, 1, KNOWN, Rewrite(max_drafts=4, params=Model(Scripted(rewritten)).params),
                                      lookahead=1),
    "alphamath": AlphaMathBeam(1, 1, KNOWN, CHAIN),
    "dvts": DVTS(2, 1, KNOWN, CHAIN),
    "breadth first": TreeOfThoughts(1, 1, KNOWN, CHAIN),
    "depth first": TreeOfThoughts(1, 1, KNOWN, CHAIN, order="dfs"),
    "particles": ParticleFilter(2, KNOWN, CHAIN),
    "gibbs": ParticleGibbs(2, KNOWN, CHAIN, sweeps=2),
    "filtered": FilteredBestOfN(2, KNOWN, 0.0, environment=CHAIN),
    "halved": SuccessiveHalving(2, KNOWN, (1, 2), environment=CHAIN),
    "filtered, none above": FilteredBestOfN(2, KNOWN, 0.3, environment=CHAIN),
    "mcts": MCTS(KNOWN, environment=CHAIN, width=1),
    "best first": BestFirst(KNOWN, environment=CHAIN, width=1),
    "ab-mcts": ABMCTS(KNOWN, CHAIN, iterations=8),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_the_best_draft_is_the_answer(name: str) -> None:
    """Of four drafts one after the other, scored .2 .8 .5 .4, the second, whoever searches."""
    assert revise(CHAINS[name]).answer == "second"


@pytest.mark.parametrize("name", ["beam", "dvts", "breadth first", "depth first", "particles", "filtered"])
def test_so_it_is_where_the_search_ends_and_the_drafts_do_not(name: str) -> None:
    """Drafts without an end, and a search of four levels: the second again."""
    strategy: Any = CHAINS[name]
    levels = {"depth": 4} if isinstance(strategy, TreeOfThoughts) else {"rounds": 4}
    options = {name: getattr(strategy, name) for name in strategy.__dataclass_fields__}
    assert revise(type(strategy)(**options | levels | {"environment": Rewrite()})).answer == "second"


@pytest.mark.parametrize("order", ["bfs", "dfs"])
def test_a_draft_that_is_good_enough_ends_tree_of_thoughts(order: Any) -> None:
    """Two drafts are written: the second reaches the threshold."""
    result = revise(TreeOfThoughts(1, 1, KNOWN, CHAIN, order=order, threshold=0.7))
    assert result.answer == "second"
    assert result.usage.generations == 2
    assert result.stopped == "threshold"


def test_a_draft_below_the_bar_is_no_answer() -> None:
    """The bar drops the third draft; the second, better than the bar, is the answer, and nobody writes a fourth."""
    result = revise(FilteredBestOfN(1, KNOWN, 0.6, skip=1, environment=CHAIN))
    assert result.answer == "second"
    assert result.usage.generations == 3
