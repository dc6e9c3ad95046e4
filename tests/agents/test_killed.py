"""Searches over agents that are killed (SIGKILL) at any moment and started again: the same bytes, nothing paid twice.

`tools/killed_agents.py` does the same 20 times for each agent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.testing.server import Server
from tests.helpers.agents import CALLS
from tests.helpers.commands import EACH
from tests.helpers.killing import ALL, Trial, killed_at_random

HALF = 5  # calls after which a fickle agent has said something else


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(latency=0.01) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ambient", "by_endpoint", "stepped"])
def test_killed_at_random_moments_and_started_again(agent: str, server: Server, tmp_path: Path) -> None:
    """From nothing to a kill and to the end: the bytes of a search that nobody killed; no call is made twice."""
    kept = killed_at_random(agent, server, tmp_path, 3, 19)
    assert len(set(kept)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("agent", EACH)
def test_programs_killed_at_a_random_moment_and_started_again(agent: str, server: Server, tmp_path: Path) -> None:
    """The same of agents in Node and in shell."""
    killed_at_random(agent, server, tmp_path, 1, 11)


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ambient", "by_endpoint"])
def test_killed_again_and_again(agent: str, server: Server, tmp_path: Path) -> None:
    """One search, killed until half of it is done: it gets on by what each of its processes finished."""
    whole, _ = Trial(agent, server, tmp_path / "whole").finished()
    trial, done, kills = Trial(agent, server, tmp_path / "killed"), 0, 0
    while done < ALL // 2:
        before, done, kills = done, trial.killed(10, 0.008), kills + 1
        assert before <= done < ALL
    assert kills > 1
    resumed, paid = trial.finished()
    assert (resumed["final"], paid, resumed["paid"]) == (whole["final"], ALL - done, ALL - done)


@pytest.mark.slow
def test_an_agent_that_asks_otherwise_after_a_kill(server: Server, tmp_path: Path) -> None:
    """Attempts that had said how often they began: they are counted, and their calls are kept."""
    moments, found = random.Random(5), 0
    for number in range(5):
        trial = Trial("fickle", server, tmp_path / str(number))
        trial.killed(moments.randrange(ALL // 2, ALL - 2), moments.uniform(0, 0.008))
        before, calls, attempts = trial.rows(), trial.calls(), trial.attempts()
        otherwise = sum(count > HALF for count in calls.values()) - attempts
        resumed, paid = trial.finished()
        assert resumed["diverged"] == otherwise
        answered = sum(min(count, HALF) for count in calls.values()) + attempts * (CALLS - HALF)
        assert paid == resumed["paid"] == ALL - answered
        assert trial.rows()[: len(before)] == before
        found += otherwise
    assert found > 0
