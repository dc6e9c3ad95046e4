"""What a test does to its surroundings, which are not the program's: the two run in processes of their own.

Files, seeds, the clock and warnings of the one are not there in the other. A test that fails and uses them may have
failed for that; one that replaces names of modules measures something that the program never sees. What a name means
is read from the test's imports: a method `exists` of the program's, or a variable `patch`, is none of these.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator

from searchkit.parsing import parse
from searchkit.sandbox.operations import DRAWN, TOUCHED

SEARCHED, FILTERED, WARNED = "searched", "filtered", "warned"
"""Of a program's text: whether it may look at the path of modules, at how warnings are shown, whether it may warn."""
WORDS = {
    SEARCHED: ("path",),
    FILTERED: ("catch_warnings", "showwarning", "filterwarnings", "simplefilter", "warnings.filters"),
    WARNED: ("warn",),
}
_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)

REPLACES = ("unittest.mock", "mock", "pytest.MonkeyPatch", "doctest.testmod", "doctest.testfile")
LOOKS = tuple(
    f"inspect.{name}"
    for name in (
        "signature", "Signature", "getfullargspec", "getargspec", "getargvalues", "getcallargs", "getsource",
        "getsourcelines", "getsourcefile", "getfile", "getmodule", "getmembers", "getmembers_static", "getattr_static",
        "getmro", "getclasstree", "classify_class_attrs", "get_annotations", "getdoc", "getcomments", "unwrap",
        "iscoroutinefunction", "isgeneratorfunction", "isasyncgenfunction", "isabstract",
    )
)  # fmt: skip
STREAMS = {"stdout", "stderr"}  # the program's prints are handed to whatever stands there
FILES = (
    "open", "io.open", "codecs.open", "tempfile", "shutil", "glob", "os.environ", "os.mkdir", "os.makedirs", "os.chdir",
    "os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.rename", "os.replace", "os.listdir", "os.scandir",
    "os.walk", "os.stat", "os.getcwd", "os.open", "os.path.exists", "os.path.isfile", "os.path.isdir",
    "os.path.getsize", "os.path.getmtime", "os.path.lexists", "os.access", "os.chmod", "os.symlink", "os.link",
    "sqlite3.connect",
)  # fmt: skip
PATHS = {
    "exists", "is_file", "is_dir", "write_text", "write_bytes", "read_text", "read_bytes", "mkdir", "rmdir", "unlink",
    "touch", "iterdir", "glob", "rglob", "stat", "rename", "open",
}  # fmt: skip
SEEDS = ("random.seed", "random.setstate", "numpy.random.seed", "numpy.random.set_state")
OTHERS = (
    "os.putenv", "os.getenv", "os.unsetenv", "inspect",
    "sys.getrefcount", "threading.active_count", "threading.enumerate", "tracemalloc", "typing.get_type_hints",
    "matplotlib", "decimal.getcontext", "decimal.setcontext",
    "decimal.localcontext", "locale.setlocale", "sys.modules", "sys.argv", "contextvars",
)  # fmt: skip
WARNINGS = ("warnings", "pytest.warns", "pytest.deprecated_call")
SHOWN = {"ignore", "default", "always", "once", "module"}  # filters that decide what is shown, and raise nothing
STARTS = (
    "multiprocessing", "concurrent.futures.ProcessPoolExecutor", "concurrent.futures.process", "pty", "os.fork",
    "os.system", "os.popen", "os.posix_spawn", "subprocess.run", "subprocess.Popen", "subprocess.call",
    "subprocess.check_call", "subprocess.check_output", "subprocess.getoutput", "subprocess.getstatusoutput",
    "socket.socket", "socket.create_connection", "socket.create_server", "socketserver", "http.server",
    "http.client.HTTPConnection", "http.client.HTTPSConnection", "urllib.request", "asyncio.start_server",
    "asyncio.open_connection", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell",
)  # fmt: skip
"""What there is none of in a sandbox: other processes, and connections."""
_QUESTIONS = (
    ("", (*OTHERS, *STARTS)), (DRAWN, SEEDS), (TOUCHED, FILES), (SEARCHED, ("sys.path",)), (WARNED, WARNINGS),
)  # fmt: skip
CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft",
    "put", "remove", "reverse", "rotate", "setdefault", "sort", "subtract", "update", "write",
}  # fmt: skip
LOOPS = {
    "asyncio.run", "asyncio.Runner", "asyncio.get_event_loop", "asyncio.new_event_loop", "asyncio.set_event_loop",
    "asyncio.iscoroutine", "asyncio.iscoroutinefunction", "asyncio.TimeoutError", "asyncio.sleep",
}  # fmt: skip
"""What a test uses of asyncio that drives one coroutine at a time. (Where one leaves others behind, it is said.)"""
SIDE_BY_SIDE = {
    "create_task", "ensure_future", "gather", "TaskGroup", "run_in_executor", "to_thread", "run_forever", "call_soon",
    "call_later", "call_at", "start_soon", "run_coroutine_threadsafe", "eager_task_factory", "set_task_factory",
}  # fmt: skip
OTHER_LOOPS = {"anyio", "trio", "curio", "uvloop", "threading", "concurrent", "contextvars", "_thread", "selectors"}
METHODS = {"assertWarns": WARNED, "assertWarnsRegex": WARNED, "assertLogs": "", "assertNoLogs": ""}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LONGEST_CHAIN = 8  # names with dots between them


