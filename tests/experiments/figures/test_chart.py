"""Panels and charts: what is data and what is drawn."""

import re

import numpy as np
import pytest

from experiments.figures.chart import WIDER, Chart
from experiments.figures.exports import pgfplots
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import DOUBLE, SINGLE, Style

X = np.arange(5.0)
BLUE = Style("#0072B2", "o")


def chart(curves, columns=1, **more):
    panel = Panel(Axis("x", "x"), Axis("y", scale="log"), curves)
    return Chart("stem", "title", [[panel] * columns], **more)


def test_upper_limits_alone_widen_the_x_axis():
    nan = np.nan
    mean = np.array([0.5, 0.1, nan, nan, nan])
    curve = Curve(X, mean, mean / 2, np.array([0.9, 0.3, 0.05, 0.05, 0.05]), BLUE, "lost")
    (ax,) = chart([curve]).draw().axes
    low, high = ax.get_xlim()
    assert low < X[0] and high > X[-1]
    arrows = ax.lines[1]
    assert arrows.get_xdata().tolist() == [2, 3, 4]
    joined = ax.lines[2].get_ydata()
    assert joined[1:].tolist() == [0.1, 0.05, 0.05, 0.05], "from the last point seen to the arrows"
    assert np.isnan(joined[0])


def test_no_line_leads_up_to_an_upper_limit_above_what_was_seen():
    mean = np.array([0.5, 0.01, np.nan, np.nan, 0.02])
    curve = Curve(X, mean, mean / 2, np.array([0.9, 0.03, 0.05, 0.05, 0.06]), BLUE, "lost")
    (ax,) = chart([curve]).draw().axes
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), [np.nan, np.nan, 0.05, 0.05, np.nan])


def test_curves_that_coincide_are_all_seen():
    curves = [Curve(X, X + 1, None, None, BLUE, f"system {n}") for n in range(6)]
    (ax,) = chart(curves).draw().axes
    widths = [line.get_linewidth() for line in ax.lines]
    assert all(np.diff(widths) < -0.05) and all(np.diff([m.get_markersize() for m in ax.lines]) < 0)


def test_a_marked_place_on_a_grid_line_is_drawn_over_it():
    panel = Panel(Axis("x"), Axis("y"), [Curve(X, X, None, None, BLUE)], marks={2.0: "", 2.25: ""})
    figure = Chart("s", "t", [[panel]]).draw()
    figure.canvas.draw()
    (ax,) = figure.axes
    assert 2.0 in ax.get_xticks() and 2.25 not in ax.get_xticks()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    columns = [round(ax.transData.transform((place, 0))[0]) for place in (2.0, 2.25)]
    on, off = ((255 - pixels[:, c - 3 : c + 4]).min(2).sum(1).mean() for c in columns)
    assert on > 0.95 * off > 0


def test_rows_of_one_quantity_have_the_same_limits():
    low, high = (
        Panel(Axis("x"), Axis("quality"), [Curve(X, X + n, None, None, BLUE)]) for n in (0, 50)
    )
    other = Panel(Axis("x"), Axis("share"), [Curve(X, X / 4, None, None, BLUE)])
    axes = Chart("s", "t", [[low], [other], [high]], (1.0, 0.5, 1.0)).draw().axes
    assert axes[0].get_ylim() == axes[2].get_ylim() != axes[1].get_ylim()


@pytest.mark.parametrize("which", ["x", "y"])
def test_ones_complement_is_drawn_by_the_logarithm_of_what_is_missing(which):
    crowded, plain = Axis("MS-SSIM", scale="one_minus", limits=(0.5, 0.999)), Axis("rate")
    axes = (crowded, plain) if which == "x" else (plain, crowded)
    values = np.array([0.9, 0.99, 0.999])
    x, y = (values, values[::-1]) if which == "x" else (values[::-1], values)
    figure = Chart("s", "t", [[Panel(*axes, [Curve(x, y, None, None, BLUE)])]]).draw()
    (ax,) = figure.axes
    points = ax.transData.transform(np.column_stack([x, y]))[:, 0 if which == "x" else 1]
    steps = np.diff(points)
    assert steps[0] == pytest.approx(steps[1])


