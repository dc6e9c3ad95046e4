"""Names in maths: symbols with what stands below, beside and above them, sets of numbers, sums with bound variables."""

from __future__ import annotations

from abc import ABC, abstractmethod

from searchkit.verifiers.reference.maths.reader import signed
from searchkit.verifiers.reference.maths.rows import Rows
from searchkit.verifiers.reference.maths.tokens import BIG, CONSTANTS, DECORATED, GREEK, Node
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable


class Symbols(Rows, ABC):
    """What is not computed."""

    @abstractmethod
    def _product(self) -> Node:
        """A term of a sum."""

    def _name(self, word: str) -> Node:
        if word in CONSTANTS:
            return Node("constant", value=CONSTANTS[word])
        if word in BIG:
            self._at += 1 if word == "\\mathbb" else 0
            return self._field(word)
        if word in DECORATED:
            return self._decorated(word)
        if word not in GREEK and not (len(word) == 1 and word.isalpha()):
            raise (Unknown if word[0] == "\\" else Unreadable)(f"{word!r} is not known")
        if not self._take("_"):
            return Node("symbol", value=word + self._primes())
        if self._take("{"):
            name = self._word_in_braces(_in_subscript)
        else:
            name, self._at = self.peek() or "", self._at + 1
        if not name or not _in_subscript(name[0]):
            raise Unreadable("an empty subscript")
        return Node("symbol", value=f"{word}_{name}{self._primes()}")

    def _primes(self) -> str:
        r"""Primes behind a name, as characters or as `^{\prime}`."""
        found = ""
        while self._take("'"):
            found += "'"
        if self.peek() == "^" and "\\prime" in (self.peek(1), self.peek(2)):
            self._at += 1
            braced = self._take("{")
            while self._take("\\prime"):
                found += "'"
            if braced:
                self._need("}")
        return found

    def _bound(self, word: str) -> Node:
        r"""A sum, integral or limit over what stands behind it: its bounds belong to its name."""
        name = word
        while (sign := self._take("_", "^", "\\limits")) is not None:
            name += sign + (self._raw() if sign != "\\limits" else "")
        with self._deeper():
            return Node("function", (self._product(),), name)

    def _raw(self) -> str:
        """The tokens of an argument, as they stand."""
        begin, depth = self._at, 0
        while (word := self.peek()) is not None:
            self._at += 1
            depth += (word == "{") - (word == "}")
            if depth <= 0:
                break
        return "".join(self._words[begin : self._at]).removeprefix("{").removesuffix("}")

    def _decorated(self, over: str) -> Node:
        r"""A letter with an arrow, hat or bar: a symbol of its own."""
        braced = self._take("{") is not None
        word = self.peek() or ""
        if word not in GREEK and not (len(word) == 1 and word.isalpha()):
            raise Unreadable("an arrow, hat or bar over more than a letter")
        self._at += 1
        if braced:
            self._need("}")
        below = self._name("x").value.removeprefix("x") if self.peek() == "_" else ""
        return Node("symbol", value=f"{over} {word}{below}")

    def _field(self, word: str) -> Node:
        if word in ("\\emptyset", "\\varnothing", "\\oslash"):
            return Node("group", (), "{}")
        letter = self.peek() or ""
        if letter not in tuple("RNZQC") or self.peek(1) != "}":
            raise Unknown("a number field that is not known")
        self._at += 2
        if letter != "R":
            return Node("field", value=letter)
        infinity = Node("constant", value="oo")
        return Node("group", (signed(infinity, "-"), infinity), "()")


def _in_subscript(word: str) -> bool:
    return word.isalnum() or word in "+-,/" or word in GREEK or word == "\\odot"
