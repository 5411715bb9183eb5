"""Writes the result store of a sweep, one point after the other in the order of the axes.

Memory does not grow with the number of trials: they go from the cache to the file in pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from channels.errors import printable
from experiments.execution.cache import Cache, write_atomic
from experiments.execution.fingerprint import git_revision, package_versions
from experiments.execution.netcdf import Disk, changed_file, seal, write_dataset
from experiments.sweep import bounds, distribution, store, tables
from experiments.sweep.asked import primary_points
from experiments.sweep.cells import Cells, merge, occurring_sets
from experiments.sweep.distribution import per_picture
from experiments.sweep.draws import num_draws
from experiments.sweep.layout import CELL, CONTENT
from experiments.sweep.originals import Original, sizes_of
from experiments.sweep.plugins_used import ATTRIBUTE, Used, to_json
from experiments.sweep.points import NEGLIGIBLE, mask_of, set_of
from experiments.sweep.quality import png_bytes
from experiments.sweep.rate_points import RatePoints
from experiments.sweep.results import CellResult, PointResult
from experiments.sweep.shown import shown
from experiments.sweep.spec import SweepSpec
from experiments.sweep.tasks import trial_log
from scmc_comm.device import describe_device
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import CONTROL, ITEMS, PILOTS, UNUSED
from scmc_comm.metrics import METRICS
from scmc_comm.new_file import new_file, remove_parts

_PIECE = 2**20  # trials written at once


def write(
    spec: SweepSpec,
    images: Mapping[str, Original],
    results: Sequence[CellResult],
    metrics: Sequence[str],
    cache: Cache,
    folder: Path,
    rates: Sequence[RatePoints] = (),
    fade_draws: Sequence[int] = (),
    used: Used = (),
) -> None:
    """Writes ``results.nc``, ``results.csv``, ``spec.yaml`` and the pictures that are shown.

    Each file is there whole or not at all, ``results.nc`` last.

    Args:
        spec: The sweep.
        images: The images, in order.
        results: For each (system, image, rho, design) its parts, in any order.
        metrics: Metrics measured.
        cache: Where the trials and the pictures lie.
        folder: Where to.
        rates: Points of image codecs, for bounds.
        fade_draws: For each channel the draws of its fades that an expectation averages over, 0
            where it is exact; empty where trials are drawn.
        used: The plug-ins that made the results.

    Raises:
        ScmcError: There are more delivered sets than a byte can number, or the cache lacks what
            the results name.
    """
    cells = merge(spec, list(images), results)
    sets = occurring_sets(cells.values())
    ds = dataset(spec, list(images), cells, sets, per_picture(metrics))
    if of_sets := [name for name in metrics if name not in per_picture(metrics)]:
        ds = ds.merge(distribution.variables(ds, cells, sets, cache))
        ds.attrs[distribution.NAMES] = ",".join(of_sets)
    ds.attrs[ATTRIBUTE] = to_json(used)
    about = "SHA-256 of the picture, the same in every sweep of it"
    contents = np.array([picture.content for picture in images.values()], object)
    ds[CONTENT] = ("image", contents, {"long_name": about})
    if fade_draws:
        about = "draws of the fades that expectations average over; 0 where they are exact"
        ds["fade_draws"] = ("channel", list(fade_draws), {"units": "1", "long_name": about})
    if rates:
        ds = ds.merge(bounds.variables(rates, [*sizes_of(images).values()], spec.rho))
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder, folder / "reconstructions", folder / "figures")  # of a killed run
    write_atomic(folder / "spec.yaml", spec.to_yaml().encode())
    with new_file(folder / "results.nc") as part:
        write_dataset(ds, part, _encoding(ds))
        if spec.estimator != "expected":
            with changed_file(part) as disk:
                _write_trials(disk, spec, cells, sets, cache)
        seal(part)
        with store.reading(part) as stored:
            _write_pictures(spec, folder, images, cells, stored, cache)
            csv = tables.to_frame(stored).to_csv(index=False)
        write_atomic(folder / "results.csv", csv.encode())


def dataset(
    spec: SweepSpec,
    images: Sequence[str],
    cells: Cells,
    sets: Sequence[frozenset[str]],
    metrics: Sequence[str],
) -> xr.Dataset:
    """All of the store but the single trials: see the attributes of its variables."""
    num_designs = 1 + max(design for *_, design in cells)
    sizes = (len(spec.systems), len(spec.rho), len(images), num_designs)
    position = {tags: n for n, tags in enumerate(sets)}
    quality = {m: np.full((*sizes, len(sets)), np.nan) for m in metrics}
    level = np.full((*sizes, len(sets)), -2, dtype=np.int8)
    caption = np.full((*sizes, len(sets)), "", dtype=object)
    weights = np.zeros((*sizes[:3], len(spec.channels), len(spec.esno_db), len(sets)))
    for at, cell in cells.items():
        for mask, seen in cell.quality.items():
            where = (*at, position[set_of(cell.frames, mask)])
            level[where], caption[where] = seen.level, printable(seen.caption)
            for metric, value in seen.metrics.items():
                quality[metric][where] = value
        for point, result in cell.points.items():
            for mask, weight in result.weights.items():
                weights[(*at[:3], *point, position[set_of(cell.frames, mask)])] = weight
    table = (*CELL, "set")
    data: dict[str, Any] = {
        "level": (table, level, {
            "long_name": "highest layer used: 0 semantic, 1 structure, 2 signal",
            "flag_values": [-1, -2], "flag_meanings": "nothing_delivered never_occurred",
        }),
        "caption": (table, caption, {"long_name": "caption received"}),
    }  # fmt: skip
    dims = (*CELL[:3], "channel", "esno_db", "set")
    coords: dict[str, Any] = {
        "system": list(spec.systems), "image": list(images), "channel": list(spec.channels),
        "rho": ("rho", list(spec.rho), {"units": "1", "long_name": "channel uses / (3 H W)"}),
        "esno_db": ("esno_db", list(spec.esno_db), {"units": "dB", "long_name": "mean Es/N0"}),
        "set": [store.set_text(s) for s in sets], "item": list(_ITEMS),
    }  # fmt: skip
    if spec.estimator == "expected":
        attrs: dict[str, Any] = {
            "units": "1", "long_name": "probability that just this set is delivered",
            "left_out_at_most": NEGLIGIBLE,
        }  # fmt: skip
        data["probability"] = (dims, weights, attrs)
    else:
        attrs = {"units": "1", "long_name": "number of trials that delivered just this set"}
        data["count"] = (dims, weights.astype(np.int64), attrs)
        coords["trial"] = np.arange(spec.num_trials, dtype=np.int32)
    for metric, values in quality.items():
        attrs = {
            "units": METRICS[metric].unit or "1", "long_name": f"{metric} of a delivered set",
            "quality_metric": 1, "better": METRICS[metric].better,
        }  # fmt: skip
        data[metric + store.OF_SET] = (table, values, attrs)
        if metric in spec.primary_metrics:
            flags = primary_points(spec).astype(np.int8)
            about = "1 where the metric is measured: at the primary endpoints alone"
            axes = ("channel", "esno_db", "rho")
            data[store.ASKED.format(metric)] = (axes, flags, {"long_name": about})
    data |= _per_image(cells, sizes) | _designs(spec, cells, num_designs) | _ledgers(cells, sizes)
    ds = xr.Dataset(data, coords, _provenance(spec))
    for metric in quality:
        about = f"mean {metric} over the trials of a point, failures included"
        attrs = {"units": METRICS[metric].unit or "1", "long_name": about}
        means = store.trial_means(ds, metric)
        ds[metric] = (means.dims, means.values, attrs)
    return ds.transpose(*store.POINT, "design", "trial", "set", "item", missing_dims="ignore")


def _per_image(cells: Cells, sizes: tuple[int, ...]) -> dict[str, Any]:
    bpp, papr_db = np.full(sizes, np.nan), np.full(sizes, np.nan)
    uses = np.zeros(sizes, dtype=np.int64)
    frames, reason = (np.full(sizes, "", dtype=object) for _ in range(2))
    pilots = np.zeros(sizes, dtype=np.int64)
    for at, cell in cells.items():
        bpp[at], uses[at], pilots[at] = cell.bpp, cell.channel_uses, cell.pilot_uses
        frames[at], reason[at] = store.frames_text(cell.frames), cell.infeasible
        papr_db[at] = cell.papr_db
    return {
        "bpp": (CELL, bpp, {"units": "bit / pixel", "long_name": "rate on the wire"}),
        "channel_uses": (CELL, uses, {"units": "1", "long_name": "complex channel uses charged"}),
        "pilot_uses": (CELL, pilots, {"units": "1", "long_name": "those of them that were pilots"}),
        "frames": (CELL, frames, {"long_name": "frames sent; empty where the budget is too small"}),
        "papr_db": (
            CELL,
            papr_db,
            {
                "units": "dB",
                "long_name": "peak over mean power of the waveform; NaN where nothing is sent",
            },
        ),
        "infeasible": (CELL, reason, {"long_name": "why nothing could be sent; empty if it was"}),
    }


_ITEMS = (*ITEMS, PILOTS, CONTROL, UNUSED)


def _ledgers(cells: Cells, sizes: tuple[int, ...]) -> dict[str, Any]:
    uses = np.full((*sizes, len(_ITEMS)), np.nan)
    for at, cell in cells.items():
        uses[at] = [cell.ledger.get(item, np.nan) for item in _ITEMS]
    about = {"units": "1", "long_name": "channel uses of the budget by what they carry"}
    return {"ledger_uses": ((*CELL, "item"), uses, about)}


def _designs(spec: SweepSpec, cells: Cells, num_designs: int) -> dict[str, Any]:
    """What each system's transmissions were designed for, and where each design was used."""
    of = np.zeros((len(spec.systems), len(spec.channels), len(spec.esno_db)), dtype=np.int32)
    esno_db = np.full((len(spec.systems), num_designs), np.nan)
    channel = np.full(esno_db.shape, "", dtype=object)
    for (s, _, _, d), cell in cells.items():
        esno_db[s, d], channel[s, d] = cell.designed_for.esno_db, cell.designed_for.channel
        for at in cell.points:
            of[(s, *at)] = d
    used = "design that the system's transmissions used at this point"
    assumed = "that the sender assumed, as far as it takes it into account"
    return {
        "design_of": (("system", "channel", "esno_db"), of, {"long_name": used}),
        "designed_esno_db": (
            ("system", "design"), esno_db, {"units": "dB", "long_name": f"mean Es/N0 {assumed}"}
        ),
        "designed_channel": (
            ("system", "design"), channel, {"long_name": f"channel law {assumed}"}
        ),
    }  # fmt: skip


