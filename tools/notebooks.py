"""Build the notebooks: `python tools/notebooks.py FOLDER`.

Reads docs/notebooks/*.py (text with `# %%` between the cells, which merges like any other source), runs each
in a kernel of its own, and writes it with its outputs as FOLDER/NAME.ipynb. Fails where a cell does. Needs jupytext,
nbclient and ipykernel, which `pip install 'searchkit[test]'` brings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jupytext
import nbclient

SOURCES = Path(__file__).parents[1] / "docs" / "notebooks"
SECONDS = 600
"""Wall time that a cell may take."""


def executed(source: Path, folder: Path) -> Any:
    """The notebook (an nbformat `NotebookNode`) with its outputs; it runs in `folder`.

    Raises `nbclient.exceptions.CellExecutionError` with the cell and the traceback if one fails.
    """
    notebook = jupytext.read(source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    client = nbclient.NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook


def build(folder: Path) -> list[Path]:
    """Run all notebooks and write them to `folder`; the files, sorted by name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{source.stem}.ipynb" for source in sorted(SOURCES.glob("*.py"))]
    for path in written:
        jupytext.write(executed(SOURCES / f"{path.stem}.py", folder), path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for path in build(Path(sys.argv[1])):
        print(path)
