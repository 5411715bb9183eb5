"""One figure of a sweep as a paper needs it: chosen systems, own labels, the width of a column."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import xarray as xr

from channels.errors import no_such
from experiments.execution.cache import write_atomic
from experiments.execution.output import check_ending, check_files, is_stream
from experiments.figures.chart import Chart
from experiments.figures.curves import quality_charts
from experiments.figures.exports import figure_table, latex_table, pgfplots
from experiments.figures.style import Theme, file_stem, rendered
from experiments.figures.views import View, views
from experiments.headless import import_matplotlib
from experiments.statistics.tables import DIGITS
from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.labels import ratio_label, system_label
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Column = Literal["ieee", "single", "double"]
SINGLE_IN, DOUBLE_IN = 3.5, 7.16  # columns of IEEE journals, inches
CAMERA_READY: dict[Any, Any] = {
    **dict.fromkeys(
        ("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize",
         "ytick.labelsize"), 8,
    ),
    "pdf.fonttype": 42, "lines.linewidth": 1.2, "lines.markersize": 4,
}  # fmt: skip
"""Text of 8 points, and whole fonts in the file rather than outlines."""
_OF_THE_OUTPUT = ("savefig.format", "backend")
"""Settings of a style file that the output's name and this program decide."""
KINDS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class PaperSpec:
    """What to draw of a sweep.

    Attributes:
        metric: Of which metric; None for the first of the sweep.
        systems: Which systems, in this order; empty for all.
        labels: Legend entries of systems in place of their own.
        channels: Over which channels; empty for all.
        rho: At which bandwidth ratio, against SNR; None for the only one.
        column: Width: 3.5 in (single), 7.16 in (double), or single for one channel and double for
            several (ieee).
        style: A Matplotlib style file on top of the package's own look, or None.
        delivery: Draw the delivery probability below.
    """

    metric: str | None = None
    systems: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    rho: float | None = None
    column: Column = "ieee"
    style: Path | None = None
    delivery: bool = True

    def __post_init__(self) -> None:
        if self.column not in get_args(Column):
            raise ScmcError(no_such("column", str(self.column), get_args(Column)))
        if not isinstance(self.metric, str | None):
            raise ScmcError(f"metric is {self.metric!r}; expected a name such as 'psnr_db'")

    def theme(self, num_channels: int) -> Theme:
        """Sizes, with the user's style on top."""
        single = self.column == "single" or (self.column == "ieee" and num_channels == 1)
        rc = CAMERA_READY | ({} if self.style is None else _style_file(self.style))
        return Theme(SINGLE_IN if single else DOUBLE_IN, 1.9, rc, note=False)


def plot(folder: str | Path, spec: PaperSpec) -> Figure:
    """One figure of a finished sweep.

    Args:
        folder: Output folder of a sweep.
        spec: What to draw.

    Returns:
        A Matplotlib figure, which a notebook shows; it needs no display and no pyplot.

    Raises:
        ScmcError: The folder holds no results, or a name does not exist.

    Example:
        >>> figure = plot("results/quick", PaperSpec("lpips"))  # doctest: +SKIP
    """
    _, chart = _paper_chart(folder, spec)
    theme = spec.theme(len(chart.rows[0]))
    with _with_style(spec):
        figure = chart.draw(theme)
    vars(figure)["_repr_png_"] = partial(_png, figure, theme)  # what notebooks ask for
    return figure


def _png(figure: Figure, theme: Theme) -> bytes:
    return rendered(figure, "png", theme=theme)["png"]


def _paper_chart(folder: str | Path, spec: PaperSpec) -> tuple[View, Chart]:
    """The figure as data."""
    ds = _chosen(store.load(folder), spec)
    found, arrivals = summary.quality(ds), delivery_probabilities(ds)
    view = replace(_view(views(ds, found, arrivals), spec.rho), labels=dict(spec.labels))
    charts = {chart.stem: chart for chart in quality_charts(view, delivery=spec.delivery)}
    names = [stem.removesuffix(f"_{view.stem}") for stem in charts]
    metric = names[0] if spec.metric is None else spec.metric
    if metric not in names:
        raise ScmcError(no_such("metric of the sweep", metric, names))
    return view, charts[f"{metric}_{view.stem}"]


def _chosen(ds: xr.Dataset, spec: PaperSpec) -> xr.Dataset:
    """The systems and channels asked for, in that order."""
    for dim, names in (("system", (*spec.systems, *spec.labels)), ("channel", spec.channels)):
        known = [str(name) for name in ds[dim].values]
        for name in names:
            if name not in known:
                raise ScmcError(no_such(f"{dim} of the sweep", name, known))
    systems = spec.systems or tuple(map(str, ds.system.values))
    if len({spec.labels.get(name) or system_label(name) for name in systems}) < len(systems):
        raise ScmcError(f"labels of {', '.join(systems)} are not all different; give each its own")
    return ds.sel(system=list(systems), channel=list(spec.channels or map(str, ds.channel.values)))


