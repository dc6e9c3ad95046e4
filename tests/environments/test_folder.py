"""FolderEnvironment and patches: states are copies, patches are git's, nothing is left behind, nothing escapes."""

from __future__ import annotations

import asyncio
import math
import os
import random
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from searchkit import Budget, Function, solve_sync
from searchkit.calls import CallError
from searchkit.engine.journal import Journal
from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.patch import files, patch
from searchkit.environments.protocols import Anytime, Committing
from searchkit.errors import ConfigError, StaleBranch
from searchkit.strategies import BestFirst, Children, RecedingHorizon
from searchkit.testing.strategies import _truncate
from searchkit.types import Sample
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive, driven, happens


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory, monkeypatch):
    """The folder for temporary files; after each test it has to be as empty as before."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "sub" / "b.txt").write_text("b")
    (folder / "run.sh").write_text("echo\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub/b.txt")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("private")
    return folder


def edit(folder: Path, action: str) -> str:
    """Actions for the tests: "write NAME TEXT", "append NAME TEXT", "remove NAME", "list"."""
    word, _, rest = action.partition(" ")
    name, _, text = rest.partition(" ")
    path = folder / name
    if word in ("write", "append"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if word == "append" and path.exists() else "") + text)
    elif word == "remove":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return f"{folder}: " + " ".join(sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")))


async def follow(environment, state, actions, run):
    for action in actions:
        state = (await environment.step(state, Sample(action), run)).state
    return state


def content(folder):
    return {name: (file.mode, file.content) for name, file in files(folder).items()}


# -------------------------------------------------------------------- states


def test_every_state_is_what_its_path_makes_of_a_copy(project, tmp_path):
    """Oracle: the path of actions in a copy of one's own; the source is never touched."""
    environment, before = FolderEnvironment(project, edit), content(project)
    choices = ["write a.txt x", "append a.txt y", "write new/c.txt c", "append sub/b.txt z", "remove run.sh"]

    async def body(prompt, run):
        known = [((), await environment.start(prompt, run))]
        for _ in range(25):
            path, state = run.rng.choice(known)
            action = run.rng.choice([c for c in choices if c not in path or c[0] == "a"])
            known.append(((*path, action), (await environment.step(state, Sample(action), run)).state))
        for i, (path, state) in enumerate(known):
            own = tmp_path / str(i) / "project"
            shutil.copytree(project, own, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            said = [edit(own, action).replace(str(own), ".") for action in path]
            assert content(state.world.here) == content(own)
            assert state.observations == ("", *said)
            assert environment.candidate(state).value == patch(files(project, (".git",)), files(own))
        return len(known)

    assert drive(body) == 26
    assert content(project) == before


def test_actions_may_end_the_episode_and_be_asynchronous(project):
    async def act(folder, action):
        await asyncio.sleep(0)
        (folder / "a.txt").write_text(action)
        return "written", 0.25, action == "last"

    environment = FolderEnvironment(project, act, render=lambda folder: (folder / "a.txt").read_text())

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        first = await environment.step(root, Sample("first"), run)
        assert (first.reward, first.terminal, first.observation) == (None, False, "written")
        last = await environment.step(first.state, Sample("last"), run)
        assert (last.reward, last.terminal) == (0.25, True)
        assert [environment.candidate(s.state).value for s in (first, last)] == ["first", "last"]
        with pytest.raises(ConfigError, match="over"):
            await environment.step(last.state, Sample("more"), run)

    drive(body)
    assert isinstance(environment, Anytime)
    assert isinstance(environment, Committing)


def test_an_action_that_fails_costs_its_step_and_nothing_else(project):
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        with pytest.raises(CallError, match="act raised FileNotFoundError"):
            await environment.step(root, Sample("remove nothing"), run)
        return (await environment.step(root, Sample("list"), run)).observation

    assert drive(body) == ".: a.txt link run.sh sub sub/b.txt"


@pytest.mark.parametrize("fails", ["in act", "asynchronously", "told", "when kept"])
def test_a_step_that_fails_leaves_no_files(project, scratch, fails):
    """Only the first state's copy is there: failed steps would fill the disk in a long search."""

    def act(folder, action):
        if fails == "in act":
            raise ValueError("no")
        if fails == "when kept":
            (folder / "way").symlink_to("/etc")
        return ("seen", math.nan, True) if fails == "told" else "seen"

    async def later(folder, action):
        await asyncio.sleep(0)
        raise ValueError("no")

    environment = FolderEnvironment(project, later if fails == "asynchronously" else act)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        for _ in range(3):
            with pytest.raises(CallError):
                await environment.step(root, Sample("go"), run)
        return [len(list(folder.iterdir())) for folder in scratch.iterdir()]

    assert drive(body) == [1]


@pytest.mark.parametrize("kind", ["thread", "loop", "awaitable"])
def test_an_action_that_takes_too_long_fails_its_step(project, kind):
    gate = threading.Event()

    async def slowly(folder: Path, action: str) -> str:
        await asyncio.sleep(0 if action == "quick" else 60)
        return action

    def act(folder: Path, action: str):
        if kind == "awaitable":
            return slowly(folder, action)
        return gate.wait(0 if action == "quick" else 60) or action

    environment = FolderEnvironment(project, slowly if kind == "loop" else act, seconds=0.05)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        with pytest.raises(CallError) as error:
            await environment.step(root, Sample("slow"), run)
        assert isinstance(error.value.__cause__, TimeoutError)
        gate.set()
        gate.clear()
        return (await environment.step(root, Sample("quick"), run)).observation

    assert drive(body) == "quick"
    with pytest.raises(ConfigError, match="seconds must be > 0"):
        FolderEnvironment(project, act, seconds=0)


def test_a_look_keeps_nothing(project, scratch):
    """What it changes is gone, and so is its folder."""
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        before = sorted(path.name for path in scratch.rglob("*"))
        await environment.look(root, "write new.txt hello", run)
        assert sorted(path.name for path in scratch.rglob("*")) == before
        return (await environment.step(root, Sample("write other.txt x"), run)).state.answer

    answer = drive(body)
    assert "other.txt" in answer
    assert "new.txt" not in answer


def test_a_search_finds_an_edit(project):
    """Whole: best-first over edits, where every state may be the answer; partial credit for each right letter."""
    goal = "cab"

    def propose(prompt, index):
        return f"append out {'abc'[index % 3]}"

    def read(folder):
        return (folder / "out").read_text() if (folder / "out").exists() else ""

    def judge(text):
        return sum(x == y for x, y in zip(text, goal, strict=False)) / 3 - 0.1 * max(0, len(text) - 3)

    environment = FolderEnvironment(project, edit, render=read)
    judge_states = Predicate(judge, range=(-9, 1))
    search = BestFirst(judge_states, environment=environment, width=3, evaluation=Children(), threshold=1.0)
    result = solve_sync("q", search, generator=Function(propose))
    assert (result.answer, result.stopped, result.usage.generations) == ("cab", "threshold", 3 * 4)


# -------------------------------------------------------------------- patches


def varied(folder: Path, rng: random.Random) -> None:
    """Random files with all that is awkward: no last line end, odd names, modes, links, carriage returns, nothing."""
    names = ["a", "b c", 'q"uote', "tab\tbed", "ü", "new\nline", "deep/er/x", "deep/y", "back\\slash"]
    for name in names:
        if rng.random() < 0.6:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = rng.random()
            if kind < 0.2:
                path.symlink_to(rng.choice(["a", "deep/y"]) if "/" not in name else "y")
            else:
                lines = [rng.choice(["x", "y", "", "line\r", "\u2028", "\x0c"]) for _ in range(rng.randrange(12))]
                path.write_bytes("\n".join(lines).encode() + (b"\n" if rng.random() < 0.5 else b""))
                path.chmod(0o755 if rng.random() < 0.3 else 0o644)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("seed", range(12))
def test_git_applies_a_patch_to_what_was_before_and_gets_what_is_after(seed, tmp_path):
    """Oracle: `git apply`."""
    old, new, rng = tmp_path / "old", tmp_path / "new", random.Random(seed)
    for folder in (old, new):
        folder.mkdir()
        varied(folder, rng)
    made = patch(files(old), files(new))
    assert (made == "") == (files(old) == files(new))
    applied = ["git", "apply", "--whitespace=nowarn", "-"]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(applied, cwd=old, input=made.encode(), capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert content(old) == content(new)


def test_binary_and_huge_files_are_named_only(tmp_path):
    (tmp_path / "binary").write_bytes(b"\0\1")
    (tmp_path / "latin").write_bytes(b"\xff\n")
    (tmp_path / "huge").write_bytes(b"x\n" * 600_000)
    made = patch({}, files(tmp_path))
    assert made.count("Binary files /dev/null and b/") == 3
    assert len(made) < 500


# -------------------------------------------------------------------- what must not happen


@pytest.mark.parametrize("leads", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_a_source_with_a_link_out_of_it_is_refused(project, leads):
    (project / "sub" / "way").symlink_to(leads if leads[0] == "/" else "../" + leads)
    with pytest.raises(ConfigError, match="link out of the folder"):
        drive(lambda prompt, run: FolderEnvironment(project, edit).start(prompt, run))
    drive(lambda prompt, run: FolderEnvironment(project, edit, ignore=(".git", "w?y")).start(prompt, run))


def test_an_absolute_link_is_refused_even_if_it_leads_inside(project):
    """In a copy it would lead into the source itself, and a step could change that."""
    (project / "way").symlink_to(project / "a.txt")
    with pytest.raises(ConfigError, match="link out of the folder"):
        drive(lambda prompt, run: FolderEnvironment(project, edit).start(prompt, run))


@pytest.mark.parametrize("kind", ["absolute", "relative", "pipe", "loop"])
def test_an_action_that_leaves_a_way_out_fails(project, tmp_path, kind):
    """Also a named pipe, which would hang whoever reads it. A link that leads round in circles leads nowhere else."""

    def act(folder, action):
        if kind == "pipe":
            os.mkfifo(folder / "x")
        else:
            (folder / "x").symlink_to({"absolute": str(tmp_path), "relative": "../..", "loop": "x"}[kind])

    environment = FolderEnvironment(project, act)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        if kind == "loop":
            return await environment.step(root, Sample("go"), run)
        with pytest.raises(CallError, match="cannot be kept"):
            await environment.step(root, Sample("go"), run)

    drive(body)


def test_what_is_ignored_is_neither_copied_nor_brought_back(project):
    """A hook that an action writes below .git, in whatever case, does not get into the repository."""
    seen = []

    def act(folder, action):
        seen.append((folder / ".git").exists())
        for name in (".git", ".GIT"):
            (folder / name / "hooks").mkdir(parents=True, exist_ok=True)
            (folder / name / "hooks" / "pre-commit").write_text("evil")
        (folder / "a.txt").write_text("new")

    environment, before = FolderEnvironment(project, act), content(project / ".git")

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["go", "again"], run)
        assert "hooks" not in environment.candidate(state).text
        return (await environment.commit(state, run)).observation

    assert drive(body) == "a.txt"
    assert seen == [False, False]
    assert content(project / ".git") == before
    assert not (project / ".GIT").exists()
    assert (project / "a.txt").read_text() == "new"


def test_a_missing_source_is_a_mistake_in_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        drive(lambda prompt, run: FolderEnvironment(tmp_path / "none", edit).start(prompt, run))
    with pytest.raises(ConfigError, match="act must be a callable"):
        FolderEnvironment(tmp_path, "edit")


# -------------------------------------------------------------------- commit


def test_commit_brings_back_what_changed_and_nothing_else(project):
    """Written, made, replaced by a link or a folder, removed with its folder; executables stay executable."""
    (project / "__pycache__").mkdir()
    (project / "__pycache__" / "x.pyc").write_text("compiled")

    def act(folder, action):
        (folder / "a.txt").write_text("changed")
        (folder / "run.sh").write_text("echo more\n")
        shutil.rmtree(folder / "sub")
        (folder / "link").unlink()
        (folder / "link").mkdir()
        (folder / "link" / "deep").write_text("made")
        (folder / "sub").symlink_to("link")

    environment = FolderEnvironment(project, act)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["go"], run)
        wanted = content(state.world.here)
        (project / "other").write_text("the user's own")
        changed = (await environment.commit(state, run)).observation.split("\n")
        again = (await environment.commit(state, run)).observation
        return wanted, changed, again

    wanted, changed, again = drive(body)
    assert changed == ["a.txt", "link", "link/deep", "run.sh", "sub", "sub/b.txt"]
    assert again == ""
    kept = {name: file for name, file in content(project).items() if ".git" not in name and "pycache" not in name}
    assert kept == wanted | {"other": ("100644", b"the user's own")}
    assert (project / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (project / "__pycache__" / "x.pyc").read_text() == "compiled"
    assert (project / ".git" / "config").read_text() == "private"


@pytest.mark.parametrize("change", ["edited", "removed", "a folder", "a link"])
def test_commit_overwrites_nothing_that_changed_meanwhile(project, tmp_path, change):
    environment = FolderEnvironment(project, edit)
    actions = ["append a.txt four", "write sub/new.txt made", "remove run.sh"]

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), actions, run)
        if change == "edited":
            (project / "run.sh").write_text("edited")
        elif change == "removed":
            (project / "a.txt").unlink()
        elif change == "a folder":
            (project / "sub" / "new.txt").mkdir()
            (project / "sub" / "new.txt" / "x").write_text("x")
        else:
            shutil.rmtree(project / "sub")
            (project / "inside").mkdir()
            (project / "sub").symlink_to("inside")
        before = content(project)
        with pytest.raises(StaleBranch, match="nothing was written"):
            await environment.commit(state, run)
        assert content(project) == before

    drive(body)


