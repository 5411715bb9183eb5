"""Delivery probabilities of a result store, with intervals that know which images differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.statistics import resampling
from experiments.statistics.means import Interval, bootstrap_interval
from experiments.statistics.proportions import at_least_wilson
from experiments.sweep import store
from experiments.sweep.summary import POINT

_NAMES = ("probability", "low", "high", "num_trials", "num_images")


def delivery_probabilities(ds: xr.Dataset, confidence: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Delivery probability of each unit, over the images that send it and their fades.

    A unit that does not fit an image's budget, or that the planner leaves out, is not sent, which
    is not the same as lost: that image plays no part. Trials of an image are alike, so that
    images are resampled and not pooled; where every trial ended alike the interval is no narrower
    than Wilson's.

    Args:
        ds: A result store.
        confidence: Coverage of the intervals.
        seed: Seed of the resampling.

    Returns:
        Dataset over (unit, system, channel, esno_db, rho): ``probability``, ``low``, ``high``,
        NaN where no image sends the unit, the limits also where there is no interval;
        ``num_trials`` and ``num_images``, those of the images that send it.
    """
    tags = store.unit_tags(ds)
    sizes = tuple(ds.sizes[dim] for dim in store.POINT)
    holds = np.array([store.holds(ds, tag).values for tag in tags], bool)
    holds = holds.reshape(len(tags), ds.sizes["set"])
    sent = np.array([_sends(ds, tag) for tag in tags], bool).reshape(len(tags), *sizes)
    weights = ds.probability if store.is_exact(ds) else ds["count"]
    drawn = weights.transpose(*store.POINT, "set").values
    shape = (len(tags), *sizes[:4])
    out = {name: np.full(shape, np.nan) for name in _NAMES[:3]}
    out |= {name: np.zeros(shape, dtype=np.int64) for name in _NAMES[3:]}
    for point in np.ndindex(*sizes[:4]):
        masks = sent[(slice(None), *point)]
        for images in np.unique(masks[masks.any(axis=1)], axis=0):
            at = ((masks == images).all(axis=1), *point)
            sets = drawn[point][images]
            found = _interval(holds[at[0]], sets, store.is_exact(ds), confidence, seed)
            out["probability"][at], out["low"][at], out["high"][at] = (
                found.mean, found.low, found.high,
            )  # fmt: skip
            out["num_images"][at] = images.sum()
            out["num_trials"][at] = 0 if store.is_exact(ds) else sets.sum()
    dims = ("unit", *POINT)
    coords = {"unit": np.array(tags, dtype=str), **{dim: ds[dim] for dim in POINT}}
    return xr.Dataset({name: (dims, values) for name, values in out.items()}, coords)


def _interval(
    holds: NDArray[np.bool_], sets: NDArray[Any], exact: bool, confidence: float, seed: int
) -> Interval:
    """Of units [units, sets], from probabilities or counts [images, sets]."""
    rng = np.random.default_rng(seed)
    if exact:
        each = np.einsum("us,is->ui", holds.astype(float), sets)
        found = bootstrap_interval(each[..., None], rng, confidence=confidence)
        return Interval(found.mean, np.clip(found.low, 0, 1), np.clip(found.high, 0, 1))
    rows = np.repeat(holds[:, None].astype(float), len(sets), axis=1)
    found = resampling.interval(rows, sets, rng, confidence=confidence)
    return at_least_wilson(found, holds @ sets.sum(axis=0), int(sets.sum()), confidence)


def _sends(ds: xr.Dataset, tag: str) -> NDArray[np.bool_]:
    """Flags [*POINT]: does the image have a unit of this tag there?"""
    texts = store.at_points(ds, "frames").values.astype(str)
    known = {text: tag in store.set_tags(text) for text in np.unique(texts)}
    return np.vectorize(known.__getitem__, otypes=[bool])(texts)
