"""One panel as data: curves with bands over two axes, and how it is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.figures.style import GREY, Style, file_stem, in_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A curve with its band.

    Attributes:
        x: Abscissas, [points].
        mean: Ordinates, [points]; where one is NaN and ``high`` is not, only the upper limit is
            known, which an arrow shows.
        low: Lower end of the band, or None without one.
        high: Upper end.
        style: How it looks.
        label: Legend entry, or empty.
        part: What of the label it shows, such as a layer, if its line tells that.
        column: Name of its numbers in tables.
        weight: Of its line; one below 1 stands behind the others: a bound, a published curve.
        notes: Text beside some of its points, by their index.
    """

    x: Floats
    mean: Floats
    low: Floats | None
    high: Floats | None
    style: Style
    label: str = ""
    part: str = ""
    column: str = ""
    weight: float = 1.0
    notes: Mapping[int, str] = field(default_factory=dict)

    def table(self) -> dict[str, Floats]:
        """Its numbers by column, those of the band after the mean."""
        name = file_stem(self.column)
        if self.low is None or self.high is None:
            return {name: self.mean}
        base = name.removesuffix("_mean")
        return {name: self.mean, f"{base}_low": self.low, f"{base}_high": self.high}

    def draw(
        self, ax: Axes, scale: float, nudge: float, view: tuple[float, float] | None = None
    ) -> None:
        """Line, band, arrows (moved by ``nudge`` points) and notes.

        Where bands leave the ``view``, limits of a panel, they are faint, and there is none where
        both of its ends are outside, as a shade all over tells nothing.
        """
        properties = look(self.style, scale * self.weight)
        ax.plot(self.x, self.mean, **properties, zorder=1.5 if self.weight < 1 else 2.0)
        if self.low is not None and self.high is not None:
            self._draw_band(ax, nudge, view)
        rising = self.mean[-1] > self.mean[0]
        for n, text in self.notes.items():
            left = n > 0 and not rising  # on the side of the curve that others seldom cross
            lowest = n == 0 and rising  # near the axis
            below = -2 if lowest else -6
            ax.annotate(
                in_figure(text), (self.x[n], self.mean[n]), textcoords="offset points", va="center",
                xytext=(-4 if left else 6, below if left or rising else 4), fontsize=6,
                ha="right" if left else "left", color=self.style.colour,
            )  # fmt: skip

    def _draw_band(self, ax: Axes, nudge: float, view: tuple[float, float] | None) -> None:
        from matplotlib.transforms import ScaledTranslation

        assert self.low is not None and self.high is not None
        limit = np.isnan(self.mean) & np.isfinite(self.high)
        low = np.where(limit, np.nan, self.low)
        seen = np.ones(len(low), bool)
        if view is not None:
            seen = (low >= view[0]) | (self.high <= view[1])
        ax.fill_between(
            self.x, low, self.high, where=seen, color=self.style.colour, linewidth=0,
            alpha=0.13 if view is None else 0.06,
        )  # fmt: skip
        if limit.any():
            shift = ScaledTranslation(nudge / 72, -3 / 72, ax.figure.dpi_scale_trans)
            ax.plot(
                self.x[limit], self.high[limit], linestyle="none", marker=r"$\downarrow$",
                markersize=7, color=self.style.colour, markeredgewidth=0.3,
                transform=ax.transData + shift,
            )  # fmt: skip
            near = limit.copy()  # and the points beside, to say which line the arrows end
            near[1:] |= limit[:-1] & (self.mean[1:] >= self.high[:-1])  # not a line that rises
            near[:-1] |= limit[1:] & (self.mean[:-1] >= self.high[1:])
            ax.plot(
                self.x, np.where(limit, self.high, np.where(near, self.mean, np.nan)),
                linestyle=self.style.line, color=self.style.colour, linewidth=0.6, alpha=0.6,
                zorder=1.5,
            )  # fmt: skip
            ax.update_datalim(np.column_stack([self.x, self.high]), updatey=False)
            ax.autoscale_view(scaley=False)


def look(style: Style, scale: float = 1.0) -> dict[str, Any]:
    """Matplotlib's properties of a line in a style."""
    from matplotlib import rcParams

    return {
        "color": style.colour, "marker": style.marker, "linestyle": style.line,
        "linewidth": scale * rcParams["lines.linewidth"],
        # A hollow marker is a ring round what it may lie on.
        "markersize": scale * rcParams["lines.markersize"] * (
            1.6 if style.marker == "*" else 1.3 if style.hollow else 1
        ),
        "markerfacecolor": "none" if style.hollow else style.colour,
        "markeredgecolor": style.colour if style.hollow else "white",
        "markeredgewidth": 0.9 if style.hollow else 0.4,
    }  # fmt: skip


