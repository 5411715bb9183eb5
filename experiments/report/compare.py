"""Two finished sweeps, or systems of one, compared: paired differences and Bjontegaard deltas."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from channels.errors import no_such, printable
from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import Style, styles
from experiments.figures.views import ESNO
from experiments.report.comparisons import comparison_cells
from experiments.report.tables import metrics_of
from experiments.statistics.bjontegaard import BdDelta, bd_rate, bd_snr
from experiments.statistics.bjontegaard_intervals import bd_of_images
from experiments.statistics.means import LOWER_IS_BETTER, Floats
from experiments.statistics.paired import Comparison, holm, paired_t
from experiments.statistics.tables import Table, delta_text
from experiments.sweep import store, summary
from experiments.sweep.labels import channel_label, metric_name, ratio_label, system_label
from experiments.sweep.layout import CONTENT
from experiments.sweep.plugins_used import differing, read_used
from experiments.sweep.primary import Endpoint
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError

WIDEST = 140  # characters of a line
AXES = ("channel", "rho", "esno_db", "image")


@dataclass(frozen=True)
class Pair:
    """One system against another over what both sweeps hold.

    Attributes:
        system: The first system, and the folder it is from if there are two.
        against: The other.
        own: For each metric the first one's means of images, [*`AXES`].
        other: The same of the other.
        asked: For each metric where both measured it, flags [channel, rho, esno_db].
    """

    system: str
    against: str
    own: dict[str, xr.DataArray]
    other: dict[str, xr.DataArray]
    asked: dict[str, xr.DataArray]

    def gaps(self, metric: str, channel: str, rho: float) -> xr.DataArray:
        """The first minus the other, [esno_db, image], at the SNRs where both measured it."""
        own, other, asked = (
            part[metric].sel(channel=channel, rho=rho)
            for part in (self.own, self.other, self.asked)
        )
        return (own - other).isel(esno_db=np.flatnonzero(asked))


@dataclass(frozen=True)
class Compared:
    """What a comparison found.

    Attributes:
        differences: A row for each pair, metric, channel and bandwidth ratio: ``difference``, the
            mean of the first minus the other over ``num_images`` images and the SNRs that both
            measured, with ``low`` and ``high`` of its 95 % interval, ``p`` and ``p_holm``,
            corrected for the number of rows.
        deltas: A row for each pair, metric, channel and what is held ``fixed``: Bjontegaard's
            ``delta`` in ``unit`` with ``low`` and ``high``; negative needs less. ``reason`` says
            why there is none.
        text: Both as tables, after what is said of components.
        charts: A figure for each metric and bandwidth ratio: the differences against SNR.
        components: Of two sweeps a line that says which plug-ins and files were not the same;
            empty where all were.
        settings: Likewise which keys of their specs, of those that a number depends on.
    """

    differences: pd.DataFrame
    deltas: pd.DataFrame
    text: str
    charts: tuple[Chart, ...]
    components: str = ""
    settings: str = ""


_SETTINGS = (
    "estimator", "num_trials", "analog_trials", "seed", "stop_half_width", "stop_errors",
    "design_esno_db", "utility", "control_bits", "phy",
)  # fmt: skip
"""Keys of a spec that decide how a number is found, not which numbers there are."""
_OF_DRAWS = ("num_trials", "analog_trials", "seed", "stop_half_width", "stop_errors")


def compare(a: str | Path, b: str | Path | None = None, systems: Sequence[str] = ()) -> Compared:
    """Compares systems on the images, channels, SNRs and bandwidth ratios that both sides have.

    Images are paired by name, so both sweeps must be of the same pictures.

    Args:
        a: Output folder of a sweep.
        b: Of another one, to compare systems of ``a`` with; None compares those of ``a``.
        systems: The first against each of the others; of two folders the first of ``a`` against
            the second of ``b``. Without it the first system of ``a`` against its others, or each
            system that both folders have against itself.

    Raises:
        ScmcError: A folder holds no results, a name does not exist, or nothing is in common.

    Example:
        >>> compare("results/quick", systems=("scmc", "vvc")).differences  # doctest: +SKIP
    """
    one = store.load(a)
    others = settings = pictures = ""
    if b is None:
        pairs = list(_of_one(one, a, systems))
    else:
        two, names = store.load(b), _names(Path(a), Path(b))
        pairs = list(_of_two(one, two, names, systems))
        others = _other_components(one, two, names)
        settings = _other_settings(one, two, names)
        pictures = _other_pictures(one, two, names)
    differences, found = _differences(pairs)
    deltas, texts = _deltas(pairs)
    parts = [others, settings, pictures, found.text(WIDEST), texts.text(WIDEST)]
    text = "\n\n".join(filter(None, parts))
    return Compared(differences, deltas, text, tuple(_charts(pairs)), others, settings)


def _other_components(one: xr.Dataset, two: xr.Dataset, names: tuple[str, str]) -> str:
    """The line of `Compared.components`."""
    others = differing(read_used(one.attrs), read_used(two.attrs), names)
    return f"made by different components: {others}" if others else ""


def _other_settings(one: xr.Dataset, two: xr.Dataset, names: tuple[str, str]) -> str:
    """The line of `Compared.settings`."""
    a, b = (SweepSpec.from_yaml(ds.attrs["spec_yaml"]) for ds in (one, two))
    both_exact = a.estimator == b.estimator == "expected"
    others = [
        f"{key} {getattr(a, key)} and {getattr(b, key)}"
        for key in _SETTINGS
        if getattr(a, key) != getattr(b, key) and not (both_exact and key in _OF_DRAWS)
    ]
    both = " and ".join(names)
    return f"{both} were made by other settings: {'; '.join(others)}" if others else ""


def _other_pictures(one: xr.Dataset, two: xr.Dataset, names: tuple[str, str]) -> str:
    """A line that says how many pictures are left out, as one of two sweeps lacks them."""
    a, b = set(one.image.values), set(two.image.values)
    if a == b:
        return ""
    return (
        f"pictures of both: {len(a & b)}; of {names[0]} alone {len(a - b)}, of {names[1]} alone "
        f"{len(b - a)}, which are left out"
    )


def _of_one(ds: xr.Dataset, folder: str | Path, systems: Sequence[str]) -> Iterator[Pair]:
    first, *others = dict.fromkeys(systems) or map(str, ds.system.values)
    if not others:
        where = "there is" if systems else f"{folder} has"
        raise ScmcError(f"{where} one system to compare, {first}; name another, or a second folder")
    for other in others:
        yield _pair(ds, first, first, ds, other, other)


def _of_two(
    left: xr.Dataset, right: xr.Dataset, names: tuple[str, str], systems: Sequence[str]
) -> Iterator[Pair]:
    if systems and len(systems) != 2:
        raise ScmcError(f"{len(systems)} systems for two folders; give one of each, as A,B")
    both = [str(name) for name in left.system.values if str(name) in right.system.values]
    pairs = [tuple(systems)] if systems else [(name, name) for name in both]
    if not pairs:
        raise ScmcError(
            f"{' and '.join(names)} have no system in common; name one of each with --systems"
        )
    for own, other in pairs:
        yield _pair(left, own, f"{own} ({names[0]})", right, other, f"{other} ({names[1]})")


def _names(a: Path, b: Path) -> tuple[str, str]:
    """What two folders are called: by their last parts unless these are the same."""
    names = printable(a.resolve().name), printable(b.resolve().name)
    return names if names[0] != names[1] else (printable(str(a)), printable(str(b)))


def _pair(
    left: xr.Dataset, own: str, label: str, right: xr.Dataset, other: str, against: str
) -> Pair:
    for ds, name in ((left, own), (right, other)):
        if name not in ds.system.values:
            raise ScmcError(no_such("system of the sweep", name, list(map(str, ds.system.values))))
    _check_pictures(left, right, label, against)
    metrics = [name for name in metrics_of(left) if name in metrics_of(right)]
    means: list[dict[str, xr.DataArray]] = [{}, {}]
    asked: dict[str, xr.DataArray] = {}
    for metric in metrics:
        both = (
            summary.image_means(ds.sel(system=[name]), metric).isel(system=0, drop=True)
            for ds, name in ((left, own), (right, other))
        )
        flags = (store.asked(ds, metric) for ds in (left, right))
        *aligned, one, two = xr.align(*map(_exact_ratios, (*both, *flags)), join="inner")
        for side, found in zip(means, aligned, strict=True):
            side[metric] = found.transpose(*AXES)
        asked[metric] = (one & two).transpose("channel", "rho", "esno_db")
    shared = next(iter(means[0].values()), None)
    missing = ["metric"] if shared is None else [d for d in AXES if not shared.sizes[d]]
    if missing:
        raise ScmcError(f"{label} and {against} have no {', '.join(missing)} in common")
    return Pair(label, against, means[0], means[1], asked)


def _check_pictures(left: xr.Dataset, right: xr.Dataset, label: str, against: str) -> None:
    """Refuses to pair two pictures because they have one name."""
    if CONTENT not in left or CONTENT not in right:
        return
    one, two = (dict(zip(ds.image.values, ds[CONTENT].values, strict=True)) for ds in (left, right))
    for name in one:
        if one[name] != two.get(name, one[name]):
            raise ScmcError(
                f"{name} is not the same picture in {label} and in {against}; compare sweeps of "
                "the same pictures"
            )


def _exact_ratios(means: xr.DataArray) -> xr.DataArray:
    """Bandwidth ratios rounded, so that equal fractions are equal numbers."""
    return means.assign_coords(rho=means.rho.values.round(12))


def _differences(pairs: Sequence[Pair]) -> tuple[pd.DataFrame, Table]:
    rows, found, cells = [], list[Comparison](), []
    for pair in pairs:
        for metric, own in pair.own.items():
            for channel, rho in itertools.product(own.channel.values, own.rho.values):
                gaps = pair.gaps(metric, channel, rho)
                if not gaps.sizes["esno_db"]:
                    continue
                found.append(paired_t(gaps.mean("esno_db", skipna=False)))
                ends = float(gaps.esno_db.min()), float(gaps.esno_db.max())
                rows.append((pair, Endpoint(metric, str(channel), float(rho), *ends)))
    corrected = holm([comparison.p for comparison in found])
    table = []
    for (pair, at), comparison, p in zip(rows, found, corrected, strict=True):
        interval = comparison.difference
        table.append({
            "system": pair.system, "against": pair.against, "metric": at.metric,
            "channel": at.channel, "rho": at.rho, "low_esno_db": at.low_db,
            "high_esno_db": at.high_db, "num_images": comparison.num_images,
            "difference": float(interval.mean), "low": float(interval.low),
            "high": float(interval.high), "p": comparison.p, "p_holm": float(p),
        })  # fmt: skip
        cells.append([
            _label(pair.system), _label(pair.against), at.label(),
            *comparison_cells(at.metric, comparison, float(p)),
        ])  # fmt: skip
    header = ["system", "against", "endpoint", "difference", "p (Holm)", "system is"]
    return pd.DataFrame(table), Table(header, cells)


def _label(name: str) -> str:
    """A system's label, with the folder that it is from."""
    system, bracket, folder = name.partition(" (")
    return system_label(system) + bracket + folder


