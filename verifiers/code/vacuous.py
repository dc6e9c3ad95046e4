"""Asserted expressions that are true whatever a program answers: `assert (x == 1, "message")`, `assert [x == 1]`."""

from __future__ import annotations

import ast

LAZY = {"map", "filter", "zip", "enumerate", "reversed", "iter", "object", "repr", "ascii", "type", "id"}  # never false
CONTAINERS = {"list", "tuple", "set", "sorted", "frozenset", "dict"}
TEXTS = {"str", "format"}
TRUTHS = {"assertTrue", "assertFalse", "assertIsNotNone", "assert_", "failUnless"}  # what looks at one value


def is_vacuous(test: ast.expr) -> bool:
    """Whether it is always true, and so checks nothing."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple | ast.List | ast.Set):
        return any(not isinstance(one, ast.Starred) for one in test.elts)
    if isinstance(test, ast.Dict):
        return any(key is not None for key in test.keys)
    if isinstance(test, ast.ListComp | ast.SetComp):
        return _is_full(test, test.elt)
    if isinstance(test, ast.DictComp):
        return _is_full(test, test.value)
    if isinstance(test, ast.BoolOp):
        return (any if isinstance(test.op, ast.Or) else all)(map(is_vacuous, test.values))
    if isinstance(test, ast.IfExp):
        if isinstance(test.test, ast.Constant):
            return is_vacuous(test.body if test.test.value else test.orelse)
        return is_vacuous(test.body) and is_vacuous(test.orelse)
    if isinstance(test, ast.NamedExpr):
        return is_vacuous(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_empty(test.operand) or (
            isinstance(test.operand, ast.Call) and ast.unparse(test.operand.func) == "print"
        )
    if isinstance(test, ast.Compare):
        return _is_something(test)
    return isinstance(test, ast.Lambda | ast.GeneratorExp | ast.JoinedStr) or _is_full_call(test)


def is_vacuous_call(node: ast.AST) -> bool:
    """Whether it is an assertion of unittest's that looks at one value, which says nothing."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TRUTHS):
        return False
    value = node.args[0] if node.args else None
    if value is None or isinstance(value, ast.Starred):
        return False
    if node.func.attr == "assertFalse":
        return isinstance(value, ast.Constant) and not value.value
    if node.func.attr == "assertIsNotNone":
        return is_vacuous(value) or _is_truth(value)
    return is_vacuous(value) or (len(node.args) > 1 and is_no_message(node.args[1]))


def is_no_message(message: ast.expr | None) -> bool:
    """Whether what stands at the place of a message was to be compared: a number, as in `assert f(3), 9`."""
    return isinstance(message, ast.Constant) and isinstance(message.value, int | float | complex)


def _is_truth(value: ast.AST) -> bool:
    """Whether it is True or False, and so a result of a comparison."""
    return isinstance(value, ast.Compare) or (isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)) or (
        isinstance(value, ast.BoolOp) and all(map(_is_truth, value.values))
    )  # fmt: skip


def _is_full(made: ast.ListComp | ast.SetComp | ast.DictComp, part: ast.expr) -> bool:
    """Whether it collects truths without looking at them: it is true where there is one, and that may be False."""
    return not any(one.ifs for one in made.generators) and _is_truth(part)


def _is_empty(value: ast.expr) -> bool:
    """Whether it is a container with nothing in it."""
    return (isinstance(value, ast.List | ast.Tuple | ast.Set) and not value.elts) or (
        isinstance(value, ast.Dict) and not value.keys
    )


def _is_something(test: ast.Compare) -> bool:
    """Whether it says that a truth is not None, or that `print` answers None.

    That an iterator is not None may be meant, beside other assertions.
    """
    if len(test.ops) == 1 and isinstance(test.ops[0], ast.Is | ast.Eq) and ast.unparse(test.comparators[0]) == "None":
        return isinstance(test.left, ast.Call) and ast.unparse(test.left.func) == "print"
    if len(test.ops) != 1 or not isinstance(test.ops[0], ast.IsNot | ast.NotEq):
        return False
    other = test.comparators[0]
    return isinstance(other, ast.Constant) and other.value is None and _is_truth(test.left)


def _is_full_call(node: ast.AST) -> bool:
    """A call of one of Python's own functions that answers nothing that is false."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    first = node.args[0] if node.args else None
    if node.func.id in LAZY:
        return first is not None or node.func.id == "object"
    if node.func.id == "dict" and any(one.arg for one in node.keywords):
        return True
    if first is None:
        return False
    if node.func.id == "all":
        return isinstance(first, ast.List | ast.Tuple | ast.Set) and all(map(is_vacuous, first.elts))
    if node.func.id == "any":
        return isinstance(first, ast.List | ast.Tuple | ast.Set) and any(map(is_vacuous, first.elts))
    if node.func.id == "len":
        return is_vacuous(first) and not isinstance(first, ast.Constant)
    if node.func.id in TEXTS:
        return _is_truth(first)
    if node.func.id in CONTAINERS:
        return _is_collected(first)
    return node.func.id == "bool" and is_vacuous(first)


def _is_collected(value: ast.expr) -> bool:
    """Whether it holds something for a container, or makes truths for it."""
    if isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict):
        return is_vacuous(value)
    if isinstance(value, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        return not any(one.ifs for one in value.generators) and _is_truth(value.elt)
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "map" and value.args):
        return False
    return isinstance(value.args[0], ast.Lambda) and _is_truth(value.args[0].body)
