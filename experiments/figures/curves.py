"""Panels and figures of curves: quality, paired differences, delivery and loss."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from experiments.figures.style import BOUND_LINES, GREY, Style, styles
from experiments.sweep import store
from experiments.sweep.bounds import KINDS, BoundLine, bound_lines, has_bounds, kinds_of
from experiments.sweep.labels import channel_label, ratio_label, system_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LAYER_LINES = {"semantic": ":", "structure": "--", "signal": "-"}
COLUMN = 3.5  # inches; two columns make the width of a two-column page

Draw = Callable[["View", "Axes", str], None]


@dataclass(frozen=True)
class View:
    """What one figure runs over and what it holds fixed.

    Attributes:
        x: Swept coordinate, ``"esno_db"`` or ``"rho"``.
        fixed: Value of the other one.
        found: `summary.quality` at that value.
        arrivals: `summary.delivery` at that value.
        ds: The whole store.
    """

    x: str
    fixed: float
    found: xr.Dataset
    arrivals: xr.Dataset
    ds: xr.Dataset

    @property
    def other(self) -> str:
        """The coordinate that is held fixed."""
        return "rho" if self.x == "esno_db" else "esno_db"

    def bounds(self, channel: str, metric: str) -> list[BoundLine]:
        """The bounds that the store holds."""
        return bound_lines(self.ds, channel, metric)

    @property
    def title(self) -> str:
        """What is held fixed, as text, the rate on the wire beside it."""
        if self.x == "esno_db":
            return rf"$\rho$ = {ratio_label(self.fixed)}, {3 * self.fixed:.3g} channel uses / pixel"
        return f"$E_s/N_0$ = {self.fixed:g} dB"

    def draw_design(self, ax: Axes, label: bool) -> None:
        """Marks the design SNR, if the view runs over SNR."""
        _design(ax, self, label)

    def label_x(self, ax: Axes) -> None:
        """Scale, ticks and label of the x axis."""
        _x_axis(ax, self)

    @property
    def style(self) -> dict[str, Style]:
        """How each system is drawn."""
        return styles([str(name) for name in self.ds.system.values])

    @property
    def codec_style(self) -> dict[str, Style]:
        """How each codec's bounds are drawn: in the colour that its system has, or would have."""
        systems = [str(name) for name in self.ds.system.values]
        codecs = [str(name) for name in self.ds.codec.values] if has_bounds(self.ds) else []
        return styles([*systems, *(name for name in codecs if name not in systems)])

    @property
    def stem(self) -> str:
        """End of the file name."""
        if self.x == "esno_db":
            return "rho" + ratio_label(self.fixed).replace("/", "-")
        return f"{self.fixed:g}dB"


def _curve(ax: Axes, x: np.ndarray, part: xr.Dataset, names: Sequence[str], **kwargs: Any) -> None:
    mean, low, high = (part[name].values for name in names)
    ax.plot(x, mean, markeredgecolor="white", markeredgewidth=0.4, **kwargs)
    ax.fill_between(x, low, high, color=kwargs["color"], alpha=0.13, linewidth=0)


def _design(ax: Axes, view: View, label: bool) -> None:
    if view.x != "esno_db" or not store.is_designed(view.ds):
        return
    design = view.ds.attrs["design_esno_db"]
    ax.axvline(design, color=GREY, linestyle=(0, (4, 3)), linewidth=0.9, zorder=0)
    if label:
        ax.annotate(
            "design", (design, 1), xycoords=("data", "axes fraction"), xytext=(2, -1),
            textcoords="offset points", color=GREY, fontsize=6.5, va="top",
        )  # fmt: skip


def _x_axis(ax: Axes, view: View) -> None:
    if view.x == "esno_db":
        ax.set_xlabel("$E_s/N_0$ per channel use (dB)")
        return
    values = view.ds.rho.values
    ax.set_xscale("log")
    ax.set_xticks(values, [ratio_label(v) for v in values])
    ax.minorticks_off()
    ax.set_xlabel(r"bandwidth ratio $\rho$ = channel uses / (3 H W)")


