"""`searchkit rejudge`: a finished sweep as another truth, other verifiers or keys judge it; no sample is paid again."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("rejudge", help="a sweep judged again, from its journal: only judge calls are paid")
    command.add_argument("folder", metavar="FOLDER", help="the out folder of the sweep; it stays as it is")
    command.add_argument(
        "config", help="a TOML file of a sweep, with another truth, verifier or key, and with an out of its own"
    )
    command.add_argument("--retry-failed", action="store_true", help="judge anew what ended in an error")
    command.add_argument("--json", action="store_true", help="print the table, and what was paid, as JSON")


def rejudge(options: argparse.Namespace) -> int:
    """Judge again, print the table and what the judges cost."""
    from searchkit.cli.parsing import columns
    from searchkit.cli.sweep import as_json, failures
    from searchkit.cli.sweep_config import load
    from searchkit.experiments.sweep.rejudge import rejudge as judged

    sys.path.insert(0, os.getcwd())  # where a user's own module:function is looked for, as with python -m
    config = load(Path(options.config))
    found = judged(
        options.folder, config.sweep, config.out, concurrency=config.concurrency, progress=not options.json,
        retry_failed=options.retry_failed,
    )  # fmt: skip
    failures(found.results)
    if options.json:
        told = json.loads(as_json(found.results, config.out))
        print(json.dumps({**told, "paid": asdict(found.paid), "missing": found.missing}))
    else:
        print(found.results.table(columns()))
        money = f", ${found.paid.usd:,.4f}" if found.paid.usd else ""
        tokens = found.paid.prompt_tokens + found.paid.generated_tokens
        print(f"paid: no sample; {found.paid.model_calls:,} calls of judges ({tokens:,} tokens{money})")
        if found.missing:
            print(f"{found.missing:,} samples are not in the journal: they had failed, or another verifier led a "
                  "search elsewhere; they count as failed", file=sys.stderr)  # fmt: skip
    return 0 if found.results.complete else 130
