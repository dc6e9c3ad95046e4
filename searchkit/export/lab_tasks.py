"""Tasks of the lab's test splits in a prompt: held out by the rule that made the splits, so all of them are known."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from searchkit.export.normalised import spaced, spelt
from searchkit.lab.arithmetic import LONGEST, Expression
from searchkit.lab.countdown import Puzzle

BEFORE = 200  # characters in which the numbers of a puzzle stand before its target
WORDS = 24  # letters that may stand around an expression in its line: "What is 3*4+5?"
_TRACE = re.compile(r"current state: (\d{1,9}):\[(\d{1,9}(?:, ?\d{1,9})*)\]")  # of the lab's models that search
_TARGET = re.compile(r">\s*(\d{1,9})")
_BACKWARDS = re.compile(r"[-=\s]*(\d{1,9}(?:[\s,;|]+\d{1,9})+)")  # of a text that is turned round
_BARE = re.compile(r"[\d\s,;:|=>.]*")  # numbers and what stands between them, no operation
_NUMBERS = re.compile(r"\d{1,9}")
_RUN = re.compile(r"[\d\s+\-*()]+")
_APART = re.compile(r"(?<=\d)\s+(?=[\d(])")
_SOLVED = re.compile(r"\s*=\s*-?\d")
_TIMES = re.compile(r"\\(?:times|cdot|ast)(?![a-z])")
_SIGNS = str.maketrans({**dict.fromkeys("\u2010\u2012\u2013\u2014\u2212", "-"), **dict.fromkeys("×·⋅∗∙✕", "*"),
                        **dict.fromkeys("→⟶⇒⟹", ">"), **dict.fromkeys("$`{}\"'|_\\", " ")})  # fmt: skip
_GROUPED = str.maketrans(dict.fromkeys("[]()*", " "))


def is_held_out(text: str) -> bool:
    """Whether `text` states a task of a test split, however it is spaced and punctuated. Cost: linear in its length.

    An expression that stands in a sentence, or is followed by its value, is an example and no task.
    """
    plain = spelt(text).casefold()
    said = _TIMES.sub("*", spaced(plain)).translate(_SIGNS)
    return any(task.split == "test" for found in (_traces(plain), _puzzles(said), _expressions(said)) for task in found)


def _traces(text: str) -> Iterator[Puzzle]:
    for target, numbers in _TRACE.findall(text):
        yield from _puzzle(numbers, target)


def _puzzles(said: str) -> Iterator[Puzzle]:
    """Numbers, a sign, a target: ``3 4 5 > 17``; and all numbers of a text that has nothing else."""
    text, at = said.translate(_GROUPED), 0
    for sign in _TARGET.finditer(text):
        before, at = text[max(at, sign.start() - BEFORE) : sign.start()], sign.end()
        for place in {before, before.rstrip("-= \n").rpartition("\n")[2]}:
            if found := _BACKWARDS.match(place[::-1]):
                yield from _puzzle(found[1][::-1], sign[1])
    if _BARE.fullmatch(text):
        *rest, last = _NUMBERS.findall(text) or [""]
        yield from _puzzle(" ".join(rest), last)


def _puzzle(numbers: str, target: str) -> Iterator[Puzzle]:
    found = tuple(sorted(map(int, _NUMBERS.findall(numbers))))
    if len(found) >= 2:
        yield Puzzle(found, int(target))


def _expressions(text: str) -> Iterator[Expression]:
    for line in text.splitlines():
        for said in (line, line.rpartition(":")[2]):
            yield from _expression(said.strip().rstrip("=?. "))
        if sum(map(str.isalpha, line)) > WORDS:
            continue
        for run in _RUN.finditer(line):
            if not _SOLVED.match(line, run.end()):
                for said in _APART.split(run[0]):
                    if "+" in said or "*" in said.strip("* "):  # else a date may be one
                        yield from _expression(said.strip("+-* "))


def _expression(said: str) -> Iterator[Expression]:
    """With two operations at least: fewer are no task of the lab, and "3-4" may be anything. Outer brackets may lie."""
    text = "".join(said[: 4 * LONGEST].split())
    if sum(map(text.count, "+-*")) >= 2:
        for one in {text, text.removeprefix("("), text.removesuffix(")"), text.removeprefix("(").removesuffix(")")}:
            with contextlib.suppress(ValueError):
                yield Expression.parse(one)
