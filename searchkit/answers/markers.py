"""Words that say where the answer stands: "the answer is", "Answer:", a heading, in several languages.

A marker is followed by a link (a verb or a colon) and by the answer, on the same line or in the lines below. What
follows may be talk ("I hope this answer is helpful"), which is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from searchkit.answers.retractions import retracted

WORDS = ("answers?", "réponses?", "antwort(?:en)?", "respuestas?", "ответ", "答案", "答え", "解答", "答")
"""The word "answer" in English, French, German, Spanish, Russian, Chinese and Japanese, as regular expressions."""
CHOICES = ("options?", "choices?", "选择?", "选项", "選択肢", "вариант", "opción", "alternative", "正解")
"""Words that stand for "answer" where it is one of several options."""
MAX_MARKS = 30
"""How many markers are looked at, from the end."""

_LINK = (
    r"(?P<link>(?:is|are|(?:would|will|must|should|has to) be|equals|est|sont|ist|sind|lautet|lauten|beträgt|es|son|"
    r"равен|равно|равна)\b|应该是|应为|是|为|為|は|[:：=]|—|–)"
)
_BETWEEN = (
    r"(?:[*_ \t]|\([^()\n]{0,30}\)|,? (?:therefore|then|thus),?|,(?= )"
    r"|(?<=[ \t])(?:finale?|correct[ae]|choice|value)\b){0,12}"
)
_DETOUR = r"(?:(?<=[ \t])(?:to|for|of|in|we|that|à|de|auf|zu|на|der|a)\b[^.:=\n]{0,80}?)?"
_LEAD = re.compile(
    r"(?:[\s*_:：=…]|\.{2,}|—"
    r"|(?:therefore|thus|then|hence|simply|clearly|exactly|just|indeed|equal to|given by|as follows)\b)*"
)
_OPENING = re.compile(
    r"[\s*_#>(\[-]*(?:(?:so|thus|hence|therefore|the|my|our|your|a|final|correct|right|best|short|la|le|die|el|最终|正确|所以)"
    r"[\s,*_]*)*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[0-9]{1,2}[.)]\s+\S")
_FORMULA = re.compile(r"[\s-]*\$[^$\n]+\$[\s.,;]*")
_QUOTES = {"'": "'", '"': '"', "“": "”", "‘": "’", "«": "»", "「": "」"}
_HEADING = (
    r"^[ \t]{{0,8}}(?:#{{1,6}}[ \t]{{0,4}})?(?:\*\*|__)?(?:the |my |la |die )?(?:final |correct )?(?:{words})"
    r"[ \t]{{0,4}}(?:\*\*|__)?[ \t]{{0,4}}(?:\*\*|__)?[ \t]{{0,4}}$"
)
_DISPLAY = re.compile(
    r"\\\[(.*?)\\\]|\$\$(.*?)\$\$|\\begin\{(?:equation|align|gather)\*?\}(.*?)\\end\{|```\w*\n(.*?)```"
    r"|\[[ \t]{0,8}\n(.*?)\n[ \t]{0,8}\][ \t]{0,8}(?:\n|$)",
    re.DOTALL,
)
_SENTENCE = re.compile(
    r"(?<!\\)(?<!Mr)(?<!Mrs)(?<!Ms)(?<!Dr)(?<!St)(?<!vs)(?<!sq)(?<!approx)(?<!\bmin)(?<!\bmax)(?<!\.[A-Za-z])[.!?](?=\s|\*|$)"
    r"(?!(?<=\b(?i:ca|no|nr)\.)\s+[0-9])(?!(?<=[0-9]\.)\s+(?:Jan|Feb|Apr|Aug|Sept|Nov|Dez|Mai|März|Ju[nl]i|Okt))"
    r"|[。！？](?![0-9])|(?<=[a-z]\.[a-z])\.(?=\s+[A-Z]|\s*$)"
)
_DOUBT = re.compile(
    r"\b(?:hope|whether|if|check|verify|confirm|sure|know|think|believe|this|your|that)\s+(?:\w+\s+){0,3}$",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\b(?:wrong|incorrect|naive|tempting|common|(?:might|may|could|would) (?:think|say|guess)|hope"
    r"|(?:don['’]t|do not|cannot|can['’]t) (?:think|believe|say)|false that|not true|students|people|many"
    r"|glance|(?:first|initial) (?:guess|thought))\b|\bno\s+$",
    re.IGNORECASE,
)
"""Words before a marker that speak of an answer that is not the reply's."""
_TALK_WORDS = (
    "helpful correct right wrong incorrect clear unclear useful reasonable consistent valid verified confirmed "
    "accurate complete plausible good fine satisfactory above below here boxed given shown found provided as "
    "indeed simply obtained based obvious in our supported justified expected sensible simplified rounded"
)
_TALK = frozenset(_TALK_WORDS.split())
_SOFT_WORDS = "not very quite now also so already then really actually"
_SOFT = frozenset(_SOFT_WORDS.split())
_SIGNS = re.compile(r"[0-9\\$^=√π∞]")
_MAX_LOOK, _LONGEST_STRONG = 2000, 100


