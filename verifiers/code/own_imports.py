"""Imports of the program by the tests: what they import is there already, and there is no such module."""

from __future__ import annotations

import ast

from searchkit.errors import ConfigError

MODULES = {
    "solution", "solutions", "main", "program", "answer", "answers", "submission", "candidate", "implementation",
    "generated", "generated_code", "your_module", "your_code", "your_solution", "my_module", "my_solution", "my_code",
    "module", "student", "solve", "task", "code_under_test",
}  # fmt: skip
"""What tests call the file of the program."""
FIX = "the program's names are there already: leave the import out"


def without_own(text: str, tree: ast.Module) -> str:
    """The text without imports of the program's names, its lines where they are.

    Raises `ConfigError` for an import that gives the program, or a name of it, a name of its own.
    """
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    for node in reversed([one for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]):
        if not _is_own(node):
            continue
        if isinstance(node, ast.Import) or any(one.asname not in (None, one.name) for one in node.names):
            raise ConfigError(f"{FIX}, and use them as they are: {ast.unparse(node):.80}")
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [before + b"pass" + (after if first == last else b"")] + [b""] * (last - first)
        if first != last:
            lines[last] = after.lstrip(b" \t;")
    return b"\n".join(lines).decode("utf-8", "surrogatepass")


def _is_own(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return any(one.name.partition(".")[0] in MODULES for one in node.names)
    return bool(node.level) or (node.module or "").partition(".")[0] in MODULES
