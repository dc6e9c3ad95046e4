"""`searchkit report`: a sweep as one HTML page, with every problem, and the traces of some."""

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
    command = commands.add_parser("report", help="a sweep as one HTML page: table, curves, every problem, traces")
    command.add_argument(
        "sweep", metavar="SWEEP", help="a sweep's TOML file; or its folder: then without prompts and traces"
    )
    command.add_argument("--to", metavar="FILE", help="the page (default: report.html in the sweep's folder)")
    command.add_argument(
        "--traces", type=int, metavar="N", help=f"problems whose searches are replayed, unpaid (default: {TRACES})"
    )


def report(options: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from searchkit.cli.sweep_config import load
    from searchkit.experiments.report.page import report as write

    path = Path(options.sweep)
    if path.is_file():
        sys.path.insert(0, os.getcwd())  # where a user's own module:function is looked for, as with python -m
        config = load(path)
        traces = TRACES if options.traces is None else options.traces
        print(write(config.out, options.to, sweep=config.sweep, traces=traces))
    elif options.traces is not None:
        raise ConfigError(f"--traces replays searches, which needs the sweep's TOML file: give it instead of {path}")
    else:
        print(write(path, options.to))
    return 0
