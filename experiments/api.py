"""Sweeps from Python, as ``import scmc_comm as sc`` offers them: run, read, plot, compare."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr
import yaml

from channels.specs import split_specs
from experiments.execution.output import check_results, only_writer
from experiments.figures.paper import Column, PaperSpec, write_paper_figure
from experiments.figures.paper import plot as plot_paper
from experiments.report.compare import Compared
from experiments.report.compare import compare as compare_folders
from experiments.specs import ALIASES
from experiments.sweep import store, tables
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import load_sweep, read_sweep
from experiments.timed import results as timed
from experiments.timed.runner import run_timed
from experiments.timed.spec import TimedSpec
from scmc_comm.device import single_precision
from scmc_comm.errors import ScmcError
from scmc_comm.setting import bandwidth_ratio, one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Spec = SweepSpec | TimedSpec


@dataclass(frozen=True)
class Results:
    """A finished sweep.

    Attributes:
        folder: Where it lies.

    Example:
        >>> load("results/quick").trials.groupby("system").lpips.mean()  # doctest: +SKIP
    """

    folder: Path

    @cached_property
    def ds(self) -> xr.Dataset:
        """The store; ``docs/results.md`` says what each variable is.

        Raises:
            ScmcError: The folder holds no results.
        """
        if not timed.is_timed(self.folder):
            return store.load(self.folder)
        with timed.reading(self.folder / "results.nc") as ds:
            return ds

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row a trial, failures too; of a timed experiment a row a run.

        Raises:
            ScmcError: It holds exact expectations, which have no trials.
        """
        if self.ds.attrs.get("kind") == TimedSpec.KIND:
            return timed.to_frame(self.ds)
        if store.is_exact(self.ds):
            raise ScmcError(
                f"{self.folder} holds exact expectations, without trials; look at points"
            )
        return tables.trial_rows(self.ds)

    @cached_property
    def points(self) -> pd.DataFrame:
        """A row a (system, channel, Es/N0, rho): means over images and trials with intervals.

        Raises:
            ScmcError: It is a timed experiment, whose rows are runs.
        """
        if self.ds.attrs.get("kind") == TimedSpec.KIND:
            raise ScmcError(f"{self.folder} is a timed experiment, a row a run; look at trials")
        return tables.point_rows(self.ds)

    @cached_property
    def spec(self) -> Spec:
        """What was run."""
        return read_sweep(self.ds.attrs["spec_yaml"])

    def plot(self, **choices: Any) -> Figure:
        """See `plot`."""
        return plot(self, **choices)


def sweep(
    spec: str | Path | Mapping[str, Any] | Spec,
    out: str | Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
    **changes: Any,
) -> Results:
    """Runs a sweep, or a timed experiment; what was finished before is not done again.

    Args:
        spec: The name of one that ships, a YAML file, its keys as a dict, or a spec.
        out: Folder of the results.
        jobs: Processes.
        dask: Address of a Dask scheduler, or ``local``.
        progress: Show progress bars.
        overwrite: Replace the results of another spec.
        **changes: Keys of the spec (``docs/sweeps.md``), such as ``snr=(0, 10)``, ``cbr="1/24"`` or
            ``num_trials=100``; ``snr_db`` and ``esno_db`` are ``snr`` by other names, ``rho`` is
            ``cbr``.

    Raises:
        ScmcError: A key, value or name is wrong, or ``out`` holds the results of another spec.

    Example:
        >>> sweep("quick", "results/quick", num_trials=100).points  # doctest: +SKIP
    """
    if not isinstance(jobs, int):
        raise ScmcError(f"jobs is {jobs!r}; expected a whole number of processes")
    folder = _path(out, "out")
    return run_spec(changed(spec, changes), folder, jobs, dask, progress, overwrite=overwrite)


def check_out(spec: Spec, out: Path, overwrite: bool) -> None:
    """Refuses a folder that a spec's results may not go to, before any work.

    Raises:
        ScmcError: It holds results of another spec or command, or cannot be written to.
    """

    def same(text: str) -> bool:
        try:
            return read_sweep(text) == spec
        except ScmcError:
            return False

    check_results(out, "spec.yaml", same, overwrite)


def changed(spec: str | Path | Mapping[str, Any] | Spec, changes: Mapping[str, Any]) -> Spec:
    """A spec with changes.

    Example:
        >>> changed("quick", {"cbr": "1/48", "snr": range(0, 3)}).esno_db
        (0.0, 1.0, 2.0)
    """
    if isinstance(spec, Mapping):
        keys = {str(key): _plain(value) for key, value in spec.items()}
        named = {ALIASES.get(key, key) for key in keys}
        more = {k: _plain(v) for k, v in changes.items() if ALIASES.get(k, k) not in named}
        try:
            text = yaml.safe_dump(keys | more, sort_keys=False)
        except yaml.YAMLError as error:
            raise ScmcError(
                f"the sweep's keys hold what YAML cannot write ({' '.join(str(error).split())}); "
                "expected text, numbers and lists"
            ) from error
        spec = read_sweep(text)
        changes = {k: v for k, v in changes.items() if k not in more}
    elif not isinstance(spec, SweepSpec | TimedSpec):
        spec = load_sweep(spec if isinstance(spec, str) else _path(spec, "the sweep"))
    values: dict[str, Any] = {}
    for key, value in changes.items():
        name = ALIASES.get(key, key)
        if name in values:
            raise ScmcError(f"{name!r} is given twice; keep one of them")
        values[name] = spec.coerce(key, _plain(value))
    return spec.changed(values)


