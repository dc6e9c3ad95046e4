"""Every Python block of the guide and the README runs, offline, top to bottom."""

from __future__ import annotations

import sys

import pytest

from tests.helpers.guide_pages import ROOT, blocks, run

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").rglob("*.md"))]
SLOW = {"code", "sweeps", "tools"}
WITH_CODE = [
    pytest.param(page, marks=[pytest.mark.slow] if page.stem in SLOW else [], id=page.stem)
    for page in PAGES
    if blocks(page) and page.parent.name != "frameworks"  # these run in tests/agents/frameworks
]


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    """One namespace a page, as a reader would type it in, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, f"page_{page.stem}", None)  # put back what was there
    run(page)


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
