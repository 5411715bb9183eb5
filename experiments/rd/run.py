"""One rate-distortion run: measure, compare, write tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from channels.errors import no_such
from experiments.execution.cache import write_atomic
from experiments.execution.fingerprint import git_revision, package_versions
from experiments.execution.output import as_json, check_results, write_json
from experiments.rd import tables
from experiments.rd.anchors import compare, load_anchors
from experiments.rd.codecs import check_codec_names, make_rd_codec
from experiments.rd.forecast import CurveForecast, forecast_curves
from experiments.rd.measure import (
    METRICS,
    codec_fingerprint,
    curve_tasks,
    measure_points,
)
from experiments.statistics.means import declare
from experiments.sweep.components import check_sizes
from experiments.sweep.originals import originals, sizes_of
from experiments.sweep.plugins_used import used_plugins
from experiments.sweep.rate_points import curve_codec
from scmc_comm.datasets.image_sets import LazyImages, annotations_of
from scmc_comm.device import describe_device
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import METRICS as ALL_METRICS
from scmc_comm.metrics import default_metrics, unavailable
from scmc_comm.types import Annotation

_POSSIBLE_REFERENCES = ("jpeg", "vvc")


@dataclass(frozen=True)
class RdSpec:
    """What a run compares.

    Attributes:
        codecs: Names for `experiments.rd.codecs.make_rd_codec`.
        images: ``"photos"``, or a folder of pictures.
        limit: Only the first so many pictures; None for all.
        references: Codecs that BD-rates are against; None takes JPEG and VVC of those compared,
            or the first codec.
        window_bpp: Rates that BD-rates look at.
        anchors: JSON file of published curves, or None.
        metrics: Of `experiments.rd.measure.METRICS`, or plug-ins'; None takes those of `METRICS`
            that `default_metrics` has.
    """

    codecs: tuple[str, ...]
    images: str
    limit: int | None = None
    references: tuple[str, ...] | None = None
    window_bpp: tuple[float, float] = (0.0, float("inf"))
    anchors: Path | None = None
    metrics: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_codec_names(self.codecs)
        if unknown := [name for name in self.references or () if name not in self.codecs]:
            raise ScmcError(f"reference {unknown[0]!r} is not among {', '.join(self.codecs)}")
        if self.metrics is not None:
            _check_metrics(self.metrics)
        low, high = self.window_bpp
        if not 0 <= low < high:
            raise ScmcError(
                f"rates from {low:g} to {high:g} bpp; expected LOW:HIGH such as 0.01:0.3"
            )

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics, chosen if not named."""
        return self.metrics or tuple(name for name in METRICS if name in default_metrics())

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The components that it names, by kind, each with its options."""
        chosen = self.metrics or ()
        return {"image_codec": self.codecs, "metric": chosen, "dataset": (self.images,)}

    @property
    def bd_references(self) -> tuple[str, ...]:
        """The references, chosen if not named."""
        chosen = tuple(name for name in _POSSIBLE_REFERENCES if name in self.codecs)
        return self.references or chosen or self.codecs[:1]


def forecast_rd(spec: RdSpec, calibrate: bool = True) -> CurveForecast | None:
    """What `run_rd` will cost; see `experiments.rd.forecast.forecast_curves`.

    Raises:
        ScmcError: As `run_rd`, before it measures.
    """
    images, stated = originals(LazyImages(spec.images, spec.limit)), _annotations(spec)
    tasks = curve_tasks(spec.codecs, images, spec.measured, annotations=stated)
    return forecast_curves(tasks, calibrate)


def _annotations(spec: RdSpec) -> dict[str, Annotation]:
    return annotations_of(spec.images, spec.limit)


def run_rd(
    spec: RdSpec, out: Path, jobs: int = 1, progress: bool = True, overwrite: bool = False
) -> Path:
    """Measure what is not known yet, then write all results.

    Args:
        spec: What to compare.
        out: Folder for ``points.csv`` (a row per codec, image and point), ``curves``, ``bd``,
            ``cost`` and ``published`` (CSV and LaTeX), ``tables.md`` and ``run.json``.
        jobs: Processes.
        progress: Show a progress bar.
        overwrite: Replace the results of another spec.

    Returns:
        The file ``tables.md``.

    Raises:
        ScmcError: Wrong names or files, or a codec that this machine lacks, or ``out`` holds the
            results of another spec.
    """
    told = asdict(spec) | {"anchors": spec.anchors and str(spec.anchors)}
    check_results(out, "run.json", lambda text: _spec_of(text) == as_json(told), overwrite)
    anchors = None if spec.anchors is None else load_anchors(spec.anchors)
    images = originals(LazyImages(spec.images, spec.limit), progress)
    metrics = spec.measured
    sizes = sizes_of(images)
    parameters = {name: _check(name, sizes) for name in spec.codecs}
    for name in metrics:
        declare(name, ALL_METRICS[name].better)
    used = used_plugins(spec.named)
    frame = measure_points(
        spec.codecs, images, metrics, jobs, progress=progress, annotations=_annotations(spec)
    )
    points = tables.gather_points(frame)
    bd = tables.bd_table(points, spec.bd_references, spec.window_bpp)
    curves, cost = tables.curve_table(frame), tables.cost_table(frame, parameters)
    parts = [
        (f"bd_{name}", f"BD-rate against {name}", tables.bd_cells(bd, name))
        for name in spec.bd_references
    ]
    parts.append(("curves", "Means over the images", tables.curve_cells(curves)))
    parts.append(("cost", "Mean wall time of a picture, and model size", tables.cost_cells(cost)))
    data: dict[str, pd.DataFrame] = {"points": frame, "bd": bd, "curves": curves, "cost": cost}
    if anchors is not None:
        data["published"] = compare(points, anchors, spec.window_bpp)
        cells = tables.anchor_cells(data["published"])
        parts.append(("published", f"Against published curves ({anchors.dataset})", cells))
    _remove_tables(out)
    for name, found in data.items():
        write_atomic(out / f"{name}.csv", found.to_csv(index=False).encode())
    for name, _, cells in parts:
        write_atomic(out / f"{name}.tex", (cells.latex() + "\n").encode())
    note = f"means over {len(images)} image{'s' if len(images) > 1 else ''}"
    text = "\n\n".join(f"## {title}\n\n{cells.markdown()}" for _, title, cells in parts)
    write_atomic(out / "tables.md", f"{_explanation(spec, note)}\n\n{text}\n".encode())
    provenance = {
        "spec": told,
        "git": git_revision(),
        "versions": package_versions(),
        "plugins": [asdict(plugin) for plugin in used],
        "device": describe_device(),
    }
    write_json(out / "run.json", provenance)
    return out / "tables.md"


def _remove_tables(out: Path) -> None:
    """Tables of another spec, and first the file that says whose they are."""
    for left in [out / "run.json", *out.glob("bd_*.tex"), *out.glob("published.*")]:
        left.unlink(missing_ok=True)


def _spec_of(text: str) -> Any:
    """What a ``run.json`` says was run; None if it is none."""
    try:
        return dict(json.loads(text))["spec"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _check_metrics(names: tuple[str, ...]) -> None:
    """Raise ScmcError unless all can be drawn and measured here."""
    if not names:
        raise ScmcError(f"metrics are none; expected some of {', '.join(METRICS)}")
    known = [*METRICS, *(name for name in ALL_METRICS if ALL_METRICS.plugin(name) is not None)]
    for name in names:
        if name not in known:
            raise ScmcError(no_such("metric of rd", name, known))
    if missing := unavailable(names):
        raise ScmcError(next(iter(missing.values())))


def _check(name: str, sizes: Mapping[str, tuple[int, int]]) -> int:
    """Parameters of a codec; what the machine lacks is said now and not after hours of others."""
    codec = curve_codec(make_rd_codec, name, codec_fingerprint(name))
    check_sizes(f"codec {name}", codec, sizes)
    parameters = codec.num_parameters()
    codec.code(torch.full((3, 64, 64), 0.5), codec.points[0])
    return parameters


def _explanation(spec: RdSpec, note: str) -> str:
    low, high = spec.window_bpp
    window = "" if (low, high) == (0.0, float("inf")) else f" at {low:g} to {high:g} bpp"
    return (
        f"# Rate, distortion and perception: {note} of {Path(spec.images).name}\n\n"
        f"BD-rates{window} compare curves of means over the range of quality that both reach; "
        "'over N %' is that range's share of the range that either reaches. In brackets: 95 % "
        "intervals, bootstrap over images, paired. 'N points left out' are those at which the "
        "codec itself gives as much quality for less rate; the curve is interpolated across them. "
        "Codecs are slim (constant headers known to the receiver) unless called file."
    )