def draw_quality(view: View, ax: Axes, channel: str, metric: str, prefix: str) -> None:
    """One metric of all systems and bounds over a channel, or its paired difference."""
    for line in view.bounds(channel, metric) if prefix == "value" else ():
        values = line.quality.sel({view.other: view.fixed}).values
        ax.plot(
            view.ds[view.x].values, values, color=view.codec_style[line.codec].colour,
            linestyle=BOUND_LINES[line.kind], linewidth=0.9, zorder=1.5,
        )  # fmt: skip
    for s, system in enumerate(view.ds.system.values):
        part = view.found.sel(metric=metric, channel=channel, system=system)
        style = view.style[str(system)]
        names = [f"{prefix}_{end}" for end in ("mean", "low", "high")]
        if prefix == "difference" and s == 0:
            ax.axhline(0, color=style.colour, linewidth=1.4)
            continue
        _curve(
            ax, view.ds[view.x].values, part, names, color=style.colour, marker=style.marker,
            linestyle=style.line,
        )  # fmt: skip


def layer_units(view: View) -> list[str]:
    """What stands for a layer: of a layer in parts the first, which all others need."""
    return [str(unit) for unit in view.arrivals.unit.values if "." not in str(unit)]


def draw_delivery(view: View, ax: Axes, channel: str) -> None:
    """Probability that each layer of each system arrives."""
    for system in view.ds.system.values:
        for unit in layer_units(view):
            part = view.arrivals.sel(unit=unit, channel=channel, system=system)
            if part.probability.isnull().all():
                continue
            line = LAYER_LINES.get(str(unit), "-")
            style = view.style[str(system)]
            _curve(
                ax, view.ds[view.x].values, part, ("probability", "low", "high"),
                color=style.colour, linestyle=line, marker=style.marker, markersize=3.4,
                linewidth=1.1,
            )  # fmt: skip
    ax.set_ylim(-0.04, 1.04)
    ax.set_yticks([0, 0.5, 1])


def draw_loss(view: View, ax: Axes, channel: str) -> None:
    """Loss probability on a log axis; where no loss was seen only its upper limit is known."""
    from matplotlib.transforms import ScaledTranslation

    x = view.ds[view.x].values
    count = view.ds.sizes["system"]
    for s, system in enumerate(view.ds.system.values):
        style = view.style[str(system)]
        # Arrows of different systems meet at the same height: spread them sideways.
        nudge = (s - (count - 1) / 2) * 3.0 / 72
        shift = ScaledTranslation(nudge, -3.0 / 72, ax.figure.dpi_scale_trans)
        for unit in layer_units(view):
            part = view.arrivals.sel(unit=unit, channel=channel, system=system)
            lost, bound = 1 - part.probability.values, 1 - part.low.values
            if np.isnan(lost).all():
                continue
            seen = lost > 0
            ax.plot(
                x, np.where(seen, lost, np.nan), color=style.colour, marker=style.marker,
                linestyle=LAYER_LINES.get(str(unit), "-"), markersize=3.5,
                markeredgecolor="white", markeredgewidth=0.3,
            )  # fmt: skip
            floor = np.where(seen, np.maximum(1 - part.high.values, 1e-6), np.nan)
            ax.fill_between(x, floor, bound, color=style.colour, alpha=0.11, linewidth=0)
            ax.plot(
                x[~seen], bound[~seen], linestyle="none", marker=r"$\downarrow$", markersize=7,
                color=style.colour, markeredgewidth=0.3, transform=ax.transData + shift,
            )  # fmt: skip
    lost = 1 - view.arrivals.probability
    lowest = min(float(lost.where(lost > 0).min()), float((1 - view.arrivals.low).min()))
    ax.set_yscale("log")
    ax.set_ylim(max(lowest / 2.5, 1e-6), 1.3)


