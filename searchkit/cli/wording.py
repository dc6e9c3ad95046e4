"""What errors advise, in the words of the command line or of a TOML file: the library names arguments of Python."""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import Any

_LEAVE = re.compile(r"leave_out=(\([^()]{0,400}\)|'[a-z_]{1,40}'|)")
_RENAME = re.compile(r'rename=(\{"([a-z_]{1,40})": "([a-z_]{1,40})"\}|)')
_EXTRA = re.compile(r"(extra_(?:body|headers|query))=(\{(?:[^{}]|\{[^{}]{0,400}\}){1,400}\})")
_NAME = re.compile(r"'([a-z_]{1,40})'")
_BARE = re.compile(r"[\w-]+")
_URL = re.compile(r"\bbase_url\b")
_PLAIN = {
    "base_url=": "--backend ", "preset=": "--preset", "extra_body=": "--extra-body", "extra_headers=": "--extra-header",
    "extra_query=": "--extra-query", "extras=True": "--extras", "route=": "--route", "revision=": "--revision",
    "pass api_key= or set OPENAI_API_KEY": "set the variable OPENAI_API_KEY",
    "check api_key= or OPENAI_API_KEY": "check the variable OPENAI_API_KEY",
    "pass transport=\"direct\", or ": "", "journal=": "--journal ",
}  # fmt: skip

_KEYS = {
    "base_url=": "backend = ", "preset=": "preset", "extra_body=": "extra_body", "extra_headers=": "extra_headers",
    "extra_query=": "extra_query", "extras=True": "extras = true", "extras=False": "extras = false", "route=": "route",
    "revision=": "revision", "checksum=None": 'checksum = "any"', "logprobs=20": "logprobs = 20",
    "pass api_key= or set OPENAI_API_KEY": 'set the variable OPENAI_API_KEY, or api_key = "$NAME"',
    "check api_key= or OPENAI_API_KEY": "check the variable OPENAI_API_KEY, or that of api_key",
    "pass transport=\"direct\", or ": 'pass transport = "direct", or ',
    "pass Problem(id, prompt, reference=...)": 'name the field that has it, as in reference = "answer",',
}  # fmt: skip


def worded(text: str) -> str:
    """The sentence of an error as the command line says it.

    >>> worded("(to send it no more, pass leave_out=('seed', 'top_p'), or rename={\\"seed\\": \\"random_seed\\"})")
    '(to send it no more, pass --leave-out seed --leave-out top_p, or --rename seed=random_seed)'
    """
    text = _LEAVE.sub(lambda m: " ".join(f"--leave-out {n}" for n in _NAME.findall(m[1])) or "--leave-out", text)
    text = _RENAME.sub(lambda m: f"--rename {m[2]}={m[3]}" if m[1] else "--rename", text)
    text = _EXTRA.sub(lambda m: _option(m[1], m[2]), text)
    for ours, theirs in _PLAIN.items():
        text = text.replace(ours, theirs)
    return _URL.sub("--backend", text)


def _option(name: str, written: str) -> str:
    """A table of Python as it is typed after an option."""
    found = _table(written)
    if not found:
        return f"{name}={written}"
    option = "--extra-header" if name == "extra_headers" else f"--{name.replace('_', '-')}"
    texts = {k: "..." if v is ... else v if isinstance(v, str) else json.dumps(v) for k, v in found.items()}
    return " ".join(f"{option} {shlex.quote(f'{k}={v}')}" for k, v in texts.items())


def _value(value: Any) -> str:
    """A value as it is written in TOML."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{k if _BARE.fullmatch(k) else json.dumps(k)} = {_value(v)}" for k, v in value.items())
        return f"{{{pairs}}}"
    return "..." if value is ... else json.dumps(value)


def _table(written: str) -> dict[str, Any]:
    """What our sentences show as a table of Python; of one that leaves its fields open, a name; empty if it is none.

    Only literals are read, since a server's words may stand in a sentence.
    """
    try:
        found = ast.literal_eval(written)
        json.dumps(found, default=lambda _: None)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(k, str) for k in found) else {"NAME": ...}


def in_toml(text: str) -> str:
    """The sentence of an error as a sweep's file says it, whose keys have the names of the arguments.

    >>> in_toml("(to send it no more, pass leave_out=('seed', 'top_p'), or rename={\\"seed\\": \\"random_seed\\"})")
    '(to send it no more, pass leave_out = ["seed", "top_p"], or rename = {seed = "random_seed"})'
    """

    def listed(found: re.Match[str]) -> str:
        names = ", ".join(f'"{name}"' for name in _NAME.findall(found[1]))
        return f"leave_out = [{names}]" if names else "leave_out"

    text = _LEAVE.sub(listed, text)
    text = _RENAME.sub(lambda m: f'rename = {{{m[2]} = "{m[3]}"}}' if m[1] else "rename", text)
    text = _EXTRA.sub(lambda m: f"{m[1]} = {_value(_table(m[2]))}" if _table(m[2]) else m[0], text)
    for ours, theirs in _KEYS.items():
        text = text.replace(ours, theirs)
    return _URL.sub("backend", text)
