"""Intervals against closed forms and by their coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics.means import (
    bootstrap_interval,
    bootstrap_means,
    expanded_tail,
    image_means,
    mean_given_delivery,
    paired_difference,
    percentile_interval,
    psnr_of_mean_mse,
    wilson_interval,
)
from scmc_comm.errors import ScmcError


@given(n=st.integers(1, 10_000), data=st.data())
def test_wilson_equals_scipy(n, data):
    k = data.draw(st.integers(0, n))
    low, high = wilson_interval(k, n)
    peer = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert low == pytest.approx(peer.low, abs=1e-12)
    assert high == pytest.approx(peer.high, abs=1e-12)


def test_no_error_seen_is_an_upper_bound_not_zero():
    low, high = wilson_interval(0, 50)
    assert low == 0 and 0.05 < high < 0.08
    assert [float(x) for x in wilson_interval(0, 0)] == [0, 1]


@pytest.mark.parametrize(("images", "trials"), [(6, 12), (20, 5), (1, 30)])
def test_bootstrap_covers_the_true_mean(images, trials):
    rng = np.random.default_rng(1)
    hits, runs = 0, 500
    for _ in range(runs):
        centre = rng.normal(0, 2.0, (images, 1)) if images > 1 else 0.0
        values = centre + rng.normal(0, 1.0, (images, trials))
        found = bootstrap_interval(values, rng, num_resamples=300)
        hits += bool(found.low <= 0 <= found.high)
    assert 0.92 <= hits / runs <= 0.985


def test_bootstrap_spread_is_that_of_a_nested_design():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 3.0, (40, 1)) + rng.normal(0, 1.0, (40, 25))
    spread = bootstrap_means(values, rng, 4000).std()
    means = values.mean(axis=1)
    expected = np.sqrt(means.var() / 40 + values.var(axis=1).mean() / (40 * 25))
    assert spread == pytest.approx(expected, rel=0.05)


def test_same_generator_same_interval_and_shared_resampling():
    values = np.random.default_rng(3).normal(size=(4, 10))
    both = bootstrap_means(np.stack([values, values + 5]), np.random.default_rng(7), 50)
    np.testing.assert_allclose(both[1] - both[0], 5)
    again = bootstrap_means(values, np.random.default_rng(7), 50)
    np.testing.assert_array_equal(both[0], again)


def test_resampling_in_blocks_keeps_every_draw(monkeypatch):
    monkeypatch.setattr("experiments.statistics.means._MAX_DRAWS", 100)
    values = np.random.default_rng(3).normal(size=(4, 10))
    draws = bootstrap_means(values, np.random.default_rng(7), 501)
    assert draws.shape == (501,) and np.isfinite(draws).all()
    assert draws.mean() == pytest.approx(values.mean(), abs=0.1)


def test_pairing_removes_what_the_systems_share():
    rng = np.random.default_rng(4)
    shared = rng.normal(0, 5.0, (5, 20))
    first, second = shared + 1, shared + rng.normal(0, 0.1, (5, 20))
    paired = paired_difference(first, second, rng)
    alone = bootstrap_interval(first, rng)
    assert paired.low < 1 < paired.high
    assert paired.high - paired.low < 0.2 < alone.high - alone.low


def test_resampling_is_that_of_images_and_then_trials():
    """Against the plain loop, for points that stopped after different numbers of trials."""
    values = np.random.default_rng(3).normal(size=(3, 5, 4))
    values[1, 2, 2:] = np.nan
    values[2] = np.nan
    values[2, :, 0] = np.arange(5.0)
    found = bootstrap_means(values, np.random.default_rng(7), 30)
    rng = np.random.default_rng(7)
    images, uniform = rng.integers(5, size=(30, 5)), rng.random((30, 5, 4))
    for point in range(3):
        for b in range(30):
            means = []
            for place, image in enumerate(images[b]):
                run = values[point, image][~np.isnan(values[point, image])]
                drawn = (uniform[b, place, : len(run)] * len(run)).astype(int)
                means.append(run[drawn].mean())
            assert found[point, b] == pytest.approx(np.mean(means))


def test_an_image_without_trials_is_not_invented():
    values = np.ones((2, 3, 4))
    values[1, 0] = np.nan
    found = bootstrap_means(values, np.random.default_rng(0), 10)
    assert found[0] == pytest.approx(1) and np.isnan(found[1]).all()


def test_interval_with_replicates_that_do_not_exist():
    draws = np.r_[np.full(10, np.nan), np.linspace(0, 1, 90)]
    wide = percentile_interval(0.5, draws, 0.05)
    assert (wide.low, wide.high) == (-np.inf, np.inf)
    draws = np.r_[[np.nan, np.inf], np.linspace(0, 1, 98)]
    found = percentile_interval(0.5, draws, 0.05)
    assert 0 <= found.low < 0.1 and 0.9 < found.high <= 1


def test_widening_is_that_of_student():
    assert expanded_tail(0.95, 10_000, 5) == pytest.approx(0.025, rel=1e-2)
    assert expanded_tail(0.95, 1, 20) == expanded_tail(0.95, 20, 1)
    wide = stats.norm.isf(expanded_tail(0.95, 6, 99)) * np.sqrt(5 / 6)
    assert wide == pytest.approx(stats.t.isf(0.025, 5))


def test_stopped_points_use_the_trials_they_ran():
    values = np.full((2, 4), np.nan)
    values[0, :2], values[1] = 1.0, 3.0
    np.testing.assert_allclose(image_means(values), [1, 3])
    found = bootstrap_interval(values, np.random.default_rng(0))
    assert found.mean == 2.0
    draws = bootstrap_means(values, np.random.default_rng(0), 200)
    assert set(np.round(draws, 9)) <= {1.0, 2.0, 3.0}
    with pytest.raises(ScmcError, match="after"):
        bootstrap_interval([[np.nan, 1.0]], np.random.default_rng(0))


def test_both_averages_of_psnr():
    mse = np.array([[0.1, 0.001]])
    per_image_db = (-10 * np.log10(mse)).mean()
    assert per_image_db == pytest.approx(20.0)
    assert psnr_of_mean_mse(mse) == pytest.approx(-10 * np.log10(0.0505))


def test_mean_given_delivery_leaves_failures_out_and_says_when_there_is_nothing():
    values = np.array([[[30.0, 10.0], [32.0, 12.0]], [[10.0, 10.0], [10.0, 10.0]]])
    arrived = values > 20
    found = mean_given_delivery(values, arrived)
    assert found[0] == 31.0 and np.isnan(found[1])
