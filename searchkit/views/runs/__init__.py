"""Run pages: a search as a page that grows while it runs, for whoever may see it.

Read `told.py` first (what a page is told of a search), then `pages.py` (who may see which, over HTTP). The page itself
is `run.html`, `run.css` and `run.js`.
"""

from searchkit.views.runs.pages import RunPages, new_id

__all__ = ["RunPages", "new_id"]
