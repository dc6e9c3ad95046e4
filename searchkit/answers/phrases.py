r"""Words around an answer: "18 eggs", "that John has 18 apples left", "9 (apples)", "18 because 12 + 6 = 18".

Reduced to the number only where that is its one reading. Two numbers, or a word beside the number that changes what it
says ("not 16", "5 or 7", "between 3 and 4", "2 dozen", "room 12"), leave the text as it is, which then equals nothing.
"""

from __future__ import annotations

import re

from searchkit.answers.arithmetic import result
from searchkit.answers.characters import plain
from searchkit.answers.number_words import multiplied, number_in_words
from searchkit.answers.qualifiers import SHORT, changes, labels
from searchkit.answers.units import measured

MAX_PHRASE = 400
"""Longest text in characters in which words are looked at."""

_MATHS_TEXT = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp sqrt pi infinity infty inf and or lim "
    "max min gcd lcm mod det theta alpha beta gamma lambda"
)
_MATHS_WORDS = frozenset(_MATHS_TEXT.split())
_REASON = re.compile(r"[,;]?\s+(?:because|since|as|so|therefore|which|weil|denn|car|parce|porque|потому|так как)\s")
_PART = re.compile(
    r"\$\$?[^$]*\$\$?|\\\([^()]*?\\\)"
    r"|(?P<text>\\(?:text|textbf|textrm|textit|mbox)\s*\{(?P<inner>[^{}]*)\})"
    r"|(?P<word>(?<![A-Za-z\\])(?:[aAI](?=\s+[^\W\d_]{2})|(?:[^\W\d_]\.)+[^\W\d_]?\.?|(?<![A-Za-z\\])[^\W\d_]{2,}(?:['’-][^\W\d_]+)*\.?))"
    r"|\\[A-Za-z]+|."
    ,
    re.DOTALL,
)  # fmt: skip
_LOWER = re.compile(r"(?<![\w\\{^])[a-z]{4,}(?!\w)")
_WRAPPED = re.compile(r"\s*\\(?:text|textbf|textrm|textit|mbox)\s*\{([^{}]*)\}[\s.]*")
_TWICE = re.compile(r"([A-Za-z -]+?)\s*\(\s*([0-9][0-9,]*)\s*\)")
_ASIDE = re.compile(r"\s*\(\s*([A-Za-z][A-Za-z.'’\s-]+)\)\s*$")
_LINKS_WORDS = (
    "is are was were be has have had gets got get equals equal to of number total exactly only just makes make "
    "made pays paid pay costs cost needs need needed left with takes take took earns earned spends spent sells "
    "sold buys bought eats ate owes saves saved there by for in at that received receives ist sind est sont es "
    "son хватит равен равно равна lautet beträgt the runs ran walks walked drives drove reads read ends will "
    "holds weighs contains gives give gave leaves becomes became donc also alors entonces hence "
    "value answer result sum difference product "
    "therefore thus"
)
_LINKS = frozenset(_LINKS_WORDS.split()) - {"of", "by"}
_AMOUNTS_TEXT = (
    "total sum number amount value answer result cost price distance area perimeter length height width depth volume "
    "speed weight age profit average mean count score salary balance bill rate temperature time team group set"
)
_AMOUNTS = frozenset(_AMOUNTS_TEXT.split())
_PLURAL = re.compile(r"[a-z'’-]{2,}(?:[^s'’]s|[aeio])[.,;:!'’]*", re.IGNORECASE)  # in Italian without an s
_PLURALS_TEXT = (
    "people children men women feet teeth mice geese fish sheep deer dice oxen data money rice bread water milk juice "
    "sugar flour sand paint gas fuel food grass snow rain cash candy fruit corn wheat hay wood paper homework "
    "furniture luggage equipment work sleep exercise mail eur usd chf gbp euro euros kids"
)
_PLURALS = frozenset(_PLURALS_TEXT.split())
"""What is counted without an s: irregular plurals, and what is measured."""
_TAILS = frozenset(
    ("left", "total", "altogether", "each", "overall", "apiece", "in all", "in total", "per", "remaining")
)
_SINGLE = re.compile(r"-?(?:1|0?\.[0-9]+|[0-9]+/[0-9]+|\\[dt]?frac.*)")
_NAMED = "="
"""Stands behind the words that name a number: "Area = 12"."""
_SPOKEN = re.compile(r"(です|だ|である|でした|。)+\s*$")
_ENDING = re.compile(r"[\s.,;:!*_]+$")
_NUMBER = re.compile(
    r"[-+]?\s*\$?(?:\\[dt]?frac\{[0-9]+\}\{[0-9]+\}|\\[dt]?frac[0-9][0-9]|[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+|[0-9]+/[0-9]+)"
)
_PREAMBLE = re.compile(r"^\s*(?:the )?(?:solutions?|answers?|results?) (?:is|are|set is)\s*:?\s*", re.IGNORECASE)
_OPTION = re.compile(
    r"\s*(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|letter|opción|réponse|antwort|la|选项)\s*\(?([A-Z])\)?[\s.]*",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{3,}")
_LONGEST_REASON = 80
_SENTENCE = re.compile(r"[a-z)$}][.;:]\s")
_LETTER_IS = re.compile(r"^\s*(?:\$([A-Za-z])\$|([A-Za-z]))\s+(?:is|equals|=|ist|est|es)\s+(?=[-0-9.\\$])")


def reduced(text: str) -> str:
    """The answer of a phrase, or the phrase where it has no single one. Linear time."""
    text = spoken(plain(text))
    if len(text) > MAX_PHRASE or not re.search(r"[^\W\d_]{2}|=|\)", text):
        return text
    if (total := result(text)) is not None:
        return total
    text = _WRAPPED.sub(r"\1", text) if _WRAPPED.fullmatch(text) else text
    text = _PREAMBLE.sub("", text)
    if option := _OPTION.fullmatch(text):
        return option[1]
    text = _LETTER_IS.sub(r"\1\2 = ", text)
    reason = _REASON.search(text)
    if (
        reason
        and len(text) - reason.end() <= _LONGEST_REASON
        and not _SENTENCE.search(text)
        and re.search("[0-9]", text[: reason.start()])
    ):
        head = text[: reason.start()]
        head = result(head) or _without_words(head)
        if not _LONG_WORD.search(head) and "," not in head:
            return head
    bare = _ENDING.sub("", text.strip("*_ "))
    if (whole := number_in_words(bare)) is not None:
        return str(whole)
    if (twice := _TWICE.fullmatch(bare)) and str(number_in_words(twice[1])) == twice[2].replace(",", ""):
        return twice[2]
    return _without_words(text)


def spoken(text: str) -> str:
    """`text` without the copula that ends a sentence in Japanese."""
    return text if text.isascii() else _SPOKEN.sub("", text)


def _without_words(text: str) -> str:
    """The one piece of maths between the words, if they do not change it."""
    aside = _ASIDE.search(text)
    before, maths, after = _split(text[: aside.start()] if aside else text)
    core = _ENDING.sub("", maths).strip(" ,:*_")
    if aside and str(number_in_words(aside[1])) == core:
        return core
    if aside and not after:
        after = aside[1]
    elif aside:
        after += f" {aside[1]}"
    if not re.search("[0-9]", maths) or not (before or after):
        return text
    before, core = _signed(before, core)
    after, factor = _factor(after)
    said = f"{before} ; {after}"
    counted = _follows(after.casefold() if aside else after, core, aside=aside is not None)
    if changes(said) or _counts(said) or not _leads(before) or not counted:
        return text
    unit = _unit(after)
    return " ".join(filter(None, (core, factor, f"\\text{{{unit}}}" if unit else "")))


def _signed(before: str, core: str) -> tuple[str, str]:
    negative = re.search(r"(?:^|\s)(?:minus|negative)\s*$", before)
    if negative and _NUMBER.fullmatch(core):
        return before[: negative.start()], f"-{core}"
    return before, core


def _counts(said: str) -> bool:
    """Whether one of these words is a number of its own."""
    return any(number_in_words(word) is not None for word in re.findall("[A-Za-z]+", said))


def _unit(after: str) -> str:
    """The longest beginning of these words that is a unit of measure, else nothing."""
    words = after.split()[:5]
    tries = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    return next((text for text in tries if measured(f"1 {text}").unit), "")


def _split(text: str) -> tuple[str, str, str]:
    """Words, maths, words; the maths is empty where there are two pieces of it, or none."""
    before: list[str] = []
    maths: list[str] = []
    after: list[str] = []
    amid_words = any(_is_word(word[0].casefold()) for word in _LOWER.finditer(text))
    for part in _PART.finditer(text):
        word = part["inner"] if part["text"] else part["word"]
        if word is not None and (part["text"] or _is_word(word.rstrip(".").casefold(), amid_words)):
            (after if maths else before).append(word)
        elif after and not part[0].isspace() and part[0] not in ".,;:!'\"*_~":
            return "", "", ""  # maths again, behind words
        elif maths or not part[0].isspace():
            (after if after else maths).append(part[0])
    lead = "".join(maths)
    if before and re.match(r"-\s", lead.lstrip()):
        return "", "", ""  # a dash or a minus sign
    if re.match(r"\s*[=:]", lead) and (not before or max(map(len, before)) < 4 or "=" in lead[2:]):
        return "", "", ""
    if re.match(r"\s*[=:]", lead):
        before.append(_NAMED)
    return (
        " ".join(before),
        lead.lstrip(" ,:.=*_") if before else lead,
        " ".join(word for word in after if word.strip()),
    )


def _is_word(word: str, amid_words: bool = False) -> bool:
    known = len(word) > 3 or "." in word or not word.isascii() or word in SHORT or (amid_words and len(word) == 3)
    return word not in _MATHS_WORDS and known


def _factor(after: str) -> tuple[str, str]:
    """Words behind a number without a leading million; and that word."""
    bare, times = multiplied(f"1 {after}")
    return (bare.removeprefix("1").strip(), after.split()[0]) if times != 1 else (after, "")


def _leads(before: str) -> bool:
    """Whether these words lead to a number that follows: none, or the last of them links, or a name and a sign."""
    words = before.casefold().split()
    if not words:
        return True
    last = words[-1].rstrip(".,:")
    if last == "of":  # "a total of 5", but not "the square of 5"
        return len(words) > 1 and words[-2] in _AMOUNTS
    return not labels(before) and last in _LINKS | {_NAMED}


def _follows(after: str, core: str, *, aside: bool = False) -> bool:
    """Whether these words count what the number before them says: "18 eggs", but not "10 Downing Street", "5 fails"."""
    if not after or _unit(after):
        return True
    capitals = sum(word[0].isupper() for word in after.split())
    number = core.strip(" $(")
    counted = capitals < (1 if after[0].islower() else 2) and (
        _NUMBER.fullmatch(number) is not None or core.count("$") >= 2
    )
    return counted and (aside or _SINGLE.fullmatch(number) is not None or _counts_things(after))


def _counts_things(after: str) -> bool:
    """Whether one of the words is in the plural, stands for an amount, or may be a noun of another language."""
    words = after.split()
    if not words[0].isascii() or (words[0][0].isupper() and len(words[0]) > 2):
        return True
    if " ".join(words).casefold() in _TAILS or words[0].casefold() in _TAILS:
        return True
    return any(word.casefold().rstrip(".,;:!'’") in _PLURALS or _PLURAL.fullmatch(word) for word in words[:5])
