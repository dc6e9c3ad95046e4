"""One form for the ways to write an answer: plus-minus split, names dropped, inequalities as intervals."""

from __future__ import annotations

from fractions import Fraction

from searchkit.verifiers.reference.maths.regions import interval
from searchkit.verifiers.reference.maths.tokens import Node


def shape(node: Node) -> str:
    """ "bag" for lists and sets, "row" for tuples and intervals, "matrix", "union", and "one" for all else."""
    if node.kind == "list" or (node.kind == "group" and node.value == "{}"):
        return "bag"
    return {"group": "row", "matrix": "matrix", "union": "union"}.get(node.kind, "one")


def settled(node: Node) -> Node:
    """Plus-minus split into its two cases, named values without their names, lists of one without the list."""
    if node.kind == "list":
        parts = tuple(case for part in node.parts for case in _cases(part))
        names = [name_of(part) for part in parts]
        if None not in names and len({*names}) == len(names):
            ordered = sorted(parts, key=lambda part: str(name_of(part)))
            return Node("group", tuple(map(named_value, ordered)), "()")
        node = Node("list", tuple(map(named_value, parts)))
    elif node.kind == "group" and node.value == "{}":
        node = Node("group", tuple(case for part in node.parts for case in _cases(part)), "{}")
    elif node.kind == "relation" and len(node.parts) > 2 and {*node.value} == {"="}:
        node = Node("relation", (node.parts[0], node.parts[-1]), ("=",))
    elif node.kind in ("relation", "union") and node.value != ("=",):
        node = interval(node)
    elif name_of(node) is not None:
        return node  # its value is settled when it is asked for
    elif node.kind == "product" and [part.kind for part in node.parts].count("matrix") == 1:
        node = _scaled(node)
    elif node.kind != "matrix":
        cases = _cases(node)
        node = node if len(cases) == 1 else Node("list", tuple(map(named_value, cases)))
    return node.parts[0] if shape(node) == "bag" and len(node.parts) == 1 else node


def _scaled(product: Node) -> Node:
    """A matrix with numbers before or behind it: each cell is multiplied."""
    [matrix] = (part for part in product.parts if part.kind == "matrix")
    factors = tuple(part for part in product.parts if part.kind != "matrix")
    rows = (tuple(Node("product", (*factors, cell)) for cell in row.parts) for row in matrix.parts)
    return Node("matrix", tuple(Node("row", row) for row in rows))


def _cases(node: Node) -> tuple[Node, ...]:
    """The upper and the lower reading of all signs in `node`; itself where there is none."""
    return (_with_sign(node, 1), _with_sign(node, -1)) if _has_either(node) else (node,)


def _has_either(node: Node) -> bool:
    return node.kind == "either" or any(map(_has_either, node.parts))


def _with_sign(node: Node, sign: int) -> Node:
    parts = tuple(_with_sign(part, sign) for part in node.parts)
    if node.kind != "either":
        return Node(node.kind, parts, node.value)
    return Node("product", (Node("number", value=Fraction(sign * node.value)), *parts))


def name_of(node: Node) -> str | None:
    """The x of "x = 5" and "5 = x"."""
    if node.kind != "relation" or node.value != ("=",):
        return None
    return next((str(part.value) for part in node.parts if part.kind == "symbol"), None)


def named_value(node: Node) -> Node:
    """The 5 of "x = 5"; whatever has no name is its own value."""
    if name_of(node) is None:
        return node
    left, right = node.parts
    value = right if left.kind == "symbol" else left
    return settled(value)


def difference(equation: Node) -> Node:
    """The left side minus the right side."""
    left, right = equation.parts
    return Node("sum", (left, Node("product", (Node("number", value=Fraction(-1)), right))))
