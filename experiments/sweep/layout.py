"""What the result store of a sweep holds, and what its readers may rely on."""

from __future__ import annotations

import json
from numbers import Real
from pathlib import Path

import numpy as np
import xarray as xr

from experiments.execution.netcdf import damaged, require
from experiments.sweep.plugins_used import check_used
from scmc_comm.errors import ScmcError

OF_SET = "_of_set"
"""Behind the name of a metric: its values for delivered sets."""
POINT = ("system", "channel", "esno_db", "rho", "image")
CELL = ("system", "rho", "image", "design")
ASKED = "{}_asked"
"""Variable that says at which points a metric is measured, if it is not at all."""
NOT_RUN = 255  # in place of a set's index where the stopping rule ended a point earlier

CONTENT = "picture_content"
"""Variable that tells pictures of one name apart; stores of earlier versions have none."""

_NUMBERS = {
    "esno_db": ("esno_db",), "rho": ("rho",), "design_of": ("system", "channel", "esno_db"),
    "designed_esno_db": ("system", "design"), "bpp": CELL, "channel_uses": CELL,
    "level": (*CELL, "set"),
}  # fmt: skip
_TEXTS = {
    "system": ("system",), "channel": ("channel",), "image": ("image",), "set": ("set",),
    "designed_channel": ("system", "design"), "frames": CELL, "infeasible": CELL,
}  # fmt: skip
_ATTRS = (
    "title", "spec_yaml", "git_revision", "versions", "seed", "estimator", "design_esno_db",
    "failure_policy",
)  # fmt: skip


def metric_names(ds: xr.Dataset) -> list[str]:
    """The quality metrics that a dataset holds."""
    names = (str(n) for n, v in ds.data_vars.items() if v.attrs.get("quality_metric"))
    return [name.removesuffix(OF_SET) for name in names]


def check_layout(ds: xr.Dataset, path: Path) -> None:
    """Checks names, dimensions, types and attributes; no value is read.

    Raises:
        ScmcError: It is a store of another kind or version, or damaged.
    """
    if (kind := ds.attrs.get("kind", "sweep")) != "sweep":
        raise ScmcError(
            f"{path} is of kind {kind!r}; expected that of a sweep (kind: sweep), "
            "as 'scmc-comm plot' draws the figures of the others"
        )
    weights = _weights(ds)
    needed = {**_NUMBERS, **_TEXTS, weights: (*POINT, "set")}
    needed |= {"delivered_set": (*POINT, "trial")} if weights == "count" else {}
    metrics = metric_names(ds)
    needed |= {name + OF_SET: (*CELL, "set") for name in metrics if name + OF_SET in ds}
    needed |= {
        asked: ("channel", "esno_db", "rho")
        for name in metrics if (asked := ASKED.format(name)) in ds
    }  # fmt: skip
    require(ds, path, needed, _ATTRS)
    for name in needed:
        if (ds[name].dtype.kind in "biuf") == (name in _TEXTS):
            raise damaged(path, f"{name!r} holds {ds[name].dtype}")
    if not isinstance(ds.attrs["design_esno_db"], Real):
        raise damaged(path, f"design_esno_db is {ds.attrs['design_esno_db']!r}")
    try:
        json.loads(ds.attrs["versions"]).items()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"attribute versions: {error}") from None
    check_used(ds, path)


def check_values(ds: xr.Dataset, path: Path) -> None:
    """Checks the numbers that others are looked up by.

    Raises:
        ScmcError: There is no metric, an index is out of range, a weight is no weight, or an axis
            names something twice.
    """
    if not metric_names(ds):
        raise damaged(path, "it holds no metric")
    for axis in (*POINT, "set"):
        if not ds.indexes[axis].is_unique:
            raise damaged(path, f"axis {axis!r} names something twice")
    if not np.isfinite(ds.esno_db.values).all() or not (ds.rho.values > 0).all():
        raise damaged(path, "an SNR that is not finite, or a bandwidth ratio that is not positive")
    _check_index(ds.design_of.values, ds.sizes["design"], "design_of", path)
    if "features_of" in ds:
        _check_index(ds.features_of.values, ds.sizes["shown"], "features_of", path, -1)
    weights = ds[_weights(ds)].values
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise damaged(path, "a weight of a delivered set that is negative or not finite")
    if "delivered_set" not in ds:
        return
    for s, c in np.ndindex(ds.sizes["system"], ds.sizes["channel"]):
        try:
            trials = ds.delivered_set.isel(system=s, channel=c).values
        except Exception as error:  # HDF5 answers damage with a dozen kinds of exception
            raise damaged(path, f"'delivered_set': {error}") from error
        _check_index(trials[trials != NOT_RUN], ds.sizes["set"], "delivered_set", path)


def _weights(ds: xr.Dataset) -> str:
    return "probability" if "probability" in ds.variables else "count"


def _check_index(index: np.ndarray, size: int, name: str, path: Path, low: int = 0) -> None:
    if index.size and not low <= index.min() <= index.max() < size:
        found = f"{index.min()} to {index.max()}"
        raise damaged(path, f"{name!r} holds {found}; expected {low} to {size - 1}")
