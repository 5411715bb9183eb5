"""What the figures show: means of a result store, and differences, with their intervals."""

from __future__ import annotations

import functools
import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.statistics import resampling
from experiments.statistics.means import Floats, Interval, bootstrap_interval
from experiments.sweep import distribution, store

POINT = ("system", "channel", "esno_db", "rho")
WHOLE_AXIS = (-math.inf, math.inf)
RANGES = {
    "mse": (0.0, 1.0), "ssim": (-1.0, 1.0), "ms_ssim": (0.0, 1.0),
    **dict.fromkeys(("lpips", "lpips_vgg", "dists"), (0.0, math.inf)), "vmaf": (0.0, 100.0),
    **dict.fromkeys(("caption_f1", "layout_agreement", "flower_kind", "bird_kind"), (0.0, 1.0)),
    **dict.fromkeys(("sentence_similarity", "caption_similarity"), (-1.0, 1.0)),
}  # fmt: skip
"""Values that a metric can have; no interval goes beyond them."""

_PIECE = 2**20  # trials read at once


def _table(ds: xr.Dataset, metric: str) -> Floats:
    """Quality of the delivered sets, [*POINT, set], 0 where one never came.

    A set that came and whose metric is undefined stays NaN, and so do the means that it is in.
    """
    came = store.weights(ds) > 0
    return np.asarray(store.at_points(ds, metric).where(came, 0.0).values)


def _mean(weights: Floats, table: Floats) -> Floats:
    return np.einsum("sceriw,sceriw->sceri", weights, table)


def image_means(ds: xr.Dataset, metric: str) -> xr.DataArray:
    """Mean of a metric for each image, [*POINT, image]: over its trials, or exact."""
    coords = {dim: ds[dim] for dim in store.POINT}
    means = _mean(store.weights(ds).values, _table(ds, metric))
    return xr.DataArray(means, coords, store.POINT)


def quality(ds: xr.Dataset, seed: int = 0, num_resamples: int = 2000) -> xr.Dataset:
    """Means of each metric with 95 % intervals, and paired differences.

    Where there are trials the intervals are nested bootstraps over images and fades. Where
    expectations are exact they are over images alone. With few images they are Student's t; one
    image whose expectation is exact, or that saw one fade, has none (NaN). A picture for which a
    metric is undefined is left out of its means, and counted in ``num_images``. Where a metric is
    not measured (`store.asked`) its means are NaN, and no picture is left out for that. Metrics of
    sets of pictures stand beside the others, see `experiments.sweep.distribution`.

    Args:
        ds: A result store.
        seed: Seed of the resampling; the fixed default makes figures reproducible.
        num_resamples: Bootstrap replicates.

    Returns:
        Dataset over (metric, system, channel, esno_db, rho), each with limits ``_low`` and
        ``_high``: ``value_mean``, ``difference_mean`` to the first system, ``given_delivery``
        (mean where anything was delivered; images weigh by how often it is; NaN where nothing
        ever was) and, over no metric, ``psnr_of_mean_mse_db``; ``num_images`` over metric.
    """
    names = store.metric_names(ds)
    defined = np.stack([defined_images(ds, name) for name in names])
    parts = []
    for images in np.unique(defined, axis=0):
        group = [n for n, own in zip(names, defined, strict=True) if (own == images).all()]
        chosen = ds.isel(image=images) if images.any() else ds
        parts.append(_quality(chosen, group, seed, num_resamples))
    found = xr.merge([part[[n for n in part if "metric" not in part[n].dims]] for part in parts])
    over = [part[[n for n in part if "metric" in part[n].dims]] for part in parts]
    over = [xr.concat(over, "metric").sel(metric=names)]
    counts = defined.sum(axis=1).tolist()
    for name in distribution.names(ds):
        of_set = distribution.quality(ds, name)
        counts.append(ds.sizes["image"] if bool(of_set.value_mean.notnull().any()) else 0)
        over.append(of_set.expand_dims(metric=[name]))
    found = found.merge(xr.concat(over, "metric"))
    measured = _measured(ds, list(map(str, found.metric.values)))
    for variable in [str(n) for n in found if "metric" in found[n].dims]:
        found[variable] = found[variable].where(measured).transpose("metric", *POINT)
    return found.assign(num_images=("metric", counts))


def defined_images(ds: xr.Dataset, metric: str) -> NDArray[np.bool_]:
    """Flags per image: has the metric a value for every set that came where it was asked for?"""
    rest = tuple(dim for dim in (*store.POINT, "set") if dim != "image")
    came = (store.weights(ds) > 0) & store.asked(ds, metric)
    values = store.at_points(ds, metric).where(came, 0.0)
    return np.asarray(values.notnull().all(rest).values)


