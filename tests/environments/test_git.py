"""GitEnvironment: states are commits, the repository itself stays as it is, and no hook or variable misleads."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from searchkit.calls import CallError
from searchkit.environments.git import GitEnvironment
from searchkit.errors import ConfigError
from searchkit.types import Sample
from tests.environments.live_worlds import drive, driven
from tests.environments.test_folder import content, edit, follow, varied

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def alone(tmp_path_factory, monkeypatch):
    """A home without a git identity, and a folder for temporary files that must be empty afterwards."""
    home, scratch = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in [n for n in os.environ if n.startswith("GIT_") and n != "GIT_CONFIG_NOSYSTEM"]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield home
    assert list(scratch.iterdir()) == []


def run_git(folder, *args, **options):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(["git", *identity, *args], cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / "sub" / "b.txt").write_text("b")
    (folder / "run.sh").write_text("echo\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitignore").write_text("*.o\n")
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message=first")
    return folder


def everything(folder):
    """All files below a folder, those of git included."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_states_are_commits_and_the_repository_is_not_touched(repository):
    """Not one byte of it, working tree, index, branches and objects included; half-done work of the user's neither."""
    (repository / "a.txt").write_text("not committed")
    (repository / "new").write_text("staged")
    run_git(repository, "add", "new")
    environment, before = GitEnvironment(repository, edit), everything(repository)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        state = await follow(environment, root, ["append a.txt three", "write c.txt c", "remove run.sh"], run)
        other = await follow(environment, root, ["list"], run)
        assert other.observations[-1] == ".: .gitignore a.txt run.sh sub sub/b.txt"
        return root, state, other, [run_git(state.world.store, "show", f"{state.world.here}:a.txt")]

    root, state, other, shown = drive(body)
    assert shown == ["one\ntwo\nthree"]
    assert (root.answer, other.answer) == ("", "")
    assert "+three" in state.answer
    assert "deleted file mode 100755" in state.answer
    assert everything(repository) == before


def test_equal_paths_are_equal_commits(repository):
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        return (await follow(environment, await environment.start(prompt, run), ["write x y", "write x z"], run)).world

    first, second = drive(body), drive(body)
    assert (first.first, first.here) == (second.first, second.here) != (first.first, first.first)


@pytest.mark.parametrize("seed", range(6))
def test_files_come_through_as_they_are_and_git_applies_the_patch(seed, repository, tmp_path):
    """Odd names, modes, links and line ends; oracles: the files, and `git apply`."""

    def act(folder, action):
        varied(folder, random.Random(seed))

    environment, own = GitEnvironment(repository, act), tmp_path / "own" / "project"
    run_git(tmp_path, "clone", "--quiet", str(repository), str(own))
    varied(own, random.Random(seed))

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["go"], run)
        checked = environment._checkout(state.world, run.resource(environment, lambda: None))
        return state.answer, content(checked)

    made, found = drive(body)
    assert found == {k: v for k, v in content(own).items() if not k.startswith(".git/")}
    run_git(repository, "apply", "--whitespace=nowarn", "-", input=made)
    assert {k: v for k, v in content(repository).items() if not k.startswith(".git/")} == found


def test_what_git_ignores_is_not_kept(repository):
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["write x.o 1", "list"], run)
        return state.answer, state.observations

    answer, (_, first, second) = drive(body)
    assert answer == ""
    assert "x.o" in first
    assert "x.o" not in second


def test_commit_leaves_a_branch_and_nothing_else(repository):
    environment = GitEnvironment(repository, edit)
    before = everything(repository)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        state = await follow(environment, root, ["append a.txt three\n", "write c c"], run)
        step = await environment.commit(state, run)
        assert (await environment.commit(state, run)).observation == step.observation
        return step.observation, state

    branch, state = drive(body)
    assert branch == f"searchkit-{state.world.here[:12]}"
    assert run_git(repository, "branch", "--format=%(refname:short)").split() == ["main", branch]
    assert run_git(repository, "show", f"{branch}:a.txt") == "one\ntwo\nthree"
    assert run_git(repository, "log", "--format=%an %s", branch).split("\n") == [
        "searchkit write c c", "searchkit append a.txt three", "tester first",
    ]  # fmt: skip
    assert run_git(repository, "status", "--porcelain") == ""
    assert run_git(repository, "fsck", "--strict") == ""
    changed = {name for name, data in everything(repository).items() if before.get(name) != data}
    assert all(n.startswith((".git/objects/", f".git/refs/heads/{branch}", ".git/logs/refs/heads/")) for n in changed)