def _charts(pairs: Sequence[Pair]) -> Iterator[Chart]:
    """Differences against SNR, a panel a channel, where two SNRs or more are measured."""
    first = pairs[0].own
    look = styles([pair.system.partition(" (")[0] for pair in pairs] if _two_folders(pairs) else [
        pair.against for pair in pairs
    ])  # fmt: skip
    for metric, whole in first.items():
        y = Axis(f"difference in {metric_name(metric)}")
        for rho in whole.rho.values:
            row, numbers = [], set[int]()
            for channel in map(str, whole.channel.values):
                gaps = [pair.gaps(metric, channel, rho) for pair in pairs]
                if gaps[0].sizes["esno_db"] < 2:
                    continue
                numbers |= {int(n) for gap in gaps for n in gap.notnull().sum("image")}
                curves = [
                    _gap_curve(pair, gap, style)
                    for pair, gap, style in zip(pairs, gaps, look.values(), strict=True)
                ]
                row.append(Panel(ESNO, y, curves, channel_label(channel)))
            if not row:
                continue
            ratio = ratio_label(float(rho))
            number = " to ".join(map(str, sorted({min(numbers), max(numbers)})))
            note = f"ρ = {ratio}; bands: 95 %, Student's t over {number} paired images"
            stem = f"{metric}_compared_rho{ratio.replace('/', '-')}"
            yield Chart(stem, f"{metric_name(metric)} compared at ρ = {ratio}", [row], note=note)


