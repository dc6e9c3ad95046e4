r"""Whether two answers are the same, part by part: three-valued, and the same rules for every way to compare numbers.

Lists and sets have no order, tuples and intervals have one. A single solution is the same in and out of set braces.
A name in front of a value ("x = 5") says nothing; several named values are told apart by their names. What stands
whole (a ratio, a condition, a rounded value) is the same as its like, and rarely known to differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from searchkit.answers.names import is_plain
from searchkit.verifiers.reference.maths.forms import difference, name_of, named_value, settled, shape
from searchkit.verifiers.reference.maths.matrices import bound, composite
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome, all_of
from searchkit.verifiers.reference.maths.regions import INFINITY, MINUS_INFINITY, region
from searchkit.verifiers.reference.maths.terms import Work
from searchkit.verifiers.reference.maths.tokens import Node
from searchkit.verifiers.reference.maths.wholes import WHOLE, wholes


def compare(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """Cost: for lists of n, up to n * n comparisons of the algebra; else one a part.

    Raises `TooBig` for too many, and `Unreadable` for what says nothing.
    """
    algebra.work.spend(1)
    if _other_names(a, b):
        return Outcome(None, "values with other names")
    if _unordered(a, b) or _unordered(b, a):
        return Outcome(None, "values with names, against values in an order")
    outcome = _compared(a, b, algebra)
    either = any(node.kind == "list" and node.value == "or" for node in (a, b))
    return _meant(outcome) if either and _size(a) != _size(b) else outcome


def _size(node: Node) -> int:
    return len(node.parts) if node.kind in ("list", "group") else 1


def _compared(a: Node, b: Node, algebra: Algebra) -> Outcome:
    a, b = (settled(node, algebra.known, algebra.work) for node in (a, b))
    if a.kind == b.kind == "relation":
        return _relations(a, b, algebra)
    a, b = (named_value(node, algebra.known, algebra.work) for node in (a, b))
    if "relation" in (a.kind, b.kind):
        return Outcome(None, "one is an equation or inequality, the other is none")
    if a.kind in WHOLE or b.kind in WHOLE:
        return wholes(a, b, algebra, lambda these, others: _in_order(these, others, algebra))
    if "union" in (a.kind, b.kind) and (outcome := _points(a, b, algebra.work)) is not None:
        return outcome
    return _shaped(a, b, algebra)


def _other_names(a: Node, b: Node) -> bool:
    """Whether two lists of named values share some names, or number them, and differ in others."""
    first, second = (
        {name_of(part) for part in node.parts} if node.kind in ("list", "group") else set[str | None]()
        for node in (a, b)
    )
    if None in first | second or not first or not second or first == second or len(first | second) < 2:
        return False
    return bool(first & second) or any(map(str.isdigit, "".join(map(str, first ^ second))))


def _unordered(named: Node, row: Node) -> bool:
    """Whether named values that do not stand in the order of their names are held against a tuple without names."""
    if named.kind not in ("list", "group") or row.kind not in ("group", "matrix") or row.value == "{}":
        return False
    names = [name_of(part) for part in named.parts]
    if None in names or len({*names}) < 2 or (row.kind == "group" and any(map(name_of, row.parts))):
        return False
    plain = all(len(str(name)) == 1 for name in names)
    return named.value == "or" or not plain or names != sorted(names, key=str)


def _shaped(a: Node, b: Node, algebra: Algebra) -> Outcome:
    shapes = shape(a), shape(b)
    match shapes:
        case ("one", "one"):
            return _numbers(a, b, algebra)
        case ("bag", "bag"):
            return _matched(a.parts, b.parts, algebra)
        case ("row", "row"):
            return _rows(a, b, algebra)
        case ("bag", "row") | ("row", "bag"):
            return _bag_and_row(a, b, algebra)
        case ("matrix", "matrix"):
            return _matrices(a, b, algebra)
        case ("matrix", "row") | ("row", "matrix"):
            return _vector(a, b, algebra)
        case ("union", _) | (_, "union"):
            return _unions(a, b, algebra)
    one = a if shapes[0] == "one" else b
    if composite(one) or _has_units(one) or bound(one):
        return Outcome(None, "arithmetic with what is no single value")
    if any(node.kind == "group" and node.value == "[]" and len({*node.parts}) == 1 for node in (a, b)):
        return Outcome(None, "an interval of one point")
    return Outcome(False, f"it is {_SHAPES[shapes[1]]} and should be something else")


def _meant(outcome: Outcome) -> Outcome:
    """Of several values that an answer gives side by side only one may be meant."""
    return Outcome(None, "it says several values of which one may be meant") if outcome.equal is False else outcome


def _has_units(node: Node) -> bool:
    """Whether an expression may be a vector in terms of unit vectors."""
    named = node.kind == "symbol" and node.value in ("j", "k", "\\vec i", "\\vec j", "\\vec k")
    return named or any(map(_has_units, node.parts))


_SHAPES = {
    "one": "a single value", "bag": "a list or set", "row": "a tuple or interval", "matrix": "a matrix",
    "union": "a union",
}  # fmt: skip


def _numbers(a: Node, b: Node, algebra: Algebra) -> Outcome:
    ends = _infinite(a), _infinite(b)
    if any(ends):
        return Outcome(ends[0] == ends[1], "the same infinity" if ends[0] == ends[1] else "one is infinite")
    if a.kind == b.kind == "numeral" and a.value[1] == b.value[1]:
        return Outcome(a.value == b.value, "the same numeral" if a.value == b.value else "another numeral")
    if "numeral" in (a.kind, b.kind):
        return _numerals(a, b, algebra)
    if a.kind == b.kind == "symbol" and a != b and str(a.value).casefold() == str(b.value).casefold():
        return Outcome(None, "one letter in two cases may be two symbols or one option")
    return algebra.same(a, b)


def _numerals(a: Node, b: Node, algebra: Algebra) -> Outcome:
    plain = [Node("number", value=Fraction(node.value[0])) if node.kind == "numeral" else node for node in (a, b)]
    if algebra.same(plain[0], plain[1]).equal is False:
        return Outcome(False, "another number, and another base")
    return Outcome(None, "maybe the same number, but written in another base")


def _infinite(node: Node) -> int:
    """1 and -1 for the two infinities, else 0."""
    return int(node == INFINITY) - int(node == MINUS_INFINITY)


def _in_order(a: Sequence[Node], b: Sequence[Node], algebra: Algebra) -> Outcome:
    if len(a) != len(b):
        return Outcome(False, "another number of parts")
    return all_of([compare(x, y, algebra) for x, y in zip(a, b, strict=True)])


def _matched(a: Sequence[Node], b: Sequence[Node], algebra: Algebra) -> Outcome:
    """Members in any order, each as often in one as in the other."""
    if len(a) != len(b):
        return _unequal(a, b, algebra, "another number of members")
    left, last = list(b), Outcome(True, "both are empty")
    unknown = None
    for one in a:
        outcomes = [compare(one, other, algebra) for other in left]  # equality is transitive: the first partner will do
        partner = next((at for at, outcome in enumerate(outcomes) if outcome.equal), None)
        if partner is not None:
            last = outcomes[partner]
            del left[partner]
        elif all(outcome.equal is False for outcome in outcomes):
            return _unequal(a, b, algebra, "a member has no equal")
        else:
            unknown = next(outcome for outcome in outcomes if outcome.equal is None)
    return unknown or last


def _unequal(a: Sequence[Node], b: Sequence[Node], algebra: Algebra, reason: str) -> Outcome:
    """Different, but for two systems of equations, and for members that are only repeated."""
    if any((part.kind == "relation" and name_of(part) is None) or bound(part) for part in (*a, *b)):
        return Outcome(None, "equations that were not solved together")
    repeated = len(a) + len(b) > 2 and all(
        any(compare(one, other, algebra).equal for other in others)
        for these, others in ((a, b), (b, a))
        for one in these
    )
    return Outcome(None, "a member is repeated") if repeated and a and b else Outcome(False, reason)


def _rows(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """Tuples and intervals. Brackets matter where there are two parts: they tell open ends from closed ones."""
    if len(a.parts) == len(b.parts) == 2 and a.value != b.value:
        return Outcome(False, "an end is open in one and closed in the other")
    return _in_order(a.parts, b.parts, algebra)


def _bag_and_row(a: Node, b: Node, algebra: Algebra) -> Outcome:
    bag, row = (a, b) if shape(a) == "bag" else (b, a)
    if bag.value == "or" and not any(len(part.parts) > 1 for part in bag.parts):
        return Outcome(None, "one says alternatives, the other an order")
    if INFINITY in row.parts or MINUS_INFINITY in row.parts:
        return Outcome(None, "one is an interval, the other a list")
    if len(row.parts) == 2 and row.value != "()":
        same = _matched(bag.parts, row.parts, algebra).equal is not False and row.value == "[]"
        return Outcome(None if same else False, "one is an interval, the other a list or set")
    ordered = _in_order(a.parts, b.parts, algebra)
    if bag.kind == "list" and ordered.equal is not False:
        return ordered
    outcome = _matched(bag.parts, row.parts, algebra)
    if bag.value == "or" and any(len(part.parts) > 1 for part in bag.parts):
        return _meant(outcome)  # one of several points may be meant
    return outcome if outcome.equal is False else Outcome(None, "the same members, but only one of them has an order")


def _matrices(a: Node, b: Node, algebra: Algebra) -> Outcome:
    if [len(row.parts) for row in a.parts] != [len(row.parts) for row in b.parts]:
        return Outcome(False, "matrices of different shapes")
    return _in_order(_cells(a), _cells(b), algebra)


def _cells(matrix: Node) -> list[Node]:
    return [cell for row in matrix.parts for cell in row.parts]


def _vector(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """A matrix of one row or one column is the tuple of its cells."""
    matrix = a if a.kind == "matrix" else b
    if len(matrix.parts) > 1 and len(matrix.parts[0].parts) > 1:
        rows = (a if matrix is b else b).parts
        nested = any(part.kind == "group" for part in rows)
        return Outcome(None if nested else False, "one is a matrix, the other is a tuple")
    row = a if matrix is b else b
    if len(row.parts) == 2 and row.value != "()":
        return Outcome(None, "one is a matrix, the other an interval")
    first, second = (_cells(node) if node.kind == "matrix" else node.parts for node in (a, b))
    return _in_order(first, second, algebra)


def _points(a: Node, b: Node, work: Work) -> Outcome | None:
    """Whether two parts of the number line are the same set of points, where all their ends are rational."""
    left, right = region(a, work), region(b, work)
    if left is None or right is None:
        return None
    return Outcome(left == right, "the same points" if left == right else "other points of the number line")


def _unions(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """Of intervals whose ends are not all rational: only unions of equal parts are known to be equal."""
    if a.kind == b.kind and len(a.parts) == len(b.parts):
        return _matched(a.parts, b.parts, algebra)
    return Outcome(None, "unions of different numbers of intervals")


def _relations(a: Node, b: Node, algebra: Algebra) -> Outcome:
    if a == b:
        return Outcome(True, "the same text")
    if a.value == b.value == ("=",):
        if None not in (names := [name_of(a), name_of(b)]):
            return _named(a, b, names, algebra)
        return algebra.same_equation(difference(a), difference(b))
    if {"=", "in", "==", "~"} & {*a.value, *b.value} or len(a.parts) != len(b.parts):
        same = a.value == b.value and len(a.parts) == len(b.parts) and _in_order(a.parts, b.parts, algebra).equal
        return Outcome(True, "the same parts") if same else Outcome(None, "relations that were not solved")
    return _chains(a, b, algebra)


def _named(a: Node, b: Node, names: list[str | None], algebra: Algebra) -> Outcome:
    """Two values with names. Plain ones say nothing; "f(2)" and "f(3)", y and y', ask for two things."""
    one, other = (named_value(node, algebra.known, algebra.work) for node in (a, b))
    values = compare(one, other, algebra)
    first, second = map(str, names)
    if first == second:
        return values
    if not (is_plain(first) and is_plain(second)) or ("(" in first + second and not values.equal):
        return Outcome(None, "other names")
    return values if values.equal is not False else algebra.same_equation(difference(a), difference(b))


def _chains(a: Node, b: Node, algebra: Algebra) -> Outcome:
    """Inequalities term by term, read in the same direction; what is not the same chain may still be the same set."""
    if a.value != b.value:
        b = Node("relation", b.parts[::-1], tuple(_TURNED[sign] for sign in b.value[::-1]))
    outcome = _in_order(a.parts, b.parts, algebra)
    if a.value == b.value and outcome.equal:
        return outcome
    return Outcome(None, "inequalities that were not solved")


_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
