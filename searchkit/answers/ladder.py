"""Where in a reply the answer stands: one ladder of rules, from the surest down. The first that finds something wins.

1. Thoughts, end tokens and what a base model runs on with are no part of a reply (`thoughts.py`).
2. Answer tags: what is inside them is the whole reply.
3. Boxes (`boxes.py`). Boxes of one value are one; those behind the last marker stand for all of them; several others
   are the answer together. An answer behind a later marker wins over them.
4. "#### x".
5. What follows the last marker (`markers.py`) that is no talk.

An answer that is taken back ("Wait, that is wrong") is none (`retractions.py`), and neither is an earlier one.
What none of them finds may still be a text that is nothing but an answer: that is up to the key (`keys.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from searchkit.answers.boxes import Several, boxes, together
from searchkit.answers.canonical import MAX_ANSWER, canonical, rational
from searchkit.answers.markers import Mark, marks
from searchkit.answers.phrases import reduced
from searchkit.answers.retractions import rejected, retracted

_HASHES = re.compile(r"####([^\n]*)")
_TAG = re.compile(r"<(/?)(answer|final_answer|final|solution|response|output|result)>|\[(/?)(answer)\]", re.IGNORECASE)
_TAG_HINTS = ("<", "[ANSWER]", "[answer]")  # looked for first, because most texts have none

Found = str | Several | None


def find(text: str, markers: Sequence[str] = ()) -> Found:
    """The answer that a reply marks as such. Linear time."""
    inside_tags = tagged(text)
    if inside_tags:
        found = [(find(inside, markers) or _short(inside)) for inside in inside_tags]
        answers = [one for one in found if isinstance(one, str)]
        if answers and len(answers) == len(found):
            return together([*answers], canonical)
        if len(found) == 1 and found[0] is not None:
            return found[0]
    return boxed(text, markers) or (None if _said_later(text, markers) else hashed(text)) or marked(text, markers)


def _said_later(text: str, markers: Sequence[str]) -> bool:
    """Whether a marker with an answer stands behind the last "####"."""
    mark = next(marks(text, markers), None) if "####" in text else None
    return mark is not None and mark.begin > text.rfind("####") + 4 and "####" not in text[mark.begin : mark.end]


def boxed(text: str, markers: Sequence[str] = ()) -> Found:
    """Rung 3."""
    found = boxes(text) if "boxed" in text or "fbox" in text else []
    found = [box for box in found if not rejected(text, box.start, box.end)]
    if not found or retracted(text, found[-1].end, found[-1].content):
        return None
    for mark in marks(text, markers):
        if found[-1].start < mark.start < found[-1].end:
            continue  # it stands inside of the box
        if mark.start > found[-1].start:
            if mark.strong and not boxes(mark.content):
                return mark.content
        elif mark.begin <= found[-1].end:
            behind = [box for box in found if box.start >= mark.begin]
            if behind and behind[0].start < max(mark.end, mark.begin + 1):
                found = behind
            break
    return together([box.content for box in found], canonical)


def hashed(text: str) -> str | None:
    """Rung 4: the last "#### x" (GSM8K). x is a number or ends the text, because "#### Step 2" is a heading."""
    if "####" not in text:
        return None
    found, end = None, len(text.rstrip())
    for match in _HASHES.finditer(text):
        line = match[1].strip()
        if line and (
            match.end() >= end or (len(line) <= MAX_ANSWER and rational(reduced(line).lstrip("$")) is not None)
        ):
            found = None if retracted(text, match.end(), line) else line
    return found


def marked(text: str, markers: Sequence[str] = ()) -> Found:
    """Rung 5."""
    mark: Mark | None = next(marks(text, markers), None)
    if mark is None:
        return None
    inside = boxes(mark.content) if "box" in mark.content else []
    return together([box.content for box in inside], canonical) if inside else mark.content


def tagged(text: str) -> list[str]:
    """What stands inside of answer tags; the last may lack its end."""
    found, begin = [], None
    for tag in _TAG.finditer(text) if any(hint in text for hint in _TAG_HINTS) else ():
        if "/" not in (tag[1], tag[3]):
            begin = tag.end()
        elif begin is not None:
            found.append(text[begin : tag.start()])
            begin = None
    if begin is not None and text[begin:].strip():
        found.append(text[begin:])
    return [inside for inside in found if inside.strip()]


def _short(text: str) -> str | None:
    """All of a text in tags, if it is one line."""
    text = text.strip()
    return text if len(text) <= MAX_ANSWER and "\n" not in text else None
