"""A pool as a file of JSON lines that only ever grows: what was paid for is neither changed nor removed.

Under a header each line is an entry, or scores that were added to an earlier one. Each save ends with a line that
counts its lines, and without that line it never happened: one that a crash, a full disk or a copy cut short is left out
by `load`, with a warning, and written again by the next `save`.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry, is_json
from searchkit.whole_file import whole_file

HEADER = "searchkit_pool"
VERSION = 2
END = b'{"saved": '

_FIELDS = tuple(field.name for field in fields(Entry))
Columns = Mapping[str, tuple[Entry, ...]]  # the samples of every problem, by its id
Stored = dict[str, list[Entry]]
Line = tuple[int, bytes]  # its number in the file, and its text


def save(entries: Columns, path: str | os.PathLike[str]) -> None:
    """Add to the file what it lacks of `entries`: problems, further samples of a problem, scores.

    The samples that both have must be the same: `ConfigError`, and the file is left as it is, if they differ, if a
    score that is stored would change, or if the file is something else. Saving twice adds nothing. Only one process may
    save to a file at a time.
    """
    target = Path(path)
    begun = target.exists()
    stored, text = _read(target) if begun else ({}, b"")
    lines = list(_lacking(stored, entries))
    if begun and not lines:
        return
    head = [] if begun else [json.dumps({HEADER: VERSION})]
    body = "\n".join([*head, *lines, f'{{"saved": {len(lines)}}}', ""]).encode("utf-8", "surrogatepass")
    apart = b"\n" if text and not text.endswith(b"\n") else b""  # from a line that was cut off
    try:
        with target.open("ab") as file:
            file.write(apart + body)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if not begun:
            target.unlink(missing_ok=True)
        raise ConfigError(f"the pool {target} cannot be written: {error.strerror}") from error


def write(samples: Iterable[tuple[str, Entry]], path: str | os.PathLike[str]) -> None:
    """Write a new file of (problem id, entry) pairs as they come, one in memory at a time.

    It appears whole or not at all. Raises `ConfigError` if there is a file already, or it cannot be written, and
    whatever `samples` raises.
    """
    target = Path(path)
    if target.exists():
        raise ConfigError(f"{target} is there already: choose another path, or delete it")
    sizes = dict[str, int]()
    with (
        whole_file(target, f"the pool {target}") as partial,
        partial.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file,
    ):
        file.write(json.dumps({HEADER: VERSION}) + "\n")
        for problem, entry in samples:
            sizes[problem] = sizes.get(problem, 0) + 1
            file.write(_dump(problem, sizes[problem] - 1, entry) + "\n")
        file.write(f'{{"saved": {sum(sizes.values())}}}\n')
        file.flush()
        os.fsync(file.fileno())


def load(path: str | os.PathLike[str]) -> Columns:
    """What was saved to the file. Raises `ConfigError` if it is missing, damaged, or not a pool of this version."""
    source = Path(path)
    stored, _ = _read(source)
    if not stored:
        raise ConfigError(f"{source} is incomplete: nothing was saved to it to the end, restore or redraw it")
    return {problem: tuple(column) for problem, column in stored.items()}


def _read(path: Path) -> tuple[Stored, bytes]:
    """All complete saves, and the last line of the file."""
    stored: Stored = {}
    unfinished: list[Line] = []
    try:
        with path.open("rb") as file:
            text = file.readline()
            _check_header(path, text)
            for number, text in enumerate(file, start=2):
                count = _count(text)
                if count is None:
                    unfinished.append((number, text))
                    continue
                if not 0 <= count <= len(unfinished):
                    raise ConfigError(f"{path}, line {number}, is damaged (lines before it are missing): restore it")
                for line in unfinished[len(unfinished) - count :]:  # what is before them was cut off
                    _add(stored, path, *line)
                unfinished = []
    except OSError as error:
        raise ConfigError(f"the pool {path} cannot be read: {error.strerror}") from error
    if unfinished:
        left = f"{path} ends in a save that was cut off; its {len(unfinished)} lines are left out: save them again"
        warnings.warn(left, stacklevel=4)
    return stored, text


def _check_header(path: Path, line: bytes) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or HEADER not in header:
        raise ConfigError(f"{path} is not a searchkit pool (no {HEADER!r} header): name a file that Pool.save wrote")
    if header[HEADER] != VERSION:
        raise ConfigError(f"{path} is a pool of version {header[HEADER]}, this searchkit reads version {VERSION}")


def _count(line: bytes) -> int | None:
    """The number of lines of the save that this line ends; None if it ends none, or was cut off itself."""
    if not line.startswith(END):
        return None
    try:
        return int(json.loads(line)["saved"])
    except (ValueError, TypeError):
        return None


def _add(stored: Stored, path: Path, number: int, line: bytes) -> None:
    """The entry, or the scores of an earlier one, that the line holds."""
    try:
        found = json.loads(line)
        column = stored.setdefault(found.pop("problem"), [])
        if "sample" in found:
            sample = found["sample"]
            column[sample] = replace(column[sample], score=found["score"], scores=found["scores"])
        else:
            column.append(Entry(**found))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ConfigError(f"{path}, line {number}, is damaged ({error}): restore or redraw it") from error


def _lacking(stored: Mapping[str, Sequence[Entry]], entries: Columns) -> Iterator[str]:
    """The lines that the file lacks."""
    for problem, column in entries.items():
        known = stored.get(problem, ())
        for i, entry in enumerate(column):
            if i >= len(known):
                yield _dump(problem, i, entry)
            elif not known[i].same_sample(entry):
                raise ConfigError(
                    f"the file holds another sample {i} of problem {problem!r}: choose another path, or add to what it "
                    "holds, Pool.load(path).extend(pool)"
                )
            elif scores := _scores(problem, i, known[i], entry):
                yield json.dumps({"problem": problem, "sample": i, **scores}, ensure_ascii=False)


def _scores(problem: str, index: int, old: Entry, new: Entry) -> dict[str, Any]:
    """All scores of the entry if it has more than the stored one; a score that is stored stays."""
    changed = [name for name, score in old.scores.items() if new.scores.get(name, score) != score]
    if changed or (old.score is not None and new.score not in (None, old.score)):
        which = f"score {changed[0]!r}" if changed else "score"
        raise ConfigError(f"the {which} stored for problem {problem!r}, sample {index}, differs: use another name")
    score = old.score if new.score is None else new.score
    scores = {**old.scores, **new.scores}
    return {} if (score, scores) == (old.score, old.scores) else {"score": score, "scores": scores}


def _dump(problem: str, index: int, entry: Entry) -> str:
    stored = {name: getattr(entry, name) for name in _FIELDS}
    for name in ("value", "key"):
        if stored[name] is not None and type(stored[name]) is not str and not is_json(stored[name]):
            kind = type(stored[name]).__name__
            raise ConfigError(
                f"problem {problem!r}, sample {index}: a {name} of type {kind} does not survive JSON; store its text"
            )
    return json.dumps({"problem": problem, **stored}, ensure_ascii=False, allow_nan=False)
