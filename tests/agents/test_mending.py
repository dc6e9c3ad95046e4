"""A module with three bugs, mended by agents in copies: best-of-N with the tests, the winner brought back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from examples.file_agent import MODULE
from searchkit import Run, SearchWarning, search, solve_sync
from searchkit.agents import CommandAgent, Committed, Upstream, Workspace
from searchkit.environments import FolderEnvironment, GitEnvironment
from searchkit.errors import ConfigError
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.testing.server import Server
from searchkit.testing.verifiers import VerifierTests
from searchkit.verifiers import Exact, InFile, UnitTests
from tests.agents.test_worlds import git
from tests.helpers.commands import FOLDER, needs
from tests.helpers.workspaces import left_by

TESTS = [
    "assert fahrenheit(0) == 32 and fahrenheit(-40) == -40",
    "assert leap(2024) and not leap(2023)",
    "assert not leap(1900) and leap(2000)",
    "assert mean([1, 2, 3]) == 2 and mean([5]) == 5",
]
MENDED = {
    "9 / 5 - 32": "9 / 5 + 32",
    "year % 100 == 0 or": "year % 100 != 0 or",
    "(len(values) + 1)": "len(values)",
}
TASK = "Mend the module: name one line's part, and what it should be."
JUDGE = InFile(UnitTests(TESTS), "module.py")


def reply(prompt: str, seed: int, body: Any) -> str:
    """The model: finds the next of the bugs that are left, and mends it right four times out of five."""
    chance = random.Random(seed)
    for wrong, right in MENDED.items():
        if wrong in prompt:
            return f"{wrong} => {right if chance.random() < 0.8 else right.replace(' ', '  ') + ' + 1'}"
    return "nothing"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(reply=reply) as running:
        yield running


@pytest.fixture(params=["folder", "git"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "module.py").write_text(MODULE)
    if request.param == "git":
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message=first")
    return folder


def whole() -> str:
    text = MODULE
    for wrong, right in MENDED.items():
        assert text.count(wrong) == 1
        text = text.replace(wrong, right)
    return text


def brought_back(project: Path) -> str:
    if (project / ".git").exists():
        assert (project / "module.py").read_text() == MODULE  # the branch is there, the files are as they were
        [branch] = git(project, "branch", "--list", "searchkit-*", "--format=%(refname:short)").split()
        return git(project, "show", f"{branch}:module.py") + "\n"
    return (project / "module.py").read_text()


def world_of(project: Path) -> Any:
    return GitEnvironment(project) if (project / ".git").exists() else FolderEnvironment(project)


@pytest.mark.slow
@needs("node")
def test_a_program_mends_it(project: Path, server: Server) -> None:
    world, agent = world_of(project), CommandAgent(["node", str(FOLDER / "mends.mjs")])
    function = Function(agent, upstream=Upstream(openai_url=server.url, openai_key="k"), world=world)
    result = solve_sync(TASK, Committed(BestOfN(6, JUDGE), world), generator=function)
    assert brought_back(project) == whole()
    assert result.answer.said == "I have mended what I could."
    passed = [one.verdict.passed for one in result.candidates]
    assert True in passed
    assert False in passed  # it was not all the same which one won
    assert result.usage.model_calls == len(server.requests) == 18


@pytest.mark.slow
def test_an_agent_over_a_client_mends_it(project: Path, server: Server) -> None:
    upstream = Upstream(openai_url=server.url, openai_key="k")

    @search(BestOfN(6, JUDGE), world=world_of(project), upstream=upstream)
    async def mend(task: str, workspace: Workspace, run: Run) -> str:
        from searchkit.agents import async_client

        module = workspace.path / "module.py"
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", http_client=async_client()) as client:
            for _ in range(3):
                text = module.read_text()
                asked: Any = [{"role": "user", "content": f"{task}\n\n{text}"}]
                said = await client.chat.completions.create(model="test-model", messages=asked)
                wrong, _, right = (said.choices[0].message.content or "").partition(" => ")
                if right:
                    module.write_text(text.replace(wrong, right))
        return "done"

    result: Any = asyncio.run(mend.detailed(TASK))  # type: ignore[call-arg]
    assert brought_back(project) == whole()
    assert result.usage.model_calls == len(server.requests) == 18


def test_where_no_attempt_passes_the_original_stays(project: Path) -> None:
    def breaks(task: str, workspace: Workspace) -> None:
        (workspace.path / "module.py").write_text("def mean(values): return 0\n")

    with pytest.warns(SearchWarning, match="no attempt passed"):
        search(BestOfN(2, JUDGE), world=world_of(project))(breaks)(TASK)  # type: ignore[call-arg]
    assert (project / "module.py").read_text() == MODULE


# -------------------------------------------------------------------- a file of the folder


@pytest.mark.parametrize("kind", ["missing", "a link", "no text", "a folder", "huge"])
def test_files_that_cannot_be_judged_have_failed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.verifiers.code.in_file.LARGEST", 8)

    def agent(task: str, workspace: Workspace) -> None:
        module = workspace.path / "module.py"
        (workspace.path / "other.py").write_text("right")
        if kind == "a link":
            module.symlink_to("other.py")
        elif kind == "no text":
            module.write_bytes(b"\xff\xfe")
        elif kind == "a folder":
            module.mkdir()
        elif kind == "huge":
            module.write_bytes(b"right    ")

    judge = InFile(Exact(reference="right"), "module.py")
    result = solve_sync("go", BestOfN(1, judge), generator=Function(agent, world=FolderEnvironment(tmp_path)))
    assert result.candidates[0].verdict.passed is False
    assert "no file module.py" in result.candidates[0].verdict.feedback


def test_mistakes_of_a_file_are_told(tmp_path: Path) -> None:
    for file in ("", "/etc/passwd", "../x", "a/../b", "./a", "a/", 3, None):
        with pytest.raises(ConfigError, match="path of a file"):
            InFile(Exact(reference="x"), file)  # type: ignore[arg-type]
    with pytest.warns(SearchWarning, match="judges a Workspace"):
        solve_sync("go", BestOfN(1, InFile(Exact(reference="x"), "a")), generator=lambda text: text)


def leaves(task: str, workspace: Workspace, index: int) -> None:
    """The samples of the laws: the last leaves no file."""
    if index < 3:
        (workspace.path / "a.txt").write_text(["5", "6", ""][index])


class TestInFile(VerifierTests):
    """The laws, on workspaces."""

    @pytest.fixture(autouse=True)
    def made(self, tmp_path: Path) -> None:
        self.samples = left_by(leaves, 4, tmp_path)

    def verifier(self) -> InFile:
        return InFile(Exact(), "a.txt")
