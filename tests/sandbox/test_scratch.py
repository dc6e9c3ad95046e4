"""Scratch folders: whatever a program leaves in one it is removed, and those of dead processes are found."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from searchkit import removing
from searchkit.sandbox.scratch import PREFIX, YOUNG, remove, remove_orphans

HERE = str(Path(__file__).resolve().parents[2])


def deep(folder: Path, names: str, levels: int) -> None:
    """Folders inside of folders, deeper than a path can be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(names, dir_fd=here)
        below = os.open(names, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.close(here)


def modes(folder: Path) -> None:
    """Folders that may not be read, entered or written, inside one another, with files in them."""
    for mode in (0o000, 0o100, 0o200, 0o300, 0o400, 0o500):
        inner = folder / f"{mode:o}" / "inner" / "more"
        inner.mkdir(parents=True)
        (inner / "file").write_text("x")
        for one in (inner / "file", inner, inner.parent, inner.parent.parent):
            one.chmod(mode)


def names(folder: Path) -> None:
    for name in (b"-rf", b" ", b"\xff\xfe", b"new\nline", b"x" * 255, b"..."):
        os.mkdir(os.path.join(os.fsencode(folder), name))
        with open(os.path.join(os.fsencode(folder), name, name), "w"):
            pass


def links(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent / "kept")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere").symlink_to("/nowhere")
    os.mkfifo(folder / "fifo")


LEFT: dict[str, Callable[[Path], None]] = {
    "nothing": lambda folder: None,
    "deep": lambda folder: deep(folder, "d", 1100),
    "deep and long": lambda folder: deep(folder, "d" * 255, 200),
    "modes": modes,
    "names": names,
    "links": links,
    "itself closed": lambda folder: folder.chmod(0),
}


@pytest.fixture
def where() -> Iterator[Path]:
    """A folder outside of pytest's own, which could not remove what is left in it where a test fails."""
    path = tempfile.mkdtemp()
    yield Path(path)
    subprocess.run(["rm", "-rf", path], check=True)


@pytest.mark.parametrize("left", LEFT)
def test_a_folder_is_removed_whatever_is_in_it(left: str, where: Path) -> None:
    """As the user who made it, root or not; where a link leads nothing is touched."""
    kept, folder = where / "kept", where / "scratch"
    kept.mkdir()
    (kept / "secret").write_text("mine")
    folder.mkdir()
    LEFT[left](folder)
    remove(str(folder))
    assert not folder.exists()
    assert (kept / "secret").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("left", LEFT)
def test_a_user_whom_modes_bind_removes_it_as_well(left: str, where: Path) -> None:
    folder = where / "scratch"
    folder.mkdir()
    LEFT[left](folder)
    subprocess.run(["chown", "-RhP", "65534:65534", str(where)], check=True)
    environment = {**os.environ, "PYTHONPATH": HERE}
    ended = subprocess.run([sys.executable, "-c", AS_NOBODY], cwd=where, env=environment, check=False)
    assert ended.returncode == 0
    assert not folder.exists()


AS_NOBODY = """
import os, sys
from searchkit.sandbox.scratch import remove
os.setgid(65534)
os.setuid(65534)
remove("scratch")
sys.exit(os.path.lexists("scratch"))
"""


def test_what_is_added_meanwhile_is_removed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was killed may end what it is just doing."""
    folder, empty = tmp_path / "scratch", removing._flattened
    folder.mkdir()
    times = list[int]()

    def adds(top: int) -> None:
        empty(top)
        if len(times) < 3:
            times.append(1)
            (folder / f"late{len(times)}").mkdir()

    monkeypatch.setattr(removing, "_flattened", adds)
    remove(str(folder))
    assert not folder.exists()
    assert len(times) == 3


# ---------------------------------------------------------------- orphans


def old(path: Path, seconds: float = 2 * YOUNG) -> Path:
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def made(where: Path, name: str) -> Path:
    path = where / f"{PREFIX}{name}"
    path.mkdir()
    (path / "file").write_text("x")
    return path


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    """Held by a process that lives it stays, however old it is; once that is killed it goes."""
    code = (
        "import sys\nfrom searchkit.sandbox.scratch import Scratch\n"
        "held = Scratch()\nprint(held.path, flush=True)\nsys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": HERE}
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert holder.stdout is not None
    path = Path(holder.stdout.readline().strip())
    assert remove_orphans.__wrapped__(str(tmp_path), 0) == 0
    old(path)
    assert remove_orphans.__wrapped__(str(tmp_path), 0) == 0
    assert path.exists()
    holder.kill()
    holder.communicate()
    assert remove_orphans.__wrapped__(str(tmp_path), 0) == 1
    assert not path.exists()


def test_only_what_is_ours_and_old_and_a_folder_is_an_orphan(tmp_path: Path) -> None:
    """Not what was made just now, what others own, files, links to folders, folders of another name."""
    target = old(made(tmp_path, "kept")).rename(tmp_path / "kept")
    young = made(tmp_path, "young")
    future = old(made(tmp_path, "future"), -1e6)  # a clock that was set back
    (link := tmp_path / f"{PREFIX}link").symlink_to(target)
    file = tmp_path / f"{PREFIX}file"
    file.write_text("x")
    old(file)
    orphan = old(made(tmp_path, "orphan"))
    closed = made(tmp_path, "closed")
    old(closed).chmod(0)
    others = old(made(tmp_path, "others"))
    if os.geteuid() == 0:
        os.chown(others, 65534, 65534)
        old(others)
    assert remove_orphans.__wrapped__(str(tmp_path), 0) == (2 if os.geteuid() == 0 else 3)
    assert not orphan.exists()
    assert not closed.exists()
    assert all(path.exists() for path in (target / "file", young, future, link, file))
    assert others.exists() == (os.geteuid() == 0)


FORKED = """
import os, sys, time
from pathlib import Path
from searchkit.sandbox.scratch import Scratch, remove_orphans
one = Scratch()
pid = os.fork()
if pid == 0:
    one.let_go()
    os._exit(0)
os.waitpid(pid, 0)
os.utime(one.path, (time.time() - 1000,) * 2)
assert remove_orphans.__wrapped__(os.path.dirname(one.path), 0) == 0
one.remove()
"""


@pytest.mark.slow
def test_a_forked_child_that_goes_on_lets_the_parent_s_go(tmp_path: Path) -> None:
    """What it inherits is not its own: it holds nothing, and removes nothing."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": HERE}
    subprocess.run([sys.executable, "-c", FORKED], env=environment, check=True)
    assert not list(tmp_path.iterdir())


INSTEAD: dict[str, Callable[[Path, Path], None]] = {
    "link to a folder": lambda folder, kept: folder.symlink_to(kept),
    "link to a file": lambda folder, kept: folder.symlink_to(kept / "file"),
    "link to nothing": lambda folder, kept: folder.symlink_to("/nowhere"),
    "link to itself": lambda folder, kept: folder.symlink_to(folder),
    "file": lambda folder, kept: folder.touch(),
    "fifo": lambda folder, kept: os.mkfifo(folder),
}


@pytest.mark.parametrize("instead", INSTEAD)
def test_what_is_there_instead_of_a_folder_is_removed(instead: str, tmp_path: Path) -> None:
    """Programs at "none" may put it there; what a link leads to keeps its mode and all that is in it."""
    kept = tmp_path / "kept"
    kept.mkdir(0o755)
    (kept / "file").touch(0o644)
    folder = tmp_path / f"{PREFIX}x"
    INSTEAD[instead](folder, kept)
    remove(str(folder))
    assert not os.path.lexists(folder)
    assert [path.stat().st_mode & 0o777 for path in (kept, kept / "file")] == [0o755, 0o644]
