"""A whole sweep as one HTML page that needs nothing else: figures, curves, every problem, and the traces of some."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.errors import ConfigError
from searchkit.markup import trees
from searchkit.markup.page import asset, page
from searchkit.markup.words import one_line
from searchkit.tree import Tree

if TYPE_CHECKING:
    from searchkit.experiments.sweep.sweep import Sweep

HERE = Path(__file__).parent


def report(
    out: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    sweep: Sweep | None = None,
    traces: int = 20,
    rejudged: str | os.PathLike[str] | None = None,
    following: float = 0.0,
) -> Path:
    """Write what the sweep in the folder `out` came to as an HTML page, and return its path.

    path: by default report.html in that folder. sweep: the one that ran there. With it, the page has prompts and
    references, and the candidates, the trace and the search tree of every search for those `traces` problems on which
    strategies differ most. They are replayed from the journal: no backend and no agent is asked, but environments and
    strategies run again. A replay that does not come to what the sweep noted is marked as such. rejudged: the folder
    in which `rejudge` has judged this sweep again; the page then lists each verdict and answer that differs. following:
    seconds after which the page of a sweep that still runs loads itself anew, see `follow`; 0: never.

    Texts are data, never markup, and nothing is loaded: the page is safe to open whatever a model wrote. Long texts are
    cut, and what does not fit (more than 200,000 searches, say) is left out; the page tells both. References and
    answers are in it: look before you share it. The same folder and sweep give the same bytes.

    Raises `ConfigError` if `out` is no sweep's folder, holds another sweep than `sweep`, or has no finished search yet;
    and if `rejudged` has none of its searches.
    """
    from searchkit.experiments.report import again as report_again
    from searchkit.experiments.report import data as report_data
    from searchkit.experiments.report import traces as report_traces
    from searchkit.experiments.sweep import manifest, rows

    folder = Path(out)
    if traces < 0:
        raise ConfigError(f"traces is a number of problems and must be >= 0, got {traces}")
    results, stored = report_data.load(folder)
    target = target_of(folder / "report.html" if path is None else path)
    if sweep is not None:
        here = json.loads(json.dumps(sweep.configuration()))
        if found := list(manifest.differences(stored["configuration"], here)):
            raise ConfigError(f"{folder} holds another sweep: {'; '.join(found[:3])}. Pass the sweep that ran there")
    problems = () if sweep is None else sweep.problems
    names, finished = report_data.kept(results, problems)
    told = report_data.data(results, stored, problems, names, finished)
    if rejudged is not None:
        told |= report_again.again(results, finished, Path(rejudged))
    if following and not results.complete:
        told["following"] = following
    if sweep is not None:
        told |= report_traces.traces(sweep, folder, stored["shards"], finished, traces)
    rows.whole(target, [_page(one_line(folder.resolve().name, 80), told)])  # it may be read while it is written
    return target


def target_of(path: str | os.PathLike[str]) -> Path:
    """The path of a page; `ConfigError` if it cannot be one."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm") or not target.absolute().parent.is_dir():
        raise ConfigError(f"a report is an .html file in a folder that exists, got {target}")
    return target


def _page(name: str, told: dict[str, object]) -> str:
    """The page. The tree page's script may run too: in a frame, whose policy is this page's."""
    before, _, rest = trees.html(Tree(text="Search tree")).partition('id="data">')
    frame = {"before": f'{before}id="data">', "after": rest[rest.index("</script>") :]}
    return page(
        f"{name}: sweep", asset(HERE / "report.html").replace("TITLE", escape(name)), {**told, "frame": frame},
        "".join(asset(HERE / script) for script in ("parts.js", "samples.js", "report.js")), asset(HERE / "report.css"),
        scripts=[asset(trees.SCRIPT)], styles=[asset(trees.STYLE)],
    )  # fmt: skip
