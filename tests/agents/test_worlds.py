"""A world for each attempt: copies of its own, the winner brought back, the original untouched until then."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import random
import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, Run, SearchkitError, SearchWarning, search, solve, solve_sync
from searchkit.agents import CommandAgent, Committed, Workspace
from searchkit.calls import CallError
from searchkit.engine.journal import Journal
from searchkit.environments import FolderEnvironment, GitEnvironment
from searchkit.environments.patch import files
from searchkit.errors import ConfigError, StaleBranch
from searchkit.function import Function
from searchkit.memory import Memory
from searchkit.solve import solve_many
from searchkit.strategies import BestOfN, Budgeted, SelfConsistency, Then
from searchkit.strategy import Strategy
from searchkit.testing.strategies import _truncate
from searchkit.types import Prompt, Sample, Usage, Verdict
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import driven
from tests.environments.test_folder import varied
from tests.helpers.scratch import scratch  # noqa: F401 (a fixture)


@pytest.fixture(params=["folder", "git"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A small project, in a repository where the world is one."""
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "notes.txt").write_text("one\n")
    (folder / "sub" / "data.bin").write_bytes(bytes(range(256)))
    if request.param == "git":
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message=first")
    return folder


def git(folder: Path, *args: str) -> str:
    who = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *args], cwd=folder, env=os.environ | who, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def world_of(project: Path) -> Any:
    return GitEnvironment(project) if (project / ".git").exists() else FolderEnvironment(project)


def shown(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and ".git" not in p.parts}


def landed(project: Path) -> dict[str, bytes]:
    """The project with what was brought back: in a repository, the branch that was left."""
    if (project / ".git").exists():
        [branch] = git(project, "branch", "--list", "searchkit-*", "--format=%(refname:short)").split()
        git(project, "checkout", "--quiet", branch)
    return shown(project)


def writes(task: str, workspace: Workspace, index: int) -> str:
    """An attempt: one more line than its number, a binary file, and one that is removed."""
    (workspace.path / "notes.txt").write_text("one\n" + "more\n" * index)
    (workspace.path / "sub" / "data.bin").write_bytes(bytes([index, 255, 0]))
    (workspace.path / "made").mkdir(exist_ok=True)
    (workspace.path / "made" / "new.txt").write_text(task)
    return f"wrote {index}"


def most_lines(workspace: Workspace) -> Verdict:
    """Judged in the files themselves."""
    lines = (workspace.path / "notes.txt").read_text().count("more")
    assert (workspace.path / "made" / "new.txt").exists()
    (workspace.path / "notes.txt").write_text("what a verifier does is lost")
    return Verdict(lines / 10, True)


JUDGE = Predicate(most_lines, name="most lines")


def test_the_winner_alone_is_brought_back(project: Path) -> None:
    """Each attempt sees the original; until the last verdict nobody has changed it."""
    before, seen = shown(project), list[dict[str, bytes]]()

    def agent(task: str, workspace: Workspace, index: int) -> str:
        seen.append(shown(workspace.path))
        assert shown(project) == before
        return writes(task, workspace, index)

    result = search(BestOfN(4, JUDGE), world=world_of(project))(agent).detailed("mend it")
    assert seen == [before] * 4
    assert isinstance(result.answer, Workspace)
    assert result.answer.said == "wrote 3"
    assert "+more\n+more\n+more\n" in result.answer.diff
    assert result.sample.text.startswith("wrote 3\n\ndiff --git")
    assert landed(project) == before | {
        "notes.txt": b"one\nmore\nmore\nmore\n", "data.bin": b"\3\xff\0", "new.txt": b"mend it"
    }  # fmt: skip
    assert [span.text for span in result.trace.walk() if span.name == "commit"] != []
    with pytest.raises(SearchkitError, match="not there now"):
        _ = result.answer.path


def test_what_a_verifier_failed_is_not_brought_back(project: Path) -> None:
    before = shown(project)

    def failed(workspace: Workspace) -> bool:
        return False

    agent = search(BestOfN(2, Predicate(failed)), world=world_of(project))(writes)
    with pytest.warns(SearchWarning, match="no attempt passed"):
        answer = agent("mend it", index=1)  # type: ignore[call-arg]
    assert "+more" in answer.diff
    assert shown(project) == before


