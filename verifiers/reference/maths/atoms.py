"""The atoms of maths: numbers, names, brackets, roots, functions and matrices; what the parser puts together."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from fractions import Fraction

from searchkit.verifiers.reference.maths.reader import AND, MINUS_ONE, over
from searchkit.verifiers.reference.maths.symbols import Symbols
from searchkit.verifiers.reference.maths.tokens import BOUND, DOTS, FUNCTIONS, INVERSE, Node, is_number, number
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable

# Looked at before it is read: to read it and go back would take exponential time in nested fractions.
_MIXED = re.compile(r"\\frac (?:[0-9]{2}(?![0-9])|\{ [0-9]+ \} \{ [0-9]+ \})")

_FUNCTION_LETTERS = frozenset("fghFGHPEV")
_MINUS_ONES = (MINUS_ONE, Node("product", (MINUS_ONE, Node("number", value=Fraction(1)))))


class Atoms(Symbols, ABC):
    """The lower half of the parser."""

    @abstractmethod
    def _power(self) -> Node:
        """An atom with its exponents."""

    @abstractmethod
    def _exponent(self) -> Node:
        """What follows a caret."""

    def _atom(self, mixed: bool = True) -> Node:
        word = self.peek()
        if word is None:
            raise Unreadable("it ends too early")
        self._at += 1
        if is_number(word):
            return self._number(word, mixed)
        if word in ("(", "[", "\\{"):
            return self._bracket(word)
        if word == "{":
            return self._braces()
        if word in ("|", "\\lvert"):
            return self._bars_around()
        if word in ("\\lfloor", "\\lceil"):
            name = word[2:].replace("ceil", "ceiling")
            return Node("function", (self._until("\\r" + word[2:]),), name)
        if word in ("\\frac", "\\binom", "\\dbinom", "\\tbinom"):
            above, below = self._argument(), self._argument()
            if _starts_with_d(above) and below.kind == "product" and _starts_with_d(below):
                return _derivative(above, below)
            return over(above, below) if word == "\\frac" else Node("function", (above, below), "binomial")
        if word in ("\\sqrt", "sqrt"):
            return self._root()
        if word == "\\begin":
            return self._environment_of_rows()
        if word in FUNCTIONS:
            return self._function(FUNCTIONS[word])
        if word in BOUND:
            return self._bound(word)
        return Node("function", (), "\\dots") if word in DOTS else self._applied(self._name(word))

    def _applied(self, name: Node) -> Node:
        """A letter with an argument in brackets: the value of a function, of which nothing else is known.

        So for the letters that usually are functions, and for all with a number in brackets: a(3) may be a value or 3a.
        """
        if name.kind != "symbol" or self.peek() != "(":
            return name
        constant = is_number(self.peek(1) or " ") and self.peek(2) == ")"
        if name.value.rstrip("'").partition("_")[0] not in _FUNCTION_LETTERS and not constant:
            return name
        self._at += 1
        return Node("function", (self._bracket("("),), f"{name.value} of")

    def _number(self, word: str, mixed: bool) -> Node:
        if self.peek() == "_":
            return self._numeral(word)
        found = number(word)
        if not (mixed and word.isdigit() and _MIXED.match(" ".join(self._words[self._at : self._at + 7]))):
            return found
        self._at += 1
        return Node("sum", (found, over(self._argument(), self._argument())))

    def _numeral(self, digits: str) -> Node:
        """Digits with a base, as in 204_5: kept apart from numbers, since the base belongs to the answer."""
        self._need("_")
        base = self._until("}") if self._take("{") else self._atom(mixed=False)
        if base.kind != "number" or not 2 <= base.value <= 36 or not digits.isdigit():
            raise Unreadable("a numeral's base is a number from 2 to 36")
        if max(digits) >= str(min(base.value, 9)) and int(max(digits)) >= base.value:
            raise Unreadable(f"{digits} has digits that base {base.value} lacks")
        return Node("numeral", (base,), (int(digits, int(base.value)), int(base.value)))

    def _bracket(self, opening: str) -> Node:
        """A group, tuple, interval or set; `value` is its pair of brackets."""
        outer, self._bars, self._builder = (self._bars, self._builder), 0, opening == "\\{"
        parts = []
        if not (opening == "\\{" and self.peek() == "\\}"):
            parts.append(self._relation())
            if self._builder and self._take("|", "\\mid", ":"):
                self._builder = False
                parts = [Node("builder", (parts[0], self._condition()))]
            while self._take(",", ";"):
                parts.append(self._relation())
        closing = self._take("\\}") if opening == "\\{" else self._take(")", "]")
        if closing is None:
            raise Unreadable(f"{opening!r} is not closed before {self.peek()!r}")
        self._bars, self._builder = outer
        pair = opening[-1] + closing[-1]
        if len(parts) == 1 and (pair in ("()", "[]") or parts[0].kind == "builder"):
            return parts[0]
        if len(parts) != 2 and pair in ("(]", "[)"):
            raise Unreadable("an interval has two ends")
        if opening == "\\{" and any(_is_set(part) for part in parts):
            raise Unreadable("a set of sets")
        return Node("group", tuple(parts), pair)

    def _condition(self) -> Node:
        """What members of a set fulfil, all of it."""
        found = [self._relation()]
        while (sign := self._take(*AND, "or")) is not None:
            if sign == "or":
                return Node("union", (found[0], self._relation()))
            found.append(self._relation())
        return found[0] if len(found) == 1 else Node("statements", tuple(found))

    def _braces(self) -> Node:
        """TeX's braces, which are not seen; with a comma inside, a set in plain notation."""
        parts = [self._relation()]
        while self._take(",", ";"):
            parts.append(self._relation())
        self._need("}")
        return parts[0] if len(parts) == 1 else Node("group", tuple(parts), "{}")

    def _bars_around(self) -> Node:
        self._bars += 1
        inside = self._sum()
        self._bars -= 1
        if not self._take("|", "\\rvert"):
            raise Unreadable("a bar of an absolute value is missing")
        return Node("function", (inside,), "abs")

    def _until(self, closing: str) -> Node:
        bars, self._bars = self._bars, 0
        inside = self._sum()
        self._bars = bars
        self._need(closing)
        return inside

    def _argument(self) -> Node:
        r"""A command's argument: braces, or one token, of which a number gives but its first digit (`\frac12`)."""
        if self._take("{"):
            return self._until("}")
        word = self.peek()
        if word is not None and word.isdigit() and len(word) > 1:
            self._words[self._at : self._at + 1] = [word[0], word[1:]]
        with self._deeper():
            return self._atom(mixed=False)

    def _root(self) -> Node:
        degree = Node("number", value=Fraction(2))
        if self._take("["):
            degree = self._until("]")
        if self._take("("):
            return Node("root", (self._until(")"), degree))
        return Node("root", (self._argument(), degree))

    def _function(self, name: str) -> Node:
        base = None
        if name == "log" and self._take("_"):
            base = self._argument()
        power = self._exponent() if self._take("^") else None
        if self._take("("):
            inside = self._until(")")
        else:
            inside = self._bars_around() if self._take("|", "\\lvert") else self._plain_argument()
        if power in _MINUS_ONES:
            name, power = INVERSE.get(name, ""), None
            if not name:
                raise Unreadable("an inverse of this function")
        if name == "cis":
            return cis(inside) if power is None else Node("power", (cis(inside), power))
        found = Node("function", (inside,) if base is None else (inside, base), name)
        return found if power is None else Node("power", (found, power))

    def _plain_argument(self) -> Node:
        r"""What stands behind a function: factors up to the next function or bracket, as in `\sin 2\pi x`."""
        with self._deeper():
            factors = [self._power()]
            while self._starts_factor() and self.peek() not in ("(", "[", "\\{", "|", *FUNCTIONS):
                factors.append(self._power())
        if self.peek() == "/" and self.peek(1) not in FUNCTIONS:
            raise Unreadable("sin a/b may be sin(a/b) or (sin a)/b")
        return factors[0] if len(factors) == 1 else Node("product", tuple(factors))


def _derivative(above: Node, below: Node) -> Node:
    """dy/dx of two letters, whole; other fractions with the symbol d above and below may be derivatives or not."""
    names = [part.value for node in (above, below) for part in node.parts]
    if len(names) != 4 or not all(isinstance(name, str) and len(name) > 0 for name in names):
        raise Unknown("a derivative, or a fraction with the symbol d above and below")
    return Node("function", (), f"\\frac{''.join(names[:2])}/{''.join(names[2:])}")


def cis(angle: Node) -> Node:
    """cos + i sin."""
    turned = Node("product", (Node("constant", value="i"), Node("function", (angle,), "sin")))
    return Node("sum", (Node("function", (angle,), "cos"), turned))


def _is_set(node: Node) -> bool:
    return node.kind == "group" and node.value == "{}"


def _starts_with_d(node: Node) -> bool:
    return node == Node("symbol", value="d") or (node.kind == "product" and _starts_with_d(node.parts[0]))
