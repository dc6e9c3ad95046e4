"""Roughly how much an expression is, in floating point: for tolerances, and to see whether a rounded value fits."""

from __future__ import annotations

import math
from collections.abc import Callable

from searchkit.verifiers.reference.maths.reader import MINUS_ONE
from searchkit.verifiers.reference.maths.tokens import Node

_CONSTANTS = {"pi": math.pi, "e": math.e, "degree": math.pi / 180}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "ln": math.log, "exp": math.exp, "abs": abs,
    "cot": lambda x: 1 / math.tan(x), "sec": lambda x: 1 / math.cos(x), "csc": lambda x: 1 / math.sin(x),
}  # fmt: skip
_FAR, _MOST_PLACES = 0.1, 30


def roughly(node: Node) -> float | None:
    """A finite real number, or None: for symbols, lists, complex values, and what is too large."""
    try:
        found = _value(node)
    except (ArithmeticError, ValueError, KeyError, TypeError):
        return None
    return found if math.isfinite(found) else None


def fits(exact: Node, rounded: Node) -> bool:
    """Whether the second is a decimal to which the first rounds."""
    one, places = roughly(exact), _places(rounded)
    if one is None or places is None:
        return False
    other = roughly(rounded)
    return other is not None and abs(one - other) <= 0.5000001 * 10.0**-places


def _places(node: Node) -> int | None:
    """How many decimal places a number has."""
    sign = node.kind == "product" and len(node.parts) == 2 and node.parts[0] == MINUS_ONE
    number = node.parts[1] if sign else node
    if number.kind != "number":
        return None
    return next((places for places in range(_MOST_PLACES) if (number.value * 10**places).denominator == 1), None)


def far(a: Node, b: Node) -> bool:
    """Whether no rounding makes one of the other."""
    one, other = roughly(a), roughly(b)
    return one is not None and other is not None and abs(one - other) > _FAR * max(abs(one), abs(other), 1)


def _value(node: Node) -> float:
    match node.kind:
        case "number":
            return float(node.value)
        case "constant":
            return _CONSTANTS[node.value]
        case "sum":
            return math.fsum(map(_value, node.parts))
        case "product":
            return math.prod(map(_value, node.parts))
        case "about":
            return _value(node.parts[0])
    parts = [_value(part) for part in node.parts]
    match node.kind, parts:
        case "power", [base, exponent]:
            return _real(base**exponent)
        case "root", [base, degree]:
            return -((-base) ** (1 / degree)) if base < 0 and degree % 2 == 1 else _real(base ** (1 / degree))
        case "function", [argument] if node.value in _FUNCTIONS:
            return _FUNCTIONS[node.value](argument)
        case "function", [argument, base] if node.value == "log":
            return math.log(argument, base)
    raise ValueError(f"a {node.kind} has no value")


def _real(value: float | complex) -> float:
    if isinstance(value, complex):
        raise ValueError("it is not real")
    return value
