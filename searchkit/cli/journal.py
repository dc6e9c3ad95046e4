"""`searchkit journal`: what a journal holds, whether it is whole, and a copy without what is damaged."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from searchkit import codec
from searchkit.cli.parsing import columns
from searchkit.engine.journal.checked import Call, Checked, Damage, calls, check, drop
from searchkit.markup.words import one_line
from searchkit.types import Sample, Usage

LONGEST = 60  # characters shown of an answer
_PASSED = {True: "passed", False: "failed", None: "unknown"}


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("journal", help="what a journal holds, and whether it is whole")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    ends = "exit codes: 0 all is whole, or made so by --drop; 1 a row or the file is damaged, or it is no journal"
    checking = actions.add_parser("check", help="look at every row; exit code 1 if one is damaged", epilog=ends)
    checking.add_argument("file", metavar="FILE", help="a journal; also while a search writes it")
    checking.add_argument("--drop", metavar="COPY", help="write a journal without the damaged rows to COPY")
    checking.add_argument("--json", action="store_true", help="print what was found as JSON")
    showing = actions.add_parser("show", help="problems, paths, answers, and what was paid", epilog=ends)
    showing.add_argument("file", metavar="FILE", help="a journal; also while a search writes it, or once it was killed")
    showing.add_argument("--json", action="store_true", help="print an object a row, with its request, each on a line")


def journal(options: argparse.Namespace) -> int:
    """Check or show; the exit code says whether all is whole (0), or made whole by `--drop`."""
    return _check(options) if options.action == "check" else _show(options)


def _check(options: argparse.Namespace) -> int:
    found = drop(options.file, options.drop) if options.drop else check(options.file)
    if options.json:
        print(json.dumps(asdict(found) | {"copy": options.drop}))
    else:
        _tell(found, options)
    return 1 if found.damaged and not options.drop else 0


def _tell(found: Checked, options: argparse.Namespace) -> None:
    for one in found.damaged:
        print(_damaged(one))
    print(f"{one_line(options.file, 400)}: {found.calls:,} rows (model calls, verdicts, effects) and "
          f"{found.requests:,} requests are as they were written, {len(found.damaged):,} damaged")  # fmt: skip
    if options.drop:
        print(f"{one_line(options.drop, 400)} has all that can be read; what is missing is paid again")
    elif found.damaged:
        print("--drop COPY writes a journal without what is damaged")


def _damaged(one: Damage) -> str:
    where = f" (problem {one.problem[:80]!r}, at {one.path[:200]!r})" if one.path or one.problem else ""
    number = "" if one.row is None else f" row {one_line(str(one.row), 40)}"
    return f"{one.what}{number}{where}: {one_line(one.why, 300)}"


def _show(options: argparse.Namespace) -> int:
    totals, lines, damaged = dict[str, Usage](), dict[str, list[str]](), 0
    for one in calls(options.file):
        if isinstance(one, Damage):
            damaged += 1
            print(json.dumps({"damaged": asdict(one)}) if options.json else f"DAMAGED {_damaged(one)}")
        elif options.json:
            print(_json(one))
        else:
            totals[one.problem] = totals.get(one.problem, Usage()) + one.usage
            lines.setdefault(one.problem, []).append(_line(one))
    for problem, found in lines.items():  # each at once: those of several that were searched together are mixed
        print(f"problem {one_line(problem, 80)}", *found, sep="\n")
    if not options.json:
        _print_totals(totals)
    return 1 if damaged else 0


def _print_totals(totals: dict[str, Usage]) -> None:
    print(f"\n{'problem':32} {'model calls':>11} {'read':>10} {'generated':>10} {'usd':>10}")
    whole = sum(totals.values(), Usage())
    for name, paid in [*totals.items(), ("in all", whole)]:
        print(f"{one_line(name, 32):32} {paid.model_calls:11,} {paid.prompt_tokens:10,} {paid.generated_tokens:10,} "
              f"{paid.usd:10.4f}")  # fmt: skip


def _line(one: Call) -> str:
    tokens = f"{one.usage.generated_tokens} tok" if one.usage.generated_tokens else ""
    said = one_line(_said(one), LONGEST)
    return f"  {one.row:>6} {one_line(one.role, 8):8} {tokens:>8}  {one_line(one.path, 120)}  {said}".rstrip()[
        : columns()
    ]


def _said(one: Call) -> str:
    if isinstance(one.outcome, Sample):
        return one.outcome.text
    if isinstance(one.outcome, str):
        return one.outcome
    return ", ".join(_PASSED[v.passed] if v.score is None else f"{v.score:g}" for v in one.outcome)


def _json(one: Call) -> str:
    outcome: Any = one.outcome
    if isinstance(outcome, Sample):
        outcome = json.loads(codec.dump_sample(outcome))
    elif not isinstance(outcome, str):
        outcome = json.loads(codec.dump_verdicts(outcome))
    request: Any = one.request
    if isinstance(request, tuple):
        prompt, params = request
        request = {"prompt": asdict(prompt), "params": asdict(params)}
    return json.dumps({
        "row": one.row, "problem": one.problem, "path": one.path, "role": one.role, "digest": one.digest,
        "request": request, "outcome": outcome, "usage": asdict(one.usage),
    })  # fmt: skip
