"""The result store of a timed experiment: one number a run, and what the figures show of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from experiments.execution.fingerprint import git_revision, package_versions
from experiments.execution.netcdf import damaged, load_values, opened, require
from experiments.statistics.means import Interval
from experiments.sweep.plugins_used import check_used
from experiments.timed.computing import energy_j
from experiments.timed.schemes import Scheme
from experiments.timed.simulate import Job, Outcome
from experiments.timed.spec import TimedSpec
from scmc_comm.device import describe_device
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.timed.library import Library

RUN = ("scheme", "value", "replication")
AXIS_UNITS = {"load": "1", "num_users": "1", "deadline_s": "s", "esno_db": "dB"}
# Unit and meaning of each variable that is no quality metric.
ABOUT = {
    "utilisation": ("1", "share of the time in which the link sent"),
    "energy_per_picture_j": ("J", "transmit power times air time, a picture"),
    "num_pictures": ("1", "pictures offered"),
    "all_delivered": (
        "1", "units of all kinds delivered within their deadline, over those offered"
    ),
    "offered": ("1", "units offered"),
    "delivered": ("1", "units delivered within their deadline"),
    **{
        f"p{n}_s": ("s", f"{n}th percentile of the latency of delivered units")
        for n in (50, 95, 99)
    },
    "wait_s": ("s", "mean time from arrival to the first transmission"),
    "age_s": ("s", "mean age of information at a receiver"),
    "unit_energy_j": ("J", "energy spent on the unit"),
    "picture_bits": ("bit", "payload bits of all units of a picture"),
    "encode_s": ("s", "from a picture to all of its units, mean over the pictures"),
    "decode_s": ("s", "from the arrival of a unit until it is shown, mean over the pictures"),
    "encoder_energy_j": ("J", "encoder_w times encode_s, a picture offered"),
    "decoder_energy_j": ("J", "decoder_w times the time to decode what came, a picture offered"),
    "total_energy_j": ("J", "energy on air, of the encoder and of the decoder, a picture offered"),
    "busy_encoders": ("1", "pictures that are being encoded at a time, on average"),
}  # fmt: skip
_OF_COMPUTING = ("encode_s", "decode_s", "encoder_energy_j", "decoder_energy_j", "total_energy_j",
                 "busy_encoders")  # fmt: skip
_NEEDED = {
    "scheme": ("scheme",), "value": ("value",), "unit": ("unit",), "image": ("image",),
    "utilisation": RUN, "energy_per_picture_j": RUN, "num_pictures": RUN, "all_delivered": RUN,
    "picture_bits": ("scheme", "image"),
    "offered": (*RUN, "unit"), "delivered": (*RUN, "unit"), "age_s": (*RUN, "unit"),
}  # fmt: skip


def dataset(
    spec: TimedSpec,
    images: Sequence[str],
    library: Library,
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    quality: Mapping[tuple[str, int, str], Mapping[str, float]],
) -> xr.Dataset:
    """The store: each variable over (scheme, value, replication), some also over units.

    Args:
        spec: The experiment.
        images: Names of the pictures.
        library: What was sent.
        jobs: The runs.
        outcomes: What each gave.
        quality: Metrics by (system, index of the picture, delivered tags as text).
    """
    runs, parts = [], []
    for job, found in zip(jobs, outcomes, strict=True):
        at = {"scheme": job.scheme, "value": job.value, "replication": job.replication}
        runs.append(at | _quality(job, found, quality) | _totals(found))
        parts += [{**at, "unit": tag, **numbers} for tag, numbers in found.units.items()]
    units = list(dict.fromkeys(tag for job in jobs for tag in job.tags))
    each = _cube(parts, (*RUN, "unit")).rename(energy_j="unit_energy_j")
    order = {"scheme": list(spec.schemes), "value": list(spec.values), "unit": units}
    ds = xr.merge([_cube(runs, RUN), each]).reindex(order)
    systems = [Scheme.parse(text).system for text in spec.schemes]
    bits = [[sum(sizes.values()) for sizes in library.sizes(system)] for system in systems]
    ds["picture_bits"] = (("scheme", "image"), bits)
    ds = ds.assign_coords(image=list(images))
    for name, values in ds.data_vars.items():
        if name in ABOUT:
            values.attrs = dict(zip(("units", "long_name"), ABOUT[str(name)], strict=True))
        else:
            about = f"mean {name} over the pictures offered for which it is defined"
            units_of = "dB" if name == "psnr_db" else "1"
            count = _num_defined(str(name), quality)
            values.attrs = {"long_name": about, "units": units_of, "quality_metric": 1}
            values.attrs["num_images"] = count
    ds["value"].attrs = {"long_name": spec.axis, "units": AXIS_UNITS[spec.axis]}
    ds.attrs = _provenance(spec, jobs)
    return ds


def with_computing(
    ds: xr.Dataset,
    spec: TimedSpec,
    library: Library,
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
) -> xr.Dataset:
    """The store with the times of the codecs and the energy that they cost.

    Pictures that are encoded at a time are the rate of arrivals times `encode_s` (J. D. C. Little,
    "A proof for the queuing formula L = lambda W", Operations Research 9(3), 1961).

    Args:
        ds: Of `dataset`.
        spec: The experiment.
        library: What was sent.
        jobs: The runs.
        outcomes: What each gave.
    """
    runs = []
    for job, found in zip(jobs, outcomes, strict=True):
        scheme, time_s = Scheme.parse(job.scheme), job.computing.encode_s
        encoder_j, decoder_j = energy_j(spec, library, scheme, job.computing, found.delivered)
        runs.append({
            "scheme": job.scheme, "value": job.value, "replication": job.replication,
            "encoder_energy_j": encoder_j, "decoder_energy_j": decoder_j,
            "busy_encoders": found.num_pictures / spec.duration_s * time_s,
        })  # fmt: skip
    order = {"scheme": list(spec.schemes), "value": list(spec.values)}
    ds = xr.merge([ds, _cube(runs, RUN).reindex(order)], combine_attrs="override")
    ds["total_energy_j"] = ds.energy_per_picture_j + ds.encoder_energy_j + ds.decoder_energy_j
    of = {job.scheme: job.computing for job in jobs}
    each = [of[text] for text in spec.schemes]
    ds["encode_s"] = ("scheme", [computing.encode_s for computing in each])
    units = [str(tag) for tag in ds.unit.values]
    decode = [[computing.decode_s.get(tag, np.nan) for tag in units] for computing in each]
    ds["decode_s"] = (("scheme", "unit"), decode)
    for name in _OF_COMPUTING:
        ds[name].attrs = dict(zip(("units", "long_name"), ABOUT[name], strict=True))
    return ds


def _quality(
    job: Job, found: Outcome, quality: Mapping[tuple[str, int, str], Mapping[str, float]]
) -> dict[str, float]:
    """Mean of each metric over the pictures offered for which it is defined; NaN without any."""
    system = Scheme.parse(job.scheme).system
    shown = [(n, quality[system, *picture]) for picture, n in found.delivered.items()]
    means = {}
    for metric in next(iter(quality.values())):
        known = [(n, scores[metric]) for n, scores in shown if not np.isnan(scores[metric])]
        count = sum(n for n, _ in known)
        means[metric] = sum(n * value for n, value in known) / count if count else np.nan
    return means


def _num_defined(metric: str, quality: Mapping[tuple[str, int, str], Mapping[str, float]]) -> int:
    """For how many of the pictures shown a metric is defined."""
    pictures = {picture for _, picture, _ in quality}
    undefined = {p for (_, p, _), scores in quality.items() if np.isnan(scores[metric])}
    return len(pictures - undefined)


def _totals(found: Outcome) -> dict[str, float]:
    """What is counted over all units of a run."""
    offered, delivered = (
        sum(numbers[name] for numbers in found.units.values()) for name in ("offered", "delivered")
    )
    return {
        "utilisation": found.utilisation,
        "energy_per_picture_j": found.energy_j / max(found.num_pictures, 1),
        "num_pictures": float(found.num_pictures),
        "all_delivered": delivered / max(offered, 1),
    }


def _cube(rows: list[dict[str, Any]], dims: tuple[str, ...]) -> xr.Dataset:
    return pd.DataFrame(rows).set_index(list(dims)).to_xarray()


def _provenance(spec: TimedSpec, jobs: Sequence[Job]) -> dict[str, Any]:
    return {
        "kind": spec.KIND,
        "title": spec.name,
        "axis": spec.axis,
        "spec_yaml": spec.to_yaml(),
        "git_revision": git_revision(),
        "versions": json.dumps(package_versions(), sort_keys=True),
        "device": describe_device(),
        "seed": spec.seed,
        "frames_per_s_at_load_1": jobs[0].frames_per_s * spec.num_users,
        "failure_policy": "a picture of which nothing came in time is scored as mid-grey",
    }


@contextmanager
def reading(path: Path) -> Iterator[xr.Dataset]:
    """Opens a store.

    Raises:
        ScmcError: No such file, or it is no store of a timed experiment, was written by another
            version, or is damaged.
    """
    with opened(path) as ds:
        if ds.attrs.get("kind") != TimedSpec.KIND:
            raise ScmcError(f"{path} is no store of a timed sweep; run one, such as congestion")
        require(ds, path, _NEEDED, ("title", "axis", "spec_yaml", "seed"))
        if ds.attrs["axis"] not in AXIS_UNITS:
            raise damaged(path, f"axis is {ds.attrs['axis']!r}")
        check_used(ds, path)
        load_values(ds, path)
        yield ds


def is_timed(folder: Path) -> bool:
    """Does a folder hold the results of a timed experiment?"""
    try:
        with opened(folder / "results.nc") as ds:
            return ds.attrs.get("kind") == TimedSpec.KIND
    except ScmcError:
        return False


def over_runs(values: xr.DataArray, confidence: float = 0.95) -> Interval:
    """Mean over independent replications with Student's interval; runs without a value left out.

    Args:
        values: Over ``replication`` and other dimensions.
        confidence: Coverage.

    >>> runs = xr.DataArray([1.0, 2.0, 3.0], dims="replication")
    >>> found = over_runs(runs)
    >>> float(found.mean), round(float(found.high), 3)
    (2.0, 4.484)
    """
    count = values.count("replication").values
    mean = values.mean("replication").values
    with np.errstate(invalid="ignore", divide="ignore"):
        error = values.std("replication", ddof=1).values / np.sqrt(count)
        half = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) * error
    half = np.where(count > 1, half, np.nan)
    return Interval(mean, mean - half, mean + half)


def delivery(ds: xr.Dataset) -> xr.DataArray:
    """Share of each kind of unit delivered within its deadline, a run each."""
    return ds.delivered / ds.offered.where(ds.offered > 0)


def to_frame(ds: xr.Dataset) -> pd.DataFrame:
    """One row a run: the table that ``results.csv`` holds."""
    whole = [str(name) for name, v in ds.data_vars.items() if v.dims == RUN]
    frame = ds[whole].to_dataframe().reset_index()
    for name in (str(n) for n, v in ds.data_vars.items() if v.dims == (*RUN, "unit")):
        for unit in map(str, ds.unit.values):
            part = ds[name].sel(unit=unit, drop=True).to_dataframe().reset_index()
            frame[f"{unit}_{name}"] = part[name]
    return frame.rename(columns={"value": ds.attrs["axis"]})
