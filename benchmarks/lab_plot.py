"""The picture of benchmarks/lab.py: accuracy against tokens above, best of N against N below, a column a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from searchkit.experiments import Compute, Curve, plot

SHOWN = ("coverage", "particles", "beam", "dvts", "mcts", "outcome", "majority")  # as many as there are colours


def save(reports: dict[str, dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(7.2 * len(reports), 9.0), layout="constrained")
    panels = figure.subplots(2, len(reports), squeeze=False, sharey="row")
    for column, (task, report) in enumerate(reports.items()):
        above, below = panels[:, column]
        plot(against_tokens(report["table"]), "tokens", above)
        above.set_title(f"{task}: equal generated tokens")
        if report["overoptimised"]:
            plot(against_samples(report["overoptimised"]), "samples", below)
            below.set_title(f"{task}: best of N under each reward model")
    for panel in panels[:, 1:].flat:
        panel.set_ylabel("")
    figure.savefig(path, dpi=110)


def against_tokens(rows: Sequence[dict[str, Any]]) -> list[Curve]:
    """A curve for each method; a search may have fewer problems at the largest budget, and wider intervals."""
    found = []
    for method in SHOWN:
        own = [row for row in rows if row["method"] == method]
        if own:
            tokens = [row["total_tokens"] for row in own]
            found.append(curve(method, [row["samples_worth"] for row in own], [row["accuracy"] for row in own], tokens))
    return found


def against_samples(rows: Sequence[dict[str, Any]]) -> list[Curve]:
    ks = [row["n"] for row in rows]
    return [curve(m, ks, [row[m] for row in rows], [0.0] * len(ks)) for m in ("coverage", "outcome", "process")]


def curve(name: str, ks: Iterable[int], values: Sequence[Sequence[float]], tokens: Iterable[float]) -> Curve:
    mean, low, high = zip(*values, strict=True)
    return Curve(name, tuple(ks), mean, low, high, Compute(tuple(tokens)), (), np.empty((0, len(mean))))
