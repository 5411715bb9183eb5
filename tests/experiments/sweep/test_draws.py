"""Analog systems in a sweep: each draw is a set of its own, over the same fades and noise."""

import dataclasses

import fakes
import numpy as np
import pytest
from fakes import TOY, TOYS, AnalogToy, files_below, toy_images, toy_measure

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.phy.names import expectation_draws
from experiments.figures import plots, strips
from experiments.sweep import store, summary
from experiments.sweep.links import Link
from experiments.sweep.points import trial_seeds
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.transmission import transmit
from scmc_comm.types import UNANNOTATED

SPEC = dataclasses.replace(
    TOY, name="analog", systems=("toy", "toy-analog", "toy-analog-fixed"), num_images=2,
    rho=(1 / 192, 1 / 24), num_trials=20, analog_trials=10,
)  # fmt: skip
ANALOG = ("toy-analog", "toy-analog-fixed")


def run(spec, out, jobs=1, **options):
    return run_sweep(spec, out, jobs, components=TOYS, progress=False, **options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def analog_run(tmp_path_factory, cache):
    return run(SPEC, tmp_path_factory.mktemp("analog") / "run", cache_dir=cache)


@pytest.fixture(scope="module")
def ds(analog_run):
    return store.load(analog_run)


def psnr_of(name, image, channel, esno_db, design, count):
    """What `transmit` gives for the trials' seeds, apart from any sweep."""
    img = toy_images("", 2)[image]
    seeds = trial_seeds(SPEC.seed, image, 0, count)
    budget = Budget(1 / 24, design)
    model = make_channel(channel)
    sent = transmit(AnalogToy(name), img, budget, model, esno_db, seeds, BitTruePhy())
    return [
        toy_measure(img, sent.reconstruction(k).img_hat, ("psnr_db",), UNANNOTATED)["psnr_db"]
        for k in range(count)
    ]


@pytest.mark.parametrize("name", ANALOG)
@pytest.mark.parametrize(("channel", "esno_db"), [("awgn", 3.0), ("rayleigh_block", 15.0)])
def test_trials_are_those_of_transmit_over_the_same_seeds(ds, name, channel, esno_db):
    design = esno_db if name == "toy-analog" else SPEC.design_esno_db
    trials = store.expand(ds, ["psnr_db"]).psnr_db.sel(
        system=name, image="img1", channel=channel, esno_db=esno_db, rho=1 / 24
    )
    expected = psnr_of(name, "img1", channel, esno_db, design, 10)
    np.testing.assert_allclose(trials[:10], expected, atol=1e-4)
    assert np.isnan(trials[10:]).all() and np.ptp(expected) > 0.01


def test_the_store_counts_draws_and_says_what_was_sent(ds):
    assert ds.attrs["analog_trials"] == 10 and store.is_analog(ds).values.tolist() == [0, 1, 1]
    trials = store.num_trials(ds)
    assert set(trials.sel(system="toy").values.ravel()) == {20}
    assert set(trials.sel(system=list(ANALOG)).values.ravel()) == {10}
    sent = ds.sel(system="toy-analog")
    assert (store.at_points(ds, "channel_uses").sel(system="toy-analog", rho=1 / 24) == 96).all()
    assert (sent.papr_db.sel(rho=1 / 24) > 3).all()
    coded = ds.papr_db.sel(system="toy", rho=1 / 24)
    assert (coded.max("design") > 1).all()  # the same measure, of the designs that were sent
    assert store.unit_tags(ds) == ["semantic", "structure", "signal"]
    assert store.is_designed(ds)
    alone = ds.sel(system=["toy-analog"])
    assert not store.is_designed(alone)


def test_too_small_a_budget_is_a_kept_failure(ds):
    failed = store.infeasible(ds).sel(rho=1 / 192)
    assert failed.sel(system=list(ANALOG)).all() and not failed.sel(system="toy").any()
    means = summary.quality(ds, num_resamples=20).value_mean.sel(metric="psnr_db", rho=1 / 192)
    assert np.ptp(means.sel(system="toy-analog").values) < 1e-9  # mid-grey everywhere


def test_quality_rises_with_snr_and_knowing_it_helps(ds):
    means = summary.quality(ds, num_resamples=20).value_mean.sel(
        metric="psnr_db", rho=1 / 24, channel="awgn"
    )
    told, fixed = (means.sel(system=name).values for name in ANALOG)
    assert (np.diff(told) > 0).all()
    assert told[0] > fixed[0] + 0.1


def test_a_run_repeats_bit_by_bit_from_the_cache_in_parts_and_in_processes(
    analog_run, cache, tmp_path
):
    want = files_below(analog_run)
    fakes.CALLS.clear()
    assert files_below(run(SPEC, tmp_path / "again", cache_dir=cache)) == want
    assert not fakes.CALLS  # nothing prepared, nothing measured
    fresh = tmp_path / "cache"
    run(dataclasses.replace(SPEC, analog_trials=3), tmp_path / "few", cache_dir=fresh)
    assert files_below(run(SPEC, tmp_path / "more", cache_dir=fresh)) == want
    assert files_below(run(SPEC, tmp_path / "two", 2, use_cache=False)) == want


def test_exact_expectations_average_the_draws(ds, tmp_path, cache):
    spec = dataclasses.replace(SPEC, estimator="expected")
    exact = store.load(run(spec, tmp_path / "run", cache_dir=cache))
    assert exact.attrs["analog_trials"] == 10
    drawn = [Link.parse(str(name)) for name in exact.channel.values]
    models = [(link.phy, make_channel(link.channel)) for link in drawn]
    assert exact.fade_draws.values.tolist() == [expectation_draws(*model) for model in models]
    assert "fade_draws" not in ds
    np.testing.assert_allclose(exact.probability.sum("set"), 1)
    want, got = (
        summary.quality(x, num_resamples=20).value_mean.sel(metric="psnr_db", system=list(ANALOG))
        for x in (ds, exact)
    )
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_figures_say_what_is_analog_and_how_many_draws_were_measured(ds):
    note = plots.bands_note(ds)
    assert note.endswith("analog systems: 10 channel draws a point and image")
    coded = ds.sel(system=["toy"])
    assert "analog" not in plots.bands_note(coded)
    assert strips.set_text("draw.3", "symbols") == "analog"


@pytest.mark.parametrize("count", [0, 65])
def test_numbers_of_draws_that_no_store_can_hold(count):
    with pytest.raises(
        ScmcError, match=f"analog_trials is {count}; expected a whole number, 1 to 64"
    ):
        dataclasses.replace(SPEC, analog_trials=count)


def test_the_key_travels_through_yaml():
    assert SweepSpec.from_yaml(SPEC.to_yaml()) == SPEC
    assert SPEC.override(["analog_trials=4"]).analog_trials == 4