def _plain(value: Any) -> Any:
    """Arrays, ranges, paths and fractions as what a spec is read from."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, range | tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path | Fraction) else value


@single_precision()
def run_spec(
    spec: Spec,
    out: Path,
    jobs: int,
    dask: str | None,
    progress: bool = True,
    each_point_s: Mapping[str, float] | None = None,
    overwrite: bool = False,
) -> Results:
    """Runs a spec of either kind where `check_out` lets it, which no other run can then change."""
    with only_writer(out):
        check_out(spec, out, overwrite)
        if isinstance(spec, SweepSpec):
            run_sweep(spec, out, jobs, dask=dask, progress=progress, each_point_s=each_point_s)
        else:
            run_timed(spec, out, jobs, dask=dask, progress=progress)
    return Results(out)


def load(folder: str | Path) -> Results:
    """Reads a finished sweep.

    Args:
        folder: Its output folder.

    Raises:
        ScmcError: There are no results, or they cannot be read.

    Example:
        >>> load("results/quick").ds.lpips.mean("image")  # doctest: +SKIP
    """
    found = Results(_path(folder))
    _ = found.ds  # so that what is wrong is said here
    return found


def plot(
    results: str | Path | Results,
    *,
    metric: str | None = None,
    systems: str | Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    channels: str | Sequence[str] = (),
    cbr: float | str | None = None,
    rho: float | str | None = None,
    column: Column = "ieee",
    style: str | Path | None = None,
    delivery: bool = True,
    out: str | Path | None = None,
) -> Figure:
    """One figure of a sweep, as ``scmc-comm plot`` draws it for a paper.

    Args:
        results: A finished sweep, or its folder.
        metric: Of which metric; None for the first of the sweep.
        systems: Which, in this order; empty for all.
        labels: Legend entries of systems in place of their own.
        channels: Over which; empty for all.
        cbr: At which bandwidth ratio; None for the only one.
        rho: ``cbr`` by the name of the command line.
        column: Width: 3.5 in (single), 7.16 in (double), or single for one channel and double for
            several (ieee).
        style: A Matplotlib style file on top of the package's own look.
        delivery: Draw the delivery probability below.
        out: Also write it to this file, .pdf, .svg or .png, and its numbers beside it.

    Returns:
        A Matplotlib figure, which a notebook shows; it needs no display and no pyplot.

    Raises:
        ScmcError: There are no results, or a name does not exist.

    Example:
        >>> plot("results/quick", systems="scmc,vvc", metric="lpips")  # doctest: +SKIP
    """
    told, ratio = one_of("rho", rho, "cbr", cbr, required=False)
    at = None if ratio is None else bandwidth_ratio(ratio, told)
    look = None if style is None else _path(style, "style")
    if not isinstance(labels or {}, Mapping):
        raise ScmcError(f"labels are {labels!r}; expected a dict such as {{'scmc': 'Proposed'}}")
    choices = PaperSpec(
        metric, _names(systems), dict(labels or {}), _names(channels), at, column, look, delivery
    )
    if out is not None:
        write_paper_figure(_folder(results), _path(out, "out"), choices)
    return plot_paper(_folder(results), choices)


def compare(
    a: str | Path | Results,
    b: str | Path | Results | None = None,
    systems: str | Sequence[str] = (),
) -> Compared:
    """Compares systems of a sweep, or of two sweeps of the same pictures.

    Args:
        a: A finished sweep, or its folder.
        b: Another one; None compares systems of ``a``.
        systems: See `experiments.report.compare.compare`.

    Returns:
        ``differences`` and ``deltas`` as data frames, both as ``text``, and ``charts``.

    Raises:
        ScmcError: There are no results, a name does not exist, or nothing is in common.

    Example:
        >>> print(compare("results/quick", systems="scmc,vvc").text)  # doctest: +SKIP
    """
    other = None if b is None else _folder(b)
    return compare_folders(_folder(a), other, _names(systems))


def _folder(results: str | Path | Results) -> Path:
    return results.folder if isinstance(results, Results) else _path(results)


def _path(given: object, what: str = "the folder of results") -> Path:
    if not isinstance(given, str | os.PathLike):
        raise ScmcError(f"{what} is {given!r}; expected a path")
    return Path(given)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(split_specs(given))
    if not isinstance(given, Iterable) or not all(isinstance(name, str) for name in given):
        raise ScmcError(f"names are {given!r}; expected text such as 'scmc,vvc', or a list of it")
    return tuple(given)
