"""`searchkit report`: a sweep or a pool as one HTML page."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError

TRACES = 20


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("report", help="a sweep or a pool as one HTML page: tables, curves, every sample")
    command.add_argument(
        "source", metavar="SOURCE",
        help="a sweep's TOML file; or its folder: then without prompts and traces; or a pool's file (.jsonl, .parquet)",
    )  # fmt: skip
    command.add_argument(
        "--to", metavar="FILE", help="the page (default: report.html in the sweep's folder, or beside the pool's file)"
    )
    command.add_argument(
        "--traces", type=int, metavar="N", help=f"problems whose searches are replayed, unpaid (default: {TRACES})"
    )
    command.add_argument(
        "--rejudged", metavar="FOLDER", help="what `searchkit rejudge` wrote: list each verdict that differs"
    )
    command.add_argument("--follow", action="store_true", help="write it anew while the sweep runs, until it has ended")


def report(options: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from searchkit.cli.sweep_config import load

    path = Path(options.source)
    pool = path.suffix.lower() in (".jsonl", ".parquet")
    if options.traces is not None and (pool or not path.is_file()):
        raise ConfigError(f"--traces replays searches, which needs the sweep's TOML file: give it instead of {path}")
    if pool:
        if options.follow or options.rejudged:
            raise ConfigError(f"--follow and --rejudged are about sweeps, and {path} is a pool: leave them out")
        _of_pool(path, options.to)
    elif path.is_file():
        sys.path.insert(0, os.getcwd())  # where a user's own module:function is looked for, as with python -m
        config = load(path)
        traces = TRACES if options.traces is None else options.traces
        _of_sweep(config.out, options, sweep=config.sweep, traces=traces)
    else:
        _of_sweep(path, options)
    return 0


def _of_sweep(folder: Path, options: argparse.Namespace, **told: Any) -> None:
    from searchkit.experiments.report.follow import follow
    from searchkit.experiments.report.page import report as write

    told["rejudged"] = options.rejudged
    if options.follow:
        print(follow(folder, options.to, told=lambda words: print(words, file=sys.stderr), **told))
    else:
        print(write(folder, options.to, **told))


def _of_pool(path: Path, to: str | None) -> None:
    """The gap report of a pool, printed, and its page."""
    from searchkit.experiments.pool.parquet import from_parquet
    from searchkit.experiments.pool.pool import Pool
    from searchkit.experiments.report.pool_page import pool_report
    from searchkit.experiments.statistics.gap_report import gap_report

    pool = from_parquet(path) if path.suffix.lower() == ".parquet" else Pool.load(path)
    found = gap_report(pool)
    print(found.table())
    print(pool_report(pool, found, to or path.with_suffix(".html"), path.name))