def test_without_a_strategy_that_commits_nothing_is_changed(project: Path) -> None:
    """Over the function itself, nested as strategies nest."""
    before, world = shown(project), world_of(project)
    agent = Function(writes, world=world)
    inner = BestOfN(2, JUDGE, generator=agent)
    result = solve_sync("mend it", BestOfN(2, JUDGE, generator=Budgeted(inner, Budget(generations=2))))
    assert result.usage.generations == 4
    assert "+more" in result.answer.diff
    assert shown(project) == before
    solve_sync("mend it", Committed(BestOfN(3, JUDGE, generator=agent), world))
    assert landed(project)["notes.txt"] == b"one\nmore\nmore\n"


@pytest.mark.slow
def test_killed_anywhere_and_resumed_it_does_the_same_once(project: Path, tmp_path: Path) -> None:
    """From the journal's rows: finished attempts are not made again, and what they did is judged and brought back."""
    before, calls, whole = shown(project), list[int](), tmp_path / "whole.db"

    def agent(task: str, workspace: Workspace, index: int) -> str:
        calls.append(index)
        return writes(task, workspace, index)

    def run(journal: Path) -> Any:
        strategy = BestOfN(3, JUDGE)
        function = Function(agent, world=world_of(project), name="agent")
        return solve_sync("mend it", strategy, generator=function, journal=journal)

    first = run(whole)
    with Journal(whole) as journal:
        rows = len(journal)
    assert rows == 6
    assert sorted(calls) == [0, 1, 2]
    for kept in range(rows + 1):
        part = tmp_path / f"{kept}.db"
        _truncate(whole, part, kept)
        calls.clear()
        again = run(part)
        assert again.answer == first.answer
        assert again.trace.canonical() == first.trace.canonical()
        assert again.paid.generations == len(calls) <= 3
        assert shown(project) == before
    assert calls == []


def test_resumed_after_it_was_brought_back(project: Path, tmp_path: Path) -> None:
    """The same command again: nothing is paid, nothing is changed again, and the answer is the same."""
    options: dict[str, Any] = {"journal": tmp_path / "run.db", "name": "agent", "world": world_of(project)}
    agent: Any = search(BestOfN(3, JUDGE), **options)(writes_one)
    first = agent.detailed("mend it")
    after = shown(project)
    second = agent.detailed("mend it")
    assert second.answer == first.answer
    assert second.paid.generations == 0
    assert shown(project) == after


def writes_one(task: str, workspace: Workspace, run: Run) -> str:
    return writes(task, workspace, run.index)


def test_an_original_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\n")

    def agent(task: str, workspace: Workspace) -> None:
        (workspace.path / "notes.txt").write_text("two\n")
        (folder / "notes.txt").write_text("the user's own\n")

    searched = search(BestOfN(1, Predicate(lambda _: True)), world=FolderEnvironment(folder))(agent)
    with pytest.raises(StaleBranch, match="nothing was written"):
        searched("go")  # type: ignore[call-arg]
    (folder / "notes.txt").write_text("one\n")
    assert searched.detailed("go").stopped == "error"  # type: ignore[call-arg]
    assert (folder / "notes.txt").read_text() == "the user's own\n"


def test_what_is_journaled_is_judged_over_the_same_files_only(tmp_path: Path) -> None:
    """An attempt whose verdict is missing, resumed over other files, has none; nothing is brought back of it."""
    folder, journal = tmp_path / "project", tmp_path / "run.db"
    (folder / "made").mkdir(parents=True)
    (folder / "notes.txt").write_text("one\n")

    def run(path: Path) -> Any:
        function = Function(writes_plainly, world=FolderEnvironment(folder), name="agent")
        return solve_sync("go", BestOfN(1, JUDGED_PLAINLY), generator=function, journal=path)

    assert run(journal).candidates[0].verdict.passed
    _truncate(journal, tmp_path / "cut.db", 1)
    (folder / "other.txt").write_text("new")
    with pytest.warns(SearchWarning):
        result = run(tmp_path / "cut.db")
    assert result.paid.generations == 0
    assert isinstance(result.errors[0], StaleBranch)