def test_no_hook_is_run(repository, alone, tmp_path):
    """Neither the repository's nor those that the user's own configuration names."""
    hooks, ran = tmp_path / "hooks", tmp_path / "ran"
    hooks.mkdir()
    for folder in (hooks, repository / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in (
            "pre-commit", "commit-msg", "post-commit", "post-checkout", "post-index-change", "reference-transaction",
            "pre-auto-gc", "post-merge", "post-rewrite", "prepare-commit-msg",
        ):  # fmt: skip
            (folder / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
            (folder / name).chmod(0o755)
    (alone / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n")
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["write c c"], run)
        await environment.commit(state, run)

    drive(body)
    assert not ran.exists()
    run_git(repository, "-c", "commit.gpgSign=false", "commit", "--allow-empty", "--message=x")
    assert ran.exists()  # so the hooks do run where git is asked to


@pytest.mark.parametrize("action", ["write lib/new x", "write lib/deep/er x"])
def test_files_in_a_submodule_are_refused_and_not_lost(action, repository, tmp_path):
    run_git(
        repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{repository}", "lib"
    )
    run_git(repository, "commit", "--quiet", "--message=library")
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        state = await environment.start(prompt, run)
        kept = await follow(environment, state, ["write library x"], run)
        assert "+x" in kept.answer
        with pytest.raises(CallError, match="in a submodule"):
            await follow(environment, kept, [action], run)

    drive(body)


@pytest.mark.parametrize(
    "own",
    ["[protocol]\n allow=never", "[core]\n autocrlf=true\n safecrlf=true", "[i18n]\n commitEncoding=latin1"],
    ids=["protocols", "line ends", "encoding"],
)
def test_what_the_user_has_configured_loses_no_work(own, repository, alone):
    """What is refused, or spelled otherwise, in the user's own work."""
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["append a.txt three"], run)
        return (await environment.commit(state, run)).observation

    plain = drive(body)
    run_git(repository, "branch", "--delete", "--force", plain)
    (alone / ".gitconfig").write_text(own)
    branch = drive(body)
    assert branch == plain or "autocrlf" in own
    assert "three" in run_git(repository, "show", f"{branch}:a.txt")


def test_variables_of_a_hook_that_runs_us_do_not_mislead(repository, tmp_path, monkeypatch):
    """git sets these for its hooks; a search started there must not write into that repository or index."""
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    before, environment = everything(other), GitEnvironment(repository, edit)

    async def body(prompt, run):
        return await follow(environment, await environment.start(prompt, run), ["write c c"], run)

    assert "b/c" in drive(body).answer
    assert everything(other) == before


def test_an_action_that_plays_with_git_reaches_no_repository(repository):
    """A .git that an action makes is not ours, and is not kept."""

    def act(folder, action):
        (folder / ".git").write_text("gitdir: /nowhere")
        (folder / "c.txt").write_text("c")
        return "made"

    environment = GitEnvironment(repository, act)

    async def body(prompt, run):
        return await follow(environment, await environment.start(prompt, run), ["go", "on"], run)

    answer = drive(body).answer
    assert "c.txt" in answer
    assert "nowhere" not in answer


def test_a_link_out_of_the_repository_is_refused(repository):
    environment = GitEnvironment(repository, lambda folder, action: (folder / "way").symlink_to("/etc"))

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        with pytest.raises(CallError, match="cannot be kept"):
            await environment.step(root, Sample("go"), run)

    drive(body)
    (repository / "way").symlink_to("/etc")
    run_git(repository, "add", "way")
    run_git(repository, "commit", "--quiet", "--message=way")
    with pytest.raises(ConfigError, match="link out of"):
        drive(lambda prompt, run: environment.start(prompt, run))
    before = GitEnvironment(repository, edit, revision="HEAD~1")
    assert drive(lambda prompt, run: before.start(prompt, run)).answer == ""


@pytest.mark.parametrize("revision", ["none", "--all", ""])
def test_no_repository_or_revision_is_a_mistake_in_the_configuration(repository, tmp_path, revision):
    with pytest.raises(ConfigError, match="no git repository with a revision"):
        drive(lambda prompt, run: GitEnvironment(repository, edit, revision=revision).start(prompt, run))
    with pytest.raises(ConfigError, match="no git repository"):
        drive(lambda prompt, run: GitEnvironment(tmp_path, edit).start(prompt, run))
    with pytest.raises(ConfigError, match="no git repository"):
        drive(lambda prompt, run: GitEnvironment(tmp_path / "none", edit).start(prompt, run))


@pytest.mark.parametrize("kind", ["bare", "linked", "detached", "shallow", "sub-folder"])
def test_all_kinds_of_repositories(repository, tmp_path, kind):
    """A bare one, a linked working tree, one without a branch, a shallow clone, and a folder inside of one."""
    run_git(repository, "commit", "--quiet", "--allow-empty", "--message=second")
    source = tmp_path / "source"
    if kind == "bare":
        run_git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(source))
    elif kind == "linked":
        run_git(repository, "worktree", "add", "--quiet", "-b", "side", str(source))
    elif kind == "shallow":
        run_git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", str(source))
    else:
        run_git(repository, "checkout", "--quiet", "--detach")
        source = repository / "sub" if kind == "sub-folder" else repository
    environment = GitEnvironment(source, edit)

    async def body(prompt, run):
        state = await follow(environment, await environment.start(prompt, run), ["append a.txt three"], run)
        return (await environment.commit(state, run)).observation

    branch = drive(body)
    assert run_git(source, "show", f"{branch}:a.txt") == "one\ntwo\nthree"


