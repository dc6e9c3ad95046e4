"""Changes: what an attempt did to the files of a folder, as values that a journal can hold and another copy can take.

Whoever reads them from a journal need not trust who wrote them: a path that is none below the folder is refused.
"""

from __future__ import annotations

import base64
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from searchkit.environments.listing import LONGEST, check_links, contained, content, ignored, walk
from searchkit.environments.patch import File, print_of, prints, read

MOST_CHANGED = 2**26
"""Bytes of all files together that one attempt may have made or changed."""
MODES = ("100644", "100755", "120000")

Changes = Mapping[str, tuple[str, File | None]]
"""By path: the print of what was there before ("" for nothing), and what is there now, None for nothing."""


def copied(root: Path, new: Path, ignore: tuple[str, ...] = ()) -> Path:
    """A copy of `root` at `new`, without names that match `ignore`; returns `new`. Raises `ValueError` as `walk` does.

    Times and the right to execute are kept; bits that change who runs a file are not, and all folders can be opened.
    """
    contained(root, ignore)
    new.mkdir(parents=True)
    listed = list[Any]()
    for one, folder in walk(root, ignore):
        to = new / one.name
        if one.is_folder:
            to.mkdir()
            to.chmod((one.mode & 0o777) | 0o700)
            continue
        listed.append(one)
        if one.is_link:
            to.symlink_to(one.leads)
            continue
        with open(to, "xb") as file:
            for piece in content(one, folder):
                file.write(piece)
        to.chmod(one.mode & 0o777)
        os.utime(to, ns=(one.changed, one.changed))
    check_links(listed)
    return new


def between(first: Path, here: Path, ignore: tuple[str, ...] = ()) -> tuple[dict[str, File], dict[str, File]]:
    """What differs: the files in `first`, and those in `here`. Raises `ValueError`, for too much of it too."""
    known = {one.name: one.size for one in contained(first, ignore)}
    sizes = {one.name: one.size for one in contained(here, ignore)}
    _check_size(size for name, size in sizes.items() if known.get(name) != size)  # before they are read
    before, after = prints(first, ignore), prints(here, ignore)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    _check_size(sizes.get(name, 0) for name in names)
    return read(first, names, ignore), read(here, names, ignore)


def _check_size(sizes: Iterable[int]) -> None:
    if (size := sum(sizes)) > MOST_CHANGED:
        raise ValueError(f"{size:,} bytes of it were changed, and at most {MOST_CHANGED:,} are kept")


def of(before: Mapping[str, File], after: Mapping[str, File]) -> dict[str, tuple[str, File | None]]:
    """What leads from these files to those."""
    names = sorted(before.keys() | after.keys())
    return {name: (print_of(before[name]) if name in before else "", after.get(name)) for name in names}


def made(changes: Changes, folder: Path, ignore: tuple[str, ...] = ()) -> None:
    """Make them in a copy of the folder that they are changes of. Raises `ValueError` where that is not possible."""
    taken(changes, prints(folder, ignore), ignore, "the copy")
    for name, (_, after) in changes.items():
        if after is None:
            _without(folder, name)
    for name, (_, after) in changes.items():
        if after is not None:
            _put(folder / name, after)
    prints(folder, ignore)  # refuses links out of it


def taken(changes: Changes, now: Mapping[str, str], ignore: tuple[str, ...], where: str) -> list[str]:
    """The names that are still to be changed where `now` is. Raises `ValueError` for what was changed by others."""
    for name, (_, after) in changes.items():
        _check(name, after, ignore)
    ends = {name: "" if after is None else print_of(after) for name, (_, after) in changes.items()}
    left = [name for name in changes if now.get(name, "") != ends[name]]
    stale = [name for name in left if now.get(name, "") != changes[name][0]]
    will_be = (now.keys() - changes.keys()) | {name for name, end in ends.items() if end}
    stale += [name for name in will_be if any(above in will_be for above in _above(name))]
    if stale:
        raise ValueError(f"{where} has changed since the search began, see {min(stale)}")
    return left


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def brought_back(changes: Changes, left: list[str], target: Path) -> None:
    """Write and remove what is `left` to be changed in `target`: at any time a file is the old one or the new one."""
    for name in left:
        if changes[name][1] is None:
            _without(target, name)
    for name in left:
        after = changes[name][1]
        if after is not None:
            _put(target / name, after)


def _check(name: str, after: File | None, ignore: tuple[str, ...]) -> None:
    parts = name.split("/")
    odd = "\0" in name or any(part in ("", ".", "..") for part in parts) or len(os.fsencode(name)) > LONGEST
    if odd or any(ignored(part, ignore) for part in parts) or (after is not None and after.mode not in MODES):
        raise ValueError(f"{name!r:.80} is no path of a file that an attempt may change")


def _without(root: Path, name: str) -> None:
    """Remove a file, and the folders around it that are empty then."""
    path = root / name
    path.unlink()
    for folder in path.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()


def _put(path: Path, file: File) -> None:
    """Write a file or link so that at any time the old one is there or the new one, whole.

    A file that is replaced gives its mode, but for the right to execute.
    """
    known = path.lstat().st_mode if os.path.lexists(path) else 0
    if stat.S_ISDIR(known):
        path.rmdir()  # an empty one: `taken` has seen that no files are in it
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".searchkit-") as beside:
        new = Path(beside) / "new"
        if file.mode == "120000":
            os.symlink(os.fsdecode(file.content), new)
        else:
            executable = file.mode == "100755"
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666), "wb") as to:
                to.write(file.content)
            if stat.S_ISREG(known):
                new.chmod((known | (known & 0o444) >> 2 if executable else known & ~0o111) & 0o777)
        os.replace(new, path)


def dumped(changes: Changes) -> dict[str, Any]:
    """As JSON."""
    return {
        name: [before, *([] if after is None else [after.mode, base64.b64encode(after.content).decode()])]
        for name, (before, after) in changes.items()
    }


def loaded(stored: Mapping[str, Any]) -> dict[str, tuple[str, File | None]]:
    """What `dumped` gave. Raises `ValueError` or `TypeError` for anything else."""
    return {name: _loaded(*entry) for name, entry in stored.items()}


def _loaded(before: str, mode: str = "", content: str = "") -> tuple[str, File | None]:
    if not isinstance(before, str) or (mode and mode not in MODES):
        raise ValueError(f"{mode!r:.80} is no mode of a file")
    return before, File(mode, base64.b64decode(content, validate=True)) if mode else None
