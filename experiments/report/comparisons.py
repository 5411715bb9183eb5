"""Tables of paired differences: the primary endpoints, then all others corrected by Holm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import xarray as xr

from experiments.report.tables import metrics_of
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.statistics.paired import SIGNIFICANT, Comparison, holm, paired_t
from experiments.statistics.tables import DIGITS, Table, interval_text
from experiments.sweep import store, summary
from experiments.sweep.labels import system_label
from experiments.sweep.primary import Endpoint
from experiments.sweep.spec import SweepSpec


def primary_of(ds: xr.Dataset) -> list[Endpoint]:
    """The endpoints that the sweep stated before it ran."""
    return [Endpoint.parse(text) for text in SweepSpec.from_yaml(ds.attrs["spec_yaml"]).primary]


def others_of(ds: xr.Dataset, primary: list[Endpoint]) -> list[Endpoint]:
    """Every metric, channel and bandwidth over the whole range of SNRs, but the primary ones.

    A metric that is measured at the primary endpoints alone is compared there.
    """
    low, high = float(ds.esno_db.min()), float(ds.esno_db.max())
    partial = store.partial_metrics(ds)
    each = [
        Endpoint(metric, str(channel), float(rho), low, high)
        for metric in metrics_of(ds)
        if metric not in partial
        for channel in ds.channel.values
        for rho in ds.rho.values
    ]
    each += [replace(at, metric=metric) for metric in partial for at in primary]
    return [endpoint for endpoint in dict.fromkeys(each) if endpoint not in primary]


def _compare(ds: xr.Dataset, endpoint: Endpoint, rival: str) -> Comparison:
    """The first system against another; images for which the metric is undefined are left out."""
    rho = float(ds.rho.values[np.abs(ds.rho.values - endpoint.rho).argmin()])
    snrs = ds.esno_db.where((ds.esno_db >= endpoint.low_db) & (ds.esno_db <= endpoint.high_db))
    part = ds.sel(
        channel=[endpoint.channel], rho=[rho], esno_db=snrs.dropna("esno_db").values,
        system=[str(ds.system.values[0]), rival],
    )  # fmt: skip
    means = summary.image_means(part, endpoint.metric).isel(channel=0, rho=0)
    own, other = means.mean("esno_db", skipna=False).transpose("system", "image").values
    return paired_t(own - other)


def comparison_table(ds: xr.Dataset, endpoints: list[Endpoint]) -> Table:
    """The first system against every other at each endpoint, p corrected for all rows.

    Args:
        ds: A result store of two systems or more.
        endpoints: Rows, for each rival one.
    """
    rivals = list(map(str, ds.system.values[1:]))
    rows = [(endpoint, rival) for endpoint in endpoints for rival in rivals]
    found = [_compare(ds, *row) for row in rows]
    corrected = holm([comparison.p for comparison in found])
    cells = []
    for (endpoint, rival), comparison, p in zip(rows, found, corrected, strict=True):
        found_cells = comparison_cells(endpoint.metric, comparison, p)
        cells.append([endpoint.label(), system_label(rival), *found_cells])
    return Table(["endpoint", "against", "difference", "p (Holm)", "verdict"], cells)


def comparison_cells(metric: str, comparison: Comparison, p: float) -> list[str]:
    """Difference with interval, corrected p-value and verdict, as a table has them."""
    unit = "dB" if metric == "psnr_db" else ""
    difference = interval_text(comparison.difference, DIGITS.get(metric, 3), unit, sign=True)
    better = bool((comparison.difference.mean > 0) != (metric in LOWER_IS_BETTER))
    return [difference, _p_text(comparison, p), _verdict(p, better)]


def _p_text(comparison: Comparison, p: float) -> str:
    if math.isnan(p):
        return "one image" if comparison.num_images else "no image"
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _verdict(p: float, better: bool) -> str:
    if math.isnan(p) or p >= SIGNIFICANT:
        return "not shown to differ"
    return "better" if better else "worse"
