"""What of a text of tests is run: its statements, then each function or method called test..., one by one.

What would need a test framework (fixtures, plugins, parameters) is refused by name, and so is a text that would check
nothing of the program: it would pass every one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from searchkit.errors import ConfigError
from searchkit.verifiers.code.checks import running
from searchkit.verifiers.code.vacuous import is_no_message, is_vacuous, is_vacuous_call

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
HOOKS = {
    "setup_module", "teardown_module", "setup_function", "teardown_function", "setup_class", "teardown_class",
    "setup_method", "teardown_method", "load_tests", "pytest_plugins", "setup", "teardown",
}  # fmt: skip
FRAMEWORKS = {"pytest", "hypothesis", "parameterized", "ddt"}  # whose decorators are not carried out
UNITTEST = {"TestCase", "IsolatedAsyncioTestCase"}


@dataclass
class Found:
    """cases: functions and "Class.method"s to be run, in order. call: a line to be put behind the text."""

    cases: list[str] = field(default_factory=list)
    call: str = ""


def collect(tree: ast.Module, entry_point: str) -> Found:
    """Raises `ConfigError`, which names what cannot be run."""
    _refuse_frameworks(tree)
    _refuse_lost(tree.body)
    run = [name for name, _ in _functions(tree.body) if name.startswith("test")]
    run += [
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith(("test", "setUp"))
    ]
    used = {node.id for node in running(tree.body, run) if isinstance(node, ast.Name)}
    found = Found()
    classes = {node.name: node for node in _statements(tree.body) if isinstance(node, ast.ClassDef)}
    for name, function in _functions(tree.body):
        needed = _needed(function)
        if needed and name in used and not (name == "check" and entry_point):
            continue  # the text calls it itself
        if needed and (name == "check" or needed == ["candidate"]):
            found.call += _check(name, function, needed, entry_point)
        elif name == "check" or name.startswith("test"):
            _refuse_function(name, function, needed)
            found.cases.append(name)
    for name, kind in classes.items():
        _refuse_nested(kind, classes)
        if methods := _methods(kind, classes):
            found.cases += [f"{name}.{method}" for method in _cases_of(kind, methods, classes, tree)]
    return found


def _check(name: str, function: Function, needed: list[str], entry_point: str) -> str:
    """The call of a function that tests its argument, as HumanEval's tests do."""
    by_name = [one.arg for one in function.args.kwonlyargs]
    if isinstance(function, ast.AsyncFunctionDef) or len(needed) != 1 or needed[0] in by_name:
        raise ConfigError(f"{name} of the tests is to be called with the program's function, and takes other arguments")
    if not entry_point:
        raise ConfigError(f"the tests define {name}({needed[0]}), which nothing calls: name the entry_point")
    return f"\n{name}({entry_point})\n"


