"""A figure as data: panels in rows and columns under one legend, drawn at the size of a theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from experiments.figures.panel import Curve, Panel, legend_line, view_limits, wrapped
from experiments.figures.style import SCREEN, Style, Theme, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

WIDER = "bands leave the panel; none is drawn where both of its ends do"
_PAD = 0.04  # inches between the parts of a figure
_LABELS = 0.62  # inches for titles, ticks and the label of the x axis


@dataclass(frozen=True)
class Chart:
    """Panels in rows and columns.

    Attributes:
        stem: Name of its files, without ending.
        title: What it shows, in words.
        rows: Panels from top to bottom and from left to right.
        heights: Of the rows, the theme's height being 1.
        keys: Legend entries beyond those of the curves, such as the lines of layers.
        note: Small print.
        shared: Which axes panels share: all the "x", those of a row the "y".
    """

    stem: str
    title: str
    rows: Sequence[Sequence[Panel]]
    heights: Sequence[float] = (1.0,)
    keys: Sequence[tuple[str, Style]] = field(default=())
    note: str = ""
    shared: str = "xy"

    def column(self, *places: int) -> Chart:
        """The chart of some of its columns."""
        return replace(self, rows=[[row[place] for place in places] for row in self.rows])

    def whole(self, place: int) -> Panel:
        """All curves of a column's main quantity in one panel, those in several groups once."""
        first = self.framed[0][place]
        rows = [row[place] for row in self.framed if row[place].y == first.y]
        curves = {(c.column, c.label, c.part): c for panel in rows for c in panel.curves}
        return replace(first, curves=list(curves.values()))

    @cached_property
    def framed(self) -> list[list[Panel]]:
        """The panels, with limits where bands would press the curves together (`view_limits`)."""
        groups: dict[str, list[Curve]] = {}
        name = "{}" if "y" in self.shared else "{} {} {}"  # panels that share an axis share limits
        places = [(r, c, panel) for r, row in enumerate(self.rows) for c, panel in enumerate(row)]
        for r, c, panel in places:
            groups.setdefault(name.format(panel.y.label, r, c), []).extend(panel.curves)
        found = [list(row) for row in self.rows]
        for r, c, panel in places:
            limits = view_limits(groups[name.format(panel.y.label, r, c)])
            if limits and panel.y.limits is None and panel.y.scale == "linear":
                found[r][c] = replace(panel, y=replace(panel.y, limits=limits))
        return found

    @property
    def crops(self) -> bool:
        """Do bands leave a panel?"""
        return any(panel.crops for row in self.framed for panel in row)

    @property
    def said(self) -> str:
        """The small print, and whether bands leave a panel."""
        return "; ".join(filter(None, [self.note, WIDER if self.crops else ""]))

    def draw(self, theme: Theme = SCREEN) -> Figure:
        """The figure, laid out."""
        with paper_style(theme):
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure as NewFigure
            from matplotlib.layout_engine import ConstrainedLayoutEngine

            columns, width = len(self.rows[0]), theme.width_of(len(self.rows[0]))
            figure = NewFigure(figsize=(width, 1))
            FigureCanvasAgg(figure)
            legends = [_legend(figure, part) for part in self._entries() if part]
            head = _PAD + sum(map(_height, legends))
            foot = self._small_print(figure) if self.said and theme.note else 0.0
            height = head + foot + theme.height * sum(self.heights) + _LABELS
            figure.set_size_inches(width, height)
            top = height - _PAD
            for legend in legends:
                legend.set_bbox_to_anchor((width / 2, top), transform=figure.dpi_scale_trans)
                top -= _height(legend)
            axes = figure.subplots(
                len(self.rows), columns, squeeze=False, sharex="x" in self.shared,
                sharey="row" if "y" in self.shared else False, height_ratios=list(self.heights),
            )  # fmt: skip
            self._fill(axes, theme, width / columns)
            page = (0, foot / height, 1, 1 - (head + foot) / height)
            figure.set_layout_engine(ConstrainedLayoutEngine(rect=page, h_pad=_PAD, w_pad=_PAD))
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # laid out once is enough
        return figure

    def _entries(self) -> list[list[Line2D]]:
        """Legend entries: curves, then what their lines mean, then what stands behind them."""
        parts: tuple[dict[str, Line2D], dict[str, Line2D]] = ({}, {})
        for panel in (panel for row in self.rows for panel in row):
            for curve in panel.curves:
                part = parts[curve.weight < 1]
                if curve.label and curve.label not in part:
                    line = "" if curve.part else curve.style.line  # which tells the part
                    style = replace(curve.style, line=line)
                    part[curve.label] = legend_line(curve.label, style, curve.weight)
        front, behind = (list(part.values()) for part in parts)
        return [front, [*(legend_line(*key) for key in self.keys), *behind]]

    def _small_print(self, figure: Figure) -> float:
        """Writes the note at the foot; its height in inches."""
        width = figure.get_size_inches()[0]
        text = figure.text(
            width / 2, _PAD, wrapped(self.said, width, 6.2), fontsize=6.5, ha="center", va="bottom",
            transform=figure.dpi_scale_trans,
        )  # fmt: skip
        text.set_in_layout(False)
        return float(text.get_window_extent().height / figure.dpi) + 2 * _PAD

    def _fill(self, axes: np.ndarray, theme: Theme, column: float) -> None:
        from matplotlib import rcParams

        for r, row in enumerate(self.framed):
            height = theme.height * self.heights[r]
            for c, panel in enumerate(row):
                ax: Axes = axes[r, c]
                if not (panel.curves or panel.extra):
                    ax.set_visible(False)
                    continue
                ax.tick_params(labelsize=rcParams["xtick.labelsize"])  # of ticks made later too
                panel.draw(ax, 1.0 if self.heights[r] >= 0.6 else 0.78)
                ax.set_title(wrapped(panel.title, 0.85 * column, 8))
                if "x" not in self.shared or r == len(self.rows) - 1:
                    ax.set_xlabel(wrapped(panel.x.label, 0.95 * column, 8))
                if "y" not in self.shared or c == 0:
                    ax.set_ylabel(wrapped(panel.y.label, height, 8))
        self._share_limits(axes)
        axes[0, 0].figure.align_ylabels(axes[:, 0])

    def _share_limits(self, axes: np.ndarray) -> None:
        """The same limits in rows of one quantity, as systems in groups are to be compared."""
        if "y" not in self.shared:
            return
        of: dict[str, list[int]] = {}
        for r, row in enumerate(self.rows):
            of.setdefault(row[0].y.label, []).append(r)
        for rows in of.values():
            ends = np.array([axes[r, 0].get_ylim() for r in rows])
            inverted = bool(ends[0, 0] > ends[0, 1])
            low, high = ends.min(), ends.max()
            for r in rows if len(rows) > 1 else ():
                axes[r, 0].set_ylim((high, low) if inverted else (low, high))


def _height(legend: Legend) -> float:
    """Of a legend in inches, with the space below it."""
    assert legend.figure is not None
    return float(legend.get_window_extent().height / legend.figure.dpi) + _PAD


def _legend(figure: Figure, entries: Sequence[Line2D]) -> Legend:
    """A legend in as few rows as fit the width, each as full as the others."""
    for rows in range(1, len(entries) + 1):
        legend = figure.legend(
            handles=entries, ncols=-(-len(entries) // rows), loc="upper center", frameon=False,
            handlelength=2.2, columnspacing=0.9, handletextpad=0.5, borderpad=0.1,
            labelspacing=0.3, borderaxespad=0.0,
        )  # fmt: skip
        legend.set_in_layout(False)
        if rows == len(entries) or legend.get_window_extent().width < 0.995 * figure.bbox.width:
            break
        legend.remove()
    return legend
