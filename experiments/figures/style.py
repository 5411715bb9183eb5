"""How figures look: a colour for each codec, marker and line for its options, sizes of print."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.execution.output import short_name
from experiments.headless import import_matplotlib
from experiments.sweep.labels import options_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for the common kinds of colour blindness.
COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#666666"
TABLES = ("summary.csv", "delivery.csv")
"""The numbers drawn, in the folder of the figures."""
RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.hashsalt": "scmc_comm",
}
_PRINT: dict[Any, Any] = {
    "font.size": 7, "axes.labelsize": 7.5, "axes.titlesize": 8, "legend.fontsize": 6.8,
    "xtick.labelsize": 6.8, "ytick.labelsize": 6.8, "lines.linewidth": 1.2, "lines.markersize": 4,
}  # fmt: skip
# Unlike those of layers and options.
BOUND_LINES: dict[str, Any] = {
    "capacity": (0, (10, 2)), "normal": (0, (1, 2.5)), "outage": (0, (10, 2, 1, 2, 1, 2)),
}  # fmt: skip
LAYER_LINES = {"semantic": ":", "structure": "--", "signal": "-"}
# Colour and marker of each codec; a name that is not here takes the next free ones of a figure.
CODECS = {
    "scmc": ("#0072B2", "o"), "scmc-signal": ("#56B4E9", "8"), "deepjscc": ("#CC6677", "v"),
    "jpeg": ("#D55E00", "^"), "webp": ("#E69F00", "P"), "jpeg2000": ("#999933", "<"),
    "avif": ("#CC79A7", "v"), "hevc": ("#000000", "X"), "bpg": ("#000000", "X"),
    "vvc": ("#009E73", "D"), "hyperprior": ("#882255", ">"), "factorized": ("#44AA99", "H"),
}  # fmt: skip
# What an option that is known changes.
OPTIONS: dict[str, dict[str, Any]] = {
    "protection=equal": {"marker": "s", "line": "--"},
    "protection=optimised": {"marker": "*", "line": "-."},
    "protection=range": {"marker": "h", "line": (0, (1, 1))},
    "headers=file": {"marker": "d", "line": "-."},
    "mcs=adaptive": {"line": "--", "hollow": True},
    "utility": {"marker": "p", "line": ":"},
    "layers": {"marker": "d", "line": "-."},
}
_LINES: tuple[Any, ...] = (
    "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1))
)  # fmt: skip
# Marker and line of what has a known style already: all pairs, as the lengths have no factor.
VARIANTS = tuple(itertools.islice(zip(itertools.cycle("dph8s*P<"), itertools.cycle(_LINES)), 56))


@dataclass(frozen=True)
class Style:
    """Colour, marker and line of a curve.

    Attributes:
        colour: Such as ``"#0072B2"``.
        marker: Matplotlib's, or empty.
        line: Matplotlib's line style.
        hollow: Whether the marker is filled with white.
    """

    colour: str
    marker: str = ""
    line: Any = "-"
    hollow: bool = False


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each system, codec or scheme: the colour is the codec's, the rest its options'.

    Codecs and options that are known look the same in every figure, and no two names are alike.

    Example:
        >>> found = styles(["vvc", "vvc:mcs=adaptive"])
        >>> found["vvc"].colour == found["vvc:mcs=adaptive"].colour
        True
        >>> found["vvc"] == styles(["scmc", "new", "vvc"])["vvc"]
        True
    """
    unknown = dict.fromkeys(base for name in names if (base := codec_of(name)) not in CODECS)
    own = CODECS | {base: _free(place) for place, base in enumerate(unknown)}
    found: dict[str, Style] = {}
    for name in sorted(names, key=lambda name: ":" in name):  # codecs without options choose first
        style = Style(*own[codec_of(name)])
        for key, value in options_of(name):
            style = replace(style, **OPTIONS.get(f"{key}={value}", OPTIONS.get(key, {})))
        choices = (style, *(replace(style, marker=m, line=line) for m, line in VARIANTS))
        found[name] = next((c for c in choices if c not in found.values()), style)
    return {name: found[name] for name in names}


