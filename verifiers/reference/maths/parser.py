r"""Maths as a tree: recursive descent over LaTeX and plain notation. It knows a fixed list of words, computes nothing.

What it does not know, and what may be read in two ways (`1/2x`), raises `Unreadable`: a guess would be a wrong verdict.
Names stand for one letter, a Greek letter, or either with a subscript; `e`, `i` and `\pi` are the constants. `x^12` has
the exponent 12, as everybody but TeX reads it; `2\frac{1}{3}` is a mixed number.
"""

from __future__ import annotations

from searchkit.verifiers.reference.maths.atoms import Atoms
from searchkit.verifiers.reference.maths.reader import AND, OR, SIGNS, TIMES, is_region, reciprocal, signed, spans
from searchkit.verifiers.reference.maths.tokens import COMPARISONS, ROUNDED, Node, is_number, tokens
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable


def parse(text: str) -> Node:
    """The tree of an answer: an expression, an equation or inequality, a list, tuple, interval, set, union, matrix.

    Raises `Unreadable`. Cost: linear in the text, some ten microseconds.
    """
    parser = _Parser(tokens(text))
    answer = parser.alternatives()
    if (rest := parser.peek()) is not None:
        raise (Unknown if rest[0] == "\\" else Unreadable)(f"{rest!r} was not expected")
    return answer


class _Parser(Atoms):
    """The upper half: one method a rule, from the loosest binding to the tightest."""

    # ---------------------------------------------------------------- answers

    def alternatives(self) -> Node:
        """Answers joined by "or" or a union sign: a union of intervals, else a list. "x > 3: (3, oo)" says it twice."""
        found, signs = [self._listed()], set[str]()
        while (sign := self._take(*OR)) is not None:
            signs.add(sign)
            found.append(self._listed())
        answer = found[0] if len(found) == 1 else _joined(found, "or" in signs or "\\lor" in signs)
        if is_region(answer) and not self._builder and self._take(":"):
            return Node("restated", (answer, self.alternatives()))
        return answer

    def _listed(self) -> Node:
        found, layout = [self._relation()], False
        while (sign := self._take(*AND)) is not None:
            layout = layout or sign == "\\quad"
            self._take("and", "\\quad")
            found.append(self._relation())
        if layout and any(part.kind != "relation" for part in found):
            raise Unreadable("layout between what is no equation")
        return found[0] if len(found) == 1 else _list(found)

    def _relation(self) -> Node:
        if self._take(*ROUNDED):
            return Node("about", (self._ratio(),))
        parts, signs = [self._ratio()], []
        while (word := self.peek()) in COMPARISONS or word == "\\in":
            self._at += 1
            if word == "\\in":
                return self._member(parts[-1])
            signs.append(COMPARISONS[str(word)])
            parts.append(self._ratio())
        if signs and (modulus := self._modulus()) is not None:
            return Node("congruence", (*parts, modulus), tuple(signs))
        return Node("relation", tuple(parts), tuple(signs)) if signs else parts[0]

    def _member(self, element: Node) -> Node:
        r"""What stands behind \\in: "x \\in [0, 1]" names its answer, "k \\in \\mathbb{Z}" does not."""
        with self._deeper():
            found = self.alternatives()
        return Node("relation", (element, found), ("in",)) if found.kind == "field" else found

    def _modulus(self) -> Node | None:
        if self._take("\\pmod"):
            return self._argument()
        if self.peek() == "(" and self.peek(1) in ("\\bmod", "\\mod"):
            self._at += 2
            return self._until(")")
        return self._product() if self._take("\\bmod", "\\mod") else None

    def _ratio(self) -> Node:
        parts = [self._operand()]
        while not is_region(parts[0]) and not self._builder and self._take(":"):
            parts.append(self._operand())
        return parts[0] if len(parts) == 1 else Node("ratio", tuple(parts))

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
                if is_number(self.peek() or " "):
                    raise Unreadable("two numbers side by side are no product")
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


def _joined(found: list[Node], by_word: bool) -> Node:
    """Answers joined by a word are points unless one of them surely is an interval; by a sign, intervals."""
    if all(map(is_region, found)) and (not by_word or any(map(spans, found))):
        return Node("union", tuple(found))
    parts = tuple(part for one in found for part in (one.parts if one.kind == "list" else (one,)))
    return Node("list", parts, "or" if by_word else None)


def _list(found: list[Node]) -> Node:
    """Answers one after the other. What is not equal goes on behind a comma: "x != 1, 4"."""
    if any(part.kind == "group" and part.value == "{}" for part in found):
        raise Unreadable("several sets")
    signs = {sign for part in found if part.kind == "relation" for sign in part.value}
    if found[0].kind == "relation" and found[0].value == ("!=",):
        left = found[0].parts[0]
        found = [one if one.kind == "relation" else Node("relation", (left, one), ("!=",)) for one in found]
    elif signs & {"<", "<=", ">", ">=", "!=", "in"}:
        if "=" not in signs and "~" not in signs:
            raise Unreadable("inequalities one after the other may be joined by and or by or")
        return Node("statements", tuple(found))
    return Node("list", tuple(found))
