"""One form for the ways to write an answer: plus-minus split, names dropped, inequalities as intervals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from searchkit.verifiers.reference.maths.matrices import composite, evaluated
from searchkit.verifiers.reference.maths.numeric import fits
from searchkit.verifiers.reference.maths.regions import interval, region
from searchkit.verifiers.reference.maths.terms import Work
from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable

Same = Callable[[Node, Node], bool | None]
"""Whether two expressions are equal, as far as it is known."""


def shape(node: Node) -> str:
    """ "bag" for lists and sets, "row" for tuples and intervals, "matrix", "union", and "one" for all else."""
    if node.kind == "list" or (node.kind == "group" and node.value == "{}"):
        return "bag"
    return {"group": "row", "matrix": "matrix", "union": "union"}.get(node.kind, "one")


def settled(node: Node, same: Same, work: Work) -> Node:
    """Plus-minus split into its two cases, lists of one without the list, true calculations as their results.

    Raises `Unreadable` for what contradicts itself, and for arithmetic with lists.
    """
    if node.kind == "group" and node.value in ("()", "[]") and node.parts and all(map(name_of, node.parts)):
        node = Node("list", node.parts)
    match node.kind:
        case "list":
            return _settled_list(node, same, work)
        case "group":
            if node.value == "{}":
                node = Node("group", tuple(case for part in node.parts for case in _cases(part)), "{}")
        case "relation":
            return _settled_relation(node, same, work)
        case "union" | "builder":
            return interval(node, work)
        case "restated":
            return _restated(node, work)
        case "sum" | "product" | "power" if composite(node):
            return evaluated(node)
        case "sum" | "product" | "power" | "function" | "root" | "either":
            cases = _cases(node)
            node = node if len(cases) == 1 else Node("list", cases)
    return node.parts[0] if shape(node) == "bag" and len(node.parts) == 1 and node.parts[0].kind != "relation" else node


def _settled_list(node: Node, same: Same, work: Work) -> Node:
    parts = tuple(case for part in node.parts for case in _cases(_true(part, same)))
    names = [name_of(part) for part in parts]
    if None not in names and len({*names}) == len(names) > 1:
        ordered = sorted(parts, key=lambda part: str(name_of(part)))
        return Node("group", tuple(named_value(part, same, work) for part in ordered), "()")
    return parts[0] if len(parts) == 1 else Node("list", parts, node.value)


def _settled_relation(node: Node, same: Same, work: Work) -> Node:
    node = _true(node, same)
    if node.kind == "relation" and "~" in node.value:
        return _rounded(node)
    if node.kind != "relation" or name_of(node) is not None:
        return node  # its value is settled when it is asked for
    return interval(node, work) if "=" not in node.value else node


def _true(node: Node, same: Same) -> Node:
    """A chain of equal expressions as its last one, with its name; one that is not known to be true stays whole."""
    if node.kind != "relation" or {*node.value} != {"="} or (len(node.parts) == 2 and name_of(node) is not None):
        return node
    if all(part.kind == "number" for part in node.parts[-2:]):
        raise Unreadable("a number that is said to be a number")
    named = node.parts[0].kind == "symbol"
    sides = node.parts[1:] if named else node.parts
    if any(map(_has_either, sides)) or not all(same(a, b) for a, b in pairwise(sides)):
        return node
    return Node("relation", (node.parts[0], sides[-1]), ("=",)) if named else sides[-1]


def _rounded(node: Node) -> Node:
    """What stands in front of a sign of approximation, if it is a value that rounds so; else about what is behind."""
    if node.value == ("~",) and node.parts[0].kind == "symbol":
        return Node("about", node.parts[1:])
    if node.value not in (("~",), ("=", "~")) or not fits(node.parts[-2], node.parts[-1]):
        raise Unreadable("a rounded value that does not fit, or of which that is not known")
    return node.parts[0] if len(node.parts) == 2 else Node("relation", node.parts[:2], ("=",))


def _restated(node: Node, work: Work) -> Node:
    first, second = (interval(part, work) for part in node.parts)
    one, other = region(first, work), region(second, work)
    if first != second and (one is None or one != other):
        raise Unreadable("two sets that may not be the same")
    return second


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
    """The x of "x = 5" and "5 = x". Of two symbols like B = C neither is a name: it may be an equation."""
    if node.kind != "relation" or node.value != ("=",) or len(node.parts) != 2:
        return None
    if (
        node.parts[0].kind == node.parts[1].kind == "symbol"
        and len({str(part.value).islower() for part in node.parts}) == 1
    ):
        return None
    return next((str(part.value) for part in node.parts if part.kind == "symbol"), None)


def named_value(node: Node, same: Same, work: Work) -> Node:
    """The 5 of "x = 5"; whatever has no name is its own value."""
    if name_of(node) is None:
        return node
    left, right = node.parts
    return settled(right if left.kind == "symbol" else left, same, work)


def difference(equation: Node) -> Node:
    """The left side minus the right side."""
    left, right = equation.parts
    return Node("sum", (left, Node("product", (Node("number", value=Fraction(-1)), right))))