def test_two_searches_at_once_are_independent(repository):
    environment = GitEnvironment(repository, edit)

    async def body(prompt, run):
        root = await environment.start(prompt, run)
        actions = [f"append a.txt {run.rng.random()}" for _ in range(3)]
        outcomes = await run.map(lambda a, child: environment.step(root, Sample(a), child), actions)
        return [o.unwrap().state.world.here for o in outcomes]

    async def both():
        tasks = [asyncio.create_task(driven(body, seed=s)) for s in (1, 2)]
        return [await task for task in tasks]

    alone = [asyncio.run(driven(body, seed=s)) for s in (1, 2)]
    together = asyncio.run(both())
    assert [r.answer for r in together] == [r.answer for r in alone]
    assert [r.trace.canonical() for r in together] == [r.trace.canonical() for r in alone]


def test_checkouts_do_not_pile_up(repository):
    """After a step only the commit is left of it."""
    environment, sizes = GitEnvironment(repository, edit), []

    def size():
        return sum(len(list(folder.iterdir())) for folder in Path(tempfile.gettempdir()).iterdir())

    async def body(prompt, run):
        state = await environment.start(prompt, run)
        for i in range(3):
            state = await follow(environment, state, [f"write {i} {i}"], run)
            sizes.append(size())

    drive(body)
    assert sizes == [1, 1, 1]


def test_a_step_that_fails_leaves_no_checkout(repository):
    """Nothing is left of it but the repository of the search."""
    environment, left = GitEnvironment(repository, edit), []

    def size():
        return sum(len(list(folder.iterdir())) for folder in Path(tempfile.gettempdir()).iterdir())

    async def body(prompt, run):
        state = await environment.start(prompt, run)
        for _ in range(3):
            with pytest.raises(CallError, match="act raised FileNotFoundError"):
                await environment.step(state, Sample("remove nothing"), run)
            left.append(size())

    drive(body)
    assert left == [1, 1, 1]
