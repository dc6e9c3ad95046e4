"""Whether a reply takes its answer back: "The answer is 5. Wait, that is wrong.", "No, it is 6."

What was taken back is no answer, and neither is one that stands before it. That a reply checks itself ("Wait, let me
verify") takes nothing back.
"""

from __future__ import annotations

import re

MAX_BEHIND = 2000
"""Characters behind an answer in which a retraction is looked for."""

_BE = r"(?:['’]s| is| was| are| would be| should be| must be| seems)"
_WRONG = r"(?:wrong|incorrect|mistaken|not (?:right|correct)|a mistake|an error)"
_ANOTHER = r"(?<!\w)(?:not\b|[-$\\(]{0,2}[0-9]|\\|\(?(?-i:[A-HJ-Z])\b)"
_RETRACTED = re.compile(
    rf"\b(?:that|this|it|which|above|answer)(?:{_BE}| can(?:no|['’])t be)(?: \w+)? {_WRONG}\b"
    r"|\bscratch that\b|\bI(?: have|['’]ve)? made (?:a|an) (?:\w+ )?(?:mistake|error)\b|(?:^|[.!?\n]\s*)correction\b"
    r"|das (?:ist|stimmt) (?:falsch|nicht)|c['’]est faux|(?:es|está) (?:incorrecto|mal)|это неверно|不对|错了"
    r"|(?:^|[.!?]\s+)or\s+\(?(?-i:[A-Z])\b"
    rf"|(?:^|[.!?\n,;–—-])\s*(?:no|wait|oops|sorry|actually|hmm|rather)\b[\s,.:!–—-]*"
    rf"(?:(?:no|wait|actually|sorry)\b[\s,.:!–—-]*)*(?:(?:it|that|the answer|i mean)(?:{_BE})?(?: \w+)? ?)?{_ANOTHER}",
    re.IGNORECASE,
)
_CUES = re.compile(
    r"wrong|incorrect|mistake|error|not |scratch|correction|or |falsch|nicht|faux|mal\b|incorrecto|неверно"
    r"|不对|错了|no\b|wait|oops|sorry|actually|hmm|rather",
    re.IGNORECASE,
)  # looked for first, because most texts have none


_SECOND_THOUGHT = re.compile(
    r"(?:^|[.!?。！？\n,;–—-])\s*(?:but\s+|and\s+)?(?:oops|wait\b|actually\b|sorry\b|hold on|on second thoughts?"
    r"|my mistake|my bad|nope\b|never mind|ignore that|edit\b|i mis\w+|that can(?:not|['’]t) be|no,(?= )|hmm"
    r"|let me re\w+|no,? (?:wait|sorry|that)|non\b|attendez|nein\b|moment\b|halt\b|no,? espera"
    r"|espera\b|perd[oó]n|等等|等一下|不对|不對|нет\b|подождите|стоп\b|待って|いや|違)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*")
_REJECTED_BEHIND = re.compile(
    r"[\s$]*[?？]|[\s$]*(?:is|was|ist|est|es)\s+(?:wrong|incorrect|not\b|falsch|faux|incorrecto)"
)
_REJECTED_BEFORE = re.compile(r"(?:cannot be|can['’]t be|isn['’]t|\bnot|\bnever)[\s$]*$")


def retracted(text: str, begin: int, answer: str | None = None) -> bool:
    """Whether what stands behind `begin` takes back the answer that ends there.

    answer: that answer, where it is known: then a second thought that ends in another number takes it back, too.
    """
    behind = text[begin : begin + MAX_BEHIND]
    if _CUES.search(behind) is not None and _RETRACTED.search(behind) is not None:
        return True
    thought = _SECOND_THOUGHT.search(behind) if answer is not None else None
    if thought is None or answer is None:
        return False
    said, meant = _NUMBER.findall(behind[thought.end() :]), _NUMBER.findall(answer)
    return bool(said) and said[-1] not in meant


def rejected(text: str, start: int, end: int) -> bool:
    """Whether the words beside a box deny what is in it: "it cannot be ...", "... is wrong"."""
    before = text[max(0, start - 20) : start]
    return _REJECTED_BEHIND.match(text, end) is not None or _REJECTED_BEFORE.search(before) is not None
