"""The guide's pages on frameworks, as a reader would type them in, each where its framework is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.frameworks.pages import EACH, PAGES
from tests.helpers.guide_pages import run


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("page", EACH)
def test_the_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(page)


def test_there_is_a_page_for_each_framework() -> None:
    assert len(PAGES) == 11
