"""AgentSteps: a search over an agent's decisions is the search over these decisions."""

from __future__ import annotations

import pytest

from searchkit.environments import AgentSteps
from searchkit.strategies import ABMCTS, MCTS, BestFirst
from tests.helpers.stepped import JUDGE, Words, grown, searched, spelling

STRATEGIES = [
    lambda world: MCTS(JUDGE, environment=world, iterations=25),
    lambda world: BestFirst(JUDGE, environment=world, iterations=25),
    lambda world: BestFirst(JUDGE, environment=world, in_flight=4, width=3, iterations=12),
    lambda world: ABMCTS(JUDGE, environment=world, iterations=15),
]


@pytest.mark.parametrize("make", STRATEGIES)
@pytest.mark.parametrize("live", [1, 3, 100])
def test_a_search_over_an_agent_is_the_search_over_its_decisions(make, live):
    over, plain = AgentSteps(spelling(), live=live), Words()
    a, b = searched(make(over), seed=4), searched(make(plain), seed=4)
    assert grown(a) == grown(b)
    assert a.answer == b.answer
    assert a.usage.generations == b.usage.generations > 0
    assert not a.errors
    assert over.tally.stale == 0
