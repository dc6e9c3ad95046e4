r"""Parts of the number line: inequalities as intervals, and unions with rational ends as sets of points."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from searchkit.verifiers.reference.maths.exact import expand
from searchkit.verifiers.reference.maths.terms import TooBig, Work, is_symbol, rational
from searchkit.verifiers.reference.maths.tokens import Node

End: TypeAlias = tuple[float | Fraction, int]
"""A value and a side: -1 just below it, 0 at it, 1 just above it. So [0, 1) runs from (0, 0) to (1, -1)."""
Region: TypeAlias = tuple[tuple[End, End], ...]

INFINITY = Node("constant", value="oo")
MINUS_INFINITY = Node("product", (Node("number", value=Fraction(-1)), INFINITY))


def interval(node: Node, work: Work) -> Node:
    r"""An inequality in one symbol as intervals: `x > 3`, `0 < 2x \le 1`, `|x| < 2`, `x \ne 3`; else what it is."""
    if node.kind == "union":
        return Node("union", tuple(interval(part, work) for part in node.parts))
    if node.kind == "builder":
        return _of_builder(node, work)
    if node.kind != "relation":
        return node
    parts, signs = node.parts, node.value
    if signs == ("!=",) and parts[0].kind == "symbol":
        below, above = Node("group", (MINUS_INFINITY, parts[1]), "()"), Node("group", (parts[1], INFINITY), "()")
        return Node("union", (below, above)) if not symbols(parts[1]) else node
    if all(sign[0] == ">" for sign in signs):
        parts, signs = parts[::-1], tuple("<" + sign[1:] for sign in signs[::-1])
    if not all(sign[0] == "<" for sign in signs) or len(parts) > 3:
        return node
    named = [at for at, part in enumerate(parts) if part.kind == "symbol"]
    if len(named) == 1 and (len(parts), *named) != (3, 0):
        return _alone(parts, signs, named[0]) or node
    return _solved(parts, signs, work) or node


def _of_builder(node: Node, work: Work) -> Node:
    """The set of all x for which an inequality in x holds."""
    element, condition = node.parts
    found = interval(condition, work)
    about = symbols(condition)
    alone = element.kind == "symbol" and about == {element.value}
    real = element == Node("group", (MINUS_INFINITY, INFINITY), "()") and len(about) == 1  # "x in R" is read as R
    return found if found != condition and (alone or real) else node


def symbols(node: Node) -> set[str]:
    """The names that an expression is about."""
    return {node.value} if node.kind == "symbol" else set[str]().union(*map(symbols, node.parts))


def _alone(parts: tuple[Node, ...], signs: tuple[str, ...], at: int) -> Node | None:
    match len(parts), at:
        case 2, 0:
            return Node("group", (MINUS_INFINITY, parts[1]), "(" + _closing(signs[0]))
        case 2, 1:
            return Node("group", (parts[0], INFINITY), _opening(signs[0]) + ")")
        case 3, 1:
            return Node("group", (parts[0], parts[2]), _opening(signs[0]) + _closing(signs[1]))
    return None


def _solved(parts: tuple[Node, ...], signs: tuple[str, ...], work: Work) -> Node | None:
    """A linear inequality with rational coefficients, or one of an absolute value of something linear and a number."""
    if len(parts) == 2 and _is_abs(parts[0]) and not symbols(parts[1]):
        inside, end = parts[0].parts[0], parts[1]
        return _solved((_negative(end), inside, end), signs * 2, work)
    if len(parts) == 2 and _is_abs(parts[1]) and not symbols(parts[0]):
        end, inside = parts[0], parts[1].parts[0]
        outside = [_solved((inside, _negative(end)), signs, work), _solved((end, inside), signs, work)]
        value = _end(end, work)
        if None in outside or not isinstance(value, Fraction) or value < 0:
            return None
        return Node("union", tuple(part for part in outside if part is not None))
    low, high = (MINUS_INFINITY, False), (INFINITY, False)
    found = [_half(left, right, work) for left, right in pairwise(parts)]
    if None in found or len(set[str]().union(*map(symbols, parts))) != 1:
        return None
    for half, sign in zip(found, signs, strict=True):
        if half is None:
            return None
        end = Node("number", value=half[1])
        if half[0]:
            low = (end, sign == "<=")
        else:
            high = (end, sign == "<=")
    if len(found) == 2 and found[0] is not None and found[1] is not None and found[0][0] == found[1][0]:
        return None  # both bound it on the same side
    return Node("group", (low[0], high[0]), ("[" if low[1] else "(") + ("]" if high[1] else ")"))


def _half(left: Node, right: Node, work: Work) -> tuple[bool, Fraction] | None:
    """left < right, solved: (whether the value is the lower end, the value)."""
    try:
        terms = expand(Node("sum", (right, _negative(left))), work)
    except (TooBig, ValueError):
        return None
    linear = [one for one in terms if one]
    if len(linear) != 1 or len(linear[0]) != 1 or linear[0][0][1] != 1 or not is_symbol(linear[0][0][0]):
        return None
    slope = terms[linear[0]]
    return slope > 0, -terms.get((), Fraction(0)) / slope


def _is_abs(node: Node) -> bool:
    return node.kind == "function" and node.value == "abs" and bool(symbols(node))


def _negative(node: Node) -> Node:
    return Node("product", (Node("number", value=Fraction(-1)), node))


def _opening(sign: str) -> str:
    return "[" if sign == "<=" else "("


def _closing(sign: str) -> str:
    return "]" if sign == "<=" else ")"


def region(node: Node, work: Work) -> Region | None:
    """The points of an interval, a finite set or a union, in order and merged; None if an end is not rational."""
    pieces = _pieces(node, work)
    return None if pieces is None else _merged(pieces)


def spelled(piece: tuple[End, End]) -> str:
    """One interval of a region, as it is usually written."""
    (low, below), (high, above) = piece
    return f"{'(' if below else '['}{low}, {high}{')' if above else ']'}"


def _pieces(node: Node, work: Work) -> list[tuple[End, End]] | None:
    if node.kind == "union":
        found = [_pieces(part, work) for part in node.parts]
        return None if None in found else [piece for one in found if one is not None for piece in one]
    values = [value for part in node.parts if (value := _end(part, work)) is not None]
    if node.kind != "group" or len(values) < len(node.parts):
        return None
    if node.value == "{}":
        return [((value, 0), (value, 0)) for value in values]
    if len(values) != 2:
        return None
    low, high = values
    return [((low, 0 if node.value[0] == "[" else 1), (high, 0 if node.value[1] == "]" else -1))]


def _end(node: Node, work: Work) -> float | Fraction | None:
    """The rational number or the infinity that an end is; None where it is neither."""
    if node in (INFINITY, MINUS_INFINITY):
        return float("inf") if node == INFINITY else -float("inf")
    try:
        return rational(expand(node, work))
    except (TooBig, ValueError):
        return None


def _merged(pieces: list[tuple[End, End]]) -> Region:
    """Overlapping and touching intervals become one; empty ones vanish."""
    merged: list[tuple[End, End]] = []
    for low, high in sorted(piece for piece in pieces if piece[0] <= piece[1]):
        if merged and low <= _after(merged[-1][1]):
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def _after(end: End) -> End:
    """The least beginning that leaves no gap behind `end`: at 1 behind [0, 1), just above 1 behind [0, 1]."""
    return end[0], end[1] + 1
