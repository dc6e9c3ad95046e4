"""Sums, multiples, products and powers of matrices, cell by cell; anything else with a matrix in it is unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable

_MAX_CELLS = 64
_MAX_POWER = 6
_COMPOSITE = frozenset(
    ("matrix", "group", "list", "union", "relation", "builder", "statements", "cases", "ratio", "about", "field")
)


def composite(node: Node) -> bool:
    """Whether an expression has a part that is no single value."""
    return any(part.kind in _COMPOSITE or composite(part) for part in node.parts)


def bound(node: Node) -> str:
    """The first operator with a bound variable in a tree, or the dots: it may be anything; "" where there is none."""
    if node.kind == "function" and node.value[:1] == "\\":
        return re.split("[_^]", str(node.value))[0]
    return next(filter(None, map(bound, node.parts)), "")


def evaluated(node: Node) -> Node:
    """The matrix that an expression with matrices in it is. Raises `Unreadable` where that is not elementary."""
    match node.kind:
        case "matrix":
            if len(node.parts) * len(node.parts[0].parts) > _MAX_CELLS:
                raise Unreadable("a matrix is too large")
            return node
        case "sum":
            return _sum([evaluated(part) for part in node.parts])
        case "product":
            return _product(node.parts)
        case "power" if node.parts[1].kind == "number":
            times, base = node.parts[1].value, evaluated(node.parts[0])
            if times.denominator == 1 and 1 <= times <= _MAX_POWER:
                return _product((base,) * int(times))
    raise Unreadable("arithmetic with what is no single value")


def _sum(terms: list[Node]) -> Node:
    if len({(len(term.parts), len(term.parts[0].parts)) for term in terms}) != 1:
        raise Unreadable("a sum of matrices of different shapes")
    rows = zip(*(term.parts for term in terms), strict=True)
    return Node(
        "matrix",
        tuple(_row(Node("sum", cells) for cells in zip(*(row.parts for row in same), strict=True)) for same in rows),
    )


def _product(factors: tuple[Node, ...]) -> Node:
    """Numbers in front of and behind matrices, which are multiplied in their order."""
    scalars = [factor for factor in factors if not (factor.kind in _COMPOSITE or composite(factor))]
    matrices = [evaluated(factor) for factor in factors if factor.kind in _COMPOSITE or composite(factor)]
    if not matrices:
        raise Unreadable("a sum of a matrix and a number")
    found = matrices[0]
    for other in matrices[1:]:
        found = _times(found, other)
    if not scalars:
        return found
    return Node("matrix", tuple(_row(Node("product", (*scalars, cell)) for cell in row.parts) for row in found.parts))


def _times(a: Node, b: Node) -> Node:
    if len(a.parts[0].parts) != len(b.parts) or len(a.parts) * len(b.parts[0].parts) > _MAX_CELLS:
        raise Unreadable("a product of matrices that do not fit")
    columns = list(zip(*(row.parts for row in b.parts), strict=True))
    return Node("matrix", tuple(_row(_dot(row.parts, column) for column in columns) for row in a.parts))


def _dot(a: tuple[Node, ...], b: tuple[Node, ...]) -> Node:
    return Node("sum", (Node("number", value=Fraction(0)), *(Node("product", pair) for pair in zip(a, b, strict=True))))


def _row(cells: Iterable[Node]) -> Node:
    return Node("row", tuple(cells))
