"""Figures at paper size: one column (3.5 in) for each channel, two columns (7.16 in) for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.figures.chart import Chart
from experiments.figures.curves import loss_charts, quality_charts
from experiments.figures.style import DOUBLE, SINGLE, rendered
from experiments.figures.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 4  # channels side by side in one figure


def panels(view: View) -> list[Chart]:
    """The figures of a view: each metric with the delivery below it, and the losses."""
    return [*quality_charts(view), *loss_charts(view)]


def groups(channels: Sequence[str]) -> list[tuple[int, ...]]:
    """Places of the channels that share a figure: each alone, then all where they fit.

    Example:
        >>> groups(["awgn", "tdl"])
        [(0,), (1,), (0, 1)]
    """
    places = range(len(channels))
    together = 1 < len(channels) <= _MOST_COLUMNS
    return [*((place,) for place in places), *([tuple(places)] if together else [])]


def paper_figure(panel: Chart, places: Sequence[int]) -> Figure:
    """The figure of the channels at some places, of the size of print."""
    return panel.column(*places).draw(SINGLE if len(places) == 1 else DOUBLE)


def render_panel(panel: Chart, places: Sequence[int]) -> dict[str, bytes]:
    """`paper_figure` as ``svg`` and ``pdf``."""
    return rendered(paper_figure(panel, places), "svg", "pdf")
