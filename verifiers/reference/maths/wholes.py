"""Answers that are compared as they stand: rounded values, ratios, congruences, conditions, notes.

Each is the same as its like, part by part, and rarely known to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from searchkit.verifiers.reference.maths.forms import named_value, shape
from searchkit.verifiers.reference.maths.numeric import far
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome, all_of
from searchkit.verifiers.reference.maths.tokens import Node

InOrder = Callable[[Sequence[Node], Sequence[Node]], Outcome]

WHOLE = frozenset(("about", "ratio", "builder", "congruence", "statements", "cases", "field", "row", "prose", "raw"))
"""Kinds that are compared part by part and are never proved to differ by their parts."""


def wholes(a: Node, b: Node, algebra: Algebra, in_order: InOrder) -> Outcome:
    """Two answers of which one stands whole. in_order: compares parts one by one."""
    if "about" in (a.kind, b.kind):
        return _rounded(a, b, algebra)
    if a.kind != b.kind or a.value != b.value or len(a.parts) != len(b.parts):
        return Outcome(None, "two kinds of answers that were not compared")
    if a.kind == "ratio":
        return _ratios(a, b, algebra, in_order)
    parts = in_order(a.parts, b.parts)
    if a.kind == "congruence" and parts.equal is False and len(a.parts) == 3:
        return _congruences(a, b, algebra)
    return parts if parts.equal else Outcome(None, "other conditions, which may say the same")


def _rounded(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """A rounded value is the same if it has the same digits; what is near may be meant, what is far is not."""
    one, other = (named_value(node, algebra.known, algebra.work) for node in (a, b))
    one, other = (node.parts[0] if node.kind == "about" else node for node in (one, other))
    if shape(one) == shape(other) == "one" and "relation" not in (one.kind, other.kind):
        if algebra.known(one, other):
            return Outcome(True, "the same digits")
        if far(one, other):
            return Outcome(False, "another value")
    return Outcome(None, "one is rounded")


def _ratios(a: Node, b: Node, algebra: Algebra, in_order: InOrder) -> Outcome:
    """Proportional ones are the same, unless they may be times of day."""
    if (same := in_order(a.parts, b.parts)).equal:
        return same
    if any(len(node.parts) == 2 and _may_be_minutes(node.parts[1]) for node in (a, b)):
        return Outcome(None, "two ratios or times of day")
    crossed = [
        algebra.same(Node("product", (a.parts[0], y)), Node("product", (b.parts[0], x)))
        for x, y in zip(a.parts[1:], b.parts[1:], strict=True)
    ]
    return all_of(crossed)


def _may_be_minutes(node: Node) -> bool:
    return node.kind == "number" and node.value.denominator == 1 and 10 <= node.value < 60


def _congruences(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """Two residues of one modulus: the same if that divides their difference."""
    values = [part.value for node in (a, b) for part in node.parts[1:] if part.kind == "number"]
    if not algebra.known(a.parts[0], b.parts[0]) or len(values) < 4 or values[1] != values[3] or values[1] == 0:
        return Outcome(None, "congruences that were not solved")
    same = ((values[0] - values[2]) / values[1]).denominator == 1
    return Outcome(same, "the same residue" if same else "another residue")
