"""The rules of the layout, read from the source: who may import whom, and what no strategy may call."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"searchkit": "searchkit", "strategies": "searchkit.strategies", "verifiers": "searchkit.verifiers"}
PUBLIC = [
    "searchkit", "searchkit.environments", "searchkit.experiments", "searchkit.export", "searchkit.logs",
    "searchkit.strategies", "searchkit.verifiers", "searchkit.views",
]  # fmt: skip
HEAVY = [
    "joblib", "matplotlib", "networkx", "numpy", "onnxruntime", "openai", "pydantic", "sympy", "torch", "transformers",
    "vllm",
]  # fmt: skip
GLOBAL_RANDOM = {"choice", "choices", "gauss", "randint", "random", "randrange", "sample", "seed", "shuffle", "uniform"}


SPEC = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
assert SPEC is not None
assert SPEC.loader is not None
house = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(house)
HOUSE = house.House(ROOT)
MODULES = HOUSE.files


def imports(tree):
    """All imported modules of a file, lazy ones included; `from a import b` counts as a.b where that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def within(module, *packages):
    return any(module == package or module.startswith(package + ".") for package in packages)


def test_imports_go_down() -> None:
    """Each layer stands on those below it; what may not hold is listed in `tools/house.py` with its reason."""
    upward = [f"{above} -> {below}" for above, below in HOUSE.upward()]
    assert set(upward) == set(house.EXCEPTIONS)
    assert len(house.EXCEPTIONS) <= 5


def test_nothing_stands_in_a_circle() -> None:
    """Neither files nor packages import one another in a loop, lazily or for types included."""
    assert HOUSE.circles() == []
    assert HOUSE.package_circles() == []


def test_plug_ins_know_no_engine() -> None:
    """Strategies, verifiers, environments and generators use what the abstract `Run` declares, and nothing else."""
    assert HOUSE.internals() == []


def test_ideas_have_one_place() -> None:
    """What was written several times stands once, but for two loops over the steps of one path, which look alike."""
    places = {idea: len(files) for idea, files in HOUSE.places().items()}
    assert {idea: n for idea, n in places.items() if n != 1} == {
        "drain outcomes, raise the first failure if nothing is left": 3
    }


def test_no_family_stands_flat() -> None:
    """Every strategy and verifier is in the room of its family."""
    flat = {n for n in MODULES if n.count(".") == 2 and within(n, "searchkit.strategies", "searchkit.verifiers")}
    files = {n for n in flat if MODULES[n].name != "__init__.py"}
    assert files == {"searchkit.verifiers.base", "searchkit.verifiers.predicate"}


@pytest.mark.parametrize("name", [n for n in MODULES if within(n, "searchkit.strategies", "searchkit.verifiers")])
def test_strategies_and_verifiers_need_the_standard_library_alone(name: str) -> None:
    """But for one file, which uses sympy: what the maths worker does in its own process."""
    allowed = {"sympy"} if name == "searchkit.verifiers.reference.maths.symbolic" else set()
    foreign = {module.partition(".")[0] for module in imports(HOUSE.trees[name])} - {"searchkit"} - allowed
    assert foreign - set(sys.stdlib_module_names) == set()


def test_strategies_use_no_verifier() -> None:
    """Nor the other way round: what both need to find an answer is `searchkit.answers`."""
    pairs = [(a, b) for a, used in HOUSE.imports.items() for b in used]
    families = ("searchkit.strategies", "searchkit.verifiers")
    crossing = [(a, b) for a, b in pairs if {f for f in families if within(a, f) or within(b, f)} == set(families)]
    assert [pair for pair in crossing if within(pair[0], *families)] == []


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_absolute(name):
    """A file can be read, moved and searched for by its full name."""
    relative = [n for n in ast.walk(HOUSE.trees[name]) if isinstance(n, ast.ImportFrom) and n.level > 0]
    assert [ast.unparse(node) for node in relative] == []


def calls(tree):
    """The dotted names of all calls, such as "asyncio.gather"."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("name", [n for n in MODULES if within(n, "searchkit.strategies", "searchkit.verifiers")])
def test_concurrency_and_randomness_go_through_the_run(name):
    """No bare gather or task group, no global generator, no clock: `run.map`, `run.stream` and `run.rng` instead."""
    tree = HOUSE.trees[name]
    banned = {"asyncio.gather", "asyncio.TaskGroup", "asyncio.create_task", "asyncio.wait", "time.time", "time.sleep"}
    banned |= {f"random.{function}" for function in GLOBAL_RANDOM} | {"random.Random", "random.SystemRandom"}
    assert [call for call in calls(tree) if call in banned or call.startswith(("np.random.", "numpy.random."))] == []
    hidden = {"asyncio", "random", "numpy.random"}
    froms = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module in hidden]
    assert froms == [], "import the module, so that this test can see what is called"


def test_the_declared_packages_are_the_folders_on_disk():
    """setuptools installs exactly what the list names: a forgotten folder would be missing from the wheel."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {n for n, path in MODULES.items() if path.name == "__init__.py"}
    assert declared == sorted(declared)
    assert set(declared) == found
    folders = {name.rpartition(".")[0] for name, path in MODULES.items() if path.name != "__init__.py"}
    assert folders <= found, "a folder with modules has no __init__.py"


