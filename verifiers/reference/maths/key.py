r"""The class in which a maths answer votes: `1/2`, `0.5` and `\frac12` are one, and so are `(x+1)^2` and `x^2+2x+1`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from searchkit.answers import keys
from searchkit.answers.canonical import canonical
from searchkit.verifiers.reference.maths.answer import read
from searchkit.verifiers.reference.maths.exact import expand
from searchkit.verifiers.reference.maths.forms import difference, named_value, settled, shape
from searchkit.verifiers.reference.maths.regions import INFINITY, MINUS_INFINITY, region, spelled
from searchkit.verifiers.reference.maths.terms import Terms, TooBig, Work, rational, render
from searchkit.verifiers.reference.maths.tokens import Node


def math_key(value: Any) -> Hashable | None:
    """An answer key for votes: the answer that `keys.default` finds, in one form made by exact arithmetic.

    None if there is no answer. Equal keys are equal answers, with the conventions of `canonical`: units, names and
    percent signs are dropped. Different keys may still be equal answers (trigonometry, logarithms, nested roots). Lists
    and sets are sorted. Cost: some hundred microseconds, no process; raises on nothing.
    """
    found = keys.written(keys.default, value)
    key = canonical(found)
    answer = read(found) if isinstance(found, str) else None
    if answer is None or answer.node is None:
        return key
    try:
        return _form(answer.node, Work())
    except (TooBig, ValueError):
        return key


def _form(node: Node, work: Work) -> str:
    """A text that trees share only if they are equal. Raises `TooBig` and `ValueError` beyond arithmetic."""
    node = settled(node)
    if node.kind == "relation" and node.value == ("=",) and node is named_value(node):
        return f"{render(_scaled(expand(difference(node), work)))}=0"
    node = named_value(node)
    match shape(node):
        case "bag":
            return f"\\{{{', '.join(sorted({_form(part, work) for part in node.parts}))}\\}}"
        case "row":
            left, right = node.value if len(node.parts) == 2 else "()"
            return f"{left}{', '.join(_form(part, work) for part in node.parts)}{right}"
        case "matrix":
            return "; ".join(" & ".join(_form(cell, work) for cell in row.parts) for row in node.parts)
        case "union":
            points = region(node, work)
            return " \\cup ".join(
                sorted(_form(part, work) for part in node.parts) if points is None else map(spelled, points)
            )
    return _number(node, work)


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
