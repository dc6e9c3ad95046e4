"""What is in a folder that others have written to: looked at before anything of it is read, and no link is followed.

Folders are opened one inside the other, each by its name in the one above. So whatever is put in the place of one
meanwhile, nothing outside is seen. Nothing here is recursive, and what is too much is refused by what the file system
says of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from searchkit.removing import FOLDER

MOST_FILES = 100_000
"""Files, links and folders in one folder, at all levels together."""
MOST_BYTES = 2**30
"""Bytes of all files together, holes included."""
DEEPEST = 64
"""Folders inside of one another."""
LONGEST = 2_000
"""Bytes of a path below the folder."""
MOST_LINKS = 40  # the kernel follows so many on one way, and no more
BLOCK = 2**20
FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
FIX = "remove it, or leave it out"


@dataclass(frozen=True, slots=True)
class Listed:
    """name: the path with slashes. mode: of `os.lstat`, its kind and its bits. size: bytes. leads: where a link does.

    changed: nanoseconds since 1970.
    """

    name: str
    mode: int
    size: int
    changed: int
    leads: str = ""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)


def contained(root: Path, ignore: tuple[str, ...] = ()) -> list[Listed]:
    """Files and links below `root`, sorted, without names that match `ignore`.

    Raises `ValueError` for what `walk` refuses, and for a link that leads out of `root`.
    """
    return check_links(sorted((one for one, _ in walk(root, ignore) if not one.is_folder), key=lambda one: one.name))


def check_links(found: list[Listed]) -> list[Listed]:
    """The same, if none of the links among all that is in a folder leads out of it; else raises `ValueError`."""
    links = {one.name: one.leads for one in found if one.is_link}
    for name, leads in links.items():
        if _leads_out(name, links):
            raise ValueError(f"{name} is a link out of the folder, to {leads}: {FIX}")
    return found


def walk(root: Path, ignore: tuple[str, ...] = ()) -> Iterator[tuple[Listed, int]]:
    """All that is below `root`, each with a descriptor of the folder that it is in, good until the next one is asked.

    A folder comes before what is in it. Raises `ValueError`, before anything is read, for too much of it, for what is
    no file, folder or link, for what may not be looked at, and where `root` is no folder, or behind a link.
    """
    files = size = 0
    with ExitStack() as handles:
        waiting = [("", handles.enter_context(_Opened(_root(root))))]
        while waiting:
            above, folder = waiting[-1]
            name = next(folder, None)
            if name is None:
                waiting.pop()
                folder.__exit__()
                continue
            if ignored(name, ignore):
                continue
            one = _listed(above, name, folder.handle)
            files, size = files + 1, size + (one.size if stat.S_ISREG(one.mode) else 0)
            if files > MOST_FILES or size > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes, by {one.name}: {FIX}")
            yield one, folder.handle
            if one.is_folder:
                if len(waiting) >= DEEPEST:
                    raise ValueError(f"{one.name[:80]}... has more than {DEEPEST} folders inside of one another: {FIX}")
                handle = _open(name, FOLDER, folder.handle, one.name)
                waiting.append((one.name + "/", handles.enter_context(_Opened(handle))))


class _Opened:
    """The names in a folder, sorted, and its descriptor. Closed by leaving it, once or several times."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._names = iter(self._sorted())

    def _sorted(self) -> list[str]:
        names = list[str]()
        try:
            with os.scandir(self.handle) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > MOST_FILES:
                        raise ValueError(f"it has more than {MOST_FILES:,} files in one folder: {FIX}")
        except BaseException:
            os.close(self.handle)
            raise
        return sorted(names)

    def __next__(self) -> str:
        return next(self._names)

    def __iter__(self) -> _Opened:
        return self

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)


def _root(root: Path) -> int:
    try:
        straight = os.path.realpath(root) == os.path.abspath(root)
    except (OSError, RecursionError):
        straight = False
    if not straight:
        raise ValueError("it, or a folder that it is in, was replaced by a link")
    return _open(str(root), FOLDER, None, "it")


def _open(name: str, how: int, folder: int | None, shown: str) -> int:
    try:
        return os.open(name, how, dir_fd=folder)
    except OSError as error:
        raise ValueError(f"{shown} cannot be opened ({error.strerror}): {FIX}") from error


def _listed(above: str, name: str, folder: int) -> Listed:
    whole = above + name
    if len(os.fsencode(whole)) > LONGEST:
        raise ValueError(f"{whole[:80]}... is a path of more than {LONGEST:,} bytes: {FIX}")
    try:
        known = os.stat(name, dir_fd=folder, follow_symlinks=False)
        leads = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(known.st_mode) else ""
    except OSError as error:
        raise ValueError(f"{whole} cannot be looked at ({error.strerror}): {FIX}") from error
    if not (leads or stat.S_ISREG(known.st_mode) or stat.S_ISDIR(known.st_mode)):
        raise ValueError(f"{whole} is neither a file, a folder nor a link: {FIX}")
    return Listed(whole, known.st_mode, known.st_size, known.st_mtime_ns, leads)


def content(one: Listed, folder: int) -> Iterator[bytes]:
    """What is in a file of that folder, piece by piece. Raises `ValueError` if it is no longer what was looked at."""
    handle = _open(one.name.rpartition("/")[2], FILE, folder, one.name)
    with open(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{one.name} was replaced while it was read")
        left = one.size
        while left > 0 and (piece := file.read(min(left, BLOCK))):
            left -= len(piece)
            yield piece
        if left or file.read(1):
            raise ValueError(f"{one.name} was written to while it was read")


def _leads_out(name: str, links: Mapping[str, str]) -> bool:
    """Whether the link `name` leads out of the folder whose links these are; one that leads nowhere does not."""
    at, followed = name.split("/")[:-1], 0
    left = links[name].split("/")[::-1]
    if links[name].startswith("/"):
        return True
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return True
            at.pop()
            continue
        at.append(part)
        leads = links.get("/".join(at))
        if leads is not None:
            followed += 1
            if leads.startswith("/"):
                return True
            if followed > MOST_LINKS:
                return False
            at.pop()
            left += leads.split("/")[::-1]
    return False


def ignored(name: str, ignore: tuple[str, ...]) -> bool:
    """Whether a name matches one of the patterns, upper or lower case: some file systems make no difference."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in ignore)
