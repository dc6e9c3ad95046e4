"""Choosers as a figure: cost against accuracy, between the two generators that they choose between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError
from searchkit.experiments.plots import COLOURS, DASHES, blank
from searchkit.kinds import told

if TYPE_CHECKING:
    from searchkit.experiments.statistics.choosing import ChoiceCurve


def plot_choices(curves: Mapping[str, ChoiceCurve], ax: Any = None, *, unit: str = "cost") -> Any:
    """Draw `ChoiceCurve`s by name and return the matplotlib `Axes`, of a new figure if `ax` is None.

    The curves are those of choosers between the same two generators on the same problems: the end points and the line
    between them, what choosing by lot gives, are drawn once, from the first. unit: what cost is counted in, for the
    title of the axis. In a notebook, show ``axes.figure``. Raises `ConfigError` where there is no curve.
    """
    if not isinstance(curves, Mapping) or not curves:
        raise ConfigError(f'there is nothing to plot: pass curves by name, {{"words": curve}}, got {told(curves)}')
    axes = blank() if ax is None else ax
    first = next(iter(curves.values()))
    (cheap, low), (dear, high) = first.ends
    axes.plot([cheap, dear], [100 * low, 100 * high], color="#888888", linestyle=":", marker="o", label="by lot")
    for i, (name, curve) in enumerate(curves.items()):
        costs, accuracies = zip(*curve.points, strict=True)
        dash = DASHES[i % len(DASHES)]
        colour = COLOURS[i % len(COLOURS)]
        plain = name.replace("$", r"\$")  # no formulas
        plain = f"\u200b{plain}" if plain.startswith("_") else plain  # else the legend leaves it out
        told_as = plain if math.isnan(curve.apgr) else f"{plain}, APGR {curve.apgr:.2f}"
        axes.plot(costs, [100 * p for p in accuracies], color=colour, linestyle=dash, linewidth=1.6, label=told_as)
    axes.set_xlabel(f"{unit} per problem")
    axes.set_ylabel("problems solved (%)")
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return axes
