"""Patches: what differs between two folders, in the format of git, for people, models and `git apply`."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

LARGE = 1_000_000  # bytes: larger files are named in a patch, not shown


@dataclass(frozen=True, slots=True)
class File:
    """mode: "100644", "100755" (executable), or "120000": a symbolic link, whose content is where it leads."""

    mode: str
    content: bytes


def files(root: Path, ignore: tuple[str, ...] = ()) -> dict[str, File]:
    """All files and links below `root`, by their paths with slashes, sorted; without names that match `ignore`.

    Links are not followed. Raises `ValueError` for a link out of `root`, and for what is no file, folder or link.
    """
    return {name: _file(path, mode) for name, path, mode in contained(root, ignore)}


def contained(root: Path, ignore: tuple[str, ...] = ()) -> list[tuple[str, Path, int]]:
    """What `files` reads, as (name, path, mode); raises as it does."""
    found = [(path.relative_to(root).as_posix(), path, path.lstat().st_mode) for path in _walk(root, ignore)]
    for name, path, mode in found:
        if stat.S_ISLNK(mode):
            leads = os.readlink(path)
            if os.path.isabs(leads) or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
                raise ValueError(f"{name} is a link out of the folder, to {leads}: remove it, or leave it out")
        elif not stat.S_ISREG(mode):
            raise ValueError(f"{name} is neither a file, a folder nor a link: remove it, or leave it out")
    return found


def _file(path: Path, mode: int) -> File:
    if stat.S_ISLNK(mode):
        return File("120000", os.fsencode(os.readlink(path)))
    return File("100755" if mode & stat.S_IXUSR else "100644", path.read_bytes())


def _walk(root: Path, ignore: tuple[str, ...]) -> Iterator[Path]:
    """Everything below `root` but folders; in sorted order."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if path.is_dir() and not (path.is_symlink() and path != root):
            below = (Path(entry.path) for entry in os.scandir(path) if not ignored(entry.name, ignore))
            waiting += sorted(below, reverse=True)
        else:
            yield path


def ignored(name: str, ignore: tuple[str, ...]) -> bool:
    """Whether a name matches one of the patterns, upper or lower case: some file systems make no difference."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in ignore)


def patch(before: Mapping[str, File], after: Mapping[str, File]) -> str:
    """What leads from `before` to `after`; "" if nothing differs. Binary and very large files are named only."""
    return "".join(
        part
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
        for part in _differences(name, before.get(name), after.get(name))
    )


def _differences(name: str, old: File | None, new: File | None) -> Iterator[str]:
    if old is not None and new is not None and (old.mode == "120000") != (new.mode == "120000"):
        yield from _differences(name, old, None)  # a link for a file: one goes, the other comes
        yield from _differences(name, None, new)
        return
    was, becomes = _quoted("a/" + name), _quoted("b/" + name)
    yield f"diff --git {was} {becomes}\n"
    if old is None and new is not None:
        yield f"new file mode {new.mode}\n"
    elif new is None and old is not None:
        yield f"deleted file mode {old.mode}\n"
    elif old is not None and new is not None and old.mode != new.mode:
        yield f"old mode {old.mode}\nnew mode {new.mode}\n"
    contents = [b"" if file is None else file.content for file in (old, new)]
    if contents[0] == contents[1]:
        return
    heads = ["/dev/null" if file is None else head for file, head in ((old, was), (new, becomes))]
    texts = [_text(content) for content in contents]
    if texts[0] is None or texts[1] is None:
        yield f"Binary files {heads[0]} and {heads[1]} differ\n"
        return
    ends = ["\t" if " " in head and head[0] != '"' else "" for head in heads]  # so git ends a name with blanks
    lines = difflib.unified_diff(texts[0], texts[1], heads[0] + ends[0], heads[1] + ends[1])
    yield from (line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _text(content: bytes) -> list[str] | None:
    """The lines with their ends, None if that is no text or too much of it."""
    if len(content) > LARGE or b"\0" in content:
        return None
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        return None
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _quoted(name: str) -> str:
    """As git writes names that would not survive as they are."""
    encoded = os.fsencode(name)
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in encoded):
        return name
    written = (_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in encoded)
    return f'"{"".join(written)}"'


_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
