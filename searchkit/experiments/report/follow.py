"""The page of a sweep that still runs: written anew whenever more searches are done, until all are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from searchkit.experiments.report.data import load
from searchkit.experiments.report.page import report
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.rows import LOG, RESULTS

EVERY = 2.0  # seconds between two looks


def follow(
    out: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    every: float = EVERY,
    told: Callable[[str], object] | None = None,
    **options: Any,
) -> Path:
    """Write the report of the sweep in the folder `out` again and again while it runs, and return its path.

    every: seconds between two looks; the page loads itself anew as often, unless something in it is open or filtered.
    told: hears in words how far it is, whenever another page was written. options: as `report` has them; traces are
    replayed once, for the last page. It may start before the sweep does. Cost: reads the logs each time that they have
    grown.

    Raises `ConfigError` as `report` does, but for what is not there yet.
    """
    folder, seen, quiet = Path(out), -1, {**options, "traces": 0}
    say = told or (lambda words: None)
    while True:
        state = _state(folder)
        if state > max(seen, 0):
            seen, (results, _) = state, load(folder)
            live = {} if results.complete else {**quiet, "following": every}
            written = report(out, path, **{**options, **live})
            say(f"{len(results.finished):,} of {results.expected:,} searches")
            if results.complete:
                return written
        elif seen < 0:
            say(f"waiting for the first search in {folder}")
            seen = 0
        time.sleep(every)


def _state(folder: Path) -> int:
    """How many bytes the logs have; 0 before the first search is done. One more where the sweep has ended."""
    if not (folder / manifest.MANIFEST).exists():
        return 0
    shards = manifest.load(folder)["shards"]
    logs = (folder / f"shard-{i}" / LOG for i in range(shards))
    return sum(log.stat().st_size for log in logs if log.exists()) + (folder / RESULTS).exists()
