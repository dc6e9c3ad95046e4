r"""Units of measure behind a number: `5 cm`, `5cm`, `144 m^3`, `3 \mathrm{km}/\mathrm{h}`, `\$5`, `5元`.

A unit that we know has one name, so that two can be compared; none is converted. What else is said behind a number in
a text command, and the counters of Chinese and Japanese, is dropped without a name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from searchkit.answers.qualifiers import changes

_NAMES: tuple[tuple[str, ...], ...] = (
    ("mm", "millimeter", "millimetre"), ("cm", "centimeter", "centimetre", "厘米", "公分"), ("dm", "decimeter"),
    ("m", "meter", "metre", "mtr", "米"), ("km", "kilometer", "kilometre", "千米", "公里"), ("nm", "nanometer"),
    ("in", "inch", "inche"), ("ft", "feet", "foot"), ("yd", "yard"), ("mi", "mile"), ("mph",), ("kph", "kmph"),
    ("mg", "milligram"), ("g", "gram", "gm", "克"), ("kg", "kilogram", "kilo", "千克", "公斤"),
    ("t", "ton", "tonne", "吨"), ("oz", "ounce"), ("lb", "pound"), ("s", "sec", "second", "秒"),
    ("min", "minute", "分钟"), ("ms", "millisecond"),
    ("h", "hr", "hour", "小时", "時間"), ("day", "天"), ("wk", "week", "周"), ("month", "mo", "个月"),
    ("yr", "year", "年"), ("ml", "milliliter", "millilitre", "毫升"), ("l", "liter", "litre", "升"),
    ("gal", "gallon"), ("qt", "quart"),
    ("pint",), ("n", "newton"), ("j", "joule"), ("kj", "kilojoule"), ("w", "watt"), ("kw", "kilowatt"),
    ("pa", "pascal"), ("kpa",), ("v", "volt"), ("hz", "hertz"), ("ohm",), ("mol", "mole"),
    ("k", "kelvin"), ("c", "celsius"),
    ("f", "fahrenheit"), ("rad", "radian"), ("ev",), ("mev",), ("acre",), ("hectare", "ha"), ("au",),
    ("cal", "calorie"),
    ("cent", "¢"), ("euro", "eur", "€"), ("gbp", "£"), ("yen", "jpy", "円"), ("yuan", "cny", "rmb", "元"),
    ("rupee", "rs", "inr", "₹"), ("dollar", "usd", "美元"), ("deg", "degree", "°", "度"), ("unit",), ("percent",),
)  # fmt: skip
_KNOWN = {name: names[0] for names in _NAMES for name in names}
DROPPED = ("dollar", "deg", "unit")
"""Units that say nothing where the question asks for them: keys for votes lack them."""
_SINGLE = frozenset("mgshlnjwvkcft")
"""Letters that may be a unit or a variable."""
_WRAPPED = r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mathit|mbox|hbox|operatorname|rm)(?![A-Za-z])\s*\{([^{}]*)\}"
_PIECE = re.compile(
    _WRAPPED
    + r"|\{\s*\\(?:rm|text)\s+([^{}]*)\}|\{\s*([A-Za-z]{2,})\s*\}|([A-Za-z]+|[°¢€£円元米度]|[\u4e00-\u9fff]+)\.?"
    r"|(\^\s*\{?\s*-?[0-9]\s*\}?|[²³])|(/|\\cdot(?![A-Za-z])|\*|-)"
    r"|([\s~$]+|\\[,;: ]|\\circ(?![A-Za-z]))|(\\[A-Za-z]+|.)",
    re.DOTALL,
)
_CURRENCY = re.compile(
    r"^\s*(-?)\s*(?:US|(?P<of>[AC]))?(?P<sign>\\?\$|€|£|\\pounds|¥|₹|USD|EUR|GBP|Rs\.?)\s*(?=[-0-9.\\])"
)
_CURRENCIES = {"$": "dollar", "\\$": "dollar", "€": "euro", "£": "gbp", "\\pounds": "gbp", "¥": "yuan", "₹": "rupee",
               "USD": "dollar", "EUR": "euro", "GBP": "gbp", "Rs": "rupee", "Rs.": "rupee"}  # fmt: skip
_ELSEWHERE = {"A": "aud", "C": "cad"}
_COUNTERS = re.compile(r"(?<=[0-9}])\s*[个只人本次条块名张支枚個匹冊杯台倍件岁歳棵朵页頁层間回つ位辆头座种组]+\s*$")
_DOLLARS = re.compile(r"(?<!\\)\$")
_LAYOUT = re.compile(r"(?:[\s~]|\\[,;:! ]|\\$)+$")
_ENDS_VALUE = re.compile(r"[0-9})\]A-Za-z|!.]\s*$")
_SQUARE = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cu": "^3", "cubed": "^3"}


_POWERS = ("squared", "cubed")


class Measured(NamedTuple):
    """value: the text without its unit. unit: its name, "" if there is none. certain: no letter may be a variable."""

    value: str
    unit: str = ""
    certain: bool = True


def measured(text: str) -> Measured:
    """An answer split into what is measured and the unit. Linear time."""
    text = _COUNTERS.sub("", text)
    if not len(_DOLLARS.findall(text)) % 2:  # else one is a currency's
        text = _DOLLARS.sub("", text)
    if currency := _CURRENCY.match(text):
        rest = measured(text[currency.end() :])
        name = _ELSEWHERE.get(currency["of"], _CURRENCIES[currency["sign"]])
        both = name if rest.unit in ("", name) else f"{name} {rest.unit}"
        return Measured(currency[1] + rest.value, both, rest.certain)
    pieces = list(_PIECE.finditer(text))
    start, words, certain = _tail(pieces)
    cut = pieces[start].start() if start < len(pieces) else len(text)
    before = _LAYOUT.sub("", text[:cut])
    if not words or not _ENDS_VALUE.search(before) or not re.search(r"[0-9A-Za-z]", before):
        return Measured(text)
    return Measured(before, _named(words), certain)


def is_unit(word: str) -> bool:
    """Whether a word of two letters or more is a unit of measure, in singular or plural."""
    return len(word) > 1 and _base(word) is not None


def _base(word: str) -> str | None:
    word = word.casefold().rstrip(".")
    return _KNOWN.get(word) or (_KNOWN.get(word[:-1]) if len(word) > 3 and word.endswith("s") else None)


def _tail(pieces: list[re.Match[str]]) -> tuple[int, list[str], bool]:
    """Where the unit at the end begins, its words in order, and whether all of them are surely units."""
    words: list[str] = []
    start, sure, at = len(pieces), False, len(pieces)
    doubtful = False
    while at:
        at -= 1
        wrapped, letters, power, sign = _kinds(pieces[at])
        if wrapped is not None:
            found = re.findall(r"[A-Za-z°¢€£\u4e00-\u9fff]+|\^?[0-9]|[/²³]", wrapped)
            braced = pieces[at][3] is not None and not (_base(wrapped) and _after_number(pieces, at))
            letter = re.fullmatch("[A-Za-z]", wrapped.strip()) and wrapped.strip().lower() not in _SINGLE
            odd = re.search(r"[0-9=()]", re.sub(r"\^[0-9]", "", wrapped)) or changes(wrapped)
            if letter or braced or odd or not found:
                break
            words[:0], start, sure = found, at, True
        elif letters is not None:
            single = len(letters) == 1 and letters.lower() in _SINGLE
            if not single and not (letters in _SQUARE or letters == "per" or _base(letters)):
                break
            words[:0], start = [letters], at
            sure, doubtful = sure or not single, doubtful or single
        elif power or sign:
            words[:0] = [power or sign]
        elif pieces[at][7] is None and pieces[at][0] not in ".,":
            break
    lost = words[: max(0, len(words) - _counted(pieces, start))]
    factor = any(not word.lstrip("^-").isdigit() and word not in "²³" for word in lost)  # "4 \\cdot t"
    alone = all(word.casefold() in _SQUARE for word in words[len(lost) :]) or words[len(lost)].casefold() in _POWERS
    return (len(pieces), [], True) if factor or alone else (start, words[len(lost) :], sure or not doubtful)


def _after_number(pieces: list[re.Match[str]], at: int) -> bool:
    return at > 0 and (pieces[at - 1][0].isdigit() or pieces[at - 1][7] is not None)


def _kinds(piece: re.Match[str]) -> tuple[str | None, str | None, str, str]:
    wrapped = next((piece[group] for group in (1, 2, 3) if piece[group] is not None), None)
    return wrapped, piece[4], (piece[5] or "").translate({ord(c): "" for c in "^{} "}), piece[6] or ""


def _counted(pieces: list[re.Match[str]], start: int) -> int:
    """How many words `_tail` takes from the pieces behind `start`."""
    total = 0
    for piece in pieces[start:]:
        wrapped, letters, power, sign = _kinds(piece)
        if wrapped is not None:
            total += len(re.findall(r"[A-Za-z°¢€£\u4e00-\u9fff]+|\^?[0-9]|[/²³]", wrapped))
        else:
            total += bool(letters or power or sign)
    return total


def _named(words: list[str]) -> str:
    """One name for a unit; "" where no word is a unit that we know, so that it counts something."""
    known, name, raised = False, "", ""
    for word in words:
        power = _SQUARE.get(word.casefold())
        base = _base(word)
        known = known or base is not None
        if power and not name.endswith(tuple(_KNOWN.values())):
            raised = power
        elif power or word.lstrip("^-").isdigit() or word in "²³":
            name += power or "^" + word.lstrip("^").replace("²", "2").replace("³", "3")
        elif word in ("/", "per"):
            name = name.rstrip(" ") + "/"
        elif word not in ("\\cdot", "*", "-"):
            name += ("" if name.endswith("/") or not name else " ") + (base or word.casefold()) + raised
            raised = ""
    return name.removeprefix("/") if known else ""
