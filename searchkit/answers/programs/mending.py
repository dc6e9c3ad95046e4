"""Damage that a program takes on its way through a chat: found by its not being Python, and undone.

A repair is tried only on what cannot be parsed, so a program that is whole stays as it is to the last character. Each
takes linear time.
"""

from __future__ import annotations

import ast
import html
import itertools
import re
import textwrap
from collections.abc import Iterator

from searchkit.answers.programs.scope import parsed
from searchkit.answers.programs.sessions import without_prompts

_HEAD = re.compile(
    r"\s*(?:(?:\[(?:PYTHON|BEGIN|CODE|ANSWER|SOLUTION)\]|<\|python_tag\|>"
    r"|(?:i?python[\d.]*|py3?|(?:python)?copy(?: ?code|edit)?|edit)[ \t]*(?=\n))[ \t]*\n?)+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"\[(?:/(?:PYTHON|BEGIN|CODE|ANSWER|SOLUTION|INST)|(DONE|END|EOS))\]\s*\Z", re.IGNORECASE)
TOKEN = re.compile(
    r"<[|｜][^<>|｜\n]{1,60}[|｜]>|</?s>"
    r"|</?(?:eos|bos|pad|unk|EOT|end_of_\w{1,20}|start_of_\w{1,20}|fim_\w{1,20}|jupyter_\w{1,20}|file_sep\w{0,10})>"
    r"|\[(?:EOS|/?INST)\]"
)
_OPENED = re.compile(rf"(?:\s|{TOKEN.pattern}|(?:assistant|system|user)(?=\s*(?:\n|<\|)))+")
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN = "\u200b-\u200f\u2060\ufeff\u00ad"
_STRINGS = (
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)' r"|'''(?:\\.|[^\\])*?(?:'''|\Z)" r'|"(?:\\.|[^"\\\n])*+"?' r"|'(?:\\.|[^'\\\n])*+'?"
)
_ODD = re.compile(
    rf"(?P<kept>{_STRINGS}|\#[^\n]*)|(?P<blank>[{_BLANKS}])|[{_UNSEEN}]|(?P<line>[\u2028\u2029\x85\x0b\x0c])"
    r"|(?P<typed>[\uff01-\uff5e“”‘’])",
    re.DOTALL,
)
ENTITIES = {"lt", "gt", "amp", "quot", "nbsp", "apos"}
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|apos);")
_AROUND = re.compile(rf"(?P<kept>{_STRINGS}|\#[^\n]*)|{_ENTITY.pattern}", re.DOTALL)
_QUOTED = re.compile(r"\A\s*(\"\"\"|''')\w{0,10}[ \t]*\n(.*?)\1\s*\Z", re.DOTALL)
_TYPED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | dict(zip(map(ord, "“”‘’"), "\"\"''", strict=True))
_MARGIN = re.compile(rf"^[ \t{_BLANKS}{_UNSEEN}]+", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*(?:[%!$?]|pip3? install|conda install)[^\n]*$", re.MULTILINE)
_FLUSH = re.compile(r"^(?:async )?def [^\n]{1,500}:[ \t]*\n(?=\S)", re.MULTILINE)
_NUMBER = re.compile(r"[ \t]*\d{1,6}(?:[ \t]?[:.|)│]|(?=[ \t]|$))[ \t]?")


def bare(text: str) -> str:
    """Without the marks of a chat at its two ends: they may pass for Python (`[DONE]` is a list)."""
    head = _HEAD.match(text)
    if head is not None and head.end() < len(text):
        text = text[head.end() :] if head[0].strip() else text
    tail = _TAIL.search(text[-100:])
    if tail is not None and (tail[1] is None or text.count(tail[1]) == 1):
        cut = max(len(text) - 100, 0) + tail.start()
        text = text[:cut] if text[:cut].strip() else text
    quoted = _QUOTED.match(text)
    return text if quoted is None else quoted[2]


def mended(text: str) -> tuple[str, ast.Module] | None:
    """The text with as few repairs as make it Python, and its tree; None where none does.

    What is indented as a whole stays so, since it may continue something: its tree is that of the text without it.
    """
    text = bare(text)
    tried = set[str]()
    for one in itertools.chain([text], _repaired(text)):
        if one in tried:
            continue
        tried.add(one)
        tree = parsed(one) or parsed(textwrap.dedent(one) if one[:1] in " \t\n\r" else "?")
        if tree is not None:
            return _without_names(one, tree)
    return None


def _without_names(text: str, tree: ast.Module) -> tuple[str, ast.Module]:
    """The text and its tree where `a &lt; b` is Python, too: a name that nothing defines, and a statement behind it.

    What stands in strings is mended only if all of the text was written for a page; where strings have entities and
    the code has signs that a page could not have, the text stays as it is.
    """
    if not _ENTITY.search(text) or not _is_escaped(tree):
        return text, tree
    inside = [found["kept"] for found in _AROUND.finditer(text) if found["kept"]]
    whole = any(map(_ENTITY.search, inside))
    if whole and re.search(r"<|&(?!\w{2,6};|#\d{1,6};)", text):
        return text, tree
    made = html.unescape(text) if whole else _AROUND.sub(lambda one: one["kept"] or html.unescape(one[0]), text)
    again = parsed(made) or parsed(textwrap.dedent(made))
    return (text, tree) if again is None else _without_names(made, again)


def is_half_escaped(text: str) -> bool:
    """Whether a program has `&lt;` or its like for a sign, and it may be in a text: it can be read in two ways."""
    tree = parsed(text) if _ENTITY.search(text) else None
    return tree is not None and _is_escaped(tree)


def _is_escaped(tree: ast.Module) -> bool:
    """Whether an `&` has such a name behind it, to which the text gives no meaning."""
    nodes = list(ast.walk(tree))
    given = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    given |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    given |= {str(getattr(node, "asname", None) or getattr(node, "name", "")) for node in nodes}
    used = [node.right for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd)]
    return any(isinstance(one, ast.Name) and one.id in ENTITIES - given for one in used)


def scrubbed(text: str) -> str:
    """The text with plain blanks, without tokens and entities."""
    return plain(entities(ended(text)))


def _repaired(text: str) -> Iterator[str]:
    """The text after one repair more each time, and then after each of those that only one kind of text needs."""
    for whole in (ended(text), ended(text, last=True)):  # a token may stand in a string of the program
        yield from (whole, plain(whole), plain(entities(whole)))
    text = scrubbed(text)
    yield from (last(text) for last in _LAST)


def ended(text: str, last: bool = False) -> str:
    """Without the tokens that open a text, up to the first that ends it, or up to its last token."""
    if "<" not in text and "[" not in text:
        return text
    opened = _OPENED.match(text)
    if opened is not None and opened[0].strip():
        text = text[opened.end() :]
    tokens = list(TOKEN.finditer(text))
    return text[: tokens[-1 if last else 0].start()] if tokens else text


def plain(text: str) -> str:
    """Plain blanks for those that pages are set with, outside of strings; in margins everywhere."""
    if text.isascii():
        return text
    return _ODD.sub(_plain, _MARGIN.sub(lambda found: _ODD.sub(_plain, found[0]), text))


def _plain(found: re.Match[str]) -> str:
    if found["typed"]:
        return found["typed"].translate(_TYPED)
    return found["kept"] or ("\n" if found["line"] else " " if found["blank"] else "")


def entities(text: str) -> str:
    """`&lt;` and its like as the characters that they are in a page, `<br>` as the end of a line."""
    text = re.sub(r"<br ?/?>\n?", "\n", text)
    return html.unescape(text) if re.search(r"&(?:lt|gt|amp|quot|nbsp|#\d{1,4});", text) else text


def _without_magic(text: str) -> str:
    """Without the lines of a notebook that are no Python."""
    return _MAGIC.sub("", text)


def _after(text: str) -> str:
    """A file after a diff of one hunk. Of several the lines between are unknown."""
    lines = text.strip("\n").split("\n")
    if sum(line.startswith("@@") for line in lines) > 1 or not any(line.startswith("+") for line in lines):
        return text
    body = [line for line in lines if not line.startswith(("@@", "---", "+++", "diff ", "index ", "-", "\\ No"))]
    if not all(line[:1] in ("+", " ", "") for line in body):
        return text
    return "\n".join(line[1:] for line in body)


def _unnumbered(text: str) -> str:
    """Without the numbers of its lines."""
    lines = text.strip("\n").split("\n")
    found = [_NUMBER.match(line) for line in lines]
    if len(lines) < 2 or not all(found):
        return text
    return "\n".join(line[one.end() :] for line, one in zip(lines, found, strict=True) if one)


def _first_line_in(text: str) -> str:
    """With the margin of the second line in front of the first: stripping takes that of the first alone."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or lines[0][:1] in " \t" or lines[1][:1] not in " \t":
        return text
    return lines[1][: len(lines[1]) - len(lines[1].lstrip())] + text.lstrip("\n")


def _body_in(text: str) -> str:
    """With a margin for the body of the first function that has none, which goes to the end."""
    found = _FLUSH.search(text)
    return text if found is None else text[: found.end()] + textwrap.indent(text[found.end() :], "    ")


def _unquoted(text: str) -> str:
    """Without the marks of a quotation."""
    lines = text.split("\n")
    return "\n".join(re.sub(r"^ {0,3}> ?", "", line) for line in lines) if text.lstrip().startswith(">") else text


def _unescaped(text: str) -> str:
    """With the line breaks of a text that was written as one line."""
    if "\n" in text.strip() or "\\n" not in text:
        return text
    return text.replace('\\"', '"').replace("\\t", "\t").replace("\\n", "\n")


_LAST = (without_prompts, _without_magic, _after, _unnumbered, _first_line_in, _body_in, _unquoted, _unescaped)
