r"""Comparing expressions with sympy. Only the worker process imports this file: it may be killed at any time.

The rule. Different: at a point where every symbol is a positive whole number, the difference is not 0, computed to at
least 16 bits that are known to be right. Equal: the difference simplifies to 0, or is an algebraic number whose minimal
polynomial is x. Anything else is unknown: numeric agreement alone is no proof. A logarithm without base is read with
base 10 and with base e, and both must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import sympy

from searchkit.verifiers.reference.maths.answer import Exact
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome
from searchkit.verifiers.reference.maths.terms import MAX_BITS, TooBig
from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable

DIGITS = 50
MAX_ARGUMENT = 1000
"""Largest argument of a factorial or binomial that is computed."""
_BITS = 16
_POINTS = ((2, 3, 5, 7, 11, 13), (7, 4, 9, 3, 2, 5), (11, 13, 3, 5, 6, 2))
_ELSEWHERE = ((Fraction(-7, 3), Fraction(-5, 2), Fraction(1, 3)), (Fraction(3, 7), Fraction(-2, 9), Fraction(-8, 5)))

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec, "csc": sympy.csc,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "sinh": sympy.sinh, "cosh": sympy.cosh,
    "tanh": sympy.tanh, "ln": sympy.log, "exp": sympy.exp, "abs": sympy.Abs, "floor": sympy.floor,
    "ceiling": sympy.ceiling,
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo, "degree": sympy.pi / 180}


class Symbolic(Algebra):
    """The `Algebra` of this file, for one pair of answers; exact arithmetic goes first."""

    def __init__(self) -> None:
        super().__init__()
        self._exact: Exact = Exact()
        self._exact.work = self.work

    def same(self, a: Node, b: Node) -> Outcome:
        exact = self._exact.same(a, b)
        if exact.equal is not None:
            return exact
        return _in_all_readings(a, b, _same)

    def same_equation(self, a: Node, b: Node) -> Outcome:
        exact = self._exact.same_equation(a, b)
        if exact.equal is not None:
            return exact
        return _in_all_readings(a, b, _same_equation)


def _in_all_readings(a: Node, b: Node, judge: Callable[[Any, Any], Outcome]) -> Outcome:
    bases = [sympy.Integer(10), sympy.E] if _has_bare_log(a) or _has_bare_log(b) else [sympy.E]
    outcomes = [judge(convert(a, base), convert(b, base)) for base in bases]
    if len({outcome.equal for outcome in outcomes}) > 1:
        return Outcome(None, "it depends on the base of a logarithm")
    return outcomes[0]


def _has_bare_log(node: Node) -> bool:
    return (node.value == "log" and len(node.parts) == 1) or any(map(_has_bare_log, node.parts))


# ---------------------------------------------------------------- from trees to sympy


def convert(node: Node, log_base: Any = sympy.E) -> Any:
    """The sympy object of an expression. Raises `TooBig` before anything large is computed, `Unreadable` for lists."""
    parts = [convert(part, log_base) for part in node.parts]
    match node.kind:
        case "number":
            return sympy.Rational(node.value.numerator, node.value.denominator)
        case "symbol":
            return sympy.Symbol(node.value)
        case "constant":
            return _CONSTANTS[node.value]
        case "sum":
            return sympy.Add(*parts)
        case "product":
            return sympy.Mul(*parts)
        case "power":
            return _power(*parts)
        case "root":
            return _root(*parts)
        case "function":
            return _function(node.value, parts, log_base)
    raise Unreadable(f"a {node.kind} is no expression")


def _power(base: Any, exponent: Any) -> Any:
    if base.is_zero and not exponent.is_positive:
        raise Unreadable("zero to a power that is not positive")
    if base.is_Rational and exponent.is_Rational:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length())
        if bits * abs(exponent) > MAX_BITS:
            raise TooBig("a power is too high")
        if base.is_negative and exponent.q % 2 == 1 and not exponent.is_Integer:
            raise Unreadable("an odd root of a negative number may be real or not")
    return sympy.Pow(base, exponent)


def _root(base: Any, degree: Any) -> Any:
    if degree.is_Integer and degree.is_odd and base.is_negative:
        return -_power(-base, 1 / degree)
    return _power(base, 1 / degree)


def _function(name: str, arguments: list[Any], log_base: Any) -> Any:
    if name == "log":
        base = arguments[1] if len(arguments) == 2 else log_base
        return sympy.log(arguments[0]) / sympy.log(base)
    if name in ("factorial", "binomial"):
        if any(argument.is_number and not argument <= MAX_ARGUMENT for argument in arguments):
            raise TooBig("a factorial is too large")
        return getattr(sympy, name)(*arguments)
    if name not in _FUNCTIONS:
        raise Unreadable("a sum, integral or limit was not computed")
    return _FUNCTIONS[name](*arguments)


# ---------------------------------------------------------------- the rule


def _same(a: Any, b: Any) -> Outcome:
    difference = a - b
    if difference.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        return Outcome(None, "a value is undefined or infinite")
    if difference == 0:
        return Outcome(True, "the difference is 0")
    symbols = sorted(difference.free_symbols, key=str)
    if any(_is_surely_not_zero(difference, point) for point in _whole_points(symbols)):
        return Outcome(False, "another value")
    if _simplifies_to_zero(difference):
        return Outcome(True, "the difference simplifies to 0")
    if not symbols:
        return Outcome(None, f"the same to {DIGITS} digits, which is no proof")
    if any(_is_surely_not_zero(difference, point) for point in _other_points(symbols)):
        return Outcome(None, "the same for positive whole numbers, but not for all")
    return Outcome(None, "the same at all points that were tried, which is no proof")


def _whole_points(symbols: list[Any]) -> Iterator[dict[Any, Any]]:
    for values in _POINTS if symbols else _POINTS[:1]:
        yield {symbol: sympy.Integer(values[at % len(values)] + at // len(values)) for at, symbol in enumerate(symbols)}


def _other_points(symbols: list[Any]) -> Iterator[dict[Any, Any]]:
    for values in _ELSEWHERE:
        yield {symbol: sympy.Rational(values[at % len(values)] + at) for at, symbol in enumerate(symbols)}


def _is_surely_not_zero(difference: Any, point: dict[Any, Any]) -> bool:
    """False also where there is no value. The precision of a result of `evalf` is the number of bits that are right."""
    value = difference.evalf(DIGITS, subs=point)
    parts = value.as_real_imag() if value.is_number else ()
    return any(part.is_Float and part != 0 and part._prec >= _BITS for part in parts)


def _simplifies_to_zero(difference: Any) -> bool:
    for step in (sympy.expand, sympy.radsimp, lambda d: sympy.numer(sympy.together(d)).expand(), sympy.simplify):
        if step(difference) == 0:
            return True
    if difference.free_symbols or not difference.is_algebraic:
        return False
    unknown = sympy.Dummy()
    return bool(sympy.minimal_polynomial(difference, unknown) == unknown)


def _same_equation(a: Any, b: Any) -> Outcome:
    """Polynomials with the same factors have the same solutions; with others, over the complex numbers, others."""
    left, right = (sympy.numer(sympy.together(side)).expand() for side in (a, b))
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    if not symbols or not (left.is_polynomial(*symbols) and right.is_polynomial(*symbols)):
        return Outcome(None, "equations beyond polynomials")
    first, second = (sympy.Poly(side, *symbols) for side in (left, right))
    if first.is_zero or second.is_zero:
        return Outcome(None, "an equation that always holds")
    if _simplifies_to_zero((first * second.LC() - second * first.LC()).as_expr()):
        return Outcome(True, "the same equation up to a factor")
    if not all(polynomial.domain.is_QQ or polynomial.domain.is_ZZ for polynomial in (first, second)):
        return Outcome(None, "equations that were not solved")
    if first.sqf_part().monic() == second.sqf_part().monic():
        return Outcome(None, "the same solutions, but not as often")
    return Outcome(False, "other solutions")
