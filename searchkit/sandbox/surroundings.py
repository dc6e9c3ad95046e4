"""What a test does to its surroundings, which are not the program's: the two run in processes of their own.

Files, seeds, the clock and warnings of the one are not there in the other. A test that fails and uses them may have
failed for that; one that replaces names of modules measures something that the program never sees.
"""

from __future__ import annotations

import ast

REPLACES = {"patch", "mock", "monkeypatch", "Mock", "MagicMock", "AsyncMock", "assertNoLogs", "testmod"}
STREAMS = {"stdout", "stderr"}  # the program's prints are handed to whatever stands there
APART = {
    "open", "tempfile", "mkdir", "makedirs", "chdir", "write_text", "write_bytes", "copyfile", "connect",
    "NamedTemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp", "environ", "putenv", "seed", "set_state",
    "RandomState", "catch_warnings", "warns", "assertWarns", "assertWarnsRegex", "assertLogs", "simplefilter",
    "filterwarnings", "getsource", "signature", "isgeneratorfunction", "iscoroutinefunction", "getrefcount",
    "is_alive", "active_count", "tracemalloc", "get_type_hints", "exists", "isfile", "isdir", "listdir", "unlink",
    "figure", "gcf", "gca",
}  # fmt: skip


def unseen(nodes: list[ast.AST]) -> str:
    """Why a test of these nodes cannot be judged here; "" if it can."""
    modules, set_ones = set[str](), list[ast.Attribute]()
    for node in nodes:
        for name in _names(node):
            if name in REPLACES:
                return f"the test uses {name}, which replaces names in its own process: the program does not see it"
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            target = node.value if isinstance(node, ast.Subscript) else node
            set_ones += [target] if isinstance(target, ast.Attribute) else []
    for one in set_ones:
        if isinstance(one.value, ast.Name) and one.value.id in modules and one.attr not in STREAMS:
            return f"the test sets {one.value.id}.{one.attr} in its own process: the program does not see it"
    return ""


def apart(nodes: list[ast.AST]) -> str:
    """What of the test's surroundings the program lacks; "" if nothing."""
    found = sorted(APART.intersection(name for node in nodes for name in _names(node)))
    return f"the test uses {found[0]}, and the program runs in another process" if found else ""


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    return node.name.split(".") if isinstance(node, ast.alias) else []
