"""Rows below one another: matrices, systems of equations, and functions that are defined case by case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from searchkit.verifiers.reference.maths.reader import Reader
from searchkit.verifiers.reference.maths.tokens import COMPARISONS, ENVIRONMENTS, SYSTEMS, Node
from searchkit.verifiers.reference.maths.two_readings import Unknown, Unreadable


class Rows(Reader, ABC):
    """What stands between a begin and an end."""

    @abstractmethod
    def _sum(self) -> Node:
        """An expression."""

    @abstractmethod
    def _relation(self) -> Node:
        """An expression, equation or inequality."""

    def _environment_of_rows(self) -> Node:
        """A matrix, or statements one below the other. The kind of brackets around a matrix says nothing."""
        kind = self._environment()
        if kind not in ENVIRONMENTS | SYSTEMS:
            raise Unknown(f"the environment {kind!r}")
        if kind == "array":
            self._alignment()
        rows = self._rows(self._sum if kind in ENVIRONMENTS else self._statement)
        if self._environment() != kind:
            raise Unreadable(f"the environment {kind!r} is not closed")
        if kind in SYSTEMS:
            return self._system(rows, kind)
        if len({len(row) for row in rows}) != 1:
            raise Unreadable("the rows of a matrix have different lengths")
        return Node("matrix", tuple(Node("row", tuple(row)) for row in rows))

    def _rows(self, cell: Callable[[], Node]) -> list[list[Node]]:
        rows, row = [], [cell()]
        while not self._take("\\end"):
            if self._take("&"):
                row.append(cell())
                continue
            self._need("\\\\")
            rows.append(row)
            row = [] if self.peek() == "\\end" else [cell()]
        return [*rows, row] if row else rows

    def _alignment(self) -> None:
        """How the columns of an array are aligned; a line between them makes another thing of it."""
        self._need("{")
        if not set(self._word_in_braces(str.isalpha)) <= set("lcr"):
            raise Unreadable("an array with lines")

    def _statement(self) -> Node:
        r"""A row of a system, with the mark where rows are aligned, as in `x &= 1`."""
        if self.peek() == "&":
            self._at += 1
        if self.peek(1) == "&" and self.peek(2) in COMPARISONS:
            del self._words[self._at + 1]
        found = self._relation()
        self._take(",", ";")
        return found

    def _system(self, rows: list[list[Node]], kind: str) -> Node:
        if any(len(row) > 1 for row in rows):
            return Node("cases", tuple(Node("row", tuple(row)) for row in rows))
        found = tuple(row[0] for row in rows)
        if any(part.kind != "relation" or {*part.value} - {"="} for part in found):
            raise Unreadable(f"the environment {kind!r} with other than equations")
        return found[0] if len(found) == 1 else Node("list", found)

    def _environment(self) -> str:
        self._need("{")
        return self._word_in_braces(str.isalpha)
