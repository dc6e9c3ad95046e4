"""The program in a model's text."""

from __future__ import annotations

import builtins
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from searchkit.answers.programs.continuation import continuing
from searchkit.answers.programs.loose import runs
from searchkit.answers.programs.mending import mended, scrubbed
from searchkit.answers.programs.pieces import Piece, pieces
from searchkit.answers.programs.scope import Scope, parsed, quiet, returns_outside, scope
from searchkit.answers.programs.wrapped import unwrapped
from searchkit.answers.thoughts import without_thoughts

_TYPES = re.compile(r"\bstdin[ \t]*=[ \t]*(?:\w+\.)?StringIO\(\s*[rf]?[\"']")  # a demonstration: it types itself
GENERIC = ("code", "text", "txt", "plaintext", "plain", "none", "program", "solution")
_SPAN = re.compile(r"(?<!`)`((?:async )?def [^`]{1,2000})`(?!`)")
_FUTURE = re.compile(r"^from __future__ import[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """A piece that is Python."""

    label: str
    text: str
    scope: Scope


def program(text: str, names: Collection[str] = (), prompt: str = "", *, reads: bool = False) -> str:
    """The program that a model's text holds; the text itself where none is found.

    - names: what is taken from the program, such as its entry point. Their last definition counts, wherever it stands,
      with all other blocks that it needs; blocks of usage and of tests are left out.
    - prompt: the beginning of the program. A text that defines none of `names` may continue it, and then gets the
      margin that it must have.
    - reads: the program reads its input: the last block that does is it.

    Without names the last block that says something is the program, with what it needs. Thoughts are removed first.
    Blocks are looked for between fences and tags, then in the text itself, and what a chat did to them is undone (end
    tokens, odd blanks, lost margins) where they are no Python as they are. A JSON object with one field such as "code",
    with nothing but prose beside it, is that field. Takes time that is linear in the text; no
    piece longer than `LONGEST` is parsed, and nothing is ever run.
    """
    text = unwrapped(without_thoughts(text))
    with quiet():
        found = pieces(text)
        blocks = [code for piece in found if piece.label != "loose" and (code := _read(piece)) is not None]
        if made := _defining(blocks, names):
            return made
        codes = list(_codes(found))
        if made := _defining(codes, names):
            return made
        if prompt and (made := continuing(prompt, list(_raw(found)), [code.text for code in codes])):
            return made
        return _doing(codes, found, reads) or _as_it_is(text, found)


def _read(piece: Piece) -> Code | None:
    """A piece as Python, without its margin unless it is part of a function; None if it is none."""
    made = mended(piece.text)
    if made is None:
        return None
    text, tree = made
    if parsed(text) is None and not returns_outside(tree):
        text = textwrap.dedent(text)
    names = scope(textwrap.dedent(text), tree)
    return None if names is None else Code(piece.label, text, names)


def _codes(found: Sequence[Piece]) -> Iterator[Code]:
    """All pieces that are Python, and the runs of statements in the others."""
    for piece in found:
        code = _read(piece)
        loose = piece.label == "loose"
        if code is not None and (not loose or code.scope.clean):
            yield code
            continue
        text = scrubbed(piece.text)
        spans = _SPAN.findall(text) if loose else []
        parts = (_read(replace(piece, text=run)) for run in [*spans, *runs(text, broken=loose)])
        yield from (part for part in parts if part is not None)


def _raw(found: Sequence[Piece]) -> Iterator[str]:
    """Text that is Python only together with what it continues, without a chat's tokens."""
    for piece in found:
        made = mended(piece.text) if "&" in piece.text else None  # a string that speaks of pages stays as it is
        yield scrubbed(piece.text) if made is None else made[0]


# ---------------------------------------------------------------- which of them


def _defining(codes: Sequence[Code], names: Collection[str]) -> str | None:
    """The last code that makes `names`, with all that it needs; None if none does."""
    made = _last(codes, "made")
    if not any(name in made for name in names):
        return None
    chosen = {made[name] for name in names if name in made}
    chosen |= {at for name, at in _last(codes, "imported").items() if name in names and name not in made}
    return _joined(codes, _closure(codes, chosen))


def _closure(codes: Sequence[Code], chosen: set[int]) -> set[int]:
    """`chosen` and what they need: of a function the last definition, else any where they have none themselves."""
    functions, made, imported = (_last(codes, kind) for kind in ("functions", "made", "imported"))
    waiting, known = list(chosen), set[str]()
    while waiting:
        at = waiting.pop()
        chosen.add(at)
        needed = codes[at].scope.needed
        for name in (needed | codes[at].scope.used) - known:
            known.add(name)
            found = functions.get(name)
            if found is None and name in needed and not hasattr(builtins, name):
                found = made.get(name, imported.get(name, imported.get("*")))
            if found is not None and found not in chosen:
                waiting.append(found)
    mine = known | {name for at in chosen for name in codes[at].scope.made}
    for at, code in enumerate(codes):
        if code.scope.sets or (code.scope.changed & mine and not code.scope.acts):
            chosen.add(at)
    return chosen


def _last(codes: Sequence[Code], kind: str) -> Mapping[str, int]:
    """For each name the number of the last code that has it, and more than a stub of it if any has."""
    stubs = {name: at for at, code in enumerate(codes) for name in code.scope.stubs & getattr(code.scope, kind)}
    return stubs | {name: at for at, code in enumerate(codes) for name in getattr(code.scope, kind) - code.scope.stubs}


def _joined(codes: Sequence[Code], chosen: Collection[int]) -> str:
    texts = [codes[at].text for at in sorted(chosen)]
    if len(texts) == 1:
        return texts[0]
    text = "\n\n".join(texts)
    first = "".join(dict.fromkeys(_FUTURE.findall(text)))  # Python wants them in front of all others
    return first + (_FUTURE.sub("", text) if first else text)


def _doing(codes: Sequence[Code], found: Sequence[Piece], reads: bool) -> str | None:
    """The last code that says something, with what it needs; None if none does."""
    labels = {piece.label for piece in found}
    kinds = ("python",) if "python" in labels else ("", *GENERIC, "inline", "loose")
    mine = [at for at, code in enumerate(codes) if code.label in kinds and code.scope.says]
    if reads:
        acting = [at for at in mine if codes[at].scope.acts]
        reading = [at for at in acting if codes[at].scope.reads]
        mine = [at for at in reading if not _TYPES.search(codes[at].text)] or reading or acting or mine
    return _joined(codes, _closure(codes, {mine[-1]})) if mine else None


def _as_it_is(text: str, found: Sequence[Piece]) -> str:
    """The last block that says it is Python, else the last that says nothing, else the whole text."""
    for label in ("python", ""):
        bodies = [piece.text for piece in found if piece.label == label]
        if bodies:
            return bodies[-1]
    return text
