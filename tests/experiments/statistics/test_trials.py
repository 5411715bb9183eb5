"""Delivered sets and probabilities of sets give the same statistics as plain trials."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.means import bootstrap_interval, image_means, paired_difference
from experiments.statistics.trials import expected_quality, trial_quality
from scmc_comm.errors import ScmcError


def test_quality_of_trials_over_leading_axes():
    index = np.array([[[0, 1, 1], [1, 0, 9]], [[1, 1, 9], [0, 0, 0]]], dtype=np.uint8)
    table = np.array([[10.0, 20.0], [11.0, 21.0]])  # [image, set], the same for both points
    found = trial_quality(index, table, not_run=9)
    np.testing.assert_array_equal(found[0], [[10, 20, 20], [21, 11, np.nan]])
    np.testing.assert_array_equal(found[1], [[20, 20, np.nan], [11, 11, 11]])


@given(seed=st.integers(0, 200), sets=st.integers(1, 5), images=st.integers(1, 4))
def test_exact_expectation_with_observed_shares_is_the_mean_of_trials(seed, sets, images):
    rng = np.random.default_rng(seed)
    index = rng.integers(sets, size=(images, 30))
    table = rng.normal(25, 5, (images, sets))
    share = np.stack([np.bincount(row, minlength=sets) / 30 for row in index])
    table = np.where(share > 0, table, np.nan)  # sets that never occurred were not scored
    trials = trial_quality(index, table, not_run=255)
    exact = expected_quality(share, table)
    np.testing.assert_allclose(exact[..., 0], image_means(trials))


def test_exact_expectation_agrees_with_monte_carlo_and_resamples_images_alone():
    rng = np.random.default_rng(1)
    share = rng.dirichlet([1, 1, 1], size=12)
    table = rng.normal(25, 4, (12, 3))
    exact = expected_quality(share, table)
    index = np.stack([rng.choice(3, size=400, p=row) for row in share])
    drawn = trial_quality(index, table, not_run=255)
    by_trials = bootstrap_interval(drawn, np.random.default_rng(2), num_resamples=5000)
    by_sets = bootstrap_interval(exact, np.random.default_rng(2), num_resamples=5000)
    assert by_sets.mean == pytest.approx(float(by_trials.mean), abs=0.2)
    assert by_sets.high - by_sets.low == pytest.approx(
        float(by_trials.high - by_trials.low), rel=0.12
    )
    better = paired_difference(exact + 1, exact, rng)
    assert better.low == pytest.approx(1) and better.high == pytest.approx(1)


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="outside the table"):
        trial_quality([[0, 2]], [[1.0, 2.0]], not_run=255)
    with pytest.raises(ScmcError, match="score that set"):
        trial_quality([[0, 1]], [[1.0, np.nan]], not_run=255)
    with pytest.raises(ScmcError, match="sum to 1"):
        expected_quality([[0.5, 0.4]], [[1.0, 2.0]])
    with pytest.raises(ScmcError, match="score that set"):
        expected_quality([[0.5, 0.5]], [[1.0, np.nan]])


def test_a_result_store_gives_its_trials(toy_run):
    """The path from a store to cliff metrics, deltas and exact means, as the docs show it."""
    from experiments.statistics.bjontegaard import bd_of_trials, bd_snr
    from experiments.statistics.cliff import cliff
    from experiments.sweep import store

    ds = store.load(toy_run)
    not_run = ds.delivered_set.attrs["not_run"]
    at = {"system": "toy", "channel": "awgn", "rho": ds.rho.values[0]}
    index = ds.delivered_set.sel(at).transpose("esno_db", "image", "trial").values
    table = store.at_points(ds, "psnr_db").sel(at).transpose("esno_db", "image", "set").values
    values = trial_quality(index, table, not_run)
    looked_up = store.expand(ds).psnr_db.sel(at).transpose("esno_db", "image", "trial").values
    np.testing.assert_array_equal(values, looked_up)

    sets = ds.sizes["set"]
    share = np.stack([(index == k).mean(axis=-1) for k in range(sets)], axis=-1)
    np.testing.assert_allclose(expected_quality(share, table)[..., 0], image_means(values))

    esno_db, rng = ds.esno_db.values, np.random.default_rng(0)
    found = cliff(esno_db, values, float(values.max()) - 3, float(values.min()), rng)
    assert esno_db[0] < found.threshold_esno_db.mean < esno_db[-1]
    same = bd_of_trials(bd_snr, (esno_db, values), (esno_db, values), rng, num_resamples=20)
    assert same.value == pytest.approx(0) and same.overlap == 1