def unseen(nodes: list[ast.AST]) -> str:
    """Why a test of these nodes cannot be judged here; "" if it can."""
    meanings, set_ones = _meanings(nodes), list[ast.Attribute]()
    modules = {name for node in nodes if isinstance(node, ast.Import) for name in map(_bound, node.names)}
    for node in nodes:
        name = _means(node, meanings)
        if _is_among(name, LOOKS):
            return f"the test uses {name}: a function or class of the program's cannot be looked at by inspect"
        if _is_among(name, REPLACES):
            used = name.rpartition(".")[2]
            return f"the test uses {used}, which replaces names in its own process: the program does not see it"
        if isinstance(node, ast.ImportFrom) and _is_among(node.module or "", REPLACES) and node.names[0].name == "*":
            return f"the test imports all of {node.module}, which replaces names in its own process"
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            target = node.value if isinstance(node, ast.Subscript) else node
            set_ones += [target] if isinstance(target, ast.Attribute) else []
    for one in set_ones:
        if _means(one, meanings) == "sys.path":  # where modules are looked for: there are none to be found
            continue
        if isinstance(one.value, ast.Name) and one.value.id in modules and one.attr not in STREAMS:
            return f"the test sets {one.value.id}.{one.attr} in its own process: the program does not see it"
    return ""


def apart(nodes: list[ast.AST], taken: Iterable[str] = ()) -> list[list[str]]:
    """What of the test's surroundings the program lacks, as [question, sentence].

    The question is what to ask the program if the test fails, or one of `WORDS`, which its text answers; "" if it is
    not told by the program. taken: names that are the program's.
    """
    meanings = _meanings(nodes)
    own = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)} | {*taken}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    paths = any(one.partition(".")[0] == "pathlib" for one in meanings.values())
    found = dict[str, str]()
    shown = {} if any("stderr" in one for one in _names(nodes)) else dict(_filters(nodes, meanings))
    for node in nodes:
        name = _means(node, meanings) or _builtin(node, own)
        if id(node) in shown:
            found.setdefault(FILTERED, shown[id(node)])
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            found.setdefault(METHODS[node.attr], node.attr)
        elif isinstance(node, ast.Attribute) and paths and node.attr in PATHS:
            found.setdefault(TOUCHED, node.attr)
        elif name:
            for question, names in _QUESTIONS:
                if _is_among(name, names):
                    found.setdefault(question, name)
    return [[question, _sentence(name)] for question, name in sorted(found.items())]


def concerns(question: str, program: str) -> bool:
    """Whether the text of a program leaves open that it depends on what one of `WORDS` asks; True for other questions.

    Packages beside the standard library may warn.
    """
    words = WORDS.get(question)
    if words is None or any(word in program for word in words):
        return True
    return question == WARNED and any(one not in sys.stdlib_module_names for one in _IMPORT.findall(program))


def _names(nodes: list[ast.AST]) -> set[str]:
    """All names and attributes of a test."""
    return {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}


