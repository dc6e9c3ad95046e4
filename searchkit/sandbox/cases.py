"""The cases of a text of tests, run one by one: functions and methods called test..., by a runner of our own.

Runs inside the sandbox, in the tests' process. Which cases there are is found outside, by reading.
"""

from __future__ import annotations

import ast
import sys
from typing import Any

RUNNERS = {"unittest", "pytest"}  # whose main() is not called: we run the cases


def run(names: dict[str, Any], case: str) -> str | None:
    """Run one case, "name" or "Class.name". Why it was skipped, None if it was not. Raises what fails it."""
    owner, _, name = case.rpartition(".")
    if not owner:
        names[name]()
        return None
    kind = names[owner]
    unittest = sys.modules.get("unittest")
    if unittest is None or not issubclass(kind, unittest.TestCase):
        getattr(kind(), name)()
        return None
    result = unittest.TestResult()
    raised = list[BaseException]()
    result.addError = result.addFailure = lambda test, error: raised.append(error[1])
    result.addSubTest = lambda test, part, error: raised.extend([error[1]] if error else [])
    unittest.TestSuite([kind(name)]).run(result)
    if raised:
        raise raised[0]
    if result.unexpectedSuccesses:
        raise AssertionError("it was expected to fail")
    return f"the test was skipped: {result.skipped[0][1]}" if result.skipped else None


def without_runners(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Tests without the statements that hand themselves to a runner, such as `unittest.main()`."""
    kept = list[ast.stmt]()
    for one in statements:
        if isinstance(one, ast.If):
            one.body = without_runners(one.body)
        runner = isinstance(one, ast.Expr) and any(is_runner(node) for node in ast.walk(one))
        kept.append(ast.copy_location(ast.Pass(), one) if runner else one)
    return kept


def is_runner(node: ast.AST) -> bool:
    """Whether it is a call such as `unittest.main()`."""
    called = node.func if isinstance(node, ast.Call) else None
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "main"
        and isinstance(called.value, ast.Name)
        and called.value.id in RUNNERS
    )
