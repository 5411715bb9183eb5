"""Figures come from the store alone, and no text runs into another."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest
from fakes import TOYS

from experiments.figures.curves import loss_charts, plane_charts, quality_charts
from experiments.figures.plots import plot_sweep, sweep_charts
from experiments.figures.sizes import quality_by_side, size_charts
from experiments.figures.strips import strips
from experiments.figures.style import DOUBLE, SCREEN, SINGLE, styles
from experiments.figures.views import View, views
from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.runner import run_sweep
from experiments.sweep.shown import typical_trial
from scmc_comm.errors import ScmcError


@pytest.fixture(scope="module")
def figures(toy_run, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.copytree(toy_run, moved)
    return plot_sweep(moved, progress=False)


def test_every_figure_is_there_as_pdf_and_png(figures):
    names = {p.name for p in figures}
    for stem in ("psnr_db_rho1-24", "ms_ssim_rho1-24", "psnr_db_difference_rho1-24",
                 "loss_rho1-24", "strip_img0_awgn_rho1-24"):  # fmt: skip
        assert {f"{stem}.pdf", f"{stem}.png"} <= names
    assert {"summary.csv", "delivery.csv"} <= names
    for path in figures:
        head = path.read_bytes()[:8]
        assert {".png": b"\x89PNG", ".pdf": b"%PDF"}.get(path.suffix, b"") in head


def texts_of(figure):
    """(text, box) of everything written on a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))
    return found


def check_texts(figure):
    drawn = {(t, tuple(round(v) for v in b.extents)): b for t, b in texts_of(figure)}
    width, height = figure.bbox.width, figure.bbox.height
    for (text, _), box in drawn.items():
        if box.width:
            assert box.x0 > -1 and box.x1 < width + 1, f"{text!r} leaves the page"
            assert box.y0 > -1 and box.y1 < height + 1, f"{text!r} leaves the page"
    for ((a, _), box), ((b, _), other) in itertools.combinations(drawn.items(), 2):
        shared = box.intersection(box, other)
        if shared is not None and shared.width > 1 and shared.height > 1:
            raise AssertionError(f"{a!r} overlaps {b!r}")


