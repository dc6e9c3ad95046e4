"""Words beside a number that change what it says, so that the number alone is not the answer."""

from __future__ import annotations

import re

from searchkit.answers.foreign_words import changes_abroad

_MULTIPLY = (
    "dozen dozens score scores hundred hundreds thousand thousands million millions billion billions trillion "
    "trillions gross half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh "
    "eighth eighths ninth tenth tenths hundredth hundredths thousandth thousandths twice double triple bn mn lakh "
    "lakhs crore crores couple tens ones grand basis promille"
)
_OPERATE = (
    "plus minus over divided multiplied squared cubed root roots factorial mod modulo choose pi power raised "
    "logarithm log sine cosine tangent negative positive opposite reciprocal inverse sqrt theta infinity base binary "
    "hex hexadecimal octal decimal digits"
)
_DENY = (
    "not no never neither nor isn't aren't wasn't cannot can't don't doesn't without except instead rather nicht "
    "pas non ни не нет ningún sino"
)
_DOUBT = (
    "or either maybe perhaps possibly probably might could may unless if whether unknown undefined impossible wrong "
    "false incorrect unclear depending depends oder ou o или"
)
_COMPARE = (
    "than least most under above below beyond between around about approximately approx roughly nearly almost "
    "circa exceeding exceeds from to until through up within range ranges maximal minimal environ около approximate "
    "estimated close zero less fewer loss losses deficit debt decrease drop decline reduction down behind short"
)
_CHANGED = (
    "extraneous rejected fails fail maximum minimum otherwise average underwater removed lost gained owed older "
    "younger earlier later taller shorter longer heavier lighter faster slower cheaper higher lower warmer colder "
    "deeper richer poorer bigger smaller larger repeating periodic doubled tripled squared halved"
)
_DATE = (
    "january february march april june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday jan feb apr jun jul aug sept oct nov dec am pm a.m p.m a.m. p.m. o'clock noon "
    "midnight bc ad bce ce past"
)
_COMPARED = frozenset(("more", "mehr", "más", "plus", "meer", "mais", "più", "extra", "additional"))
_CHANGERS = frozenset(" ".join((_MULTIPLY, _OPERATE, _DENY, _DOUBT, _COMPARE, _CHANGED, _DATE)).split())
_LABELS_WORDS = (
    "chapter page room route type grade level step part day week month year phase stage section figure table "
    "equation option choice case version highway apollo problem question number-line item line class player "
    "exercise team group vendor brand box door base row column column"
)
_LABELS = frozenset(_LABELS_WORDS.split())
_SHORT_WORDS = (
    "a an as at be by do for had has he her him his if in is it its me my of on our per she so the to us was we "
    "who you and are can did get got not now off one out own put say see two too use via way all any few new old "
    "men man day dog cat boy egg pen cup car bag hat cow pig hen bus box yes no nor but toy fox bat ant bee pie "
    "nut cap jar can tin kid set job key bed cab leg arm eye ear oz lb ft cm mm km kg mg ml hr hrs min sec yd mi "
    "mph am pm mr ms vs est ist les des der die das und von le la de du en el los por ein una un et es son que il "
    "mes año más less was won saw ran ate odd sum cos"
)
SHORT = frozenset(_SHORT_WORDS.split()) - {"cos"}
"""Words of two or three letters; other runs of so few letters are products of symbols."""

_PART_OR_MULTIPLE = re.compile(
    r"(?:one-?)?(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie|hundred|thousand|million|billion)ths?"
    r"|[a-z]*illi(?:on|ard)(?:s|en|i|es)?|[a-z]{3,}ièmes?|[a-z]{3,}avos?|milyar|tỷ|пят\w+|\w+ных"
)
_WORD = re.compile(r"[^\W\d_]+(?:[.'’-][^\W\d_]+)*\.?", re.UNICODE)


def changes(text: str) -> bool:
    """Whether a word of `text` multiplies, negates, doubts, compares or dates the number beside it."""
    words = _WORD.findall(text.casefold())
    if words and words[-1] in _COMPARED:
        return True  # "4 more": than something that was not said
    words += [part for word in words if "-" in word for part in word.split("-")]  # "half-dozens"
    if any(_PART_OR_MULTIPLE.fullmatch(word) for word in words):
        return True
    return any(word in _CHANGERS or word.rstrip(".") in _CHANGERS or changes_abroad(word) for word in words)


def labels(text: str) -> bool:
    """Whether `text` ends in a word that a number belongs to as a name: "room" in "room 12"."""
    words = _WORD.findall(text.casefold())
    return bool(words) and words[-1].rstrip(".") in _LABELS
