"""`searchkit sweep`: every strategy under every budget with every seed over a set of problems, from one file."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.kinds import printable

if TYPE_CHECKING:
    from searchkit.experiments.sweep.results import SweepResults
    from searchkit.experiments.sweep.summary import Summary


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("sweep", help="strategies x budgets x seeds over a set of problems, from a TOML file")
    tables = "out, seeds, concurrency, truth, [problems], [model], [strategies.NAME], [[budgets]]"
    simulated = "a model with backend = 'simulated' has answers = {TEXT = PROBABILITY}"
    command.add_argument("config", help=f"the file: {tables}; {simulated}; see the guide's page on sweeps")
    command.add_argument(
        "--executor", default="asyncio", metavar="E", help="asyncio (default), processes, dask or ray: results agree"
    )
    command.add_argument("--jobs", type=int, help="workers of the executor (default: one for each CPU)")
    command.add_argument("--retry-failed", action="store_true", help="search anew what ended in an error")
    command.add_argument(
        "--wait", type=float, default=20.0, metavar="S", help="seconds for a server that is starting (default: 20)"
    )
    command.add_argument("--json", action="store_true", help="print the table as JSON")


def sweep(options: argparse.Namespace, command: str) -> int:
    """Run what is not finished, print the table; interrupted, print what there is and how to go on."""
    from searchkit.cli.parsing import columns
    from searchkit.cli.preflight import check
    from searchkit.cli.sweep_config import load

    sys.path.insert(0, os.getcwd())  # where a user's own module:function is looked for, as with python -m
    config = load(Path(options.config))
    check(config, options.wait)
    results = config.sweep.run(
        config.out, executor=options.executor, jobs=options.jobs, concurrency=config.concurrency,
        progress=not options.json, retry_failed=options.retry_failed,
    )  # fmt: skip
    failed = failures(results)
    print(as_json(results, config.out) if options.json else results.table(columns()))
    if failed:
        print(f"{len(failed)} searches failed and are not right, the first: {printable(failed[0])}\n"
              "--retry-failed searches them anew", file=sys.stderr)  # fmt: skip
    if not results.complete:
        print(f"interrupted after {len(results.rows):,} of {results.expected:,} searches; the same command goes on:\n"
              f"  {command}", file=sys.stderr)  # fmt: skip
        return 130
    return 1 if all(row.error or row.unknown for row in results.rows) else 0


def failures(results: SweepResults) -> list[str]:
    """The errors of the searches that failed. Raises `SweepFailed` if all did: they have no accuracy."""
    from searchkit.experiments.sweep.breaker import SweepFailed

    failed = [row.error for row in results.rows if row.error]
    if failed and len(failed) == len(results.rows) and results.complete:
        raise SweepFailed(f"all {len(failed):,} searches failed, so there is no accuracy: {failed[0]}; "
                          "--retry-failed searches them anew")  # fmt: skip
    return failed


def as_json(results: SweepResults, out: Path) -> str:
    """The table, a JSON object; bounds that are not defined are null."""
    cells = [summary_json(summary) for summary in results.summaries()]
    done = {"complete": results.complete, "searches": len(results.rows), "expected": results.expected}
    told = done | {"out": str(out), "cells": cells, "diagnosis": results.diagnosis}
    return json.dumps(told, allow_nan=False)


def summary_json(summary: Summary) -> dict[str, Any]:
    """A line of the table, without its columns by problem."""
    shown = {f.name: getattr(summary, f.name) for f in fields(summary) if f.repr}
    return {name: None if value != value else value for name, value in shown.items()}
