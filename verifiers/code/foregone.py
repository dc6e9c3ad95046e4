"""Which assertions hold whatever a program answers: those that are true in each row of their table of truths.

What an assertion compares is true or false in turn; all the rest of it is reckoned out. So `(f(3) == 9) in (True,
False)`, `isinstance(f(3) == 9, bool)` and `f(3) == 9 or f(3) != 9` hold in each row, and so do `f(3) == f(3)` and
`assertEqual(9, 9)`, which compare a thing with itself.

The line is held for plain data, within one assertion, and for names that are given once what is used once. Algebra
(`f(3) - f(3) == 0`), types that follow from functions (`len(f(3)) >= 0`), and what a test works out over several
statements are beyond it: such tests are read, and pass.
"""

from __future__ import annotations

import ast
import copy
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

MOST = 6  # comparisons of one assertion: its table has at most 2**MOST rows
LONGEST = 1000  # nodes of the syntax tree of an assertion that is looked at
NEAR = 10**6  # beyond it no arithmetic is done
SEEDS = {"seed", "setstate", "set_state", "default_rng", "manual_seed"}
EQUALITIES = {
    "assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual",
    "assertSequenceEqual", "assertMultiLineEqual", "assertCountEqual", "assertAlmostEqual", "assert_equal",
    "assert_allclose", "assert_array_equal", "assert_almost_equal", "assert_array_almost_equal", "assert_approx_equal",
    "assert_string_equal",
}  # fmt: skip
RELATIONS: dict[str, ast.cmpop] = {
    **{name: ast.Eq() for name in EQUALITIES}, "assertNotEqual": ast.NotEq(), "assertIs": ast.Is(),
    "assertIsNot": ast.IsNot(), "assertIn": ast.In(), "assertNotIn": ast.NotIn(), "assertGreater": ast.Gt(),
    "assertGreaterEqual": ast.GtE(), "assertLess": ast.Lt(), "assertLessEqual": ast.LtE(),
}  # fmt: skip
TRUTHS: dict[str, Callable[[ast.expr], ast.expr]] = {
    "assertTrue": lambda one: one, "assert_": lambda one: one, "failUnless": lambda one: one,
    "assertFalse": lambda one: ast.UnaryOp(ast.Not(), one),
    "assertIsNone": lambda one: ast.Compare(one, [ast.Is()], [ast.Constant(None)]),
    "assertIsNotNone": lambda one: ast.Compare(one, [ast.IsNot()], [ast.Constant(None)]),
}  # fmt: skip
_NEGATED = {ast.NotEq: ast.Eq, ast.NotIn: ast.In, ast.IsNot: ast.Is}
_COMPARED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda one, other: one in other, ast.NotIn: lambda one, other: one not in other,
}  # fmt: skip
_RECKONED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "tuple": tuple, "object": object}
_PURE: dict[str, Callable[..., Any]] = {
    "str": str, "repr": repr, "int": int, "len": len, "type": type, "isinstance": isinstance, "abs": abs,
}  # fmt: skip


_BRANCHES = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match,
)  # fmt: skip


class _Open(Exception):
    """Whether something is true is not settled in this row: it has this name."""

    def __init__(self, name: str) -> None:
        self.name: str = name


class _Some:
    """A value of which nothing is known but that what is written alike is alike."""

    def __init__(self, name: str) -> None:
        self.name: str = name


def is_foregone(node: ast.AST, given: Mapping[str, ast.expr]) -> bool:
    """Whether an assertion, or a call of one of unittest's or NumPy's, holds whatever plain data a program answers.

    given: names that stand for an expression, as `given_once` finds them. False for one that is very long.
    """
    claim = _claim(node)
    if claim is None or next(islice(ast.walk(claim), LONGEST, None), None) is not None:
        return False
    try:
        return _holds(_Given(given).visit(copy.deepcopy(claim)), {})
    except RecursionError:
        return False


def is_claim(name: str) -> bool:
    """Whether it is the name of an assertion of unittest's or NumPy's that says something of its first arguments."""
    return name in RELATIONS or name in TRUTHS or name == "assertIsInstance"


def given_once(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """The names that are assigned in one place, and are a number or a text, or are used in one place.

    Not in a branch, a loop or a handler: that one was gone through may be what the name says. None where random numbers
    are seeded: that the same comes twice is then what is tested.
    """
    nodes = list(nodes)
    if any(getattr(node, "attr", getattr(node, "id", "")) in SEEDS for node in nodes):
        return {}
    branched = {id(one) for node in nodes if isinstance(node, _BRANCHES) for one in ast.walk(node)}
    bound, used, values = Counter[str](), Counter[str](), dict[str, ast.expr]()
    for node in nodes:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound)[node.id] += 1
        elif isinstance(node, ast.arg):
            bound[node.arg] += 2
        elif isinstance(node, ast.Global | ast.Nonlocal):
            bound.update(node.names * 2)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values |= {} if id(node) in branched else {node.targets[0].id: node.value}
    return {
        name: value
        for name, value in values.items()
        if bound[name] == 1 and (isinstance(value, ast.Constant) or used[name] == 1)
    }


