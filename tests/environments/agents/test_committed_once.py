"""What was carried out in the real world is recorded: a search that is resumed does it no second time."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit import Function, solve
from searchkit.environments import AgentSteps, Crashed
from searchkit.errors import StaleBranch, UncertainEffect
from searchkit.strategies import BestFirst, RecedingHorizon
from searchkit.strategy import Strategy
from searchkit.types import Prompt, Sample
from tests.helpers.stepped import JUDGE, ask, letters, sdk, searched

DEPTH = 4


class Desk:
    """A world. Notes on the real one are written to `real`, and counted there."""

    def __init__(self, real: list[str] | None = None) -> None:
        self.notes: list[str] = []
        self.real = real

    def write(self, note: str) -> None:
        self.notes.append(note)
        if self.real is not None:
            self.real.append(note)


def writing(end: Any = "".join):
    api = sdk()

    async def agent(task: str, desk: Desk):
        for _ in range(DEPTH):
            desk.write(await ask(api, f"{task} {''.join(desk.notes)}"))
        return end(desk.notes)

    return agent


def world_of(real: list[str], agent: Any = None, open: Any = None) -> AgentSteps:
    return AgentSteps(agent or writing(), world=Desk, real=open or (lambda: Desk(real)))


def planned(world: Any, commit: str = "path", rounds: int = 8) -> RecedingHorizon:
    return RecedingHorizon(BestFirst(JUDGE, environment=world, iterations=8), rounds=rounds, commit=commit)


class Walk(Strategy):
    """Takes these answers, and commits after those whose number is in `commits`. What it committed is its answer."""

    def __init__(self, environment: Any, commits: Any, answers: str = "abca") -> None:
        self.environment, self.commits, self.answers = environment, commits, answers

    async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
        state, done = await self.environment.start(prompt, run), []
        for number, answer in enumerate(self.answers):
            state = (await self.environment.step(state, Sample(answer), run)).state
            if number in self.commits:
                state = (await self.environment.commit(state, run)).state
                done.append(self.environment.candidate(state).value)
        return Sample(done)


def walked(world: Any, journal: Path, commits: Any = (DEPTH - 1,)) -> Any:
    return asyncio.run(solve("go", Walk(world, commits), journal=journal)).answer


@pytest.mark.parametrize("commit", ["path", "action"])
def test_resumed_it_comes_to_the_same_and_nothing_is_done_again(commit, tmp_path):
    real: list[str] = []
    found = []
    for _ in range(3):
        found.append(searched(planned(world_of(real), commit), letters(), seed=3, journal=tmp_path / "j.db"))
        assert "".join(real) == found[0].answer
    assert [one.answer for one in found] == [found[0].answer] * 3
    assert [one.trace.canonical() for one in found] == [found[0].trace.canonical()] * 3
    assert [one.paid.model_calls for one in found[1:]] == [0, 0]
    searched(planned(world_of(real), commit), letters(), seed=3, journal=tmp_path / "other.db")
    assert len(real) == 2 * DEPTH  # another journal knows nothing of it


def test_without_a_real_world_a_commit_is_as_any_branch(tmp_path):
    made = []

    def desk() -> Desk:
        made.append(1)
        return Desk()

    world = AgentSteps(writing(), world=desk)
    assert walked(world, tmp_path / "j.db") == ["abca"]
    before = len(made)
    assert walked(world, tmp_path / "j.db") == ["abca"]
    assert len(made) > before


@dataclasses.dataclass
class Report:
    notes: list[str]


async def reporting(task: str, desk: Desk) -> Report:
    return Report(await _notes(task, desk))


async def _notes(task: str, desk: Desk) -> list[str]:
    api = sdk()
    for _ in range(DEPTH):
        desk.write(await ask(api, f"{task} {''.join(desk.notes)}"))
    return desk.notes


async def raising(task: str, desk: Desk) -> str:
    raise ValueError(f"no {await _notes(task, desk)}")


def test_what_it_returned_comes_back_as_it_was(tmp_path):
    for name, agent in (("report", reporting), ("list", writing(list)), ("none", writing(lambda _: None))):
        real: list[str] = []
        first = walked(world_of(real, agent), tmp_path / f"{name}.db")
        assert walked(world_of(real, agent), tmp_path / f"{name}.db") == first
        assert len(real) == DEPTH
    assert walked(world_of([], reporting), tmp_path / "report.db") == [Report([*"abca"])]


def test_a_crash_that_was_committed_is_told_again(tmp_path):
    real: list[str] = []
    for _ in range(2):
        [crashed] = walked(world_of(real, raising), tmp_path / "j.db")
        assert isinstance(crashed, Crashed)
        assert "ValueError: no ['a', 'b', 'c', 'a']" in crashed.message
    assert len(real) == DEPTH


def test_what_cannot_be_stored_is_said_and_not_done_again(tmp_path):
    real: list[str] = []
    agent = writing(lambda notes: object())
    assert len(walked(world_of(real, agent), tmp_path / "j.db")) == 1
    with pytest.raises(UncertainEffect, match=r"was carried out.*could not be recorded.*codec="):
        walked(world_of(real, agent), tmp_path / "j.db")
    assert len(real) == DEPTH
    pickled = Function(agent, codec="pickle")
    for _ in range(2):
        assert len(walked(world_of(real, Function(writing(set), codec="pickle")), tmp_path / "p.db")) == 1
    assert len(real) == 2 * DEPTH
    assert pickled.codec == "pickle"


def test_a_real_world_that_did_not_open_is_tried_again(tmp_path):
    real: list[str] = []
    shut = [True]

    def open() -> Desk:
        if shut[0]:
            raise OSError("the folder is not there")
        return Desk(real)

    world = world_of(real, open=open)
    for _ in range(2):
        with pytest.raises(OSError, match="not there"):
            walked(world, tmp_path / "j.db")
    shut[0] = False
    assert walked(world, tmp_path / "j.db") == walked(world, tmp_path / "j.db") == ["abca"]
    assert len(real) == DEPTH


def test_a_commit_that_was_stale_stays_so(tmp_path):
    real: list[str] = []
    api = sdk()

    async def agent(task: str, desk: Desk) -> str:
        for _ in range(2):
            desk.write(await ask(api, f"{task} {desk.real is None and desk.notes}"))
        return "".join(desk.notes)

    for _ in range(2):
        with pytest.raises(StaleBranch, match="asked something else"):
            walked(world_of(real, agent), tmp_path / "j.db", (1,))
    assert real == []


@pytest.mark.parametrize("commits", [(0, 3), (0, 1, 3), (2, 3)])
def test_a_search_that_ended_between_two_commits_does_not_begin_anew(commits, tmp_path):
    """The agent that stood in the real world is gone with its process, and another one would do all of it again."""
    real: list[str] = []

    class Ended(Exception):
        pass

    class Cut(AgentSteps):
        async def commit(self, state, run):
            if len(state.turns) == DEPTH:
                raise Ended
            return await super().commit(state, run)

    with pytest.raises(Ended):
        walked(Cut(writing(), world=Desk, real=lambda: Desk(real)), tmp_path / "j.db", commits)
    done = list(real)
    assert len(done) == commits[-2] + 1
    for _ in range(2):
        with pytest.raises(UncertainEffect, match=r"carried out a part .* is gone with it"):
            walked(world_of(real), tmp_path / "j.db", commits)
    assert real == done
    assert walked(world_of(real), tmp_path / "other.db", commits)[-1] == "abca"


@pytest.mark.parametrize("commit", ["path", "action"])
def test_no_answer_stands_for_what_nobody_knows(commit, tmp_path):
    """Cut off in the middle of a commit: a resumed search has an answer that was planned, and does not return it."""
    real: list[str] = []

    class Cut(Desk):
        def write(self, note: str) -> None:
            super().write(note)
            if len(self.notes) == 2:
                raise KeyboardInterrupt

    cut = world_of(real, open=lambda: Cut(real))
    with pytest.raises(KeyboardInterrupt):
        searched(planned(cut, commit), letters(), seed=3, journal=tmp_path / "j.db")
    done = list(real)
    assert len(done) == 2
    with pytest.raises(UncertainEffect):
        searched(planned(world_of(real), commit), letters(), seed=3, journal=tmp_path / "j.db")
    assert real == done


PROGRAM = """
import sys
from pathlib import Path
from tests.environments.agents.test_committed_once import killed
killed(Path(sys.argv[1]))
"""


def killed(folder: Path) -> None:
    """Commit notes to a file, and be killed after the second."""

    class Filed(Desk):
        def write(self, note: str) -> None:
            super().write(note)
            with open(folder / "real", "a") as file:
                file.write(note)
            if len(self.notes) == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    walked(world_of([], open=Filed), folder / "j.db")


@pytest.mark.slow
def test_killed_while_it_is_carried_out_it_is_not_begun_again(tmp_path):
    program = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    root = Path(__file__).parents[3]
    for _ in range(2):
        ended = subprocess.run(program, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
        assert (tmp_path / "real").read_text() == "ab"
    assert b"UncertainEffect" in ended.stderr