def _provenance(spec: SweepSpec) -> dict[str, Any]:
    return {
        "title": spec.name,
        "spec_yaml": spec.to_yaml(),
        "git_revision": git_revision(),
        "versions": json.dumps(package_versions(), sort_keys=True),
        "device": describe_device(),
        "seed": spec.seed,
        "estimator": spec.estimator,
        "design_esno_db": spec.design_esno_db,
        "utility": spec.utility,
        "phy": spec.phy,
        "analog_trials": num_draws(spec),
        "failure_policy": "nothing delivered is scored as mid-grey and stays in every mean",
    }


def _encoding(ds: xr.Dataset) -> dict[str, Any]:
    small = {"zlib": True, "complevel": 4}
    large = [n for n, v in ds.variables.items() if not {"set", "trial"}.isdisjoint(v.dims)]
    return {str(name): small for name in large if ds[name].dtype.kind in "iuf"}


def _write_trials(
    disk: Disk,
    spec: SweepSpec,
    cells: Cells,
    sets: Sequence[frozenset[str]],
    cache: Cache,
) -> None:
    """Adds ``delivered_set`` to the file: a byte a trial, the index of its delivered set."""
    with h5netcdf.File(disk, "a") as file:
        dims = (*store.POINT, "trial")
        chunks = (*(1 for _ in store.POINT), min(spec.num_trials, _PIECE))
        variable = file.create_variable(
            "delivered_set", dims, "u1", chunks=chunks, compression="gzip", compression_opts=4
        )
        variable.attrs["long_name"] = "index of the delivered set of each trial"
        variable.attrs["not_run"] = store.NOT_RUN
    position = {tags: n for n, tags in enumerate(sets)}
    disk.check()
    with h5py.File(disk, "r+") as file:  # ten times faster a write than through h5netcdf
        trials = file["delivered_set"]
        for (s, r, i, _), cell in sorted(cells.items()):
            masks = np.array(sorted(cell.quality), dtype=np.uint64)
            index = np.array([position[set_of(cell.frames, int(m))] for m in masks], np.uint8)
            for (c, e), point in sorted(cell.points.items()):  # the file's layout follows
                start = 0
                for piece in _pieces(cache, point, len(cell.frames)):
                    found = index[np.searchsorted(masks, piece)]
                    trials[s, c, e, r, i, start : start + len(piece)] = found
                    start += len(piece)
                disk.check()
                for rest in range(start, spec.num_trials, _PIECE):
                    trials[s, c, e, r, i, rest : rest + _PIECE] = store.NOT_RUN


