"""The key for multiple choice: which of the options a reply says, by its letter or by its text."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from searchkit.answers.boxes import boxes
from searchkit.answers.canonical import canonical
from searchkit.answers.characters import plain
from searchkit.answers.extractor import Extractor
from searchkit.answers.ladder import tagged
from searchkit.answers.markers import MAX_MARKS, marks
from searchkit.answers.phrases import spoken
from searchkit.answers.rejections import mentioned, not_rejected
from searchkit.errors import ConfigError

MAX_LINE = 200
"""Longest last line in characters that may say an option without a marker."""

_WRAPPED = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox|boxed)\s*\{([^{}]*)\}")
_LEAD = re.compile(
    r"^(?:(?:the|la|le|die|der|das|el)\s+)?(?:correct\s+|best\s+|right\s+|richtige\s+)?"
    r"(?:options?|choices?|answer|letter|antwort|réponse|opción|respuesta|选项|вариант)?\s*",
    re.IGNORECASE,
)
_LETTER_ALONE = re.compile(r"[\s*(]*[A-Z][\s*).:]*")
_OTHER = re.compile(
    r"\s*(?:,|/|&|;|\bor\b|\band\b|\boder\b|\bund\b|\bou\b|\bet\b|\bo\b|\by\b|或|和|или)\s*(?:[A-Za-z]+\s+)?\(?([A-Z])\b"
)
_REASON = re.compile(r"^\s*(?:because|since|as|so|is|was|denn|weil|ist|est|es|因为|,|;|-|–|—)(?=\W|\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Choice(Extractor):
    """The letter of the option that a reply says; None where it says none or two.

    options: (letter, text) of each; the texts may be empty. markers: more words that stand before an answer.
    """

    options: tuple[tuple[str, str], ...]
    markers: tuple[str, ...] = ()

    def extract(self, text: str) -> str | None:
        """The last place that says an option: a box, what follows a marker, the last line, or the whole short text."""
        places = [(mark.begin, mark.content) for mark in marks(text, self.markers, choices=True)]
        boxed = [(box.start, box.content) for box in boxes(text) if box.content is not None]
        inside = [(text.rfind(part), part) for part in tagged(text)[-MAX_MARKS:] if len(part) <= MAX_LINE]
        for found in (boxed[-MAX_MARKS:], inside):
            if len({self._said(content) for _, content in found} - {None}) > 1 and not places:
                return None
            places += found
        lines = [line for line in text.strip().split("\n") if line.strip()]
        if len(lines) > 1 and _LETTER_ALONE.fullmatch(lines[0]) and self._said(lines[-1]) is None:
            lines = lines[:1]  # the letter, then why
        lines = lines[-2:]
        for _, content in sorted(places, reverse=True):
            said = self._said(content)
            if said is not None:
                return said or None
        answers = [self._said(line) if len(line) <= MAX_LINE else None for line in lines]
        listed = len({answer for answer in answers if answer}) > 1  # two lines with two letters list the options
        return None if listed or not answers else answers[-1] or None

    def _said(self, content: str) -> str | None:
        """The letter that a text says, "" where it says several, None where it says none."""
        text = spoken(_WRAPPED.sub(r"\1", plain(content).replace("$", ""))).strip(" *_`\"'.\n\t")
        if text.endswith("?"):
            return ""
        if (by_text := self._by_text(text)) is not None:
            return by_text if mentioned(text, dict(self.options)) <= {by_text} else ""
        if (left := not_rejected(text, dict(self.options))) is not None:
            return left
        bare = _LEAD.sub("", text, count=1).lstrip("*_ ([\"'")
        found = re.match(r"\(?\s*([A-Za-z])\s*(?![+#])(\)|[.:]|\]|\b)", bare)
        if found is None or found[1].upper() not in dict(self.options):
            return None
        letter, rest = found[1].upper(), bare[found.end() :].strip(" *_")
        closed = found[2] in (")", ".", ":", "]")
        if found[1].islower() and not closed and rest:
            return None
        other = _OTHER.match(rest)
        if other and other[1] in dict(self.options):
            return ""
        return self._with_text(letter, rest.lstrip(").:*_ ]-,;=(").removeprefix("i.e.").strip(" )"), closed, rest)

    def _with_text(self, letter: str, rest: str, closed: bool, whole: str) -> str | None:
        """A letter with what is said behind it: its own option's text, a reason, or nothing."""
        said = self._by_text(rest) if rest else None
        if said is not None:
            return said if said == letter else ""
        return letter if not rest or closed or _REASON.match(whole) or letter not in ("A", "I") else None

    def _by_text(self, text: str) -> str | None:
        """The letter of the option with this text."""
        key = canonical(text)
        letters = [letter for letter, option in self.options if option and canonical(option) == key is not None]
        return letters[0] if len(letters) == 1 and key not in dict(self.options) else None

    def __call__(self, value: object) -> Hashable | None:
        found = self.written(value)
        return found if isinstance(found, str) else None


def choice(options: str | Sequence[str] | Mapping[str, str], markers: Sequence[str] = ()) -> Choice:
    """The key `Choice`: the letters ("ABCD"), the options' texts in order, or a mapping from letters to texts."""
    pairs = (
        tuple(options.items())
        if isinstance(options, Mapping)
        else tuple((letter, "") for letter in options)
        if isinstance(options, str)
        else tuple(zip(ascii_uppercase, options, strict=False))
    )
    letters = [letter for letter, _ in pairs]
    if (
        not pairs
        or len({*letters}) < len(letters)
        or not all(len(one) == 1 and one in ascii_uppercase for one in letters)
    ):
        raise ConfigError(f"choice(...) needs options with one capital letter each, got {options!r:.80}")
    if not isinstance(options, str) and len(options) > len(ascii_uppercase):
        raise ConfigError(f"choice(...) takes at most {len(ascii_uppercase)} options, got {len(options)}")
    return Choice(pairs, tuple(markers))
