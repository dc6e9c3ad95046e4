"""Every Python block of the guide and the README runs, offline, top to bottom."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """(first line number, source) of each block."""
    text = page.read_text()
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in FENCE.finditer(text)]


SLOW = {"code", "sweeps", "tools"}
WITH_CODE = [
    pytest.param(page, marks=pytest.mark.slow) if page.stem in SLOW else page for page in PAGES if blocks(page)
]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    """One namespace a page, as a reader would type it in, in an empty folder."""
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    for line, source in blocks(page):
        code = compile("\n" * (line - 1) + source, str(page.relative_to(ROOT)), "exec")
        exec(code, vars(module))


def test_every_guide_page_has_code_and_opens_with_what_it_does_costs_and_is_for():
    """The three things a reader wants to know first."""
    pages = PAGES[1:]
    assert len(pages) >= 10
    for page in pages:
        opening = page.read_text().split("```")[0]
        assert all(mark in opening for mark in ("**What it does.**", "costs", "**When to use")), page.name
        assert blocks(page), page.name


def test_every_guide_page_is_in_the_table_of_contents():
    """A page that nothing links to is a page that nobody reads."""
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [*(ROOT / "docs" / "guide").rglob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
    assert [page.stem for page in pages if f"{page.parent.name}/{page.stem}\n" not in index] == []
