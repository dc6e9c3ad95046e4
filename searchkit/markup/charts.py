"""Curves as a picture for the output of a notebook: SVG of ours, in the colours of the page around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from searchkit.markup.tables import html_text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 52, 500, 12, 258
COLOURS = ("#2b8fd6", "#de6f1b", "#12a378", "#c868a4", "#8f7fe0", "#b58a00", "#8a8f98")  # to be told on white and black
DASHES = ("", "7 4", "2 3", "9 3 2 3")
GAP = 16  # pixels between the names of two lines
MOST_TICKS = 8
NAME = 24  # characters of a line's name


@dataclass(frozen=True)
class Line:
    """One curve. places: above 0, ascending. mean, low, high: shares in [0, 1], bounds NaN where there are none.

    at_most: what is unknown leaves open; () where nothing is.
    """

    name: str
    places: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    at_most: Sequence[float] = ()


def chart(lines: Sequence[Line], across: str, up: str) -> str:
    """An `svg` element: the curves with their bands over a logarithmic axis, each named at its right end.

    across, up: what the axes measure. Text and grid take the colour of the text around. Texts are data, never markup.
    """
    at = _Places(lines)
    parts = [*at.grid(), *_axis_names(across, up)]
    names = _spread([at.y(line.mean[-1]) for line in lines])
    for i, (line, height) in enumerate(zip(lines, names, strict=True)):
        parts += _drawn(line, i, at)
        parts.append(_text(RIGHT + 10, height + 4, line.name[:NAME], fill=COLOURS[i % len(COLOURS)], weight="bold"))
    said = html_text(f"{up} against {across}: {', '.join(line.name for line in lines)}. The table has the numbers")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{said}" '
        'font-family="sans-serif" font-size="12" fill="currentColor">' + "".join(parts) + "</svg>"
    )


class _Places:
    """Where values lie in the picture."""

    def __init__(self, lines: Sequence[Line]) -> None:
        logs = [math.log2(place) for line in lines for place in line.places]
        pad = max(0.15, 0.03 * (max(logs) - min(logs)))
        self._low, self._high = min(logs) - pad, max(logs) + pad

    def x(self, place: float) -> float:
        return LEFT + (math.log2(place) - self._low) / (self._high - self._low) * (RIGHT - LEFT)

    def y(self, share: float) -> float:
        return BOTTOM - min(1.0, max(0.0, share)) * (BOTTOM - TOP)

    def grid(self) -> Iterator[str]:
        """Lines and numbers: every fifth of the height, powers of two of the width."""
        for percents in range(0, 101, 20):
            y = self.y(percents / 100)
            yield _rule(LEFT, y, RIGHT, y)
            yield _text(LEFT - 8, y + 4, str(percents), anchor="end")
        first, last = math.ceil(self._low), math.floor(self._high)
        for power in range(first, last + 1, max(1, math.ceil((last - first + 1) / MOST_TICKS))):
            x = self.x(2.0**power)
            yield _rule(x, TOP, x, BOTTOM)
            yield _text(x, BOTTOM + 18, _tick(2.0**power), anchor="middle")


def _drawn(line: Line, number: int, at: _Places) -> Iterator[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    xs = [at.x(place) for place in line.places]
    bounded = [i for i in range(len(xs)) if math.isfinite(line.low[i]) and math.isfinite(line.high[i])]
    if len(bounded) > 1:
        edge = [(xs[i], at.y(line.high[i])) for i in bounded] + [(xs[i], at.y(line.low[i])) for i in reversed(bounded)]
        yield f'<path d="{_path(edge)}z" fill="{colour}" opacity="0.16"/>'
    elif bounded:  # a band around one place has no width
        [i] = bounded
        yield f'<path d="{_path([(xs[i], at.y(line.low[i])), (xs[i], at.y(line.high[i]))])}" stroke="{colour}"/>'
    points = [(x, at.y(mean)) for x, mean in zip(xs, line.mean, strict=True)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    yield f'<path d="{_path(points)}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
    if line.at_most:
        bound = _path([(x, at.y(most)) for x, most in zip(xs, line.at_most, strict=True)])
        yield f'<path d="{bound}" fill="none" stroke="{colour}" stroke-dasharray="1 3"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _axis_names(across: str, up: str) -> Iterator[str]:
    yield _text((LEFT + RIGHT) / 2, BOTTOM + 38, across, anchor="middle")
    middle = (TOP + BOTTOM) / 2
    yield f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{html_text(up)}</text>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" opacity="0.18"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = "", weight: str = "") -> str:
    looks = (f' fill="{fill}"' if fill else "") + (f' font-weight="{weight}"' if weight else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{looks}>{html_text(words)}</text>'


def _tick(value: float) -> str:
    for size, unit in ((2**30, "G"), (2**20, "M"), (2**10, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:.3g}"


def _spread(heights: Sequence[float]) -> list[float]:
    """The same heights, moved apart just enough that names at them do not touch."""
    order = sorted(range(len(heights)), key=lambda i: -heights[i])  # from the bottom
    placed, floor = list(heights), float(BOTTOM)
    for i in order:
        placed[i] = floor = min(heights[i], floor)
        floor -= GAP
    ceiling = float(TOP)
    for i in reversed(order):
        placed[i] = ceiling = max(placed[i], ceiling)
        ceiling += GAP
    return placed
