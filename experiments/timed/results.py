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
from experiments.statistics.means import Interval
from experiments.timed.schemes import Scheme
from experiments.timed.simulate import UNIT_NUMBERS, Job, Outcome
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.timed.library import Library

Dataset = xr.Dataset
RUN = ("scheme", "value", "replication")
UNITS = {"psnr_db": "dB"}
AXIS_UNITS = {"load": "1", "num_users": "1", "deadline_s": "s", "esno_db": "dB"}


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
    units = list(dict.fromkeys(tag for job in jobs for tag in job.tags))
    shape = (len(spec.schemes), len(spec.values), spec.num_replications)
    metrics = list(next(iter(quality.values())))
    whole = ("utilisation", "energy_per_picture_j", "num_pictures", "all_delivered")
    runs = {name: np.full(shape, np.nan) for name in (*metrics, *whole)}
    each = {name: np.full((*shape, len(units)), np.nan) for name in UNIT_NUMBERS}
    for job, found in zip(jobs, outcomes, strict=True):
        at = (spec.schemes.index(job.scheme), spec.values.index(job.value), job.replication)
        system = Scheme.parse(job.scheme).system
        count = max(found.num_pictures, 1)
        for metric in metrics:
            total = sum(
                n * quality[system, place, tags][metric]
                for (place, tags), n in found.delivered.items()
            )
            runs[metric][at] = total / count if found.num_pictures else np.nan
        numbers = found.units.values()
        offered = sum(u["offered"] for u in numbers)
        runs["utilisation"][at] = found.utilisation
        runs["energy_per_picture_j"][at] = found.energy_j / count
        runs["num_pictures"][at] = found.num_pictures
        runs["all_delivered"][at] = sum(u["delivered"] for u in numbers) / max(offered, 1)
        for tag, values in found.units.items():
            for name, value in values.items():
                each[name][(*at, units.index(tag))] = value
    data: dict[str, Any] = {name: (RUN, values, _attrs(name)) for name, values in runs.items()}
    data |= {
        ("unit_energy_j" if name == "energy_j" else name): ((*RUN, "unit"), values, _attrs(name))
        for name, values in each.items()
    }
    data["picture_bits"] = (("scheme", "image"), _bits(spec, library), _attrs("picture_bits"))
    coords = {
        "scheme": list(spec.schemes),
        "value": ("value", list(spec.values), {
            "long_name": spec.axis, "units": AXIS_UNITS[spec.axis]
        }),
        "replication": np.arange(spec.num_replications),
        "unit": units,
        "image": list(images),
    }  # fmt: skip
    for metric in metrics:
        data[metric][2]["quality_metric"] = 1
    return xr.Dataset(data, coords, _provenance(spec, jobs))


def _bits(spec: TimedSpec, library: Library) -> np.ndarray:
    systems = [Scheme.parse(text).system for text in spec.schemes]
    return np.array([[sum(s.values()) for s in library.sizes(system)] for system in systems])


def _attrs(name: str) -> dict[str, Any]:
    known = {
        "utilisation": "share of the time in which the link sent",
        "energy_per_picture_j": "transmit power times air time, a picture",
        "num_pictures": "pictures offered",
        "all_delivered": "units of all kinds delivered within their deadline, over those offered",
        "offered": "units offered",
        "delivered": "units delivered within their deadline",
        "wait_s": "mean time from arrival to the first transmission",
        "age_s": "mean age of information at a receiver",
        "energy_j": "energy spent on the unit",
        "picture_bits": "payload bits of all units of a picture",
    }
    found = known.get(name)
    if found is None and name.startswith("p") and name.endswith("_s"):
        found = f"{name[1:-2]}th percentile of the latency of delivered units"
    unit = UNITS.get(name, name.rpartition("_")[2] if name.endswith(("_s", "_j")) else "1")
    unit = {"j": "J", "bits": "bit"}.get(unit, unit)
    if name == "picture_bits":
        unit = "bit"
    return {"long_name": found or f"mean {name} over all pictures offered", "units": unit}


def _provenance(spec: TimedSpec, jobs: Sequence[Job]) -> dict[str, Any]:
    return {
        "kind": TimedSpec.KIND,
        "title": spec.name,
        "axis": spec.axis,
        "spec_yaml": spec.to_yaml(),
        "git_revision": git_revision(),
        "versions": json.dumps(package_versions(), sort_keys=True),
        "seed": spec.seed,
        "frames_per_s_at_load_1": jobs[0].frames_per_s * spec.num_users,
        "failure_policy": "a picture of which nothing came in time is scored as mid-grey",
    }


@contextmanager
def reading(path: Path) -> Iterator[xr.Dataset]:
    """Opens a store.

    Raises:
        ScmcError: No such file, or it is no store of a timed experiment.
    """
    if not path.is_file():
        raise ScmcError(f"there is no {path}; run the sweep first, or give its output folder")
    try:
        ds = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise ScmcError(f"{path} is not a readable result store: {error}; run it again") from error
    with ds:
        if ds.attrs.get("kind") != TimedSpec.KIND:
            raise ScmcError(f"{path} is no store of a timed sweep; run one, such as congestion")
        yield ds.load()


def is_timed(folder: Path) -> bool:
    """Does a folder hold the results of a timed experiment?"""
    try:
        with reading(folder / "results.nc"):
            return True
    except ScmcError:
        return False


def metric_names(ds: xr.Dataset) -> list[str]:
    """The quality metrics that a store holds."""
    return [str(n) for n, v in ds.data_vars.items() if v.attrs.get("quality_metric")]


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
