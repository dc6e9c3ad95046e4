"""Folders that a stranger left: refused by size, count and depth before they are read, no link followed, all removed.

Twenty inputs of each kind. Whatever an action does, either its step fails as a `CallError`, or its state is what stands
there; nothing from outside gets into it, nothing outside is changed, no program of it runs, and nothing is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit.calls import CallError
from searchkit.environments.folder import FolderEnvironment
from searchkit.environments.git import GitEnvironment
from searchkit.errors import ConfigError, SearchkitError
from searchkit.types import Sample
from tests.environments.live_worlds import drive

PRIVATE = "only for me"
Action = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; after each test it has to be as empty as before."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    try:
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", "--", str(folder)], check=True)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What is none of an action's business."""
    folder = tmp_path / "outside"
    (folder / "project" / "sub").mkdir(parents=True)
    for path in (folder / "secret", folder / "project" / "a.txt", folder / "project" / "sub" / "b.txt"):
        path.write_text(f"{PRIVATE}\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\n")
    (folder / "sub" / "b.txt").write_text("b\n")
    return folder


def git(folder: Path, *args: str) -> None:
    who = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *args], cwd=folder, env=os.environ | who, capture_output=True, check=True)


def seen(folder: Path) -> dict[str, tuple[int, str]]:
    """All that is there, without following anything."""
    found = {}
    for inside, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(inside, name)
            known = os.lstat(path)
            text = os.readlink(path) if stat.S_ISLNK(known.st_mode) else ""
            if stat.S_ISREG(known.st_mode):
                text = Path(path).read_text(errors="replace")
            if "/.git/" not in path:
                found[path] = known.st_mode, text
    return found


def tried(environment: Any, project: Path, outside: Path) -> Any:
    """The answer after the action, None if its step failed as it should."""
    before = seen(project), seen(outside)

    async def body(prompt: Any, run: Any) -> Any:
        root = await environment.start(prompt, run)
        try:
            state = (await environment.step(root, Sample("go"), run)).state
        except CallError:
            return None
        again = (await environment.step(root, Sample("nothing"), run)).state  # the search goes on
        assert again.answer == ""
        return state.answer

    answer = drive(body)
    assert (seen(project), seen(outside)) == before
    assert PRIVATE not in str(answer)
    return answer


def acting(action: Action) -> Callable[[Path, str], str]:
    def act(folder: Path, said: str) -> str:
        if said == "go":
            action(folder)
        return "done"

    return act


def over(project: Path, action: Action, world: str = "folder") -> Any:
    if world == "git":
        git(project, "init", "--quiet", "--initial-branch=main")
        git(project, "add", "--all")
        git(project, "commit", "--quiet", "--message=first")
        return GitEnvironment(project, acting(action))
    return FolderEnvironment(project, acting(action))


# -------------------------------------------------------------------- links


def linked(place: str, leads: str) -> Action:
    """A link in the place of whatever stands there; {outside} and {folder} in `leads` are paths."""

    def action(folder: Path) -> None:
        path = Path(os.path.normpath(folder / place))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(leads.format(outside=OUTSIDE[0], folder=folder))

    return action


OUTSIDE = [Path()]


def together(*actions: Action) -> Action:
    def action(folder: Path) -> None:
        for one in actions:
            one(folder)

    return action


def chain(length: int, last: str) -> Action:
    """Links that lead to one another, and in the end there."""
    links = [linked(f"l{n}", f"l{n + 1}") for n in range(length)]
    return together(*links, linked(f"l{length}", last))


