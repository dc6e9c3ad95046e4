"""The structure of the source, measured: files, circles, imports against the layers, and engine internals in plug-ins.

    python tools/house.py [--json] [--root PATH]

Every import counts, lazy and type-only ones included. What belongs together is counted too: where an idea that should
stand in one place is written, by the shape of its code. A file that only hands names on (an ``__init__.py`` without
definitions) is no room: what is imported through it comes from the file where it is defined. Read from the source
alone; nothing is run. `tests/test_architecture.py` holds the tree to these rules.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

FOLDERS = {"searchkit": "searchkit", "strategies": "searchkit.strategies", "verifiers": "searchkit.verifiers"}
# From the ground up; a file may import those of its own layer and of layers below. A folder stands for all in it.
LAYERS = {
    "ground": (
        "markup",
        "wire",
        "types",
        "errors",
        "calls",
        "tool_calls",
        "codec",
        "database",
        "redact",
        "deadline",
        "http",
        "quick",
        "parsing",
        "removing",
        "whole_file",
        "templates",
        "confidence",
        "forms",
        "kinds",
        "message_dicts",
    ),
    "values": ("tally", "trace", "tree", "result", "survived", "answers"),
    "protocols": ("protocols", "events", "mistakes", "ambient"),
    "engine": ("engine",),
    "models": ("strategy", "memory", "model", "agents", "serving", "arguments", "annotated", "parts", "function"),
    "sandbox": ("sandbox",),
    "worlds": ("environments", "generators"),
    "plug-ins": ("verifiers", "strategies"),
    "doors": (
        "solve",
        "allocating",
        "conduct",
        "searching",
        "wrap",
        "views",
        "telemetry",
        "frameworks",
        "serving.server",
        "",
    ),
    "experiments": ("datasets", "experiments"),
    "lab": ("lab",),
    "export": ("export", "logs"),
    "testing": ("testing",),
    "cli": ("cli", "__main__"),
}
EXCEPTIONS: list[str] = []  # imports against the layers that are allowed, each with its reason
IDEAS = {  # what must stand in one place, and a shape of code that says it
    "drain outcomes, raise the first failure if nothing is left": (
        r"if failures and not found:\n +raise|"
        r"if (?:new and )?not (?:any\()?\w+\)? and (?:not \w+ and )?(?:failure|first) is not None:\n +raise"
        r"|if failure is not None and not (?:any\()?\w+\)?:\n +raise"
    ),
    "the chosen candidate, or the fallback": r"fallback\(\w+\) if choice\.index is None else choice\.index",
    "the worst case of so many samples and verifications": r"\.times\(.*\) \+ Usage\(verifications=",
    "judge where an action led, offer it, keep what is paid for": r"run\.offer\(sample, .*\)  # it is paid for",
    "set the score of a new node": r"tree\.score\[(?:node|place)\] = (?:score|-f|child)|self\.score\[node\] = score",
    "the child with the greatest rating": r"if rating > best:\n +best, chosen = rating, child",
    "is this state a complete answer": r"isinstance\(.*environment, Anytime\).{1,6}\n?.*environment\.complete\(",
}
PLUG_INS = ("searchkit.strategies", "searchkit.verifiers", "searchkit.environments", "searchkit.generators")


def within(module: str, *packages: str) -> bool:
    """Whether `module` is one of `packages`, or in one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


