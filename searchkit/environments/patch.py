"""Patches: what differs between two folders, in the format of git, for people, models and `git apply`."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from searchkit.environments.listing import Listed, check_links, contained, content, walk

LARGE = 1_000_000  # bytes: larger files are named in a patch, not shown


@dataclass(frozen=True, slots=True)
class File:
    """mode: "100644", "100755" (executable), or "120000": a symbolic link, whose content is where it leads."""

    mode: str
    content: bytes


def files(root: Path, ignore: tuple[str, ...] = ()) -> dict[str, File]:
    """All files and links below `root`, by their paths with slashes, sorted; without names that match `ignore`.

    Links are not followed. Raises `ValueError` for a link out of `root`, and for what `walk` refuses.
    """
    return read(root, None, ignore)


def read(root: Path, names: Collection[str] | None, ignore: tuple[str, ...] = ()) -> dict[str, File]:
    """The same of these alone, as far as they are there; None: of all."""
    contained(root, ignore)  # before anything is read
    listed, found = list[Listed](), dict[str, File]()
    for one, folder in walk(root, ignore):
        if one.is_folder:
            continue
        listed.append(one)
        if names is None or one.name in names:
            text = os.fsencode(one.leads) if one.is_link else b"".join(content(one, folder))
            found[one.name] = File(_mode(one), text)
    check_links(listed)
    return dict(sorted(found.items()))


def prints(root: Path, ignore: tuple[str, ...] = ()) -> dict[str, str]:
    """What tells the files and links below `root` from others: a digest of mode and content each, sorted by paths.

    Files are read piece by piece and not kept. Raises as `files`.
    """
    contained(root, ignore)  # before anything is read
    listed, found = list[Listed](), dict[str, str]()
    for one, folder in walk(root, ignore):
        if not one.is_folder:
            listed.append(one)
            pieces = [os.fsencode(one.leads)] if one.is_link else content(one, folder)
            found[one.name] = _print(_mode(one), pieces)
    check_links(listed)
    return dict(sorted(found.items()))


def print_of(file: File) -> str:
    """The same of one file."""
    return _print(file.mode, [file.content])


def _print(mode: str, pieces: Iterable[bytes]) -> str:
    found = blake2b(digest_size=16)
    for piece in pieces:
        found.update(piece)
    return f"{mode} {found.hexdigest()}"


def _mode(one: Listed) -> str:
    return "120000" if one.is_link else "100755" if one.mode & stat.S_IXUSR else "100644"


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
