"""One spelling for prompts that say the same: what is held out is known again by it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b

MOST = 200_000  # characters of a prompt that are looked at; longer ones are cut there
_SPACING = re.compile(
    r"\\(?:[,;:!>\s]|quad\b|qquad\b|enspace\b|thinspace\b|left\b|right\b|displaystyle\b|textstyle\b|limits\b"
    r"|[hv]space\*?\{[^{}]{0,20}\}|bigg?[lrm]?\b)"
)
_SIZED = re.compile(r"\\[dt](?=frac|binom)")  # \dfrac and \tfrac say \frac


def normalised(text: str) -> str:
    """Letters and digits alone, small, without LaTeX's spacing: ``$1{,}000\\; x$`` and ``1000 X`` are equal.

    What is left out: case, blanks, punctuation, signs, brackets, markup, the grouping of digits, LaTeX spacing and
    sizes. So problems that differ in signs alone count as the same one: held back rather than leaked. Paraphrases stay
    different. Cost: linear in the length, of which at most 200,000 characters are looked at.

    >>> normalised("What is $1{,}000 \\\\; + 2$?")
    'whatis10002'
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[:MOST]).casefold())
    return "".join(filter(str.isalnum, _SIZED.sub(r"\\", _SPACING.sub(" ", plain))))


def digest(text: str) -> bytes:
    """8 bytes that name a text that is normalised already."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def runs(text: str, most: int = 40) -> Iterator[bytes]:
    """Digests of the whole text and of every run of its lines, the first `most` of them: a question in a template.

    A line that begins "Question:" or the like counts without that, too. Empty lines are left out.
    """
    yield digest(normalised(text))
    lines = [line for line in text[:MOST].splitlines() if normalised(line)][:most]
    plain = [normalised(line).encode() for line in lines]
    for first, line in enumerate(lines):
        for opening in {plain[first], normalised(line.partition(":")[2]).encode()} - {b""}:
            running = blake2b(opening, digest_size=8)
            yield running.digest()
            for following in plain[first + 1 :]:
                running.update(following)
                yield running.digest()
