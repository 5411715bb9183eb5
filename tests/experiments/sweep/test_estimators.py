"""Exact expectations, draws from tables and bit-true trials are three ways to one number."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes import TOY, TOYS, ToySystem, toy_images

from channels.bler.measure import Stopping, measure_curve
from channels.bler.table import BlerTable, CurveKey
from channels.phy.bit_true import BitTruePhy
from channels.phy.table import TablePhy
from experiments.figures.plots import plot_sweep
from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.runner import run_sweep
from scmc_comm.link.budget import Budget

EXACT = dataclasses.replace(TOY, estimator="expected")


@pytest.fixture(scope="module")
def exact_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("exact") / "run"
    return run_sweep(EXACT, out, components=TOYS, use_cache=False, progress=False)


@pytest.fixture(scope="module")
def exact(exact_run):
    return store.load(exact_run)


def test_the_store_holds_probabilities_and_no_trials(exact):
    assert exact.probability.dims == (*store.POINT, "set")
    assert "trial" not in exact.dims and "delivered_set" not in exact and store.is_exact(exact)
    np.testing.assert_allclose(exact.probability.sum("set"), 1, atol=1e-12)
    occurs = exact.probability.max(("channel", "esno_db")) > 0
    assert bool((exact.psnr_db_of_set.notnull().isel(design=0) == occurs).all())


def test_means_are_exact_sums_and_intervals_are_over_images(exact):
    found = summary.quality(exact).sel(metric="psnr_db", system="toy", channel="rayleigh_block")
    part = exact.sel(system="toy", channel="rayleigh_block")
    each = (part.probability * part.psnr_db_of_set.isel(design=0).fillna(0)).sum("set")
    np.testing.assert_allclose(found.value_mean, each.mean("image"), rtol=1e-12)
    assert bool((found.value_low < found.value_mean).all())
    assert bool((found.value_high > found.value_mean).all())
    one = summary.quality(exact.isel(image=[0])).sel(metric="psnr_db")
    np.testing.assert_allclose(one.value_low, one.value_high, rtol=1e-12)


def test_delivery_is_a_sum_of_probabilities(exact):
    found = delivery_probabilities(exact).sel(unit="structure", system="toy", channel="awgn")
    has = [i for i, text in enumerate(exact.set.values) if "structure" in text.split("+")]
    part = exact.probability.sel(system="toy", channel="awgn").isel(set=has).sum("set")
    np.testing.assert_allclose(found.probability, part.mean("image"), rtol=1e-12)
    assert (found.num_trials == 0).all()


def test_the_csv_is_a_row_a_point(exact, exact_run):
    frame = pd.read_csv(exact_run / "results.csv")
    assert len(frame) == 4 * 2 * 4 and (frame.num_trials == 0).all()
    found = summary.quality(exact).sel(metric="psnr_db").value_mean
    for row in frame.itertuples():
        at = {dim: getattr(row, dim) for dim in summary.POINT}
        assert row.psnr_db == pytest.approx(float(found.sel(at)), rel=1e-12)


def test_figures_are_drawn_from_exact_expectations(exact_run):
    names = {path.name for path in plot_sweep(exact_run, progress=False)}
    assert {"psnr_db_rho1-24.png", "loss_rho1-24.png", "strip_img0_awgn_rho1-24.png"} <= names


def test_trials_seeds_and_stopping_rules_change_no_exact_result(exact, tmp_path):
    spec = dataclasses.replace(EXACT, num_trials=3, seed=9, stop_errors=1)
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    assert store.load(out).drop_attrs().identical(exact.drop_attrs())


def test_trials_scatter_around_the_exact_expectation(exact, tmp_path):
    spec = dataclasses.replace(TOY, num_trials=600, systems=("toy", "toy-flat"))
    drawn = store.load(
        run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    )  # fmt: skip
    means = summary.image_means(drawn, "psnr_db")
    truth = summary.image_means(exact.sel(system=["toy", "toy-flat"]), "psnr_db")
    spread = store.expand(drawn, ["psnr_db"]).psnr_db.std("trial").transpose(*means.dims)
    z = (means - truth) / np.maximum(spread / np.sqrt(600), 1e-2)
    assert float(abs(z).max()) < 4.5 and float((abs(z) < 2).mean()) > 0.9


POINTS = dataclasses.replace(
    TOY, systems=("toy", "toy-equal", "toy-flat"), channels=("awgn", "rayleigh_block"),
    esno_db=(-3.0, 1.0, 5.0, 9.0, 13.0), num_images=50, num_trials=20,
    strip_images=0,
)  # fmt: skip  # many images: a short payload is lost more or less often than the mean of all
TABLE_ERROR_DB = 0.1  # that 200 errors a point of a table leave
# What the integer decoder loses of short blocks far above the waterfall: 5 of 96 000 were seen. The
# tables go on to 1e-9.
DECODER_FLOOR = 1e-4


@pytest.fixture(scope="module")
def real_link():
    """The real link for the toy frames, its table measured well enough to compare with."""
    img = next(iter(toy_images("toys", 1).values()))
    frames = [
        f for name in POINTS.systems for f in ToySystem(name).prepare(img, Budget(1, 10)).frames
    ]
    keys = {CurveKey(f.mcs.num_bits_per_symbol, f.mcs.coderate, f.bits.size + 16) for f in frames}
    stopping = Stopping(num_errors=200, min_bler=3e-4)
    table = BlerTable({key: measure_curve(key, stopping) for key in keys})
    return dataclasses.replace(
        TOYS, make_phy=lambda name, phy: BitTruePhy() if name == "monte-carlo" else TablePhy(table)
    )


def delivered_on(link, tmp_path, estimator, shift_db=0.0):
    """Probability that each unit arrives, with its interval, at all points."""
    esno_db = tuple(e + shift_db for e in POINTS.esno_db)
    spec = dataclasses.replace(POINTS, estimator=estimator, esno_db=esno_db)
    out = tmp_path / f"{estimator}{shift_db}"
    run_sweep(spec, out, components=link, use_cache=False, progress=False)
    return delivery_probabilities(store.load(out), confidence=0.9995).drop_vars("esno_db")


@pytest.mark.slow
def test_bit_true_table_and_exact_agree_on_the_real_link(real_link, tmp_path):
    exact = delivered_on(real_link, tmp_path, "expected").probability
    sent = exact.notnull()
    assert sent.any("unit").sum() == 30  # points of system, channel and SNR

    table = delivered_on(real_link, tmp_path, "table")
    inside = (table.low <= exact) & (exact <= table.high)
    assert bool(inside.where(sent, True).all())
    steps = table.probability.where(sent).diff("esno_db")
    assert bool((steps.fillna(0) >= 0).all())  # a higher SNR never delivers less

    worse = delivered_on(real_link, tmp_path, "expected", -TABLE_ERROR_DB).probability
    better = delivered_on(real_link, tmp_path, "expected", TABLE_ERROR_DB).probability
    bits = delivered_on(real_link, tmp_path, "monte-carlo")
    inside = (bits.low <= better) & (worse - DECODER_FLOOR <= bits.high)
    assert bool(inside.where(sent, True).all())
    plain = ((bits.low <= exact) & (exact <= bits.high)).where(sent, True)
    assert float(plain.mean()) > 0.95  # nearly all even without the table's own error
    fades = exact.sel(channel="rayleigh_block").where(sent)
    assert bool((((fades > 0.02) & (fades < 0.98)).any(("unit", "system")).sum() >= 4).all())