def _two_folders(pairs: Sequence[Pair]) -> bool:
    return pairs[0].system.endswith(")")


def _gap_curve(pair: Pair, gaps: xr.DataArray, style: Style) -> Curve:
    found = [paired_t(values).difference for values in gaps.transpose("esno_db", "image").values]
    mean, low, high = (
        np.array([getattr(one, end) for one in found]) for end in ("mean", "low", "high")
    )
    label = f"{_label(pair.system)} minus {_label(pair.against)}"
    x = gaps.esno_db.values.astype(float)
    return Curve(x, mean, low, high, style, label, column=f"{pair.system}_{pair.against}_mean")


def _deltas(pairs: Sequence[Pair]) -> tuple[pd.DataFrame, Table]:
    """BD-SNR at each bandwidth ratio and BD-rho at each SNR, where the axis has two points."""
    table, cells = [], []
    for pair, (x, other, name, unit) in itertools.product(
        pairs, (("esno_db", "rho", "BD-SNR", "dB"), ("rho", "esno_db", "BD-rho", "%"))
    ):
        for metric, own in pair.own.items():
            if own.sizes[x] < 2:
                continue
            for channel, fixed in itertools.product(own.channel.values, own[other].values):
                at = {"channel": channel, other: fixed}
                curves = (part.sel(at).transpose("image", x) for part in (own, pair.other[metric]))
                found = _delta(x, own[x].values, metric, *(curve.values for curve in curves))
                held = f"ρ = {ratio_label(fixed)}" if other == "rho" else f"{fixed:g} dB"
                table.append({
                    "system": pair.system, "against": pair.against, "metric": metric,
                    "channel": str(channel), "axis": x, "fixed": float(fixed),
                    "delta": found.value, "low": found.low, "high": found.high, "unit": unit,
                    "overlap": found.overlap, "reason": found.reason,
                })  # fmt: skip
                where = f"{name} by {metric_name(metric)}, {channel_label(str(channel))}, {held}"
                cells.append([
                    _label(pair.system), _label(pair.against), where, delta_text(found, unit)
                ])  # fmt: skip
    return pd.DataFrame(table), Table(["system", "against", "delta", "value"], cells)


def _delta(x: str, axis: Floats, metric: str, own: Floats, other: Floats) -> BdDelta:
    defined = np.isfinite(own).all(axis=1) & np.isfinite(other).all(axis=1)
    if not defined.any():
        return BdDelta(np.nan, reason="not measured at every point")
    kind = bd_snr if x == "esno_db" else bd_rate
    curves = [
        (np.broadcast_to(axis.astype(float), part[defined].shape), part[defined])
        for part in (other, own)
    ]
    up = metric not in LOWER_IS_BETTER
    return bd_of_images(kind, curves[0], curves[1], np.random.default_rng(0), up)