def _functions(body: list[ast.stmt]) -> Iterator[tuple[str, Function]]:
    for node in _statements(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            yield from ((one.id, node.value) for one in node.targets if isinstance(one, ast.Name))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a module, in branches too, not those inside of functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in ("body", "orelse", "finalbody", "handlers"):
                yield from _statements(getattr(node, name, []))


def _needed(function: Function) -> list[str]:
    """The arguments that have no default."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    first = len(positional) - len(given.defaults) - _patched(function)
    keywords = [one for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    return [one.arg for one in (*positional[:first], *keywords)]


def _patched(function: Function) -> int:
    """How many of its last arguments `unittest.mock.patch` supplies. (Such a test is not judged, and others are.)"""
    supplied = 0
    for one in getattr(function, "decorator_list", []):
        if isinstance(one, ast.Call) and not any(keyword.arg == "new" for keyword in one.keywords):
            name = ast.unparse(one.func)
            supplied += (name.endswith("patch") and len(one.args) == 1) or (
                name.endswith("patch.object") and len(one.args) == 2
            )
    return supplied


# ---------------------------------------------------------------- classes


def _methods(kind: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Its methods called test..., those of its bases in the text too."""
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for base in kind.bases:
        if isinstance(base, ast.Name) and base.id in classes and classes[base.id] is not kind:
            found |= _methods(classes[base.id], {k: v for k, v in classes.items() if v is not kind})
    for node in _statements(kind.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            found[node.name] = node
    return found


def _cases_of(
    kind: ast.ClassDef,
    methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef],
    classes: dict[str, ast.ClassDef],
    tree: ast.Module,
) -> list[str]:
    """The methods that are cases. A class that only others extend has none of its own."""
    bases = _foreign_bases(kind, classes)
    names = {_unittest_name(base, tree) for base in bases}
    extended = any(
        isinstance(base, ast.Name) and base.id == kind.name for one in classes.values() for base in one.bases
    )
    if names & UNITTEST:
        for name, method in methods.items():
            asynchronous = isinstance(method, ast.AsyncFunctionDef) and "IsolatedAsyncioTestCase" not in names
            if asynchronous or _is_generator(method):
                raise ConfigError(f"{kind.name}.{name} is no plain method: the test would not be run to its end")
            if _refused_decorator(method) or len(_needed(method)) > 1:
                _refuse_function(f"{kind.name}.{name}", method, _needed(method)[1:])
        return sorted(methods)  # the order in which unittest runs them
    if bases:
        raise ConfigError(
            f"the tests' class {kind.name} extends {ast.unparse(bases[0])}, which is run by a framework: extend "
            "unittest.TestCase, or write functions called test_... without arguments"
        )
    if extended or not kind.name.startswith("Test"):
        return []
    hooks = {node.name for node in kind.body if isinstance(node, ast.FunctionDef)} & {*HOOKS, "__init__"}
    if hooks:
        raise ConfigError(f"{kind.name}.{min(hooks)} is called by pytest, and not here: extend unittest.TestCase")
    for name, method in methods.items():
        _refuse_function(f"{kind.name}.{name}", method, _needed(method)[0 if _is_static(method) else 1 :])
    return list(methods)


def _foreign_bases(kind: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.expr]:
    """The bases that the text does not define, `object` apart."""
    found = list[ast.expr]()
    for base in kind.bases:
        if isinstance(base, ast.Name) and base.id in classes and classes[base.id] is not kind:
            found += _foreign_bases(classes[base.id], {k: v for k, v in classes.items() if v is not kind})
        elif not (isinstance(base, ast.Name) and base.id == "object"):
            found.append(base)
    return found


def _unittest_name(base: ast.expr, tree: ast.Module) -> str:
    """Which class of unittest's it is; "" for another."""
    modules, names = {"unittest"}, dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name for alias in node.names if alias.name in ("unittest", "unittest.case")
            }
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "unittest":
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
            names |= {name: name for name in UNITTEST if any(alias.name == "*" for alias in node.names)}
    if isinstance(base, ast.Name):
        return names.get(base.id, "")
    is_module = isinstance(base, ast.Attribute) and ast.unparse(base.value) in {*modules, "unittest.case"}
    return base.attr if is_module and isinstance(base, ast.Attribute) else ""


# ---------------------------------------------------------------- refusals


def _refuse_function(name: str, function: Function, needed: list[str]) -> None:
    if decorator := _refused_decorator(function):
        raise ConfigError(
            f"{name} of the tests has the decorator {decorator}, which a framework reads: write plain tests"
        )
    if needed:
        raise ConfigError(
            f"{name} of the tests takes {', '.join(needed)}: fixtures and parameters are not supplied here, write a "
            "function without arguments"
        )
    if isinstance(function, ast.AsyncFunctionDef) or _is_generator(function):
        raise ConfigError(f"{name} of the tests is no plain function: the test would not be run to its end")


