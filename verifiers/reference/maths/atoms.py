"""The atoms of maths: numbers, names, brackets, roots, functions and matrices; what the parser puts together."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from fractions import Fraction

from searchkit.verifiers.reference.maths.reader import MINUS_ONE, Reader, over, signed
from searchkit.verifiers.reference.maths.tokens import (
    BIG,
    CONSTANTS,
    ENVIRONMENTS,
    FUNCTIONS,
    GREEK,
    INVERSE,
    Node,
    Unreadable,
    is_number,
    number,
)

# Looked at before it is read: to read it and go back would take exponential time in nested fractions.
_MIXED = re.compile(r"\\frac (?:[0-9]{2}(?![0-9])|\{ [0-9]+ \} \{ [0-9]+ \})")

_MINUS_ONES = (MINUS_ONE, Node("product", (MINUS_ONE, Node("number", value=Fraction(1)))))


class Atoms(Reader, ABC):
    """The lower half of the parser."""

    @abstractmethod
    def _sum(self) -> Node:
        """An expression."""

    @abstractmethod
    def _relation(self) -> Node:
        """An expression, equation or inequality."""

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
                raise Unreadable("a derivative, or a fraction with the symbol d above and below")
            return over(above, below) if word == "\\frac" else Node("function", (above, below), "binomial")
        if word in ("\\sqrt", "sqrt"):
            return self._root()
        if word == "\\begin":
            return self._matrix()
        if word in FUNCTIONS:
            return self._function(FUNCTIONS[word])
        return self._name(word)

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
        bars, self._bars = self._bars, 0
        parts = []
        if not (opening == "\\{" and self.peek() == "\\}"):
            parts.append(self._relation())
            while self._take(",", ";"):
                parts.append(self._relation())
        closing = self._take("\\}") if opening == "\\{" else self._take(")", "]")
        if closing is None:
            raise Unreadable(f"{opening!r} is not closed before {self.peek()!r}")
        self._bars = bars
        pair = opening[-1] + closing[-1]
        if len(parts) == 1 and pair in ("()", "[]"):
            return parts[0]
        if len(parts) != 2 and pair in ("(]", "[)"):
            raise Unreadable("an interval has two ends")
        return Node("group", tuple(parts), pair)

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

    def _matrix(self) -> Node:
        """Rows of cells; the kind of brackets around them says nothing."""
        kind = self._environment()
        if kind not in ENVIRONMENTS:
            raise Unreadable(f"the environment {kind!r}")
        rows, row = [], [self._sum()]
        while not self._take("\\end"):
            if self._take("&"):
                row.append(self._sum())
                continue
            self._need("\\\\")
            rows.append(Node("row", tuple(row)))
            row = [] if self.peek() == "\\end" else [self._sum()]
        if self._environment() != kind:
            raise Unreadable(f"the environment {kind!r} is not closed")
        rows += [Node("row", tuple(row))] if row else []
        if len({len(one.parts) for one in rows}) != 1:
            raise Unreadable("the rows of a matrix have different lengths")
        return Node("matrix", tuple(rows))

    def _environment(self) -> str:
        self._need("{")
        return self._word_in_braces(str.isalpha)

    def _function(self, name: str) -> Node:
        base = None
        if name == "log" and self._take("_"):
            base = self._argument()
        power = self._exponent() if self._take("^") else None
        inside = self._until(")") if self._take("(") else self._plain_argument()
        if power in _MINUS_ONES:
            name, power = INVERSE.get(name, ""), None
            if not name:
                raise Unreadable("an inverse of this function")
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

    def _name(self, word: str) -> Node:
        if word in CONSTANTS:
            return Node("constant", value=CONSTANTS[word])
        if word in BIG:
            self._at += 1 if word == "\\mathbb" else 0
            return self._field(word)
        if word not in GREEK and not (len(word) == 1 and word.isalpha()):
            raise Unreadable(f"{word!r} is not known")
        if not self._take("_"):
            return Node("symbol", value=word)
        if self._take("{"):
            name = self._word_in_braces(str.isalnum)
        else:
            name, self._at = self.peek() or "", self._at + 1
        if not name.isalnum():
            raise Unreadable("an empty subscript")
        return Node("symbol", value=f"{word}_{name}")

    def _field(self, word: str) -> Node:
        if word in ("\\emptyset", "\\varnothing"):
            return Node("group", (), "{}")
        if self.peek() != "R" or self.peek(1) != "}":
            raise Unreadable("a number field other than the reals")
        self._at += 2
        infinity = Node("constant", value="oo")
        return Node("group", (signed(infinity, "-"), infinity), "()")


def _starts_with_d(node: Node) -> bool:
    return node == Node("symbol", value="d") or (node.kind == "product" and _starts_with_d(node.parts[0]))