def legend_line(label: str, style: Style, scale: float = 1.0) -> Line2D:
    """Legend entry of a style."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=in_figure(label), **look(style, scale))


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes:
        label: What it shows, with its unit.
        name: Name of its numbers in tables.
        scale: ``"linear"``, ``"log"`` or ``"one_minus"``, the logarithm of what is missing to 1.
        ticks: Text at each place, or empty for Matplotlib's choice.
        limits: Its ends, or None.
        inverted: Whether it falls.
    """

    label: str = ""
    name: str = ""
    scale: str = "linear"
    ticks: Mapping[float, str] = field(default_factory=dict)
    limits: tuple[float, float] | None = None
    inverted: bool = False

    def apply(self, ax: Axes, which: str) -> None:
        """Sets scale, limits and ticks of the x or the y axis."""
        axis, set_scale = getattr(ax, f"{which}axis"), getattr(ax, f"set_{which}scale")
        if self.scale == "one_minus":
            set_scale("function", functions=(missing_db, from_missing_db))
        elif self.scale != "linear":
            set_scale(self.scale)
        if self.limits is not None:
            ax.set(**{f"{which}lim": self.limits})
        if self.ticks:
            axis.set_ticks(list(self.ticks), labels=list(map(in_figure, self.ticks.values())))
            axis.minorticks_off()
        elif self.scale == "log" and which == "x":  # 0.1 rather than a power of ten
            axis.set_major_formatter(lambda value, _: f"{value:g}")
        if self.inverted:
            axis.set_inverted(True)


def missing_db(value: Any) -> Any:
    """What a value lacks to 1, as a level in dB."""
    return -10 * np.log10(np.maximum(1 - np.asarray(value), 1e-6))


def from_missing_db(decibels: Any) -> Any:
    """The inverse of `missing_db`."""
    return 1 - 10 ** (-np.asarray(decibels) / 10)


@dataclass(frozen=True)
class Panel:
    """Curves over two axes; one without any leaves its place empty.

    Attributes:
        x: The horizontal axis.
        y: The vertical axis.
        curves: From back to front.
        title: What tells it from its neighbours.
        marks: Vertical dashed lines with a word each, which may be empty.
        extra: Draws what is no curve.
    """

    x: Axis
    y: Axis
    curves: Sequence[Curve] = ()
    title: str = ""
    marks: Mapping[float, str] = field(default_factory=dict)
    extra: Callable[[Axes], None] | None = None

    @property
    def crops(self) -> bool:
        """Does a band leave the panel?"""
        if self.y.limits is None or self.y.scale == "one_minus":
            return False
        ends = band_ends(self.curves)
        return bool(len(ends) and (ends.min() < self.y.limits[0] or ends.max() > self.y.limits[1]))

    def draw(self, ax: Axes, scale: float) -> None:
        """Draws all but labels and title; ``scale`` is that of lines and markers."""
        labels = list(dict.fromkeys(curve.label for curve in self.curves if curve.weight >= 1))
        middle = (len(labels) - 1) / 2
        for curve in self.curves:
            # Arrows of different systems meet at the same height: spread them sideways. Curves
            # that coincide show as well, the first drawn being the widest.
            place = labels.index(curve.label) - middle if curve.weight >= 1 else 0.0
            width = 1 - min(0.13, 0.3 / max(middle, 1)) * place
            curve.draw(ax, scale * width, 3 * place, self.y.limits if self.crops else None)
        if self.extra is not None:
            self.extra(ax)
        self.x.apply(ax, "x")
        self.y.apply(ax, "y")
        for place, word in self.marks.items():
            self._mark(ax, place, word)

    def _mark(self, ax: Axes, place: float, word: str) -> None:
        from matplotlib import rcParams

        # Above the grid, which may run through the same place, and below the curves.
        ax.axvline(place, color=GREY, linestyle=(0, (4, 3)), linewidth=0.9, zorder=1.5)
        low, high = sorted(ax.get_xlim())
        left = place > low + 0.85 * (high - low)  # no room on the right
        ax.annotate(
            in_figure(word), (place, 1), xycoords=("data", "axes fraction"),
            xytext=(-2 if left else 2, -1),
            textcoords="offset points", color=GREY, va="top",
            fontsize=rcParams["xtick.labelsize"],
            ha="right" if left else "left",
        )  # fmt: skip


def band_ends(curves: Sequence[Curve]) -> Floats:
    """All ends of all bands, those that exist."""
    ends = [end for curve in curves for end in (curve.low, curve.high) if end is not None]
    found = np.concatenate(ends) if ends else np.empty(0)
    return found[np.isfinite(found)]


def view_limits(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Limits that show curves side by side where their bands would press them together.

    Intervals from two or three images can be ten times as wide as all that systems differ by.
    Bands widen the range of the curves by 30 % at each end at most; what is beyond leaves the
    panel.

    Returns:
        None where all bands fit, or where a single curve's band is what there is to see.

    Example:
        >>> style, x, none = Style("#000000"), np.arange(2.0), np.zeros(2)
        >>> a, b = (Curve(x, np.full(2, v), none + v - 50, none + v + 50, style) for v in (20, 30))
        >>> view_limits([a, b])
        (16.36, 33.64)
        >>> view_limits([a])
    """
    means = np.concatenate([curve.mean for curve in curves]) if curves else np.empty(0)
    means, ends = means[np.isfinite(means)], band_ends(curves)
    if len(curves) < 2 or not len(means) or not len(ends) or not np.ptp(means):
        return None
    low, high = means.min() - 0.3 * np.ptp(means), means.max() + 0.3 * np.ptp(means)
    if ends.min() >= low and ends.max() <= high:
        return None
    low, high = max(low, min(ends.min(), means.min())), min(high, max(ends.max(), means.max()))
    margin = 0.04 * (high - low)
    return float(low - margin), float(high + margin)


def wrapped(text: str, inches: float, size: float) -> str:
    """Text `in_figure`, broken into lines that fit, its characters 0.58 of their size wide."""
    most = max(8, int(72 * inches / (0.58 * size)))
    lines = [
        textwrap.fill(line, most, break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    ]
    return in_figure("\n".join(lines))
