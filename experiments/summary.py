"""What the figures show: means, intervals and delivery probabilities of a result store."""

from __future__ import annotations

import numpy as np
import xarray as xr

from experiments import store
from experiments.statistics import (
    Interval,
    bootstrap_interval,
    mean_given_delivery,
    paired_difference,
    psnr_of_mean_mse,
    wilson_interval,
)

POINT = ("system", "channel", "esno_db", "rho")


def _point(ds: xr.Dataset, interval: Interval, prefix: str) -> xr.Dataset:
    coords = {dim: ds[dim] for dim in POINT}
    parts = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return xr.Dataset({f"{prefix}_{k}": (POINT, v) for k, v in parts.items()}, coords)


def quality(ds: xr.Dataset, seed: int = 0, num_resamples: int = 2000) -> xr.Dataset:
    """Means of each metric with nested bootstrap intervals, and paired differences.

    Args:
        ds: A result store.
        seed: Seed of the resampling; the fixed default makes figures reproducible.
        num_resamples: Bootstrap replicates.

    Returns:
        Dataset over (metric, system, channel, esno_db, rho): ``mean``, ``low``, ``high``,
        ``difference_*`` to the first system, ``given_delivery`` (mean where anything arrived).
    """
    metrics = store.metric_names(ds)
    trials = store.expand(ds)
    arrived = (ds.set != "").values[_index(ds)]
    parts = []
    for metric in metrics:
        values = trials[metric].transpose(*POINT, "image", "trial").values
        rng = np.random.default_rng(seed)
        found = _point(ds, bootstrap_interval(values, rng, num_resamples), "value")
        rng = np.random.default_rng(seed)
        paired = paired_difference(values, values[:1], rng, num_resamples)
        found = found.merge(_point(ds, paired, "difference"))
        found["given_delivery"] = (POINT, mean_given_delivery(values, arrived))
        parts.append(found)
    return xr.concat(parts, xr.DataArray(metrics, dims="metric", name="metric"))


def _index(ds: xr.Dataset) -> np.ndarray:
    index = ds.delivered_set.where(store.was_run(ds), 0).astype(np.int64)
    return index.transpose(*POINT, "image", "trial").values


def delivery(ds: xr.Dataset, confidence: float = 0.95) -> xr.Dataset:
    """Probability that each unit arrives, over all images and fades, with Wilson intervals.

    Images for which a unit did not fit the budget count as losses; a unit that a system never
    sends is NaN.

    Returns:
        Dataset over (unit, system, channel, esno_db, rho): ``probability``, ``low``, ``high``,
        ``num_trials``.
    """
    over = ("image", "trial")
    total = store.was_run(ds).sum(over).transpose(*POINT)
    parts = []
    tags = store.unit_tags(ds)
    for tag in tags:
        count = store.delivered(ds, tag).sum(over).transpose(*POINT)
        low, high = wilson_interval(count.values, total.values, confidence)
        sent = np.vectorize(lambda text, tag=tag: tag in store.set_tags(text))(
            ds.frames.values.astype(str)
        )
        sent = xr.DataArray(sent, {"system": ds.system, "rho": ds.rho}, ds.frames.dims)
        never = ~sent.any("image")
        part = xr.Dataset({
            "probability": count / total,
            "low": count.copy(data=low), "high": count.copy(data=high),
        }).where(~never)  # fmt: skip
        parts.append(part.assign(num_trials=total))
    if not parts:
        empty = (("unit", *POINT), np.empty((0, *(ds.sizes[dim] for dim in POINT))))
        coords = {"unit": np.array([], dtype=str), **{dim: ds[dim] for dim in POINT}}
        names = ("probability", "low", "high", "num_trials")
        return xr.Dataset(dict.fromkeys(names, empty), coords)
    return xr.concat(parts, xr.DataArray(tags, dims="unit", name="unit"))


def table(ds: xr.Dataset, found: xr.Dataset) -> xr.Dataset:
    """The numbers for a report: `quality`'s plus the second kind of PSNR average.

    Args:
        ds: A result store.
        found: What `quality` gave for it.
    """
    out = found.copy()
    if "mse" in store.metric_names(ds):
        mse = store.expand(ds, ["mse"]).mse.transpose(*POINT, "image", "trial").values
        out["psnr_of_mean_mse_db"] = (POINT, psnr_of_mean_mse(mse))
    out["bpp"] = ds.bpp.mean("image")
    out["channel_uses"] = ds.channel_uses.mean("image")
    return out
