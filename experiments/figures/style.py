"""How figures look: colours told apart by everyone, distinct markers, labels with units."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
METRICS = {
    "psnr_db": "PSNR (dB)",
    "ms_ssim": "MS-SSIM",
    "ssim": "SSIM",
    "lpips": "LPIPS (lower is better)",
    "lpips_vgg": "LPIPS-VGG (lower is better)",
    "dists": "DISTS (lower is better)",
    "mse": "MSE (lower is better)",
}
CHANNELS = {
    "awgn": "AWGN",
    "rayleigh_block": "Rayleigh block fading",
    "rician_block": "Rician block fading",
    "tdl": "TDL",
    "cdl": "CDL",
    "clarke": "Clarke",
}
CODECS = {
    "jpeg": "JPEG", "vvc": "VVC", "webp": "WebP", "jpeg2000": "JPEG 2000", "avif": "AVIF",
    "hevc": "HEVC", "hyperprior": "hyperprior",
}  # fmt: skip
BOUND_LINES: dict[str, Any] = {
    "capacity": (0, (5, 1.5)), "normal": (0, (1, 1.2)), "outage": (0, (4, 1.2, 1, 1.2)),
}  # fmt: skip
SYSTEMS = {
    "scmc": "SCMC, unequal protection",
    "scmc-equal": "SCMC, equal protection",
    "scmc-optimised": "SCMC, optimised per SNR",
    "scmc-optimised-lpips": "SCMC, optimised per SNR in LPIPS",
    "scmc-optimised-fixed": "SCMC, optimised once",
    "deepjscc": "DeepJSCC, told the SNR",
    "deepjscc-peak": "DeepJSCC, PAPR limited to 6 dB",
    "deepjscc-fixed": "DeepJSCC, told the design SNR",
    "scmc-signal": "SCMC's signal layer + LDPC",
}
ENVELOPE: Any = (0, (3.5, 1.2))
ENVELOPE_LPIPS: Any = ":"
VARIANT_LINES: tuple[Any, ...] = ("-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
VARIANT_MARKERS = ("d", "p", "h", "8")


@dataclass(frozen=True)
class Style:
    """Colour, marker and line of a system."""

    colour: str
    marker: str
    line: Any = "-"


_STYLES = {
    "scmc": ("#0072B2", "o"), "scmc-equal": ("#56B4E9", "s"), "scmc-optimised": ("#332288", "*"),
    "scmc-optimised-lpips": ("#44AA99", "*"), "scmc-optimised-fixed": ("#AA4499", "h"),
    "scmc-signal": ("#44AA99", "8"),
    "jpeg": ("#D55E00", "^"), "vvc": ("#009E73", "D"), "webp": ("#E69F00", "P"),
    "avif": ("#CC79A7", "v"), "hevc": ("#000000", "X"), "jpeg2000": ("#999933", "<"),
    "hyperprior": ("#882255", ">"), "deepjscc": ("#CC6677", "v"), "deepjscc-peak": ("#E69F00", "p"),
    "deepjscc-fixed": ("#000000", "d"),
}  # fmt: skip


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each system; known systems keep theirs in every figure.

    An envelope has the colour and marker of its codec; its line, dashed, or dotted if it is for
    another metric, tells it from the fixed design. Options of the codec keep the colour too.

    Example:
        >>> styles(["vvc"]) == {"vvc": styles(["scmc", "new", "vvc"])["vvc"]}
        True
        >>> styles(["vvc-envelope"])["vvc-envelope"].colour == styles(["vvc"])["vvc"].colour
        True
    """
    free, variant = itertools.count(), itertools.count()
    found = {}
    for name in names:
        codec, is_envelope, utility = name.partition("-envelope")
        base, _, options = name.partition(":")
        if options and base in _STYLES:
            marker, line = variant_look(next(variant))
            found[name] = Style(_STYLES[base][0], marker, line)
        elif codec in _STYLES:
            colour, marker = _STYLES[codec]
            line = ENVELOPE if is_envelope else "-"
            found[name] = Style(colour, marker, ENVELOPE_LPIPS if utility else line)
        else:
            place = next(free)
            colour = COLOURS[-1 - place % len(COLOURS)]
            found[name] = Style(colour, MARKERS[(place // len(COLOURS) - place) % len(MARKERS)])
    return found


def variant_look(number: int) -> tuple[str, Any]:
    """Marker and line of the so-manieth system of a figure that has options of its codec."""
    return (
        VARIANT_MARKERS[number % len(VARIANT_MARKERS)],
        VARIANT_LINES[number % len(VARIANT_LINES)],
    )


def metric_label(name: str) -> str:
    """Axis label of a metric."""
    return METRICS.get(name, name)


def system_label(name: str) -> str:
    """Legend entry of a system.

    Example:
        >>> system_label("jpeg"), system_label("vvc-file-envelope")
        ('JPEG + LDPC', 'VVC file, best of each SNR')
        >>> system_label("scmc:realism=0")
        'SCMC, unequal protection, realism=0'
    """
    base, _, options = name.partition(":")
    if base in SYSTEMS:
        return ", ".join([SYSTEMS[base], *filter(None, [options])])
    codec, is_envelope, utility = name.partition("-envelope")
    if codec.removesuffix("-file") not in CODECS:
        return name
    best = f"best of each SNR{utility.replace('-', ' in ').upper()}"
    return f"{codec_label(codec)}, {best}" if is_envelope else f"{codec_label(codec)} + LDPC"


def codec_label(name: str) -> str:
    """Name of an image codec in legends.

    Example:
        >>> codec_label("vvc"), codec_label("jpeg-file")
        ('VVC', 'JPEG file')
    """
    family = name.removesuffix("-file")
    return CODECS.get(family, family) + (" file" if family != name else "")


def channel_label(name: str) -> str:
    """Title of a channel, with its parameters.

    Example:
        >>> channel_label("rayleigh_block:coherence_symbols=256")
        'Rayleigh block fading (coherence_symbols=256)'
    """
    base, _, args = name.partition(":")
    return CHANNELS.get(base, base) + (f" ({args})" if args else "")


def ratio_label(rho: float) -> str:
    """A bandwidth ratio as a fraction.

    Example:
        >>> ratio_label(0.041666666666666664)
        '1/24'
    """
    ratio = Fraction(rho).limit_denominator(2000)
    if abs(float(ratio) - rho) > 1e-9 or ratio.denominator == 1:
        return f"{rho:.4g}"
    return f"{ratio.numerator}/{ratio.denominator}"


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