def test_commits_one_after_another_go_on_from_the_last(project):
    """As a receding horizon does: each brings the difference to what the last one left, also where it is undone."""
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        one = await follow(environment, root, ["write a.txt 1", "write new.txt n"], run)
        await environment.commit(one, run)
        two = await follow(environment, one, ["write a.txt 2"], run)
        assert (await environment.commit(two, run)).observation == "a.txt"
        assert (project / "a.txt").read_text() == "2"
        other = await follow(environment, root, ["append sub/b.txt x"], run)
        await environment.commit(other, run)

    drive(body)
    assert ((project / "a.txt").read_text(), (project / "sub" / "b.txt").read_text()) == ("one\ntwo\nthree\n", "bx")
    assert not (project / "new.txt").exists()


# -------------------------------------------------------------------- resuming


def line(prompt):
    return "append a.txt line\n"


def planner(project):
    """The more lines the better."""
    environment = FolderEnvironment(project, edit, render=lambda folder: (folder / "a.txt").read_text())
    judge = Predicate(lambda text: min(1.0, len(text) / 99), name="length")
    search = BestFirst(judge, environment=environment, iterations=2, width=1)
    return RecedingHorizon(search, rounds=2)


def test_a_resumed_search_brings_its_edits_back_once(project, tmp_path):
    """Three times the same command: the second and third see that the folder is changed, by the first."""
    options = {"generator": Function(line), "journal": tmp_path / "journal"}
    first = solve_sync("q", planner(project), **options)
    landed = content(project)
    more = first.answer.count("line\n")
    assert (project / "a.txt").read_text() == first.answer == "one\ntwo\nthree\n" + more * "line\n"
    assert more > 1
    for _ in range(2):
        with pytest.raises(StaleBranch, match="is not as it was when this search began"):
            solve_sync("q", planner(project), **options)
        assert content(project) == landed


