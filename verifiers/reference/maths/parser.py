r"""Maths as a tree: recursive descent over LaTeX and plain notation. It knows a fixed list of words, computes nothing.

What it does not know, and what may be read in two ways (`1/2x`), raises `Unreadable`: a guess would be a wrong verdict.
Names stand for one letter, a Greek letter, or either with a subscript; `e`, `i` and `\pi` are the constants. `x^12` has
the exponent 12, as everybody but TeX reads it; `2\frac{1}{3}` is a mixed number.
"""

from __future__ import annotations

from searchkit.verifiers.reference.maths.atoms import Atoms
from searchkit.verifiers.reference.maths.reader import AND, OR, SIGNS, TIMES, is_region, reciprocal, signed
from searchkit.verifiers.reference.maths.tokens import COMPARISONS, Node, Unreadable, tokens


def parse(text: str) -> Node:
    """The tree of an answer: an expression, an equation or inequality, a list, tuple, interval, set, union, matrix.

    Raises `Unreadable`. Cost: linear in the text, some ten microseconds.
    """
    parser = _Parser(tokens(text))
    answer = parser.alternatives()
    if parser.peek() is not None:
        raise Unreadable(f"{parser.peek()!r} was not expected")
    return answer


class _Parser(Atoms):
    """The upper half: one method a rule, from the loosest binding to the tightest."""

    # ---------------------------------------------------------------- answers

    def alternatives(self) -> Node:
        """Answers joined by "or" or a union sign: a union of intervals, else a list."""
        found = [self._listed()]
        while self._take(*OR):
            found.append(self._listed())
        if len(found) == 1:
            return found[0]
        if all(map(is_region, found)):
            return Node("union", tuple(found))
        return Node("list", tuple(part for one in found for part in (one.parts if one.kind == "list" else (one,))))

    def _listed(self) -> Node:
        found = [self._relation()]
        while self._take(*AND):
            self._take("and")
            found.append(self._relation())
        if len(found) > 1 and any(part.kind == "relation" and part.value != ("=",) for part in found):
            raise Unreadable("inequalities one after the other may be joined by and or by or")
        return found[0] if len(found) == 1 else Node("list", tuple(found))

    def _relation(self) -> Node:
        parts, signs = [self._operand()], []
        while (word := self.peek()) in COMPARISONS or word == "\\in":
            self._at += 1
            if word == "\\in":
                with self._deeper():
                    return self.alternatives()  # "x \in [0, 1]" names its answer
            signs.append(COMPARISONS[str(word)])
            parts.append(self._operand())
        return Node("relation", tuple(parts), tuple(signs)) if signs else parts[0]

    def _operand(self) -> Node:
        """A side of an equation: an expression, or a union of intervals that has a name."""
        parts = [self._sum()]
        while is_region(parts[-1]) and self._take("\\cup"):
            parts.append(self._sum())
        return parts[0] if len(parts) == 1 else Node("union", tuple(parts))

    # ---------------------------------------------------------------- arithmetic

    def _sum(self) -> Node:
        terms: list[Node] = []
        with self._deeper():
            while (sign := self._take(*SIGNS)) is not None or not terms:
                terms.append(signed(self._product(), sign or "+"))
        return terms[0] if len(terms) == 1 else Node("sum", tuple(terms))

    def _product(self) -> Node:
        factors = [self._factor()]
        while True:
            if self._take(*TIMES):
                factors.append(self._factor())
            elif self._take("/", "\\div"):
                factors.append(reciprocal(self._denominator()))
            elif self._starts_factor():
                factors.append(self._power())
            else:
                return factors[0] if len(factors) == 1 else Node("product", tuple(factors))

    def _factor(self) -> Node:
        """A power with a sign of its own, as in "2 * -3"."""
        sign = self._take("-", "+")
        return signed(self._power(), sign or "+")

    def _denominator(self) -> Node:
        bracketed = self.peek() in ("(", "{")
        below = self._factor()
        if not bracketed and self._starts_factor():
            raise Unreadable("a/bc may be a/(bc) or (a/b)c")
        return below

    def _power(self) -> Node:
        base = self._atom()
        while True:
            if self._take("!"):
                if self.peek() == "!":
                    raise Unreadable("a double factorial")
                base = Node("function", (base,), "factorial")
            elif self._take("^"):
                base = Node("power", (base, self._exponent()))
                if self.peek() in ("^", "!"):
                    raise Unreadable("an exponent with another one, or a factorial, behind it")
            else:
                return base

    def _exponent(self) -> Node:
        if self._take("{"):
            return self._until("}")
        sign = self._take("-", "+")
        with self._deeper():
            power = self._atom(mixed=False)
            if self._take("^"):
                power = Node("power", (power, self._exponent()))
        return signed(power, sign or "+")
