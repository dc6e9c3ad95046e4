"""`searchkit plot`: accuracy against tokens, a curve for each strategy of a sweep."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError


def add(commands: Any) -> None:
    """The command's options."""
    command = commands.add_parser("plot", help="accuracy against tokens for each strategy of a sweep, as PNG")
    command.add_argument("out", metavar="OUT", help="a finished sweep's folder")
    command.add_argument("--to", metavar="FILE", help="the PNG (default: accuracy.png in that folder)")


def plot(options: argparse.Namespace) -> int:
    """Draw the figure and print where it is."""
    from searchkit.experiments import plots
    from searchkit.experiments.sweep_results import SweepResults

    target = Path(options.to or Path(options.out) / "accuracy.png")
    if target.suffix.lower() != ".png" or not target.absolute().parent.is_dir():
        raise ConfigError(f"--to must be a .png file in a folder that exists, got {target}")
    curves = SweepResults.load(options.out).curves()
    axes = plots.plot(curves, "tokens")
    for i, curve in enumerate(curves):
        if curve.tokens[0] == curve.tokens[-1]:  # a band around one place has no width
            low, high = 100 * curve.low[0], 100 * curve.high[0]
            axes.vlines(curve.tokens, low, high, color=plots.COLOURS[i % len(plots.COLOURS)], alpha=0.5)
    axes.figure.savefig(target, dpi=150)
    print(target)
    return 0
