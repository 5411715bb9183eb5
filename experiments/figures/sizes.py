"""Quality against the size of the picture, where a sweep holds pictures at several sides."""

from __future__ import annotations

import xarray as xr

from experiments.figures.chart import Chart
from experiments.figures.curves import banded
from experiments.figures.panel import Axis, Panel
from experiments.figures.style import styles
from experiments.figures.views import few_snrs, shown_metrics
from experiments.sweep import summary
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label
from scmc_comm.datasets.image_sets import side_of


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


def size_charts(ds: xr.Dataset, note: str) -> list[Chart]:
    """A chart for each metric, channel and bandwidth ratio, a column for each Es/N0.

    None for pictures of one side.
    """
    if not pictures_by_side(ds):
        return []
    found = quality_by_side(ds)
    look = styles([str(name) for name in ds.system.values])
    sides = found.side.values
    x = Axis("side of the picture (pixels)", "side", "log", {int(s): f"{s:g}" for s in sides})
    made = []
    for rho in map(float, ds.rho.values):
        for metric in shown_metrics(found):
            for channel in map(str, ds.channel.values):
                row = []
                for esno_db in few_snrs(ds):
                    part = found.sel(metric=metric, channel=channel, rho=rho, esno_db=esno_db)
                    curves = [
                        banded(sides, part.sel(system=name), "value_{}", style,
                               label=system_label(name), column=f"{name}_mean")
                        for name, style in look.items()
                    ]  # fmt: skip
                    title = f"Es/N0 = {esno_db:g} dB"
                    row.append(Panel(x, Axis(metric_label(metric)), curves, title))
                where = f"{channel_label(channel)}, ρ = {ratio_label(rho)}"
                stem = f"{metric}_side_{channel}_rho{ratio_label(rho)}"
                made.append(Chart(stem, where, [row], note=f"{where}; {note}"))
    return made
