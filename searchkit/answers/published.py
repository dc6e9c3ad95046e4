r"""Answer keys that find and spell answers as the graders do that two data sets were published with.

`published_gsm8k` follows the script of GSM8K (Cobbe et al. 2021): what stands behind the first "#### ", of digits,
dots, commas and a sign, without its commas. `published_math` follows that of MATH (Hendrycks et al. 2021): the last
box, its LaTeX brought into one spelling, and compared letter by letter. Both are stricter than `default`, and both
make mistakes of their own: to the first, "18." and "18" differ; the second drops what stands before a single "=".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from searchkit.answers.boxes import boxes
from searchkit.answers.extractor import Extractor

_MARKED = re.compile(r"#### (-?[0-9.,]+)")
_UNIT = "\\text{ "
_SQRT = re.compile(r"\\sqrt([^{])")
_FRACTION = re.compile(r"\\frac(?:([^{])([^{])|([^{])(\{))")
_QUOTIENT = re.compile(r"(-?[0-9]+)/(-?[0-9]+)")
_DROPPED = ("\n", "\\!", "\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "\\%", "%")


@dataclass(frozen=True)
class Published(Extractor):
    """A key that settles on the text of one grader, without canonical form. grader: "gsm8k" or "math"."""

    grader: str

    def extract(self, text: str) -> str | None:
        if self.grader == "gsm8k":
            found = _MARKED.search(text)
            return None if found is None else found[1]
        last = boxes(text)[-1:]
        return last[0].content if last else None

    def written(self, value: Any) -> Any:
        """The grader searches the whole text, thoughts included."""
        return self.extract(value) if isinstance(value, str) else value

    def settle(self, found: Any) -> str | None:
        if found is None:
            return None
        text = str(found)
        return text.strip().replace(",", "") if self.grader == "gsm8k" else _stripped(text)


def _stripped(text: str) -> str:
    text = text.replace("\\\\", "\\").replace("tfrac", "frac").replace("dfrac", "frac")
    for dropped in _DROPPED:
        text = text.replace(dropped, "")
    head, unit, rest = text.partition(_UNIT)
    text = head if unit and _UNIT not in rest else text
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    name, sign, value = text.partition("=")
    text = value if sign and "=" not in value and len(name) <= 2 else text
    text = _SQRT.sub(r"\\sqrt{\1}", text).replace(" ", "")
    text = _FRACTION.sub(_braced, text)
    text = "\\frac{1}{2}" if text == "0.5" else text
    quotient = _QUOTIENT.fullmatch(text)
    return f"\\frac{{{int(quotient[1])}}}{{{int(quotient[2])}}}" if quotient and len(text) < 100 else text


def _braced(match: re.Match[str]) -> str:
    if match[3]:
        return f"\\frac{{{match[3]}}}{match[4]}"
    return f"\\frac{{{match[1]}}}{{{match[2]}}}"


published_gsm8k = Published("gsm8k")
published_math = Published("math")
