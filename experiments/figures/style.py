"""How figures look: colours told apart by everyone, distinct markers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.sweep.labels import options_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for the common kinds of colour blindness.
COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#666666"
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
BOUND_LINES: dict[str, Any] = {
    "capacity": (0, (5, 1.5)), "normal": (0, (1, 1.2)), "outage": (0, (4, 1.2, 1, 1.2)),
}  # fmt: skip
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
}
VARIANT_MARKERS = "dph8s*P<"
VARIANT_LINES: tuple[Any, ...] = (
    "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1))
)  # fmt: skip


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
    unknown = dict.fromkeys(base for name in names if (base := _base(name)) not in CODECS)
    own = CODECS | {base: _free(place) for place, base in enumerate(unknown)}
    found: dict[str, Style] = {}
    for name in sorted(names, key=lambda name: ":" in name):  # codecs without options choose first
        style = Style(*own[_base(name)])
        for key, value in options_of(name):
            style = replace(style, **OPTIONS.get(f"{key}={value}", OPTIONS.get(key, {})))
        choices = (style, *(replace(style, marker=m, line=line) for m, line in _variants()))
        found[name] = next((c for c in choices if c not in found.values()), style)
    return {name: found[name] for name in names}


def _base(name: str) -> str:
    return name.partition(":")[0]


def _variants() -> Iterator[tuple[str, Any]]:
    for n in range(len(VARIANT_MARKERS) * len(VARIANT_LINES)):
        yield VARIANT_MARKERS[n % len(VARIANT_MARKERS)], VARIANT_LINES[n % len(VARIANT_LINES)]


def _free(place: int) -> tuple[str, str]:
    colour = COLOURS[-1 - place % len(COLOURS)]
    return colour, MARKERS[(place // len(COLOURS) - place) % len(MARKERS)]


@contextmanager
def paper_style() -> Iterator[None]:
    """Matplotlib settings of all figures; needs no display."""
    import matplotlib

    with matplotlib.rc_context(RC):
        yield


def save_figure(figure: Figure, folder: Path, stem: str) -> list[Path]:
    """Writes a figure as vector PDF and as PNG; what no file name should hold becomes ``_``."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "_", stem)
    paths = [folder / f"{stem}.pdf", folder / f"{stem}.png"]
    # A date inside the PDF would make equal figures differ.
    figure.savefig(paths[0], metadata={"CreationDate": None})
    figure.set_layout_engine("none")  # laid out once is enough
    figure.savefig(paths[1])
    return paths
