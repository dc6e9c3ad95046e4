"""What all rules of the maths parser stand on: a place in the tokens, the depth of nesting, the nodes they build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

from searchkit.verifiers.reference.maths.tokens import CLOSING, COMPARISONS, Node
from searchkit.verifiers.reference.maths.two_readings import Unreadable

MAX_DEPTH = 40
"""Deepest nesting of brackets, arguments and exponents; keeps the recursion far from Python's limit."""

OR, AND = ("or", "\\cup", "\\lor", "\\bigcup"), (",", ";", "and", "\\quad", "\\land", "\\wedge")
SIGNS = ("+", "-", "\\pm", "\\mp")
TIMES = ("*", "\\cdot", "\\times")
_BETWEEN = ("/", "\\div", "\\in", "^", "_", "!", "'", ":", "&", "\\\\", "\\mid", "\\pmod", "\\bmod", "\\setminus")
_NO_FACTOR = frozenset({*CLOSING, *COMPARISONS, *SIGNS, *OR, *AND, *TIMES, *_BETWEEN})


class Reader:
    """Each rule leaves `_at` behind what it has read."""

    def __init__(self, words: list[str]) -> None:
        self._words, self._at, self._depth, self._bars = words, 0, 0, 0
        self._builder: bool = False  # in a set, where a bar may stand before its condition

    def peek(self, ahead: int = 0) -> str | None:
        return self._words[self._at + ahead] if self._at + ahead < len(self._words) else None

    def _take(self, *expected: str) -> str | None:
        """The next token if it is one of `expected`."""
        word = self.peek()
        if word is None or word not in expected:
            return None
        self._at += 1
        return word

    def _need(self, expected: str) -> None:
        if not self._take(expected):
            raise Unreadable(f"{expected!r} is missing before {self.peek()!r}")

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        """One level of nesting more."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"it is nested more than {MAX_DEPTH} deep")
        yield
        self._depth -= 1

    def _starts_factor(self) -> bool:
        """Whether a factor follows without a sign between; a bar closes an absolute value where one is open."""
        word = self.peek()
        return word is not None and word not in _NO_FACTOR and not (word == "|" and (self._bars or self._builder))

    def _word_in_braces(self, allowed: Callable[[str], bool]) -> str:
        """Letters and numbers up to a closing brace: the name of an environment, a subscript."""
        name = ""
        while (word := self.peek()) is not None and allowed(word):
            name += word
            self._at += 1
        self._need("}")
        return name


MINUS_ONE = Node("number", value=Fraction(-1))


def signed(term: Node, sign: str) -> Node:
    """A term behind one of `SIGNS`."""
    if sign in ("\\pm", "\\mp"):
        return Node("either", (term,), 1 if sign == "\\pm" else -1)
    return term if sign == "+" else Node("product", (MINUS_ONE, term))


def reciprocal(below: Node) -> Node:
    """One over it."""
    return Node("power", (below, MINUS_ONE))


def over(above: Node, below: Node) -> Node:
    """A fraction."""
    return Node("product", (above, reciprocal(below)))


def is_region(node: Node) -> bool:
    """Whether it is a part of the number line: an interval, a finite set, an inequality, or a union of such."""
    if node.kind == "relation":
        return bool({*node.value} <= {"<", "<=", ">", ">=", "!="})
    return node.kind == "union" or (node.kind == "group" and (node.value == "{}" or len(node.parts) == 2))


def spans(node: Node) -> bool:
    """Whether it is surely no point: an inequality, an interval without an end, or with one that belongs to it."""
    if node.kind == "group":
        return node.value in ("(]", "[)") or any(_infinite(part) for part in node.parts)
    return node.kind in ("relation", "union")


def _infinite(node: Node) -> bool:
    return node == Node("constant", value="oo") or (node.kind == "product" and _infinite(node.parts[-1]))