def visible_ticks_only(figure):
    """Ticks outside the axis limits are not drawn; drop their labels from the check."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    tick.label1.set_visible(False)


def test_no_text_overlaps_another(toy_run):
    ds = store.load(toy_run)
    ds = ds.assign_coords(system=["scmc", "scmc:protection=equal", "jpeg", "vvc"])
    found, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
    for view in views(ds, found, arrivals):
        for chart in sweep_charts(view):
            for theme in (SCREEN, DOUBLE):
                checked(chart.draw(theme))
            checked(chart.column(0).draw(SINGLE))
    check_texts(strips(store.load(toy_run), toy_run)[0].draw())


def checked(figure):
    texts_of(figure)  # draws it, which places the ticks
    visible_ticks_only(figure)
    check_texts(figure)


def relayered(ds):
    """The toy sweep, its layers those of a file."""
    tags = {"semantic": "image.1", "structure": "image.2", "signal": "image.3"}

    def renamed(text):
        for old, new in tags.items():
            text = text.replace(old, new)
        return text

    frames = np.vectorize(renamed, otypes=[object])(ds.frames.values.astype(str))
    sets = [renamed(str(text)) for text in ds.set.values]
    return ds.assign(frames=(ds.frames.dims, frames)).assign_coords(set=sets)


def test_layers_of_a_file_are_drawn_like_those_of_the_layered_codec(toy_run):
    plain = store.load(toy_run)
    drawn = []
    for ds in (plain, relayered(plain)):
        found, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
        (view,) = views(ds, found, arrivals)
        for chart in (quality_charts(view)[0], loss_charts(view)[0]):
            keys = [word for word, _ in chart.keys]
            drawn.append((keys, [curve for row in chart.rows for curve in row[1].curves]))
    for place in (0, 1):
        (keys, curves), (file_keys, file_curves) = drawn[place], drawn[place + 2]
        assert any("coarsest layer" in key for key in file_keys) and len(keys) == len(file_keys)
        assert len(curves) == len(file_curves) > 4
        for curve, own in zip(curves, file_curves, strict=True):
            np.testing.assert_array_equal(curve.mean, own.mean)
            if curve.label != "toy-flat":  # whose one unit is now one layer
                assert curve.style == own.style


def test_many_systems_are_drawn_in_groups_with_the_first_in_each(toy_run):
    ds = store.load(toy_run)
    names = ["scmc", *(f"vvc:beams={n}" for n in range(8))]
    ds = ds.isel(system=[0, 1, 2, 3, 0, 1, 2, 3, 0]).assign_coords(system=names)
    found, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
    (view,) = views(ds, found, arrivals)
    chart = quality_charts(view)[0]
    labels = [[curve.column.removesuffix("_mean") for curve in row[0].curves] for row in chart.rows]
    assert [own[0] for own in labels[::2]] == ["scmc", "scmc"] and len(labels) == 4
    assert sorted({*labels[0], *labels[2]}) == sorted(names) and max(map(len, labels[::2])) <= 6
    nothing = (store.weights(ds) * (ds.set == "")).sum("set").mean("image")
    for n, name in enumerate(labels[0]):
        shown = chart.rows[1][0].curves[n].mean
        own = 1 - nothing.sel(system=name, channel="awgn").isel(rho=0)
        np.testing.assert_allclose(shown, own, atol=1e-12)
    lost = [c.column for row in loss_charts(view)[0].rows for c in row[0].curves]
    assert len(lost) == len(set(lost)) and len({c.partition("_")[0] for c in lost}) == 7
    checked(chart.draw(DOUBLE))


def test_a_bandwidth_sweep_is_drawn_over_rho(toy_spec, tmp_path):
    spec = dataclasses.replace(
        toy_spec, systems=("toy",), channels=("awgn",), esno_db=(9.0,), rho=(1 / 48, 1 / 24),
        num_images=1, num_trials=2,
    )  # fmt: skip
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    names = {p.name for p in plot_sweep(out, progress=False)}
    assert "psnr_db_9dB.pdf" in names
    assert not any("difference" in n for n in names)


def test_a_store_of_failures_alone_still_plots(toy_spec, tmp_path):
    spec = dataclasses.replace(toy_spec, systems=("toy-too-big",), num_images=1, num_trials=2)
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    assert any(p.suffix == ".pdf" for p in plot_sweep(out, progress=False))


@pytest.mark.parametrize("estimator", ["monte-carlo", "expected"])
def test_a_sweep_in_which_nothing_is_lost_still_plots(toy_spec, tmp_path, estimator):
    spec = dataclasses.replace(
        toy_spec, systems=("toy",), channels=("awgn",), esno_db=(30.0, 35.0), num_images=2,
        num_trials=4, estimator=estimator,
    )  # fmt: skip
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    names = {p.name for p in plot_sweep(out, progress=False)}
    assert "psnr_db_rho1-24.png" in names
    assert ("loss_rho1-24.png" in names) == (estimator == "monte-carlo"), "upper limits alone"


def test_a_second_run_leaves_nothing_of_the_first_behind(toy_spec, tmp_path):
    small = {"channels": ("awgn",), "esno_db": (9.0, 15.0), "num_images": 1, "num_trials": 2}
    run = {"components": TOYS, "use_cache": False, "progress": False}
    spec = dataclasses.replace(toy_spec, systems=("toy", "toy-equal"), **small)
    plot_sweep(run_sweep(spec, tmp_path, **run), progress=False)
    mine = tmp_path / "figures" / "mine.png"
    mine.touch()
    spec = dataclasses.replace(toy_spec, systems=("toy",), strip_images=0, **small)
    drawn = plot_sweep(run_sweep(spec, tmp_path, **run), progress=False)
    assert {*drawn, mine} == {*(tmp_path / "figures").iterdir()}
    assert not list((tmp_path / "reconstructions").iterdir())
    assert not any("difference" in path.name or "strip" in path.name for path in drawn)


def test_plotting_nothing_is_an_error(tmp_path):
    with pytest.raises(ScmcError, match="run the sweep"):
        plot_sweep(tmp_path)


def test_a_view_names_what_it_holds_fixed():
    view = View("esno_db", 1 / 24, None, None, None)
    assert "1/24" in view.held and view.stem == "rho1-24"


def test_the_strip_shows_a_draw_of_median_quality(toy_run):
    ds = store.load(toy_run)
    psnr = store.expand(ds).psnr_db.isel(image=0, channel=1, rho=0).mean(("system", "esno_db"))
    chosen = float(psnr[typical_trial(ds, 0, 1, 0)])
    assert (psnr <= chosen).sum() >= 6 and (psnr >= chosen).sum() >= 6


def test_a_known_system_keeps_its_colour():
    alone, among = styles(["vvc"]), styles(["scmc", "mine", "other", "vvc"])
    assert alone["vvc"] == among["vvc"]
    assert len(set(among.values())) == 4


def test_planes_show_each_snr_where_both_metrics_say(toy_run):
    ds = store.load(toy_run)
    ds = ds.assign(lpips_of_set=(1 - ds.ms_ssim_of_set).assign_attrs(ds.ms_ssim_of_set.attrs))
    found, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
    (view,) = views(ds, found, arrivals)
    made = {chart.stem: chart for chart in plane_charts(view)}
    assert set(made) == {"psnr_db_lpips_plane_rho1-24", "ms_ssim_lpips_plane_rho1-24"}
    figure = made["psnr_db_lpips_plane_rho1-24"].draw()
    assert [ax.yaxis.get_inverted() for ax in figure.axes] == [True] * ds.sizes["channel"]
    mean = view.found.value_mean.isel(system=0, channel=0)
    curve = figure.axes[0].lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), mean.sel(metric="psnr_db").values)
    np.testing.assert_array_equal(curve.get_ydata(), mean.sel(metric="lpips").values)
    assert plane_charts(dataclasses.replace(view, x="rho")) == []


def test_colour_is_the_codecs_and_every_system_is_told_from_every_other():
    options = ("mcs=adaptive", "mcs=adaptive,utility=lpips", "headers=file", "beams=2", "beams=4")
    vvc = ["vvc", *(f"vvc:{option}" for option in options)]
    scmc = ["scmc", *(f"scmc:protection={p}" for p in ("equal", "optimised", "range"))]
    found = styles([*vvc, *scmc, "jpeg", "a", "b", "a:x=1"])
    assert len(set(found.values())) == len(found)
    assert len({found[name].colour for name in vvc}) == 1
    assert len({found[name].colour for name in scmc}) == 1
    assert found["vvc"].colour != found["scmc"].colour
    assert styles(["vvc:mcs=adaptive"])["vvc:mcs=adaptive"] == found["vvc:mcs=adaptive"]
    assert styles(["scmc:beams=2", "scmc"])["scmc"] == found["scmc"]


def test_quality_is_drawn_against_the_side_of_the_pictures(toy_run):
    ds = store.load(toy_run)
    assert size_charts(ds, "") == []
    names = [f"img{i}@{32 if i else 64}" for i in range(ds.sizes["image"])]
    ds = ds.assign_coords(image=names)
    found = quality_by_side(ds)
    assert found.side.values.tolist() == [32, 64]
    alone = summary.quality(ds.sel(image=names[:1]))
    np.testing.assert_allclose(found.value_mean.sel(side=64), alone.value_mean)
    charts = {chart.stem: chart for chart in size_charts(ds, "note")}
    figure = charts["psnr_db_side_awgn_rho1/24"].draw()
    curve = figure.axes[0].lines[0]
    assert curve.get_xdata().tolist() == [32, 64]
    assert np.isfinite(curve.get_ydata()).all()
