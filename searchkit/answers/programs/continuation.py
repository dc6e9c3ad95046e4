"""A text that goes on where a prompt ends: the body of a function, which may have lost its margin."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from searchkit.answers.programs.scope import parsed, returns_outside

MOST = 20  # texts that are tried, the last of each kind


def continuing(prompt: str, texts: Sequence[str], codes: Sequence[str]) -> str | None:
    """What of `texts`, and then of the `codes` found in them, goes on from `prompt`, made to fit; None if nothing does.

    The last that looks like the body of a function, by its margin or by a `return` in no function, else the last.
    """
    bodies, others = list[str](), list[str]()
    for text in [*codes[-MOST:], *texts[-MOST:]]:
        (bodies if _is_body(text) else others).append(text)
    for text in [*reversed(bodies), *reversed(others)]:
        for fitted in _fitted(text, prompt):
            tree = parsed(prompt + fitted)
            if tree is not None and not returns_outside(tree):
                return fitted
    return None


def _is_body(text: str) -> bool:
    tree = parsed(textwrap.dedent(text))
    return text.lstrip("\r\n")[:1] in (" ", "\t") or (tree is not None and returns_outside(tree))


def _fitted(text: str, prompt: str) -> Iterator[str]:
    """The text as it is and with the margin that the prompt asks for, the likelier first; then its beginning alone."""
    text = text.strip("\r\n") if prompt.endswith("\n") else text.rstrip()
    if not text.strip():
        return
    begins_inside = text[:1] in (" ", "\t")
    beginning = _beginning(text)
    for part in dict.fromkeys((text, beginning)):
        inside = textwrap.indent(textwrap.dedent(part.strip("\r\n")), _margin(prompt))
        inside = inside if prompt.endswith("\n") else "\n" + inside
        yield from (part, inside) if begins_inside else (inside, part)
        first, _, rest = part.partition("\n")
        if rest.strip():  # a margin that only the first line has lost, or kept
            first = "\n" * (not prompt.endswith("\n")) + _margin(prompt) + first.strip() + "\n"
            yield from (first + rest, first + textwrap.indent(textwrap.dedent(rest), _margin(prompt)))


def _beginning(text: str) -> str:
    """The first line and those below that have a margin."""
    first, *rest = text.split("\n")
    kept = [first]
    for line in rest:
        if line.strip() and line[:1] not in (" ", "\t"):
            break
        kept.append(line)
    return "\n".join(kept)


def _margin(prompt: str) -> str:
    """That of the prompt's last line; one deeper where that line opens a block."""
    last = next((line for line in reversed(prompt.split("\n")) if line.strip()), "")
    margin = last[: len(last) - len(last.lstrip())]
    return margin + "    " if last.rstrip().endswith(":") else margin
