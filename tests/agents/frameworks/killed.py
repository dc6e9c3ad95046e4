"""The main function of a process that searches with a page's agent, to be killed: PAGE URL JOURNAL."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from tests.agents.frameworks.test_rows import ATTEMPTS, searched
from tests.helpers.guide_pages import run

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    page, url, journal = sys.argv[1:]
    searched(run(Path(page), "agent", URL=url), ATTEMPTS, journal=journal)
