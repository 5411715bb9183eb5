"""Figures at paper size: one column (3.5 in) for each channel, two columns (7.16 in) for all."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.figures.curves import (
    LAYER_LINES,
    Draw,
    View,
    bound_handles,
    draw_delivery,
    draw_loss,
    draw_quality,
    layer_units,
    system_handle,
)
from experiments.figures.style import GREY, paper_style
from experiments.sweep import store
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.16  # inches
_MOST_COLUMNS = 4  # channels side by side in one figure
_LEGEND_ROW = 0.15  # inches
SMALL: dict[Any, Any] = {
    "font.size": 7, "axes.labelsize": 7.5, "axes.titlesize": 8, "legend.fontsize": 6.8,
    "xtick.labelsize": 6.8, "ytick.labelsize": 6.8, "lines.linewidth": 1.2, "lines.markersize": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """One figure of a view, for any of its channels.

    Attributes:
        stem: Start of its file names.
        title: What it shows, in words.
        view: What it runs over.
        metric: The metric, or empty for delivery.
        rows: Height in inches, axis label and drawing function of each row.
        layers: Whether line styles stand for layers.
        bounds: Whether bounds are drawn.
    """

    stem: str
    title: str
    view: View
    metric: str
    rows: tuple[tuple[float, str, Draw], ...]
    layers: bool
    bounds: bool


def _quality(metric: str, prefix: str) -> Draw:
    def draw(view: View, ax: Axes, channel: str) -> None:
        draw_quality(view, ax, channel, metric, prefix)

    return draw


def _held(view: View) -> str:
    """What a view holds fixed, without mathematics."""
    if view.x == "esno_db":
        return f"ρ = {ratio_label(view.fixed)} ({3 * view.fixed:.3g} channel uses a pixel)"
    return f"Es/N0 = {view.fixed:g} dB"


def panels(view: View) -> list[Panel]:
    """The figures of a view: each metric with the delivery below it, and the losses."""
    ds, made = view.ds, []
    sent = view.arrivals.sizes["unit"] > 0
    over = "SNR" if view.x == "esno_db" else "bandwidth"
    below = ((0.8, "delivery\nprobability", draw_delivery),) if sent else ()
    for metric in (m for m in store.metric_names(ds) if m != "mse"):
        if bool(view.found.value_mean.sel(metric=metric).isnull().all()):
            continue
        label = metric_label(metric)
        rows = ((1.9, label, _quality(metric, "value")), *below)
        title = f"{label} against {over} at {_held(view)}"
        made.append(Panel(f"{metric}_{view.stem}", title, view, metric, rows, sent, True))
    if sent:
        title = f"Probability of loss against {over} at {_held(view)}"
        rows = ((1.9, "probability of loss", draw_loss),)
        made.append(Panel(f"loss_{view.stem}", title, view, "", rows, True, False))
    return made


def channel_stem(channel: str) -> str:
    """A channel's name in file names."""
    return re.sub(r"[^\w.-]+", "_", channel)


def width_of(num_channels: int) -> float:
    """Width of a figure in inches."""
    return ONE_COLUMN if num_channels == 1 else TWO_COLUMNS


def groups(channels: Sequence[str]) -> list[tuple[str, ...]]:
    """Which channels share a figure: each alone, then all where they fit side by side."""
    alone: list[tuple[str, ...]] = [(channel,) for channel in channels]
    together = 1 < len(channels) <= _MOST_COLUMNS
    return [*alone, tuple(channels)] if together else alone


def _handles(panel: Panel, channels: Sequence[str]) -> list[list[Any]]:
    """Legend entries: systems, layers, bounds."""
    from matplotlib.lines import Line2D

    view = panel.view
    systems = []
    for name in map(str, view.ds.system.values):
        systems.append(system_handle(view.style[name], system_label(name)))
    units = [unit for unit in layer_units(view) if unit in LAYER_LINES] if panel.layers else []
    layers = [Line2D([], [], color=GREY, ls=LAYER_LINES[u], label=f"{u} layer") for u in units]
    return [systems, layers, bound_handles(view, channels) if panel.bounds else []]


def _legend_columns(handles: Sequence[Any], width: float) -> int:
    widest = max(len(str(handle.get_label())) for handle in handles)
    return max(1, min(len(handles), int((width - 0.1) / (0.051 * widest + 0.42))))


def _draw_legends(figure: Figure, parts: Sequence[list[Any]], width: float) -> None:
    """Legends below each other at the foot of the figure, inside the height kept for them."""
    height, foot = figure.get_size_inches()[1], 0.02
    for handles in reversed([part for part in parts if part]):
        columns = _legend_columns(handles, width)
        legend = figure.legend(
            handles=handles, loc="lower center", bbox_to_anchor=(0.5, foot / height), ncols=columns,
            frameon=False, handlelength=2.2, columnspacing=1.2, borderpad=0.1, labelspacing=0.25,
        )  # fmt: skip
        legend.set_in_layout(False)
        foot += _LEGEND_ROW * math.ceil(len(handles) / columns) + 0.03


def paper_figure(panel: Panel, channels: Sequence[str]) -> Figure:
    """Draws a panel for some channels; its size is that of print, within `paper_style`.

    Args:
        panel: What to draw.
        channels: A column each.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, heights = width_of(len(channels)), [row[0] for row in panel.rows]
    parts = _handles(panel, channels)
    rows = sum(math.ceil(len(p) / _legend_columns(p, width)) for p in parts if p)
    foot = _LEGEND_ROW * rows + 0.03 * sum(map(bool, parts)) + 0.03
    size = (width, sum(heights) + 0.62 + foot)
    with rc_context(SMALL):
        page = ConstrainedLayoutEngine(
            rect=(0, foot / size[1], 1, 1 - foot / size[1]), h_pad=0.02, w_pad=0.02
        )
        figure = NewFigure(figsize=size, layout=page)
        axes = figure.subplots(
            len(heights), len(channels), sharex=True, sharey="row", squeeze=False,
            height_ratios=heights,
        )  # fmt: skip
        for c, channel in enumerate(channels):
            for r, (_, label, draw) in enumerate(panel.rows):
                draw(panel.view, axes[r, c], channel)
                panel.view.draw_design(axes[r, c], label=r == 0)
                if c == 0:
                    axes[r, c].set_ylabel(label.replace(" (lower", "\n(lower"))
            axes[0, c].set_title(channel_label(channel))
            panel.view.label_x(axes[-1, c])
        figure.align_ylabels(axes[:, 0])
        _draw_legends(figure, parts, width)
    return figure


def rendered(figure: Figure) -> dict[str, bytes]:
    """A figure as ``svg`` and ``pdf``, without dates so that equal ones stay equal."""
    found = {}
    for kind, metadata in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata)
        figure.set_layout_engine("none")  # laid out once is enough
        found[kind] = buffer.getvalue()
    return found


def render_panel(panel: Panel, channels: Sequence[str]) -> dict[str, bytes]:
    """`paper_figure`, rendered."""
    with paper_style():
        return rendered(paper_figure(panel, channels))
