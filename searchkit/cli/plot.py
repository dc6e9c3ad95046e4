"""`searchkit plot`: accuracy against compute, a curve for each strategy of a sweep."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.cli.names import meant
from searchkit.errors import ConfigError

if TYPE_CHECKING:
    from searchkit.experiments.estimators.axes import Axis

X = ("tokens", "total", "sequential", "seconds", "usd", "flops", "cost")


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("plot", help="accuracy against compute for each strategy of a sweep, as PNG")
    command.add_argument("out", metavar="OUT", help="a finished sweep's folder")
    command.add_argument("--to", metavar="FILE", help="the PNG (default: accuracy.png in that folder)")
    command.add_argument("--x", default="tokens", metavar="X", help=f"compute: {', '.join(X)} (default: tokens)")
    command.add_argument("--parameters", type=float, metavar="P", help="for flops: how many the model has, as 8e9")
    command.add_argument(
        "--usd-per-million", type=float, nargs=2, metavar=("IN", "OUT"), help="for cost: the prices of tokens"
    )


def plot(options: argparse.Namespace) -> int:
    """Draw the figure and print where it is."""
    from searchkit.experiments import plots
    from searchkit.experiments.sweep.results import SweepResults

    results = SweepResults.load(options.out)
    target = Path(options.to or Path(options.out) / "accuracy.png")
    if target.suffix.lower() != ".png" or not target.absolute().parent.is_dir():
        raise ConfigError(f"--to must be a .png file in a folder that exists, got {target}")
    curves, along = results.curves(), _axis(options)
    axes = plots.plot(curves, along)
    for i, curve in enumerate(curves):
        places = along.places(curve)
        if places[0] == places[-1]:  # a band around one place has no width
            low, high = 100 * curve.low[0], 100 * curve.high[0]
            axes.vlines(places, low, high, color=plots.COLOURS[i % len(plots.COLOURS)], alpha=0.5)
    axes.figure.savefig(target, dpi=150)
    print(target)
    return 0


def _axis(options: argparse.Namespace) -> Axis:
    from searchkit.experiments.estimators import axes

    if options.x not in X:
        raise ConfigError(f"unknown --x {options.x!r}{meant(options.x, X)}")
    if (options.x == "flops") != (options.parameters is not None):
        raise ConfigError("--x flops needs --parameters, the number that the model has, and nothing else does")
    if (options.x == "cost") != (options.usd_per_million is not None):
        raise ConfigError("--x cost needs --usd-per-million IN OUT, prices of tokens, and nothing else does")
    if options.x == "flops":
        return axes.flops(options.parameters)
    return axes.cost(*options.usd_per_million) if options.x == "cost" else axes.axis(options.x)
