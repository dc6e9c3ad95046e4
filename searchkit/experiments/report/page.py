"""A whole sweep as one HTML page that needs nothing else: figures, curves, every problem, and the traces of some."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.errors import ConfigError
from searchkit.tree import Tree
from searchkit.views.html import PAGE, _asset, _hash, html
from searchkit.views.shown import one_line

if TYPE_CHECKING:
    from searchkit.experiments.sweep.sweep import Sweep


def report(
    out: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    sweep: Sweep | None = None,
    traces: int = 20,
) -> Path:
    """Write what the sweep in the folder `out` came to as an HTML page, and return its path.

    path: by default report.html in that folder. sweep: the one that ran there. With it, the page has prompts and
    references, and the candidates, the trace and the search tree of every search for those `traces` problems on which
    strategies differ most. They are replayed from the journal: no backend and no agent is asked, but environments and
    strategies run again. A replay that does not come to what the sweep noted is marked as such.

    Texts are data, never markup, and nothing is loaded: the page is safe to open whatever a model wrote. Long texts are
    cut, and what does not fit (more than 200,000 searches, say) is left out; the page tells both. References and
    answers are in it: look before you share it. The same folder and sweep give the same bytes.

    Raises `ConfigError` if `out` is no sweep's folder, holds another sweep than `sweep`, or has no finished search yet.
    """
    from searchkit.experiments.report import data as report_data
    from searchkit.experiments.report import traces as report_traces
    from searchkit.experiments.sweep import manifest

    folder = Path(out)
    if traces < 0:
        raise ConfigError(f"traces is a number of problems and must be >= 0, got {traces}")
    results, stored = report_data.load(folder)
    target = Path(folder / "report.html" if path is None else path)
    if target.suffix.lower() not in (".html", ".htm") or not target.absolute().parent.is_dir():
        raise ConfigError(f"a report is an .html file in a folder that exists, got {target}")
    if sweep is not None:
        here = json.loads(json.dumps(sweep.configuration()))
        if found := list(manifest.differences(stored["configuration"], here)):
            raise ConfigError(f"{folder} holds another sweep: {'; '.join(found[:3])}. Pass the sweep that ran there")
    problems = () if sweep is None else sweep.problems
    names, finished = report_data.kept(results, problems)
    told = report_data.data(results, stored, problems, names, finished)
    if sweep is not None:
        told |= report_traces.traces(sweep, folder, stored["shards"], finished, traces)
    target.write_text(_page(one_line(folder.resolve().name, 80), told), encoding="utf-8")
    return target


def _page(name: str, told: dict[str, object]) -> str:
    """The page. The tree page's script may run too: in a frame, whose policy is this page's."""
    script, style = _asset("report.js", __file__), _asset("report.css", __file__)
    scripts, styles = ("' '".join((_hash(own), _hash(_asset(other)))) for own, other in
                       ((script, "tree.js"), (style, "tree.css")))  # fmt: skip
    before, _, rest = html(Tree(text="Search tree")).partition('id="data">')
    frame = {"before": f'{before}id="data">', "after": rest[rest.index("</script>") :]}
    dumped = json.dumps({**told, "frame": frame}, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return PAGE.format(
        title=escape(f"{name}: sweep"), script=script, style=style, script_hash=scripts, style_hash=styles,
        body=_asset("report.html", __file__).replace("TITLE", escape(name)),
        data=dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    )  # fmt: skip
