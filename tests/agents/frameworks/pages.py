"""The guide's pages on frameworks as parameters of tests: skipped, with the reason, where a framework is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.guide_pages import ROOT, missing

PAGES = sorted((ROOT / "docs" / "guide" / "agents" / "frameworks").glob("*.md"))


def _each(page: Path) -> Any:
    lacks = missing(page)
    reason = f"{lacks} is not installed: tools/frameworks.sh makes an environment that has it"
    return pytest.param(page, marks=pytest.mark.skipif(bool(lacks), reason=reason), id=page.stem)


EACH = list(map(_each, PAGES))