def test_every_other_file_of_the_packages_is_declared_as_data():
    """Pages, weights and markers lie beside modules: what no pattern names would be missing from the wheel."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    declared = {path for name, globs in patterns.items() for glob in globs for path in MODULES[name].parent.glob(glob)}
    beside = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert {path for path in beside if path.suffix not in (".py", ".pyc")} == declared


@pytest.mark.parametrize("folder", ["strategies", "verifiers"])
def test_the_links_for_type_checkers_lead_to_the_folders(folder):
    """searchkit/strategies and searchkit/verifiers are links, so that every tool resolves the same names."""
    link = ROOT / "searchkit" / folder
    assert link.is_symlink()
    assert os.readlink(link) == f"../{folder}"


@pytest.mark.parametrize("folder", ["strategies", "verifiers"])
def test_top_level_folders_refuse_another_name(folder):
    """`import strategies` from a checkout would make second copies of all classes."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {folder}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ran.returncode == 1
    assert f"ImportError: import searchkit.{folder}, not {folder}" in ran.stderr


@pytest.mark.parametrize(
    "name", ["searchkit", "searchkit.cli", "searchkit.generators", "searchkit.strategies", "searchkit.verifiers"]
)
def test_importing_loads_nothing_heavy(name):
    """A program that only builds strategies starts fast and needs none of the numeric packages."""
    code = f"import sys, {name}; print(*sorted(set(sys.modules) & {set(HEAVY)!r}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.stdout.strip(), ran.stderr, ran.returncode) == ("", "", 0)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_sorted_complete_and_really_there(name):
    """`__all__` is all that a package imports by name, and nothing else."""
    package = importlib.import_module(name)
    imported = [
        alias.asname or alias.name
        for node in HOUSE.trees[name].body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    ]
    assert sorted(package.__all__) == sorted(imported)  # their order is the linter's (RUF022)
    assert all(hasattr(package, public) for public in package.__all__)


def test_the_public_names_of_generators_are_those_that_type_checkers_see():
    """One list three times: `__all__`, imports that only type checkers read, and a dictionary that programs read."""
    package = importlib.import_module("searchkit.generators")
    [lazy] = [node for node in HOUSE.trees["searchkit.generators"].body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in lazy.body for alias in node.names}
    assert seen == package._MODULES
    assert sorted(package.__all__) == sorted(seen)  # their order is the linter's (RUF022)
    assert {name: getattr(package, name).__module__ for name in seen} == seen
    assert set(seen) <= set(dir(package))


def test_a_misspelled_generator_is_told_its_name():
    """Lazy names keep the help of eager ones; the module of a generator is still no misspelling of it."""
    with pytest.raises(ImportError, match=r"^module 'searchkit.generators' has .* 'OpneAI': did you mean 'OpenAI'\?$"):
        from searchkit.generators import OpneAI  # noqa: F401
    with pytest.raises(AttributeError, match="did you mean 'shipped'"):
        importlib.import_module("searchkit.generators").shiped  # noqa: B018
    from searchkit.generators import recorded

    assert recorded.__name__ == "searchkit.generators.recorded"


@pytest.mark.parametrize("name", [n for n, path in MODULES.items() if path.name == "__init__.py" and n.count(".")])
def test_a_face_names_every_file_of_its_folder(name: str) -> None:
    """It says in which order to read them, so none may be missing, and none named that is not there."""
    folder, said = MODULES[name].parent, ast.get_docstring(HOUSE.trees[name]) or ""
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert {file for file in there if f"`{file}`" not in said} == set()
    named = {file for file in re.findall(r"`(\w+\.py)`", said) if file not in there}
    assert {file for file in named if not any(path.name == file for path in folder.parent.rglob("*.py"))} == set()


def test_every_module_says_what_it_is():
    """A docstring each; the first line is what the reference shows."""
    silent = [n for n, tree in HOUSE.trees.items() if not ast.get_docstring(tree)]
    assert [n for n in silent if MODULES[n].read_text().strip()] == []


def test_all_modules_are_found_by_their_names():
    """The source that these tests read is the source that is installed here."""
    for package in FOLDERS.values():
        module = importlib.import_module(package)
        found = {f"{package}.{info.name}" for info in pkgutil.iter_modules(module.__path__)}
        assert {n for n in MODULES if n.rpartition(".")[0] == package and n not in FOLDERS.values()} <= found
