"""Perceptual against distortion: where each system lies at each SNR, on a plane of two metrics."""

from __future__ import annotations

import itertools
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Any

from experiments.figures.curves import COLUMN, View, system_handle
from experiments.sweep import store
from experiments.sweep.labels import channel_label, metric_label, system_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DISTORTION, PERCEPTION = ("psnr_db", "ms_ssim"), ("lpips", "dists")
_SIZE = 3.1  # inches of a panel's height


def planes(view: View) -> list[tuple[str, Callable[[], Figure]]]:
    """A figure for each pair of a distortion and a perceptual metric that were measured.

    Args:
        view: Runs over Es/N0.

    Returns:
        Names and functions that draw, empty unless two SNRs were swept.
    """
    measured = store.metric_names(view.ds)
    if view.x != "esno_db" or view.ds.sizes["esno_db"] < 2:
        return []
    pairs = itertools.product(
        [m for m in DISTORTION if m in measured], [m for m in PERCEPTION if m in measured]
    )
    return [(f"{x}_{y}_plane_{view.stem}", partial(plane_figure, view, x, y)) for x, y in pairs]


def plane_figure(view: View, x: str, y: str) -> Figure:
    """Curves along Es/N0 on the plane of two metrics, a column per channel.

    The perceptual axis is turned round, so that better is up and to the right on both.

    Args:
        view: What to draw.
        x: Metric of the horizontal axis.
        y: Metric of the vertical axis.
    """
    from matplotlib.figure import Figure as NewFigure

    channels = list(map(str, view.ds.channel.values))
    width = max(COLUMN * len(channels), 4.6)
    figure = NewFigure(figsize=(width, _SIZE + 1.0), layout="constrained")
    axes = figure.subplots(1, len(channels), sharex=True, sharey=True, squeeze=False)[0]
    for ax, channel in zip(axes, channels, strict=True):
        _draw(view, ax, channel, x, y)
        ax.set_title(channel_label(channel))
        ax.set_xlabel(metric_label(x))
    axes[0].invert_yaxis()
    axes[0].set_ylabel(metric_label(y))
    names = list(map(str, view.ds.system.values))
    handles = [system_handle(view.style[name], system_label(name)) for name in names]
    per_row = max(1, int(width / 1.9))
    figure.legend(handles=handles, loc="outside upper center", ncols=per_row, frameon=False)
    low, high = float(view.ds.esno_db.min()), float(view.ds.esno_db.max())
    note = (
        f"{view.title}; means over images, failures included; $E_s/N_0$ from {low:g} dB to "
        f"{high:g} dB, the large marker; better is up and to the right"
    )
    figure.supxlabel(textwrap.fill(note, int(20 * width)), fontsize=6.5)
    return figure


def _draw(view: View, ax: Axes, channel: str, x: str, y: str) -> None:
    for system in map(str, view.ds.system.values):
        mean = view.found.value_mean.sel(channel=channel, system=system)
        style, places = view.style[system], (mean.sel(metric=x).values, mean.sel(metric=y).values)
        look: dict[str, Any] = {"color": style.colour, "marker": style.marker}
        look |= {"markeredgecolor": "white", "markeredgewidth": 0.4}
        ax.plot(*places, **look, linestyle=style.line, linewidth=1.0, markersize=4)
        ax.plot(places[0][-1:], places[1][-1:], **look, markersize=8)
