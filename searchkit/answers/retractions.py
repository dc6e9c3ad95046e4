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
    rf"|(?:^|[.!?\n,;–—-])\s*(?:no|wait|oops|sorry|actually|hmm|rather)\b[\s,.:!–—-]*"
    rf"(?:(?:no|wait|actually|sorry)\b[\s,.:!–—-]*)*(?:(?:it|that|the answer|i mean)(?:{_BE})?(?: \w+)? ?)?{_ANOTHER}",
    re.IGNORECASE,
)
_CUES = re.compile(
    r"wrong|incorrect|mistake|error|not |scratch|correction|no\b|wait|oops|sorry|actually|hmm|rather",
    re.IGNORECASE,
)  # looked for first, because most texts have none


def retracted(text: str, begin: int) -> bool:
    """Whether what stands behind `begin` takes back the answer that ends there."""
    behind = text[begin : begin + MAX_BEHIND]
    return _CUES.search(behind) is not None and _RETRACTED.search(behind) is not None