def test_a_restored_folder_is_changed_again_without_paying_again(project, tmp_path):
    before = (project / "a.txt").read_text()
    options = {"generator": Function(line), "journal": tmp_path / "journal"}
    first = solve_sync("q", planner(project), **options)
    (project / "a.txt").write_text(before)
    second = solve_sync("q", planner(project), **options)
    assert (project / "a.txt").read_text() == second.answer == first.answer
    assert second.paid.generations == 0 < first.paid.generations
    other = solve_sync("q", planner(project), generator=options["generator"], journal=tmp_path / "another")
    more = other.answer.count("line\n") - first.answer.count("line\n")
    assert (project / "a.txt").read_text() == other.answer == first.answer + more * "line\n"
    assert more > 1


@pytest.mark.parametrize("change", ["content", "mode", "name", "more"])
def test_any_other_file_is_seen_when_it_is_resumed(project, tmp_path, change):
    """Except what is ignored."""
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        return (await environment.start(prompt, run)).answer

    assert drive(body, journal=tmp_path / "journal") == ""
    (project / ".git" / "config").write_text("other")
    assert drive(body, journal=tmp_path / "journal") == ""
    if change == "mode":
        (project / "run.sh").chmod(0o644)
    elif change == "name":
        (project / "run.sh").rename(project / "walk.sh")
    else:
        (project / {"content": "a.txt", "more": "new"}[change]).write_text("x")
    with pytest.raises(StaleBranch):
        drive(body, journal=tmp_path / "journal")


