"""What the figures of a sweep run over, and what each holds fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from experiments.figures.panel import Axis
from experiments.figures.style import Style, styles
from experiments.sweep import store
from experiments.sweep.bounds import has_bounds
from experiments.sweep.labels import ratio_label, system_label

ESNO = Axis("Es/N0 per channel use (dB)", "esno_db")

MOST_SYSTEMS = 6  # of a panel that can still be read


@dataclass(frozen=True)
class View:
    """What one figure runs over and what it holds fixed.

    Attributes:
        x: Swept coordinate, ``"esno_db"`` or ``"rho"``.
        fixed: Value of the other one.
        found: `summary.quality` at that value.
        arrivals: `delivery.delivery_probabilities` at that value.
        ds: The whole store.
        labels: Legend entries of systems in place of their own.
    """

    x: str
    fixed: float
    found: xr.Dataset
    arrivals: xr.Dataset
    ds: xr.Dataset
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def other(self) -> str:
        """The coordinate that is held fixed."""
        return "rho" if self.x == "esno_db" else "esno_db"

    @property
    def held(self) -> str:
        """What is held fixed, in words."""
        if self.x == "esno_db":
            return f"ρ = {ratio_label(self.fixed)} ({3 * self.fixed:.3g} channel uses a pixel)"
        return f"Es/N0 = {self.fixed:g} dB"

    @property
    def stem(self) -> str:
        """End of the file name."""
        if self.x == "esno_db":
            return "rho" + ratio_label(self.fixed).replace("/", "-")
        return f"{self.fixed:g}dB"

    @property
    def axis(self) -> Axis:
        """The x axis."""
        if self.x == "esno_db":
            return ESNO
        ticks = {float(rho): ratio_label(float(rho)) for rho in self.ds.rho.values}
        return Axis("bandwidth ratio ρ = channel uses / (3 H W)", "rho", "log", ticks)

    @property
    def marks(self) -> dict[float, str]:
        """The design SNR, if the view runs over SNR and any system is designed for it."""
        if self.x != "esno_db" or not store.is_designed(self.ds):
            return {}
        return {float(self.ds.attrs["design_esno_db"]): "design"}

    @property
    def style(self) -> dict[str, Style]:
        """How each system is drawn, and each codec's bounds: in the colour that its system has."""
        systems = [str(name) for name in self.ds.system.values]
        codecs = [str(name) for name in self.ds.codec.values] if has_bounds(self.ds) else []
        return styles([*systems, *(name for name in codecs if name not in systems)])

    @property
    def channels(self) -> list[str]:
        """The channels swept: a column of panels each."""
        return [str(name) for name in self.ds.channel.values]

    @property
    def systems(self) -> list[str]:
        """The systems swept."""
        return [str(name) for name in self.ds.system.values]

    @property
    def groups(self) -> list[list[str]]:
        """The systems, in their order, of each panel of quality: the first in all of them."""
        first, *rest = self.systems
        if len(rest) < MOST_SYSTEMS:
            return [self.systems]
        parts = np.array_split(rest, math.ceil(len(rest) / (MOST_SYSTEMS - 1)))
        return [[first, *map(str, part)] for part in parts]


def legend_label(view: View, system: str) -> str:
    """Legend entry; says so where the budget was too small for some images."""
    label = view.labels.get(system, system_label(system))
    if view.x != "esno_db":
        return label
    nothing = store.infeasible(view.ds).sel(system=system, rho=view.fixed)
    failed = int(nothing.all(("channel", "esno_db")).sum())
    images = view.ds.sizes["image"]
    return f"{label} (infeasible: {failed} of {images} images)" if failed else label


def views(ds: xr.Dataset, found: xr.Dataset, arrivals: xr.Dataset) -> list[View]:
    """Over SNR at each bandwidth ratio, and over bandwidth ratio at a few SNRs, as far as swept.

    Args:
        ds: The result store.
        found: `experiments.sweep.summary.quality` of it.
        arrivals: `experiments.sweep.delivery.delivery_probabilities` of it.
    """
    made: list[View] = []
    for x, other in (("esno_db", "rho"), ("rho", "esno_db")):
        if ds.sizes[x] < 2 and (x == "rho" or ds.sizes["rho"] > 1):
            continue
        for value in ds[other].values if x == "esno_db" else few_snrs(ds):
            at = {other: value}
            made.append(View(x, float(value), found.sel(at), arrivals.sel(at), ds))
    return made


def few_snrs(ds: xr.Dataset) -> list[float]:
    """At most three SNRs at which curves over bandwidth are drawn, the design SNR among them."""
    grid = sorted(float(e) for e in ds.esno_db.values)
    if len(grid) <= 3:
        return grid
    design = min(grid, key=lambda e: abs(e - ds.attrs["design_esno_db"]))
    return sorted({grid[len(grid) // 4], design, grid[-1 - len(grid) // 8]})


def shown_metrics(found: xr.Dataset) -> list[str]:
    """The metrics that have values, mean squared error left to PSNR."""
    measured = found.value_mean.notnull()
    return [m for m in map(str, found.metric.values) if m != "mse" and measured.sel(metric=m).any()]


def defined_note(found: xr.Dataset, metric: str, num_images: int) -> str:
    """What to add to a figure's note of a metric that some images have no value of; else empty."""
    count = int(found.num_images.sel(metric=metric).max())
    return "" if count == num_images else f"; defined for {count} of {num_images} images"
