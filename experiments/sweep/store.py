"""Reading a result store: how often each set was delivered, and the quality of each set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from experiments.execution.netcdf import load_values, opened
from experiments.execution.output import REFUSED, distinct_name, short_name
from experiments.statistics.means import declare
from experiments.sweep.draws import DRAW
from experiments.sweep.layout import (
    ASKED,
    NOT_RUN,
    OF_SET,
    POINT,
    check_layout,
    check_values,
    metric_names,
)
from scmc_comm.link.prepared import SYMBOLS
from scmc_comm.types import LayerKind

LAYER_TAGS = tuple(kind.tag for kind in LayerKind)


def set_order(tags: frozenset[str]) -> tuple[int, list[tuple[int, str]]]:
    """Sorts delivered sets by size, then in decoding order."""
    rank = {tag: i for i, tag in enumerate(LAYER_TAGS)}
    return len(tags), sorted((rank.get(t, len(rank)), t) for t in tags)


def set_text(tags: frozenset[str]) -> str:
    """Text of a delivered set, layers in decoding order.

    Example:
        >>> set_text(frozenset({"signal", "semantic"}))
        'semantic+signal'
    """
    return "+".join(tag for _, tag in set_order(tags)[1])


def set_tags(text: str) -> frozenset[str]:
    """The tags of a delivered set from its text."""
    return frozenset(text.split("+")) if text else frozenset()


def frames_text(frames: Sequence[str]) -> str:
    """Text of what was sent: the frames or, of an analog system, ``symbols``."""
    return SYMBOLS if any(map(is_draw, frames)) else set_text(frozenset(frames))


def is_draw(tag: str) -> bool:
    """Is it a trial of an analog system, which is a set of its own?"""
    return tag.startswith(DRAW)


def is_analog(ds: xr.Dataset) -> xr.DataArray:
    """Flags per system: does it send symbols rather than bits?"""
    return (ds.frames == SYMBOLS).any(("rho", "image", "design"))


def picture_path(
    folder: Path, image: str, system: str, rho: int, design: int, delivered: int
) -> Path:
    """Where the reconstruction of (image, system, index of rho, design and set) lies."""
    return _picture(folder, image, f"{system}__rho{rho}__design{design}__set{delivered}")


def original_path(folder: Path, image: str) -> Path:
    """Where the original of an image lies."""
    return _picture(folder, image, "original")


def _picture(folder: Path, image: str, what: str) -> Path:
    """What some file system refuses in a name becomes ``_``."""
    of, how = short_name(distinct_name(image), 90), short_name(re.sub(REFUSED, "_", what), 110)
    return folder / "reconstructions" / f"{of}__{how}.png"


@contextmanager
def reading(path: Path) -> Iterator[xr.Dataset]:
    """Opens a store, its SNRs rising whatever their order in the spec.

    Its single trials stay in the file until they are asked for.

    Raises:
        ScmcError: There is no such file, it is no result store of a sweep, was written by another
            version, or is damaged.
    """
    with opened(path) as ds:
        check_layout(ds, path)
        load_values(ds, path, ["delivered_set"])
        check_values(ds, path)
        for metric in metric_names(ds):
            attrs = set_table(ds, metric).attrs
            if "better" in attrs:
                declare(metric, attrs["better"])
        yield ds.sortby("esno_db")


def load(folder: str | Path) -> xr.Dataset:
    """Reads the results of a sweep, single trials included; errors as `reading`'s."""
    with reading(Path(folder) / "results.nc") as ds:
        return ds.load()


