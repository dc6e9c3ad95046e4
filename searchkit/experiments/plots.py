"""Curves as figures. Files are drawn without pyplot, so no backend, window or global state is touched."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.axes import Axis, Name, axis, knows

if TYPE_CHECKING:
    from searchkit.experiments.estimators.curves import Curve

# Okabe and Ito's palette: tells curves apart with any common colour-blindness; markers do so in greyscale.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")  # a curve that lies exactly under another one stays visible
LABEL_GAP = 0.055  # of the axes' height, between the names of two curves
MOST_TICKS = 12
BOUND = {"markersize": 3, "linewidth": 1.0, "alpha": 0.8, "markerfacecolor": "none"}
NOTE = 96  # characters of a line over a figure
DOTTED = "unknown counts as wrong; dotted: as right"


def plot(curves: Curve | Iterable[Curve], x: Name | Axis = "samples", ax: Any = None) -> Any:
    """Draw curves with their intervals and return the matplotlib `Axes`, of a new figure if `ax` is None.

    x: "samples"; "tokens" (generated), "total" (with those read), "sequential" (those that wait for one another),
    "seconds", "usd"; `flops(parameters)`, `cost(prices)`. `ConfigError` where a curve did not record it.

    The x axis is logarithmic to base 2, each curve is named at its right end. A curve of which something is unknown has
    a dotted line above it, its `at_most`, and its note stands over the figure. As the last line of a notebook's cell,
    what is returned shows the figure.
    """
    shown, along = _as_list(curves), axis(x)
    for curve in shown:
        if not knows(curve, along):
            raise ConfigError(f"{curve.name!r} has no {along.label}: nothing recorded them; use x='samples'")
    axes = blank() if ax is None else ax
    for i, curve in enumerate(shown):
        colour, marker, dash = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)]
        at = along.places(curve)
        axes.fill_between(at, *_percent(curve.low, curve.high), color=colour, alpha=0.15, linewidth=0)
        axes.plot(at, *_percent(curve.mean), color=colour, marker=marker, linestyle=dash, markersize=4, linewidth=1.8)
        if curve.at_most:
            axes.plot(at, *_percent(curve.at_most), color=colour, marker=marker, linestyle=":", **BOUND)
    _dress(axes, shown, along)
    return axes


def save(curves: Curve | Iterable[Curve], path: str | os.PathLike[str]) -> None:
    """Write a PNG with one panel against samples and, where tokens are recorded, one against generated tokens."""
    shown = _as_list(curves)
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ConfigError(f"the figure is written as PNG: name a file that ends in .png, got {target.name!r}")
    panels: tuple[Name, ...] = ("samples", "tokens")
    panels = tuple(x for x in panels if all(knows(curve, axis(x)) for curve in shown))
    axes = _figure(len(panels))
    for x, panel in zip(panels, axes, strict=True):
        plot(shown, x, panel)
    for panel in axes[1:]:
        panel.set_ylabel("")
        panel.set_title("", loc="left")
    axes[0].figure.savefig(target, dpi=150)


def _as_list(curves: Curve | Iterable[Curve]) -> list[Curve]:
    shown = list(curves) if isinstance(curves, Iterable) else [curves]
    if not shown:
        raise ConfigError("there is nothing to plot: pass at least one curve")
    return shown


def blank() -> Any:
    """The `Axes` of a new figure, without pyplot."""
    return _figure(1)[0]


def _figure(panels: int) -> list[Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from searchkit.experiments.shown_axes import ShownAxes

    figure = Figure(figsize=(6.4 * panels, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return list(figure.subplots(1, panels, squeeze=False, sharey=True, subplot_kw={"axes_class": ShownAxes})[0])


def _percent(*columns: Sequence[float]) -> list[list[float]]:
    return [[100 * value for value in column] for column in columns]


def _dress(axes: Any, curves: Sequence[Curve], x: Axis) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    from searchkit.experiments.estimators.curves import notes_of

    axes.set_xscale("log", base=2)
    places = sorted({place for curve in curves for place in x.places(curve)})
    at_points = x == axis("samples") and len(places) <= MOST_TICKS
    narrow = places[-1] < 4 * places[0]  # too few powers of two to read the scale by
    even = MaxNLocator(MOST_TICKS // 2) if narrow else LogLocator(base=2, numticks=MOST_TICKS)
    axes.xaxis.set_major_locator(FixedLocator(places) if at_points else even)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 100)
    axes.set_xlabel(x.label)
    axes.set_ylabel(f"problems solved (%), {100 * curves[0].level:g} % intervals")
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    notes = [*([DOTTED] if any(curve.at_most for curve in curves) else []), *notes_of(curves)]
    if notes:
        lines = [line for note in notes for line in textwrap.wrap(note, NOTE)]
        axes.set_title("\n".join(lines), loc="left", fontsize=8, parse_math=False)
    heights = _spread([curve.mean[-1] for curve in curves])
    for i, (curve, height) in enumerate(zip(curves, heights, strict=True)):
        end = x.places(curve)[-1]
        axes.annotate(
            curve.name, (end, 100 * height), xytext=(8, 0), textcoords="offset points", va="center",
            color=COLOURS[i % len(COLOURS)], fontweight="bold", annotation_clip=False,
            parse_math=False,
        )  # fmt: skip


def _plain(value: float) -> str:
    """100, 256, 4k, 2M: multiples of powers of 1,024 with a unit; 40.5 and 0.0039: fractions rounded."""
    for size, unit in ((2**50, "P"), (2**40, "T"), (2**30, "G"), (2**20, "M"), (2**10, "k")):
        if value >= size and value % size == 0:
            return f"{value / size:g}{unit}"
    return (
        f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.3g}" if value >= 1 else f"{value:.2g}"
    )


def _spread(heights: Sequence[float]) -> list[float]:
    """The same heights in [0, 1], moved apart just enough that names at them do not touch."""
    order = sorted(range(len(heights)), key=lambda i: (heights[i], -i))
    placed = [0.0] * len(heights)
    floor = LABEL_GAP / 2  # clear of the axis
    for i in order:
        placed[i] = floor = max(heights[i], floor)
        floor += LABEL_GAP
    ceiling = 1.0
    for i in reversed(order):
        placed[i] = ceiling = min(placed[i], ceiling)
        ceiling -= LABEL_GAP
    return placed
