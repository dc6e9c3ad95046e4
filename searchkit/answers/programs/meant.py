"""Whether a text can be meant as a program at all."""

from __future__ import annotations

import re
import textwrap

from searchkit.answers.programs.scope import LONGEST, parsed, quiet, says

NO_PROGRAM = "no program was found in the reply"
# What a broken program still shows that prose does not, at the beginning of a line or of a piece of code in one.
_MEANT = re.compile(
    r"^[ \t>`*-]*(?:class[ \t]+\w+[ \t]*[(:]|import[ \t]+\w+[ \t]*(?:[,.;]|as\b|$)|from[ \t]+[\w.]+[ \t]+import\b"
    r"|return\b|(?:for|while|if|elif|with|try|except|else)\b[^\n]*:[ \t]*$|\w+\([^\n]*\)[ \t]*$"
    r"|\w[\w.\[\]]{0,100}[ \t]*[-+*/%]?=[^=]|@\w)|\bdef[ \t]+\w+[ \t]*[(:]|\blambda\b[^\n:]{0,200}:",
    re.MULTILINE,
)


def shows_code(text: str) -> bool:
    """Whether some line has what prose and data have not; Python may still refuse it."""
    return _MEANT.search(text) is not None


def is_program(text: str, prompt: str = "") -> bool:
    """Whether what `program` gave can be meant as a program, be it a broken one: not prose, a number, or data.

    prompt: what the text may continue. Takes time that is linear in the text; what is longer than `LONGEST` may be one.
    """
    if len(text) > LONGEST or shows_code(text):
        return True
    with quiet():
        tree = parsed(textwrap.dedent(text))
        goes_on = bool(prompt) and prompt[-1] not in "\r\n" and text[:1] not in "\r\n"  # the last line of the prompt
        return (tree is not None and any(map(says, tree.body))) or (goes_on and parsed(prompt + text) is not None)
