r"""A figure's numbers as CSV, and LaTeX (pgfplots) that draws the curve from that CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.report.panels import Panel
from experiments.statistics.tables import latex_text
from experiments.sweep.bounds import KINDS
from experiments.sweep.labels import channel_label, metric_label, system_label

_MARKS = {"o": "*", "s": "square*", "^": "triangle*", "D": "diamond*", "v": "triangle*",
          "P": "+", "X": "x", "*": "star", "h": "pentagon*", "p": "pentagon*", "8": "oplus",
          "<": "triangle*", ">": "triangle*", "d": "diamond*"}  # fmt: skip
_DASHES = {"capacity": "dashed", "normal": "densely dotted", "outage": "dashdotted"}


@dataclass(frozen=True)
class Curve:
    """One curve of a figure as columns of its CSV.

    Attributes:
        label: Legend entry.
        column: Column of its values.
        band: Columns of its limits, or none.
        colour: Such as ``"#0072B2"``.
        mark: pgfplots' mark, or empty.
        dash: pgfplots' line style.
    """

    label: str
    column: str
    band: tuple[str, str] | None
    colour: str
    mark: str
    dash: str = "solid"


def quality_table(panel: Panel, channel: str) -> tuple[pd.DataFrame, list[Curve]]:
    """The numbers of a quality panel over one channel, and how each curve is drawn.

    Returns:
        A row for each abscissa, the bounds' columns after the systems'; the curves.
    """
    view, curves = panel.view, []
    columns: dict[str, np.ndarray] = {view.x: view.ds[view.x].values}
    for system in map(str, view.ds.system.values):
        part = view.found.sel(metric=panel.metric, channel=channel, system=system)
        names = [f"{system}_{end}" for end in ("mean", "low", "high")]
        columns |= {n: part[f"value_{n.rpartition('_')[2]}"].values for n in names}
        style = view.style[system]
        mark, dash = _MARKS.get(style.marker, "*"), "solid" if style.line == "-" else "dashed"
        label, band = system_label(system), (names[1], names[2])
        curves.append(Curve(label, names[0], band, style.colour, mark, dash))
    for line in view.bounds(channel, panel.metric):
        name = f"{line.codec}_{line.kind}"
        columns[name] = line.quality.sel({view.other: view.fixed}).values
        label = f"{system_label(line.codec)} + {KINDS[line.kind]}"
        colour = view.codec_style[line.codec].colour
        curves.append(Curve(label, name, None, colour, "", _DASHES[line.kind]))
    return pd.DataFrame(columns), curves


def loss_table(panel: Panel, channel: str) -> tuple[pd.DataFrame, list[Curve]]:
    """The same of a panel of losses; where none was seen the mean is left empty."""
    view, curves = panel.view, []
    columns: dict[str, np.ndarray] = {view.x: view.ds[view.x].values}
    for system in map(str, view.ds.system.values):
        for unit in map(str, view.arrivals.unit.values):
            part = view.arrivals.sel(unit=unit, channel=channel, system=system)
            if "." in unit or bool(part.probability.isnull().all()):
                continue
            lost, name = 1 - part.probability.values, f"{system}_{unit}_loss"
            columns[name] = np.where(lost > 0, lost, np.nan)
            columns[f"{name}_low"] = 1 - part.high.values
            columns[f"{name}_high"] = 1 - part.low.values
            style = view.style[system]
            dash = {"semantic": "densely dotted", "structure": "dashed"}.get(unit, "solid")
            label = f"{system_label(system)}, {unit}"
            mark = _MARKS.get(style.marker, "*")
            curves.append(Curve(label, name, None, style.colour, mark, dash))
    return pd.DataFrame(columns), curves


def figure_table(panel: Panel, channel: str) -> tuple[pd.DataFrame, list[Curve]]:
    """The numbers of a panel over one channel."""
    return (quality_table if panel.metric else loss_table)(panel, channel)


def _axis_options(panel: Panel, channel: str) -> list[str]:
    label = metric_label(panel.metric) if panel.metric else "probability of loss"
    over_snr = panel.view.x == "esno_db"
    x = "$E_s/N_0$ per channel use (dB)" if over_snr else r"bandwidth ratio $\rho$"
    title = latex_text(channel_label(channel))
    options = [
        "width=3.5in", "height=2.8in", "grid=major", f"title={{{title}}}",
        f"xlabel={{{x}}}", f"ylabel={{{latex_text(label)}}}", "unbounded coords=jump",
        "legend style={font=\\tiny, at={(0.5,-0.22)}, anchor=north, draw=none}",
        "legend columns=2", "legend cell align=left", "mark options={scale=0.7, solid}",
    ]  # fmt: skip
    return options + ([] if over_snr else ["xmode=log"]) + ([] if panel.metric else ["ymode=log"])


def _plots(curve: Curve, number: int, x: str, csv: str) -> list[str]:
    def from_csv(column: str) -> str:
        return f"table [x={x}, y={column}, col sep=comma] {{{csv}}};"

    lines = []
    if curve.band:
        for path, column in zip(("low", "high"), curve.band, strict=True):
            options = f"draw=none, forget plot, name path={path}{number}"
            lines.append(rf"\addplot [{options}] {from_csv(column)}")
        fill = f"fill=c{number}, opacity=0.15, draw=none, forget plot"
        between = f"fill between [of=low{number} and high{number}];"
        lines.append(rf"\addplot [{fill}] {between}")
    mark = f"mark={curve.mark}" if curve.mark else "no marks"
    lines.append(rf"\addplot [c{number}, {curve.dash}, {mark}] {from_csv(curve.column)}")
    return [*lines, rf"\addlegendentry{{{latex_text(curve.label)}}}"]


def pgfplots(panel: Panel, channel: str, curves: Sequence[Curve], csv: str) -> str:
    """A LaTeX file that draws the curves from the CSV beside it.

    Args:
        panel: The figure.
        channel: Its channel.
        curves: What `figure_table` gave.
        csv: Name of the CSV file.
    """
    body = [line for n, curve in enumerate(curves) for line in _plots(curve, n, panel.view.x, csv)]
    colours = [curve.colour for curve in curves]
    library = r"\usepgfplotslibrary{fillbetween}"
    return pgfplots_document(library, colours, _axis_options(panel, channel), body)


def pgfplots_document(
    library: str, colours: Sequence[str], options: Sequence[str], plots: Sequence[str]
) -> str:
    """A LaTeX file of one pgfplots axis.

    Args:
        library: Line that loads what the plots need beside pgfplots.
        colours: Such as ``"#0072B2"``; the plots call them c0, c1, ...
        options: Of the axis.
        plots: Lines inside the axis.
    """
    defined = [
        rf"\definecolor{{c{n}}}{{HTML}}{{{colour.lstrip('#').upper()}}}"
        for n, colour in enumerate(colours)
    ]
    return "\n".join([
        r"\documentclass[border=2pt]{standalone}", r"\usepackage{pgfplots}", library,
        r"\pgfplotsset{compat=1.16}", *defined, r"\begin{document}", r"\begin{tikzpicture}",
        r"\begin{axis}[", *(f"  {option}," for option in options), "]", *plots, r"\end{axis}",
        r"\end{tikzpicture}", r"\end{document}", "",
    ])  # fmt: skip
