"""The results of a sweep: raw trials as delivered sets, the quality of each set, provenance."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from experiments.cache import write_atomic
from experiments.components import git_revision, package_versions
from experiments.spec import SweepSpec
from experiments.tasks import NOT_RUN, RhoResult, TaskResult
from scmc_comm.errors import ScmcError
from scmc_comm.types import LayerKind

logger = logging.getLogger(__name__)

LAYER_TAGS = tuple(kind.tag for kind in LayerKind)
UNITS = {"psnr_db": "dB"}
MAX_CSV_ROWS = 200_000
POINT = ("system", "channel", "esno_db", "rho", "image")


def _order(tags: frozenset[str]) -> tuple[int, list[tuple[int, str]]]:
    rank = {tag: i for i, tag in enumerate(LAYER_TAGS)}
    return len(tags), sorted((rank.get(t, len(rank)), t) for t in tags)


def set_text(tags: frozenset[str]) -> str:
    """Text of a delivered set, layers in decoding order.

    Example:
        >>> set_text(frozenset({"signal", "semantic"}))
        'semantic+signal'
    """
    return "+".join(tag for _, tag in _order(tags)[1])


def set_tags(text: str) -> frozenset[str]:
    """The tags of a delivered set from its text."""
    return frozenset(text.split("+")) if text else frozenset()


def build(spec: SweepSpec, images: Sequence[str], results: Sequence[TaskResult],
          metrics: Sequence[str]) -> xr.Dataset:  # fmt: skip
    """Puts the outcome of all tasks into one dataset, whatever order they came in.

    Args:
        spec: The sweep.
        images: Names of the images, in order.
        results: One per (system, image).
        metrics: Metrics measured.

    Returns:
        Dataset: see the attributes of its variables.
    """
    by_key = {(r.system, r.image): r.by_rho for r in results}
    cells = {
        (s, i, r): by_key[system, image][r]
        for s, system in enumerate(spec.systems)
        for i, image in enumerate(images)
        for r in range(len(spec.rho))
    }
    sets = sorted({s for cell in cells.values() for s in cell.sets}, key=_order)
    position = {tags: n for n, tags in enumerate(sets)}
    sizes = (len(spec.systems), len(images), len(spec.rho))
    per_set = {m: np.full((*sizes, len(sets)), np.nan) for m in metrics}
    level = np.full((*sizes, len(sets)), -2, dtype=np.int8)
    caption = np.full((*sizes, len(sets)), "", dtype=object)
    dtype = np.uint8 if len(sets) < 255 else np.uint16
    not_run = int(np.iinfo(dtype).max)
    grid = (len(spec.channels), len(spec.esno_db), spec.num_trials)
    delivered = np.full((*sizes, *grid), not_run, dtype=dtype)
    for at, cell in cells.items():
        remap = np.array([*(position[s] for s in cell.sets), not_run], dtype=dtype)
        delivered[at] = remap[np.where(cell.index == NOT_RUN, len(cell.sets), cell.index)]
        for tags, quality in zip(cell.sets, cell.quality, strict=True):
            where = (*at, position[tags])
            level[where], caption[where] = quality.level, quality.caption
            for metric in metrics:
                per_set[metric][where] = quality.metrics[metric]
    table = ("system", "image", "rho", "set")
    data: dict[str, Any] = {
        "delivered_set": (
            ("system", "image", "rho", "channel", "esno_db", "trial"), delivered,
            {"long_name": "index of the delivered set of each trial", "not_run": not_run},
        ),
        "level": (table, level, {
            "long_name": "highest layer used: 0 semantic, 1 structure, 2 signal",
            "flag_values": [-1, -2], "flag_meanings": "nothing_delivered never_occurred",
        }),
        "caption": (table, caption, {"long_name": "caption received"}),
    }  # fmt: skip
    for metric, values in per_set.items():
        attrs = {"units": UNITS.get(metric, "1"), "long_name": f"{metric} of a delivered set"}
        data[metric] = (table, values, {**attrs, "quality_metric": 1})
    data |= _per_image(cells, sizes)
    coords = {
        "system": list(spec.systems), "image": list(images), "channel": list(spec.channels),
        "rho": ("rho", list(spec.rho), {"units": "1", "long_name": "channel uses / (3 H W)"}),
        "esno_db": ("esno_db", list(spec.esno_db), {"units": "dB", "long_name": "mean Es/N0"}),
        "trial": np.arange(spec.num_trials), "set": [set_text(s) for s in sets],
    }  # fmt: skip
    ds = xr.Dataset(data, coords, _provenance(spec))
    order = ("system", "channel", "esno_db", "rho", "image", "trial", "set")
    return ds.transpose(*order)


def _per_image(
    cells: Mapping[tuple[int, int, int], RhoResult], sizes: tuple[int, ...]
) -> dict[str, Any]:
    bpp, uses = np.zeros(sizes), np.zeros(sizes, dtype=np.int64)
    frames, reason = (np.full(sizes, "", dtype=object) for _ in range(2))
    for at, cell in cells.items():
        bpp[at], uses[at] = cell.bpp, cell.channel_uses
        frames[at], reason[at] = set_text(frozenset(cell.frames)), cell.infeasible
    dims = ("system", "image", "rho")
    return {
        "bpp": (dims, bpp, {"units": "bit / pixel", "long_name": "rate on the wire"}),
        "channel_uses": (dims, uses, {"units": "1", "long_name": "complex channel uses charged"}),
        "frames": (dims, frames, {"long_name": "frames sent; empty where the budget is too small"}),
        "infeasible": (dims, reason, {"long_name": "why nothing could be sent; empty if it was"}),
    }


def _provenance(spec: SweepSpec) -> dict[str, Any]:
    return {
        "title": spec.name,
        "spec_yaml": spec.to_yaml(),
        "git_revision": git_revision(),
        "versions": json.dumps(package_versions(), sort_keys=True),
        "seed": spec.seed,
        "design_esno_db": spec.design_esno_db,
        "failure_policy": "nothing delivered is scored as mid-grey and stays in every mean",
    }


def picture_path(folder: Path, image: str, system: str, rho: int, delivered: int) -> Path:
    """Where the reconstruction of (image, system, index of rho, index of the set) lies."""
    stem = f"{image}__{system}__rho{rho}__set{delivered}".replace("/", "_")
    return folder / "reconstructions" / f"{stem}.png"


def original_path(folder: Path, image: str) -> Path:
    """Where the original of an image lies."""
    return folder / "reconstructions" / f"{image}__original.png".replace("/", "_")


def metric_names(ds: xr.Dataset) -> list[str]:
    """The quality metrics that a dataset holds."""
    return [str(n) for n, v in ds.data_vars.items() if v.attrs.get("quality_metric")]


def was_run(ds: xr.Dataset) -> xr.DataArray:
    """Flags per trial: False where the stopping rule ended a point earlier."""
    return ds.delivered_set != ds.delivered_set.attrs["not_run"]


def _gather(ds: xr.Dataset, table: xr.DataArray, missing: Any) -> xr.DataArray:
    """Looks a (system, image, rho, set) table up for each trial."""
    run = was_run(ds)
    index = ds.delivered_set.where(run, 0).astype(np.int64)
    dims = ("system", "channel", "esno_db", "rho", "image", "trial")
    values = table.transpose("system", "rho", "image", "set").values[:, None, None]
    found = np.take_along_axis(values, index.transpose(*dims).values, axis=-1)
    coords = {d: ds[d] for d in dims}
    out = xr.DataArray(found, coords, dims, attrs=table.attrs)
    return out.where(run.transpose(*dims), missing)


def expand(ds: xr.Dataset, names: Sequence[str] | None = None) -> xr.Dataset:
    """Metrics of each trial, [system, channel, esno_db, rho, image, trial]; NaN where not run.

    Args:
        ds: A result store.
        names: Metrics; None for all.
    """
    chosen = metric_names(ds) if names is None else list(names)
    return xr.Dataset({name: _gather(ds, ds[name], np.nan) for name in chosen}, attrs=ds.attrs)


def unit_tags(ds: xr.Dataset) -> list[str]:
    """Tags of all units that some system sent, layers first."""
    found = frozenset().union(*(set_tags(t) for t in np.unique(ds.frames.values.astype(str))))
    return [tag for _, tag in _order(found)[1]]


def delivered(ds: xr.Dataset, tag: str) -> xr.DataArray:
    """Flags per trial: did the unit of this tag arrive (False where not run or not sent)."""
    has = xr.DataArray([tag in set_tags(str(t)) for t in ds.set.values], dims="set")
    return _gather(ds, has.broadcast_like(ds.level), False)


def to_frame(ds: xr.Dataset) -> pd.DataFrame:
    """The trials as a table, one row each; above `MAX_CSV_ROWS` one row per delivered set.

    In the short form the column ``num_trials`` counts the trials that a row stands for.
    """
    table = expand(ds)
    for tag in dict.fromkeys((*LAYER_TAGS, *unit_tags(ds))):
        table[f"delivered_{tag}"] = delivered(ds, tag)
    table["run"] = was_run(ds)
    table["delivered"] = _gather(ds, ds.set.broadcast_like(ds.level), "")
    frame = table.to_dataframe(dim_order=[*POINT, "trial"]).reset_index()
    frame = frame[frame.pop("run")]
    once = ds[["bpp", "channel_uses", "frames"]].to_dataframe().reset_index()
    once["feasible"] = once.pop("frames") != ""
    frame = frame.merge(once, on=["system", "image", "rho"], how="left")
    metrics = metric_names(ds)
    flags = [c for c in frame if str(c).startswith("delivered")]
    first = [*POINT, "trial", *flags, *metrics, "bpp", "channel_uses", "feasible"]
    if len(frame) > MAX_CSV_ROWS:
        by = [c for c in first if c != "trial"]
        frame = frame.groupby(by, sort=False, dropna=False).size().reset_index(name="num_trials")
        first = [*by, "num_trials"]
    return frame[first]


def save(ds: xr.Dataset, spec: SweepSpec, folder: Path) -> Path:
    """Writes ``results.nc``, ``results.csv`` and ``spec.yaml``, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".results.", suffix=".tmp")
    os.close(handle)
    try:
        ds.to_netcdf(temporary, engine="h5netcdf", encoding={
            "delivered_set": {"zlib": True, "complevel": 4},
        })  # fmt: skip
        os.replace(temporary, folder / "results.nc")
    finally:
        Path(temporary).unlink(missing_ok=True)
    write_atomic(folder / "results.csv", to_frame(ds).to_csv(index=False).encode())
    write_atomic(folder / "spec.yaml", spec.to_yaml().encode())
    return folder / "results.nc"


def load(folder: str | Path) -> xr.Dataset:
    """Reads the results of a sweep.

    Raises:
        ScmcError: There are no results in the folder, or they are unreadable.
    """
    path = Path(folder) / "results.nc"
    if not path.is_file():
        raise ScmcError(f"there is no {path}; run the sweep first, or give its output folder")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            return ds.load()
    except (OSError, ValueError, KeyError) as error:
        raise ScmcError(f"{path} is not a readable result store: {error}; run it again") from error
