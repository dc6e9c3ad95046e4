"""What errors advise, in the words of the command line: the library names arguments of Python."""

from __future__ import annotations

import re

_LEAVE = re.compile(r"leave_out=(\([^()]{0,400}\)|'[a-z_]{1,40}'|)")
_RENAME = re.compile(r'rename=(\{"([a-z_]{1,40})": "([a-z_]{1,40})"\}|)')
_NAME = re.compile(r"'([a-z_]{1,40})'")
_PLAIN = {
    "base_url=": "--backend ", "preset=": "--preset", "extra_body=": "--extra-body", "extra_headers=": "--extra-header",
    "extra_query=": "--extra-query", "extras=True": "--extras", "route=": "--route", "revision=": "--revision",
    "pass api_key= or set OPENAI_API_KEY": "set the variable OPENAI_API_KEY",
    "check api_key= or OPENAI_API_KEY": "check the variable OPENAI_API_KEY",
    "pass transport=\"direct\", or ": "", "journal=": "--journal ",
}  # fmt: skip


def worded(text: str) -> str:
    """The sentence of an error as the command line says it.

    >>> worded("(to send it no more, pass leave_out=('seed', 'top_p'), or rename={\\"seed\\": \\"random_seed\\"})")
    '(to send it no more, pass --leave-out seed --leave-out top_p, or --rename seed=random_seed)'
    """
    text = _LEAVE.sub(lambda m: " ".join(f"--leave-out {n}" for n in _NAME.findall(m[1])) or "--leave-out", text)
    text = _RENAME.sub(lambda m: f"--rename {m[2]}={m[3]}" if m[1] else "--rename", text)
    for ours, theirs in _PLAIN.items():
        text = text.replace(ours, theirs)
    return text