def test_the_legend_names_each_curve_once_and_fits():
    labels = [f"a system with a long name, number {n}" for n in range(7)]
    curves = [Curve(X, X + 1, None, None, BLUE, label) for label in labels]
    bound = Curve(X, X + 2, None, None, Style("#0072B2", "", "--"), "a bound", weight=0.5)
    made = chart([bound, *curves], columns=2, keys=[("a line", Style("#666666", "", ":"))])
    for figure in (made.draw(DOUBLE), made.column(1).draw(SINGLE)):
        said = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
        assert said == [labels, ["a line", "a bound"]]
        for legend in figure.legends:
            assert legend.get_window_extent().width <= figure.bbox.width
    assert figure.get_size_inches()[0] == pytest.approx(3.5)


def test_a_line_that_tells_the_part_is_left_out_of_the_legend_and_a_column_of_bands_follows():
    curve = Curve(X, X + 1, X, X + 2, Style("#0072B2", "o", "--"), "SCMC", "caption", "scmc:a_mean")
    (legend,) = chart([curve]).draw().legends
    assert legend.legend_handles[0].get_linestyle() == "None"
    assert list(curve.table()) == ["scmc_a_mean", "scmc_a_low", "scmc_a_high"]


def banded(*means, width):
    """Curves of these levels with bands of this half width."""
    return [
        Curve(X, X / 4 + m, X / 4 + m - width, X / 4 + m + width, BLUE, f"system {m}")
        for m in means
    ]


def linear(curves):
    return Panel(Axis("x", "x"), Axis("quality"), curves)


def test_bands_that_would_press_the_curves_together_leave_the_panel_and_the_figure_says_so():
    wide = Chart("s", "t", [[linear(banded(20, 22, width=80)), linear(banded(21, width=80))]])
    figure = wide.draw()
    for ax in figure.axes:
        assert 18 < ax.get_ylim()[0] < 20 and 23 < ax.get_ylim()[1] < 25
        assert not any(band.get_paths() for band in ax.collections), (
            "a shade all over tells nothing"
        )
    assert wide.crops and [text.get_text() for text in figure.texts] == [WIDER]
    curve = wide.whole(0).curves[0]
    assert curve.low.min() == -60, "the numbers are whole"
    assert {f"{wide.whole(0).y.limits[0]:.6g}"} == set(
        re.findall(r"ymin=([\d.]+)", pgfplots(wide.whole(0), "x.csv"))
    )


@pytest.mark.parametrize("curves", [banded(20, 22, width=0.5), banded(20, width=80)])
def test_bands_that_fit_and_the_band_of_one_curve_are_whole(curves):
    chart = Chart("s", "t", [[linear(curves)]])
    (ax,) = chart.draw().axes
    ends = np.concatenate([[*curve.low, *curve.high] for curve in curves])
    assert ax.get_ylim()[0] < ends.min() and ax.get_ylim()[1] > ends.max()
    assert not chart.crops and not chart.draw().texts


def test_a_band_with_one_end_in_the_panel_is_drawn():
    up = Curve(X, X / 4 + 20, X / 4 + 19.9, X / 4 + 99, BLUE, "up")
    (ax,) = Chart("s", "t", [[linear([up, *banded(22, width=0.1)])]]).draw().axes
    assert all(band.get_paths() for band in ax.collections) and len(ax.collections) == 2


def test_hollow_markers_let_what_is_below_them_be_seen():
    hollow = Style("#0072B2", "D", hollow=True)
    (ax,) = chart([Curve(X, X + 1, None, None, hollow)]).draw().axes
    assert ax.lines[0].get_markerfacecolor() == "none"
