"""What a sandbox may leave behind: processes below this one, and scratch folders."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.sandbox.scratch import PREFIX


def descendants() -> set[int]:
    """All processes below this one that have not ended; orphans too, if it adopts them."""
    parents = dict[int, tuple[int, str]]()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            parents[int(folder.name)] = (int(parent), state)
    found, more = set[int](), {os.getpid()}
    while more:
        more = {pid for pid, (parent, _) in parents.items() if parent in more} - found
        found |= more
    return {pid for pid in found if parents[pid][1] != "Z"}


def adopt_orphans(yes: bool) -> None:
    """Whether this process becomes the parent of descendants whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, int(yes), 0, 0, 0)


def folders() -> set[str]:
    """Scratch folders of programs, where temporary files go."""
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith(PREFIX)}


@contextmanager
def nothing_left(seconds: float = 10.0) -> Iterator[None]:
    """Afterwards there are no processes below this one that were not there before, and no scratch folders.

    Meanwhile temporary files go to a folder of their own: others may make some in the one for everybody.
    """
    adopt_orphans(True)
    before, usual = descendants(), tempfile.tempdir
    tempfile.tempdir = own = tempfile.mkdtemp(prefix="left-behind-")
    try:
        yield
        end = time.monotonic() + seconds
        while (descendants() - before or folders()) and time.monotonic() < end:
            time.sleep(0.01)
        assert not descendants() - before, "processes are left"
        assert not folders(), "scratch folders are left"
    finally:
        adopt_orphans(False)
        tempfile.tempdir = usual
        subprocess.run(["rm", "-rf", own], check=False)