def test_a_search_that_ended_while_its_start_was_noted_can_be_resumed(project, tmp_path):
    """Nothing was searched then: it begins with what is there now, and keeps to that."""
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        return (await environment.start(prompt, run)).answer

    drive(body, journal=tmp_path / "whole")
    with Journal(tmp_path / "whole") as journal:
        assert len(journal) == 1  # what may be done again leaves no trace of its beginning
    _truncate(tmp_path / "whole", tmp_path / "cut", 0)
    (project / "a.txt").write_text("x")
    for _ in range(2):
        drive(body, journal=tmp_path / "cut")
    (project / "a.txt").write_text("y")
    with pytest.raises(StaleBranch):
        drive(body, journal=tmp_path / "cut")


# -------------------------------------------------------------------- cleaning up (the fixture looks)


def test_the_scratch_folder_goes_when_a_search_fails_is_cancelled_or_ends(project, scratch):
    environment, seen = FolderEnvironment(project, edit), []

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["write x y"], run)
        seen.append(len(list(scratch.iterdir())))
        if len(seen) == 1:
            raise RuntimeError("the strategy fails")
        if len(seen) == 2:
            await asyncio.sleep(100)
        return state

    async def cancelled():
        task = asyncio.create_task(driven(body))
        while len(seen) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert list(scratch.iterdir()) == []

    with pytest.raises(RuntimeError, match="the strategy fails"):
        drive(body)
    asyncio.run(cancelled())
    drive(body)
    assert seen == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["cancel", "deadline"])
