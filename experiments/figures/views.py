"""What the figures of a sweep run over, and what each holds fixed."""

from __future__ import annotations

import xarray as xr

from experiments.figures.curves import View


def views(ds: xr.Dataset, found: xr.Dataset, arrivals: xr.Dataset) -> list[View]:
    """Over SNR at each bandwidth ratio, and over bandwidth ratio at a few SNRs, as far as swept.

    Args:
        ds: The result store.
        found: `experiments.sweep.summary.quality` of it.
        arrivals: `experiments.sweep.summary.delivery` of it.
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