def test_a_branch_begins_where_its_attempt_did(tmp_path: Path) -> None:
    """Whatever was committed to the repository meanwhile."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    base, world = git(folder, "rev-parse", "HEAD"), GitEnvironment(folder)
    function = Function(writes_plainly, world=world, name="agent")
    run = {"generator": function, "journal": tmp_path / "run.db"}
    solve_sync("go", BestOfN(1, JUDGED_PLAINLY), **run)
    (folder / "other.txt").write_text("new")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=second")
    again = solve_sync("go", Committed(BestOfN(1, JUDGED_PLAINLY), world), **run)
    assert (again.stopped, again.paid.generations) == ("done", 0)
    [branch] = git(folder, "branch", "--list", "searchkit-*", "--format=%(refname:short)").split()
    assert git(folder, "rev-parse", f"{branch}^") == base
    assert git(folder, "show", f"{branch}:notes.txt") == "two"
    for odd in ("--help", "HEAD", "", "0" * 40):
        with pytest.raises(StaleBranch):
            asyncio.run(_bring(world, json.dumps([odd, ["", ""]])))


async def _bring(world: Any, changes: str) -> None:
    async def body(prompt: Any, run: Any) -> None:
        await world.bring_back(changes, run)

    result = await driven(body)
    assert not result.errors


def writes_plainly(task: str, workspace: Workspace) -> str:
    (workspace.path / "notes.txt").write_text("two\n")
    return "done"


def judged_plainly(workspace: Workspace) -> bool:
    return (workspace.path / "notes.txt").read_text() == "two\n"


JUDGED_PLAINLY = Predicate(judged_plainly, name="plainly")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_asynchronous_agents_and_judges(tmp_path: Path, asynchronous: bool) -> None:
    folder = tmp_path / "project"
    folder.mkdir()

    async def agent(task: str, workspace: Workspace) -> Path:
        await asyncio.sleep(0)
        (workspace.path / "a").write_text(task)
        return Path("a")

    async def judge(workspace: Workspace) -> bool:
        await asyncio.sleep(0)
        return (workspace.path / "a").exists()

    def plain(workspace: Workspace) -> bool:
        assert threading.current_thread() is not loop[0]
        return (workspace.path / "a").exists()

    loop = list[threading.Thread]()

    async def main() -> Workspace:
        loop.append(threading.current_thread())
        judged = Predicate(judge if asynchronous else plain)
        return await search(BestOfN(2, judged, first_pass=True), world=FolderEnvironment(folder))(agent)("go")  # type: ignore[call-arg]

    assert asyncio.run(main()).said == Path("a")
    assert (folder / "a").read_text() == "go"


def test_an_agent_that_goes_elsewhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is one of the folder where the world was made, wherever the process is taken meanwhile."""
    monkeypatch.chdir(project.parent)
    world = GitEnvironment("project") if (project / ".git").exists() else FolderEnvironment("project")

    def goes(task: str, workspace: Workspace, index: int) -> str:
        os.chdir(workspace.path)
        return writes(task, workspace, index)

    made = search(BestOfN(3, JUDGE), world=world)(goes)("new")
    assert made.said == "wrote 2"
    assert landed(project)["notes.txt"] == b"one\nmore\nmore\n"


@pytest.mark.slow
def test_cancelled_nothing_is_brought_back_and_nothing_is_left(project: Path) -> None:
    before, gate, working = shown(project), threading.Event(), threading.Event()

    def agent(task: str, workspace: Workspace) -> None:
        (workspace.path / "notes.txt").write_text("half")
        working.set()
        gate.wait(20)
        workspace.path.mkdir(parents=True, exist_ok=True)
        (workspace.path / "late").write_text("too late")

    async def main() -> None:
        function = Function(agent, world=world_of(project))
        strategy = Committed(BestOfN(2, JUDGE), world_of(project))
        task = asyncio.create_task(solve("go", strategy, generator=function))
        await asyncio.to_thread(working.wait, 20)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    gate.set()
    for thread in threading.enumerate():
        if thread.name.endswith(".agent"):
            thread.join(10)
    assert shown(project) == before


def test_a_ceiling_that_binds_in_the_middle(project: Path) -> None:
    """The attempts that were paid are judged, and the best of them is brought back."""
    agent = search(BestOfN(8, JUDGE, window=1), world=world_of(project), budget=Budget(generations=2))(writes_one)
    result = agent.detailed("go")  # type: ignore[call-arg]
    assert (result.stopped, result.usage.generations) == ("budget", 2)
    assert landed(project)["notes.txt"] == b"one\nmore\n"


