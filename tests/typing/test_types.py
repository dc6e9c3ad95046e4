"""What users' type checkers say: of every example in the README and the guide, and of functions under `@search`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_guide import PAGES, ROOT, blocks
from tests.helpers.guide_pages import missing

HERE = Path(__file__).parent


def modules(folder: Path) -> list[Path]:
    """One module a page, in which every line of a block has the number that it has in the page."""
    found = []
    for page in PAGES:
        if not (parts := blocks(page)) or missing(page):  # what is not installed has no types
            continue
        lines = [""] * page.read_text().count("\n")
        for first, source in parts:
            lines[first - 1 : first - 1 + source.count("\n")] = source.splitlines()
        found.append(folder / f"{page.stem.lower()}_page.py")
        found[-1].write_text("\n".join(lines) + "\n")
    assert len(found) == len({path.name for path in found}) > 25
    return found


def mypy(files: list[Path], *options: str) -> str:
    """What mypy reports of `files`, as a user's: bodies are checked even where nothing is annotated."""
    lenient = ("--config-file=", "--check-untyped-defs", "--ignore-missing-imports", "--no-error-summary")
    command = [sys.executable, "-m", "mypy", *lenient, *options, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900).stdout


def pyright(files: list[Path], folder: Path, **options: object) -> str:
    """What pyright reports of `files` in its basic mode."""
    settings = {"include": [str(f) for f in files], "typeCheckingMode": "basic", "extraPaths": [str(ROOT)], **options}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(folder), "--outputjson"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=900).stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    found = [d for d in report["generalDiagnostics"] if d["severity"] in ("error", "warning")]
    return "\n".join(f"{Path(d['file']).name}:{d['range']['start']['line'] + 1} {d['message']}" for d in found)


@pytest.mark.slow
def test_mypy_passes_over_the_readme_and_the_guide(tmp_path: Path) -> None:
    """Whoever copies an example into a checked project finds it accepted."""
    pytest.importorskip("mypy")
    assert mypy(modules(tmp_path)) == ""


@pytest.mark.slow
def test_pyright_passes_over_the_readme_and_the_guide(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    assert pyright(modules(tmp_path), tmp_path) == ""


@pytest.mark.slow
def test_types_of_decorated_functions(tmp_path: Path) -> None:
    """`assert_type` on functions, coroutines, methods, class and static methods; and errors that must be there."""
    pytest.importorskip("mypy")
    pytest.importorskip("pyright")
    files = [Path(shutil.copy(HERE / name, tmp_path)) for name in ("decorated.py", "decorated_classes.py")]
    assert mypy(files[:1], "--strict") == ""
    assert pyright(files, tmp_path, reportUnnecessaryTypeIgnoreComment="warning", enableTypeIgnoreComments=False) == ""


@pytest.mark.slow
def test_the_checks_can_fail(tmp_path: Path) -> None:
    """A wrong call in a page is seen by both."""
    pytest.importorskip("mypy")
    pytest.importorskip("pyright")
    wrong = tmp_path / "wrong_page.py"
    wrong.write_text('from searchkit import Budget\nBudget(generations="ten")\n')
    assert 'has incompatible type "str"' in mypy([wrong])
    assert 'wrong_page.py:2 Argument of type "Literal' in pyright([wrong], tmp_path)
