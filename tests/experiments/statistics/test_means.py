"""Intervals against closed forms and by their coverage."""

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.means import (
    bootstrap_interval,
    bootstrap_means,
    expanded_tail,
    image_means,
    percentile_interval,
)
from scmc_comm.errors import ScmcError


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
    paired = bootstrap_interval(first - second, rng)
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


def test_limits_do_not_depend_on_what_stands_beside():
    draws = np.random.default_rng(0).normal(size=(2, 200))
    alone = percentile_interval(0.0, draws[0], 0.025)
    draws[1, :50] = np.nan
    beside = percentile_interval([0.0, 0.0], draws, 0.025)
    assert (beside.low[0], beside.high[0]) == (alone.low, alone.high)
    assert (beside.low[1], beside.high[1]) == (-np.inf, np.inf)


def ratio(means):
    with np.errstate(invalid="ignore"):
        return means[0] / means[1]


def given_delivery(quality, arrived, rng, num_resamples=300):
    some = np.where(np.isnan(quality), np.nan, arrived)
    return bootstrap_interval(np.stack([quality * some, some]), rng, num_resamples, statistic=ratio)


def test_the_mean_given_delivery_covers_the_quality_of_what_arrives():
    rng = np.random.default_rng(1)
    hits, runs = 0, 300
    for _ in range(runs):
        arrived = rng.random((12, 30)) < rng.uniform(0.2, 0.9, (12, 1))
        quality = np.where(arrived, rng.normal(30, 2, (12, 1)), 12.0)
        found = given_delivery(quality, arrived, rng)
        assert found.mean == pytest.approx(quality[arrived].mean())
        hits += found.low <= 30.0 <= found.high
    assert 0.90 <= hits / runs <= 0.985


def test_nothing_delivered_has_no_quality():
    found = given_delivery(np.full((3, 4), 12.0), np.zeros((3, 4)), np.random.default_rng(0))
    assert np.isnan([found.mean, found.low, found.high]).all()


def test_trials_not_run_are_neither_delivered_nor_lost():
    quality = np.array([[30.0, 12.0, np.nan], [34.0, np.nan, np.nan]])
    found = given_delivery(quality, quality > 20, np.random.default_rng(0))
    # Means over images of quality where delivered (15 and 34) over those of delivery (1/2 and 1).
    assert found.mean == pytest.approx((15 + 34) / (0.5 + 1))
