"""The notebooks: built from their sources and run in real kernels; what they show is there, and nothing complains."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="jupytext is missing: pip install 'searchkit[test]'")
pytest.importorskip("nbclient", reason="nbclient is missing: pip install 'searchkit[test]'")

pytestmark = pytest.mark.slow  # all of them wait for the notebooks to be run

ROOT = Path(__file__).parents[2]
RICH = {
    "first_search": ["result", "trace", "tree", "pool"],
    "importing_logs": ["pool", "curve", "curve"],
    "scaling_curve": ["pool", "curve", "figure"],
    "wrap_an_agent": ["tree"],
}
"""What each notebook shows as more than text, in order."""
MARKS = {
    "tree": ("text/html", "<iframe"),
    "pool": ("text/html", "<p>Pool("),
    "curve": ("text/html", "</svg><table><tr><th"),
    "result": ("text/html", ", stopped: done, 16 samples"),
    "trace": ("text/html", "└─ BestOfN"),
}


@pytest.fixture(scope="module")
def tool():
    """tools/notebooks.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("notebooks_tool", ROOT / "tools" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notebooks(tool, tmp_path_factory):
    """Each notebook as it was written to a file, by name; a cell that fails fails all tests here."""
    import nbformat

    return {path.stem: nbformat.read(path, 4) for path in tool.build(tmp_path_factory.mktemp("notebooks"))}


def outputs(notebook, *kinds):
    return [output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type in kinds]


def printed(notebook, name):
    return "".join(output.text for output in outputs(notebook, "stream") if output.name == name)


def test_all_sources_are_built_and_all_cells_have_run(notebooks, tool):
    """Valid notebooks, of which every code cell was run, in order."""
    assert set(notebooks) == {path.stem for path in tool.SOURCES.glob("*.py")} == set(RICH)
    for notebook in notebooks.values():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
        assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("name", RICH)
def test_results_show_themselves(notebooks, name):
    """Trees, pools, curves and figures as HTML or PNG, not as their repr alone."""
    rich = [output.data for output in outputs(notebooks[name], "execute_result") if len(output.data) > 1]
    assert len(rich) == len(RICH[name])
    for kind, data in zip(RICH[name], rich, strict=True):
        if kind == "figure":
            assert len(data["image/png"]) > 10_000
        else:
            mime, mark = MARKS[kind]
            assert mark in data[mime]


def test_sync_and_await_agree_in_one_notebook(notebooks):
    """`solve_sync` inside a kernel's running loop, and the same search awaited."""
    results = [output.data["text/plain"] for output in outputs(notebooks["first_search"], "execute_result")]
    assert "True" in results
    assert "of 16 samples are right" in printed(notebooks["first_search"], "stdout")


def test_progress_is_shown(notebooks):
    """A tree that is redrawn in place, and a bar that arrives."""
    [live] = outputs(notebooks["first_search"], "display_data")[:1]
    assert "visits\n" in live.data["text/plain"]
    assert "12/12" in printed(notebooks["first_search"], "stderr")


def test_an_agent_is_searched_around_and_seen_inside(notebooks):
    """Calls of the agent hold its model calls; the tree of attempts is there as text too."""
    said = printed(notebooks["wrap_an_agent"], "stdout")
    assert "agent" in said
    assert "embedded/countdown" in said
    assert "threshold after " in said
    assert "(24)" in said


@pytest.mark.parametrize("name", RICH)
def test_nothing_is_on_stderr_but_bars(notebooks, name):
    """No warning of ours, of Python or of a library."""
    lines = printed(notebooks[name], "stderr").replace("\r", "\n").split("\n")
    assert [line for line in lines if line.strip() and "problem/s" not in line and "s/problem" not in line] == []
