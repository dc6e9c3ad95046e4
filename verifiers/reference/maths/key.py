r"""The class in which a maths answer votes: `1/2`, `0.5` and `\frac12` are one, and so are `(x+1)^2` and `x^2+2x+1`."""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from typing import Any

from searchkit.answers import keys
from searchkit.answers.boxes import Several
from searchkit.answers.canonical import canonical
from searchkit.answers.names import is_plain
from searchkit.answers.units import DROPPED
from searchkit.verifiers.reference.maths.answer import Exact, answer_key, read
from searchkit.verifiers.reference.maths.doubts import holds_pi, is_run
from searchkit.verifiers.reference.maths.exact import expand
from searchkit.verifiers.reference.maths.forms import difference, name_of, named_value, settled, shape
from searchkit.verifiers.reference.maths.reading import Answer
from searchkit.verifiers.reference.maths.regions import INFINITY, MINUS_INFINITY, region, spelled, symbols
from searchkit.verifiers.reference.maths.terms import Terms, TooBig, Work, rational, render
from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable


def math_key(value: Any) -> Hashable | None:
    """An answer key for votes: the answer that `keys.default` finds, in one form made by exact arithmetic.

    None if there is no answer. Equal keys are answers that `MathEqual` finds equal. Different keys may still be equal
    answers: trigonometry, logarithms, nested roots, and a unit on one side only. Percent signs, degrees, dollars and
    names of one letter are dropped; members of lists and sets are sorted. Tolerances play no part in it. Cost: some
    hundred microseconds, no process; raises on nothing.
    """
    found = keys.written(keys.default, value)
    if not isinstance(found, str | Several):
        return canonical(found)
    answer = read(found)
    return None if answer is None else _key(answer)


def _key(answer: Answer) -> Hashable:
    if answer.node is None:
        return answer_key(answer)
    if is_run(answer.text):
        return answer.text.strip(" $")  # a word or a product
    dropped = answer.unit in DROPPED and not (answer.unit == "deg" and holds_pi(answer.node))
    unit = "" if dropped else f" {answer.unit}".rstrip()
    try:
        return _form(answer.node, Exact()) + unit
    except (TooBig, Unreadable, ValueError):
        digest = blake2b(repr(answer.node).encode(), digest_size=4).hexdigest()  # spelled alike is not read alike
        return f"{answer.spelling} #{digest}"


def _form(node: Node, algebra: Exact) -> str:
    """A text that trees share only if they are equal. Raises `TooBig` and `ValueError` beyond arithmetic."""
    known, work = algebra.known, algebra.work
    names = _names(node)
    node = settled(node, known, work)
    if node.kind == "relation":
        name = name_of(node)
        if name is None and node.value == ("=",) and symbols(node):
            return f"{render(_scaled(expand(difference(node), work)))}=0"
        if name is None:
            raise ValueError("a relation that is not solved")
        names = "" if is_plain(name) else f"{name}="
        node = named_value(node, known, work)
    return names + _value(node, algebra)


def _names(node: Node) -> str:
    """The names of several values, which tell them apart."""
    found = [name_of(part) for part in node.parts] if node.kind in ("list", "group") else []
    distinct = None not in found and len({*found}) == len(found) > 1
    return f"{', '.join(sorted(map(str, found)))}: " if distinct else ""


def _value(node: Node, algebra: Exact) -> str:
    match shape(node):
        case "bag":
            members = ", ".join(sorted(_form(part, algebra) for part in node.parts))
            return f"\\{{{members}\\}}{' or' if node.value == 'or' else ''}"
        case "row":
            left, right = node.value if len(node.parts) == 2 else "()"
            return f"{left}{', '.join(_form(part, algebra) for part in node.parts)}{right}"
        case "matrix":
            rows = "; ".join(" & ".join(_form(cell, algebra) for cell in row.parts) for row in node.parts)
            return f"matrix {rows}"
        case "union":
            points = region(node, algebra.work)
            return " \\cup ".join(
                sorted(_form(part, algebra) for part in node.parts) if points is None else map(spelled, points)
            )
    if node.kind == "ratio":
        parts = ((part.kind, _form(part, algebra)) for part in node.parts)
        return ":".join(f"({form})" if kind == "ratio" else form for kind, form in parts)
    return _number(node, algebra.work)


def _number(node: Node, work: Work) -> str:
    if node in (INFINITY, MINUS_INFINITY):
        return "\\infty" if node == INFINITY else "-\\infty"
    if node.kind == "numeral":
        return "{}_{}".format(*node.value)
    terms = expand(node, work)
    value = rational(terms)
    return render(terms) if value is None else str(value)


def _scaled(terms: Terms) -> Terms:
    """An equation's left side divided by its first coefficient."""
    leading = terms[min(terms)] if terms else 1
    return {one: value / leading for one, value in terms.items()}
