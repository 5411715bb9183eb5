"""What the figures show: means, intervals and delivery probabilities of a result store."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.statistics import resampling
from experiments.statistics.means import (
    Floats,
    Interval,
    bootstrap_interval,
    paired_difference,
    psnr_of_mean_mse,
    wilson_interval,
)
from experiments.sweep import store

POINT = ("system", "channel", "esno_db", "rho")
_PIECE = 2**20  # trials read at once


def _dataset(ds: xr.Dataset, interval: Interval, prefix: str) -> xr.Dataset:
    dims = ("metric", *POINT)
    coords = {"metric": store.metric_names(ds), **{dim: ds[dim] for dim in POINT}}
    parts = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return xr.Dataset({f"{prefix}_{k}": (dims, v) for k, v in parts.items()}, coords)


def _table(ds: xr.Dataset, metric: str) -> Floats:
    """Quality of the delivered sets, [*POINT, image, set], 0 where one never came."""
    return np.nan_to_num(store.at_points(ds, metric).values)


def _image_means(ds: xr.Dataset, metric: str) -> Floats:
    """Mean quality of each image, [*POINT, image]."""
    return np.einsum("sceriw,sceriw->sceri", store.weights(ds).values, _table(ds, metric))


def image_means(ds: xr.Dataset, metric: str) -> xr.DataArray:
    """Mean of a metric for each image, [*POINT, image]: over its trials, or exact."""
    coords = {dim: ds[dim] for dim in store.POINT}
    return xr.DataArray(_image_means(ds, metric), coords, store.POINT)


def quality(ds: xr.Dataset, seed: int = 0, num_resamples: int = 2000) -> xr.Dataset:
    """Means of each metric with 95 % intervals, and paired differences.

    Where there are trials the intervals are nested bootstraps over images and fades. Where
    expectations are exact they are over images alone, and of no width for a single image.

    Args:
        ds: A result store.
        seed: Seed of the resampling; the fixed default makes figures reproducible.
        num_resamples: Bootstrap replicates.

    Returns:
        Dataset over (metric, system, channel, esno_db, rho): ``value_mean``, ``_low``, ``_high``,
        ``difference_*`` to the first system, ``given_delivery`` (mean where anything arrived).
    """
    if store.is_exact(ds):
        means = np.stack([_image_means(ds, name) for name in store.metric_names(ds)])[..., None]
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        value = bootstrap_interval(means, rng, num_resamples)
        difference = paired_difference(means, means[:, :1], again, num_resamples)
    else:
        value, difference = _drawn_intervals(ds, seed, num_resamples)
    found = _dataset(ds, value, "value").merge(_dataset(ds, difference, "difference"))
    found["given_delivery"] = (("metric", *POINT), _given_delivery(ds))
    return found


def _drawn_intervals(ds: xr.Dataset, seed: int, num_resamples: int) -> tuple[Interval, Interval]:
    names = store.metric_names(ds)
    counts = ds["count"].transpose(*store.POINT, "set").values
    shape = (len(names), *counts.shape[:4])
    value, difference = (Interval(*np.zeros((3, *shape))) for _ in range(2))
    for c, e, r in np.ndindex(*counts.shape[1:4]):
        joint = _joint_counts(ds, c, e, r)
        point = ds.isel(channel=[c], esno_db=[e], rho=[r])
        table = np.stack([_table(point, name)[:, 0, 0, 0] for name in names])
        for s in range(counts.shape[0]):
            at = (slice(None), s, c, e, r)
            own, reference = table[:, s], table[:, 0]
            rng = np.random.default_rng(seed)
            _put(value, at, resampling.interval(own, counts[s, c, e, r], rng, num_resamples))
            if s:
                pairs = own[:, :, None, :] - reference[:, :, :, None]
                pairs = pairs.reshape(*pairs.shape[:2], -1)
                rng = np.random.default_rng(seed)
                _put(difference, at, resampling.interval(pairs, joint[s], rng, num_resamples))
    return value, difference


def _put(into: Interval, at: tuple[slice | int, ...], found: Interval) -> None:
    into.mean[at], into.low[at], into.high[at] = found.mean, found.low, found.high


def _joint_counts(ds: xr.Dataset, channel: int, esno_db: int, rho: int) -> NDArray[np.int64]:
    """How often the first system's set and each system's met in a trial, both seeing one fade.

    Returns:
        int64 [system, image, set of the first system * set of the system]; trials that one of
        them did not run are left out.
    """
    trials = ds.delivered_set.isel(channel=channel, esno_db=esno_db, rho=rho)
    trials = trials.transpose("system", "image", "trial")
    (num_systems, num_images, num_trials), num_sets = trials.shape, ds.sizes["set"]
    size = num_images * num_sets**2
    out = np.zeros((num_systems, size), dtype=np.int64)
    if num_systems == 1:
        return out.reshape(num_systems, num_images, num_sets**2)
    step = max(1, _PIECE // (num_systems * num_images))
    for start in range(0, num_trials, step):
        piece = trials.isel(trial=slice(start, start + step)).values
        first = piece[0].astype(np.intp)
        base = (np.arange(num_images)[:, None] * num_sets + first) * num_sets
        for s in range(1, num_systems):
            run = (piece[s] != store.NOT_RUN) & (piece[0] != store.NOT_RUN)
            out[s] += np.bincount((base + piece[s])[run], minlength=size)
    return out.reshape(num_systems, num_images, num_sets**2)


def _given_delivery(ds: xr.Dataset) -> Floats:
    """Mean quality over all trials in which something arrived; NaN where nothing ever did."""
    total = store.weights(ds)
    if not store.is_exact(ds):
        total = total * store.num_trials(ds)  # images that ran longer weigh more, as trials do
    weights = total.transpose(*store.POINT, "set").values * (ds.set != "").values
    summed = np.stack([
        np.einsum("sceriw,sceriw->scer", weights, _table(ds, name))
        for name in store.metric_names(ds)
    ])  # fmt: skip
    arrived = weights.sum(axis=(-2, -1))
    return np.where(arrived > 0, summed / np.where(arrived > 0, arrived, 1), np.nan)


def delivery(ds: xr.Dataset, confidence: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Probability that each unit arrives, over all images and fades, with intervals.

    They are Wilson's where trials were counted; where probabilities are exact, a bootstrap over
    images. Images for which a unit did not fit the budget count as losses; a unit that a system
    never sends is NaN.

    Returns:
        Dataset over (unit, system, channel, esno_db, rho): ``probability``, ``low``, ``high``,
        ``num_trials``.
    """
    tags = store.unit_tags(ds)
    total = store.num_trials(ds).sum("image").transpose(*POINT)
    parts = []
    for tag in tags:
        found = _arrival(ds, tag, total, confidence, seed)
        values = {"probability": found.mean, "low": found.low, "high": found.high}
        part = xr.Dataset({name: total.copy(data=v) for name, v in values.items()})
        parts.append(part.where(_sends(ds, tag)).assign(num_trials=total))
    if not parts:
        empty = (("unit", *POINT), np.empty((0, *(ds.sizes[dim] for dim in POINT))))
        coords = {"unit": np.array([], dtype=str), **{dim: ds[dim] for dim in POINT}}
        names = ("probability", "low", "high", "num_trials")
        return xr.Dataset(dict.fromkeys(names, empty), coords)
    return xr.concat(parts, xr.DataArray(tags, dims="unit", name="unit"))


