"""Options that a reply names in order to reject them: "A is wrong. B is right.", "B, not A", "It cannot be A, so B"."""

from __future__ import annotations

import re
from collections.abc import Container

_VERB = r"(?:is|are|was|were|seems?|looks?|must be|can be|ist|est|es|sind|sont|war)"
_MENTION = re.compile(
    rf"(?<![\w'’\\])\(?(?:([B-HJ-Z])|([AI])(?!\)?\s+(?!{_VERB}\b|it\b|and\b|or\b|too\b|nor\b|can)[a-z]))(?![\w'’])\)?"
)
"""A letter that stands for an option, and is no article ("A cat") or pronoun ("I think")."""
_REJECTED = re.compile(
    rf"[\s:*]*(?:\s*(?:,|and|or|nor|&|und|et|y)\s*\(?[A-Z]\)?(?!\w))*\s*(?:{_VERB}\s+)?"
    r"(?:an?\s+|the\s+)?(?:(?:clearly|obviously|definitely|also|therefore|both|all|simply)\s+)?"
    r"(?:(?:(?<=is )|(?<=are )|(?<=was )|(?<=seems )|(?<=must be ))not\b|wrong|incorrect|false\b|out\b|ruled out"
    r"|eliminated|excluded|rejected|impossible|invalid|no good|too\b|can(?:not\b|['’]t)|(?:is|are|was|does|do)n['’]t"
    r"|doesn|does not|do not|fails?\b|falsch|nicht\b|faux|fausse|incorrect[ao]|falso|неверн|не\b|错|不对|不是)",
    re.IGNORECASE,
)
_REJECTING = re.compile(
    r"(?:\bnot|\bcannot|n['’]t|\bnever|\bthan|\binstead of|\bexcept|\bwithout|\beliminat\w+|\bexclud\w+|\brul\w+ out"
    r"|\breject\w*|\bneither|\bnor|\bnicht|\bpas|\bno es)"
    r"\s+(?:be\s+)?(?:the\s+)?(?:options?|choices?|answers?|letters?)?\s*\(?$",
    re.IGNORECASE,
)
_SECOND_THOUGHTS = re.compile(r"\?|\b(?:wait|actually|sorry|oops|correction|scratch|hmm)\b", re.IGNORECASE)
_REASON = re.compile(r"[\s,;]*(?:because|since|as|denn|weil|car|porque|因为)\b", re.IGNORECASE)


def mentioned(text: str, options: Container[str]) -> set[str]:
    """The options whose letters a text names."""
    return {letter for one in _MENTION.finditer(text) if (letter := one[1] or one[2]) in options}


def not_rejected(text: str, options: Container[str]) -> str | None:
    """Where a text rejects an option or thinks twice: the one that is left, "" if none or several are; else None."""
    mentions = {letter: one for one in _MENTION.finditer(text) if (letter := one[1] or one[2]) in options}
    rejected = {
        letter
        for letter, one in mentions.items()
        if _REJECTED.match(text, one.end()) or _REJECTING.search(text[max(0, one.start() - 40) : one.start()])
    }
    left = mentions.keys() - rejected
    if len(mentions) > 1 and _SECOND_THOUGHTS.search(text):
        return ""
    if len(left) > 1 and not _REASON.match(text, min(mentions[letter].end() for letter in left)):
        return ""
    return None if not rejected else left.pop() if len(left) == 1 else ""