class House:
    """The modules below `root`, by name: where they are; once asked for, their syntax trees and what they import."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = dict(self._files())

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.files.items()}

    @cached_property
    def faces(self) -> set[str]:
        """The modules that only hand on names of others."""
        return {name for name in self.files if self._hands_on(name)}

    @cached_property
    def handed(self) -> dict[str, dict[str, tuple[str, str]]]:
        return {name: dict(self._names(name)) for name in self.faces}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        return {name: self._imports(name) for name in self.files if name not in self.faces}

    def _files(self) -> Iterator[tuple[str, Path]]:
        for folder, package in FOLDERS.items():
            for path in sorted((self.root / folder).rglob("*.py")):
                inside = path.relative_to(self.root / folder).with_suffix("").parts
                if folder == "searchkit" and inside[0] in FOLDERS:
                    continue  # the links to the other two folders
                yield ".".join((package, *inside)).removesuffix(".__init__"), path

    def _hands_on(self, name: str) -> bool:
        defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        own = [node for node in self.trees[name].body if isinstance(node, defines) and node.name != "__getattr__"]
        return self.files[name].name == "__init__.py" and not any(own)

    def _names(self, face: str) -> Iterator[tuple[str, tuple[str, str]]]:
        """What a face hands on: the name, the module where it gets it from, and its name there."""
        for node in ast.walk(self.trees[face]):
            if isinstance(node, ast.ImportFrom):
                yield from ((alias.asname or alias.name, (str(node.module), alias.name)) for alias in node.names)
            if isinstance(node, ast.Dict):  # {"Name": "module that has it"}, read by a lazy __getattr__
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                        yield str(key.value), (str(value.value), str(key.value))

    def _imports(self, name: str) -> set[str]:
        found = set[str]()
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                found |= {self._source(alias.name, "") for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found |= {self._source(node.module, alias.name) for alias in node.names}
        return found & (self.files.keys() - self.faces) - {name}

    def _source(self, module: str, name: str) -> str:
        """The module in which `name`, imported from `module`, is defined."""
        while f"{module}.{name}" not in self.files and name in self.handed.get(module, {}):
            module, name = self.handed[module][name]
        return f"{module}.{name}" if f"{module}.{name}" in self.files else module

    # ---------------------------------------------------------------- layers and packages

    def layer(self, name: str) -> int:
        """The number of the layer of a module, by the longest entry of `LAYERS` that it is in."""
        places = {
            f"searchkit.{entry}".removesuffix("."): number
            for number, entries in enumerate(LAYERS.values())
            for entry in entries
        }
        while name not in places or (name == "searchkit" and self.files.get(name) is None):
            name = name.rpartition(".")[0]
        return places[name]

    def package(self, name: str) -> str:
        """The family or folder of a module. A file beside families, or directly in searchkit/, stands for itself."""
        inside = self.files[name].parent.relative_to(self.root).parts
        folder = "/".join(inside[inside[0] == "searchkit" :][:2])
        families = any(path.is_dir() and (path / "__init__.py").exists() for path in self.files[name].parent.iterdir())
        return name if families or not folder else folder

    def upward(self) -> list[tuple[str, str]]:
        """Imports of a module in a higher layer."""
        pairs = ((a, b) for a, used in self.imports.items() for b in sorted(used))
        return sorted((a, b) for a, b in pairs if self.layer(b) > self.layer(a))

    def circles(self) -> list[list[str]]:
        """Files that import one another, directly or by others."""
        return [sorted(part) for part in components(self.imports) if len(part) > 1]

    def package_circles(self) -> list[list[str]]:
        """Packages that import one another, directly or by others."""
        used = defaultdict[str, set[str]](set)
        for a, modules in self.imports.items():
            used[self.package(a)] |= {self.package(b) for b in modules} - {self.package(a)}
        return [sorted(part) for part in components(used) if len(part) > 1]

    def places(self) -> dict[str, list[str]]:
        """Where each of `IDEAS` is written: the files with lines of that shape."""
        texts = {name: path.read_text(encoding="utf-8") for name, path in self.files.items()}
        return {
            idea: sorted(name for name, text in texts.items() for _ in re.finditer(shape, text, re.MULTILINE))
            for idea, shape in IDEAS.items()
        }

    # ---------------------------------------------------------------- plug-ins

    def contract(self) -> set[str]:
        """The public attributes that a plug-in's `Run` has."""
        return {
            name
            for node in self.trees["searchkit.protocols"].body
            if isinstance(node, ast.ClassDef) and node.name == "Run"
            for name in _members(node)
        }

    def internals(self) -> list[str]:
        """Where plug-ins import the engine, or touch what their `Run` does not declare."""
        declared, found = self.contract(), set[tuple[str, int, str]]()
        for name in (n for n in self.imports if within(n, *PLUG_INS)):
            for node in ast.walk(self.trees[name]):
                if isinstance(node, ast.ImportFrom) and within(str(node.module), "searchkit.engine"):
                    found |= {(name, node.lineno, f"imports {a.name} of {node.module}") for a in node.names}
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found |= {(name, at, f"uses run.{attr}") for at, attr in _touched(node) if attr not in declared}
        return [f"{name}:{line} {what}" for name, line, what in sorted(found)]


def _touched(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """The attributes that a function touches of its parameters of type `Run`, and of what `child` makes of them."""
    arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    runs = {a.arg for a in arguments if a.annotation is not None and ast.unparse(a.annotation) == "Run"}
    for node in ast.walk(function):
        made = node.value if isinstance(node, ast.Assign) else None
        if isinstance(made, ast.Call) and ast.unparse(made.func) in {f"{run}.child" for run in runs}:
            runs |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in runs:
            yield node.lineno, node.attr


def _members(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def components(graph: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """The strongly connected components: groups of nodes that all reach one another."""
    reached = {node: _reach(node, graph) for node in graph}
    found, placed = list[set[str]](), set[str]()
    for node in sorted(graph):
        if node not in placed:
            found.append({node} | {other for other in reached[node] if node in reached.get(other, set())})
            placed |= found[-1]
    return found


def _reach(node: str, graph: Mapping[str, Iterable[str]]) -> set[str]:
    seen, waiting = set[str](), [node]
    while waiting:
        new = set(graph.get(waiting.pop(), ())) - seen
        seen |= new
        waiting += new
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description="Files, circles, upward imports and engine internals of the source.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout to look at")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    options = parser.parse_args()
    house = House(options.root)
    flat = [n for n in house.files if n.count(".") == 2 and n not in house.faces]
    report = {
        "files": len(house.files) - len(house.faces),
        "files directly in strategies/": sum(within(n, "searchkit.strategies") for n in flat),
        "files directly in verifiers/": sum(within(n, "searchkit.verifiers") for n in flat),
        "circles among files": [" -- ".join(circle) for circle in house.circles()],
        "circles among packages": [" -- ".join(circle) for circle in house.package_circles()],
        "upward imports": [f"{a} -> {b}" for a, b in house.upward()],
        "exceptions to the layers": EXCEPTIONS,
        "engine internals used by plug-ins": house.internals(),
    }
    report |= {f"places: {idea}": found for idea, found in house.places().items()}
    if options.json:
        print(json.dumps(report, indent=1))
        return
    for what, found in report.items():
        print(f"{what}: {found if isinstance(found, int) else len(found)}")
        for line in found if isinstance(found, list) else ():
            print(f"    {line}")


if __name__ == "__main__":
    main()
