"""Metrics of a set of pictures in a result store: KID and FID, mixtures over delivered sets.

The store keeps features of each original and of what each delivered set shows; the metrics follow
from them and from the delivery probabilities (or the shares of the trials), exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.execution.cache import Cache
from experiments.statistics.means import Floats, Interval, jackknife_interval, no_interval
from experiments.sweep import store
from experiments.sweep.layout import CELL
from experiments.sweep.points import set_of
from experiments.sweep.results import CellResult
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.distribution import OF_SETS, PairSums, Shown, fid, pair_sums

NAMES = "set_metrics"
"""Attribute of a store that names the metrics of sets that it holds features for."""

POINT = ("system", "channel", "esno_db", "rho")
ENDS = ("mean", "low", "high")


def per_picture(metrics: Iterable[str]) -> tuple[str, ...]:
    """The metrics that single pictures have.

    Example:
        >>> per_picture(("psnr_db", "kid_vgg16"))
        ('psnr_db',)
    """
    return tuple(name for name in metrics if name not in OF_SETS)


def variables(
    ds: xr.Dataset,
    cells: Mapping[tuple[int, int, int, int], CellResult],
    sets: Sequence[frozenset[str]],
    cache: Cache,
) -> xr.Dataset:
    """The part of a store that holds features.

    Args:
        ds: The rest of it.
        cells: Results by index of `CELL`.
        sets: The delivered sets, in the order of the store.
        cache: Where the features lie.

    Raises:
        ScmcError: The cache lacks some.
    """
    keys = np.full([ds.sizes[dim] for dim in (*CELL, "set")], "", dtype=object)
    originals = [""] * ds.sizes["image"]
    position = {tags: n for n, tags in enumerate(sets)}
    for at, cell in cells.items():
        originals[at[2]] = cell.original_features
        for mask, seen in cell.quality.items():
            keys[(*at, position[set_of(cell.frames, mask)])] = seen.features
    rows = {key: n for n, key in enumerate(sorted(set(keys.ravel().tolist()) - {""}))}
    index = np.vectorize(lambda key: rows.get(key, -1), otypes=[np.int32])(keys)
    about = "VGG16 features, means of the last block, of"
    return xr.Dataset({
        "features_of": (
            (*CELL, "set"), index, {"long_name": "row of picture_features; -1 never came"}
        ),
        "picture_features": (
            ("shown", "feature"), _read(list(rows), cache), {"long_name": f"{about} what is shown"}
        ),
        "original_features": (
            ("image", "feature"), _read(originals, cache), {"long_name": f"{about} the originals"}
        ),
    })  # fmt: skip


def _read(keys: Sequence[str], cache: Cache) -> NDArray[np.float32]:
    found = [cache.get(key) for key in keys]
    if any(data is None for data in found):
        raise ScmcError(
            f"features of a picture are not in the cache {cache.folder}; workers need the same "
            "cache folder (set SCMC_COMM_CACHE to a shared one)"
        )
    return np.stack([np.frombuffer(data, np.float32) for data in found if data is not None])


def names(ds: xr.Dataset) -> list[str]:
    """The metrics of sets that a store holds features for."""
    return [name for name in str(ds.attrs.get(NAMES, "")).split(",") if name]


def quality(ds: xr.Dataset, metric: str) -> xr.Dataset:
    """A metric of sets at every point, as `experiments.sweep.summary.quality` has it.

    Intervals of KID are Student's t with the jackknife's error over images; FID has none.

    Returns:
        ``value``, ``difference`` (to the first system) and ``given_delivery``, each with its ends,
        over (system, channel, esno_db, rho); NaN where the metric is undefined.
    """
    weights = store.weights(ds).transpose(*POINT, "image", "set").values
    delivered = weights * (ds.set != "").values
    summed = _kid if metric == "kid_vgg16" else _fid
    value, left_out = summed(ds, weights)
    given, given_left_out = summed(ds, delivered)
    found = {
        "value": _interval(value, left_out),
        "difference": _interval(value - value[:1], left_out - left_out[:1]),
        "given_delivery": _interval(given, given_left_out),
    }
    found["difference"].low[0] = found["difference"].high[0] = 0.0
    data = {
        name if name == "given_delivery" and end == "mean" else f"{name}_{end}": (
            POINT,
            getattr(interval, end),
        )
        for name, interval in found.items()
        for end in ENDS
    }
    return xr.Dataset(data, {dim: ds[dim] for dim in POINT})


def _interval(value: Floats, left_out: Floats) -> Interval:
    """With a limit where the value exists whatever image is left out."""
    if left_out.shape[-1] < 3:
        return no_interval(value)
    return jackknife_interval(value, left_out)


def _each_shown(
    ds: xr.Dataset, weights: Floats
) -> Iterable[tuple[tuple[NDArray[np.intp], ...], Shown]]:
    """Places in [*POINT] at which delivered sets show the same, and that with their weights."""
    real = ds.original_features.transpose("image", "feature").values.astype(float)
    rows = ds.picture_features.transpose("shown", "feature").values.astype(float)
    index = ds.features_of.transpose("system", "rho", "design", "image", "set").values
    designs = ds.design_of.transpose("system", "channel", "esno_db").values
    for s, r in np.ndindex(index.shape[:2]):
        for design in np.unique(designs[s]):
            c, e = np.nonzero(designs[s] == design)
            own = weights[s, c, e, r]
            came = own.any(axis=(0, 1))
            shown = rows[index[s, r, design][:, came]]
            at = (np.full_like(c, s), c, e, np.full_like(c, r))
            yield at, Shown(real, shown, own[..., came])


def _kid(ds: xr.Dataset, weights: Floats) -> tuple[Floats, Floats]:
    left_out = np.full(weights.shape[:5], np.nan)
    value = np.full(weights.shape[:4], np.nan)
    for at, pictures in _each_shown(ds, weights):
        sums: PairSums = pair_sums(pictures)
        value[at], left_out[at] = sums.kid(), sums.left_out()
    return value, left_out


def _fid(ds: xr.Dataset, weights: Floats) -> tuple[Floats, Floats]:
    value = np.full(weights.shape[:4], np.nan)
    for at, pictures in _each_shown(ds, weights):
        value[at] = [fid(Shown(pictures.real, pictures.shown, own)) for own in pictures.weights]
    return value, np.full(weights.shape[:5], np.nan)
