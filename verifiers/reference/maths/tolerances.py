"""How far a number may be from the reference, where a data set says so. Off unless asked for."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from searchkit.errors import ConfigError
from searchkit.verifiers.reference.maths.exact import expand
from searchkit.verifiers.reference.maths.numeric import roughly
from searchkit.verifiers.reference.maths.terms import Work, rational
from searchkit.verifiers.reference.maths.tokens import Node

Number = Fraction | float
_LEAST = 1e-300


@dataclass(frozen=True)
class Tolerance(ABC):
    """What all have in common: they are asked about two numbers."""

    @abstractmethod
    def accepts(self, value: Number, reference: Number) -> bool:
        """Whether the value is near enough."""


@dataclass(frozen=True)
class Relative(Tolerance):
    """Near enough if the difference is at most `most` times the reference's size. A reference of 0 must be met exactly.

    most: between 0 and 1; 1e-4 is a hundredth of a percent.
    """

    most: float

    def __post_init__(self) -> None:
        _check(self, _is_number(self.most) and 0 < self.most < 1, "a share between 0 and 1, such as 1e-4")

    def accepts(self, value: Number, reference: Number) -> bool:
        return _gap(value, reference) <= Fraction(str(self.most)) * abs(Fraction(reference))


@dataclass(frozen=True)
class Absolute(Tolerance):
    """Near enough if the difference is at most `most`.

    most: more than 0, in the unit of the reference.
    """

    most: float

    def __post_init__(self) -> None:
        _check(self, _is_number(self.most) and 0 < self.most < math.inf, "a number above 0, such as 0.5")

    def accepts(self, value: Number, reference: Number) -> bool:
        return _gap(value, reference) <= Fraction(str(self.most))


@dataclass(frozen=True)
class Places(Tolerance):
    """Near enough if the difference is at most half a unit of this decimal place: one may be the other, rounded.

    places: 0 for whole numbers, 2 for hundredths, at most 15.
    """

    places: int

    def __post_init__(self) -> None:
        whole = isinstance(self.places, int) and not isinstance(self.places, bool)
        _check(self, whole and 0 <= self.places <= 15, "a whole number from 0 to 15")

    def accepts(self, value: Number, reference: Number) -> bool:
        return _gap(value, reference) <= Fraction(1, 2 * 10**self.places)


def _gap(value: Number, reference: Number) -> Fraction:
    return abs(Fraction(value) - Fraction(reference))


def number(node: Node) -> Number | None:
    """The real number that a tree is, exactly where it is rational; None for anything else."""
    if node.kind == "relation" and node.value == ("=",) and node.parts[0].kind == "symbol":
        return number(node.parts[1]) if len(node.parts) == 2 else None
    if node.kind == "about":
        return number(node.parts[0])
    try:
        exact = rational(expand(node, Work()))
    except ValueError:  # TooBig is one
        exact = None
    if exact is not None:
        return exact
    value = roughly(node)
    return None if value is not None and abs(value) < _LEAST else value  # 0 may be what is too small for a float


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Fraction) and not isinstance(value, bool)


def _check(tolerance: Tolerance, allowed: bool, wanted: str) -> None:
    if not allowed:
        raise ConfigError(f"{tolerance!r}: it takes {wanted}")