OUT = {
    "the root": linked(".", "{outside}/project"),
    "the root, relative": linked(".", "../../../outside/project"),
    "the folder around it": linked("..", "{outside}"),
    "a folder": linked("sub", "{outside}/project/sub"),
    "a folder, by a longer way": linked("sub", "./../{outside}/project/sub"),
    "a file": linked("a.txt", "{outside}/secret"),
    "a new file": linked("new", "{outside}/secret"),
    "far below": linked("x/y/z/w", "{outside}/secret"),
    "upwards": linked("x", ".."),
    "upwards and down again": linked("x", "../project/a.txt"),
    "too far up": linked("sub/x", "../../../../../../../../../../etc/passwd"),
    "through a link of its own": together(linked("p/q/up", "../.."), linked("p/q/x", "up/../outside")),
    "through a folder link": together(linked("here", "sub"), linked("x", "here/../../outside/secret")),
    "a chain of two": together(linked("x", "y"), linked("y", "{outside}/secret")),
    "a chain of thirty": chain(30, "../secret"),
    "an absolute link inside": linked("x", "{folder}/a.txt"),
    "an absolute link to itself": linked("x", "{folder}"),
    "the root of all": linked("x", "/"),
    "dots": linked("x", "./.././sub"),
    "a folder in a folder": linked("sub/deep/er", "{outside}"),
}


@pytest.mark.parametrize("world", ["folder", "git"])
@pytest.mark.parametrize("name", OUT)
def test_links_out_are_refused(name: str, world: str, project: Path, outside: Path) -> None:
    OUTSIDE[0] = outside
    assert tried(over(project, OUT[name], world), project, outside) is None


INSIDE = {
    "to a file": linked("x", "a.txt"),
    "to a folder": linked("x", "sub"),
    "to a file below": linked("x", "sub/b.txt"),
    "up and down": linked("sub/x", "../a.txt"),
    "to nothing": linked("x", "nothing/here"),
    "to itself": linked("x", "x"),
    "in a circle": together(linked("x", "y"), linked("y", "x")),
    "a chain of a thousand": chain(1_000, "a.txt"),
    "a chain of a thousand to nothing": chain(1_000, "nothing"),
    "to the folder that it is in": linked("sub/x", "."),
    "to the root": linked("sub/x", ".."),
    "dots": linked("x", "./sub/.././sub/./b.txt"),
    "slashes": linked("x", "sub//b.txt"),
    "a slash at the end": linked("x", "sub/"),
    "a long one": linked("x", "sub/../" * 200 + "a.txt"),
    "by another link": together(linked("here", "sub"), linked("x", "here/b.txt")),
    "a circle with folders": together(linked("sub/x", "../sub"), linked("y", "sub/x/x/x/x")),
    "odd characters": linked("x", "new\nline \\ é"),
    "dots in names": linked("x", "..a"),
    "a file for a folder": linked("sub", "a.txt"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_links_inside_are_kept_as_links(name: str, project: Path, outside: Path) -> None:
    answer = tried(over(project, INSIDE[name]), project, outside)
    assert "new file mode 120000" in answer


# -------------------------------------------------------------------- deep, long, many, huge


def deep(depth: int, name: str = "d", *, file: bool = True, mode: int = 0o755) -> Action:
    def action(folder: Path) -> None:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.fchmod(here, mode)
            os.close(here)
            here = below
        if file:
            os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)

    return action


DEEP = {
    **{f"{n} folders": deep(n) for n in (65, 66, 100, 200)},
    **{f"{n} folders, none of them with files": deep(n, file=False) for n in (65, 150)},
    **{f"{n} folders of mode {mode:o}": deep(n, mode=mode) for n in (70, 130) for mode in (0o300, 0o000, 0o111)},
    **{f"{n} folders of {length} letters": deep(n, "x" * length) for n, length in ((10, 255), (40, 200), (90, 255))},
    "of many bytes": deep(20, "é" * 127),
    "in a folder": lambda folder: deep(110)(folder / "sub"),
    "twice": together(lambda folder: deep(90)(folder / "sub"), deep(90)),
    "behind a link": together(linked("x", "d/d/d"), deep(80)),
}
DEEPER = {"too deep to be recursive": deep(1_100), "the same, of mode 0": deep(1_050, mode=0)}
"""A file system may take milliseconds to remove a folder."""


@pytest.mark.parametrize("name", DEEP)
def test_deep_trees_are_refused(name: str, project: Path, outside: Path) -> None:
    assert tried(over(project, DEEP[name]), project, outside) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEPER)
