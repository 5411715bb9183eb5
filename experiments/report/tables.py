"""Tables of numbers: Bjontegaard deltas, where systems fall, and the averages of both kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.statistics.bjontegaard import BdDelta, bd_rate, bd_snr
from experiments.statistics.bjontegaard_intervals import bd_of_trials
from experiments.statistics.cliff import (
    Cliff,
    cliff,
    crossing_esno_db,
)
from experiments.statistics.means import LOWER_IS_BETTER, Interval
from experiments.statistics.tables import (
    DIGITS,
    Table,
    crossing_text,
    delta_text,
    interval_text,
)
from experiments.sweep import store, summary
from experiments.sweep.labels import (
    channel_label,
    metric_name,
    options_of,
    ratio_label,
    system_label,
)
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

RESAMPLES = 200  # of a delta: each costs two interpolations
_MANY = 2_000_000  # values of a curve beyond which images' means stand for their trials
OUTAGE = 0.1


@dataclass(frozen=True)
class Place:
    """Where a curve lies: over which axis, and what is held fixed."""

    channel: str
    x: str
    fixed: float

    @property
    def other(self) -> str:
        """The axis held fixed."""
        return "rho" if self.x == "esno_db" else "esno_db"

    @property
    def text(self) -> str:
        """For table headings."""
        at = f"ρ = {ratio_label(self.fixed)}" if self.x == "esno_db" else f"{self.fixed:g} dB"
        return f"{channel_label(self.channel)}, {at}"


def places(ds: xr.Dataset, x: str) -> list[Place]:
    """Every curve of a sweep over an axis."""
    other = "rho" if x == "esno_db" else "esno_db"
    return [
        Place(str(channel), x, float(value))
        for channel in ds.channel.values
        for value in ds[other].values
    ]


def samples(ds: xr.Dataset, place: Place, system: str, metric: str) -> Floats:
    """Quality of every trial, [points, images, trials]; images' means if trials are too many.

    Images for which the metric is undefined are left out, as `summary.quality` does.
    """
    ds = ds.isel(image=np.flatnonzero(summary.defined_images(ds, metric)))
    part = ds.sel({"channel": [place.channel], "system": [system], place.other: [place.fixed]})
    dims = (place.x, "image", "trial")
    flat = {"channel": 0, "system": 0, place.other: 0}
    if store.is_exact(ds) or part.delivered_set.size > _MANY:
        means = summary.image_means(part, metric).isel(flat)
        return np.asarray(means.transpose(*dims[:2]).values, dtype=float)[..., None]
    values = store.expand(part, [metric])[metric].isel(flat).transpose(*dims).values
    return np.asarray(values, dtype=float)


def metrics_of(ds: xr.Dataset) -> list[str]:
    """The metrics that have values, mean squared error left to PSNR."""
    names = [name for name in store.metric_names(ds) if name != "mse"]
    return [name for name in names if bool(ds[name].notnull().any())]


def reference_of(ds: xr.Dataset, asked: str | None) -> str:
    """The system that deltas are against.

    The one asked for, else VVC with adaptive MCS, another system with it, any VVC, or the first.

    Raises:
        ScmcError: The sweep has no such system.
    """
    names = [str(name) for name in ds.system.values]
    if asked is not None and asked not in names:
        raise ScmcError(f"reference {asked!r} is not in the sweep; it has {', '.join(names)}")

    def strength(name: str) -> tuple[bool, bool]:
        return ("mcs", "adaptive") in options_of(name), name.partition(":")[0] == "vvc"

    return asked or max(names, key=strength)


def delta(ds: xr.Dataset, place: Place, system: str, reference: str, metric: str) -> BdDelta:
    """BD-SNR in dB or BD-rho in percent of a system against another, with its interval."""
    kind = bd_snr if place.x == "esno_db" else bd_rate
    x = ds[place.x].values.astype(float)
    mine, theirs = (samples(ds, place, name, metric) for name in (system, reference))
    if not mine.size or not np.isfinite([*mine[..., 0].flat, *theirs[..., 0].flat]).all():
        return BdDelta(np.nan, reason="not measured at every point")
    up = metric not in LOWER_IS_BETTER
    return bd_of_trials(
        kind, (x, theirs), (x, mine), np.random.default_rng(0), up, num_resamples=RESAMPLES
    )


def delta_table(ds: xr.Dataset, x: str, metric: str, reference: str) -> tuple[Table, str]:
    """Deltas of every system, a column for each channel and fixed value.

    Returns:
        The table, and why there is no delta where a dash and a number stand; empty if there are
        all.
    """
    where = places(ds, x)
    unit = "dB" if x == "esno_db" else "%"
    rows, reasons = [], dict[str, int]()
    for system in map(str, ds.system.values):
        if system == reference:
            continue
        row = [system_label(system)]
        for at in where:
            found = delta(ds, at, system, reference, metric)
            why = found.reason.partition(":")[0]
            number = reasons.setdefault(why, len(reasons) + 1) if why else 0
            row.append(f"- ({number})" if why else delta_text(found, unit))
        rows.append(row)
    notes = "; ".join(f"({number}) {why}" for why, number in reasons.items())
    return Table(["system", *(at.text for at in where)], rows), notes


def failure_quality(ds: xr.Dataset, metric: str) -> float:
    """Mean quality of mid-grey, NaN where neither a bound nor a trial ever showed it.

    Images for which the metric is undefined are left out.
    """
    ds = ds.isel(image=np.flatnonzero(summary.defined_images(ds, metric)))
    name = f"bound_failure_{metric}"
    if name in ds:
        return float(ds[name].mean())
    if "" not in ds.set.values:
        return math.nan
    shown = store.set_table(ds, metric).sel(set="")
    each = shown.max([dim for dim in shown.dims if dim != "image"])  # one value where known
    return float(each.mean()) if bool(each.notnull().all()) else math.nan


def threshold_of(ds: xr.Dataset, metric: str) -> float:
    """Half way between mid-grey and the best mean of any system in the sweep."""
    means = summary.image_means(ds, metric).mean("image")
    best = float(means.min() if metric in LOWER_IS_BETTER else means.max())
    failure = failure_quality(ds, metric)
    worst = float(means.max() if metric in LOWER_IS_BETTER else means.min())
    return (best + (worst if math.isnan(failure) else failure)) / 2


def _fall(found: Interval, digits: int, unit: str) -> str:
    if math.isnan(found.mean):
        return "no fall"
    return "wider than swept" if math.isinf(found.mean) else interval_text(found, digits, unit)


def base_unit(ds: xr.Dataset, system: str) -> str | None:
    """The unit that a system needs before all others: its caption, or the whole file."""
    tags = [str(text) for text in np.ravel(ds.frames.sel(system=system).values) if str(text)]
    return str(tags[0]).partition("+")[0] if tags else None


def _outage(ds: xr.Dataset, place: Place, system: str, delivery: xr.Dataset) -> str:
    unit = base_unit(ds, system)
    if unit is None:
        return "nothing sent"
    if unit == store.SYMBOLS:
        return "none, analog"
    esno = ds.esno_db.values.astype(float)
    at = {"channel": place.channel, "system": system, "rho": place.fixed, "unit": unit}
    found = delivery.sel(at).sortby("esno_db")
    if not bool(found.num_images.any()):
        return "nothing sent"
    # Where no image can send it, it is not there.
    lost = 1 - found[["probability", "high", "low"]].where(found.num_images > 0, 0.0)
    return crossing_text(Interval(*(_crossing(esno, lost[name].values) for name in lost)), esno)


def _crossing(esno_db: Floats, lost: Floats) -> Floats:
    """Es/N0 from which on no more than `OUTAGE` is lost; NaN without limits of the probability."""
    if np.isnan(lost).any():
        return np.array(np.nan)
    return crossing_esno_db(esno_db, lost, OUTAGE, higher_is_better=False)


def cliff_table(
    ds: xr.Dataset, delivery: xr.Dataset, place: Place, metric: str, threshold: float
) -> Table:
    """Where and how each system falls as the SNR falls.

    Args:
        ds: A result store.
        delivery: `experiments.sweep.delivery.delivery_probabilities` of it.
        place: Which curves.
        metric: Of which quality.
        threshold: Quality that must hold.
    """
    up, esno = metric not in LOWER_IS_BETTER, ds.esno_db.values.astype(float)
    unit, digits = ("dB" if metric == "psnr_db" else ""), DIGITS.get(metric, 3)
    failure = failure_quality(ds, metric)
    rows = []
    for system in map(str, ds.system.values):
        values = samples(ds, place, system, metric)
        found: Cliff = cliff(esno, values, threshold, failure, np.random.default_rng(0), up, 500)
        rows.append([
            system_label(system),
            crossing_text(found.threshold_esno_db, esno),
            _fall(found.fall_width_db, 1, "dB"),
            _fall(found.largest_drop, digits, unit),
            _fall(found.mean_quality, digits, unit),
            _outage(ds, place, system, delivery),
        ])  # fmt: skip
    label = metric_name(metric)
    return Table([
        "system", f"SNR where {label} falls below {threshold:.{digits}f}", "width of the fall",
        "largest drop over 1 dB", f"mean {label} over the range",
        f"SNR of {100 * OUTAGE:.0f} % outage",
    ], rows)  # fmt: skip


def chosen_snrs(ds: xr.Dataset) -> list[float]:
    """The lowest SNR, that nearest to the design, and the highest."""
    grid = ds.esno_db.values.astype(float)
    design = float(ds.attrs["design_esno_db"])
    nearest = grid[np.abs(grid - design).argmin()]
    return sorted({float(grid.min()), float(nearest), float(grid.max())})


def averages_table(
    ds: xr.Dataset, means: xr.Dataset, channel: str, rho: float, snrs: Sequence[float]
) -> Table:
    """The averages of PSNR with intervals, how often anything was delivered, and what never fitted.

    Args:
        ds: A result store.
        means: `experiments.sweep.summary.table` of it.
        channel: Of the rows.
        rho: Of the rows.
        snrs: A row for each of them and each system.
    """
    infeasible = store.infeasible(ds)
    nothing = (store.weights(ds) * (ds.set == "")).sum("set").mean("image")
    found = means.sel(metric="psnr_db")
    averages = {
        "mean PSNR (dB)": ("value_mean", "value_low", "value_high"),
        "PSNR of mean MSE (dB)": [f"psnr_of_mean_mse_db{end}" for end in ("", "_low", "_high")],
        "mean PSNR given delivery (dB)": [f"given_delivery{end}" for end in ("", "_low", "_high")],
    }
    rows = []
    for esno_db in snrs:
        for system in map(str, ds.system.values):
            at = {"system": system, "channel": channel, "esno_db": esno_db, "rho": rho}
            part = found.sel(at)
            intervals = (
                Interval(*(part[end].values for end in ends)) for ends in averages.values()
            )
            rows.append([
                f"{esno_db:g}", system_label(system),
                *("never" if np.isnan(i.mean) else interval_text(i, 2) for i in intervals),
                f"{1 - float(nothing.sel(at)):.3f}",
                f"{int(infeasible.sel(at).sum())} of {ds.sizes['image']}",
                f"{float(part.bpp):.4f}", f"{float(part.channel_uses):.0f}",
            ])  # fmt: skip
    last = ["anything delivered", "infeasible images", "bpp", "channel uses"]
    return Table(["Es/N0 (dB)", "system", *averages, *last], rows)
