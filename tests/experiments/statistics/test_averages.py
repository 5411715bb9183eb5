"""Averages beside the plain mean, against closed forms and by the coverage of their intervals."""

import numpy as np
import pytest

from experiments.statistics.averages import given_delivery_interval, psnr_of_mean_mse_interval
from experiments.statistics.means import mean_given_delivery, psnr_of_mean_mse
from scmc_comm.errors import ScmcError


def test_psnr_of_mean_mse_covers_its_limit():
    rng = np.random.default_rng(0)
    hits, runs = 0, 300
    for _ in range(runs):
        mse = 0.01 * rng.gamma(4, 1 / 4, (16, 1)) * rng.gamma(4, 1 / 4, (16, 20))
        found = psnr_of_mean_mse_interval(mse, rng, num_resamples=300)
        assert found.mean == psnr_of_mean_mse(mse)
        hits += found.low <= 20.0 <= found.high
    assert 0.91 <= hits / runs <= 0.985


def test_given_delivery_covers_the_quality_of_what_arrives():
    rng = np.random.default_rng(1)
    hits, runs = 0, 300
    for _ in range(runs):
        arrived = rng.random((12, 30)) < rng.uniform(0.2, 0.9, (12, 1))
        quality = np.where(arrived, rng.normal(30, 2, (12, 1)), 12.0)
        found = given_delivery_interval(quality, arrived, rng, num_resamples=300)
        assert found.mean == pytest.approx(float(mean_given_delivery(quality, arrived)))
        hits += found.low <= 30.0 <= found.high
    assert 0.90 <= hits / runs <= 0.985


def test_nothing_delivered_has_no_quality():
    found = given_delivery_interval(
        np.full((3, 4), 12.0), np.zeros((3, 4)), np.random.default_rng(0)
    )
    assert np.isnan(found.mean) and found.low == -np.inf and found.high == np.inf
    with pytest.raises(ScmcError, match="shape"):
        given_delivery_interval(np.ones((3, 4)), np.ones((3, 5)), np.random.default_rng(0))


def test_trials_not_run_are_neither_delivered_nor_lost():
    quality = np.array([[30.0, 12.0, np.nan], [34.0, np.nan, np.nan]])
    found = given_delivery_interval(quality, quality > 20, np.random.default_rng(0))
    # Means over images of quality where delivered (15 and 34) over those of delivery (1/2 and 1).
    assert found.mean == pytest.approx((15 + 34) / (0.5 + 1))
