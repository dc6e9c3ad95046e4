"""How a test ends otherwise than at its last line: by an exit status, as skipped, by a runner of tests.

What the program raised is none of these, whatever its class. Runs inside the sandbox, in the tests' process.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

RUNNERS = ("unittest", "unittest.main", "pytest")  # modules whose main() runs all tests of a text
SKIPS = (("unittest", "SkipTest"), ("_pytest.outcomes", "Skipped"), ("_pytest.outcomes", "XFailed"))
LONGEST_REASON = 300  # characters
EXITS = ("exit", "quit", "sys.exit", "SystemExit")
ALWAYS = "the test can end with exit status 0 and in no other way"
EARLY = "the test ends its process with exit status 0 before its end"


def skipped(error: BaseException) -> str:
    """Why the test says that it is not to be counted; "" if it does not say so."""
    kinds = tuple(getattr(sys.modules[module], name) for module, name in SKIPS if module in sys.modules)
    if is_programs(error) or not isinstance(error, kinds):
        return ""
    return f"the test was skipped: {error}"


def printable(reason: str) -> str:
    """The beginning of what a program or a test says, on one line."""
    return "".join(c if c.isprintable() else " " for c in reason[:LONGEST_REASON])


def is_programs(error: BaseException) -> bool:
    """Whether an exception is the program's; see `mark`."""
    return getattr(error, "_sk_program", False) is True


def mark(error: BaseException, said: str = "") -> None:
    """Say of an exception that it is the program's, and how that is said where it ends a test."""
    error._sk_program = True  # type: ignore[attr-defined]
    error._sk_said = said  # type: ignore[attr-defined]


def said(error: BaseException) -> str:
    """What was said of a program's exception; "" of all others."""
    return str(getattr(error, "_sk_said", ""))


def left(error: SystemExit, text: str, file: str, taken: list[str]) -> str:
    """Why an exit of a test cannot be judged; "" if it says that all is well. Raises it if it says that it is not.

    As a script's, its status is the outcome, where nothing that checks the program stands behind it.
    """
    code = error.code
    well = code is None or (issubclass(type(code), int) and int.__int__(code) == 0)  # type: ignore[arg-type]
    if is_programs(error) or not well:
        raise error
    tree, trace, line = ast.parse(text), error.__traceback__, 0
    while trace is not None:
        is_module = trace.tb_frame.f_code.co_filename == file and trace.tb_frame.f_code.co_name == "<module>"
        line = trace.tb_lineno if is_module else line
        trace = trace.tb_next
    if not any(map(_decides, ast.walk(tree))):
        return ALWAYS
    own = {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    behind = [node for one in tree.body if one.lineno > line for node in ast.walk(one)]
    return EARLY if any(isinstance(node, ast.Name) and node.id in own | {*taken} for node in behind) else ""


def _decides(node: ast.AST) -> bool:
    """Whether a test can end otherwise than well there: by an assertion, an exception, an exit status that is not 0."""
    if isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr.startswith("assert")):
        return True
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return raised is None or ast.unparse(raised) not in EXITS
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in EXITS or not node.args:
        return False
    return not isinstance(node.args[0], ast.Constant) or bool(node.args[0].value)


@contextlib.contextmanager
def passed_over(text: str) -> Iterator[None]:
    """Within it `main()` of a runner does nothing, under whatever name a text imports it: we run the cases."""
    replaced = list[tuple[Any, Any]]()
    for name in RUNNERS if "main" in text else ():
        if name.partition(".")[0] in text:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
                module: Any = sys.modules[name]
                replaced.append((module, module.main))
                module.main = _status if name == "pytest" else _result
    try:
        yield
    finally:
        for module, main in replaced:
            module.main = main


def _status(*args: Any, **kwargs: Any) -> int:
    return 0


def _result(*args: Any, exit: bool = True, **kwargs: Any) -> Any:
    """As of `unittest.main`, which with `exit=False` returns an object that has the result."""
    return None if exit else SimpleNamespace(result=sys.modules["unittest"].TestResult())