def _refuse_nested(kind: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> None:
    """pytest looks for tests in classes of its classes, too."""
    if not kind.name.startswith("Test") or _foreign_bases(kind, classes):
        return
    for one in ast.walk(kind):
        if isinstance(one, ast.ClassDef) and one is not kind and one.name.startswith("Test") and _holds_tests(one):
            raise ConfigError(f"{kind.name}.{one.name} of the tests is a class in a class, and not run: move it out")


def _is_generator(function: Function) -> bool:
    inner = {id(node) for one in ast.walk(function) if isinstance(one, Function) and one is not function
             for node in ast.walk(one)}  # fmt: skip
    return any(isinstance(node, ast.Yield | ast.YieldFrom) and id(node) not in inner for node in ast.walk(function))


def _is_static(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in method.decorator_list)


def _refused_decorator(function: Function) -> str:
    """The first decorator that is a framework's; unittest's own are run."""
    for one in getattr(function, "decorator_list", []):
        name = ast.unparse(one.func if isinstance(one, ast.Call) else one)
        if name.partition(".")[0] in ("pytest", "mark", "hypothesis", "given", "parameterized", "ddt", "data"):
            return f"@{name}"
    return ""


def _of_frameworks(tree: ast.Module) -> Iterator[str]:
    """The names that a text imports of frameworks, and of the modules themselves, also by other names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                module = alias.name if isinstance(node, ast.Import) else node.module or ""
                if module.partition(".")[0] in FRAMEWORKS:
                    yield alias.asname or alias.name.partition(".")[0]


def _refuse_lost(body: list[ast.stmt], owner: str = "") -> None:
    """A test that stands behind another one of its name, which nothing has called by then: the first is never run."""
    last = dict[str, int]()
    for at, node in enumerate(body):
        if isinstance(node, ast.ClassDef):
            _refuse_lost(node.body, f"{node.name}.")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or not _holds_tests(node):
            continue
        between = body[last[node.name] + 1 : at] if node.name in last else []
        used = any(isinstance(one, ast.Name) and one.id == node.name for part in between for one in ast.walk(part))
        if node.name in last and not used and not any(isinstance(one, ast.Name) for one in node.decorator_list):
            raise ConfigError(
                f"{owner}{node.name} of the tests is defined twice, and the first is never run: rename it"
            )
        last[node.name] = at


def _holds_tests(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    named = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    is_test = node.name == "check" or node.name.startswith("test")
    return any(name.startswith("test") for name in named) if isinstance(node, ast.ClassDef) else is_test


def _refuse_frameworks(tree: ast.Module) -> None:
    """Hooks, fixtures and plugins, and assertions that cannot fail."""
    frameworks = {"pytest", *_of_frameworks(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and is_vacuous(node.test) and ast.unparse(node.test) not in ("True", "1"):
            raise ConfigError(f"an assertion of the tests cannot fail: {ast.unparse(node):.80}")
        if is_vacuous_call(node):
            raise ConfigError(f"an assertion of the tests cannot fail as it is meant: {ast.unparse(node):.80}")
        if isinstance(node, ast.Assert) and is_no_message(node.msg):
            raise ConfigError(f"an assertion of the tests compares nothing: {ast.unparse(node):.80}")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for one in node.decorator_list:
                name = ast.unparse(one).partition("(")[0]
                if name.partition(".")[0] in frameworks or "fixture" in name:
                    raise ConfigError(
                        f"{node.name} of the tests has the decorator @{name}: pytest reads it, write plain tests"
                    )
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            if plugin := next((name for name in names if name.startswith("pytest_")), ""):
                raise ConfigError(f"the tests import {plugin}, a plugin of pytest, which is not used here")
    for node in _statements(tree.body):
        named = [node.name] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.Assign):
            named = [one.id for one in node.targets if isinstance(one, ast.Name)]
        if hooks := HOOKS.intersection(named):
            raise ConfigError(f"{min(hooks)} of the tests is called by a framework, and not here: call it yourself")