def _claim(node: ast.AST) -> ast.expr | None:
    """What an assertion says, as an expression; None for what is none, or another one."""
    if isinstance(node, ast.Assert):
        return node.test
    if not isinstance(node, ast.Call) or any(isinstance(one, ast.Starred) for one in node.args):
        return None
    name, args = getattr(node.func, "attr", getattr(node.func, "id", "")), node.args
    if name in RELATIONS and len(args) > 1:
        return ast.Compare(args[0], [RELATIONS[name]], [args[1]])
    if name == "assertIsInstance" and len(args) > 1:
        return ast.Call(ast.Name("isinstance", ast.Load()), args[:2], [])
    return TRUTHS[name](args[0]) if name in TRUTHS and args else None


class _Given(ast.NodeTransformer):
    """Puts in the place of a name what it stands for."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self.given: dict[str, ast.expr] = dict(given)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self.given.pop(node.id, None) if isinstance(node.ctx, ast.Load) else None
        if value is None:
            return node
        made: ast.AST = self.visit(copy.deepcopy(value))
        if isinstance(value, ast.Constant):
            self.given[node.id] = value
        return made


def _holds(claim: ast.expr, known: dict[str, bool]) -> bool:
    """Whether it is true in all rows of the table that begin so."""
    try:
        return _true(_value(claim, known), known)
    except _Open as one:
        return len(known) < MOST and all(_holds(claim, {**known, one.name: truth}) for truth in (True, False))


def _true(value: Any, known: dict[str, bool]) -> bool:
    return _settled(f"{value.name} is true", known) if isinstance(value, _Some) else bool(value)


def _settled(name: str, known: dict[str, bool]) -> bool:
    if name not in known:
        raise _Open(name)
    return known[name]


def _value(node: ast.expr, known: dict[str, bool]) -> Any:
    """What an expression is in a row."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.NamedExpr):
        return _value(node.value, known)
    if isinstance(node, ast.Name) and node.id in _TYPES:
        return _TYPES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _true(_value(node.operand, known), known)
    if isinstance(node, ast.BoolOp):
        return _either(node, known)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _true(_value(node.test, known), known) else node.orelse, known)
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
        return all(_compared(op, parts[i], parts[i + 1], known) for i, op in enumerate(node.ops))
    found = _made(node, known)
    return _Some(ast.dump(node)) if found is None else found[0]


def _either(node: ast.BoolOp, known: dict[str, bool]) -> Any:
    """The first of the values that decides, the last one if none does."""
    value = None
    for one in node.values:
        value = _value(one, known)
        if _true(value, known) is isinstance(node.op, ast.Or):
            break
    return value


def _compared(op: ast.cmpop, one: ast.expr, other: ast.expr, known: dict[str, bool]) -> bool:
    left, right = _value(one, known), _value(other, known)
    if _is_known(left) and _is_known(right):
        try:
            return bool(_COMPARED[type(op)](left, right))
        except TypeError:  # it cannot be compared: the assertion fails
            return False
    names = ast.dump(one), ast.dump(other)
    if names[0] == names[1] and not _is_made(one) and not isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn):
        return isinstance(op, ast.Eq | ast.LtE | ast.GtE)
    kind = _NEGATED.get(type(op), type(op))
    if kind in (ast.Eq, ast.Is):
        names = min(names), max(names)
    return _settled(f"{kind.__name__} {names}", known) is (kind is type(op))


def _is_made(node: ast.expr) -> bool:
    """Whether it is made by a call of a name with a capital letter: a class may say that such objects differ."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id[:1].isupper()
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Tuple | ast.List | ast.Set):
        return any(_is_made(one) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr))
    return False


def _is_known(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_known, value))
    return not isinstance(value, _Some)


def _made(node: ast.expr, known: dict[str, bool]) -> list[Any] | None:
    """What containers, arithmetic with small numbers, and pure functions make of what is known; None for all else."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = [] if any(isinstance(one, ast.Starred) for one in node.elts) else node.elts
        values = [_value(one, known) for one in parts]
        return [tuple(values) if isinstance(node, ast.Tuple) else values] if values or not node.elts else None
    if isinstance(node, ast.BinOp) and type(node.op) in _RECKONED:
        numbers = [_value(node.left, known), _value(node.right, known)]
        small = all(isinstance(one, int) and abs(one) < NEAR for one in numbers)
        return [_RECKONED[type(node.op)](*numbers)] if small else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        return None
    given = [] if any(isinstance(one, ast.Starred) for one in node.args) else node.args
    return _answered(node.func.id, [_value(one, known) for one in given], known) if given else None


def _answered(name: str, values: list[Any], known: dict[str, bool]) -> list[Any] | None:
    if name == "bool" and len(values) == 1:
        return [_true(values[0], known)]
    if name in ("all", "any") and isinstance(values[0], list | tuple):
        truths = (_true(one, known) for one in values[0])
        return [all(truths) if name == "all" else any(truths)]
    if name not in _PURE or not all(map(_is_known, values)):
        return None
    try:
        return [_PURE[name](*values)]
    except (TypeError, ValueError):  # it raises, and so the assertion fails
        return [False]
