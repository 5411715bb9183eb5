"""Bounds of a sweep: measured by the runner, read from the store, above what systems reach."""

import dataclasses

import numpy as np
import pytest
from fakes import CALLS, TOYS, toy_images
from matplotlib.colors import to_hex

from channels.bounds.awgn import capacity
from channels.bounds.outage import outage_probability
from channels.fading.models import RayleighBlock
from channels.units import rho_to_uses
from experiments.figures.plots import sweep_charts
from experiments.figures.views import views
from experiments.sweep import store, summary
from experiments.sweep.bounds import bound_lines, curve_of, kinds_of
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError

METRICS = ("psnr_db", "mse")


@pytest.fixture(scope="module")
def run(toy_spec, tmp_path_factory):
    spec = dataclasses.replace(toy_spec, bounds=("toy-codec",), rho=(1 / 48, 1 / 24))
    cache = tmp_path_factory.mktemp("cache")

    def again(name, **options):
        out = tmp_path_factory.mktemp(name)
        return run_sweep(spec, out, cache_dir=cache, components=TOYS, progress=False, **options)

    return again


@pytest.fixture(scope="module")
def ds(run):
    return store.load(run("first"))


def test_points_are_bits_and_scores_of_the_codec(ds):
    for image, img in toy_images("photos", 3).items():
        curve = curve_of(ds, "toy-codec", image, "psnr_db")
        assert curve.num_bits.tolist() == [8 * 3 * 4**q for q in range(1, 1 + len(curve.num_bits))]
        assert (np.diff(curve.quality) > 0).all()
        assert curve.failure == pytest.approx(
            -10 * np.log10(float(((img - 0.5) ** 2).mean())), abs=1e-4
        )
        assert not curve_of(ds, "toy-codec", image, "mse").higher_is_better


def test_no_point_beyond_what_the_sweep_can_carry(toy_spec, ds):
    most = rho_to_uses(1 / 24, (64, 64)) * capacity(15.0)
    bits = ds.bound_bits.isel(codec=0, image=0).values
    known = bits[~np.isnan(bits)]
    assert (known[:-1] < most).all()


def test_capacity_line_is_the_mean_over_images_of_each_curve_read_at_capacity(ds):
    line = next(b for b in bound_lines(ds, "awgn", "psnr_db") if b.kind == "capacity")
    bits = rho_to_uses(1 / 48, (64, 64)) * np.log2(1 + 10 ** (9.0 / 10))
    images = map(str, ds.image.values)
    wanted = np.mean([curve_of(ds, "toy-codec", i, "psnr_db").at(bits) for i in images])
    assert float(line.quality.sel(esno_db=9.0, rho=1 / 48)) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_finite_length_never_beats_capacity(ds, metric):
    lines = {b.kind: b.quality for b in bound_lines(ds, "awgn", metric)}
    gap = lines["capacity"] - lines["normal"]
    assert ((gap if metric == "psnr_db" else -gap) >= -1e-9).all()


def test_fading_line_is_the_best_fixed_rate_for_the_mean_snr(ds):
    (line,) = bound_lines(ds, "rayleigh_block", "psnr_db")
    assert line.kind == "outage" and kinds_of(ds, "rayleigh_block") == ("outage",)
    uses = rho_to_uses(1 / 24, (64, 64))
    for rate in (0.2, 0.5, 1.0, 2.0):
        lost = float(outage_probability(RayleighBlock(), rate, 9.0))
        curves = [curve_of(ds, "toy-codec", str(i), "psnr_db") for i in ds.image.values]
        fixed = np.mean([(1 - lost) * c.at(rate * uses) + lost * c.failure for c in curves])
        assert float(line.quality.sel(esno_db=9.0, rho=1 / 24)) >= fixed - 1e-6


def test_every_block_fading_law_has_an_outage_bound(ds):
    for channel in ("rician_block:k_factor_db=3", "nakagami_block:m=2,coherence_symbols=100"):
        assert kinds_of(ds, channel) == ("outage",)
    (nakagami,) = bound_lines(ds, "nakagami_block:m=1", "psnr_db")
    (rayleigh,) = bound_lines(ds, "rayleigh_block", "psnr_db")
    np.testing.assert_allclose(nakagami.quality, rayleigh.quality, rtol=1e-9)


def test_channels_without_a_known_law_have_no_bound(ds):
    assert kinds_of(ds, "gilbert_elliott") == ()
    assert kinds_of(ds, "rayleigh_block:coherence_symbols=1") == ()


def test_entries_with_a_link_are_read_and_only_flat_links_have_bounds(ds):
    assert kinds_of(ds, "awgn@ofdm:csi=ls") == ()
    assert kinds_of(ds.assign_attrs(phy="ofdm"), "awgn") == ()
    assert kinds_of(ds, "awgn@flat") == ("capacity", "normal")
    (plain,) = bound_lines(ds, "rayleigh_block", "psnr_db")
    (flat,) = bound_lines(ds, "rayleigh_block@flat", "psnr_db")
    assert plain.quality.identical(flat.quality)


def test_the_result_does_not_depend_on_jobs_nor_on_the_cache(run, ds):
    before = dict(CALLS)
    again = store.load(run("again"))
    assert CALLS == before
    assert ds.identical(again)
    assert ds.identical(store.load(run("two", jobs=2)))


def test_figures_draw_the_bounds_from_the_store_alone(ds):
    found, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
    view = next(v for v in views(ds, found, arrivals) if v.x == "rho" and v.fixed == 9.0)
    figure = next(chart for chart in sweep_charts(view) if chart.stem == "psnr_db_9dB").draw()
    legend = [text.get_text() for part in figure.legends for text in part.get_texts()]
    assert {
        "toy-codec + capacity",
        "toy-codec + normal approximation",
        "toy-codec + outage",
    } <= set(legend)
    line = next(b for b in bound_lines(ds, "awgn", "psnr_db") if b.kind == "capacity")
    wanted = line.quality.sel(esno_db=9.0).values
    drawn = [part for part in figure.axes[0].lines if np.array_equal(part.get_ydata(), wanted)]
    assert len(drawn) == 1
    assert to_hex(drawn[0].get_color()) == view.style["toy-codec"].colour.lower()


def test_a_codec_that_does_not_exist_is_an_error_before_any_work(toy_spec, tmp_path):
    spec = dataclasses.replace(toy_spec, bounds=("nonsense",))
    with pytest.raises(ScmcError, match="no image codec 'nonsense'"):
        run_sweep(spec, tmp_path, components=TOYS, progress=False)
    with pytest.raises(ScmcError, match="each image codec once"):
        dataclasses.replace(toy_spec, bounds=("jpeg", "jpeg"))


def test_the_key_goes_through_yaml_and_set(toy_spec):
    spec = dataclasses.replace(toy_spec, bounds=("jpeg", "vvc"))
    assert SweepSpec.from_yaml(spec.to_yaml()) == spec
    assert toy_spec.override(["bounds=jpeg,vvc"]).bounds == ("jpeg", "vvc")
    assert spec.override(["bounds="]).bounds == ()