def _quality(ds: xr.Dataset, names: list[str], seed: int, num_resamples: int) -> xr.Dataset:
    """`quality` of metrics that all images have."""
    averages = functools.partial(_averages, names=names)
    if store.is_exact(ds):
        rows = _exact_rows(ds, names)
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        values = bootstrap_interval(rows, rng, num_resamples, statistic=averages)
        means = rows[: len(names)]
        difference = bootstrap_interval(means - means[:, :1], again, num_resamples)
    else:
        values, difference = _drawn_intervals(ds, names, seed, num_resamples)
    found = xr.Dataset(coords={"metric": names, **{dim: ds[dim] for dim in POINT}})
    lowest, highest = (
        np.array([RANGES.get(name, WHOLE_AXIS)[end] for name in names]).reshape(-1, 1, 1, 1, 1)
        for end in (0, 1)
    )
    for end, both in (("mean", values.mean), ("low", values.low), ("high", values.high)):
        value, given, psnr = np.split(both, [len(names), 2 * len(names)])
        given_name = "given_delivery" if end == "mean" else f"given_delivery_{end}"
        found[f"value_{end}"] = (("metric", *POINT), np.clip(value, lowest, highest))
        found[given_name] = (("metric", *POINT), np.clip(given, lowest, highest))
        found[f"difference_{end}"] = (("metric", *POINT), getattr(difference, end))
        if "mse" in names:
            name = f"psnr_of_mean_mse_db{'' if end == 'mean' else f'_{end}'}"
            found[name] = (POINT, psnr[0])
    return found


def _averages(rows: Floats, names: list[str]) -> Floats:
    """Means, means given delivery and the PSNR of the mean MSE, [2 metrics + 0 or 1, ...].

    Args:
        rows: Means of the metrics, of each metric where anything was delivered and 0 elsewhere,
            and of whether anything was, [2 metrics + 1, ...].
        names: Of the metrics.
    """
    plain, given_part, delivered = np.split(rows, [len(names), 2 * len(names)])
    with np.errstate(invalid="ignore", divide="ignore"):
        psnr = [-10 * np.log10(plain[names.index("mse")])[None]] if "mse" in names else []
        return np.concatenate([plain, given_part / delivered, *psnr])


def _exact_rows(ds: xr.Dataset, names: list[str]) -> Floats:
    """What `_averages` takes, for each image: [2 metrics + 1, *POINT, image, 1]."""
    weights = store.weights(ds).values
    delivered = weights * (ds.set != "").values
    tables = [_table(ds, name) for name in names]
    means = [_mean(chosen, table) for chosen in (weights, delivered) for table in tables]
    return np.stack([*means, delivered.sum(axis=-1)])[..., None]


def _drawn_intervals(
    ds: xr.Dataset, names: list[str], seed: int, num_resamples: int
) -> tuple[Interval, Interval]:
    averages = functools.partial(_averages, names=names)
    counts = ds["count"].transpose(*store.POINT, "set").values
    delivered = (ds.set != "").values
    num_rows = 2 * len(names) + ("mse" in names)
    values = Interval(*np.zeros((3, num_rows, *counts.shape[:4])))
    difference = Interval(*np.zeros((3, len(names), *counts.shape[:4])))
    for c, e, r in np.ndindex(*counts.shape[1:4]):
        joint = _joint_counts(ds, c, e, r)
        point = ds.isel(channel=[c], esno_db=[e], rho=[r])
        table = np.stack([_table(point, name)[:, 0, 0, 0] for name in names])
        for s in range(counts.shape[0]):
            at = (slice(None), s, c, e, r)
            own, reference, drawn = table[:, s], table[:, 0], counts[s, c, e, r]
            rows = np.concatenate(
                [own, np.where(delivered, own, 0.0), np.broadcast_to(delivered, own[:1].shape)]
            )
            rng = np.random.default_rng(seed)
            found = resampling.interval(rows, drawn, rng, num_resamples, statistic=averages)
            _put(values, at, found)
            if s:
                pairs = own[:, :, None, :] - reference[:, :, :, None]
                pairs = pairs.reshape(*pairs.shape[:2], -1)
                rng = np.random.default_rng(seed)
                _put(difference, at, resampling.interval(pairs, joint[s], rng, num_resamples))
    return values, difference


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


def table(ds: xr.Dataset, found: xr.Dataset) -> xr.Dataset:
    """The numbers for a report: `quality`'s, the mean rates on the wire, and what was measured.

    Args:
        ds: A result store.
        found: What `quality` gave for it.
    """
    rates = {name: store.at_points(ds, name).mean("image") for name in ("bpp", "channel_uses")}
    return found.assign(rates | {"measured": _measured(ds, list(map(str, found.metric.values)))})


def _measured(ds: xr.Dataset, names: list[str]) -> xr.DataArray:
    """Flags [metric, channel, esno_db, rho]: is the metric measured at the point?"""
    flags = np.stack([store.asked(ds, name).transpose(*POINT[1:]).values for name in names])
    coords = {"metric": names, **{dim: ds[dim] for dim in POINT[1:]}}
    return xr.DataArray(flags, coords, ("metric", *POINT[1:]))
