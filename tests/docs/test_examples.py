"""Every example runs as its own docstring says; those that take minutes do so on a few problems."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FEW = {
    "reproduce_apr": ["--problems", "3"],
    "reproduce_scaling": ["--problems", "2", "--samples", "4", "--jobs", "1"],
}
SLOW = {"file_agent", "tool_agent", "reproduce_apr", "reproduce_scaling", "scaling_curve"}
EXAMPLES = [
    pytest.param(path, marks=pytest.mark.slow) if path.stem in SLOW else path
    for path in sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path: Path, tmp_path: Path) -> None:
    """Exit code 0 and something to read."""
    run = subprocess.run(
        [sys.executable, str(path), *FEW.get(path.stem, [])], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
