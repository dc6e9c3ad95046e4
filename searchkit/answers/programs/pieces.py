"""Where a program may stand in a reply: in fenced blocks, between tags, and loose in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from searchkit.answers.programs.mending import mended

_FENCE = re.compile(r"(?:\\?`){3,}|~{3,}|´{3,}|(?<!')'{3,}+(?=[ \t]*py)|(?<!`)``(?=[ \t]*(?:python|py)[ \t]*$)")
_LABEL = re.compile(
    r"[\s{.(:=\[]{0,9}(?:language-|lang=)?(?:i?python|py|pycon|sage)[\d.]{0,6}"
    r"(?:(?!\w)|(?=(?:def|class|import|from)\s))[})\]]?",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[ \t]*(?:def|class|import|from|async|return|for|while|if|with|try|print|assert)(?=[ \t(:])|[ \t]*@\w"
)
_INLINE = re.compile(r"[ \t]*(?:python[\d.]*|py3?)(?=[ \t])[ \t:]*", re.IGNORECASE)
_QUOTE = re.compile(r"(?: {0,3}> ?)+")
_TAG = re.compile(
    r"\[/(?:PYTHON|BEGIN|CODE|ANSWER|SOLUTION)\]|(?<![\w\])])\[(?:PYTHON|BEGIN|CODE|ANSWER|SOLUTION|DONE|END)\]"
    r"|</?(?:code|pre|python|answer|solution|execute|program|tool_code)(?:\s[^<>\n]{0,80})?>|<\|python_tag\|>"
    r"|\\(?:begin|end)\{(?:lstlisting|verbatim|minted|python|code)\}(?:\[[^\]\n]{0,80}\]|\{[^}\n]{0,80}\}){0,2}"
)
_MARKS = 8  # places where one block may end
_TRIES = 4 * 100_000  # characters that are parsed to find the ends of the blocks of one text


@dataclass(frozen=True)
class Piece:
    """Text that may be a program. label: "python", "" where it does not say, else another word; "loose": no block."""

    label: str
    text: str


@dataclass(frozen=True)
class _Opening:
    mark: str
    label: str
    indent: int
    quoted: bool
    first: str  # code on the fence's own line


def pieces(text: str) -> list[Piece]:
    """The pieces of a text, in their order. Takes linear time."""
    found, loose, lines, at, left = list[Piece](), list[str](), text.split("\n"), 0, _TRIES
    while at < len(lines):
        line = lines[at]
        at += 1
        inline = _on_one_line(line)
        opening = None if inline else _opening(line)
        if inline is None and opening is None:
            loose.append(line)
            continue
        found += _between_tags(loose)
        loose = []
        if inline is not None:
            found.append(inline)
        elif opening is not None:
            piece, at, left = _block(lines, at, opening, left)
            found.append(piece)
    return [*found, *_between_tags(loose)]


def label_of(info: str) -> str:
    """ "python", "" for none, else the first word."""
    if _LABEL.match(info):
        return "python"
    return next(iter(info.split()), "").lower()


def _opening(line: str) -> _Opening | None:
    """A fence that opens a block: nothing but its label behind it; text in front only of one that says Python."""
    found = _FENCE.search(line)
    if found is None:
        return None
    before, info = line[: found.start()], line[found.end() :].rstrip()
    label = label_of(info)
    quoted = bool(_QUOTE.fullmatch(before))
    listed = re.fullmatch(r"[ \t]*(?:[-*+]|\d{1,3}[.)])?[ \t]*", before)
    if not quoted and listed is None and label != "python" and info:
        return None
    if "`" in info and found[0][0] != "~":
        return None
    after = _LABEL.match(info)
    rest = info[after.end() :] if after else ""
    first = rest if _CODE.match(rest) else ""
    if label not in ("python", "") and listed is None:
        return None
    mark = found[0].replace("\\", "")
    return _Opening(mark, label, len(before) if listed is not None else 0, quoted, first.strip())


def _on_one_line(line: str) -> Piece | None:
    """A block that opens and closes on this line."""
    found = _FENCE.search(line)
    if found is None or found[0][0] == "'":
        return None
    char = found[0][-1]
    end = line.rfind(char * 3)
    inside = line[found.end() : end]
    if end < found.end() or not inside.strip() or char * 3 in inside:
        return None
    label = _INLINE.match(inside)
    return Piece("python" if label else "inline", inside[label.end() if label else 0 :].strip())


def _block(lines: list[str], start: int, opening: _Opening, left: int) -> tuple[Piece, int, int]:
    """The block, the number of the line after it, and how many characters may yet be parsed to find ends.

    It ends where Markdown says, if what stands before that is Python; else at the first sign of an end before which it
    is: a fence that is shorter, or stands behind code. Where none is Python, Markdown is right. A block that nothing
    closes before the next one begins may hold prose: it is searched like a text.
    """
    marks = list(islice(_marks(lines, start, opening), _MARKS))
    ends = sorted(marks, key=lambda mark: (not mark[0], mark[1]))
    if not any(closed for closed, *_ in marks):
        ends.insert(0, (False, len(lines), "", len(lines)))
    for _, at, tail, after in ends:
        if left <= 0:
            break
        body = _joined(lines, start, at, opening, tail)
        left -= len(body) + at - start
        if mended(body) is not None:
            return Piece(opening.label, body), after, left
    begins_another = bool(marks) and marks[0][1] == marks[0][3]
    _, at, tail, after = marks[0] if begins_another else ends[0]
    label = opening.label if any(closed for closed, *_ in marks) and not begins_another else "loose"
    return Piece(label, _joined(lines, start, at, opening, tail)), after, left


def _marks(lines: list[str], start: int, opening: _Opening) -> Iterator[tuple[bool, int, str, int]]:
    """(as Markdown has it, its line's number, the code before it on that line, the line after it) of each end."""
    char = opening.mark[0]
    for at in range(start, len(lines)):
        line = lines[at].replace("\\`", "`")
        run = line.find(char * min(len(opening.mark), 3))
        if run < 0:
            continue
        alone = line[:run].strip(" \t>") == ""
        rest = line[run:].strip()
        if alone and not rest.strip(char):
            yield len(rest) >= len(opening.mark), at, "", at + 1
        elif alone and label_of(rest.lstrip(char)) == "python":
            yield False, at, "", at  # another block begins: this one was not closed
        else:
            yield False, at, line[:run], at + 1


def _joined(lines: list[str], start: int, end: int, opening: _Opening, tail: str) -> str:
    """The lines from `start` to `end` without the margin of their fence."""
    body = [*([opening.first] if opening.first else []), *lines[start:end], *([tail] if tail else [])]
    if opening.quoted:
        body = [_QUOTE.sub("", line, count=1) for line in body]
    else:
        body = [line[: opening.indent].lstrip(" ") + line[opening.indent :] for line in body]
    return "\n".join(body if end == len(lines) else [*body, ""])


def _between_tags(lines: list[str]) -> Iterator[Piece]:
    """Text outside of blocks, cut at tags."""
    text = "\n".join(lines)
    cuts = _TAG.split(text)
    if len(cuts) == 1:
        if text.strip():
            yield Piece("loose", text)
        return
    for part in cuts:
        if part.strip():
            yield Piece("loose", part)
