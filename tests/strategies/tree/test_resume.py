"""Tree searches that are killed (SIGKILL) in the middle and started again: the same tree, nothing paid twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.killed_scripts import Killed

SCRIPT = """
import asyncio, json, sys
from searchkit.strategies import Rollout
from searchkit import Model, Params, solve
from searchkit.strategies import *
from searchkit.testing import Counting, Shuffled
from tests.helpers.steps import Letters, Worth, STEPS

searches = {
    "mcts": MCTS(Worth(), policy=UCT(0.5, widening=Widening()), environment=STEPS, evaluation=Rollout(), iterations=60,
                 width=2, expansions=40, in_flight=4),
    "best_first": BestFirst(Worth(), environment=STEPS, iterations=100, width=3, in_flight=3),
    "beam": BeamSearch(16, 4, Worth(), environment=STEPS, rounds=9),
    "root_parallel": MCTS(Worth(), environment=STEPS, iterations=60, width=3, trees=4),
}
backend = Counting(Shuffled(Letters("abcdefgh", depth=9), most=0.02))
strategy = searches[sys.argv[2]]
result = asyncio.run(solve("q", strategy, generator=Model(backend, Params(max_tokens=9)), journal=sys.argv[1]))
final = [result.answer, result.tree.to_json(), [(c.sample.text, c.score) for c in result.candidates],
         repr(result.trace.canonical())]
print(json.dumps({"final": final, "called": backend.calls, "paid": result.paid.model_calls, "nodes": len(result.tree)}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mcts", "best_first", "beam", "root_parallel"])
def test_killed_in_mid_search_and_started_again(name: str, tmp_path: Path) -> None:
    """Killed after a third of its calls, and again after two thirds: tree, answers and trace as if never killed."""
    search = Killed(SCRIPT, tmp_path, name)
    whole = search.ended("whole.db")
    assert whole["nodes"] > 50
    search.check(whole)
