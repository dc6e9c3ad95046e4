r"""Parts of the number line: inequalities as intervals, and unions with rational ends as sets of points."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from searchkit.verifiers.reference.maths.exact import expand
from searchkit.verifiers.reference.maths.terms import TooBig, Work, rational
from searchkit.verifiers.reference.maths.tokens import Node

End: TypeAlias = tuple[float | Fraction, int]
"""A value and a side: -1 just below it, 0 at it, 1 just above it. So [0, 1) runs from (0, 0) to (1, -1)."""
Region: TypeAlias = tuple[tuple[End, End], ...]

INFINITY = Node("constant", value="oo")
MINUS_INFINITY = Node("product", (Node("number", value=Fraction(-1)), INFINITY))


def interval(node: Node) -> Node:
    r"""An inequality in one symbol as an interval: `x > 3`, `3 < x`, `0 < x \le 1`; anything else as it is."""
    if node.kind == "union":
        return Node("union", tuple(map(interval, node.parts)))
    if node.kind != "relation":
        return node
    parts, signs = node.parts, node.value
    if all(sign[0] == ">" for sign in signs):
        parts, signs = parts[::-1], tuple("<" + sign[1:] for sign in signs[::-1])
    symbols = [at for at, part in enumerate(parts) if part.kind == "symbol"]
    if not all(sign[0] == "<" for sign in signs) or len(symbols) != 1 or (len(parts), *symbols) == (3, 0):
        return node
    match len(parts), symbols[0]:
        case 2, 0:
            ends, brackets = (MINUS_INFINITY, parts[1]), "(" + _closing(signs[0])
        case 2, 1:
            ends, brackets = (parts[0], INFINITY), _opening(signs[0]) + ")"
        case 3, 1:
            ends, brackets = (parts[0], parts[2]), _opening(signs[0]) + _closing(signs[1])
        case _:
            return node
    return Node("group", ends, brackets)


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
