r"""A figure's numbers as CSV, and LaTeX (pgfplots) that draws the curve from that CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.figures.panel import Curve, Panel
from experiments.statistics.means import Interval
from experiments.statistics.tables import Table, interval_text, latex_text

_MARKS = {"o": "*", "s": "square*", "^": "triangle*", "D": "diamond*", "v": "triangle*",
          "P": "+", "X": "x", "*": "star", "h": "pentagon*", "p": "pentagon*", "8": "oplus",
          "<": "triangle*", ">": "triangle*", "d": "diamond*"}  # fmt: skip
_DASHES = {"-": "solid", "--": "dashed", ":": "densely dotted", "-.": "dashdotted"}


def _ordered(panel: Panel) -> list[Curve]:
    """The bounds after the systems."""
    return sorted(panel.curves, key=lambda curve: curve.weight < 1)


def figure_table(panel: Panel) -> pd.DataFrame:
    """The numbers of a panel: a row for each abscissa, a curve's band after its mean."""
    columns: dict[str, np.ndarray] = {panel.x.name: panel.curves[0].x}
    for curve in _ordered(panel):
        columns |= curve.table()
    return pd.DataFrame(columns)


def latex_table(panel: Panel, digits: int) -> str:
    """The numbers of a panel as LaTeX: a row for each curve, means with their intervals.

    Args:
        panel: The figure.
        digits: Behind the point.
    """
    rows = []
    for curve in _ordered(panel):
        ends = (np.full(len(curve.x), np.nan) if end is None else end
                for end in (curve.low, curve.high))  # fmt: skip
        cells = [
            interval_text(Interval(*map(np.asarray, each)), digits)
            for each in zip(curve.mean, *ends, strict=True)
        ]
        rows.append([", ".join(filter(None, [curve.label, curve.part])), *cells])
    first = f"{panel.y.label} at {panel.x.label}"
    places = [f"{x:g}".replace("-", "\N{MINUS SIGN}") for x in panel.curves[0].x]
    return f"% {panel.title}\n{Table([first, *places], rows).latex()}\n"


def _axis_options(panel: Panel) -> list[str]:
    options = [
        "width=3.5in", "height=2.8in", "grid=major", f"title={{{latex_text(panel.title)}}}",
        f"xlabel={{{latex_text(panel.x.label)}}}", f"ylabel={{{latex_text(panel.y.label)}}}",
        "unbounded coords=jump",
        "legend style={font=\\tiny, at={(0.5,-0.22)}, anchor=north, draw=none}",
        "legend columns=2", "legend cell align=left", "mark options={scale=0.7, solid}",
    ]  # fmt: skip
    if panel.crops and panel.y.limits is not None:
        options += [
            f"{end}={at:.6g}" for end, at in zip(("ymin", "ymax"), panel.y.limits, strict=True)
        ]
    modes = (("xmode=log", panel.x), ("ymode=log", panel.y))
    return options + [mode for mode, axis in modes if axis.scale == "log"]


def _plots(curve: Curve, number: int, panel: Panel, csv: str) -> list[str]:
    separator = "comma" if csv.endswith(".csv") else "space"

    def from_csv(column: str) -> str:
        return f"table [x={panel.x.name}, y={column}, col sep={separator}] {{{csv}}};"

    lines, (mean, *band) = [], curve.table()
    if band and panel.y.scale != "log":
        for path, column in zip(("low", "high"), band, strict=True):
            options = f"draw=none, forget plot, name path={path}{number}"
            lines.append(rf"\addplot [{options}] {from_csv(column)}")
        fill = f"fill=c{number}, opacity=0.15, draw=none, forget plot"
        between = f"fill between [of=low{number} and high{number}];"
        lines.append(rf"\addplot [{fill}] {between}")
    style = curve.style
    mark = f"mark={_MARKS.get(style.marker, '*')}" if style.marker else "no marks"
    hollow = ", mark options={scale=0.7, solid, fill=white}" if style.hollow else ""
    dash = _DASHES.get(style.line, "loosely dashed")
    lines.append(rf"\addplot [c{number}, {dash}, {mark}{hollow}] {from_csv(mean)}")
    label = ", ".join(filter(None, [curve.label, curve.part]))
    return [*lines, rf"\addlegendentry{{{latex_text(label)}}}"]


def pgfplots(panel: Panel, csv: str) -> str:
    """A LaTeX file that draws the curves from the CSV beside it.

    Args:
        panel: The figure.
        csv: Name of the file of `figure_table`: separated by commas if it ends in ``.csv``, else
            by spaces.
    """
    curves = _ordered(panel)
    body = [line for n, curve in enumerate(curves) for line in _plots(curve, n, panel, csv)]
    colours = [curve.style.colour for curve in curves]
    library = r"\usepgfplotslibrary{fillbetween}"
    return pgfplots_document(library, colours, _axis_options(panel), body)


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
