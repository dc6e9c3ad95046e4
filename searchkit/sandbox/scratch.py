"""Scratch folders on disk: made, held while their process lives, removed whatever is in them, found when orphaned."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import stat
import tempfile
import time
from pathlib import Path

from searchkit.removing import FOLDER, removed

PREFIX = "searchkit-code-"
YOUNG = 60.0
"""Seconds in which a folder that nobody holds may be one that is just being made."""
TRIES, PAUSE = 20, 0.02  # a process that was killed may end what it is just doing


class Scratch:
    """A new folder that is ours alone. It is held by a lock, which the kernel takes from a process that was killed."""

    def __init__(self) -> None:
        """The first one of a process removes what earlier ones have left behind. Raises `OSError`."""
        remove_orphans(tempfile.gettempdir(), os.getpid())
        self.path: str = tempfile.mkdtemp(prefix=PREFIX)
        self._held: int = os.open(self.path, FOLDER)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody can take it for an orphan
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove it; once nothing uses it any more."""
        remove(self.path)
        self.let_go()

    def let_go(self) -> None:
        """In a forked child it stays the parent's."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)


@functools.cache
def remove_orphans(where: str, process: int) -> int:
    """Remove our user's scratch folders that no living process holds; how many there were.

    Once a process. One that was made in the last minute may not be held yet, and stays.
    """
    found = 0
    with contextlib.suppress(OSError), os.scandir(where) as entries:
        paths = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
        for path in paths:
            if _is_orphan(path):
                remove(path)
                found += 1
    return found


def _is_orphan(path: str) -> bool:
    """Whether a folder is ours, old enough, and held by nobody. What cannot be found out says no."""
    try:
        seen = os.lstat(path)
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or time.time() - seen.st_mtime < YOUNG:
            return False
        if stat.S_IMODE(seen.st_mode) & 0o500 != 0o500:
            os.chmod(path, 0o700)
        held = os.open(path, FOLDER)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return os.path.samestat(seen, os.fstat(held))
    finally:
        os.close(held)


def remove(path: str) -> None:
    """Remove a folder with all that is in it, whatever its modes and its depth; never follows a link.

    What a dying process still adds is removed, too. What the system does not let us remove stays.
    """
    for _ in range(TRIES):
        removed(Path(path))
        if not os.path.lexists(path):
            return
        time.sleep(PAUSE)