class Mark(NamedTuple):
    """One marker. start, begin, end: where it, its answer and that answer's end stand. colon: "Answer:", a heading.

    doubted: whether words before it ("let us check that the answer is") make it no statement. opens: whether it begins
    its line.
    """

    start: int
    begin: int
    end: int
    content: str
    colon: bool
    doubted: bool
    opens: bool

    @property
    def strong(self) -> bool:
        """Whether it is surely an answer, so that it stands against an earlier box: maths, or one letter."""
        bare = self.content.strip("*_ .()")
        if self.doubted or len(bare) > _LONGEST_STRONG:
            return False
        return bool(_SIGNS.search(bare)) or len(bare) == 1 or (self.colon and self.opens and len(bare.split()) < 6)


def marks(text: str, more: Sequence[str] = (), choices: bool = False) -> Iterator[Mark]:
    """The markers that are followed by an answer, from the last of `text` on; none before one that was taken back.

    more: markers of your own, as written.
    """
    lowered = text.casefold()
    if not more and not choices and not any(stem in lowered for stem in _STEMS):
        return
    pattern, heading = _patterns(tuple(more), choices)
    found = sorted([*pattern.finditer(text), *heading.finditer(text)], key=lambda match: match.start())
    for match in found[: -MAX_MARKS - 1 : -1]:
        mark = _marked(text, match)
        if mark.content and not _is_talk(mark):
            if retracted(text, mark.end, mark.content):
                return
            yield mark


_STEMS = ("answer", "réponse", "antwort", "respuesta", "ответ", "答")


@lru_cache(maxsize=64)
def _patterns(more: tuple[str, ...], choices: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    flags = re.IGNORECASE | re.MULTILINE
    known = [rf"(?<![^\W_]){word}" if word[0].isascii() else word for word in (*WORDS, *(CHOICES if choices else ()))]
    sentence = rf"(?:{'|'.join(known)}){_BETWEEN}{_DETOUR}{_BETWEEN}{_LINK}"
    own = "".join(rf"|{re.escape(word)}(?:[*_ \t]{{0,4}}[:：])?" for word in more)
    headings = "|".join([*known, *map(re.escape, more)])
    return re.compile(sentence + own, flags), re.compile(_HEADING.format(words=headings), flags)


def _marked(text: str, match: re.Match[str]) -> Mark:
    """The marker with its answer: display maths, else the sentence on its line or on the next that is not empty."""
    lead = _LEAD.match(text, match.end(), match.end() + _MAX_LOOK)
    begin = lead.end() if lead else match.end()
    link = match.groupdict().get("link")
    colon = link is None or link in ":：="
    before = re.split(r"[.!?\n]", text[max(0, match.start() - 120) : match.start()])[-1]
    doubted = _DOUBT.search(before) is not None
    if _REMARK.search(before) or (re.search(r"\bif\b", before, re.IGNORECASE) and "would" in match[0].casefold()):
        return Mark(match.start(), match.end(), match.end(), "", colon, doubted, False)  # about another answer
    opens = _OPENING.fullmatch(text[text.rfind("\n", 0, match.start()) + 1 : match.start()][-80:]) is not None
    display = _DISPLAY.match(text, begin, begin + _MAX_LOOK)
    if display:
        content = next(group for group in display.groups() if group is not None)
        return Mark(match.start(), begin, display.end(), content.strip(), colon, doubted, opens)
    line = _line(text, begin)
    below = "\n" in text[match.end() : begin]
    stop = None if below and _ITEM.match(line) else _SENTENCE.search(line)
    sentence = line if stop is None else line[: stop.start()]
    if stop is not None and stop[0] in "?？":
        sentence = ""  # a question is no answer
    content = _unquoted(sentence.strip())
    if below and re.match(r"-\s+[0-9]", content):
        content = f"{content.lstrip('- ')} or {content}"  # an item of a list or a negative number: both, as below
    if stop is not None and stop[0] == "!" and content[-1:].isdigit():
        content = f"{content} or {content}!"  # an exclamation or a factorial: both, which is unknown
    return Mark(match.start(), begin, begin + len(sentence), content, colon, doubted, opens)


def _unquoted(content: str) -> str:
    return content[1:-1] if len(content) > 2 and _QUOTES.get(content[0]) == content[-1] else content


def _line(text: str, begin: int) -> str:
    """The line that begins here, with the lines below as long as display maths or a box is open.

    Two lines with a formula each are one answer.
    """
    rest = text[begin : begin + _MAX_LOOK]
    line = rest.partition("\n")[0]
    if re.search(r"(?:\\\[|\$\$)\s*$", line) or ("\\boxed" in line and line.count("{") > line.count("}")):
        return rest.partition("\n\n")[0]
    following = rest[len(line) + 1 :].partition("\n")[0]
    return f"{line.rstrip(' .,;')}, {following}" if _FORMULA.fullmatch(line) and _FORMULA.fullmatch(following) else line


def _is_talk(mark: Mark) -> bool:
    """Whether the words behind a marker are about the answer instead of being it."""
    words = re.findall(r"[^\W\d_][\w'-]*", mark.content.casefold())
    while words and words[0] in _SOFT:
        words = words[1:]
    if words and words[0] in _TALK and not _SIGNS.search(mark.content.split()[0]):
        return True
    aside = mark.doubted or (mark.colon and not mark.opens)
    return aside and not _SIGNS.search(mark.content) and len(mark.content.strip("*_ .()")) > 1
