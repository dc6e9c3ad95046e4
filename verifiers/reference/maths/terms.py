"""Sums of monomials with rational coefficients: addition, products, powers, roots, all bounded before they are done."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeAlias

Monomial: TypeAlias = tuple[tuple[str, Fraction], ...]
Terms: TypeAlias = dict[Monomial, Fraction]

MAX_TERMS = 100
"""Most monomials of a sum; a longer one is not expanded."""
MAX_BITS = 4000
"""Most bits of a numerator or denominator: powers and factorials are estimated before they are computed."""
MAX_WORK = 5_000
"""Most products of two monomials for one comparison: some 50 ms."""
_MAX_POWER = 30
_MAX_PRIME = 1000
_MAX_ATOM = 2000
PI, IMAGINARY = "\\pi", "i"


class TooBig(ValueError):
    """The expression does not fit into the limits above."""


class Work:
    """What is left of `MAX_WORK`."""

    def __init__(self) -> None:
        self.left: int = MAX_WORK

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise TooBig("the expressions are too long to be expanded")


def scalar(value: Fraction) -> Terms:
    """A rational number."""
    _check(value)
    return {(): value} if value else {}


def single(atom: str, exponent: Fraction = Fraction(1), coefficient: Fraction = Fraction(1)) -> Terms:
    """A power of one atom."""
    return {((atom, exponent),): coefficient}


def whole(name: str, *arguments: Terms) -> Terms:
    """What is not taken apart, as an atom: two of them are the same if their arguments are."""
    return single(_atom(f"{name} {', '.join(map(render, arguments))}"))


def add(sums: Iterable[Terms]) -> Terms:
    """The sum of sums, like terms together."""
    total: Terms = {}
    for terms in sums:
        for one, value in terms.items():
            total[one] = total.get(one, Fraction(0)) + value
    if len(total) > MAX_TERMS:
        raise TooBig(f"a sum has more than {MAX_TERMS} terms")
    for value in total.values():
        _check(value)
    return {one: value for one, value in total.items() if value}


def product(sums: Iterable[Terms], work: Work) -> Terms:
    """The product of sums, multiplied out."""
    total: Terms = {(): Fraction(1)}
    for terms in sums:
        work.spend(len(total) * len(terms))
        total = add([_times(a, x, b, y) for a, x in total.items() for b, y in terms.items()])
    return total


def power(base: Terms, exponent: Terms, work: Work) -> Terms:
    """Taken apart where that is true for all values: (x^2)^(1/2) is not x, (-8)^(1/3) may be -2 or not."""
    times, value = rational(exponent), rational(base)
    if times is None:
        return whole("pow", base, exponent)
    if times.denominator == 1:
        return _integer_power(base, int(times), work)
    if value is not None and value > 0:
        return _radical(value, times)
    if value == 0 and times > 0:
        return {}
    if value is not None and value < 0 and times.denominator == 2:
        return product([single(IMAGINARY, 2 * times), _radical(-value, times)], work)
    if [*base.values()] == [1]:
        [one] = base
        if len(one) == 1 and one[0][1] == 1 and one[0][0] != IMAGINARY:
            return single(one[0][0], times)
    return whole("pow", base, exponent)


def root(base: Terms, degree: Terms, work: Work) -> Terms:
    """A root with its sign: the cube root of -8 is -2."""
    order, value = rational(degree), rational(base)
    if order is None or order.denominator != 1 or order < 2:
        return whole("root", base, degree)
    if value is not None and value < 0 and order % 2 == 1:
        return product([scalar(Fraction(-1)), _radical(-value, 1 / order)], work)
    return power(base, scalar(1 / order), work)


def rational(terms: Terms) -> Fraction | None:
    """The value of a sum that is a rational number."""
    if not terms:
        return Fraction(0)
    return terms.get(()) if len(terms) == 1 else None


def render(terms: Terms) -> str:
    """The sum as a text, monomials in a fixed order: equal sums have equal texts."""
    texts = (f"{_coefficient(terms[one], one)}{_factors(one)}" for one in sorted(terms))
    return "+".join(texts).replace("+-", "-") or "0"


def is_symbol(atom: str) -> bool:
    """Whether an atom is a symbol: neither a constant, nor a number, nor something left whole."""
    return not atom.isdigit() and atom not in (PI, IMAGINARY) and not atom.startswith("(")


# ---------------------------------------------------------------- monomials


def _check(value: Fraction) -> None:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise TooBig("a number is too long")


def _atom(text: str) -> str:
    """In brackets, which no symbol has. Atoms within atoms could grow without bound."""
    if len(text) > _MAX_ATOM:
        raise TooBig("an expression is too long")
    return f"({text})"


def _times(a: Monomial, x: Fraction, b: Monomial, y: Fraction) -> Terms:
    powers = dict(a)
    for atom, times in b:
        powers[atom] = powers.get(atom, Fraction(0)) + times
    return _normal(powers, x * y)


def _normal(powers: dict[str, Fraction], value: Fraction) -> Terms:
    """One monomial: whole powers of primes go into the coefficient, i * i is -1."""
    kept = {}
    for atom, times in powers.items():
        if atom.isdigit():
            full = times.numerator // times.denominator
            if abs(full) > MAX_BITS:
                raise TooBig("a power is too high")
            value, times = value * Fraction(int(atom)) ** full, times - full
        elif atom == IMAGINARY:
            value, times = value * (-1 if times % 4 >= 2 else 1), times % 2
        if times:
            kept[atom] = times
    _check(value)
    return {tuple(sorted(kept.items())): value} if value else {}


def _integer_power(base: Terms, times: int, work: Work) -> Terms:
    if not base and times <= 0:
        raise ValueError("zero to a power that is not positive")
    if len(base) == 1:
        [(one, value)] = base.items()
        if abs(times) * max(value.numerator.bit_length(), value.denominator.bit_length()) > 2 * MAX_BITS:
            raise TooBig("a power is too high")
        return _normal({atom: exponent * times for atom, exponent in one}, value**times)
    if times > _MAX_POWER:
        raise TooBig("a power of a sum is too high")
    return product([base] * times, work) if times >= 0 else _inverse(base, -times)


def _inverse(base: Terms, times: int) -> Terms:
    """One over a sum, made unique by dividing the sum by the coefficient of its first monomial."""
    leading = base[min(base)]
    scaled = {one: value / leading for one, value in base.items()}
    if times * leading.numerator.bit_length() > MAX_BITS or times * leading.denominator.bit_length() > MAX_BITS:
        raise TooBig("a power is too high")
    return _normal({_atom(render(scaled)): Fraction(-times)}, leading**-times)


def _radical(value: Fraction, times: Fraction) -> Terms:
    """A positive number to a fractional power, as a product of primes; large factors that resist are left whole."""
    powers: dict[str, Fraction] = {}
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, multiplicity in _factored(part).items():
            powers[prime] = powers.get(prime, Fraction(0)) + sign * multiplicity * times
    return _normal(powers, Fraction(1))


def _factored(value: int) -> dict[str, int]:
    """Prime factors and their exponents; a rest without small factors counts as one if it may be composite."""
    found: dict[str, int] = {}
    prime = 2
    while prime <= _MAX_PRIME and prime * prime <= value:
        while value % prime == 0:
            found[str(prime)], value = found.get(str(prime), 0) + 1, value // prime
        prime += 1
    if value > 1:
        found[str(value) if value <= _MAX_PRIME**2 else _atom(str(value))] = 1
    return found


def _coefficient(value: Fraction, one: Monomial) -> str:
    return {Fraction(1): "", Fraction(-1): "-"}.get(value, f"{value}") if one else f"{value}"


def _factors(one: Monomial) -> str:
    return "".join(f"[{atom}]" if times == 1 else f"[{atom}]^{times}" for atom, times in one)