def test_an_action_that_outlives_its_search_leaves_nothing_behind(project, scratch, end):
    """The thread cannot be stopped and goes on writing into its folder: that is removed when it returns."""
    entered, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def act(folder, action):
        entered.set()
        gate.wait(20)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "late").write_text("too late")
        ended.set()

    environment = FolderEnvironment(project, act)

    async def body(prompt, run):
        run.offer(Sample("so far"))
        await environment.step(await environment.start(prompt, run), Sample("go"), run)

    async def main():
        if end == "deadline":  # what comes before the action takes milliseconds, on a busy machine too less than 2 s
            assert (await driven(body, budget=Budget(seconds=2.0))).stopped == "deadline"
        else:
            task = asyncio.create_task(driven(body))
            await happens(entered)
            task.cancel()
            await asyncio.wait([task])
        assert list(scratch.iterdir()) == []

    asyncio.run(main())
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("searchkit-sandbox"):
            thread.join(10)
    assert ended.is_set()


def test_two_searches_at_once_are_independent(project):
    environment = FolderEnvironment(project, edit)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        actions = [f"append a.txt {run.rng.random()}" for _ in range(3)]
        outcomes = await run.map(lambda a, child: environment.step(root, Sample(a), child), actions)
        return [environment.candidate(o.unwrap().state).value for o in outcomes]

    async def both():
        tasks = [asyncio.create_task(driven(body, seed=s)) for s in (1, 2)]
        return [await task for task in tasks]

    alone = [asyncio.run(driven(body, seed=s)) for s in (1, 2)]
    together = asyncio.run(both())
    assert [r.answer for r in together] == [r.answer for r in alone]
    assert [r.trace.canonical() for r in together] == [r.trace.canonical() for r in alone]