def test_an_attempt_that_fails_costs_itself_alone(project: Path) -> None:
    def agent(task: str, workspace: Workspace, index: int) -> str:
        if index == 0:
            raise ValueError("no")
        if index == 1:
            (workspace.path / "way").symlink_to("/etc/passwd")
        return writes(task, workspace, index)

    with pytest.warns(SearchWarning, match="2 of 3 attempts failed"):
        result = search(BestOfN(3, JUDGE), world=world_of(project))(agent).detailed("go")
    assert [str(error).split(":")[0] for error in result.errors][1] == "the action left a folder that cannot be kept"
    assert landed(project)["notes.txt"] == b"one\nmore\nmore\n"


def test_errors_say_what_failed(project: Path) -> None:
    """Where every attempt does: of a world's errors and a command's all of it, of an agent's its own exception."""

    def own(task: str, workspace: Workspace) -> None:
        raise KeyError("mine")

    for script, why in (("rm -r ../*", "the action left a folder that"), ("yes", r"sh -c .*: it printed more than 9")):
        with pytest.raises(CallError, match=why):
            asyncio.run(
                search(BestOfN(2, JUDGE), world=world_of(project))(CommandAgent(["sh", "-c", script], most=9))("x")
            )
    with pytest.raises(KeyError, match="mine"):
        search(BestOfN(2, JUDGE), world=world_of(project))(own)("x")


def test_votes_and_memory_over_workspaces(project: Path) -> None:
    """What changed is compared by its patch; a note on an attempt is what it said and did."""
    vote = SelfConsistency(3, key=lambda one: one.diff)

    def same(task: str, workspace: Workspace) -> str:
        (workspace.path / "notes.txt").write_text("two\n")
        return "done"

    agent = Function(same, world=world_of(project))
    result = solve_sync("go", vote, generator=agent)
    assert len({candidate.sample.value for candidate in result.candidates}) == 1
    memory = Memory(Predicate(judged_plainly, name="plainly"))
    asyncio.run(solve_many(["go", "go on"], BestOfN(1, JUDGED_PLAINLY), generator=agent, memory=memory))
    assert [note.text.startswith("done\n\ndiff --git") for note in memory.notes] == [True, True]


def test_mistakes_are_told() -> None:
    def wants(task: str, workspace: Workspace) -> None: ...

    def may(task: str, workspace: Workspace | None = None) -> str:
        return str(workspace)

    def knows_nothing(task: str) -> str:
        return task

    judge = Predicate(lambda _: True)
    with pytest.raises(ConfigError, match="say of which files"):
        search(BestOfN(1, judge))(wants)("go")  # type: ignore[call-arg]
    assert search(BestOfN(1, judge))(may)("go") == "None"
    with pytest.raises(ConfigError, match=r"world= is a FolderEnvironment\(...\)"):
        search(BestOfN(1, judge), world="project")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match=r"world= is a FolderEnvironment\(...\)"):
        Function(wants, world=FolderEnvironment)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="would not know of it"):
        search(BestOfN(1, judge), world=FolderEnvironment("x"))(knows_nothing)
    with pytest.raises(ConfigError, match="is no Workspace"):
        solve_sync("go", Committed(BestOfN(1, judge), FolderEnvironment("x")), generator=Function(may))
    with pytest.raises(ConfigError, match="is not a folder"):
        search(BestOfN(1, judge), world=FolderEnvironment("/nowhere"))(wants)("go")  # type: ignore[call-arg]
    with pytest.raises(SearchkitError, match="of no world"):
        asyncio.run(_enter(Workspace()))


async def _enter(workspace: Workspace) -> None:
    async with workspace.opened(None):  # type: ignore[arg-type]
        pass


def test_it_is_brought_back_around_a_whole_search_only(project: Path) -> None:
    """As a part of a strategy each of its answers would be, and all but one thrown away."""
    before, world = shown(project), world_of(project)
    part = Committed(BestOfN(1, JUDGE, generator=Function(writes, world=world)), world)
    for strategy in (BestOfN(2, JUDGE, generator=part), Budgeted(part, Budget(generations=2)), Then(part, part)):
        with pytest.raises(ConfigError, match="goes around a whole search"):
            solve_sync("go", strategy)
    assert shown(project) == before