def _filters(nodes: list[ast.AST], meanings: dict[str, str]) -> Iterator[tuple[int, str]]:
    """The parts of calls that only decide which warnings are shown, by their ids, with their names."""
    for node in nodes:
        name = _means(node.func, meanings) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and _is_filter(name, node):
            yield from ((id(one), name) for one in ast.walk(node.func))


def _is_filter(name: str, node: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if name == "warnings.catch_warnings":
        return not {"record", "action", None} & given.keys()
    if name not in ("warnings.filterwarnings", "warnings.simplefilter"):
        return name == "warnings.resetwarnings"
    action = node.args[0] if node.args else given.get("action")
    return isinstance(action, ast.Constant) and action.value in SHOWN


def _sentence(name: str) -> str:
    lacking = (
        "which the sandbox does not allow" if _is_among(name, STARTS) else "and the program runs in another process"
    )
    return f"the test uses {name.rpartition('.')[2]}, {lacking}"


def one_by_one(nodes: list[ast.AST]) -> bool:
    """Whether a test drives coroutines, and one after the other, so that nothing else could go on meanwhile."""
    meanings = _meanings(nodes)
    if not any(isinstance(node, ast.Await) for node in nodes) and "asyncio" not in map(_root, meanings.values()):
        return False
    if any(_root(one) in OTHER_LOOPS or one == "asyncio.*" for one in meanings.values()):
        return False
    bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if getattr(node, "attr", getattr(node, "id", "")) in SIDE_BY_SIDE:
            return False
        name = _means(node, meanings) if id(node) not in bases else ""
        if _root(name) == "asyncio" and not _is_among(name, LOOPS):
            return False
    return True


def counted(setup: str, nodes: list[ast.AST]) -> str:
    """Why a test cannot be judged that reads what functions of its setup change; "" if it can.

    The setup runs in both processes, and what the program's calls of its functions leave behind is in the program's.
    """
    if not setup:
        return ""
    functions = [node for node in ast.walk(parse(setup)) if isinstance(node, _SCOPES)]
    changed = {name for one in functions for name in {*_changed(one)} - _arguments(one)}
    last = setup.count("\n") + 1
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in changed and node.lineno > last:
            return (
                f"the test reads {node.id}, which functions of its setup change: where the program calls them, that "
                "happens in its own process"
            )
    return ""


def _arguments(function: ast.AST) -> set[str]:
    """What a function, and those in it, must be given, such as `self`: names of their own."""
    found = set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            found |= {one.arg for one in positional[: len(positional) - len(node.defaults)]}
    return found


def _changed(function: ast.AST) -> Iterator[str]:
    """The names whose values a function changes, or rebinds globally."""
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from node.names
        inner = node.func if isinstance(node, ast.Call) else node
        if not isinstance(inner, ast.Attribute | ast.Subscript):
            continue
        if isinstance(inner.ctx, ast.Load) and not (inner is not node and _is_change(inner)):
            continue
        while isinstance(inner, ast.Attribute | ast.Subscript):
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id


def _is_change(called: ast.Attribute | ast.Subscript) -> bool:
    return isinstance(called, ast.Attribute) and called.attr in CHANGES


def _meanings(nodes: list[ast.AST]) -> dict[str, str]:
    """Of each imported name, what of which module it is, such as "unittest.mock.patch"."""
    return dict(pair for node in nodes for pair in _imported(node))


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (_bound(alias), _bound(alias))
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _root(name: str) -> str:
    return name.partition(".")[0]


def _bound(alias: ast.alias) -> str:
    """The name that an import gives a module."""
    return alias.asname or alias.name.partition(".")[0]


def _means(node: ast.AST, meanings: dict[str, str]) -> str:
    """What of which module a name with dots stands for; "" for all else."""
    attributes = list[str]()
    while isinstance(node, ast.Attribute) and len(attributes) < LONGEST_CHAIN:
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in meanings:
        return ""
    return ".".join([meanings[node.id], *reversed(attributes)])


def _builtin(node: ast.AST, own: set[str]) -> str:
    """The name of one of Python's own functions."""
    return node.id if isinstance(node, ast.Name) and node.id not in own and hasattr(builtins, node.id) else ""


def _is_among(name: str, names: Iterable[str]) -> bool:
    """Whether it is one of these or a part of one."""
    return bool(name) and any(name == one or name.startswith(one + ".") for one in names)  # most names are ""