def _arrival(
    ds: xr.Dataset, tag: str, total: xr.DataArray, confidence: float, seed: int
) -> Interval:
    holds = store.holds(ds, tag)
    if store.is_exact(ds):
        each = ds.probability.where(holds, 0).sum("set").transpose(*store.POINT).values
        rng = np.random.default_rng(seed)
        return bootstrap_interval(each[..., None], rng, confidence=confidence)
    count = ds["count"].where(holds, 0).sum(("set", "image")).transpose(*POINT).values
    return Interval(count / total.values, *wilson_interval(count, total.values, confidence))


def _sends(ds: xr.Dataset, tag: str) -> xr.DataArray:
    """Flags per system and bandwidth: does any image have a unit of this tag?"""
    texts = ds.frames.values.astype(str)
    sent = np.reshape([tag in store.set_tags(text) for text in texts.ravel()], texts.shape)
    flags = xr.DataArray(sent, {"system": ds.system, "rho": ds.rho}, ds.frames.dims)
    return flags.any(("image", "design"))


def table(ds: xr.Dataset, found: xr.Dataset) -> xr.Dataset:
    """The numbers for a report: `quality`'s plus the second kind of PSNR average.

    Args:
        ds: A result store.
        found: What `quality` gave for it.
    """
    out = found.copy()
    if "mse" in store.metric_names(ds):
        mse = image_means(ds, "mse").values
        out["psnr_of_mean_mse_db"] = (POINT, psnr_of_mean_mse(mse[..., None]))
    out["bpp"] = store.at_points(ds, "bpp").mean("image")
    out["channel_uses"] = store.at_points(ds, "channel_uses").mean("image")
    return out