def _system_label(view: View, name: str) -> str:
    """Legend entry; says so where the budget was too small for some images."""
    label = system_label(name)
    if view.x != "esno_db":
        return label
    nothing = store.infeasible(view.ds).sel(system=name, rho=view.fixed)
    failed = int(nothing.all(("channel", "esno_db")).sum())
    images = view.ds.sizes["image"]
    return f"{label} (infeasible: {failed} of {images} images)" if failed else label


def system_handle(style: Style, label: str) -> Line2D:
    """Legend entry of a system."""
    from matplotlib.lines import Line2D as Line

    return Line([], [], color=style.colour, marker=style.marker, linestyle=style.line, label=label)


def bound_handles(view: View, channels: Sequence[str]) -> list[Line2D]:
    """Legend entries of the bounds that are drawn over some channels."""
    from matplotlib.lines import Line2D as Line

    if not has_bounds(view.ds):
        return []
    kinds = list(dict.fromkeys(k for channel in channels for k in kinds_of(view.ds, channel)))
    return [
        Line([], [], color=view.codec_style[codec].colour, ls=BOUND_LINES[kind], lw=0.9,
             label=f"{system_label(codec)} + {KINDS[kind]}")
        for codec in map(str, view.ds.codec.values)
        for kind in kinds
    ]  # fmt: skip


def _legends(figure: Figure, view: View, layers: bool, note: str, bounds: bool) -> None:
    from matplotlib.lines import Line2D

    systems = []
    for name in map(str, view.ds.system.values):
        style, label = view.style[name], _system_label(view, name)
        systems.append(system_handle(style, label))
    width = figure.get_size_inches()[0]
    widest = max(len(str(line.get_label())) for line in systems)
    whole = sum(0.055 * len(str(line.get_label())) + 0.6 for line in systems)  # inches at 8 pt
    per_row = len(systems) if whole < width else max(1, int(width / (0.06 * widest + 0.6)))
    figure.legend(handles=systems, loc="outside upper center", ncols=per_row, frameon=False)
    units = layer_units(view) if layers else []
    lines = [
        Line2D([], [], color=GREY, ls=LAYER_LINES[u], label=f"{u} layer")
        for u in units
        if u in LAYER_LINES
    ]
    handles = [*lines, *(bound_handles(view, list(map(str, view.ds.channel.values)) * bounds))]
    note = textwrap.fill(note, int(20 * width))
    below = figure.legend(
        handles=handles, title=note, title_fontsize=6.5, loc="outside lower center",
        ncols=max(1, min(len(handles), int(width / 1.7))), frameon=False, fontsize=7,
    )  # fmt: skip
    below.get_title().set_multialignment("center")


def curve_figure(
    view: View,
    rows: Sequence[tuple[float, str, Draw]],
    layers: bool,
    note: str,
    bounds: bool = False,
) -> Figure:
    """A figure with a column per channel and the given rows of panels over one x axis.

    Args:
        view: What to draw.
        rows: Height in inches, axis label and drawing function of each row.
        layers: Explain the line styles of the layers.
        note: What the bands mean, below the figure.
        bounds: Explain the lines of the bounds.
    """
    from matplotlib.figure import Figure as NewFigure

    columns = view.ds.sizes["channel"]
    heights = [height for height, _, _ in rows]
    many = has_bounds(view.ds) and bounds
    size = (max(COLUMN * columns, 4.6), sum(heights) + 1.1 + 0.3 * many)
    figure = NewFigure(figsize=size, layout="constrained")
    axes = figure.subplots(
        len(rows), columns, sharex=True, sharey="row", squeeze=False, height_ratios=heights
    )
    for c, channel in enumerate(map(str, view.ds.channel.values)):
        for r, (_, label, draw) in enumerate(rows):
            draw(view, axes[r, c], channel)
            _design(axes[r, c], view, label=r == 0)
            if c == 0:
                axes[r, c].set_ylabel(label)
        axes[0, c].set_title(channel_label(channel))
        _x_axis(axes[-1, c], view)
    figure.align_ylabels(axes[:, 0])
    _legends(figure, view, layers, f"{view.title}; {note}", bounds)
    return figure
