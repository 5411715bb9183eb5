"""Quality against the size of the picture, where a sweep holds pictures at several sides."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

import xarray as xr

from experiments.figures.curves import COLUMN, system_handle
from experiments.figures.style import styles
from experiments.figures.views import few_snrs
from experiments.sweep import store, summary
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label
from scmc_comm.datasets.image_sets import side_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT = 3.6  # inches


def pictures_by_side(ds: xr.Dataset) -> dict[int, list[str]]:
    """Names of the pictures of each side, rising; empty unless all say theirs and two differ."""
    found: dict[int, list[str]] = {}
    for name in map(str, ds.image.values):
        side = side_of(name)
        if side is None:
            return {}
        found.setdefault(side, []).append(name)
    return dict(sorted(found.items())) if len(found) > 1 else {}


def quality_by_side(ds: xr.Dataset) -> xr.Dataset:
    """`experiments.sweep.summary.quality` of the pictures of each side, along ``side``."""
    sides = pictures_by_side(ds)
    parts = [summary.quality(ds.sel(image=names)) for names in sides.values()]
    return xr.concat(parts, xr.DataArray(list(sides), dims="side", name="side"))


def size_jobs(ds: xr.Dataset, note: str) -> list[tuple[str, Callable[[], Figure]]]:
    """A figure for each metric, channel and bandwidth ratio; none for pictures of one side."""
    if not pictures_by_side(ds):
        return []
    found = quality_by_side(ds)
    jobs: list[tuple[str, Callable[[], Figure]]] = []
    for rho in map(float, ds.rho.values):
        for metric in (m for m in store.metric_names(ds) if m != "mse"):
            for channel in map(str, ds.channel.values):
                stem = f"{metric}_side_{channel}_rho{ratio_label(rho)}"
                own = found.sel(metric=metric, channel=channel, rho=rho)
                jobs.append((stem, partial(_figure, own, few_snrs(ds), channel, metric, rho, note)))
    return jobs


def _figure(
    own: xr.Dataset, levels: list[float], channel: str, metric: str, rho: float, note: str
) -> Figure:
    """A column for each Es/N0, the side of the picture on the x axis."""
    from matplotlib.figure import Figure as NewFigure

    width = max(COLUMN * 0.8 * len(levels), 4.6)
    figure = NewFigure(figsize=(width, _HEIGHT), layout="constrained")
    axes = figure.subplots(1, len(levels), sharex=True, sharey=True, squeeze=False)[0]
    names = list(map(str, own.system.values))
    look = styles(names)
    for ax, esno_db in zip(axes, levels, strict=True):
        _draw(ax, own.sel(esno_db=esno_db))
        ax.set_title(f"$E_s/N_0$ = {esno_db:g} dB")
        ax.set_xlabel("side of the picture (pixels)")
    axes[0].set_ylabel(metric_label(metric))
    handles = [system_handle(look[name], system_label(name)) for name in names]
    figure.legend(
        handles=handles, loc="outside upper center", frameon=False, ncols=max(1, int(width / 2.2))
    )
    words = rf"{channel_label(channel)}, $\rho$ = {ratio_label(rho)}; {note}"
    figure.supxlabel(textwrap.fill(words, int(20 * width)), fontsize=6.5)
    return figure


def _draw(ax: Axes, part: xr.Dataset) -> None:
    sides = part.side.values
    for name, style in styles(list(map(str, part.system.values))).items():
        mean, low, high = (
            part[f"value_{end}"].sel(system=name).values for end in ("mean", "low", "high")
        )
        ax.plot(
            sides, mean, color=style.colour, marker=style.marker, linestyle=style.line,
            markeredgecolor="white", markeredgewidth=0.4,
        )  # fmt: skip
        ax.fill_between(sides, low, high, color=style.colour, alpha=0.1, linewidth=0)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sides, [f"{side:g}" for side in sides])
    ax.minorticks_off()
