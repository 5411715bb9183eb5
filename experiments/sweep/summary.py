"""What the figures show: means, intervals and delivery probabilities of a result store."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from channels.bler.table import wilson_interval
from experiments.statistics import resampling
from experiments.statistics.means import Floats, Interval, bootstrap_interval
from experiments.sweep import store

POINT = ("system", "channel", "esno_db", "rho")
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
    expectations are exact they are over images alone, and of no width for a single image.

    Args:
        ds: A result store.
        seed: Seed of the resampling; the fixed default makes figures reproducible.
        num_resamples: Bootstrap replicates.

    Returns:
        Dataset over (metric, system, channel, esno_db, rho), each with limits ``_low`` and
        ``_high``: ``value_mean``, ``difference_mean`` to the first system, ``given_delivery``
        (mean where anything was delivered; images weigh by how often it is; NaN where nothing
        ever was) and, over no metric, ``psnr_of_mean_mse_db``.
    """
    names = store.metric_names(ds)
    if store.is_exact(ds):
        rows = _exact_rows(ds)
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        values = bootstrap_interval(rows, rng, num_resamples, statistic=_averages)
        means = rows[: len(names)]
        difference = bootstrap_interval(means - means[:, :1], again, num_resamples)
    else:
        values, difference = _drawn_intervals(ds, seed, num_resamples)
    found = xr.Dataset(coords={"metric": names, **{dim: ds[dim] for dim in POINT}})
    for end, both in (("mean", values.mean), ("low", values.low), ("high", values.high)):
        value, given = np.split(both, 2)
        given_name = "given_delivery" if end == "mean" else f"given_delivery_{end}"
        found[f"value_{end}"] = (("metric", *POINT), value)
        found[given_name] = (("metric", *POINT), given)
        found[f"difference_{end}"] = (("metric", *POINT), getattr(difference, end))
    if "mse" in names:
        # PSNR falls with MSE, so that their percentiles are each other's.
        ends = {"": "mean", "_low": "high", "_high": "low"}
        with np.errstate(divide="ignore"):
            for suffix, end in ends.items():
                mse = found[f"value_{end}"].sel(metric="mse", drop=True)
                found[f"psnr_of_mean_mse_db{suffix}"] = -10 * np.log10(mse)
    return found


def _averages(rows: Floats) -> Floats:
    """Means and means given delivery, [2 metrics, ...].

    Args:
        rows: Means of the metrics, of each metric where anything was delivered and 0 elsewhere,
            and of whether anything was, [2 metrics + 1, ...].
    """
    num_metrics = len(rows) // 2
    plain, given_part, delivered = np.split(rows, [num_metrics, 2 * num_metrics])
    with np.errstate(invalid="ignore"):
        return np.concatenate([plain, given_part / delivered])


def _exact_rows(ds: xr.Dataset) -> Floats:
    """What `_averages` takes, for each image: [2 metrics + 1, *POINT, image, 1]."""
    weights = store.weights(ds).values
    delivered = weights * (ds.set != "").values
    tables = [_table(ds, name) for name in store.metric_names(ds)]
    means = [_mean(chosen, table) for chosen in (weights, delivered) for table in tables]
    return np.stack([*means, delivered.sum(axis=-1)])[..., None]


def _drawn_intervals(ds: xr.Dataset, seed: int, num_resamples: int) -> tuple[Interval, Interval]:
    names = store.metric_names(ds)
    counts = ds["count"].transpose(*store.POINT, "set").values
    delivered = (ds.set != "").values
    values = Interval(*np.zeros((3, 2 * len(names), *counts.shape[:4])))
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
            found = resampling.interval(rows, drawn, rng, num_resamples, statistic=_averages)
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


def delivery(ds: xr.Dataset, confidence: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Delivery probability of each unit, over all images and fades, with intervals.

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
        found = _delivery(ds, tag, total, confidence, seed)
        values = {"probability": found.mean, "low": found.low, "high": found.high}
        part = xr.Dataset({name: total.copy(data=v) for name, v in values.items()})
        parts.append(part.where(_sends(ds, tag)).assign(num_trials=total))
    if not parts:
        empty = (("unit", *POINT), np.empty((0, *(ds.sizes[dim] for dim in POINT))))
        coords = {"unit": np.array([], dtype=str), **{dim: ds[dim] for dim in POINT}}
        names = ("probability", "low", "high", "num_trials")
        return xr.Dataset(dict.fromkeys(names, empty), coords)
    return xr.concat(parts, xr.DataArray(tags, dims="unit", name="unit"))


def _delivery(
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
    """The numbers for a report: `quality`'s, and the mean rates on the wire.

    Args:
        ds: A result store.
        found: What `quality` gave for it.
    """
    return found.assign(
        {name: store.at_points(ds, name).mean("image") for name in ("bpp", "channel_uses")}
    )
