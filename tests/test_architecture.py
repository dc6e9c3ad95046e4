"""The rules of the layout, read from the source: who may import whom, and what no strategy may call."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"searchkit": "searchkit", "strategies": "searchkit.strategies", "verifiers": "searchkit.verifiers"}
PUBLIC = [
    "searchkit", "searchkit.environments", "searchkit.experiments", "searchkit.strategies", "searchkit.verifiers",
    "searchkit.views",
]  # fmt: skip
HEAVY = ["joblib", "matplotlib", "networkx", "numpy", "onnxruntime", "openai", "sympy", "torch", "transformers", "vllm"]
GLOBAL_RANDOM = {"choice", "choices", "gauss", "randint", "random", "randrange", "sample", "seed", "shuffle", "uniform"}


def modules():
    """Every source file of the package with its module name, read from the folders where they really are."""
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT / folder).with_suffix("").parts
            if folder == "searchkit" and inside[0] in FOLDERS:
                continue  # the links to the other two folders
            yield ".".join((package, *inside)).removesuffix(".__init__"), path


MODULES = dict(modules())
PARTS = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


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


def core():
    """The engine: the files directly in searchkit/ and the environments, without the command line's entry."""
    folders = (ROOT / "searchkit", ROOT / "searchkit" / "environments")
    return [n for n, path in MODULES.items() if path.parent in folders and n != "searchkit.__main__"]


@pytest.mark.parametrize("name", core())
def test_the_engine_knows_no_strategy_and_no_verifier(name):
    """Nor the experiments, the lab or the command line, not even lazily."""
    above = [f"searchkit.{part}" for part in ("strategies", "verifiers", "experiments", "lab", "cli", "testing")]
    assert [module for module in imports(PARTS[name]) if within(module, *above)] == []


@pytest.mark.parametrize("name", [n for n in MODULES if within(n, "searchkit.strategies", "searchkit.verifiers")])
def test_strategies_and_verifiers_stand_on_the_engine_and_the_standard_library(name):
    """One way only. Strategies may use answer keys, which are plain functions, but no verifier.

    One file uses sympy: what the maths worker does in its own process, where nobody else imports it.
    """
    own = "searchkit.strategies" if within(name, "searchkit.strategies") else "searchkit.verifiers"
    allowed = {*core(), "searchkit.answers.keys"} - {"searchkit"}
    if name == "searchkit.verifiers.reference.maths.symbolic":
        allowed.add("sympy")
    foreign = [
        module
        for module in imports(PARTS[name])
        if not within(module, own) and module not in allowed and module.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_absolute(name):
    """A file can be read, moved and searched for by its full name."""
    relative = [n for n in ast.walk(PARTS[name]) if isinstance(n, ast.ImportFrom) and n.level > 0]
    assert [ast.unparse(node) for node in relative] == []


def calls(tree):
    """The dotted names of all calls, such as "asyncio.gather"."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("name", [n for n in MODULES if within(n, "searchkit.strategies", "searchkit.verifiers")])
def test_concurrency_and_randomness_go_through_the_run(name):
    """No bare gather or task group, no global generator, no clock: `run.map`, `run.stream` and `run.rng` instead."""
    tree = PARTS[name]
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
        for node in PARTS[name].body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    ]
    assert sorted(package.__all__) == sorted(imported)  # their order is the linter's (RUF022)
    assert all(hasattr(package, public) for public in package.__all__)


def test_the_public_names_of_generators_are_those_that_type_checkers_see():
    """One list three times: `__all__`, imports that only type checkers read, and a dictionary that programs read."""
    package = importlib.import_module("searchkit.generators")
    [lazy] = [node for node in PARTS["searchkit.generators"].body if isinstance(node, ast.If)]
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


def test_every_module_says_what_it_is():
    """A docstring each; the first line is what the reference shows."""
    silent = [n for n, tree in PARTS.items() if not ast.get_docstring(tree)]
    assert [n for n in silent if MODULES[n].read_text().strip()] == []


def test_all_modules_are_found_by_their_names():
    """The source that these tests read is the source that is installed here."""
    for package in FOLDERS.values():
        module = importlib.import_module(package)
        found = {f"{package}.{info.name}" for info in pkgutil.iter_modules(module.__path__)}
        assert {n for n in MODULES if n.rpartition(".")[0] == package and n not in FOLDERS.values()} <= found
