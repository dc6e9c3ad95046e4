"""A pool as one HTML page that needs nothing else: the gap report, its curves, and every sample with filters."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from searchkit.experiments.estimators.curves import picture
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.report.page import HERE, target_of
from searchkit.experiments.report.pool_data import pool_data
from searchkit.experiments.statistics.gap_report import GapReport
from searchkit.markup.page import asset, page
from searchkit.markup.tables import html_table, html_text
from searchkit.markup.words import one_line


def pool_report(pool: Pool, found: GapReport, path: str | os.PathLike[str], name: str = "Pool") -> Path:
    """Write what `found` says of `pool` as an HTML page, and return its path.

    found: of `gap_report`. path: an .html file in a folder that exists. name: the title. Texts are data, never markup,
    and nothing is loaded: the page is safe to open whatever a model wrote. Long texts are cut, and what does not fit
    (more than 200,000 samples, say) is left out; the page tells both. Answers are in it: look before you share it.

    Raises `ConfigError` for a path that cannot be.
    """
    target = target_of(path)
    head, *rows = found.grid()
    parts = {
        "TITLE": escape(one_line(name, 80)), "TABLE": html_table(head, rows), "CHART": picture(found.curves),
        "SENTENCES": "".join(f'<p class="note">{html_text(sentence)}</p>' for sentence in found.sentences()),
    }  # fmt: skip
    body = asset(HERE / "pool.html")
    before, rest = "", body
    for mark in ("TITLE", "TABLE", "SENTENCES", "CHART"):  # in their order, so that no text is looked through
        text, _, rest = rest.partition(mark)
        before += text + parts[mark]
    scripts = "".join(asset(HERE / script) for script in ("parts.js", "samples.js", "pool.js"))
    shown = page(f"{one_line(name, 80)}: pool", before + rest, pool_data(pool), scripts, asset(HERE / "report.css"))
    target.write_text(shown, encoding="utf-8")
    return target
