r"""Exact arithmetic of expressions in pure Python: sums of monomials with rational coefficients.

A monomial is a product of powers of atoms: symbols, constants, primes under a root, and whatever is not taken apart
(`\sin x`, `1/(x+1)`), which is an atom of its own. Equal sums are equal expressions, so this is proof of equality, as
well as a key to vote by. Of sums in which nothing was left whole, different ones are different: the square roots (and
higher roots) of different primes and their products are linearly independent over the rationals (Besicovitch, J. London
Math. Soc. 1940), \pi is transcendental over them, and monomials in symbols are independent functions.
"""

from __future__ import annotations

import math
from fractions import Fraction

from searchkit.verifiers.reference.maths.terms import (
    IMAGINARY,
    MAX_BITS,
    PI,
    Terms,
    TooBig,
    Work,
    add,
    power,
    product,
    rational,
    root,
    scalar,
    single,
    whole,
)
from searchkit.verifiers.reference.maths.tokens import Node

_CONSTANTS = {"pi": PI, "i": IMAGINARY, "e": "(e)"}


def expand(node: Node, work: Work) -> Terms:
    """The sum of monomials that an expression is. Raises `TooBig`, and `ValueError` for what is no expression."""
    parts = [expand(part, work) for part in node.parts]
    match node.kind:
        case "number":
            return scalar(node.value)
        case "symbol":
            return single(node.value)
        case "constant" if node.value == "degree":
            return single(PI, coefficient=Fraction(1, 180))
        case "constant" if node.value != "oo":
            return single(_CONSTANTS[node.value])
        case "sum":
            return add(parts)
        case "product":
            return product(parts, work)
        case "power":
            return power(parts[0], parts[1], work)
        case "root":
            return root(parts[0], parts[1], work)
        case "function":
            return _function(node.value, parts)
    raise ValueError(f"a {node.kind} is no expression")


def independent(terms: Terms) -> bool:
    """Whether a different sum is surely a different function: nothing in it was left whole."""
    return all(_is_plain(atom, power) for one in terms for atom, power in one)


def _is_plain(atom: str, power: Fraction) -> bool:
    if atom.isdigit():
        return True
    if atom in (PI, IMAGINARY):
        return power.denominator == 1
    return not atom.startswith("(")


def _function(name: str, arguments: list[Terms]) -> Terms:
    """Computed where all arguments are rational numbers and the function is one of whole numbers, else left whole."""
    values = [value for argument in arguments if (value := rational(argument)) is not None]
    if len(values) < len(arguments):
        return whole(name, *arguments)
    match name, values:
        case "abs", [value]:
            return scalar(abs(value))
        case "floor", [value]:
            return scalar(Fraction(math.floor(value)))
        case "ceiling", [value]:
            return scalar(Fraction(math.ceil(value)))
        case "factorial", [n] if _is_natural(n):
            if n * n.numerator.bit_length() > 2 * MAX_BITS:
                raise TooBig("a factorial is too large")
            return scalar(Fraction(math.factorial(int(n))))
        case "binomial", [n, k] if _is_natural(n) and _is_natural(k):
            if n > MAX_BITS:
                raise TooBig("a binomial coefficient is too large")
            return scalar(Fraction(math.comb(int(n), int(k))))
    return whole(name, *arguments)


def _is_natural(value: Fraction) -> bool:
    return value >= 0 and value.denominator == 1