def test_deeper_trees_are_refused_and_removed(name: str, project: Path, outside: Path) -> None:
    assert tried(over(project, DEEPER[name]), project, outside) is None


@pytest.mark.parametrize("depth", [1, 10, 60])
def test_usual_depths_are_kept(depth: int, project: Path, outside: Path) -> None:
    assert f"{'d/' * depth}f" in tried(over(project, deep(depth)), project, outside)


def sized(name: str, size: int, *, text: bytes = b"") -> Action:
    """A file of that size, with a hole in it."""

    def action(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(text)
            file.truncate(size)

    return action


MANY = {f"file {n}": sized(f"many/{n}", 2**28) for n in range(5)}
HUGE = {
    **{f"{2**n:,} bytes": sized("huge", 2**n) for n in (27, 30, 31, 33, 36, 40, 43)},
    "just too much": sized("huge", 2**26 + 1),
    "a file that was there": sized("a.txt", 2**35),
    "with a beginning": sized("huge", 2**32, text=b"data"),
    "far below": sized("x/y/z", 2**34),
    "a name that is ignored elsewhere": sized("pycache/huge", 2**34),
    "hidden": sized(".huge", 2**34),
    "two halves": together(sized("one", 2**25 + 1), sized("two", 2**25 + 1)),
    "several": together(*MANY.values()),
    "sixty-five": together(*(sized(f"n{n}", 2**20 + 1) for n in range(65))),
    "executable": together(sized("huge", 2**34), lambda folder: (folder / "huge").chmod(0o755)),
    "unreadable": together(sized("huge", 2**34), lambda folder: (folder / "huge").chmod(0)),
    "in place of a folder": together(lambda folder: shutil.rmtree(folder / "sub"), sized("sub", 2**34)),
    "with an odd name": sized("hu\nge", 2**34),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_files_are_refused_by_their_size(name: str, project: Path, outside: Path) -> None:
    """With holes, so that reading them would take a long time, or all memory."""
    assert tried(over(project, HUGE[name]), project, outside) is None


@pytest.mark.parametrize("size", [0, 2**20, 2**24])
def test_usual_sizes_are_kept(size: int, project: Path, outside: Path) -> None:
    assert "large" in tried(over(project, sized("large", size)), project, outside)


@pytest.mark.parametrize("kind", ["files", "folders", "links"])
def test_too_many_are_refused_by_their_number(
    kind: str, project: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.environments.listing.MOST_FILES", 500)  # making a hundred thousand takes long

    def action(folder: Path) -> None:
        for number in range(501):
            path = f"{folder}/sub/{number}"
            if kind == "files":
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            else:
                os.mkdir(path) if kind == "folders" else os.symlink("b.txt", path)

    assert tried(over(project, action), project, outside) is None


# -------------------------------------------------------------------- names


def named(name: bytes) -> Action:
    def action(folder: Path) -> None:
        path = os.fsencode(folder) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"made\n")

    return action


NAMES = [
    b"-rf", b"--help", b" ", b"a b ", b"new\nline", b"\r", b"\x1b[31mred", b"\xff\xfe", b"\x80", b'quote"d',
    b"back\\slash", b"$(id)", b"`id`", b"*", b"?", b"...", b"..a", b"a..", "\u202egnp.txt".encode(), b"x" * 255,
    b"\xed\xa0\x80", b"CON", b"a:b", b"{prompt}", b"%s", b"sub/\n/x", "e\u0301".encode(), "\ufeff".encode(), b"\x7f",
    b"~", b"#", b";ls",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_odd_names_are_kept_as_they_are(number: int, project: Path, outside: Path) -> None:
    """Git applies the patch, and the file of that name is there."""
    answer = tried(over(project, named(NAMES[number])), project, outside)
    assert "+made" in answer
    git_free = {"GIT_CEILING_DIRECTORIES": str(project.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    apply = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(apply, cwd=project, input=os.fsencode(answer), env=os.environ | git_free, check=True)
    assert (Path(os.fsdecode(os.fsencode(project) + b"/" + NAMES[number]))).read_text() == "made\n"


# -------------------------------------------------------------------- roots that are gone, and what is no file


def became(kind: str) -> Action:
    """Something else in the place of the folder itself."""

    def action(folder: Path) -> None:
        shutil.rmtree(folder)
        made(kind)(folder)

    return action


def made(kind: str) -> Action:
    def action(path: Path) -> None:
        if kind == "file":
            path.write_text("a file")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            here = os.getcwd()
            os.chdir(path.parent)  # the path of a socket is short
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as one:
                one.bind(path.name)
            os.chdir(here)
        elif kind == "device":
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
        elif kind == "link to nothing":
            path.symlink_to("nothing")
        elif kind == "link to itself":
            path.symlink_to(path.name)

    return action


def moved(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")


def within(kind: str, place: str = "x") -> Action:
    def action(folder: Path) -> None:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        made(kind)(path)

    return action


def gone_with_its_parent(folder: Path) -> None:
    shutil.rmtree(folder.parent)


KINDS = ["file", "pipe", "socket", "link to nothing", "link to itself"] + ["device"] * (os.geteuid() == 0)
GONE = {
    "deleted": shutil.rmtree,
    "moved": moved,
    "deleted with the folder around it": gone_with_its_parent,
    "the folder around it is a file": lambda folder: (shutil.rmtree(folder.parent), folder.parent.write_text("x")),
    "the folder around it is moved": lambda folder: folder.parent.rename(folder.parent.parent / "moved"),
    **{f"became a {kind}": became(kind) for kind in KINDS},
    **{f"a {kind} in it": within(kind) for kind in KINDS if "link" not in kind and kind != "file"},
    **{f"a {kind} far below": within(kind, "p/q/r") for kind in KINDS if "link" not in kind and kind != "file"},
    "a pipe in place of a file": together(lambda folder: (folder / "a.txt").unlink(), within("pipe", "a.txt")),
    "a pipe with a name that is known": within("pipe", "Makefile"),
    "its folder a chain of links": lambda folder: (shutil.rmtree(folder), chain(900, "..")(folder.parent),
                                                   folder.symlink_to("l0")),
}  # fmt: skip


@pytest.mark.parametrize("world", ["folder", "git"])
@pytest.mark.parametrize("name", GONE)
def test_roots_that_are_gone_and_what_is_no_file(name: str, world: str, project: Path, outside: Path) -> None:
    assert tried(over(project, GONE[name], world), project, outside) is None


MODES = [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600, 0o111, 0o222, 0o333]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", ["sub", "a.txt", "."])
def test_whatever_may_not_be_read_is_removed(what: str, mode: int, project: Path, outside: Path) -> None:
    """Root may read it all the same; others fail, and nothing is left in either case."""

    def action(folder: Path) -> None:
        (folder / what).chmod(mode)

    answer = tried(over(project, action), project, outside)
    if os.geteuid() == 0:
        assert answer is not None


def test_bits_that_change_who_runs_a_file_are_not_kept(project: Path, outside: Path) -> None:
    def action(folder: Path) -> None:
        (folder / "a.txt").chmod(0o6755)

    environment = FolderEnvironment(project, acting(action))

    async def body(prompt: Any, run: Any) -> int:
        state = (await environment.step(await environment.start(prompt, run), Sample("go"), run)).state
        state = (await environment.step(state, Sample("nothing"), run)).state
        await environment.commit(state, run)
        return (state.world.here / "a.txt").stat().st_mode

    assert drive(body) & 0o7000 == 0
    assert (project / "a.txt").stat().st_mode & 0o7111 == 0o111


# -------------------------------------------------------------------- repositories inside of repositories

MARK = "ran"


def repository(at: str, *, config: str = "", hooks: bool = True, attributes: str = "", bare: bool = False) -> Action:
    """A repository in the folder, all of whose programs leave a mark."""

    def action(folder: Path) -> None:
        inner = folder / at
        inner.mkdir(parents=True, exist_ok=True)
        mark = f"touch {OUTSIDE[0]}/{MARK}"
        git(inner, "init", "--quiet", *(["--bare"] if bare else []), ".")
        home = inner if bare else inner / ".git"
        if not bare:
            (inner / "f").write_text("f\n")
            git(inner, "add", "--all")
            git(inner, "commit", "--quiet", "--message=inner")
            (inner / "f").write_text("changed\n")
        if hooks:
            for name in (
                "pre-commit",
                "post-checkout",
                "post-index-change",
                "reference-transaction",
                "fsmonitor-watchman",
            ):
                (home / "hooks").mkdir(exist_ok=True)
                hook = home / "hooks" / name
                hook.write_text(f"#!/bin/sh\n{mark}\n")
                hook.chmod(0o755)
        with open(home / "config", "a") as file:
            file.write(config.replace("MARK", mark))
        if attributes:
            (inner / ".gitattributes").write_text(attributes)

    return action


FILTER = '[filter "evil"]\n\tclean = "MARK; cat"\n\tsmudge = "MARK; cat"\n\tprocess = MARK\n\trequired = true\n'
NESTED = {
    "hooks": repository("inner"),
    "hooks far below": repository("x/y/inner"),
    "in place of a folder": repository("sub"),
    "bare": repository("inner", bare=True),
    "the folder itself": repository("."),
    "fsmonitor": repository("inner", config="[core]\n\tfsmonitor = MARK\n"),
    "fsmonitor of the folder itself": repository(".", config="[core]\n\tfsmonitor = MARK\n"),
    "hooks elsewhere": repository("inner", config="[core]\n\thooksPath = hooks\n"),
    "a filter": repository("inner", config=FILTER, attributes="* filter=evil\n"),
    "a filter of the folder itself": repository(".", config=FILTER, attributes="* filter=evil\n"),
    "a filter, attributes above": together(repository("inner", config=FILTER), named(b".gitattributes")),
    "a diff driver": repository(".", config='[diff "x"]\n\tcommand = MARK\n', attributes="* diff=x\n"),
    "a text driver": repository(".", config='[diff "x"]\n\ttextconv = MARK\n', attributes="* diff=x\n"),
    "an external diff": repository(".", config="[diff]\n\texternal = MARK\n"),
    "a pager and an editor": repository(".", config="[core]\n\tpager = MARK\n\teditor = MARK\n"),
    "ssh": repository("inner", config='[core]\n\tsshCommand = MARK\n[remote "o"]\n\turl = ssh://x/y\n'),
    "an alternate name": lambda folder: (
        repository("inner")(folder), (folder / "inner" / ".git").rename(folder / "inner" / ".GIT")
    ),
    "a file that names another": lambda folder: (
        repository("other")(folder), (folder / "sub" / ".git").write_text("gitdir: ../other/.git\n")
    ),
    "a link to another": lambda folder: (
        repository("other")(folder), (folder / "sub" / ".git").symlink_to("../other/.git")
    ),
    "modules": lambda folder: (
        repository("inner", config="[core]\n\tfsmonitor = MARK\n")(folder),
        (folder / ".gitmodules").write_text('[submodule "inner"]\n\tpath = inner\n\turl = ./inner\n'),
    ),
    "two of them": together(repository("inner"), repository("inner/deeper")),
}  # fmt: skip


@pytest.mark.parametrize("world", ["folder", "git"])
@pytest.mark.parametrize("name", NESTED)
def test_nothing_of_a_repository_inside_runs(name: str, world: str, project: Path, outside: Path) -> None:
    OUTSIDE[0] = outside

    def action(folder: Path) -> None:
        NESTED[name](folder)
        (outside / MARK).unlink(missing_ok=True)  # what its making ran

    environment = over(project, action, world)
    before = seen(project)

    async def body(prompt: Any, run: Any) -> str:
        root = await environment.start(prompt, run)
        try:
            state = (await environment.step(root, Sample("go"), run)).state
            state = (await environment.step(state, Sample("nothing"), run)).state
            if world == "git":
                await environment.commit(state, run)
        except CallError:
            return ""
        return str(state.answer)

    answer = drive(body)
    assert not (outside / MARK).exists()
    assert seen(project) == before
    heads = [line.lower() for line in answer.splitlines() if line.startswith("diff --git")]
    assert not any(".git/" in line or ".git " in line or line.endswith(".git") for line in heads)


# -------------------------------------------------------------------- sources


@pytest.mark.parametrize("kind", ["deep", "huge", "link", "pipe", "long"])
@pytest.mark.parametrize("world", ["folder", "git"])
def test_a_source_that_is_refused_is_a_mistake(kind: str, world: str, project: Path, outside: Path) -> None:
    """Before anything is copied. A repository has no pipe, and what is huge there was read when it was made."""
    actions = {
        "deep": deep(80), "huge": sized("huge", 2**34), "link": linked("x", str(outside)), "pipe": within("pipe"),
        "long": deep(9, "x" * 250),
    }  # fmt: skip
    if world == "git" and kind in ("pipe", "huge"):
        pytest.skip("a repository cannot have it")
    actions[kind](project)
    environment = over(project, lambda folder: None, world)
    with pytest.raises((ConfigError, CallError)):
        drive(lambda prompt, run: environment.start(prompt, run))


def test_files_that_change_while_they_are_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grown, cut, or replaced by something else between the look and the reading: refused."""
    from searchkit.environments import listing, patch

    for change in ("grown", "cut", "link", "pipe", "gone"):
        path = project / "a.txt"
        if os.path.lexists(path):
            path.unlink()
        path.write_text("one\n")
        for one, folder in listing.walk(project):
            if one.name != "a.txt":
                continue
            if change in ("grown", "cut"):
                path.write_text("one\ntwo\n" if change == "grown" else "o")
            else:
                path.unlink()
                if change == "link":
                    path.symlink_to("/etc/passwd")
                elif change == "pipe":
                    os.mkfifo(path)
            with pytest.raises(ValueError, match=r"a\.txt (was|cannot)"):
                b"".join(listing.content(one, folder))
    path.write_text("one\n")
    assert list(patch.files(project)) == ["a.txt", "sub/b.txt"]


def test_changes_of_strangers_reach_nothing_outside(project: Path, outside: Path) -> None:
    """Journals are not trusted: what they say was changed is checked as what an action left is."""
    from searchkit.environments import changes
    from searchkit.environments.patch import File

    evil = File("100644", b"evil")
    names = [
        "../x", "/etc/x", "sub/../../x", "", ".", "..", "a//b", ".git/hooks/pre-commit", "sub/.GIT/config", "x\0y",
        "a/", "/", "./x", "sub/./x", "x/" * 1_001 + "y", "__pycache__/x.pyc", "sub/__PYCACHE__/y", "a.txt/x",
    ]  # fmt: skip
    before = seen(project), seen(outside)
    for name in names:
        with pytest.raises((ValueError, SearchkitError)):
            changes.made({name: ("", evil)}, project, (".git", "__pycache__"))
    for mode, content in (("120000", b"../outside/secret"), ("120000", b"/etc/passwd"), ("100777", b"x"), ("", b"x")):
        copy = changes.copied(project, project.parent / f"copy {mode} {len(content)}")
        with pytest.raises((ValueError, SearchkitError)):
            changes.made({"x": ("", File(mode, content))}, copy, ())
    for stored in ({"a": 3}, {"a": [3]}, {"a": ["", "100644", "no base 64!"]}, {"a": ["", 1, 2, 3]}):
        with pytest.raises((ValueError, TypeError)):
            changes.made(changes.loaded(stored), project, ())  # type: ignore[arg-type]
    assert (seen(project), seen(outside)) == before
