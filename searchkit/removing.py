"""Removing a folder, whatever stands in it: however deep, however long its paths, whatever may not be read."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a folder is opened, and never what a link in its place leads to."""
ROUNDS = 3
"""How often it is looked again, where somebody still writes."""


def removed(folder: Path) -> None:
    """Remove `folder` and all in it; what cannot be removed stays, without an error. Links in it are not followed.

    Folders inside of folders are first moved up into `folder` itself, and so are those in them: none is ever deeper
    than the second. So it is neither recursive nor bound to the length of a path.
    """
    for _ in range(ROUNDS):
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                os.unlink(folder)
                return
        if not os.path.lexists(folder):
            return
        with contextlib.suppress(OSError):
            _emptied(folder)


def _emptied(folder: Path) -> None:
    above = os.open(folder.parent, FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        _opened_up(folder.name, above)
        top = os.open(folder.name, FOLDER, dir_fd=above)
        try:
            _flattened(top)
        finally:
            os.close(top)
        os.rmdir(folder.name, dir_fd=above)
    finally:
        os.close(above)


def _flattened(top: int) -> None:
    own, waiting = secrets.token_hex(8), [""]
    names = (f"{own}-{number}" for number in itertools.count())
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            here = os.open(name or ".", FOLDER, dir_fd=top)
            try:
                waiting += _moved_up(here, top, names)
            finally:
                os.close(here)
            if name:
                os.rmdir(name, dir_fd=top)


def _moved_up(here: int, top: int, names: Iterator[str]) -> list[str]:
    """Remove the files of a folder, and move its folders to the top; their new names."""
    found = list[str]()
    with os.scandir(here) as entries:
        inside = [entry.name for entry in entries]
    for one in inside:
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.stat(one, dir_fd=here, follow_symlinks=False).st_mode):
                os.unlink(one, dir_fd=here)
                continue
            _opened_up(one, here)  # without the right to write into it, it cannot be moved
            os.rename(one, new := next(names), src_dir_fd=here, dst_dir_fd=top)
            found.append(new)
    return found


def _opened_up(name: str, above: int) -> None:
    """Give ourselves all rights on a folder; never on what a link leads to."""
    with contextlib.suppress(OSError, NotImplementedError):
        if not hasattr(os, "O_PATH"):
            os.chmod(name, 0o700, dir_fd=above, follow_symlinks=False)
            return
        handle = os.open(name, os.O_PATH | FOLDER, dir_fd=above)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)