def _pieces(cache: Cache, point: PointResult, num_frames: int) -> Iterator[np.ndarray]:
    """The masks of a point's trials, many chunks at once."""
    held: list[np.ndarray] = []
    for masks in trial_log(cache, point.key, num_frames).read(int(sum(point.weights.values()))):
        held.append(masks)
        if sum(map(len, held)) >= _PIECE:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _write_pictures(
    spec: SweepSpec,
    folder: Path,
    images: Mapping[str, Original],
    cells: Cells,
    ds: xr.Dataset,
    cache: Cache,
) -> None:
    """The originals and the reconstructions that strips show, of the first images."""
    sets = [store.set_tags(str(text)) for text in ds.set.values]
    for left in (folder / "reconstructions").glob("*__*.png"):  # of an earlier run
        left.unlink()
    for i, name in enumerate(list(images)[: spec.strip_images]):
        write_atomic(store.original_path(folder, name), png_bytes(images[name].img))
        for c, r in np.ndindex(ds.sizes["channel"], ds.sizes["rho"]):
            strip = shown(ds, i, c, r)
            for s, column in np.ndindex(strip.sets.shape):
                design, k = int(strip.designs[s, column]), int(strip.sets[s, column])
                cell = cells[s, r, i, design]
                png = cache.get(cell.quality[mask_of(cell.frames, sets[k])].picture)
                if png is None:
                    raise ScmcError(
                        f"a picture of {name} is not in the cache {cache.folder}; workers need "
                        "the same cache folder (set SCMC_COMM_CACHE to a shared one)"
                    )
                write_atomic(store.picture_path(folder, name, cell.system, r, design, k), png)