def codec_of(name: str) -> str:
    """The codec of a system, or of an image codec with options."""
    return name.partition(":")[0]


def _free(place: int) -> tuple[str, str]:
    colour = COLOURS[-1 - place % len(COLOURS)]
    return colour, MARKERS[(place // len(COLOURS) - place) % len(MARKERS)]


@dataclass(frozen=True)
class Theme:
    """How large a figure is, and all that is written in it.

    Attributes:
        width: Of the figure in inches; None for 3.5 in a column of panels, 2.8 in of many.
        height: Of a panel in inches.
        rc: Settings of Matplotlib beyond `RC`.
        note: Whether the small print is part of the figure.
    """

    width: float | None
    height: float
    rc: Mapping[Any, Any] = field(default_factory=dict)
    note: bool = True

    def width_of(self, columns: int) -> float:
        """Width in inches of a figure with so many columns of panels."""
        return self.width or max(columns * (3.5 if columns < 3 else 2.8), 4.6)


SCREEN = Theme(None, 2.5)
SINGLE, DOUBLE = (Theme(width, 1.9, _PRINT, note=False) for width in (3.5, 7.16))


@contextmanager
def paper_style(theme: Theme = SCREEN) -> Iterator[None]:
    """Matplotlib settings of all figures: no display, and nothing of the user's matplotlibrc."""
    matplotlib = import_matplotlib()
    kept = matplotlib.rcParamsDefault
    plain = {key: kept[key] for key in kept if not key.startswith(("backend", "webagg", "toolbar"))}
    with matplotlib.rc_context({**plain, **RC, **theme.rc}):
        yield


def rendered(figure: Figure, *kinds: str, theme: Theme = SCREEN) -> dict[str, bytes]:
    """A figure as ``pdf``, ``svg`` or ``png``, without dates so that equal ones stay equal.

    Args:
        figure: The figure.
        kinds: Of which kinds.
        theme: That it was drawn in, which may have fonts of its own.
    """
    found = {}
    with paper_style(theme):
        for kind in kinds:
            buffer = io.BytesIO()
            dated = {"pdf": "CreationDate", "svg": "Date"}.get(kind)
            figure.savefig(buffer, format=kind, metadata={dated: None} if dated else None)
            found[kind] = buffer.getvalue()
    return found


def save_figure(figure: Figure, folder: Path, stem: str) -> list[Path]:
    """Writes a figure as vector PDF and as PNG; what no file name should hold becomes ``_``."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, data in rendered(figure, "pdf", "png").items():
        paths.append(folder / f"{file_stem(stem)}.{kind}")
        paths[-1].write_bytes(data)
    return paths


def remove_others(folder: Path, drawn: Iterable[Path]) -> None:
    """Removes what an earlier run drew and this one did not.

    Args:
        folder: Where figures lie, each a PDF and a PNG of one name, and the `TABLES`; files of
            other kinds and single ones stay.
        drawn: Those of this run.
    """
    kept = {path.stem for path in drawn}
    for pdf in folder.glob("*.pdf"):
        png = pdf.with_suffix(".png")
        if pdf.stem not in kept and png.is_file():
            pdf.unlink()
            png.unlink()
    for table in TABLES:
        if Path(table).stem not in kept:
            (folder / table).unlink(missing_ok=True)


def in_figure(text: str) -> str:
    r"""Text for Matplotlib: a name's dollar signs are signs, ρ and Es/N0 are set as mathematics.

    Example:
        >>> print(in_figure("a_$5, ρ = 1/24"))
        a_\$5, $\rho$ = 1/24
    """
    return text.replace("$", r"\$").replace("ρ", r"$\rho$").replace("Es/N0", "$E_s/N_0$")


def file_stem(text: str) -> str:
    """A name for a file or a column, whatever it is made of.

    Example:
        >>> file_stem("psnr_db_rho1/24"), len(file_stem("x" * 300))
        ('psnr_db_rho1_24', 129)
    """
    return short_name(re.sub(r"[^\w.-]+", "_", text))
