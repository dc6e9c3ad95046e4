"""Imports of the program by the tests: what they import is there already, and there is no such module.

`from solution import f` is left out, `from solution import f as g` becomes `g = f`, and with `import solution` each
`solution.f` becomes `f`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from searchkit.errors import ConfigError

MODULES = {
    "solution", "solutions", "main", "program", "answer", "answers", "submission", "candidate", "implementation",
    "generated", "generated_code", "your_module", "your_code", "your_solution", "my_module", "my_solution", "my_code",
    "module", "student", "solve", "task", "code_under_test",
}  # fmt: skip
"""What tests call the file of the program."""
FIX = "the program's names are there already: leave the import out"
LOADING = ("import_module", "__import__", "reload", "run_path", "run_module")

Put = tuple[ast.AST, str]
"""A statement or an expression, and what is written in its place."""


def without_own(text: str, tree: ast.Module) -> str:
    """The text without imports of the program, its lines where they are.

    Raises `ConfigError` where the module is used otherwise than for what it has, and where the tests give a meaning of
    their own to a name that they also take from it.
    """
    nodes = list(ast.walk(tree))
    _refuse_loading(nodes)
    imports = [one for one in nodes if isinstance(one, ast.Import | ast.ImportFrom) and _is_own(one)]
    if not imports:
        return text
    modules = {name for one in imports for name in _modules(one)}
    used = [*_uses(tree, modules)] if modules else []
    puts: list[Put] = [*((one, _written(one)) for one in imports), *used]
    taken = {name for _, name in used if name != "pass"}
    taken |= {one.name for node in imports for one in _renamed(node)}
    if kept := min(taken & set(_bound(nodes, {id(node) for node, _ in puts})), default=""):
        raise ConfigError(f"the tests take {kept} from the program and have a {kept} of their own: rename theirs")
    return _put(text, puts)


def _is_own(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return any(one.name.partition(".")[0] in MODULES for one in node.names)
    return bool(node.level) or (node.module or "").partition(".")[0] in MODULES


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The names that an import gives to the program as a module."""
    for one in node.names:
        if isinstance(node, ast.Import) and one.name.partition(".")[0] in MODULES:
            if "." in one.name and not one.asname:
                raise ConfigError(f"{FIX}, and use them as they are: {ast.unparse(node):.80}")
            yield one.asname or one.name
        elif isinstance(node, ast.ImportFrom) and node.level and not node.module and one.name in MODULES:
            yield one.asname or one.name


def _renamed(node: ast.Import | ast.ImportFrom) -> list[ast.alias]:
    """The names of the program that an import gives other names."""
    if isinstance(node, ast.Import):
        return []
    modules = set(_modules(node))
    return [one for one in node.names if one.asname not in (None, one.name) and one.asname not in modules]


def _written(node: ast.Import | ast.ImportFrom) -> str:
    """What remains of an import of the program."""
    if isinstance(node, ast.ImportFrom):
        return "; ".join(f"{one.asname} = {one.name}" for one in _renamed(node)) or "pass"
    others = [one for one in node.names if one.name.partition(".")[0] not in MODULES]
    return ast.unparse(ast.Import(others)) if others else "pass"


def _uses(tree: ast.Module, modules: set[str]) -> Iterator[Put]:
    """Each use of the program as a module, as the name that is used of it. Raises `ConfigError` for all other uses."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assign) and _is_itself(node, modules):  # f = solution.f
            yield node, "pass"
        elif isinstance(node, ast.Attribute) and _names(node.value, modules) and _is_read(node):
            yield node, node.attr
        elif _names(node, modules) or (
            isinstance(node, ast.JoinedStr) and any(_names(one, modules) for one in ast.walk(node))
        ):
            raise ConfigError(f"{FIX}, and use them as they are: {ast.unparse(node):.80}")
        else:
            waiting += ast.iter_child_nodes(node)


def _names(node: ast.AST, modules: set[str]) -> bool:
    """Whether it is one of these names, or gives one of them a meaning."""
    return (isinstance(node, ast.Name) and node.id in modules) or (isinstance(node, ast.arg) and node.arg in modules)


def _is_read(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load) and not node.attr.startswith("__") and node.lineno == node.end_lineno


def _is_itself(node: ast.Assign, modules: set[str]) -> bool:
    value, targets = node.value, node.targets
    return (
        isinstance(value, ast.Attribute) and _names(value.value, modules) and len(targets) == 1
        and isinstance(targets[0], ast.Name) and targets[0].id == value.attr and _is_read(value)
    )  # fmt: skip


def _bound(nodes: list[ast.AST], left_out: set[int]) -> Iterator[str]:
    """The names to which the tests themselves give a meaning, anywhere."""
    skipped = {id(part) for node in nodes if id(node) in left_out for part in ast.walk(node)}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name


def _refuse_loading(nodes: list[ast.AST]) -> None:
    """The program as a module that is loaded by its name."""
    for node in nodes:
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name, given = getattr(node.func, "attr", getattr(node.func, "id", "")), str(node.args[0].value)
            if name in LOADING and given.removesuffix(".py").partition(".")[0] in MODULES:
                raise ConfigError(f"{FIX}, and use them as they are: {ast.unparse(node):.80}")


def _put(text: str, puts: list[Put]) -> str:
    """The text with these in their places. Columns of the syntax tree are bytes."""
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    for node, written in sorted(puts, key=lambda one: (one[0].lineno, one[0].col_offset), reverse=True):  # type: ignore[attr-defined]
        first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]  # type: ignore[attr-defined]
        line = before + written.encode() + (after if first == last else b"")
        lines[first : last + 1] = [line] + [b""] * (last - first)
        if first != last:
            lines[last] = after.lstrip(b" \t;")
    return b"\n".join(lines).decode("utf-8", "surrogatepass")
