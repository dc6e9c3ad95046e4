"""Axes that a notebook shows by themselves. Importing this loads matplotlib."""

from __future__ import annotations

import io

from matplotlib.axes import Axes


class ShownAxes(Axes):
    """Axes of matplotlib, as the last line of a notebook's cell a picture of their figure."""

    def _repr_png_(self) -> bytes | None:
        """None where the figure is a part of another one: nothing is left of it."""
        figure, written = self.get_figure(root=True), io.BytesIO()
        if figure is None:
            return None
        figure.savefig(written, format="png", dpi=110)
        return written.getvalue()
