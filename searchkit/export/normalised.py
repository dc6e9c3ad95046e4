"""One spelling for prompts that say the same: what is held out is known again by it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from html import unescape

MOST = 200_000  # characters of a prompt that are looked at; longer ones are cut there
_LENGTH = r"\s{0,9}-?[\d.]{1,9}\s{0,9}(?:em|ex|pt|mu|cm|mm|in)\b"
_SPACING = re.compile(
    r"\\(?:[,;:!>\s]"
    r"|(?:q?quad|en(?:space|skip)|(?:neg)?(?:thin|med|thick)space|left|middle|right|(?:display|text|script)style"
    r"|(?:no)?limits|(?:math)?strut|(?:no|allow)break|hfill?|bigg?[lrm]?)(?![a-z])"
    rf"|[hv]space\s{{0,9}}\*?\s{{0,9}}\{{[^{{}}]{{0,40}}\}}|(?:[hvm]skip|m?kern){_LENGTH})"
)  # a command ends where its letters do: a digit may follow at once
_SIZED = re.compile(r"\\[dtc](?=frac|binom)")  # \dfrac and \tfrac say \frac


def normalised(text: str) -> str:
    """Letters and digits alone, small, without LaTeX's spacing: ``$1{,}000\\; x$`` and ``1000 X`` are equal.

    What is left out: case, blanks, punctuation, signs, brackets, markup, accents, what has no width, the grouping of
    digits, LaTeX spacing and sizes; digits of all scripts are read as ours. So problems that differ in signs alone
    count as the same one: held back rather than leaked. Paraphrases stay different. Cost: linear in the length, of
    which at most 200,000 characters are looked at.

    >>> normalised("What is $1{,}000 \\\\; + 2$?")
    'whatis10002'
    """
    return "".join(filter(str.isalnum, _SIZED.sub(r"\\", spaced(spelt(text).casefold()))))


def spelt(text: str) -> str:
    """The first `MOST` characters without entities of HTML, accents, other forms of a character, and invisible ones."""
    found = unescape(text[:MOST])
    for _ in range(0 if found.isascii() else 2):  # what is small has forms of its own
        found = "".join(map(_spelt, unicodedata.normalize("NFKD", found).casefold()))
    return found


def spaced(text: str) -> str:
    """Small letters with a blank for LaTeX's spacing and sizes."""
    return _SPACING.sub(" ", text)


@lru_cache(maxsize=4096)
def _spelt(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Mn", "Me", "Cf"):
        return ""
    return str(unicodedata.decimal(character)) if kind == "Nd" else character


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