def set_table(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A metric of delivered sets, [system, rho, image, design, set]; else the variable itself.

    The metric's own name is that of its mean over trials, so that nobody takes a mean over sets,
    which are not equally likely, for it.
    """
    return ds[name + OF_SET] if name + OF_SET in ds else ds[name]


def trial_means(ds: xr.Dataset, metric: str) -> xr.DataArray:
    """Mean of a metric over the trials, or its expectation, failures included, [*POINT].

    NaN where it is undefined for a set that came.
    """
    values, shares = at_points(ds, metric), weights(ds)
    undefined = (values.isnull() & (shares > 0)).any("set")
    return (shares * values.fillna(0.0)).sum("set").where(~undefined)


def asked(ds: xr.Dataset, metric: str) -> xr.DataArray:
    """Flags [channel, esno_db, rho]: is the metric measured at this point?

    Elsewhere it is not known, which is another thing than undefined.
    """
    name = ASKED.format(metric)
    if name in ds:
        return ds[name] == 1
    dims = ("channel", "esno_db", "rho")
    coords = {dim: ds[dim] for dim in dims}
    return xr.DataArray(np.ones([ds.sizes[dim] for dim in dims], bool), coords, dims)


def partial_metrics(ds: xr.Dataset) -> list[str]:
    """The metrics that are measured at the primary endpoints alone."""
    return [name for name in metric_names(ds) if ASKED.format(name) in ds]


def is_exact(ds: xr.Dataset) -> bool:
    """Does it hold probabilities of delivered sets in place of trials?"""
    return "probability" in ds


def expectation_note(ds: xr.Dataset) -> str:
    """How exact the expectations are: over drawn fades they have an error of their own."""
    draws = ds.fade_draws.values if "fade_draws" in ds else np.zeros(1, int)
    if not draws.any():
        return "exact expectations"
    fewest = int(draws[draws > 0].min())
    some = "some channels" if (draws == 0).any() else "the channel"
    return (
        f"expectations, of {some} over {fewest} drawn fades: a delivery probability has a standard "
        f"error of up to {0.5 / fewest**0.5:.3f} that bands do not hold"
    )


def num_trials(ds: xr.Dataset) -> xr.DataArray:
    """Trials run, [*POINT]; none where expectations are exact."""
    if is_exact(ds):
        return xr.zeros_like(ds.probability.isel(set=0, drop=True), dtype=np.int64)
    return ds["count"].sum("set")


def weights(ds: xr.Dataset) -> xr.DataArray:
    """Probability of each delivered set, or its share of the trials, [*POINT, set]."""
    if is_exact(ds):
        return ds.probability.transpose(*POINT, "set")
    return (ds["count"] / num_trials(ds)).transpose(*POINT, "set")


def at_points(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A variable of preparations, looked up for each point by the design that it used.

    Args:
        ds: A result store.
        name: A variable over ``design``: of single preparations such as ``"bpp"`` or ``"frames"``,
            or of delivered sets such as ``"level"`` or a metric's. A metric is NaN at points at
            which it is not measured (`asked`).

    Returns:
        [*POINT], or [*POINT, set].
    """
    variable = set_table(ds, name)
    systems = xr.DataArray(np.arange(ds.sizes["system"]), dims="system")
    found = variable.isel(system=systems, design=ds.design_of)
    if ASKED.format(name) in ds:
        found = found.where(asked(ds, name))
    return found.transpose(*POINT, "set", missing_dims="ignore").drop_vars(
        "design", errors="ignore"
    )


def is_designed(ds: xr.Dataset) -> bool:
    """Is any system designed for the sweep's design SNR, rather than for each point's own?"""
    systems = xr.DataArray(np.arange(ds.sizes["system"]), dims="system")
    assumed = ds.designed_esno_db.isel(system=systems, design=ds.design_of)
    fixed = (assumed == ds.attrs["design_esno_db"]).all(("channel", "esno_db"))
    return ds.sizes["esno_db"] == 1 or bool(fixed.any())


def infeasible(ds: xr.Dataset) -> xr.DataArray:
    """Flags [*POINT]: was the budget too small to send anything of the image?"""
    return at_points(ds, "frames") == ""


def unit_tags(ds: xr.Dataset) -> list[str]:
    """Tags of all units that some system sent, layers first."""
    found = frozenset().union(*(set_tags(t) for t in np.unique(ds.frames.values.astype(str))))
    return [tag for _, tag in set_order(found - {SYMBOLS})[1]]


def holds(ds: xr.Dataset, tag: str) -> xr.DataArray:
    """Flags per set: is the unit of this tag in it?"""
    return xr.DataArray([tag in set_tags(str(t)) for t in ds.set.values], dims="set")


def was_run(ds: xr.Dataset) -> xr.DataArray:
    """Flags per trial: False where the stopping rule ended a point earlier."""
    return ds.delivered_set != NOT_RUN


def gather(ds: xr.Dataset, table: xr.DataArray, missing: Any) -> xr.DataArray:
    """Looks a table of sets, [set] or [*POINT, set] as `at_points` gives it, up for each trial."""
    dims = (*POINT, "trial")
    delivered = ds.delivered_set.transpose(*dims)
    run = delivered != NOT_RUN
    order = [dim for dim in (*POINT, "set") if dim in table.dims]
    values = table.transpose(*order).values
    values = values.reshape((1,) * (len(dims) - values.ndim) + values.shape)
    found = np.take_along_axis(values, np.where(run, delivered, 0).astype(np.intp), axis=-1)
    out = xr.DataArray(found, {d: ds[d] for d in dims}, dims, attrs=table.attrs)
    return out.where(run, missing)


def expand(ds: xr.Dataset, names: Sequence[str] | None = None) -> xr.Dataset:
    """Metrics of each trial, [system, channel, esno_db, rho, image, trial]; NaN where not run.

    This takes eight bytes a trial and metric: meant for small stores, or a part of a large one.

    Args:
        ds: A result store with trials.
        names: Metrics; None for all.
    """
    chosen = metric_names(ds) if names is None else list(names)
    found = {name: gather(ds, at_points(ds, name), np.nan) for name in chosen}
    return xr.Dataset(found, attrs=ds.attrs)


def delivered(ds: xr.Dataset, tag: str) -> xr.DataArray:
    """Flags per trial: did the unit of this tag arrive (False where not run or not sent)."""
    return gather(ds, holds(ds, tag), False)
