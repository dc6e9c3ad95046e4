"""What must not be learnt: problems of test sets, known by id and by prompt.

The package ships digests of the prompts of GSM8K's test split, MATH-500 and HumanEval (``held_out.txt``, written by
``tools/held_out.py``); of the lab's tasks the rule is known that holds out 2 % of them, so all of these are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from searchkit.errors import ConfigError
from searchkit.export.lab_tasks import is_held_out
from searchkit.export.normalised import digest, normalised, runs
from searchkit.types import Prompt

ANCHOR = 24  # a held-out prompt of at least so many normalised characters is found anywhere in a longer one
SHIPPED = "held_out.txt"


@dataclass(frozen=True)
class HeldOut:
    """Problems that are refused.

    - ids: by id, with what holds them ("MATH-500").
    - whole: digests of whole normalised prompts, likewise.
    - anchors: by the digest of the first `ANCHOR` characters of a prompt, the lengths and digests of prompts.
    - lab: whether the lab's test splits are refused, by their rule.
    """

    ids: Mapping[str, str] = field(default_factory=dict, repr=False)
    whole: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    anchors: Mapping[bytes, tuple[tuple[int, bytes], ...]] = field(default_factory=dict, repr=False)
    lab: bool = False

    @classmethod
    def of(cls, ids: Iterable[str] = (), prompts: Iterable[str] = (), name: str = "held_out") -> HeldOut:
        """Problems by id, and by the text of their prompts. Ids count as they are, prompts normalised."""
        return cls.from_lines(
            [f"id\t{name}\t{one}" for one in ids] + [line(name, text) for text in prompts if normalised(text)]
        )

    @classmethod
    def from_lines(cls, lines: Iterable[str], *, lab: bool = False) -> HeldOut:
        """What `tools/held_out.py` wrote: ``id``, set, id; or ``prompt``, set, length, digests of beginning and all."""
        ids, whole, anchors = dict[str, str](), dict[bytes, str](), dict[bytes, tuple[tuple[int, bytes], ...]]()
        for text in lines:
            kind, name, *rest = text.split("\t")
            if kind == "id":
                ids[rest[0]] = name
                continue
            length, anchor, all_of_it = int(rest[0]), bytes.fromhex(rest[1]), bytes.fromhex(rest[2])
            whole[all_of_it] = name
            if length >= ANCHOR:
                anchors[anchor] = (*anchors.get(anchor, ()), (length, all_of_it))
        return cls(ids, whole, anchors, lab)

    def __add__(self, other: HeldOut) -> HeldOut:
        anchors = {
            key: (*self.anchors.get(key, ()), *other.anchors.get(key, ())) for key in {*self.anchors, *other.anchors}
        }
        return HeldOut({**self.ids, **other.ids}, {**self.whole, **other.whole}, anchors, self.lab or other.lab)

    def why(self, problem: str, prompt: Prompt) -> str:
        """What holds the problem out, for people; "" if nothing does. Cost: linear in the length of the prompt."""
        if name := self.ids.get(problem):
            return f"its id is one of {name}"
        whole = (prompt.text,) if len(prompt.messages) > 1 else ()  # a question may go over two turns
        for text in (*whole, *(message.text for message in prompt.messages)):
            if name := self._prompt(text):
                return f"its prompt is one of {name}"
        return (
            "the lab holds it out for tests" if self.lab and (is_held_out(problem) or is_held_out(prompt.text)) else ""
        )

    def _prompt(self, text: str) -> str:
        for found in runs(text) if self.whole else ():
            if name := self.whole.get(found):
                return name
        return self._inside(normalised(text)) if self.anchors else ""

    def _inside(self, text: str) -> str:
        """The set of a long prompt that stands anywhere in `text`."""
        for start in range(len(text) - ANCHOR + 1):
            for length, all_of_it in self.anchors.get(digest(text[start : start + ANCHOR]), ()):
                if digest(text[start : start + length]) == all_of_it:
                    return self.whole[all_of_it]
        return ""


def line(name: str, prompt: str) -> str:
    """The line of a file of digests for one prompt."""
    text = normalised(prompt)
    return f"prompt\t{name}\t{len(text)}\t{digest(text[:ANCHOR]).hex()}\t{digest(text).hex()}"


@cache
def shipped() -> HeldOut:
    """The lab's test splits, GSM8K's test split, MATH-500 and HumanEval."""
    text = files("searchkit.export").joinpath(SHIPPED).read_text(encoding="ascii")
    return HeldOut.from_lines((x for x in text.splitlines() if x and not x.startswith("#")), lab=True)


def held_out(told: HeldOut | str | Path | Iterable[str] | None) -> HeldOut:
    """What a caller names: None is `shipped`; a file, or ids, come on top of it.

    A file has an id or a JSON object a line: {"id": ...}, {"prompt": ...} or both. Raises `ConfigError` otherwise.
    """
    if told is None:
        return shipped()
    if isinstance(told, HeldOut):
        return told
    if isinstance(told, (str, Path)):
        return shipped() + _file(Path(told))
    return shipped() + HeldOut.of(told)


def _file(path: Path) -> HeldOut:
    ids, prompts = list[str](), list[str]()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other breaks may stand in a prompt
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"held_out={str(path)!r} cannot be read ({error}): name a file with an id a line") from error
    for number, text in enumerate(filter(str.strip, lines), 1):
        id_, prompt = _told(text, path, number)
        ids += [id_] if id_ else []
        prompts += [prompt] if prompt else []
    return HeldOut.of(ids, prompts, path.name)


def _told(text: str, path: Path, number: int) -> tuple[str, str]:
    """The id and the prompt of a line."""
    if not text.lstrip().startswith("{"):
        return text.strip(), ""
    try:
        stored = json.loads(text)
        found = str(stored.get("id", "")), str(stored.get("prompt", ""))
    except ValueError as error:
        raise ConfigError(f"{path}, line {number}: {error}; a line is an id, or an object with id or prompt") from error
    if not any(found):
        raise ConfigError(f'{path}, line {number}: an object has an "id" or a "prompt"')
    return found