def _view(made: Sequence[View], rho: float | None) -> View:
    """That against SNR at the bandwidth ratio asked for, or the only one there is."""
    against_snr = {view.fixed: view for view in made if view.x == "esno_db"}
    ratios = ", ".join(map(ratio_label, against_snr))
    if rho is None and len(made) == 1:
        return made[0]
    if rho is None:
        raise ScmcError(f"the sweep has several bandwidth ratios, {ratios}; choose one of them")
    near = min(against_snr, key=lambda fixed: abs(fixed - rho), default=float("nan"))
    if not abs(near - rho) <= 1e-4 * rho:  # as it is printed
        raise ScmcError(
            f"the sweep has no SNRs at bandwidth ratio {ratio_label(rho)}; "
            f"it has {ratios or 'none'}"
        )
    return against_snr[near]


def _style_file(path: Path) -> dict[Any, Any]:
    matplotlib = import_matplotlib()
    if not path.is_file():
        raise ScmcError(f"there is no style file {path}; give one such as paper.mplstyle")
    try:
        lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        with _silent(logging.getLogger("matplotlib")):
            found = dict(matplotlib.rc_params_from_file(path, True, use_default_template=False))
    except ValueError as error:
        raise ScmcError(f"{path} is not a Matplotlib style: {error}") from error
    keys = filter(None, (line.partition(":")[0].strip() for line in lines))
    if unknown := [key for key in keys if key not in matplotlib.rcParams]:
        raise ScmcError(f"{path} sets {', '.join(unknown)}, which Matplotlib does not know")
    return {key: value for key, value in found.items() if key not in _OF_THE_OUTPUT}


@contextmanager
def _silent(log: logging.Logger) -> Iterator[None]:
    """What it warns of is said in an error of ours."""
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _with_style(spec: PaperSpec) -> Iterator[None]:
    """What Matplotlib cannot do with a style file, it says when it draws."""
    try:
        yield
    except (RuntimeError, ValueError, OverflowError) as error:
        if spec.style is None or isinstance(error, ScmcError):
            raise
        why = " ".join(str(error).split())[:200]
        raise ScmcError(f"style {spec.style}: Matplotlib cannot draw with it: {why}") from error


def write_paper_figure(folder: str | Path, out: Path, spec: PaperSpec) -> list[Path]:
    """Writes a figure and, beside it, its numbers for each channel.

    Beside ``fig.pdf`` come ``fig.csv``, the same numbers as ``fig.dat`` (columns separated by
    spaces), ``fig.tex``, pgfplots that draws them from it, and ``fig_table.tex``, a table of means
    with their intervals (booktabs); with several channels ``fig_CHANNEL.csv`` and so on.

    Args:
        folder: Output folder of a sweep.
        out: The figure; its ending says of which kind it is.
        spec: What to draw.

    Returns:
        The files written, the figure first.

    Raises:
        ScmcError: As `plot`, or the ending is of no kind of figure.
    """
    check_files(out)
    check_ending(out, *(f".{kind}" for kind in KINDS))
    if is_stream(out):
        raise ScmcError(f"output {out} is no place for files beside it; give the name of a file")
    check_files(
        *(
            out.with_name(file_stem(out.stem) + end)
            for end in (".csv", ".dat", ".tex", "_table.tex")
        )
    )
    kind = out.suffix.lower().removeprefix(".")
    view, chart = _paper_chart(folder, spec)
    theme = spec.theme(len(chart.rows[0]))
    digits = DIGITS.get(chart.stem.removesuffix(f"_{view.stem}"), 3)
    with _with_style(spec):
        files = {out: rendered(chart.draw(theme), kind, theme=theme)[kind]}
    for place, channel in enumerate(view.channels):
        stem = file_stem(out.stem if len(view.channels) == 1 else f"{out.stem}_{channel}")
        whole = chart.whole(place)
        numbers = figure_table(whole)
        files[out.with_name(f"{stem}.csv")] = numbers.to_csv(index=False).encode()
        dat = numbers.to_csv(index=False, sep=" ", na_rep="nan")
        files[out.with_name(f"{stem}.dat")] = dat.encode()
        files[out.with_name(f"{stem}.tex")] = pgfplots(whole, f"{stem}.dat").encode()
        files[out.with_name(f"{stem}_table.tex")] = latex_table(whole, digits).encode()
    for path, data in files.items():
        write_atomic(path, data)
    return list(files)
