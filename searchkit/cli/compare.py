"""`searchkit compare`: two sweeps, or two strategies of one, on the problems that both have."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.cli import names
from searchkit.cli.sweep import summary_json
from searchkit.errors import ConfigError

if TYPE_CHECKING:
    from searchkit.experiments.estimators.intervals import Interval
    from searchkit.experiments.sweep.summary import Summary


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("compare", help="the paired difference of two sweeps, or of two strategies of one")
    for name in ("A", "B"):
        command.add_argument(name, metavar=name, help="a finished sweep's folder, or FOLDER:STRATEGY")
    command.add_argument("--json", action="store_true", help="print the differences as JSON")


def compare(options: argparse.Namespace) -> int:
    """Print accuracy of A minus that of B, with its 95 % interval, for each budget that both have."""
    from searchkit.experiments.sweep.results import difference, difference_bounds
    from searchkit.experiments.sweep.summary import interval, told_of

    pairs = _pairs(_named(options.A), _named(options.B))
    found = [(a, b, *difference(a, b)) for a, b in pairs]
    if options.json:
        print(json.dumps([_json(*one) for one in found]))
        return 0
    for a, b, problems, delta in found:
        print(f"{a.strategy} minus {b.strategy}, {a.budget}, {len(problems)} problems in common:")
        for name, one in (("A", a), ("B", b)):
            accuracy, unknown = interval(one.accuracy, one.low, one.high), ""
            if one.unknown:
                unknown = f"  {one.unknown:,} of {one.searches:,} unknown, at most {100 * one.at_most:.1f} %"
            print(f"  {name}           {accuracy} %  {one.tokens:,.0f} tokens a search{unknown}")
        print(f"  difference  {interval(float(delta.mean), float(delta.low), float(delta.high))} points")
        if a.unknown or b.unknown:
            least, most = (100 * bound for bound in difference_bounds(a, b))
            print(f"              {least:.1f} to {most:.1f} points, however the unknown verdicts turn out")
        if told := told_of((f"{name} {one.strategy}", one.oracle) for name, one in (("A", a), ("B", b))):
            print(f"  {told}")
        print()
    print("An interval that excludes 0 is a difference at the 5 % level; it is paired, problem by problem.")
    return 0


def _json(a: Summary, b: Summary, problems: Sequence[str], delta: Interval) -> dict[str, Any]:
    from searchkit.experiments.sweep.results import difference_bounds

    low, high = (None if bound != bound else float(bound) for bound in (delta.low, delta.high))
    least, most = difference_bounds(a, b)
    sides = {"a": summary_json(a), "b": summary_json(b), "problems": len(problems)}
    return sides | {
        "difference": float(delta.mean), "low": low, "high": high, "at_least": least, "at_most": most,
    }  # fmt: skip


def _named(text: str) -> list[Summary]:
    """The summaries that ``FOLDER`` or ``FOLDER:STRATEGY`` stands for."""
    from searchkit.experiments.sweep.results import SweepResults

    folder, colon, strategy = (text, "", "") if Path(text).is_dir() else text.rpartition(":")
    while colon and not Path(folder).is_dir() and ":" in folder:  # a strategy's name may have colons, too
        folder, _, first = folder.rpartition(":")
        strategy = f"{first}:{strategy}"
    results = SweepResults.load(folder or text)
    if colon and strategy not in results.strategies:
        raise ConfigError(f"{folder} has no strategy {strategy!r}{names.meant(strategy, results.strategies)}")
    return [s for s in results.summaries() if not colon or s.strategy == strategy]


def _pairs(a: list[Summary], b: list[Summary]) -> list[tuple[Summary, Summary]]:
    """What is compared with what: equal budgets, and equal strategies unless each side has but one."""
    single = all(len({summary.strategy for summary in side}) == 1 for side in (a, b))
    pairs = [(x, y) for x in a for y in b if x.budget == y.budget and (single or x.strategy == y.strategy)]
    if not pairs:
        first, second = (", ".join(f"{s.strategy} ({s.budget})" for s in side) for side in (a, b))
        raise ConfigError(f"A has {first}, B has {second}: nothing in common, name a strategy as FOLDER:STRATEGY")
    return pairs