def test_more_ways_of_agents(project: Path) -> None:
    """Methods, factories, samples with a usage, and a folder that is emptied."""

    class Desk:
        @search(BestOfN(2, JUDGE), world=world_of(project))
        def work(self, task: str, workspace: Workspace, run: Run) -> str:
            return writes(task, workspace, run.index)

    class Fresh:
        def __call__(self, task: str, workspace: Workspace, index: int) -> Sample[str]:
            return Sample(writes(task, workspace, index), usage=Usage(model_calls=7))

    assert Desk().work.detailed("go").answer.said == "wrote 1"  # type: ignore[call-arg]
    made: Any = search(BestOfN(2, JUDGE), world=world_of(project), factory=True)(Fresh)
    result = made.detailed("go")
    assert (result.answer.said, result.usage.model_calls) == ("wrote 1", 14)

    def empties(task: str, workspace: Workspace) -> None:
        for path in workspace.path.rglob("*"):
            if path.is_file():
                path.unlink()

    always = Predicate(lambda _: True)
    answer = solve_sync("go", BestOfN(1, always), generator=Function(empties, world=world_of(project))).answer
    assert answer.diff.count("deleted file") == len(shown(project)) >= 2
    if not (project / ".git").exists():
        search(BestOfN(1, always), world=world_of(project))(empties)("go")  # type: ignore[call-arg]
        assert shown(project) == {}


def test_chains_over_workspaces(tmp_path: Path) -> None:
    """What a refiner is shown is what was said and done; each attempt begins with the original."""
    (tmp_path / "n").write_text("0")

    def agent(task: Prompt, workspace: Workspace) -> str:
        assert (workspace.path / "n").read_text() == "0"
        (workspace.path / "n").write_text(str(1 + task.text.count("diff --git")))
        return "counted"

    def second(workspace: Workspace) -> bool:
        return (workspace.path / "n").read_text() == "2"

    first_two = Sequential(Predicate(second))
    world = FolderEnvironment(tmp_path)
    solve_sync("go", Committed(first_two, world), generator=Function(agent, world=world))
    assert (tmp_path / "n").read_text() == "2"


@dataclass(frozen=True)
class Sequential(Strategy):
    """Two attempts, the second shown the first."""

    verifier: Any

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        [first] = await run.sample(None, prompt)
        [second] = await run.sample(None, Prompt.of(f"{prompt.text}\n{first.text}"))
        scored = await run.score(self.verifier, prompt, [first, second])
        assert [one.verdict.passed for one in scored] == [False, True]
        return second


def test_inside_of_another_search_it_is_refused(project: Path) -> None:
    """An attempt may be thrown away; what it brought back would stay."""
    inner: Any = search(BestOfN(1, JUDGE), world=world_of(project))(writes_one)

    def outer(task: str) -> str:
        return str(inner(task))

    with pytest.raises(ConfigError, match="changes its world for good"):
        search(BestOfN(1, Predicate(lambda _: True)))(outer)("go")


@pytest.mark.parametrize("seed", range(6))
def test_what_an_attempt_left_is_there_again_in_another_process(project: Path, seed: int) -> None:
    """Oracle: the files that it left. Odd names, links, modes, binary files, lines of all kinds; from JSON alone."""
    left = list[dict[str, tuple[str, bytes]]]()
    if (project / ".git").exists():
        (project / ".gitattributes").write_text("*.crlf text eol=crlf\n* filter=none\n")
        git(project, "add", "--all")
        git(project, "commit", "--quiet", "--message=attributes")

    def content(folder: Path) -> dict[str, tuple[str, bytes]]:
        return {name: (file.mode, file.content) for name, file in files(folder, (".git",)).items()}

    def agent(task: str, workspace: Workspace) -> None:
        rng, folder = random.Random(seed), workspace.path
        varied(folder, rng)
        (folder / "binary").write_bytes(rng.randbytes(3_000))
        (folder / "latin").write_bytes(b"caf\xe9\r\nx\n")
        (folder / "lines.crlf").write_bytes(b"a\r\nb\r\n")
        (folder / "notes.txt").chmod(0o755)
        if rng.random() < 0.5:
            (folder / "sub" / "data.bin").unlink()
        left.append(content(folder))

    always = Predicate(lambda _: True)
    value = solve_sync("go", BestOfN(1, always), generator=Function(agent, world=world_of(project))).answer
    again = pickle.loads(pickle.dumps(replace(value, world=None)))

    def look(workspace: Workspace) -> bool:
        left.append(content(workspace.path))
        return True

    stored = replace(again, world=world_of(project))
    solve_sync("look", BestOfN(1, Predicate(look)), generator=lambda text: stored)
    assert left[1] == left[0]
